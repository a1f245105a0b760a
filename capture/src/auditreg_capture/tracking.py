"""What one database transaction has touched so far."""

from __future__ import annotations

from typing import Any, Dict, Iterable, List, NamedTuple, Optional, Set, Tuple

from auditreg_capture.rows import (
    CHILDREN,
    CHUNK,
    TABLES,
    Image,
    Key,
    RegistryTable,
    match,
    read,
    read_with_models,
    registry_tables,
)

Place = Tuple[str, Key]
Change = Tuple[RegistryTable, Optional[Image], Optional[Image]]
INFO = "auditreg_capture"
MODELS, VERSIONS = TABLES[:2]


class Snapshot(NamedTuple):
    """What was touched when a savepoint was set."""

    rows: Dict[Place, Optional[Image]]
    gone: List[Tuple[str, Image]]
    prefixes: Set[Place]


class Transaction:
    """The registry rows a transaction touched, each with its image from before the transaction.

    `rows` is keyed by where a row is now, so a renamed row keeps its first image. A row that the
    transaction inserts has no image.
    """

    def __init__(self) -> None:
        self.rows: Dict[Place, Optional[Image]] = {}
        self.gone: List[Tuple[str, Image]] = []
        self.prefixes: Set[Place] = set()
        self.flushing: List[Tuple[Any, RegistryTable, Key]] = []
        self.created: List[Tuple[Any, RegistryTable]] = []
        self.savepoints: Dict[Any, Snapshot] = {}
        self.engine: Any = None
        self.locked = False
        self.committing = False
        self.lost = 0
        self.lost_error = ""
        self.reported = 0

    def take_over(self, place: Place, image: Optional[Image]) -> None:
        """Remember a row's first image, unless one is known."""
        self.rows.setdefault(place, image)

    def move(self, table: str, old: Key, new: Key) -> None:
        """A row got another key."""
        if old == new or (table, old) not in self.rows:
            return
        image = self.rows.pop((table, old))
        replaced = self.rows.get((table, new))
        if replaced is not None:
            # The row that stood there was deleted earlier in this transaction.
            self.gone.append((table, replaced))
        self.rows[(table, new)] = image

    def move_with_children(self, registry: RegistryTable, old: Key, new: Key) -> None:
        """A row got another key, and the database gave it to the rows that belong to it."""
        if old == new:
            return
        self.move(registry.name, old, new)
        length = registry.prefix
        for child in CHILDREN.get(registry.name, ()):
            below = [key for table, key in self.rows if table == child and key[:length] == old]
            for key in below:
                self.move(child, key, new + key[length:])
            self.prefixes.discard((child, old))
            self.prefixes.add((child, new))

    def snapshot(self) -> Snapshot:
        """What is touched now, to come back to."""
        return Snapshot(dict(self.rows), list(self.gone), set(self.prefixes))

    def restore(self, snapshot: Snapshot) -> None:
        """Forget what was touched since."""
        self.rows = dict(snapshot.rows)
        self.gone = list(snapshot.gone)
        self.prefixes = set(snapshot.prefixes)
        self.flushing, self.created = [], []

    def clear(self) -> None:
        """Begin anew: all that was touched is written down or rolled back."""
        self.rows, self.gone, self.prefixes = {}, [], set()
        self.flushing, self.created = [], []

    def read_before(
        self,
        connection: Any,
        keys_by_table: Dict[str, List[Key]],
        families: Iterable[Tuple[RegistryTable, Key]],
    ) -> None:
        """Read and lock the rows a statement is about to touch, parents first.

        A family is a row of which all that belongs to it is touched too, by a rename or a deletion.
        """
        by_child: Dict[str, List[Tuple[int, Key]]] = {}
        for registry, key in families:
            for child in CHILDREN.get(registry.name, ()):
                by_child.setdefault(child, []).append((registry.prefix, key))
        self._read_versions(connection, keys_by_table.get(VERSIONS, ()))
        for name, registry in registry_tables().items():
            keys = sorted(
                {key for key in keys_by_table.get(name, ()) if (name, key) not in self.rows},
                key=repr,
            )
            if keys:
                images = read(connection, registry, keys, len(registry.key), lock=True)
                for key, image in match(registry, keys, images).items():
                    self.take_over((name, key), image)
            for length in sorted({length for length, _ in by_child.get(name, ())}):
                self._read_family(
                    connection,
                    registry,
                    [key for at, key in by_child[name] if at == length],
                    length,
                )

    def _read_versions(self, connection: Any, places: Iterable[Key]) -> None:
        """Read versions together with their models, if these are not known yet."""
        tables = registry_tables()
        models, versions = tables[MODELS], tables[VERSIONS]
        keys = sorted({key for key in places if (VERSIONS, key) not in self.rows}, key=repr)
        parents = {key[: models.prefix] for key in keys}
        if (
            not keys
            or len(keys) > CHUNK
            or all((MODELS, parent) in self.rows for parent in parents)
        ):
            return
        for registry, images in zip(  # noqa: B905 (Python 3.9)
            (models, versions), read_with_models(connection, keys, lock=True)
        ):
            for image in images:
                self.take_over((registry.name, registry.key_of(image)), image)

    def _read_family(
        self, connection: Any, registry: RegistryTable, keys: List[Key], length: int
    ) -> None:
        keys = sorted(set(keys), key=repr)
        for image in read(connection, registry, keys, length, lock=True):
            self.take_over((registry.name, registry.key_of(image)), image)
        self.prefixes.update((registry.name, key) for key in keys)

    def changes(self, connection: Any) -> List[Change]:
        """Each row that differs from before the transaction, with both images.

        Deleted rows come first, then changed ones, then new ones: replayed in this order no two
        rows ever have one key.
        """
        tables = registry_tables()
        lock = connection.dialect.name in ("mysql", "mariadb")
        compared: List[Change] = [(tables[table], image, None) for table, image in self.gone]
        together = self._read_together(connection, lock)
        for name, registry in tables.items():
            places = [key for table, key in self.rows if table == name]
            if not places:
                continue
            after = together.get(name, {})
            if any(key not in after for key in places):
                after = self._read_after(connection, registry, places, lock)
            compared += [(registry, self.rows[(name, key)], after.get(key)) for key in places]
        changed = [change for change in compared if change[1] != change[2]]
        return sorted(changed, key=lambda change: 0 if change[2] is None else 1 if change[1] else 2)

    def _read_together(self, connection: Any, lock: bool) -> Dict[str, Dict[Key, Optional[Image]]]:
        """Versions and their models as they are now; what is not found here is read by itself."""
        keys = sorted((key for table, key in self.rows if table == VERSIONS), key=repr)
        if not keys or len(keys) > CHUNK or self.prefixes or self.gone:
            return {}
        tables = registry_tables()
        read_both = read_with_models(connection, keys, lock=lock)
        return {
            name: {tables[name].key_of(image): image for image in images}
            for name, images in zip((MODELS, VERSIONS), read_both)  # noqa: B905 (Python 3.9)
        }

    def _read_after(
        self, connection: Any, registry: RegistryTable, keys: List[Key], lock: bool
    ) -> Dict[Key, Optional[Image]]:
        after: Dict[Key, Optional[Image]] = {}
        prefixes = [key for table, key in self.prefixes if table == registry.name]
        for length in sorted({len(prefix) for prefix in prefixes}):
            family = [prefix for prefix in prefixes if len(prefix) == length]
            for image in read(connection, registry, family, length, lock=lock):
                after[registry.key_of(image)] = image
        rest = [
            key
            for key in keys
            if key not in after and not any(key[: len(prefix)] == prefix for prefix in prefixes)
        ]
        if rest:
            rest.sort(key=repr)
            after.update(
                match(
                    registry, rest, read(connection, registry, rest, len(registry.key), lock=lock)
                )
            )
        return after
