"""What names mean in the registry of a database: see `auditreg.sources.part`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from auditreg.sources.interface import INT, TEXT
from auditreg.sources.part import MODEL_VERSIONS, Lookup, versions_of_tag
from auditreg.sources.staging import clean_text

if TYPE_CHECKING:
    from auditreg.sources.database.store import Store


class StoredNames(Lookup):
    """Looks names up in the snapshot of a registry."""

    def __init__(self, registry: Store) -> None:
        self._store = registry
        self._database, self._queries = registry.database, registry.queries
        self.location = registry.database.location

    def present(self, models: Sequence[str]) -> set[str]:
        """See `Lookup.present`."""
        among = self._queries.named("m", models)
        select = f"select m.name as t from registered_models m where {among}"
        return set(self._database.texts(select))

    def every_model(self) -> list[str]:
        """See `Lookup.every_model`."""
        return self._database.texts("select m.name as t from registered_models m")

    def registered_from(self, logged_model: str) -> list[tuple[str, int]]:
        """See `Lookup.registered_from`."""
        queries = self._queries
        from_it = (
            f"{queries.among('b.source', [f'models:/{logged_model}'])} and {queries.live('b')}"
        )
        columns = {"name": TEXT, "version": INT}
        versions = list(self._rows("model_versions", columns, from_it))
        if self._store.shows("logged_model_tags"):
            value = self._database.value("g.tag_value", TEXT)
            tags = self._database.texts(
                f"select {value} as t from logged_model_tags g where g.tag_key = '{MODEL_VERSIONS}' "
                f"and {queries.among('g.model_id', [logged_model])}"
            )
            versions += [version for tag in tags for version in versions_of_tag(tag)]
        return list(dict.fromkeys(versions))

    def versions(self, models: Sequence[str]) -> Iterator[tuple[str, int, str]]:
        """See `Lookup.versions`."""
        columns = {"name": TEXT, "version": INT, "current_stage": TEXT}
        where = f"{self._queries.named('b', models)} and {self._queries.live('b')}"
        for model, number, stage in self._rows("model_versions", columns, where):
            yield model, number, stage or "None"

    def aliases(self, models: Sequence[str]) -> Iterable[tuple[str, str, int]]:
        """See `Lookup.aliases`."""
        if not self._queries.shown("aliases"):
            return ()
        columns = {"name": TEXT, "alias": TEXT, "version": INT}
        return self._rows("registered_model_aliases", columns, self._queries.named("b", models))

    def _rows(
        self, table: str, columns: Mapping[str, str], where: str
    ) -> Iterator[tuple[Any, ...]]:
        """The rows of a table, alias `b`, for which a condition holds; not those without a number."""
        database = self._database
        parts = [
            f'{database.value(f"b.{column}", kind)} as "{column}"'
            for column, kind in columns.items()
        ]
        select = f"select {', '.join(parts)} from {table} b where {where}"
        place = list(columns).index("version")
        for batch in database.stream(select, dict(columns), 4096):
            texts = (
                clean_text(c) if k == TEXT else c
                for c, k in zip(batch.columns, columns.values(), strict=True)
            )
            rows = zip(*(column.to_pylist() for column in texts), strict=True)
            yield from (row for row in rows if row[place] is not None)
