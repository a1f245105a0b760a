"""Cases of a rule: small registries written down in TOML, and what the rule has to answer.

    [[case]]
    name = "the owner is a tag of the model"
    models.motor = { tags = { "gov.owner" = "jane" }, versions.7 = {} }
    expect."motor/7" = "pass"

A case builds only what it mentions. Everything else has a default: a version is in stage
Production and READY, was created on 1 August 2026 and names no run; the registry was read
completely on 30 September 2026. Names refer to each other: a version's `run` to `runs`, its
`logged_model` to `logged_models`. `expect` names every subject the rule has to answer for, as
`model/version` or `model` (a second answer for the same one is `model/version#2`), or `ledger`.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from auditreg.audit.custom import result_table
from auditreg.audit.prepare import Moment, prepare, quoted, selection_statements
from auditreg.audit.results import check_result
from auditreg.errors import UsageError
from auditreg.ledger.schema import REGISTRY_KINDS, create_state
from auditreg.models import RuleInfo
from auditreg.rules.contain import wrapped

if TYPE_CHECKING:
    import duckdb

AS_OF = datetime(2026, 9, 30, 12)
"""The moment of a case's one reading, and the one that is judged, unless it says otherwise."""

CREATED = datetime(2026, 8, 1, 9)
"""When models, versions and runs of a case were created, unless it says otherwise."""

PERIOD = (datetime(2026, 7, 1), datetime(2026, 10, 1))
"""The period of a case."""


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pass


class Version(_Part):
    """A model version. `files` holds columns of `model_artifacts`."""

    stage: str = "Production"
    tags: dict[str, str] = {}
    description: str | None = None
    run: str | None = None
    run_link: str | None = None
    logged_model: str | None = None
    status: str | None = "READY"
    user: str | None = None
    created_at: datetime = CREATED
    deleted: bool = False
    files: dict[str, str] | None = None


class Model(_Part):
    """A registered model. `earlier`: creation times of deleted models of the same name."""

    tags: dict[str, str] = {}
    aliases: dict[str, int] = {}
    description: str | None = None
    created_at: datetime = CREATED
    deleted: bool = False
    versions: dict[str, Version] = {}
    earlier: tuple[datetime, ...] = ()


class Run(_Part):
    """A run; `datasets` are rows of `run_datasets`."""

    user: str | None = None
    tags: dict[str, str] = {}
    deleted: bool = False
    gone: bool = False
    datasets: tuple[dict[str, str], ...] = ()


class LoggedModel(_Part):
    """A logged model; `datasets` are name and digest of what its metrics were computed on."""

    run: str | None = None
    tags: dict[str, str] = {}
    datasets: tuple[dict[str, str], ...] = ()


class Person(_Part):
    """A person or service account with its spellings."""

    accounts: tuple[str, ...] = ()
    service: bool = False


class Promotion(_Part):
    """A version that became live between two moments."""

    version: str
    live_not_before: datetime | None = None
    live_not_after: datetime = CREATED
    live_via: str = "stage Production"


class Uncertain(_Part):
    """A field of a version that changed around the moment judged; either value may be missing."""

    version: str
    field: str
    before: str | None = None
    after: str | None = None


class Rows(_Part):
    """Rows changed by hand after everything is built: an UPDATE of a temporary state table."""

    table: str
    set: dict[str, str | int | bool]
    where: str = "true"


class Case(_Part):
    """One small registry and the answers expected."""

    name: str
    expect: dict[str, str] = {}
    reasons: dict[str, str] = {}
    fixes: dict[str, str] = {}
    settings: dict[str, Any] = {}
    params: dict[str, str | int | float | bool] = {}
    people: dict[str, Person] = {}
    models: dict[str, Model] = {}
    runs: dict[str, Run] = {}
    logged_models: dict[str, LoggedModel] = {}
    promotions: tuple[Promotion, ...] = ()
    uncertain: tuple[Uncertain, ...] = ()
    changed: tuple[Rows, ...] = ()
    kinds: tuple[str, ...] = REGISTRY_KINDS
    as_of: datetime = AS_OF


class _File(_Part):
    case: tuple[Case, ...]


@dataclass(frozen=True, slots=True)
class CaseOutcome:
    """What a rule answered in one case; `problems` is empty where all was as expected."""

    case: Case
    answers: dict[str, str]
    problems: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether every answer was the expected one."""
        return not self.problems


def load_cases(path: Path) -> tuple[Case, ...]:
    """Read a case file.

    Raises:
        UsageError: it cannot be read or holds something that is no part of a case.
    """
    try:
        return msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), _File).case
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}.", state="No case was run.") from error
    except msgspec.ValidationError as error:
        raise UsageError(f"{path}: {error}.", state="No case was run.") from error


def empty_ledger() -> duckdb.DuckDBPyConnection:
    """A connection to an empty ledger in memory, for `run_cases`."""
    import duckdb

    connection = duckdb.connect()
    connection.execute("set threads = 1")
    create_state(connection)
    return connection


def run_cases(
    rule: RuleInfo,
    cases: Sequence[Case],
    connection: duckdb.DuckDBPyConnection | None = None,
) -> list[CaseOutcome]:
    """Build each case's registry in memory, run the rule on it and compare.

    The rule runs in this process, whoever wrote it: cases are for its author.

    Args:
        rule: the rule.
        cases: as `load_cases` gives them.
        connection: an `empty_ledger()` to use again; what a case builds is rolled back.
    """
    if connection is not None:
        return [_run(connection, rule, case) for case in cases]
    with empty_ledger() as own:
        return [_run(own, rule, case) for case in cases]


def _run(connection: duckdb.DuckDBPyConnection, rule: RuleInfo, case: Case) -> CaseOutcome:
    import duckdb

    connection.execute("begin")
    try:
        build(connection, case)
        params = {**rule.params, **case.params}
        for name, value in params.items():
            connection.execute(f"set variable {name} = {quoted(_plain(value))}")
        try:
            connection.execute(
                f"create or replace temp table {result_table(rule)} as {wrapped(rule.sql)}"
            )
        except duckdb.Error as error:
            return CaseOutcome(case, {}, (str(error),))
        finally:
            for name in params:
                connection.execute(f"reset variable {name}")
        result = check_result(connection, rule, None, selected=False)
        problems = [result.error] if result.error else []
        answers, more = _compare(connection, rule, case)
        return CaseOutcome(case, answers, (*problems, *more))
    finally:
        connection.execute("rollback")


def _compare(
    connection: duckdb.DuckDBPyConnection, rule: RuleInfo, case: Case
) -> tuple[dict[str, str], list[str]]:
    has_fix = "fix" in [c[0] for c in _describe(connection, rule)]
    rows = connection.execute(
        f"select r.subject, p.model, p.version, r.status::VARCHAR, r.reason::VARCHAR, "
        f"{'r.fix::VARCHAR' if has_fix else 'null'} "
        f"from {result_table(rule)} r left join population_{rule.scope} p on p.subject = r.subject "
        "order by p.model, p.version, r.subject"
    ).fetchall()
    answers: dict[str, str] = {}
    said: dict[str, tuple[str, str]] = {}
    for subject, model, version, status, reason, fix in rows:
        label = subject if model is None else model if version is None else f"{model}/{version}"
        same = sum(known.split("#")[0] == label for known in answers)
        label = f"{label}#{same + 1}" if same else label
        answers[label], said[label] = status, (reason or "", fix or "")
    problems = [
        f"{label}: {answers.get(label, 'no answer')}, expected {case.expect.get(label, 'none')}"
        + (f" ({said[label][0]})" if label in said else "")
        for label in sorted({*answers, *case.expect})
        if answers.get(label) != case.expect.get(label)
    ]
    for place, wanted in enumerate((case.reasons, case.fixes)):
        for label, part in wanted.items():
            text = said.get(label, ("", ""))[place]
            if part not in text:
                problems.append(f"{label}: {text!r} does not hold {part!r}")
    return answers, problems


def _describe(connection: duckdb.DuckDBPyConnection, rule: RuleInfo) -> Sequence[tuple[Any, ...]]:
    return connection.execute(f"select * from {result_table(rule)} limit 0").description or ()


def build(connection: duckdb.DuckDBPyConnection, case: Case) -> None:
    """Put a case's registry into an empty ledger and make the state that rules read."""
    _settings(connection, case)
    _insert(connection, "extractions", registry="default", source="sql", observed_at=case.as_of,
            started_at=case.as_of, recorded_at=case.as_of, kinds=",".join(case.kinds),
            complete=True)
    for number, (name, model) in enumerate(case.models.items(), 1):
        _model(connection, f"m-{number}", name, model, case.as_of)
    for run_id, run in case.runs.items():
        _run_rows(connection, run_id, run)
    for model_id, logged in case.logged_models.items():
        _logged_model(connection, model_id, logged)
    moment = Moment(case.as_of, *PERIOD)
    prepare(connection, moment)
    subjects = {
        f"{name}/{version}": f"m-{number}/{version}"
        for number, (name, model) in enumerate(case.models.items(), 1)
        for version in model.versions
    }
    for number, promotion in enumerate(case.promotions, 1):
        _promotion(connection, subjects[promotion.version], promotion, number)
    for doubt in case.uncertain:
        _uncertain(connection, subjects[doubt.version], doubt)
    for rows in case.changed:
        values = ", ".join(f"{name} = {_sql(value)}" for name, value in rows.set.items())
        connection.execute(f"create or replace temp table {rows.table} as from {rows.table}")
        connection.execute(f"update temp.{rows.table} set {values} where {rows.where}")
    for statement in selection_statements(None):
        connection.execute(statement)


def _settings(connection: duckdb.DuckDBPyConnection, case: Case) -> None:
    for name, value in case.settings.items():
        text = value if isinstance(value, str) else json.dumps(value)
        connection.execute("delete from settings where name = ?", [name])
        _insert(connection, "settings", name=name, value=text)
    for person, spelled in case.people.items():
        for account in sorted({person, *spelled.accounts}):
            _insert(connection, "people", person=person, name=person,
                    account=account.strip().lower(), service=spelled.service)


def _model(
    connection: duckdb.DuckDBPyConnection, subject: str, name: str, model: Model, as_of: datetime
) -> None:
    place = {"registry": "default", "workspace": "default", "model": name}
    for number, created in enumerate(model.earlier, 1):
        _state(connection, "registered_models", **place, subject=f"{subject}-earlier{number}",
               created_at=created, deleted=True, not_before=created + timedelta(days=1),
               not_after=created + timedelta(days=2))
    _state(connection, "registered_models", **place, subject=subject, created_at=model.created_at,
           description=model.description, deleted=model.deleted)
    for key, value in model.tags.items():
        _state(connection, "registered_model_tags", **place, model_subject=subject, key=key,
               value=value)
    for alias, version in model.aliases.items():
        _state(connection, "aliases", **place, model_subject=subject, alias=alias,
               version=version, subject=f"{subject}/{version}")
    for number_text, version in model.versions.items():
        _version(connection, subject, place, int(number_text), version, as_of)


def _version(
    connection: duckdb.DuckDBPyConnection,
    model: str,
    place: dict[str, str],
    number: int,
    version: Version,
    as_of: datetime,
) -> None:
    own = {**place, "subject": f"{model}/{number}", "model_subject": model, "version": number}
    _state(connection, "model_versions", **own, description=version.description,
           stage="Deleted_Internal" if version.deleted else version.stage, run_id=version.run,
           run_link=version.run_link, logged_model_id=version.logged_model, status=version.status,
           user_id=version.user, created_at=version.created_at, last_updated_at=version.created_at,
           deleted=version.deleted, not_after=as_of if version.deleted else version.created_at)
    for key, value in version.tags.items():
        _state(connection, "model_version_tags", **own, key=key, value=value)
    if version.files is not None:
        _state(connection, "model_artifacts", **own, **{"state": "read", **version.files})


def _run_rows(connection: duckdb.DuckDBPyConnection, run_id: str, run: Run) -> None:
    own = {"registry": "default", "run_id": run_id}
    _state(connection, "runs", **own, subject=f"r-{run_id}", user_id=run.user,
           deleted=run.deleted or run.gone, started_at=CREATED,
           lifecycle_stage="deleted" if run.deleted else "active")
    for key, value in run.tags.items():
        _state(connection, "run_tags", **own, run_subject=f"r-{run_id}", key=key, value=value)
    for dataset in run.datasets:
        _state(connection, "run_datasets", **own, run_subject=f"r-{run_id}", **dataset)


def _logged_model(connection: duckdb.DuckDBPyConnection, model_id: str, model: LoggedModel) -> None:
    own = {"registry": "default", "model_id": model_id}
    _state(connection, "logged_models", **own, subject=f"l-{model_id}", source_run_id=model.run,
           deleted=False)
    for key, value in model.tags.items():
        _state(connection, "logged_model_tags", **own, logged_model_subject=f"l-{model_id}",
               key=key, value=value)
    for dataset in model.datasets:
        _state(connection, "logged_model_metrics", **own, logged_model_subject=f"l-{model_id}",
               key="metric", value=0.5, dataset_name=dataset.get("name"),
               dataset_digest=dataset.get("digest"))


def _promotion(
    connection: duckdb.DuckDBPyConnection, subject: str, promotion: Promotion, number: int
) -> None:
    model, _, version = promotion.version.rpartition("/")
    _insert(connection, "temp.promotions", subject=f"{subject}+{number}", version_subject=subject,
            model_subject=subject.partition("/")[0], registry="default", workspace="default",
            model=model, version=int(version), live_via=promotion.live_via,
            live_not_before=promotion.live_not_before, live_not_after=promotion.live_not_after,
            grade="observed", seq=number)


def _uncertain(connection: duckdb.DuckDBPyConnection, subject: str, doubt: Uncertain) -> None:
    model, _, version = doubt.version.rpartition("/")
    connection.execute(
        "delete from temp.fields where subject = ? and field = ?", [subject, doubt.field]
    )
    connection.execute(
        f'update temp.inventory set "{doubt.field}" = null, uncertain_fields = ? where subject = ?',
        [doubt.field, subject],
    )
    for candidate, value in (("before", doubt.before), ("after", doubt.after)):
        if value is not None:
            _insert(connection, "temp.fields", subject=subject,
                    model_subject=subject.partition("/")[0], registry="default",
                    workspace="default", model=model, version=int(version), field=doubt.field,
                    value=value, found_in="version tag", tag="gov.field", grade="asserted",
                    certainty="uncertain", candidate=candidate, rank=1)


def _state(connection: duckdb.DuckDBPyConnection, table: str, **values: object) -> None:
    """A row of a state table, with the columns every state table ends with."""
    _insert(connection, f"main.{table}", **{
        "grade": "observed", "certainty": "certain", "candidate": "only", "seq": 1,
        "not_before": CREATED, "not_after": CREATED, **values,
    })


def _insert(connection: duckdb.DuckDBPyConnection, table: str, **values: object) -> None:
    names, marks = ", ".join(values), ", ".join("?" * len(values))
    connection.execute(f"insert into {table} ({names}) values ({marks})", list(values.values()))


def _plain(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _sql(value: str | int | bool) -> str:
    return quoted(value) if isinstance(value, str) else str(value)
