"""Moments and periods in a firm's own calendar.

Everything the ledger keeps is UTC; people speak of days, quarters and fiscal years of one time
zone. A date used as a moment means *the end of that day*: the first instant of the next local
day, exclusive. Periods are half-open in UTC and show their first and last day.

Moments are naive `datetime` values in UTC, as DuckDB's TIMESTAMP has them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from auditreg.errors import UsageError

_SECOND = timedelta(seconds=1)
_DAY = timedelta(days=1)
_QUARTER = re.compile(r"(\d{4})-?[Qq]([1-4])")
_YEAR = re.compile(r"\d{4}")
_MONTH = re.compile(r"(\d{4})-(\d{2})")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")

PERIOD_FORMS = (
    "2026-Q3 (fiscal quarter), 2026 (fiscal year), 2026-07 (month), 2026-07-01..2026-09-30"
)
"""The ways a period can be written, for error messages and help."""


@dataclass(frozen=True, slots=True)
class Period:
    """A span of whole local days.

    `start_utc` belongs to it, `end_utc` does not; `first_day` and `last_day` both do.
    """

    start_utc: datetime
    end_utc: datetime
    first_day: date
    last_day: date
    label: str

    @property
    def days(self) -> str:
        """`2026-07-01 to 2026-09-30`."""
        return f"{self.first_day} to {self.last_day}"


@lru_cache(maxsize=16)
def zone(name: str) -> ZoneInfo:
    """The time zone of an IANA name such as `Europe/London`.

    Raises:
        UsageError: there is no such zone on this machine.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise UsageError(
            f"There is no time zone {name!r}.",
            hint="Use an IANA name such as UTC, Europe/London or America/Toronto; "
            "on Windows, `pip install tzdata`.",
        ) from error


def moment(text: str | date | datetime, tz: str = "UTC") -> datetime:
    """The UTC moment a date or a date with a time stands for.

    A date means the first instant of the next local day, exclusive. A time without an offset is
    local; one that the clocks skip or show twice on that day is refused, never guessed.

    Args:
        text: `2026-09-30`, `2026-09-30T17:00`, `2026-09-30T17:00:00Z`, or the same with an offset.
        tz: IANA name of the zone that dates and times without an offset are in.

    Raises:
        UsageError: the text is not such a moment.
    """
    given = text if isinstance(text, date) else _parse(text)
    if not isinstance(given, datetime):
        return day_start(_shift(given, 1), tz)
    if given.tzinfo is not None:
        return _utc(given, text)
    return _local(given, tz)


def day_start(day: date, tz: str = "UTC") -> datetime:
    """The first instant, in UTC, of a local day.

    Where the clocks skip midnight (or, as Samoa once did, the whole day), it is the instant at
    which they jump; where midnight comes twice, it is the first of the two.
    """
    info = zone(tz)
    midnight = datetime.combine(day, time.min)
    before = _utc(midnight.replace(tzinfo=info, fold=0), day)
    after = _utc(midnight.replace(tzinfo=info, fold=1), day)
    if after >= before:
        return before
    # In a gap the two readings bracket the jump: fold=1 uses the new offset and so lies before
    # it. Midnight can lie in the middle of a gap, so neither of them need be the jump itself.
    old = _offset(after - _SECOND, info)
    low, high = after - _SECOND, before
    while high - low > _SECOND:
        middle = low + (high - low) // 2
        middle = middle.replace(microsecond=0)
        low, high = (middle, high) if _offset(middle, info) == old else (low, middle)
    return high


def local_day(at: datetime, tz: str = "UTC") -> date:
    """The local day that the instant just before the exclusive moment `at` falls on."""
    just_before = (at - timedelta(microseconds=1)).replace(tzinfo=UTC)
    return just_before.astimezone(zone(tz)).date()


def period(text: str, tz: str = "UTC", fiscal_year_start_month: int = 1) -> Period:
    """The period a text stands for.

    A year and its quarters are fiscal; a fiscal year is named after the calendar year it *ends*
    in, so with an April start `2026` is 2025-04-01 to 2026-03-31. Months and ranges are calendar.

    Args:
        text: one of `PERIOD_FORMS`.
        tz: IANA name of the zone the days are in.
        fiscal_year_start_month: 1 to 12.

    Raises:
        UsageError: the text is not a period.
    """
    text = text.strip()
    if match := _QUARTER.fullmatch(text):
        return _quarter(int(match[1]), int(match[2]), tz, fiscal_year_start_month)
    if _YEAR.fullmatch(text):
        first = _fiscal_start(int(text), fiscal_year_start_month, text)
        fiscal = "" if fiscal_year_start_month == 1 else "fiscal "
        return _span(first, _months_later(first, 12, text), tz, f"{fiscal}{text}")
    if match := _MONTH.fullmatch(text):
        first = _day(f"{text}-01", text)
        return _span(first, _months_later(first, 1, text), tz, text)
    first_text, dots, last_text = text.partition("..")
    if dots and _DATE.fullmatch(first_text) and _DATE.fullmatch(last_text):
        first, last = _day(first_text, text), _day(last_text, text)
        if last < first:
            raise UsageError(f"The period {text} ends before it begins.", hint=PERIOD_FORMS)
        return _span(first, _shift(last, 1), tz, f"{first} to {last}")
    raise UsageError(f"{text!r} is not a period.", hint=f"Write one of: {PERIOD_FORMS}.")


def quarter_of(as_of: datetime, tz: str = "UTC", fiscal_year_start_month: int = 1) -> Period:
    """The fiscal quarter that contains `as_of`.

    `as_of` is exclusive: the moment at which 30 September ends belongs to the quarter of
    30 September, although it is the first instant of October.
    """
    day = local_day(as_of, tz)
    elapsed = (day.month - fiscal_year_start_month) % 12
    ends_next_year = fiscal_year_start_month > 1 and day.month >= fiscal_year_start_month
    return _quarter(day.year + ends_next_year, elapsed // 3 + 1, tz, fiscal_year_start_month)


def _quarter(year: int, number: int, tz: str, start_month: int) -> Period:
    label = f"{year:04d}-Q{number}"
    first = _months_later(_fiscal_start(year, start_month, label), 3 * (number - 1), label)
    fiscal = "" if start_month == 1 else "fiscal "
    return _span(first, _months_later(first, 3, label), tz, fiscal + label)


def _span(first: date, after: date, tz: str, label: str) -> Period:
    return Period(day_start(first, tz), day_start(after, tz), first, after - _DAY, label)


def _fiscal_start(year: int, start_month: int, text: str) -> date:
    return _day(f"{year - (start_month > 1):04d}-{start_month:02d}-01", text)


def _months_later(day: date, months: int, text: str) -> date:
    years, month = divmod(day.month - 1 + months, 12)
    return _day(f"{day.year + years:04d}-{month + 1:02d}-{day.day:02d}", text)


def _day(iso: str, text: str) -> date:
    try:
        return date.fromisoformat(iso)
    except ValueError as error:
        raise UsageError(
            f"{text!r} is not a period: there is no day {iso}.",
            hint=f"Write one of: {PERIOD_FORMS}.",
        ) from error


def _parse(text: str) -> date | datetime:
    text = text.strip()
    try:
        if _DATE.fullmatch(text):
            return date.fromisoformat(text)
        # fromisoformat also takes 20260930 and week dates; a mistyped year must not pass as one.
        if re.match(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}", text):
            return datetime.fromisoformat(text)
    except ValueError:
        pass
    raise UsageError(
        f"{text!r} is not a date or a moment.",
        hint="Write 2026-09-30 (the end of that day), 2026-09-30T17:00 (local time) or "
        "2026-09-30T17:00:00Z.",
    )


def _local(wall: datetime, tz: str) -> datetime:
    info = zone(tz)
    first = _utc(wall.replace(tzinfo=info, fold=0), wall)
    second = _utc(wall.replace(tzinfo=info, fold=1), wall)
    if first == second:
        return first
    if second < first:
        raise UsageError(
            f"{wall.isoformat()} does not exist in {tz}: the clocks skip it.",
            hint=f"Give it with an offset, such as {second.isoformat()}Z.",
        )
    raise UsageError(
        f"{wall.isoformat()} comes twice in {tz}: the clocks are set back.",
        hint=f"Say which: {first.isoformat()}Z or {second.isoformat()}Z.",
    )


def _offset(utc: datetime, info: ZoneInfo) -> timedelta:
    return utc.replace(tzinfo=UTC).astimezone(info).utcoffset() or timedelta()


def _utc(aware: datetime, given: object) -> datetime:
    try:
        return aware.astimezone(UTC).replace(tzinfo=None)
    except OverflowError as error:
        raise _out_of_range(given) from error


def _shift(day: date, days: int) -> date:
    try:
        return day + timedelta(days=days)
    except OverflowError as error:
        raise _out_of_range(day) from error


def _out_of_range(given: object) -> UsageError:
    return UsageError(f"{given} is out of range.", hint="Use a year between 1900 and 9000.")
