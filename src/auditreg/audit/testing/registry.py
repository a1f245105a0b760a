"""The registry of a case: what may be written down, and how it becomes rows of a ledger."""
# ruff: noqa: S608 - the names in SQL are those of the ledger's own tables and columns
# ruff: noqa: DTZ001 - moments in the ledger are UTC and naive

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from auditreg.audit.snapshot import (
    Moment,
    reads_of,
    selection_statements,
    state_statements,
)
from auditreg.audit.testing.history import (
    CREATED,
    CaseCapture,
    CaseChange,
    CaseDeployment,
    CaseGap,
    CasePromotion,
    CaseTag,
    capture_rows,
    change_row,
    deployment_row,
    gap_rows,
    insert,
    promotion_row,
    reading_rows,
    tag_rows,
    write_field_history,
    write_file_changes,
    write_file_knowledge,
)
from auditreg.audit.testing.people import CaseAuthority, CaseBody, CasePerson, write_people
from auditreg.audit.testing.permissions import CaseRole, CaseUser, write_permissions
from auditreg.audit.testing.runs import CaseLoggedModel, CaseRun, logged_model_rows, run_rows
from auditreg.fields import FIELD_IDS
from auditreg.ledger import definitions
from auditreg.ledger.schema import REGISTRY_KINDS
from auditreg.sql import quoted

if TYPE_CHECKING:
    import duckdb

AS_OF = datetime(2026, 9, 30, 12)
"""The moment of a case's one reading, and the one that is judged, unless it says otherwise."""

PERIOD = (datetime(2026, 7, 1), datetime(2026, 10, 1))
"""The period of a case."""


class CasePart(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Something written down in a case; what it does not know it refuses."""


class CaseVersion(CasePart, frozen=True):
    """A model version. `files` holds columns of `model_artifacts`.

    A deleted one was deleted by `as_of`, unless `gone_not_before` and `gone_not_after` say when,
    and `gone_by` who did it, as far as the server recorded that.
    """

    stage: str = "Production"
    tags: dict[str, str | CaseTag] = {}
    description: str | None = None
    run: str | None = None
    run_link: str | None = None
    logged_model: str | None = None
    status: str | None = "READY"
    user: str | None = None
    created_at: datetime = CREATED
    deleted: bool = False
    gone_not_before: datetime | None = None
    gone_not_after: datetime | None = None
    gone_by: str | None = None
    files: dict[str, str] | None = None


class CaseModel(CasePart, frozen=True):
    """A registered model. `earlier`: creation times of deleted models of the same name."""

    tags: dict[str, str | CaseTag] = {}
    aliases: dict[str, int] = {}
    description: str | None = None
    created_at: datetime = CREATED
    deleted: bool = False
    versions: dict[str, CaseVersion] = {}
    earlier: tuple[datetime, ...] = ()


class CaseUncertainty(CasePart, frozen=True):
    """A field of a version that changed around the moment judged; either value may be missing."""

    version: str
    field: str
    before: str | None = None
    after: str | None = None


class CaseRows(CasePart, frozen=True):
    """Rows changed by hand after everything is built: an UPDATE of a temporary state table.

    `unset` names columns that become NULL.
    """

    table: str
    set: dict[str, str | int | bool] = {}
    unset: tuple[str, ...] = ()
    where: str = "true"


class Case(CasePart, frozen=True):
    """One small registry and the answers expected.

    `readings` are complete ones besides that of `as_of`, by the registry that was read.
    """

    name: str
    expect: dict[str, str] = {}
    reasons: dict[str, str] = {}
    fixes: dict[str, str] = {}
    settings: dict[str, Any] = {}
    params: dict[str, str | int | float | bool] = {}
    people: dict[str, CasePerson] = {}
    bodies: dict[str, CaseBody] = {}
    authorities: tuple[CaseAuthority, ...] = ()
    models: dict[str, CaseModel] = {}
    runs: dict[str, CaseRun] = {}
    logged_models: dict[str, CaseLoggedModel] = {}
    users: dict[str, CaseUser] = {}
    roles: dict[str, CaseRole] = {}
    default_permission: str | None = None
    promotions: tuple[CasePromotion, ...] = ()
    changes: tuple[CaseChange, ...] = ()
    captures: tuple[CaseCapture, ...] = ()
    gaps: tuple[CaseGap, ...] = ()
    deployments: tuple[CaseDeployment, ...] = ()
    uncertain: tuple[CaseUncertainty, ...] = ()
    changed: tuple[CaseRows, ...] = ()
    kinds: tuple[str, ...] = REGISTRY_KINDS
    readings: dict[str, tuple[datetime, ...]] = {}
    as_of: datetime = AS_OF


def snapshot_of(
    case: Case, sql: str | None = None, *, every_field: bool = False
) -> tuple[str, ...]:
    """The statements that make the state that rules read, of a registry that stands in the ledger.

    Args:
        case: the registry.
        sql: what reads the state; without it, everything is made.
        every_field: whether it may read governance fields that it does not name in quotes.
    """
    moment = Moment(case.as_of, *PERIOD)
    reads = (
        None
        if sql is None
        else reads_of((sql, *_written_tables(case)), moment, every_field=every_field)
    )
    return (*state_statements(moment, reads), *selection_statements(None, reads))


def build(
    connection: duckdb.DuckDBPyConnection,
    case: Case,
    statements: Sequence[str] | None = None,
    instead: Mapping[str, str] | None = None,
) -> None:
    """Put a case's registry into an empty ledger and make the state that rules read.

    Args:
        connection: an empty ledger.
        case: the registry.
        statements: what makes the state, `snapshot_of` the case; without it, everything is made.
        instead: of statements that are prepared, what to execute in their place.
    """
    _settings(connection, case)
    reading_rows(connection, case.readings, case.as_of, case.kinds)
    for number, (name, model) in enumerate(case.models.items(), 1):
        _model(connection, f"m-{number}", name, model, case.as_of)
    state = partial(_state, connection)
    for run_id, run in case.runs.items():
        run_rows(state, run_id, run, gone=partial(_gone, connection))
    for model_id, logged in case.logged_models.items():
        logged_model_rows(state, model_id, logged)
    write_permissions(state, case.users, case.roles, case.default_permission)
    for number, deployment in enumerate(case.deployments, 1):
        deployment_row(connection, deployment, number)
    subjects = {name: f"m-{number}" for number, name in enumerate(case.models, 1)} | {
        f"{name}/{version}": f"m-{number}/{version}"
        for number, (name, model) in enumerate(case.models.items(), 1)
        for version in model.versions
    }
    written = _written_rows(connection, case, subjects)
    changed = {rows.table for rows in case.changed}
    for statement in snapshot_of(case) if statements is None else statements:
        connection.execute(statement if instead is None else instead[statement])
        for table in _made_by(statement, changed):
            written.get(table, lambda: None)()
            for rows in (rows for rows in case.changed if rows.table == table):
                _change_rows(connection, rows)


def _made_by(statement: str, changed: Collection[str]) -> list[str]:
    """The tables that stand now: what a case says of them goes in before others are made from them."""
    if statement.startswith("drop table"):
        return [table for table in changed if table not in definitions.VIEWS]
    return re.findall(r"^create temp table (\w+)", statement)


def _change_rows(connection: duckdb.DuckDBPyConnection, rows: CaseRows) -> None:
    pairs = {name: _sql(value) for name, value in rows.set.items()} | dict.fromkeys(
        rows.unset, "null"
    )
    values = ", ".join(f"{name} = {value}" for name, value in pairs.items())
    connection.execute(f"create or replace temp table {rows.table} as from {rows.table}")
    connection.execute(f"update temp.{rows.table} set {values} where {rows.where}")


def _written_rows(
    connection: duckdb.DuckDBPyConnection, case: Case, subjects: Mapping[str, str]
) -> dict[str, Callable[[], None]]:
    """Prepared table to what writes the case's own rows into it."""

    def promotions() -> None:
        for number, promotion in enumerate(case.promotions, 1):
            promotion_row(connection, subjects[promotion.version], promotion, number)

    def changes() -> None:
        for number, change in enumerate(case.changes, 1):
            change_row(connection, subjects[change.of], change, number)

    def history() -> None:
        write_field_history(connection, case.changes)
        doubts("field_history")

    def doubts(table: str) -> None:
        for doubt in case.uncertain:
            _uncertain(connection, table, subjects[doubt.version], doubt)

    return {
        "promotions": promotions,
        "changes": changes,
        "captures": lambda: capture_rows(connection, case.captures, case.as_of),
        "capture_gaps": lambda: gap_rows(connection, case.gaps),
        "fields": lambda: doubts("fields"),
        "inventory": lambda: doubts("inventory"),
        "field_history": history,
        "file_changes": lambda: write_file_changes(connection, case.changes),
        "file_knowledge": lambda: write_file_knowledge(connection, case.changes, case.as_of),
    }


def _written_tables(case: Case) -> Iterator[str]:
    """The prepared tables that a case writes rows into."""
    for table, rows in (
        ("promotions", case.promotions),
        ("changes", case.changes),
        ("captures capture_gaps", case.captures or case.gaps),
        ("fields inventory", case.uncertain),
    ):
        if rows:
            yield table
    yield from (rows.table for rows in case.changed)


def _settings(connection: duckdb.DuckDBPyConnection, case: Case) -> None:
    for name, value in case.settings.items():
        text = value if isinstance(value, str) else json.dumps(value)
        connection.execute("delete from settings where name = ?", [name])
        insert(connection, "settings", name=name, value=text)
    write_people(connection, case.people, case.bodies, case.authorities)


def _model(
    connection: duckdb.DuckDBPyConnection,
    subject: str,
    name: str,
    model: CaseModel,
    as_of: datetime,
) -> None:
    place = {"registry": "default", "workspace": "default", "model": name}
    for number, created in enumerate(model.earlier, 1):
        _state(
            connection,
            "registered_models",
            **place,
            subject=f"{subject}-earlier{number}",
            created_at=created,
            deleted=True,
            not_before=created + timedelta(days=1),
            not_after=created + timedelta(days=2),
        )
    _state(
        connection,
        "registered_models",
        **place,
        subject=subject,
        created_at=model.created_at,
        description=model.description,
        deleted=model.deleted,
    )
    for key, value in model.tags.items():
        _state(
            connection,
            "registered_model_tags",
            **place,
            model_subject=subject,
            key=key,
            **_tag(connection, value, f"{subject}:tag:{key}"),
        )
    for alias, version in model.aliases.items():
        _state(
            connection,
            "aliases",
            **place,
            model_subject=subject,
            alias=alias,
            version=version,
            subject=f"{subject}/{version}",
        )
    for written, content in model.versions.items():
        _version(connection, subject, place, int(written), content, as_of)


def _version(
    connection: duckdb.DuckDBPyConnection,
    model: str,
    place: dict[str, str],
    number: int,
    version: CaseVersion,
    as_of: datetime,
) -> None:
    names = {**place, "subject": f"{model}/{number}", "model_subject": model, "version": number}
    _state(
        connection,
        "model_versions",
        **names,
        description=version.description,
        stage="Deleted_Internal" if version.deleted else version.stage,
        run_id=version.run,
        run_link=version.run_link,
        logged_model_id=version.logged_model,
        status=version.status,
        user_id=version.user,
        created_at=version.created_at,
        last_updated_at=version.created_at,
        deleted=version.deleted,
        not_before=version.gone_not_before or CREATED,
        not_after=version.gone_not_after or (as_of if version.deleted else version.created_at),
        actor=version.gone_by,
    )
    for key, value in version.tags.items():
        state = _tag(connection, value, f"{model}/{number}:tag:{key}")
        _state(connection, "model_version_tags", **names, key=key, **state)
    if version.files is not None:
        _state(connection, "model_artifacts", **names, **{"state": "read", **version.files})


def _gone(connection: duckdb.DuckDBPyConnection, subject: str) -> int:
    """The entry that says a run is not there any more; its number."""
    row = connection.execute("select coalesce(max(seq), 1) + 1 from ledger.log").fetchone()
    seq = int(row[0]) if row else 2
    insert(connection, "ledger.log", seq=seq, kind="run", op="gone", subject=subject, leaf=b"")
    return seq


def _uncertain(
    connection: duckdb.DuckDBPyConnection, table: str, subject: str, doubt: CaseUncertainty
) -> None:
    if table == "inventory":
        if doubt.field not in FIELD_IDS:  # a firm's own: no column of that view
            return
        connection.execute(
            f'update temp.inventory set "{doubt.field}" = null, uncertain_fields = ? where subject = ?',
            [doubt.field, subject],
        )
        return
    model, _, version = doubt.version.rpartition("/")
    connection.execute(
        f"delete from temp.{table} where subject = ? and field = ?", [subject, doubt.field]
    )
    change = {"not_before": AS_OF - timedelta(days=1), "not_after": AS_OF + timedelta(days=1)}
    for candidate, value in (("before", doubt.before), ("after", doubt.after)):
        since = change if candidate == "after" else {"not_before": CREATED, "not_after": CREATED}
        if value is None:
            continue
        if table == "fields":
            sure = {**since, "certainty": "uncertain", "candidate": candidate}
        else:
            sure = {f"set_{bound}": at for bound, at in since.items()}
            if candidate == "before":
                sure |= {f"until_{bound}": at for bound, at in change.items()}
        insert(
            connection,
            f"temp.{table}",
            subject=subject,
            model_subject=subject.partition("/")[0],
            registry="default",
            workspace="default",
            model=model,
            version=int(version),
            field=doubt.field,
            value=value,
            found_in="version tag",
            tag="gov.field",
            grade="asserted",
            rank=1,
            **sure,
        )


def _tag(
    connection: duckdb.DuckDBPyConnection, tag: str | CaseTag, subject: str
) -> dict[str, object]:
    return {"value": tag} if isinstance(tag, str) else tag_rows(connection, tag, subject)


def _state(connection: duckdb.DuckDBPyConnection, table: str, **values: object) -> None:
    """A row of a state table, with the columns every state table ends with."""
    insert(
        connection,
        f"main.{table}",
        **{
            "grade": "observed",
            "certainty": "certain",
            "candidate": "only",
            "seq": 1,
            "not_before": CREATED,
            "not_after": CREATED,
            **values,
        },
    )


def _sql(value: str | int | bool) -> str:
    return quoted(value) if isinstance(value, str) else str(value)
