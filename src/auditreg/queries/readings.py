"""Which readings of a registry a past state rests on."""

from __future__ import annotations

from auditreg.queries.reader import Reader, Row

_READINGS = """
with reading as (
    select *, observed_at > {t} as later,
           min(observed_at) over of_registry > {t} as only_later,
           bool_or(complete and observed_at > {t}) over of_registry as confirmed
    from extractions
    window of_registry as (partition by registry)
),
eligible as (
    select *, row_number() over (
               partition by registry
               order by case when only_later and confirmed then observed_at end,
                        observed_at desc, seq desc) = 1 as rests_on
    from reading
    where not later or not confirmed or only_later and complete
)
select seq, registry, source, location, started_at, observed_at, recorded_at, mlflow_version,
       complete, doubts, counts, left_out, cannot_show, passes, asked, gaps, tombstones, appended,
       tool_version, tree_size, root, journal_rows, restored, clock_offset_ms, later, rests_on
from eligible where not later or rests_on
order by observed_at, seq
"""


def read_readings(reader: Reader) -> list[Row]:
    """The readings by the reader's moment, oldest first, and those that tell of it later.

    `rests_on` marks the reading each registry's state rests on: the last one by the moment; a later
    incomplete one if no complete one followed the moment; or the first complete one if every reading
    is later. The last two are `later`.
    """
    return reader.rows("readings", "Readings of the registry the state rests on", _READINGS)
