"""How a kind of registry row is declared: its tables, their columns, what counts as a change."""

from __future__ import annotations

from dataclasses import dataclass

TEXT, INT, REAL, BOOL = "string", "int64", "float64", "bool"
MOMENT = "moment"
"""A time: staged and kept as milliseconds since the epoch, UTC; shown as a timestamp."""

BODY, HEADER, PARENT, STAGED = "body", "header", "parent", "staged"


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a registry row.

    Attributes:
        name: its name in the staging table and in the entry's body.
        type: `TEXT`, `INT`, `REAL`, `BOOL` or `MOMENT`.
        meaning: for the dictionary; empty where `_shared` of `dictionary.toml` says it.
        shown: its name in the state table, where that is another one.
        place: `BODY`: in the entry's body and the state table. `HEADER`: among the columns of the
            log. `PARENT`: says which row an item belongs to. `STAGED`: only read, not kept.
        identity: a row cannot do without it.
        compared: whether another value is a change of the row, which makes a new entry.
        optional: not every source shows it, or entries were written before it was declared. It is
            compared where it is shown; what a source cannot show stays what was known. Its hash, or
            `?` where no source showed it, follows the fingerprint of the other columns. Only a text
            can be hidden by a source: a number has no value that could mark it.
        printed: SQL for the fingerprint instead of the column's own; `{s}` is the staged row.
        empty_is_null: the empty text is no value: MLflow's REST API does not tell the two apart.
        zero_is_null: 0 is no value, for the same reason.
        credential: `value`: a credential as a whole, where it or its key looks like one. `inside`: a text
            or address that may hold one.
        carried: what was read of it stays known while the files cannot be looked at.
        mlflow: its name in MLflow's table and in the server's journal, where that is another one.
        item: what `changes` calls a change of it; empty where it is none that is listed.
    """

    name: str
    type: str = TEXT
    meaning: str = ""
    shown: str = ""
    place: str = BODY
    identity: bool = False
    compared: bool = True
    optional: bool = False
    printed: str = ""
    empty_is_null: bool = False
    zero_is_null: bool = False
    credential: str = ""
    carried: bool = False
    mlflow: str = ""
    item: str = ""

    @property
    def staged_type(self) -> str:
        """Its type in the staging table."""
        return INT if self.type == MOMENT else self.type

    @property
    def title(self) -> str:
        """Its name in the state table."""
        return self.shown or self.name


@dataclass(frozen=True, slots=True)
class StagingTable:
    """The rows of a kind, or items that belong to them (`items` names their list in the body).

    Staging table and state table have this name. Columns of the state table that `shown_first` names
    stand before the others, which keep their order.
    """

    name: str
    meaning: str
    columns: tuple[Column, ...]
    items: str = ""
    shown_first: tuple[str, ...] = ()

    @property
    def body(self) -> tuple[Column, ...]:
        """The columns an entry keeps in its body."""
        return tuple(column for column in self.columns if column.place == BODY)

    @property
    def optional(self) -> tuple[Column, ...]:
        """The columns whose hashes stand behind the fingerprint of the others."""
        return tuple(column for column in self.columns if column.optional)

    @property
    def parent(self) -> Column:
        """The column that says which row an item belongs to."""
        return next(column for column in self.columns if column.place == PARENT)

    @property
    def shown(self) -> tuple[Column, ...]:
        """The columns of the state table that are copied from the body, in its order."""
        by_name = {column.name: column for column in self.body}
        first = [by_name[name] for name in self.shown_first]
        return (*first, *(column for column in self.body if column not in first))


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of ledger entry: a row of a registry with the items that belong to it.

    `in_body` and `in_fingerprint` name the lists of items in their order there. `existence` is what
    `changes` calls it that a row came or went; `filter` chooses all changes of the kind, where they are
    not chosen column by column.
    """

    name: str
    table: StagingTable
    items: tuple[StagingTable, ...] = ()
    in_body: tuple[str, ...] = ()
    in_fingerprint: tuple[str, ...] = ()
    existence: str = ""
    filter: str = ""

    def list_of(self, name: str) -> StagingTable:
        """The items that stand in the body under a name."""
        return next(table for table in self.items if table.items == name)
