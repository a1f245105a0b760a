"""The journal of `auditreg-capture`, read through the server that writes it.

The server is not believed: rows have to be those asked for, in ascending id; what is not becomes
a doubt, and no answer can keep the reading going for ever.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from auditreg.errors import SourceError
from auditreg.sources.capture_journal import WITHOUT, Range, holes, joined, limits, valid_id
from auditreg.sources.interface import JOURNAL, NOT_READ, STAGING, TEXT
from auditreg.sources.server.client import JOURNAL as PATH
from auditreg.sources.server.client import NotAllowed, NotThere, Refused, Server
from auditreg.sources.staging import integer

NONE_THERE = "the server's journal: this server offers none"
NO_ADMINISTRATOR = "the server's journal: the server does not take this user for an administrator"

_PAGE = 1_000
"""Rows asked for at a time."""
_RANGES_PER_REQUEST = 100
"""Ranges in one request: an address may not become too long."""
_MAX_PAGES = 100_000
_FIRST_ROWS = 50
"""Rows at the journal's beginning among which its first start is looked for."""
_TEXTS = tuple(name for name, kind in STAGING[JOURNAL].items() if kind == TEXT)


class _Malformed(Exception):
    """An answer that is not what was asked for; the text says how."""


@dataclass(frozen=True)
class State:
    """Which rows the journal held at one moment.

    `ranges` is None where the server says no more than the `last` id.
    """

    journal: str
    last: int
    ranges: tuple[Range, ...] | None
    now: int

    def __post_init__(self) -> None:
        if self.ranges and self.ranges[-1][1] != self.last:
            raise _Malformed("its last id is not the end of its ranges")


class ServedJournal:
    """The journal a server shows, and whether it stands still while the registry is read.

    `id` is None where the server shows none, or it is not wanted: `cannot_show` says why, or `doubts`
    what was wrong.

    Args:
        server: the tracking server.
        clock: this machine's time in milliseconds since the epoch.
        wanted: whether it is read at all.
    """

    def __init__(self, server: Server, clock: Callable[[], int], *, wanted: bool = True) -> None:
        self._server = server
        self._sealed: list[Range] = []
        self._state: State | None = None
        self.doubts: list[str] = []
        self.clock_offset_ms: int | None = None
        self.cannot_show: tuple[str, ...] = (WITHOUT,)
        self.requested_at = clock()
        if not wanted:
            self.cannot_show = (NOT_READ.format("the server's journal"),)
            return
        try:
            self._state = self._ask_state()
        except NotAllowed:
            self.cannot_show += (NO_ADMINISTRATOR,)
            return
        except (NotThere, Refused):
            # Not looked for elsewhere on this host: another registry's journal would be taken for this one's.
            self.cannot_show += (f"{NONE_THERE} at {server.location}{PATH}",)
            return
        except (SourceError, _Malformed) as error:
            self._doubt(error)
            return
        self.clock_offset_ms = self._state.now - (self.requested_at + clock()) // 2
        self.cannot_show = (limits(self._first_start()),)

    @property
    def id(self) -> str | None:
        """Which journal it is."""
        return self._state.journal if self._state is not None else None

    @property
    def exact(self) -> bool:
        """Whether `is_unchanged` notices every row that is added.

        Ids are given before a commit, so a row may come in below the last id: only the ids of all
        rows show it.
        """
        return self._state is not None and self._state.ranges is not None

    def is_unchanged(self) -> bool:
        """Whether nothing was added since the last time; true where there is no journal."""
        if self._state is None:
            return True
        before = self._state
        try:
            self._state = self._ask_state()
        except (SourceError, _Malformed) as error:
            self._state = None
            self.cannot_show = (WITHOUT,)
            self._doubt(error)
            return True
        after = self._state
        return (before.journal, before.last, before.ranges) == (
            after.journal,
            after.last,
            after.ranges,
        )

    def skip(self, sealed: Sequence[Range]) -> None:
        """Leave these ids out of `rows`."""
        self._sealed = joined(sealed)

    def rows(self) -> Iterator[dict[str, Any]]:
        """The rows that are not skipped, up to where the journal ended, in ascending id."""
        yield from self._rows(self._sealed)

    def expected(self) -> int | None:
        """How many rows the server says `rows` has, where it says so."""
        if self._state is None or self._state.ranges is None:
            return None
        return sum(last - first + 1 for first, last in self._to_ask_for(self._sealed))

    def ranges(self) -> list[Range]:
        """See `Reading.journal_ranges`. Costs a whole reading where the server does not say."""
        if self._state is None:
            return []
        if self._state.ranges is not None:
            return list(self._state.ranges)
        return joined((row["id"], row["id"]) for row in self._rows([]))

    def _rows(self, sealed: list[Range]) -> Iterator[dict[str, Any]]:
        ranges = self._to_ask_for(sealed)
        pages = 0
        for start in range(0, len(ranges), _RANGES_PER_REQUEST):
            remaining = ranges[start : start + _RANGES_PER_REQUEST]
            while remaining:
                pages += 1
                if pages > _MAX_PAGES:
                    self._doubt(_Malformed("it does not come to an end"))
                    return
                try:
                    rows, more = self._page(remaining, _PAGE)
                except (SourceError, _Malformed) as error:
                    self._doubt(error)
                    return
                yield from rows
                remaining = _above(remaining, rows[-1]["id"]) if rows and more else []

    def _to_ask_for(self, sealed: list[Range]) -> list[Range]:
        """The ids to ask for."""
        if self._state is None:
            return []
        present = self._state.ranges
        if present is None:
            present = ((0, self._state.last),)
        return _without(present, sealed)

    def _page(self, ranges: list[Range], size: int) -> tuple[list[dict[str, Any]], bool]:
        """Rows of the ranges, and whether there are more of them."""
        texts = [f"{first}-{last}" for first, last in ranges]
        answer = self._server.journal({"from": ranges[0][0], "range": texts, "limit": size})
        if self._state is not None and answer.get("journal") != self._state.journal:
            raise _Malformed("its answers are of two journals")
        rows = answer.get("rows")
        if not isinstance(rows, list):
            raise _Malformed("an answer has no list of rows")
        cursor = ranges[0][0] - 1
        for row in rows:
            cursor = _check(row, ranges, cursor)
        more = answer.get("next") is not None
        if more and not rows:
            raise _Malformed("an answer promises rows and gives none")
        return rows, more

    def _ask_state(self) -> State:
        answer = self._server.journal({"ids": 1, "limit": 1})
        journal = valid_id(answer.get("journal"))
        if journal is None:
            raise _Malformed("an answer does not say which journal it is")
        listed = answer.get("ranges")
        return State(
            journal=journal,
            last=_number(answer, "last"),
            ranges=None if listed is None else tuple(_ranges(listed)),
            now=_number(answer, "now"),
        )

    def _first_start(self) -> int | None:
        if self._state is None or self._state.last < 0:
            return None
        try:
            rows, _ = self._page([(0, self._state.last)], _FIRST_ROWS)
            starts = (row["server_time"] for row in rows if row["operation"] == "start")
            return integer(next(starts, None))
        except (SourceError, _Malformed, ValueError, TypeError):
            return None  # What is wrong with it is said when its rows are read.

    def _doubt(self, error: Exception) -> None:
        reason = error.what if isinstance(error, SourceError) else str(error)
        self.doubts.append(f"the server's journal could not be read: {reason.rstrip('.')}")


def _check(row: object, ranges: list[Range], cursor: int) -> int:
    """The id of a row, which has to be one of those wanted, above the one before."""
    if not isinstance(row, dict) or not row.keys() >= STAGING[JOURNAL].keys():
        raise _Malformed("a row does not have the columns of a journal")
    if any(row[name] is not None and not isinstance(row[name], str) for name in _TEXTS):
        raise _Malformed("a row has something else where text belongs")
    number = row["id"]
    if not isinstance(number, int) or isinstance(number, bool):
        raise _Malformed("a row has no id")
    if number <= cursor:
        raise _Malformed("the ids of its rows do not ascend")
    place = bisect_right(ranges, (number, 2**63)) - 1
    if place < 0 or number > ranges[place][1]:
        raise _Malformed("it gives rows nobody asked for")
    return number


def _number(answer: Mapping[str, Any], name: str) -> int:
    try:
        number = integer(answer.get(name))
    except (ValueError, TypeError):
        number = None
    if number is None:
        raise _Malformed(f"an answer has no number {name}")
    return number


def _ranges(listed: object) -> Iterator[Range]:
    """Ranges as a server lists them: ascending, and apart from each other."""
    end: int | None = None
    for pair in listed if isinstance(listed, list) else [None]:
        if not (
            isinstance(pair, list)
            and len(pair) == 2
            and all(type(number) is int and 0 <= number < 2**63 for number in pair)
            and (-2 if end is None else end) + 1 < pair[0] <= pair[1]
        ):
            raise _Malformed("an answer has no proper ranges of ids")
        end = pair[1]
        yield pair[0], pair[1]


def _above(ranges: list[Range], number: int) -> list[Range]:
    """What of the ranges is above a number."""
    return [(max(first, number + 1), last) for first, last in ranges if last > number]


def _without(present: Sequence[Range], sealed: list[Range]) -> list[Range]:
    """Ascending ranges without those of another ascending list; both are walked once."""
    remaining: list[Range] = []
    gaps = iter(holes(sealed))
    gap = next(gaps, None)
    for first, last in present:
        while gap is not None:
            low = first if gap[0] is None else max(first, gap[0])
            high = last if gap[1] is None else min(last, gap[1])
            if low <= high:
                remaining.append((low, high))
            if gap[1] is None or gap[1] >= last:
                break
            gap = next(gaps, None)
    return remaining
