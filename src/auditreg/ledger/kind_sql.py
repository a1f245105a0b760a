"""The ledger's SQL that follows from the declared kinds: fingerprints, bodies, state tables.

What a kind's rows are joined with, and how they are identified, stands by hand in `ingest.sql` and
`state.sql`; these fill in the columns.
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
    optional = (column for column in kind.table.columns if column.optional)
    behind = (
        f"case when s.{column.name} = chr(0) || '$unseen' then ':?' else {_part(_json(column))} end"
        for column in optional
    )
    return " || ".join((text, *behind))


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
        optional = [column.name for column in kind.table.columns if column.optional]
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


def hidden(kind_name: str) -> str:
    """Assignments that keep what was known, in `entry`, of the columns a source cannot show."""
    table = BY_NAME[kind_name].table
    return ", ".join(
        f"{c.name} = case when list_contains($hidden, '{table.name}.{c.name}') "
        f"then case when split_part(k.fingerprint, ':', {part}) = '?' then s.{c.name} "
        f"else staged_json(json_extract(l.entry, '$.body.{c.name}')) end else s.{c.name} end"
        for part, c in enumerate((c for c in table.columns if c.optional), 2)
    )


def not_shown(kind_name: str) -> str:
    """Assignments that mark the columns a source cannot show: that is not the same as no value."""
    table = BY_NAME[kind_name].table
    return ", ".join(
        f"{c.name} = case when list_contains($hidden, '{table.name}.{c.name}') "
        f"then chr(0) || '$unseen' else {c.name} end"
        for c in table.columns
        if c.optional
    )


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


def fill(text: str) -> str:
    """`ingest.sql` or one of its blocks with everything that follows from the declarations."""
    for kind in KINDS:
        text = text.replace(f"{{fingerprint of {kind.name}}}", fingerprint(kind))
        if kind.items:
            text = text.replace(f"{{items of {kind.name}}}", items_fingerprint(kind))
        text = text.replace(f"{{hidden of {kind.name}}}", hidden(kind.name))
        text = text.replace(f"{{not shown of {kind.name}}}", not_shown(kind.name))
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
