"""Reads the registry part of a tracking server until two passes agree and nobody changed it.

Each pass reads everything; of the one before only a digest is kept. That what is read stood so all
at once:

With a journal. A change and its journal rows are one transaction. All requests of the last pass lie
between two looks at the ids of the journal's rows, and both found the same ids. So no change was
committed between the looks, whatever the order in which ids were given: the pass shows the registry
as exactly these rows leave it. They are the rows the reading takes in. The second pass is for
changes that no journal saw.

Without one. A row that both passes read, or that neither found at its place, stood the same from its
place in the first pass to its place in the second, unless it was changed and changed back. All these
spans contain the moment between the passes. A row that was there and yet not found slipped past,
because one read before it in the same pass vanished. In the first pass: then that one is missing in
the second. In the second: then the first pass read the row, or it was made only after the first was
at its place. That last case is left: for versions their numbers and their models' latest ones tell,
for a model without versions nothing does. Under `cannot_show` a reading names both cases.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import msgspec

from auditreg.sources.interface import Progress, silent
from auditreg.sources.part import Part
from auditreg.sources.server.client import NotAllowed, NotThere, Refused, Server
from auditreg.sources.server.strict_json import dicts_in

TABLES = (
    "registered_models",
    "registered_model_tags",
    "model_versions",
    "model_version_tags",
    "aliases",
)
GAPS_REQUESTED = 20_000
"""Numbers without a version that are asked for one by one: search hides the untagged versions of a
prompt, and a gap is the only trace they leave."""

MAX_PASSES = 4
_PROMPTS = "tags.`mlflow.prompt.is_prompt` = 'true'"
_SHOWN = 5

Row = dict[str, Any]
ModelKey = tuple[str | None, str]
VersionKey = tuple[str | None, str, int]


@dataclass
class RegistryScan:
    """What one pass found: models by (workspace, name), versions by (workspace, name, number).

    `odd` are versions without a name or a proper number. `repeated` counts the rows that one listing gave
    more than once, which happens when it shifts while its pages are read.
    """

    models: dict[ModelKey, Row] = field(default_factory=dict)
    versions: dict[VersionKey, Row] = field(default_factory=dict)
    odd: list[tuple[tuple[Any, ...], Row]] = field(default_factory=list)
    repeated: int = 0
    doubts: list[str] = field(default_factory=list)

    def rows(self, table: str) -> Iterator[Row]:
        """Rows of a staging table; those of versions also say in `_workspace` where to ask."""
        if table == "registered_models":
            for key, model in self.models.items():
                yield {
                    **_key_columns(key),
                    "creation_time": model.get("creation_timestamp"),
                    "last_updated_time": model.get("last_updated_timestamp"),
                    "description": model.get("description"),
                }
        elif table == "registered_model_tags":
            yield from self._children(self.models.items(), "tags", "key", "value")
        elif table == "aliases":
            yield from self._children(self.models.items(), "aliases", "alias", "version")
        elif table == "model_version_tags":
            yield from self._children(self.numbered(), "tags", "key", "value")
        else:
            for key, version in self.numbered():
                yield _version_row(key, version)

    def numbered(self) -> Iterator[tuple[tuple[Any, ...], Row]]:
        """All versions with their keys; the number is None where there is no proper one."""
        yield from self.versions.items()
        for key, version in self.odd:
            yield (*key, None), version

    def _children(
        self, holders: Iterable[tuple[Any, Row]], items: str, *names: str
    ) -> Iterator[Row]:
        for key, holder in holders:
            for child in dicts_in(holder.get(items)):
                yield {**_key_columns(key), **{name: child.get(name) for name in names}}

    def digest_and_counts(self) -> tuple[int, dict[str, int]]:
        """A digest of all rows, whatever their order, and how many each table has."""
        total, counts = 0, {}
        encode = msgspec.json.Encoder(order="sorted").encode
        for table in TABLES:
            count = 0
            for row in self.rows(table):
                try:
                    raw = encode(row)
                except UnicodeEncodeError:  # half a character, which is no JSON
                    raw = repr(sorted(row.items())).encode()
                digest = hashlib.blake2b(raw, digest_size=16, key=table.encode()).digest()
                total += int.from_bytes(digest)
                count += 1
            counts[table] = count
        return total % 2**128, counts


@dataclass
class RegistryState:
    """The pass that counts, and how it came about.

    `counts_before` is how many rows of each table the pass before it found, if there was one: over REST
    there is no other count. `workspaces` are those that could be read. Of a `part`, only what is named
    was read.
    """

    last: RegistryScan
    digest: int
    counts_before: dict[str, int]
    workspaces: tuple[str | None, ...]
    passes: int
    doubts: tuple[str, ...] = ()
    gaps: int = 0
    part: Part | None = None

    def rows(self, table: str) -> Iterator[Row]:
        """See `RegistryScan.rows`."""
        return self.last.rows(table)

    def selected_versions(self) -> Iterator[Row]:
        """The versions whose runs, logged models and files are read: all, or those of the part."""
        for row in self.rows("model_versions"):
            if self.part is None or (row["model"], row["version"]) in self.part.versions:
                yield row


class RegistryScanner:
    """Reads a server's registry.

    Args:
        server: the tracking server.
        workspaces: those to read.
        pool: asks several things at once.
        progress: is called with each pass.
    """

    def __init__(
        self,
        server: Server,
        workspaces: tuple[str | None, ...],
        pool: Executor,
        progress: Progress | None,
    ) -> None:
        self._server = server
        self._workspaces = workspaces
        self._pool = pool
        self._progress = progress or silent
        self._denied: dict[str | None, NotAllowed] = {}

    def read_until_stable(self, journal_unchanged: Callable[[], bool]) -> RegistryState:
        """Read until two passes agree; the module's docstring says what that proves.

        Args:
            journal_unchanged: whether the journal is as it was when last asked; it is asked after
                each pass, and was asked before the first.

        Raises:
            SourceError: the server cannot be reached, refuses, or is not MLflow.
        """
        scan = self._scan()
        digest, counts = scan.digest_and_counts()
        unrepeated, unchanged, agree, passes = not scan.repeated, journal_unchanged(), False, 1
        counts_before: dict[str, int] = {}
        doubts: list[str] = []
        while passes < MAX_PASSES:
            self._progress("registry", passes, None)
            digest_before, counts_before, unrepeated_before = digest, counts, unrepeated
            # Let go of these rows first: those of one pass at a time are in memory.
            scan = RegistryScan()
            scan = self._scan()
            digest, counts = scan.digest_and_counts()
            # A listing that repeats rows shifted under its pages, and may have skipped others: two
            # such passes can agree and both be wrong.
            agree, unrepeated = digest == digest_before, not scan.repeated
            unchanged = journal_unchanged()
            passes += 1
            if agree and unchanged and unrepeated and unrepeated_before:
                break
        else:
            doubts += _unstable(agree, unchanged, scan.repeated)
        # Only now: a request for each gap would make every pass slow, and a version that search hides
        # is hidden from all of them alike.
        gaps = self._ask_gaps(scan)
        doubts += scan.doubts
        doubts += [
            f"workspace {workspace}: this user may not read it" for workspace in self._denied
        ]
        return RegistryState(
            scan, digest, counts_before, self._readable(), passes, tuple(doubts), gaps
        )

    def is_unchanged(self, registry: RegistryState) -> bool:
        """Whether one more pass finds what the last one did. Raises as `read_until_stable`."""
        self._progress("registry", registry.passes, None)
        return self._scan().digest_and_counts()[0] == registry.digest

    def _readable(self) -> tuple[str | None, ...]:
        return tuple(workspace for workspace in self._workspaces if workspace not in self._denied)

    def _scan(self) -> RegistryScan:
        """Everything: without a filter, then prompts, which newer servers leave out of that."""
        listings = [
            (workspace, items, filtered)
            for workspace in self._readable()
            for items in ("registered_models", "model_versions")
            for filtered in ("", _PROMPTS)
        ]
        scan = RegistryScan()
        listed = self._pool.map(lambda listing: self._list(*listing), listings)
        for (workspace, items, _), rows in zip(listings, listed, strict=True):
            if isinstance(rows, NotAllowed):
                self._denied[workspace] = rows
            elif items == "registered_models":
                _add_models(scan, workspace, rows)
            else:
                add_versions(scan, workspace, rows)
        if not self._readable():
            raise next(iter(self._denied.values()))
        self._add_unlisted_models(scan)
        self._add_unlisted_versions(scan)
        return scan

    def _list(self, workspace: str | None, items: str, filtered: str) -> list[Row] | NotAllowed:
        """All rows of one listing; why not, where this user may not read the workspace."""
        models = items == "registered_models"
        path = "/registered-models/search" if models else "/model-versions/search"
        query: Row = {
            "max_results": 1_000 if models else 10_000,
            "order_by": ["name ASC"] if models else ["name ASC", "version_number ASC"],
        }
        if filtered:
            query["filter"] = filtered
        rows: list[Row] = []
        try:
            for page in self._server.pages(path, query, items, workspace):
                rows += page
        except NotAllowed as denied:
            if workspace is None or denied.status == 401:
                raise
            return denied
        except Refused as refused:
            # A server too old to filter by tag is too old for prompts.
            if not (filtered and refused.bad_value):
                raise
        return rows

    def _add_unlisted_models(self, scan: RegistryScan) -> None:
        unlisted = sorted(
            {key[:2] for key in scan.versions} - scan.models.keys(), key=lambda key: key[1]
        )
        confirmed, hidden = [], []
        for key, answer in zip(unlisted, self._pool.map(self._model, unlisted), strict=True):
            if isinstance(answer, NotAllowed):
                hidden.append(key[1])
            elif answer is not None:  # else deleted meanwhile; the next pass sees neither
                scan.models[key] = answer
                confirmed.append(key[1])
        if confirmed:
            scan.doubts.append(
                f"the server's list of models leaves out {len(confirmed)} whose versions it "
                f"shows ({first_names(confirmed)}); there may be others without versions"
            )
        if hidden:
            scan.doubts.append(
                f"{len(hidden)} models whose versions the server shows may not be read by this user "
                f"({first_names(hidden)})"
            )

    def _add_unlisted_versions(self, scan: RegistryScan) -> None:
        """A model's own row names its latest versions: they must be among those searched."""
        unlisted = [
            (*key, number)
            for key, model in scan.models.items()
            for latest in dicts_in(model.get("latest_versions"))
            if (number := number_of(latest)) is not None and (*key, number) not in scan.versions
        ]
        existing = self._add(scan, unlisted)
        if existing:
            scan.doubts.append(
                f"the server's search leaves out {len(existing)} versions its models name "
                f"({first_names(existing)}); there may be others"
            )

    def _ask_gaps(self, scan: RegistryScan) -> int:
        """How many version numbers below a model's highest have no version, after asking for each."""
        numbers: dict[ModelKey, set[int]] = defaultdict(set)
        for workspace, name, number in scan.versions:
            numbers[workspace, name].add(number)
        gaps = sum(max(0, max(present) - len(present)) for present in numbers.values())
        missing = (
            (*key, number)
            for key, present in numbers.items()
            if max(present) > len(present)
            for number in range(1, max(present))
            if number not in present
        )
        requested = list(islice(missing, GAPS_REQUESTED))
        existing = self._add(scan, requested)
        if existing:
            scan.doubts.append(
                f"the server's search leaves out {len(existing)} versions that exist "
                f"({first_names(existing)}); there may be later ones"
            )
        if gaps > len(requested):
            scan.doubts.append(
                f"{gaps} numbers below a model's highest version have no version, and only "
                f"{len(requested)} of them were asked for one by one"
            )
        return gaps - len(existing)

    def _add(self, scan: RegistryScan, keys: list[VersionKey]) -> list[str]:
        """Ask for versions by number and add those that are there; their names."""
        existing, hidden = [], []
        for key, answer in zip(keys, self._pool.map(self._version, keys), strict=True):
            if isinstance(answer, NotAllowed):
                hidden.append(f"{key[1]}/{key[2]}")
            elif answer is not None:
                scan.versions[key] = answer
                existing.append(f"{key[1]}/{key[2]}")
        if hidden:
            scan.doubts.append(
                f"{len(hidden)} version numbers may not be asked for by this user ({first_names(hidden)})"
            )
        return existing

    def _model(self, key: ModelKey) -> Row | NotAllowed | None:
        workspace, name = key
        return self._get("/registered-models/get", {"name": name}, workspace, "registered_model")

    def _version(self, key: VersionKey) -> Row | NotAllowed | None:
        workspace, name, number = key
        query = {"name": name, "version": str(number)}
        return self._get("/model-versions/get", query, workspace, "model_version")

    def _get(
        self, path: str, query: Row, workspace: str | None, item: str
    ) -> Row | NotAllowed | None:
        """What the server has, None where it has no such thing; why not, where this user may not."""
        try:
            row = self._server.get(path, query, workspace).get(item)
        except NotThere:
            return None
        except NotAllowed as denied:
            if denied.status == 401:
                raise
            return denied
        return row if isinstance(row, dict) else None


def _unstable(agree: bool, unchanged: bool, repeated: int) -> Iterator[str]:
    """Why no two passes could be taken for one state."""
    if not agree:
        yield f"the registry changed between each of {MAX_PASSES} passes over it"
    if not unchanged:
        yield f"the journal grew while the registry was read {MAX_PASSES} times"
    if agree and unchanged:
        yield f"the server listed {repeated} rows more than once: it may have left out others"


def _add_models(scan: RegistryScan, workspace: str | None, rows: list[Row]) -> None:
    named = [row for row in rows if isinstance(row.get("name"), str)]
    listed = {(workspace, row["name"]): row for row in named}
    scan.repeated += len(named) - len(listed)
    scan.models.update(listed)
    if len(named) < len(rows):
        scan.doubts.append(f"{len(rows) - len(named)} models in the server's list have no name")


def add_versions(scan: RegistryScan, workspace: str | None, rows: list[Row]) -> None:
    """Keep the rows of one listing of versions."""
    listed: dict[VersionKey, Row] = {}
    odd = []
    for row in rows:
        name, number = row.get("name"), number_of(row)
        if number is not None and isinstance(name, str):
            listed[workspace, name, number] = row
        else:
            odd.append(((workspace, name), row))
    scan.repeated += len(rows) - len(listed) - len(odd)
    scan.versions.update(listed)
    scan.odd += odd


def _key_columns(key: Iterable[Any]) -> Row:
    workspace, name, *number = key
    columns = {"workspace": workspace or "default", "model": name}
    return {**columns, "version": number[0], "_workspace": workspace} if number else columns


def _version_row(key: tuple[Any, ...], version: Row) -> Row:
    kept = ("description", "user_id", "source", "run_id", "run_link", "status_message")
    return {
        **_key_columns(key),
        **{column: version.get(column) for column in kept},
        "creation_time": version.get("creation_timestamp"),
        "last_updated_time": version.get("last_updated_timestamp"),
        "stage": version.get("current_stage"),
        "status": version.get("status"),
    }


def number_of(version: Row) -> int | None:
    """A version's number: positive, of 64 bits."""
    try:
        number = int(version.get("version", ""))
    except (ValueError, TypeError):
        return None
    return number if 0 < number < 2**63 else None


def first_names(names: list[str]) -> str:
    """A few of the names."""
    more = ", …" if len(names) > _SHOWN else ""
    return ", ".join(sorted(names)[:_SHOWN]) + more
