"""A registry with the files of its versions, read as extractions read them, for the tests of what is known of files."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from auditreg.ledger.policies import Policy
from auditreg.sources.artifacts.local import FileListing, sums
from tests.ledger.book import Book
from tests.ledger.reading import MemoryReading, Registry, moment, together

Content = dict[str, bytes]
"""The files of a version: path to content."""


def digest(content: bytes) -> str:
    """SHA-256 of a file."""
    return hashlib.sha256(content).hexdigest()


class Shelf:
    """A registry, and the files of its versions by (model, version).

    A version that is not live is read only where its folder shows a change: see `touch`.
    """

    def __init__(self, book: Book) -> None:
        self.book, self.registry = book, Registry()
        self.policies: tuple[Policy, ...] = ()
        self.files: dict[tuple[str, int], Content] = {}
        self.lost: dict[tuple[str, int], str] = {}
        self.incomplete: set[tuple[str, int]] = set()
        self._touched: dict[tuple[str, int], int] = {}
        self._known: dict[tuple[str, int], str] = {}

    def put(self, model: str, number: int, **files: bytes) -> None:
        """Write files of a version; `_` in a name stands for a dot."""
        folder = self.files.setdefault(
            (model, number), {"MLmodel": b"flavors: {}", "model.pkl": b"abc"}
        )
        folder |= {name.replace("_", "."): content for name, content in files.items()}

    def touch(self, model: str, number: int) -> None:
        """Let the folder show that something changed in it."""
        key = (model, number)
        self._touched[key] = self._touched.get(key, 0) + 1

    def is_live(self, model: str, number: int) -> bool:
        """Whether a reading takes the version for live."""
        content = self.registry.models[model]
        stage = content.versions[number].stage
        return number in content.aliases.values() or stage in ("Staging", "Production")

    def read(self, *, artifacts: str = "all", manifest: str = "local", **options: Any) -> datetime:
        """Take a reading of now in; its moment."""
        at = moment(self.registry.wait(60_000))
        rows = [
            self._row(key, artifacts=artifacts, manifest=manifest)
            for key in self.files
            if artifacts != "none"
        ]
        asked = {"artifacts": artifacts, "manifest": manifest, "hashed up to": "1000"}
        content = together(self.registry.rows(), {"model_artifacts": rows})
        reading = MemoryReading(content, self.registry.clock, asked=asked, **options)
        self.book.take(reading, observed_at=at, policies=self.policies)
        return at

    def _row(self, key: tuple[str, int], *, artifacts: str, manifest: str) -> Mapping[str, Any]:
        row = {"workspace": "default", "model": key[0], "version": key[1], "location": f"/{key}"}
        live = self.is_live(*key)
        if artifacts == "live" and not live:
            return {**row, "state": "not_looked_at"}
        if key in self.lost:
            return {**row, "state": self.lost[key], "problem": "lost"}
        files = self.files[key]
        large = sum(map(len, files.values())) > 1000
        hashed = manifest == "all" or (
            live and manifest != "none" and not (manifest == "local" and large)
        )
        marker = f"{digest(files['MLmodel'])}{self._touched.get(key)}" + "+sha256" * hashed
        if not live and self._known.get(key) in (marker, marker + "+sha256"):
            return {**row, "state": "unchanged"}
        self._known[key] = marker
        notes = ["more"] if key in self.incomplete else []
        listed = [
            {"path": path, "size": len(content)} | ({"sha256": digest(content)} if hashed else {})
            for path, content in files.items()
        ]
        return {
            **row,
            **sums(FileListing(listed, notes)),
            "state": "read",
            "mlmodel_sha256": digest(files["MLmodel"]),
            "marker": marker,
        }

    def changes(self, columns: str, where: str = "true") -> list[tuple[Any, ...]]:
        """Columns of `file_changes`, in order of time."""
        return self.book.rows(
            f"select {columns} from file_changes where {where} order by seq, files"
        )
