"""What a registry has where no version of it counts as live, and which names would make one live."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from auditreg.live_names import NothingLive
from auditreg.models import RuleResult, Scope

if TYPE_CHECKING:
    import duckdb

_OF_LIVE_VERSIONS = frozenset((Scope.LIVE_VERSION, Scope.LIVE_IN_PERIOD, Scope.PROMOTION))
"""What rules about versions in use answer for."""

_COUNTING = "select distinct kind, name from live_names order by kind desc, name"
_FOUND = """
with version as (
    select distinct subject, stage from model_versions
    where not deleted and model_subject not in (select model_subject from prompt_models)
),
found as (
    select 1 as place, 'stage' as kind, stage as name, count(distinct subject) as versions
    from version where coalesce(stage, '') <> '' group by stage
    union all
    select 2, 'alias', a.alias, count(distinct v.subject)
    from aliases a join version v on v.subject = a.model_subject || '/' || a.version group by a.alias
    union all
    select 3, 'tag', t.key || ' = ' || left(t.value, 40), count(distinct v.subject)
    from model_version_tags t join version v using (subject)
    where not starts_with(t.key, 'mlflow.') and trim(t.value) <> '' group by all
)
select kind, name, versions from found
qualify row_number() over (partition by place order by versions desc, name) <= 6
order by place, versions desc, name
"""

READ_FOR_NAMES = "model_versions aliases model_version_tags prompt_models"
"""The tables it reads, as `reads_of` takes them."""


def nothing_live(
    con: duckdb.DuckDBPyConnection, results: Iterable[RuleResult]
) -> NothingLive | None:
    """What there is, where rules about versions in use ran and had none to answer for; else None.

    Args:
        con: a ledger, or the state of a moment over it.
        results: what the rules answered.
    """
    of_live = [result for result in results if result.rule.scope in _OF_LIVE_VERSIONS]
    if not of_live or any(result.population or result.error for result in of_live):
        return None
    counting = con.execute(_COUNTING).fetchall()
    return NothingLive(
        stages=tuple(name for kind, name in counting if kind == "stage"),
        aliases=tuple(name for kind, name in counting if kind == "alias"),
        found=tuple(
            (kind, name, versions) for kind, name, versions in con.execute(_FOUND).fetchall()
        ),
    )
