"""The state a check is judged on, as temporary tables that hide the ledger's views.

A rule says `inventory` and means the moment that is judged. For the latest state the views are
computed once, instead of once per rule; for a past moment the state tables are made first, as the
ledger's macros `<table>_as_of` would, and everything else follows from those. Planning a view takes
longer than computing it on a small ledger, so only what the rules of a check name is prepared.
Nothing here changes the ledger: it is all in the connection's temporary database.
"""
# ruff: noqa: S608 - the names in SQL are those of our own tables; texts are quoted or bound

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from auditreg.ledger import definitions
from auditreg.ledger.settings import settings_rows
from auditreg.models import Scope
from auditreg.queries.model_refs import Selection
from auditreg.sql import listed, moment_literal, rows_select

if TYPE_CHECKING:
    import duckdb

_TIMELINE = re.compile(r"ledger\.timeline\((null|'\w+'), null::TIMESTAMP\)")
"""Where a view asks when the states of the log began; all that do share one table of it."""

_TEXTS = re.compile(r"'(?:[^']|'')*'|--[^\n]*|/\*.*?\*/", re.DOTALL)
_UNUSUAL = re.compile(r"\$|\be'|\bquery", re.IGNORECASE)
"""Other quotes than plain ones, and functions that read a relation whose name is given as a text."""

_ASKED_IN_PART = ("field_evidence",)
"""Views with a row per subject and field, of which a rule reads one field or two."""

_MAKE_TIMELINE = "create temp table timeline as from ledger.timeline(null, null::TIMESTAMP)"

_PAST_ENTRIES = """(
    select l.subject, l.registry, l.workspace, l.model, l.version, l.op, l.entry, l.seq, l.actor, l.grade,
           s.certainty, s.candidate, s.not_before, s.not_after
    from temp.states_at s join ledger.log l using (seq)
    where s.kind = {kind} and l.entry is not null
)"""
"""The entries of the states of a past moment, as state tables are decoded from them."""

_SELECTABLE = ("registered_models", "model_versions", "aliases", "live_versions")
"""What a selection is looked up in."""


@dataclass(frozen=True, slots=True)
class Moment:
    """What a check is about. Moments are UTC and naive.

    `past` is the moment asked for, None for the latest state; `as_of` the moment rules see, which
    for the latest state is that of the last complete extraction. `period_end` is exclusive.
    `settings` are those to judge by, as plain values; None for those sealed in the ledger.
    """

    as_of: datetime
    period_start: datetime
    period_end: datetime
    past: datetime | None = None
    settings: Mapping[str, object] | None = None


@dataclass(frozen=True, slots=True)
class Reads:
    """What SQL texts read: `relations` are tables and views, `literals` the words that stand in quotes.

    A governance field is named in quotes; only the evidence of those that are named is worked out, of
    all where `literals` is None. `listed` are the words that stand in quotes there or in a view that
    reads `fields`, which lists no other field; every field where it is None.
    """

    relations: frozenset[str]
    literals: frozenset[str] | None
    listed: frozenset[str] | None = None


@dataclass(slots=True)
class Extension:
    """What rules about events see beyond the period that is judged.

    `statements` add rows to the populations of scopes; `starts` says, by rule id, from when on a rule
    that reads the period is to look, where that is not its beginning.
    """

    statements: dict[Scope, str] = field(default_factory=dict)
    starts: dict[str, datetime] = field(default_factory=dict)


def prepare_snapshot(
    connection: duckdb.DuckDBPyConnection, moment: Moment, reads: Reads | None = None
) -> None:
    """Make the temporary tables a check reads, and set the variables its macros read.

    Args:
        connection: a ledger.
        moment: what is judged.
        reads: what is read of it, as `reads_of` gives it; everything when None.
    """
    for statement in (*state_statements(moment, reads), *selection_statements(None, reads)):
        connection.execute(statement)


def reads_of(
    texts: Iterable[str], moment: Moment, *, selection: bool = False, every_field: bool = False
) -> Reads:
    """The tables and views that SQL texts name, with those that these are made of.

    Every word counts that is not in a comment or in quotes: to prepare too much costs a little time,
    to prepare too little would let a rule read the latest state instead of the moment's.

    Args:
        texts: SQL of rules, or bare names.
        moment: what is judged; of a past one some views do not follow from the others.
        selection: whether models are selected by name, which reads tables too.
        every_field: whether the texts may read governance fields that they do not name in quotes, as a
            firm's own rule may count them all or be given one as a parameter.
    """
    known = frozenset(_state_tables()) | frozenset(definitions.VIEWS)
    named: set[str] = set(_SELECTABLE) if selection else set()
    texts = list(texts)
    waiting = [*texts, *(_view_text(name, moment) for name in named)]
    while waiting:
        fresh = (set(re.findall(r"\w+", _without_texts(waiting.pop()).lower())) & known) - named
        named |= fresh
        waiting += [_view_text(name, moment) for name in fresh]
    if every_field:
        return Reads(frozenset(named), None)
    literals = _literals(texts)
    listed = literals | _literals(_view_text(name, moment) for name in named - {"fields"})
    return Reads(frozenset(named), literals, None if "inventory" in named else listed)


def _literals(texts: Iterable[str]) -> frozenset[str]:
    """The words that stand in quotes."""
    return frozenset(word for text in texts for word in re.findall(r"'(\w+)'", text))


def _without_texts(sql: str) -> str:
    """SQL without what stands in quotes or comments; all of it where that cannot be told easily."""
    if _UNUSUAL.search(sql):
        return sql
    return _TEXTS.sub(" ", sql)


def state_statements(
    moment: Moment, reads: Reads | None = None, *, large: bool = False
) -> Iterator[str]:
    """The SQL that makes the state of a moment; it needs nothing but the ledger's database.

    Of a `large` ledger, what has a row per subject and field is not made as a table: that is more than
    all rules together read. On a small one a table is planned sooner.
    """

    def read(name: str) -> bool:
        return reads is None or name in reads.relations

    yield "; ".join(_drops())
    yield from _settings_statements(moment)
    yield f"set variable as_of = {moment_literal(moment.as_of)}"
    yield f"set variable period_start = {moment_literal(moment.period_start)}"
    yield f"set variable period_end = {moment_literal(moment.period_end)}"
    if moment.past is not None:
        yield _MAKE_TIMELINE
        states = definitions.states_at_sql("temp.timeline", moment_literal(moment.past))
        yield f"create temp table states_at as {states}"
        for table in filter(read, _state_tables()):
            yield f"create temp table {table} as {_past_state(table, moment.past)}"
    sources = {
        name: _view_source(name, moment, reads)
        for name in filter(read, definitions.VIEWS)
        if name not in population_names()
    }
    if moment.past is None and any(map(_TIMELINE.search, sources.values())):
        yield _MAKE_TIMELINE
    for name, text in sources.items():
        rows = _TIMELINE.sub(_timeline_of_kind, text)
        if name in _ASKED_IN_PART:
            if not large:
                yield f"create temp table {_every(name)} as {rows}"
                rows = f"from {_every(name)}"
            yield f"create temp view {name} as {rows}"
        else:
            # Rules ask a field or two: side by side, the rows of the others are passed over.
            order = " order by field" if large and name == "field_found" else ""
            yield f"create temp table {name} as {rows}{order}"


def _drops() -> Iterator[str]:
    """The SQL that removes what an earlier moment left."""
    for name in (*_state_tables(), *definitions.VIEWS, "timeline", "states_at"):
        if name in _ASKED_IN_PART:
            yield f"drop view if exists temp.{name}"
            yield f"drop table if exists temp.{_every(name)}"
        else:
            yield f"drop table if exists temp.{name}"


def _every(name: str) -> str:
    """The table with every row of a view that is asked in part."""
    return f"every_{name}"


def _timeline_of_kind(call: re.Match[str]) -> str:
    """The table `timeline`, or its rows of the kind that is asked for."""
    kind = call[1]
    return "temp.timeline" if kind == "null" else f"(from temp.timeline where kind = {kind})"


def _state_tables() -> tuple[str, ...]:
    return (*definitions.state_tables(), "deployments")


def _past_state(table: str, past: datetime) -> str:
    """The SELECT of a state table at a past moment."""
    if table not in definitions.state_tables():
        return f"select * from {table}_as_of({moment_literal(past)})"
    return definitions.state_sql(table, _PAST_ENTRIES)


def _view_source(name: str, moment: Moment, reads: Reads | None = None) -> str:
    past = "null" if moment.past is None else moment_literal(moment.past)
    fields = None if reads is None else reads.listed if name == "fields" else reads.literals
    return definitions.view_sql(name, as_of=False, moment=past, fields=fields)


def _view_text(name: str, moment: Moment) -> str:
    """The SQL in which the other relations are named that a view reads; empty for a table."""
    return _view_source(name, moment) if name in definitions.VIEWS else ""


def _settings_statements(moment: Moment) -> Iterator[str]:
    """The SQL that puts the settings to judge by in the place of the sealed ones."""
    if moment.settings is None:
        return
    period = (moment.period_start, moment.period_end)
    rows = settings_rows(moment.settings, as_of=moment.as_of, period=period)
    for table, table_rows in rows.items():
        yield f"create or replace temp table {table} as from {table} limit 0"
        if table_rows:
            yield f"insert into {table} {rows_select(table_rows)}"


def selection_statements(chosen: Selection | None, reads: Reads | None = None) -> Iterator[str]:
    """The SQL that makes the populations, all of them or those of a selection."""
    if chosen is not None and chosen.versions:
        yield (
            "insert into live_versions (subject, model_subject, registry, workspace, model, "
            "version, live_via, certainty) "
            "select subject, any_value(model_subject), any_value(registry), "
            "any_value(workspace), any_value(model), any_value(version), 'candidate', 'certain' "
            f"from model_versions where subject in ({listed(chosen.versions)}) "
            "and subject not in (select subject from live_versions) group by subject"
        )
    for name in population_names():
        if reads is not None and name not in reads.relations:
            continue
        # Prepared again, it must not read the filtered table it replaces.
        yield f"create or replace temp table {name} as {definitions.view_sql(name, as_of=False)}"
        if chosen is not None:
            yield f"create or replace temp table whole_{name} as select subject from {name}"
            yield f"delete from temp.{name} where not coalesce({selection_condition(name, chosen)}, false)"


def population_names() -> tuple[str, ...]:
    """The population tables, `population_<scope>`."""
    return tuple(name for name in definitions.VIEWS if name.startswith("population_"))


def selection_condition(population: str, chosen: Selection) -> str:
    """Which rows of a population a selection keeps."""
    models, versions = listed(chosen.models), listed(chosen.versions)
    whole = f"split_part(subject, '/', 1) in ({models})"
    if population == "population_ledger":
        return "false"
    if population == "population_registered_model":
        return f"subject in ({listed(chosen.owners)})"
    # A promotion's subject is that of its version, a plus sign and a number.
    return f"({whole} or split_part(subject, '+', 1) in ({versions}))"
