"""The texts of the ledger's tables, views and macros, from the SQL files and the declared kinds."""

from __future__ import annotations

import functools
import json
import re
from collections import Counter
from collections.abc import Collection, Mapping
from importlib import resources
from types import MappingProxyType

from auditreg.fields import FIELD_IDS
from auditreg.kinds.registry import KINDS
from auditreg.ledger import kind_sql
from auditreg.sql import listed, quoted

COMMON = "seq, actor, grade, certainty, candidate, not_before, not_after"
"""The columns every state table ends with."""

VIEWS = (
    "prompt_models",
    "live_versions",
    "version_identity",
    "model_identity",
    "signatures",
    "promotions",
    "deployed_versions",
    "running",
    "version_logged_models",
    "fields",
    "inventory",
    "captures",
    "capture_gaps",
    "changes",
    "prompts",
    "prompt_versions",
    "effective_permissions",
    "completeness",
    "nearest_tags",
    "field_history",
    "rating_history",
    "evidence_subjects",
    "field_found",
    "field_evidence",
    "training",
    "field_records",
    "file_states",
    "file_changes",
    "file_knowledge",
    "developers",
    "party_persons",
    "developer_persons",
    "promoter_persons",
    "approvals",
    "validations",
    "record_verdicts",
    "approval_verdicts",
    "validation_verdicts",
    "population_registered_model",
    "population_model_version",
    "population_live_version",
    "population_promotion",
    "population_live_in_period",
    "population_retired_version",
    "population_ledger",
)
"""Views in the order they build on each other; each is a macro `<name>_as_of` too."""

FINDING_BODY = {
    **dict.fromkeys(
        ("number", "since", "first_reported", "condition_since", "closed_at"), "BIGINT"
    ),
    **dict.fromkeys(("key", "rule", "subject", "severity", "status", "reason", "grade"), "VARCHAR"),
    **dict.fromkeys(("fix", "repair", "evidence", "waiver", "closed_why"), "VARCHAR"),
    "carried": "BOOLEAN",
}
"""What the body of an entry of kind `finding` holds; moments are milliseconds."""

HELD = ("inventory", "promotions", "changes")
"""Views that a published copy holds as tables, which say the same in every DuckDB."""


@functools.cache
def sql(name: str) -> str:
    """The text of one of the SQL files beside this module."""
    return resources.files(__package__).joinpath("sql", name).read_text(encoding="utf-8")


@functools.cache
def blocks(name: str, word: str) -> dict[str, tuple[str, str]]:
    """The `-- word: NAME [of KIND]` blocks of a file: name to (kind, SQL)."""
    text = ingest_sql() if name == "ingest.sql" else sql(name)
    parts = re.split(r"^-- (\w+): (\w+)(?: of (\w+))?\n", text, flags=re.MULTILINE)[1:]
    rows = zip(parts[::4], parts[1::4], parts[2::4], parts[3::4], strict=True)
    return {title: (kind or "", text.strip()) for of, title, kind, text in rows if of == word}


@functools.cache
def state_tables() -> dict[str, tuple[str, str]]:
    """State table to (kind of entry, SELECT with `{decoded}`)."""
    return {
        table: (kind, kind_sql.plain_columns(table, text).replace("{common}", COMMON))
        for table, (kind, text) in blocks("state.sql", "table").items()
    }


def last_entries(kind: str, chosen: str) -> str:
    """SQL for the last of the chosen entries of each subject; none where that one was erased."""
    return (
        "(select * from ledger.log where entry is not null and seq in (select max(seq) from ("
        f"select subject, seq, recorded_at from ledger.log where kind = '{kind}' and {chosen} "
        "union all select subject, seq, recorded_at from ledger.erased_states() "
        f"where kind = '{kind}' and {chosen}) group by subject))"
    )


@functools.cache
def ingest_sql() -> str:
    """The text of `ingest.sql`, with what follows from the declared kinds."""
    return kind_sql.fill(sql("ingest.sql"))


def decoded(kind: str, rows: str, *, select: str | None = None) -> str:
    """SQL for entries of a kind with their body as a struct.

    Args:
        kind: the kind of entry.
        rows: the relation of entries.
        select: where given, only the parts of the body that this SELECT uses are decoded.
    """
    body = kind_sql.structure(kind)
    if select is not None:
        used = set(re.findall(r"body\.(\w+)", select))
        body = {name: structure for name, structure in body.items() if name in used}
    structure = json.dumps({"body": body}, separators=(",", ":"))
    return f"(select *, from_json(entry, '{structure}').body as body from {rows})"


@functools.cache
def event_tables() -> dict[str, tuple[str, str]]:
    """Table of auditreg's own events to (kind, SELECT with `{log}`): every event is a row."""
    return {**blocks("events.sql", "table"), **blocks("imports.sql", "event")}


@functools.cache
def last_tables() -> dict[str, tuple[str, str]]:
    """Table to (kind, SELECT with `{log}`) where only the last entry of a subject is a row."""
    return {
        **{name: (kind, _with_body(text)) for name, (kind, text) in _findings("table").items()},
        **blocks("imports.sql", "last"),
    }


def _findings(word: str) -> dict[str, tuple[str, str]]:
    return blocks("findings.sql", word)


def _with_body(text: str) -> str:
    """The SQL with what entries of findings are decoded as, and without comments above it."""
    body = json.dumps({"body": FINDING_BODY}, separators=(",", ":"))
    return re.sub(r"\A(?:--.*\n)*", "", text).replace("{body}", body)


def finding_history() -> str:
    """The SELECT of every entry of findings, whatever release wrote the ledger."""
    return _with_body(_findings("view")["finding_history"][1])


def finding_statements() -> list[str]:
    """The statements that make the view of every entry of findings, and the macros that ask it."""
    macros = [_with_body(text) for _, text in _findings("macro").values()]
    return [
        f"create or replace view finding_history as {finding_history()}",
        *(text.replace("create ", "create or replace ", 1) for text in macros),
    ]


@functools.cache
def _views() -> dict[str, tuple[str, str]]:
    files = ("views.sql", "imports.sql", "access.sql", "files.sql", "evidence.sql")
    return {name: view for file in files for name, view in blocks(file, "block").items()}


def derived_tables() -> tuple[str, ...]:
    """Every table of the file that follows from the log, settings included."""
    return (
        *state_tables(),
        *event_tables(),
        *last_tables(),
        "ledger.fingerprints",
        "ledger.recorded",
        "settings",
        "people",
        "body_members",
        "authorities",
        "live_names",
        "governance_fields",
    )


def _pivot(fields: tuple[str, ...]) -> tuple[str, str]:
    pivot = ",\n           ".join(
        f"any_value(value) filter (where field = '{field}' and not open) as {field}"
        for field in fields
    )
    return pivot, ", ".join(f"w.{field}" for field in fields)


def view_sql(
    name: str, *, as_of: bool, moment: str = "null", fields: Collection[str] | None = None
) -> str:
    """The SELECT of a view, over the latest state or, `as_of`, over that of the macro's `ts`.

    `moment` is SQL for the moment that the tables it reads are of, where that is not the latest;
    `fields` are the governance fields that are asked for, all when None.
    """
    if not as_of:
        return _latest_text(_view_text(name), moment=moment, fields=fields)
    read = _built_on(name)
    parts = {token: _past_select(token) for token in read}
    kinds = sorted({state_tables()[token][0] for token in read if token in state_tables()})
    if kinds:
        entries = f"from ledger.candidates('{' '.join(kinds)}', ts::TIMESTAMP, known_at::TIMESTAMP)"
        parts = {"entries": _at_moment(entries), **parts}
    text = planned_once(_over(_at_moment(_view_text(name)), "past_", parts))
    return f"with moments as ({_MOMENTS}) {text}"


def stored_view_sql(name: str) -> str:
    """The SELECT of a view as it stands in the file.

    Evidence is made of evidence: what one of its views reads of others stands in its own text, so that
    each is planned, and worked out, once. Other views are read as they are, which lets filters through.
    """
    if name not in evidence_views():
        return view_sql(name, as_of=False)
    beside = {token: f"now_{token}" for token in _built_on(name) if token in VIEWS}
    parts = {
        token: _latest_text(_view_text(token), beside, once="materialized ") for token in beside
    }
    text = _latest_text(_view_text(name), beside, once="materialized ")
    return planned_once(_over(text, "now_", parts))


@functools.cache
def evidence_views() -> frozenset[str]:
    """Views that are planned with what they read, each part once."""
    return frozenset(blocks("evidence.sql", "block")) | frozenset(blocks("files.sql", "block"))


_MOMENTS = "select ts::TIMESTAMP as moment, known_at::TIMESTAMP as known_by"
"""What a macro was asked for, as a relation: the text that `query` plans does not see its parameters."""


def planned_once(text: str) -> str:
    """A SELECT as the file keeps it where its parts must be planned once.

    The storage version that DuckDB 1.1 reads has no place for MATERIALIZED: a CTE mentioned twice would be
    planned twice in DuckDB before 1.4, and so would what it reads. A text that `query` plans keeps the word.
    """
    return f"from query({quoted(text)})"


def _at_moment(text: str) -> str:
    """A view's text over what stands beside it as `past_<name>`, at the moment in `moments`."""
    past = _past_text(text)
    past = past.replace("known_at::TIMESTAMP", "(select known_by from moments)")
    return past.replace("ts::TIMESTAMP", "(select moment from moments)")


def _latest_text(
    text: str,
    beside: Mapping[str, str] = MappingProxyType({}),
    *,
    moment: str = "null",
    fields: Collection[str] | None = None,
    once: str = "",
) -> str:
    """A view's text over the latest state; `beside` gives other names to what it reads."""
    named = "true" if fields is None else f"field in ({listed(fields)})"
    text = text.replace("{once}", once).replace("{named}", named)
    text = text.replace("[ts]", f"{moment}::TIMESTAMP").replace("[known]", "null::TIMESTAMP")
    return re.sub(
        r"\[(\w+)\]", lambda m: beside.get(m[1], m[1]) if m[1] in _relations() else m[0], text
    )


def _over(text: str, prefix: str, parts: Mapping[str, str]) -> str:
    """A SELECT with what it reads in front, each under its name behind the prefix."""
    if not parts:
        return text
    used = Counter(re.findall(rf"\b{prefix}(\w+)", " ".join((text, *parts.values()))))
    ctes = ", ".join(
        f"{prefix}{token} as {'materialized ' if used[token] > 1 else ''}({select})"
        for token, select in parts.items()
    )
    rest = text.removeprefix("with ")
    return f"with {ctes}{' ' if rest == text else ', '}{rest}"


JOURNALLED = (
    "registered_model",
    "registered_model_tag",
    "model_version",
    "model_version_tag",
    "alias",
)
"""Kinds whose changes the server's journal holds."""


def timeline_sql() -> str:
    """The text of `timeline.sql`, with the kinds of entries that it tells of."""
    kinds = listed(kind.name for kind in KINDS)
    of_kind = (
        f"kind = entry_kind or entry_kind is null and kind in ({kinds}) "
        "or contains(entry_kind, ' ') and list_contains(string_split(entry_kind, ' '), kind)"
    )
    text = sql("timeline.sql").replace("{of_kind}", of_kind)
    return text.replace("{journalled}", listed(JOURNALLED))


def states_at_sql(timeline: str, moment: str) -> str:
    """The SELECT of `ledger.states_at` for all kinds, over a relation that holds `ledger.timeline`.

    Args:
        timeline: the relation, which is made once where several ask.
        moment: SQL of the moment.
    """
    made = timeline_sql().partition(
        "create macro ledger.states_at(entry_kind, ts, known_at) as table"
    )
    body = made[2].partition(";\n")[0].replace("ledger.timeline(entry_kind, known_at)", timeline)
    given = {"entry_kind": "null::VARCHAR", "ts": moment, "known_at": "null::TIMESTAMP"}
    return re.sub(r"\b(entry_kind|ts|known_at)\b", lambda m: given[m[1]], body)


def state_sql(table: str, candidates: str) -> str:
    """The SELECT of a state table over a relation of entries as `ledger.candidates` gives them.

    What the relation says of the kind of entries is `{kind}`.
    """
    kind, text = state_tables()[table]
    rows = candidates.replace("{kind}", f"'{kind}'")
    return text.replace("{decoded}", decoded(kind, rows, select=text))


def _view_text(name: str) -> str:
    """The block of a view, without the comment above it; what it reads still stands in brackets."""
    text = re.sub(r"\A(?:--.*\n)*", "", _views()[name][1])
    pivot, columns = _pivot(FIELD_IDS)
    text = text.replace("{pivot}", pivot).replace("{columns}", columns)
    return text.replace("{items}", kind_sql.change_items())


@functools.cache
def _relations() -> frozenset[str]:
    """What a view may read, by name in brackets."""
    return frozenset((*state_tables(), *VIEWS, "deployments"))


def _built_on(name: str) -> list[str]:
    """Every table and view that a view reads, and those they read, each after what it reads.

    A macro is planned anew wherever it stands, and its plan is large: with all of them in one list
    each is planned once.
    """
    listed: dict[str, None] = {}
    for token in re.findall(r"\[(\w+)\]", _view_text(name)):
        if token in _relations() and token not in listed:
            if token in VIEWS:
                listed |= dict.fromkeys(_built_on(token))
            listed[token] = None
    return list(listed)


def _past_select(token: str) -> str:
    """What gives the rows of a table or view at the moment in `moments`.

    Tables are decoded from `past_entries`, which are worked out once.
    """
    if token in VIEWS:
        return _at_moment(_view_text(token))
    if token in state_tables():
        return state_sql(token, "(select * from past_entries where kind = {kind})")
    return _at_moment(f"from {token}_as_of(ts::TIMESTAMP, known_at := known_at::TIMESTAMP)")


def _past_text(text: str) -> str:
    """A view's text over what stands beside it as `past_<name>`."""
    text = text.replace("{once}", "materialized ").replace("{named}", "true")
    text = text.replace("[ts]", "ts::TIMESTAMP").replace("[known]", "known_at::TIMESTAMP")
    return re.sub(r"\[(\w+)\]", lambda m: f"past_{m[1]}" if m[1] in _relations() else m[0], text)
