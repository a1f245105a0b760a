"""The ledger's SQL that follows from the declared kinds: fingerprints, bodies, state tables.

What a kind's rows are joined with stands by hand in `ingest.sql` and `state.sql`; these fill in the
columns.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterable, Iterator

from auditreg.kinds.changes import ITEMS
from auditreg.kinds.declaration import BOOL, INT, MOMENT, REAL, TEXT, Column, Kind, StagingTable
from auditreg.kinds.registry import KINDS
from auditreg.kinds.staging import TABLES

BY_NAME = {kind.name: kind for kind in KINDS}
"""The declared kinds by their names."""

SUBJECTS = {
    "registered_model": "i.subject",
    "registered_model_tag": "i.subject || ':tag:' || s.key",
    "model_version": "i.subject || '/' || s.version",
    "model_version_tag": "i.subject || '/' || s.version || ':tag:' || s.key",
    "alias": "i.subject || ':alias:' || s.alias",
    "experiment": "'x-' || left(sha256($registry || chr(31) || s.experiment_id), 16)",
    "run": "'r-' || left(sha256($registry || chr(31) || s.run_id), 16)",
    "logged_model": "'l-' || left(sha256($registry || chr(31) || s.model_id), 16)",
    "model_artifact": "i.subject || '/' || s.version || ':artifact'",
    "principal": "'u-' || left(sha256(concat_ws(chr(31), $registry, s.kind, "
    "coalesce(s.workspace, ''), s.principal)), 16)",
    "permission": "'g-' || left(sha256(concat_ws(chr(31), $registry, coalesce(s.workspace, ''), "
    "s.principal_kind, s.principal, s.resource_type, s.resource)), 16)",
}
"""SQL for what a row `s` is called in the ledger; `i` is the model it belongs to, where it has one."""

_DECODED = {TEXT: "VARCHAR", INT: "BIGINT", MOMENT: "BIGINT", REAL: "DOUBLE", BOOL: "BOOLEAN"}


def _printed(column: Column, row: str = "s") -> str:
    """A column as a fingerprint takes it."""
    if column.printed:
        return column.printed.replace("{s}", row)
    return f"{'printed' if column.type == TEXT else 'plain'}({row}.{column.name})"


def _in_fingerprint(table: StagingTable) -> Iterator[str]:
    compared = (column for column in table.columns if column.compared and not column.optional)
    return (_printed(column) for column in compared)


def fingerprint(kind: Kind) -> str:
    """SQL for the fingerprint of a row `s`; with items, `c` has that of all of them."""
    parts = [*_in_fingerprint(kind.table), *(["printed(c.fingerprint)"] if kind.items else [])]
    text = f"sha256(concat_ws(chr(31), {', '.join(parts)}))"
    return " || ".join((text, *map(_behind, kind.table.optional)))


def _behind(column: Column) -> str:
    """SQL for the part of an optional column behind a fingerprint."""
    part = _part(_json(column))
    if column.type != TEXT:
        return part
    return f"case when s.{column.name} = {_UNSEEN} then ':?' else {part} end"


_UNSEEN = "chr(0) || '$unseen'"
"""What stands for a text that a source cannot show, where no other source has shown it."""

_WHOLE, _PART = 64, 16
"""Digits of a fingerprint, and of the hash of an optional column behind it."""


def _part(value: str) -> str:
    """SQL for what follows a fingerprint: the hash of an optional column's JSON text."""
    return f"':' || left(sha256({value}), {_PART})"


def first_form_fingerprints() -> str:
    """SELECT of seq and fingerprint of the entries written before a column was optional.

    They lack its part, which follows from their body.
    """
    selects = []
    for kind in KINDS:
        optional = [column.name for column in kind.table.optional]
        for number in range(len(optional)):
            values = (
                f"coalesce(json_extract(entry, '$.body.{name}')::VARCHAR, 'null')"
                for name in optional[number:]
            )
            parts = " || ".join(
                f"case when source = 'rest' and {value} = 'null' then ':?' else {_part(value)} end"
                for value in values
            )
            selects.append(
                f"select seq, fingerprint || {parts} as fingerprint from ledger.log "
                f"where kind = '{kind.name}' and entry is not null "
                f"and length(fingerprint) = {_WHOLE + number * (_PART + 1)}"
            )
    return " union all ".join(selects)


def hidden() -> str:
    """Statements that put what was last known, or a mark, in the place of what a source cannot show."""
    return ";\n".join(statement for kind in KINDS for statement in _hidden(kind))


def _hidden(kind: Kind) -> Iterator[str]:
    table = kind.table.name
    shown, known = [], []
    for part, column in enumerate(kind.table.optional, 2):
        name = column.name
        if column.type == TEXT:  # only a text can be marked
            is_hidden = f"list_contains($hidden, '{table}.{name}')"
            shown.append(f"{name} = case when {is_hidden} then {_UNSEEN} else {name} end")
            known.append(
                f"{name} = case when {is_hidden} "
                f"and split_part(k.fingerprint, ':', {part}) <> '?' "
                f"then staged_json(json_extract(l.entry, '$.body.{name}')) else s.{name} end"
            )
    if not known:
        return
    subject = SUBJECTS[kind.name]
    of_model = subject.startswith("i.")
    model = "model_id i, " if of_model else ""
    same_model = "i.workspace = s.workspace and i.model = s.model and " if of_model else ""
    yield f"update stage_{table} set {', '.join(shown)} where len($hidden) > 0"
    yield (
        f"update stage_{table} s set {', '.join(known)} "
        f"from {model}known k join ledger.log l on l.seq = k.seq "
        f"where {same_model}k.subject = {subject} and k.op = 'put' and len($hidden) > 0"
    )


def same_parts() -> str:
    """SQL: whether the parts behind two fingerprints `a` and `b` may be of one state; `?` is any."""
    most = max(len(kind.table.optional) for kind in KINDS)
    numbers = range(2, most + 2)
    # DuckDB 2.0 cannot plan a comparison of split_part() with a constant where this stands.
    parts = ((f"string_split({side}, ':')[{number}]" for side in "ab") for number in numbers)
    same = (
        f"({a} is not distinct from {b} or {a} is not distinct from '?' "
        f"or {b} is not distinct from '?')"
        for a, b in parts
    )
    return " and ".join(same) or "true"


def items_fingerprint(kind: Kind) -> str:
    """SELECT of the fingerprint, and the secrets, of all items of each row that has any."""
    lists = []
    for place, name in enumerate(kind.in_fingerprint, 1):
        table = kind.list_of(name)
        item = f"concat_ws(chr(31), {', '.join(_in_fingerprint(table))})"
        secret = " || ' ' || ".join(
            f"secret_of(s.{column.name})"
            for column in table.columns
            if column.credential == "value"
        )
        secrets = (
            f"array_to_string(list_sort(list({secret}) filter (where {secret} is not null)), ' ')"
            if secret
            else "null"
        )
        lists.append(
            f"select s.{table.parent.name}, {place} as place, "
            f"sha256(array_to_string(list_sort(list({item})), chr(30))) as fingerprint, "
            f"{secrets} as secrets from stage_{table.name} s group by s.{table.parent.name}"
        )
    parent = kind.items[0].parent.name
    return (
        f"select {parent}, sha256(string_agg(fingerprint, '' order by place)) as fingerprint, "
        "string_agg(secrets, ' ' order by place) as secrets "
        f"from ({' union all '.join(lists)}) group by {parent}"
    )


def _json(column: Column) -> str:
    """SQL for a column's value as JSON text, never NULL."""
    value = f"s.{column.name}"
    if column.type == TEXT:
        return f"encoded({value})"
    return f"number_json({value})" if column.type == REAL else f"coalesce({value}::VARCHAR, 'null')"


def _members(columns: Iterable[Column]) -> str:
    """Arguments of `concat` for the members of a JSON object, without its braces."""
    return ", ".join(
        f"""'{"," if place else ""}"{column.name}":', {_json(column)}"""
        for place, column in enumerate(columns)
    )


@functools.cache
def body(kind_name: str) -> str:
    """SELECT of seq and body, as JSON text, of the states of a kind in `todo`.

    `todo` has seq, item, and place: the row of the staging table. One `concat` for a text: a chain
    of || copies it at every step. No part may be NULL, which `concat` would leave out.
    """
    kind = BY_NAME[kind_name]
    lists, joins, texts = [], [], []
    for name in kind.in_body:
        table = kind.list_of(name)
        parent = table.parent.name
        lists.append(
            f"{name} as (select s.{parent}, array_to_string(list_sort(list(concat('{{', "
            f"{_members(table.body)}, '}}'))), ',') as items from stage_{table.name} s "
            f"where s.{parent} in (select item from todo) group by s.{parent})"
        )
        joins.append(f"left join {name} on {name}.{parent} = t.item")
        texts.append(f""", ',"{name}":[', coalesce({name}.items, ''), ']'""")
    return (
        (f"with {', '.join(lists)} " if lists else "")
        + f"select t.seq, concat('{{', {_members(kind.table.body)}{''.join(texts)}, '}}') as body "
        f"from todo t join stage_{kind.table.name} s on s.rowid = t.place {' '.join(joins)}"
    )


@functools.cache
def structure(kind_name: str) -> dict[str, object]:
    """What a body of a kind holds, as `from_json` takes it."""
    kind = BY_NAME[kind_name]
    members: dict[str, object] = {c.name: _DECODED[c.type] for c in kind.table.body}
    for name in kind.in_body:
        members[name] = [{c.name: _DECODED[c.type] for c in kind.list_of(name).body}]
    return members


def journal_structure(kinds: Iterable[str]) -> str:
    """What one side of a row of the server's journal may hold, as `from_json` takes it."""
    members = {
        column.mlflow or column.name: _DECODED[column.type]
        for kind in kinds
        for column in BY_NAME[kind].table.columns
    }
    return json.dumps(members, separators=(",", ":"))


def _image(column: Column) -> str:
    """A column of a row of the journal as sources stage it."""
    value = f"content.{column.mlflow or column.name}"
    if column.type == TEXT:
        value = f"staged({value})"
    if column.empty_is_null:
        value = f"nullif({value}, '')"
    if column.zero_is_null:
        value = f"nullif({value}, 0)"
    return f"{value} as {column.name}"


def image_columns(kind_name: str) -> str:
    """The columns of a kind, taken from one side of a row of the journal."""
    columns = BY_NAME[kind_name].table.columns
    return ", ".join(_image(c) for c in columns if c.name not in ("workspace", "model"))


def _staged_value(column: Column) -> str:
    """What decoding a body gives back for a staged value."""
    value = f"s.{column.name}"
    return f"'{column.name}': " + (f"decoded_text({value})" if column.type == TEXT else value)


@functools.cache
def staged(table_name: str) -> str:
    """What stands for `{decoded}` in `state.sql` when the entries of a table were staged just before.

    `{rows}` are the entries: what `decoded` takes, without entry, and besides item and place.
    """
    kind = next(kind for kind in KINDS if table_name in (kind.table.name, *_items(kind)))
    if table_name == kind.table.name:
        values = ", ".join(map(_staged_value, kind.table.body))
        return (
            f"(select r.* exclude (item, place), {{{values}}} as body "
            f"from {{rows}} r join stage_{table_name} s on s.rowid = r.place)"
        )
    table = TABLES[table_name]
    values = ", ".join(map(_staged_value, table.body))
    parent = table.parent.name
    return (
        f"(select r.* exclude (item, place), {{'{parent}': decoded_text(r.item), "
        f"'{table.items}': [{{{values}}}]}} as body "
        f"from stage_{table_name} s join {{rows}} r on r.item = s.{parent})"
    )


def _items(kind: Kind) -> tuple[str, ...]:
    return tuple(table.name for table in kind.items)


def _shown(column: Column, of: str) -> str:
    value = f"{of}.{column.name}"
    value = f"ledger.moment({value})" if column.type == MOMENT else value
    return f"{value} as {column.title}"


def plain_columns(table_name: str, text: str) -> str:
    """The SELECT of a state table with its plain columns in place.

    `{columns until NAME}` are those up to one of them, `{columns}` those that are left.
    """
    table = TABLES[table_name]
    left = list(table.shown)
    of = "item" if table.items else "body"

    def fill(match: re.Match[str]) -> str:
        nonlocal left
        number = next((n for n, c in enumerate(left, 1) if c.name == match[1]), len(left))
        taken, left = left[:number], left[number:]
        return ", ".join(_shown(column, of) for column in taken)

    return re.sub(r"\{columns(?: until (\w+))?\}", fill, text)


def carried(source: str) -> str:
    """Assignments of what stays known of model files while nobody can look at them."""
    columns = BY_NAME["model_artifact"].table.columns
    return ", ".join(f"{c.name} = {source}.{c.name}" for c in columns if c.carried)


_KNOWN_MODELS = """create or replace temp table known_model as
select distinct subject, workspace, model,
       nullif(created_at, timestamp '1970-01-01') as created_at -- before 0 was no time
from ledger.log
where kind = 'registered_model' and registry = $registry and entry is not null"""

# Known by workspace, name and creation time; else by creation time alone, where that names one model that
# is no longer where it was: it was moved to another workspace under its name, renamed, or both.
_IDENTIFIED = """exact as (
    select n.workspace, n.model, n.created_at, min(k.subject) as subject
    from {names} n left join known_model k
      on k.workspace = n.workspace and k.model = n.model
     and k.created_at is not distinct from n.created_at
    group by n.workspace, n.model, n.created_at
),
candidate as (
    select e.workspace, e.model, e.created_at, k.subject,
           min(case when k.model = e.model then 1 when k.workspace = e.workspace then 2 else 3 end)
               as distance
    from exact e join known_model k on k.created_at = e.created_at
    where e.subject is null
      and k.subject not in (select subject from {unmoved} where subject is not null)
    group by e.workspace, e.model, e.created_at, k.subject
),
nearest as (
    select workspace, model, created_at, any_value(subject) as subject
    from (select * from candidate
          qualify distance = min(distance) over (partition by workspace, model, created_at))
    group by workspace, model, created_at
    having count(*) = 1
),
identified as (
    select e.workspace, e.model, e.created_at, coalesce(e.subject, n.subject) as subject
    from exact e
    left join (select * from nearest
               qualify count(*) over (partition by subject) = 1) n
      on n.workspace = e.workspace and n.model = e.model and n.created_at = e.created_at
)"""


def identified(text: str) -> str:
    """A text with the SQL that finds known models again, `identified`, by names and creation times.

    `{models of NAMES without UNMOVED}`: the subjects in UNMOVED are none that was renamed or moved; where
    it is left out, those of the names themselves.
    """
    return re.sub(
        r"\{models of (\w+)(?: without (\w+))?\}",
        lambda match: _IDENTIFIED.format(names=match[1], unmoved=match[2] or "exact"),
        text.replace("{known models}", _KNOWN_MODELS),
    )


def fill(text: str) -> str:
    """`ingest.sql` or one of its blocks with everything that follows from the declarations."""
    for kind in KINDS:
        text = text.replace(f"{{fingerprint of {kind.name}}}", fingerprint(kind))
        if kind.items:
            text = text.replace(f"{{items of {kind.name}}}", items_fingerprint(kind))
        text = text.replace(f"{{subject of {kind.name}}}", SUBJECTS[kind.name])
    text = text.replace("{hidden}", hidden()).replace("{same parts}", same_parts())
    text = identified(text)
    return re.sub(r"\{carried from (\w+)\}", lambda match: carried(match[1]), text)


def change_items() -> str:
    """VALUES of kind, name and place in an entry of everything that can change."""
    return ", ".join(f"('{item.kind}', '{item.name}', '{item.path}')" for item in ITEMS)


def meanings() -> dict[str, dict[str, str]]:
    """State table to column to meaning, as far as they are declared; `""` is the table itself."""
    return {
        name: {"": table.meaning}
        | {column.title: column.meaning for column in table.columns if column.meaning}
        for name, table in TABLES.items()
    }
