"""Things of a tracking server by their ids: searched for in bulk, and one by one where that fails.

A search answers with a thousand runs at once. What it does not find is asked for by id: that tells
what is gone from what the search left out, and works on every server.
"""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar
from urllib.parse import quote

from auditreg.errors import SourceError
from auditreg.sources.server.client import NotAllowed, NotThere, Refused, Server

PAGE = 1_000
"""Rows of a page, and ids in a filter. SQL Server takes 2,100 values in a query: so many ids and
so many experiments fit."""
_GIVE_UP = 3
"""Failed searches after which a kind is no longer searched for."""
_UNDER_WAY = 4
"""Pages of a thousand runs held at once, whatever the number of threads."""

Row = dict[str, Any]
In = TypeVar("In")
Out = TypeVar("Out")


@dataclass(frozen=True)
class BulkKind:
    """How one kind of thing is asked for.

    `search` is the path of its search, `items` the field that lists what was found, `attribute`
    its id in a filter; only ids that `plain` matches are put into one. `query` is sent besides.
    `by_id` is the path and query for a single id, `item` the field that holds it.
    """

    search: str
    items: str
    attribute: str
    plain: re.Pattern[str]
    query: Mapping[str, Any]
    by_id: Callable[[str], tuple[str, Mapping[str, Any]]]
    item: str


RUN = BulkKind(
    search="/runs/search",
    items="runs",
    attribute="attributes.run_id",
    # Older servers take an id without any letter for one that no run has.
    plain=re.compile(r"(?=.*[a-f])[0-9a-f]{32}"),
    query={"run_view_type": "ALL"},
    by_id=lambda run_id: ("/runs/get", {"run_id": run_id}),
    item="run",
)
LOGGED_MODEL = BulkKind(
    search="/logged-models/search",
    items="models",
    attribute="model_id",
    plain=re.compile(r"m-[0-9a-f]{32}"),
    query={},
    by_id=lambda model_id: (f"/logged-models/{quote(model_id, safe='')}", {}),
    item="model",
)


@dataclass(frozen=True)
class Denied:
    """This user may not read it."""


class Bulk:
    """Fetches things by their ids.

    Args:
        server: the tracking server.
        pool: asks several things at once.
        threads: how many.
    """

    def __init__(self, server: Server, pool: Executor, threads: int) -> None:
        self._server = server
        self._pool = pool
        self._threads = threads
        self._failed: Counter[str] = Counter()

    def fetch(
        self,
        kind: BulkKind,
        ids: Collection[str],
        experiments: Sequence[str],
        workspace: str | None,
    ) -> Iterator[list[tuple[str, Row | Denied | None]]]:
        """(id, what the server has) in portions; None for what it does not have.

        Args:
            kind: what it is.
            ids: their ids, each once.
            experiments: the experiments that are searched.
            workspace: where to ask.

        Raises:
            Refused: the server knows no such things.
            SourceError: it cannot be read.
        """
        plain = [item_id for item_id in ids if kind.plain.fullmatch(item_id)] if experiments else []
        others = set(ids).difference(plain)

        def search(chunk_ids: Sequence[str]) -> dict[str, Row]:
            return self._search(kind, chunk_ids, experiments, workspace)

        chunks = list(portions(plain, PAGE))
        under_way = min(self._threads, _UNDER_WAY)
        for chunk, rows in zip(chunks, ahead(self._pool, search, chunks, under_way), strict=True):
            missing = [item_id for item_id in chunk if item_id not in rows]
            yield [*rows.items(), *self._one_by_one(kind, missing, workspace)]
        for chunk in portions(sorted(others), PAGE):
            yield list(self._one_by_one(kind, chunk, workspace))

    def _search(
        self, kind: BulkKind, ids: Sequence[str], experiments: Sequence[str], workspace: str | None
    ) -> dict[str, Row]:
        """Those the search finds: all, some or none."""
        rows: dict[str, Row] = {}
        names = set(ids)
        quoted = ", ".join(f"'{row_id}'" for row_id in ids)
        query = {
            **kind.query,
            "filter": f"{kind.attribute} IN ({quoted})",
            "max_results": PAGE,
        }
        if self._failed[kind.search] >= _GIVE_UP:
            return rows
        try:
            for chunk in portions(experiments, PAGE):
                body = {**query, "experiment_ids": list(chunk)}
                pages = self._server.pages(kind.search, body, kind.items, workspace, post=True)
                for page in pages:
                    for row in page:
                        row_id = id_of(row)
                        if row_id not in names:
                            return rows  # It does not understand the filter: all would come.
                        rows.setdefault(row_id, row)
                if len(rows) == len(names):
                    break
        except Refused:
            self._failed[kind.search] += _GIVE_UP
        except SourceError:
            # A database may refuse a large query. What else is wrong shows when they are asked for
            # one by one.
            self._failed[kind.search] += 1
        return rows

    def _one_by_one(
        self, kind: BulkKind, ids: Sequence[str], workspace: str | None
    ) -> Iterator[tuple[str, Row | Denied | None]]:
        def get(item_id: str) -> Row | Denied | None:
            path, query = kind.by_id(item_id)
            return or_none(lambda: self._server.get(path, query, workspace).get(kind.item))

        yield from zip(ids, ahead(self._pool, get, ids, self._threads), strict=True)


def id_of(row: Row) -> str:
    """The id of a run or a logged model."""
    info = row.get("info")
    info = info if isinstance(info, dict) else {}
    return str(info.get("run_id") or info.get("run_uuid") or info.get("model_id"))


def or_none(fetch: Callable[[], Row | None]) -> Row | Denied | None:
    """What the server has, or None: nothing there, or an id it says nothing can have."""
    try:
        row = fetch()
    except NotThere:
        return None
    except NotAllowed as denied:
        if denied.status == 401:
            raise
        return Denied()
    except Refused as refused:
        if refused.bad_value:
            return None
        raise
    return row if isinstance(row, dict) else None


def portions(items: Iterable[In], size: int) -> Iterator[list[In]]:
    """The items, so many at a time."""
    remaining = iter(items)
    while portion := list(islice(remaining, size)):
        yield portion


def ahead(
    pool: Executor, work: Callable[[In], Out], items: Iterable[In], most: int
) -> Iterator[Out]:
    """Results in order, with no more than `most` begun before they are wanted."""
    waiting: deque[Any] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) >= most:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()
