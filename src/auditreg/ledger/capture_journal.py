"""Taking the server's own journal into the log: who changed what and when, exactly.

A row of the journal says what stood in one row of the registry before and after a change. Each
becomes an entry of grade `captured`. What a row found and the ledger did not know of becomes an
entry of grade `observed` before it: something changed it that is not in the journal.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from auditreg.ledger import definitions, entries, kind_sql, schema
from auditreg.ledger.definitions import JOURNALLED
from auditreg.ledger.erase import STATE, erased_states
from auditreg.ledger.intake import Intake
from auditreg.ledger.secrets import IMAGE_TEXTS, IMAGED, Key, mask, name_pattern
from auditreg.ledger.state_entries import state_bodies

if TYPE_CHECKING:
    import duckdb

_READABLE = (
    "content is not null and content.name is not null "
    "and (table_name not in ('model_versions', 'model_version_tags', 'registered_model_aliases') "
    "or content.version is not null) "
    "and (table_name not like '%tags' or content.key is not null) "
    "and (table_name <> 'registered_model_aliases' or content.alias is not null)"
)
"""SQL: whether one side of a row names the thing it is about."""

_INFO = """
concat('{"operation":', encoded(staged(j.operation)), ',"request":', encoded(staged(j.request)),
       ',"process":', encoded(staged(j.process)), ',"path":', encoded(n.path),
       ',"method":', encoded(staged(j.method)), ',"client":', encoded(staged(j.client)),
       ',"actor_from":', encoded(staged(j.actor_from)), ',"claimed":', encoded(n.claimed),
       ',"info":', encoded(n.info), ',"problem":', encoded(p.problem), '}')
"""
"""SQL for what an entry keeps of its row beside the state."""


@dataclass(frozen=True, slots=True)
class JournalIntake:
    """What was taken from a journal: how many rows, which, and whether older entries moved.

    `unrecorded` counts rows whose before-image differs from the state the ledger knew.
    `unreadable` says of rows that could not be read why not, each with its number; they are kept
    as they stood.
    """

    rows: int = 0
    ranges: tuple[tuple[int, int], ...] = ()
    moved: bool = False
    secrets: int = 0
    unrecorded: int = 0
    unreadable: Mapping[str, int] | None = None


def name_of(journal: str) -> str:
    """The `source` of a journal's entries; its id is hostile text, so only hex digits stay."""
    plain = journal if re.fullmatch(r"[0-9a-f]{12,64}", journal) else None
    return f"journal-{(plain or sha256(journal.encode('utf-8', 'replace')).hexdigest())[:12]}"


def sealed(con: duckdb.DuckDBPyConnection, registry: str, journal: str) -> list[tuple[int, int]]:
    """The rows of a journal that are in the ledger, as inclusive ranges of their ids."""
    rows = con.execute(
        "select journal_ranges from extractions where registry = ? and journal = ? "
        "and journal_ranges is not null",
        [registry, journal],
    ).fetchall()
    return merged([(low, high) for (text,) in rows for low, high in json.loads(text)])


def merged(ranges: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Ranges in order, those that touch made one."""
    joined: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if joined and low <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(high, joined[-1][1]))
        else:
            joined.append((low, high))
    return joined


def take(intake: Intake, key: Key, secret_patterns: tuple[str, ...] = ()) -> JournalIntake:
    """Append the rows in `stage_journal`, each with what it found where that was not known."""
    con, registry, journal = intake.con, intake.registry, str(intake.reading.journal)
    _drop_known(con, sealed(con, registry, journal))
    rows = entries.number(con, "select count(*) from stage_journal")
    if not rows:
        return JournalIntake()
    shared = {
        "registry": registry,
        "journal": journal,
        "observed_at": intake.observed,
        "base": entries.size(con),
    }
    _run(con, "journal.sql", shared)
    withheld = _make_notes(con, secret_patterns)
    masked = mask(con, key, secret_patterns, staged=IMAGED, texts=IMAGE_TEXTS, prefix="image_")
    _name_models(con)
    _make_states(con, registry)
    _withhold_erased(con, key)
    _run(con, "placing.sql", shared)
    _append_states(intake)
    _append_notes(intake)
    moved = entries.number(
        con, "select count(*) from journal_step where observed_at <> ?", [intake.observed]
    )
    unreadable = con.execute(
        "select problem, count(*) from journal_problem where problem is not null group by problem"
    ).fetchall()
    unrecorded = entries.number(
        con,
        "select count(*) from journal_deviation f join journal_step s using (journal) "
        "where not f.same_content and (s.subject in (select subject from ledger.heads) or s.turn > 1)",
    )
    return JournalIntake(
        rows, _ranges(con), moved > 0, withheld + masked, unrecorded, dict(unreadable)
    )


def _written(intake: Intake) -> dict[str, object]:
    """What every entry of the journal's rows is written with."""
    return {
        "recorded_at": intake.recorded_at,
        "name": name_of(str(intake.reading.journal)),
        "registry": intake.registry,
    }


def _drop_known(con: duckdb.DuckDBPyConnection, known: Sequence[tuple[int, int]]) -> None:
    """Leave out rows that are in the ledger, should a source yield them all the same."""
    con.execute("create or replace temp table journal_known (low BIGINT, high BIGINT)")
    schema.insert(con, "journal_known", known)
    con.execute(
        "delete from stage_journal where exists (select 1 from journal_known "
        "where id between low and high)"
    )


def _ranges(con: duckdb.DuckDBPyConnection) -> tuple[tuple[int, int], ...]:
    """The ids in `stage_journal` as inclusive ranges."""
    return tuple(
        con.execute(
            "select min(id), max(id) from (select id, id - row_number() over (order by id) "
            "as run from (select distinct id from stage_journal)) group by run order by 1"
        ).fetchall()
    )


def _run(con: duckdb.DuckDBPyConnection, file: str, parameters: Mapping[str, object]) -> None:
    """Run the steps of one of our files, each with the parameters it names."""
    for statement in schema.statements(_filled(definitions.sql(file))):
        used = {name: value for name, value in parameters.items() if f"${name}" in statement}
        con.execute(statement, used)


def _filled(text: str) -> str:
    """One of our files with the parts that stand in braces."""
    for kind in JOURNALLED:
        text = text.replace(f"{{image of {kind}}}", kind_sql.image_columns(kind))
    structure = kind_sql.journal_structure(JOURNALLED)
    return (
        kind_sql.identified(text).replace("{readable}", _READABLE).replace("{structure}", structure)
    )


def _make_notes(con: duckdb.DuckDBPyConnection, secret_patterns: tuple[str, ...]) -> int:
    """Make `image_notes`: what an entry keeps of a journal row besides the state; of an unreadable
    row, everything but what may be a credential. The number of rows of which that was left out.
    """
    named = "regexp_matches(concat_ws(chr(10), item, replace({0}, '\"', chr(10))), $names)"
    con.execute(
        f"""
        create or replace temp table image_notes as
        select id as journal, staged(path) as path, staged(claimed) as claimed,
               case when p.problem is not null
                    then to_json({{'table': table_name, 'workspace': workspace, 'name': name,
                                  'version': version, 'item': item, 'before': before_shown,
                                  'after': after_shown, 'server_time': server_time}})::VARCHAR
                    when operation not in ('insert', 'update', 'delete')
                    then staged(coalesce(after_row, '')) end as info,
               p.problem is not null and (before_shown is distinct from before_row
                                          or after_shown is distinct from after_row) as withheld
        from (select *,
                     case when {named.format("before_row")} then '***' else before_row end
                         as before_shown,
                     case when {named.format("after_row")} then '***' else after_row end
                         as after_shown
              from stage_journal)
        join journal_problem p on p.journal = id
        """,
        {"names": f"(?m){name_pattern(secret_patterns)}"},
    )
    return entries.number(con, "select count(*) from image_notes where withheld")


def _name_models(con: duckdb.DuckDBPyConnection) -> None:
    """Give every name of the images its model's subject, through the renames the journal tells."""
    subjects: dict[tuple[object, ...], str | None] = {}
    minted: dict[tuple[object, ...], str] = {}
    for workspace, model, created, subject, mint in con.execute(
        "select workspace, model, created_at, subject, minted from image_known"
    ).fetchall():
        subjects[workspace, model, created] = subject
        minted[workspace, model, created] = mint
    renames = [
        ((row[0], row[1], row[4]), (row[2], row[3], row[4]))
        for row in con.execute(
            "select b.workspace, b.model, a.workspace, a.model, moment(b.model_created) "
            "from journal_image b join journal_image a using (journal) "
            "where b.side = 'before' and a.side = 'after' and b.table_name = 'registered_models' "
            "and (a.workspace, a.model) <> (b.workspace, b.model) order by journal"
        ).fetchall()
    ]
    for old, new in reversed(renames):
        subjects[old] = subjects[old] or subjects[new]
    for old, new in renames:
        subjects[old] = subjects[old] or minted[old]
        subjects[new] = subjects[new] or subjects[old]
    con.execute(
        "create or replace temp table image_subject "
        "(workspace VARCHAR, model VARCHAR, created_at TIMESTAMP, subject VARCHAR)"
    )
    schema.insert(
        con,
        "image_subject",
        [(*name, subject or minted[name]) for name, subject in subjects.items()],
    )
    con.execute(
        "create or replace temp table image_model as "
        "select n.journal, n.workspace, n.model, n.created_at, s.subject "
        "from image_name n join image_subject s on s.workspace = n.workspace "
        "and s.model = n.model and s.created_at is not distinct from n.created_at"
    )


def _make_states(con: duckdb.DuckDBPyConnection, registry: str) -> None:
    """The images as states, by the same SQL that makes states of a reading's rows."""
    con.execute(
        "create or replace temp table imaged (kind VARCHAR, subject VARCHAR, workspace VARCHAR, "
        "model VARCHAR, version BIGINT, created_at TIMESTAMP, changed_at TIMESTAMP, "
        "fingerprint VARCHAR, secrets VARCHAR, item VARCHAR, place BIGINT)"
    )
    blocks = definitions.blocks("ingest.sql", "kind")
    for kind in JOURNALLED:
        text = blocks[kind][1].partition(";\n")[0]
        statement = (
            text.replace("into incoming", "into imaged")
            .replace("stage_", "image_")
            .replace("model_id i using (workspace", "image_model i using (journal, workspace")
            .replace("v using (workspace", "v using (journal, workspace")
        )
        con.execute(statement, {"registry": registry} if "$registry" in statement else None)


def _withhold_erased(con: duckdb.DuckDBPyConnection, key: Key) -> None:
    """Mark the images whose erasure is on record in `imaged`, and leave only what names them."""
    con.execute("alter table imaged add column erased boolean default false")
    schema.fill_table(con, "erased_subjects", STATE, erased_states(con, key, "imaged"))
    [(number,)] = con.execute(
        "update imaged i set erased = true from erased_subjects e "
        "where e.subject = i.subject and e.fingerprint = i.fingerprint"
    ).fetchall()
    for kind in JOURNALLED if number else ():
        table = kind_sql.BY_NAME[kind].table
        emptied = ", ".join(f"{c.name} = null" for c in table.body if not c.identity)
        erased = f"(select place from imaged where erased and kind = '{kind}')"
        if emptied:
            con.execute(f"update image_{table.name} set {emptied} where rowid in {erased}")


def _append_states(intake: Intake) -> None:
    intake.con.execute(
        "create or replace temp table batch as select seq, kind, image.item as item, "
        "image.place as place from journal_entry"
    )
    bodies = state_bodies(JOURNALLED).replace("stage_", "image_")
    intake.appender.append(
        f"""
        select e.seq, $recorded_at::TIMESTAMP as recorded_at,
               case when e.valid_at is null then $source else $name end as source, e.kind, e.op,
               e.subject, $registry as registry, e.image.workspace as workspace,
               e.image.model as model, e.image.version as version, e.observed_at, e.valid_at,
               e.image.created_at as created_at,
               case when e.op = 'put' then e.image.changed_at end as changed_at,
               case when e.valid_at is not null then staged(j.actor) end as actor,
               case when e.valid_at is null then 'observed' else 'captured' end as grade,
               case when e.op = 'put' then e.image.fingerprint end as fingerprint,
               case when e.op = 'put' then e.image.secrets end as secrets, e.journal,
               case when f.seq is not null then ledger_body(f.entry)
                    when e.valid_at is null then b.body
                    else concat(left(b.body, -1), ',"journal":', {_INFO}, '}}') end as body
        from journal_entry e
        join stage_journal j on j.id = e.journal
        join image_notes n on n.journal = e.journal
        join journal_problem p on p.journal = e.journal
        join ({bodies}) b on b.seq = e.seq
        left join ledger.log f on f.seq = e.previous_seq
        order by e.seq
        """,
        {**_written(intake), "source": intake.reading.info.kind},
    )


def _append_notes(intake: Intake) -> None:
    """The server's starts and stops, and rows that cannot be read, as they stood."""
    intake.appender.append(
        f"""
        select $base::BIGINT - 1 + row_number() over (order by j.id) as seq,
               $recorded_at::TIMESTAMP as recorded_at, $name as source, 'capture' as kind,
               'event' as op, 'capture:' || $registry as subject, $registry as registry,
               null as workspace, null as model, null::BIGINT as version,
               $observed_at::TIMESTAMP as observed_at, moment(j.server_time) as valid_at,
               null::TIMESTAMP as created_at, null::TIMESTAMP as changed_at,
               staged(j.actor) as actor, 'captured' as grade, null as fingerprint,
               null as secrets, j.id as journal, concat('{{"journal":', {_INFO}, '}}') as body
        from stage_journal j
        join image_notes n on n.journal = j.id
        join journal_problem p on p.journal = j.id
        where n.info is not null
        order by j.id
        """,
        {**_written(intake), "base": entries.size(intake.con), "observed_at": intake.observed},
    )
