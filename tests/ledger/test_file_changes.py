"""What the ledger knows of the files of versions: what changed, since when they are known, and what follows."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from itertools import pairwise

import pytest

from tests.ledger.book import Book
from tests.ledger.reading import moment
from tests.ledger.shelf import Shelf, digest
from tests.ledger.test_people import policy

DIGESTS = "SHA-256 of every file"
SIZES = "SHA-256 of MLmodel, names and sizes of the others"
ALONE = "SHA-256 of MLmodel alone"


@pytest.fixture
def shelf(book: Book) -> Shelf:
    """A registry with one live version."""
    made = Shelf(book)
    made.registry.create("motor")
    made.registry.version("motor")
    made.registry.alias("motor", "champion", 1)
    made.put("motor", 1)
    return made


WHAT = "level, files, before, after, changed_not_before, changed_not_after"


def test_one_byte_of_the_weights_shows_by_its_digest(shelf: Shelf):
    shelf.read()
    same = shelf.read()
    shelf.put("motor", 1, model_pkl=b"abd")
    seen = shelf.read()
    shelf.read()
    assert shelf.changes(WHAT) == [
        (
            DIGESTS,
            "model.pkl",
            f"model.pkl SHA-256 {digest(b'abc')}",
            f"model.pkl SHA-256 {digest(b'abd')}",
            same,
            seen,
        )
    ]
    assert shelf.book.rows(
        "select item, before, after from changes where kind = 'model_artifact'"
    ) == shelf.changes("'files', before, after")


@pytest.mark.parametrize("manifest", ["none", "local"])
def test_another_size_shows_without_digests(shelf: Shelf, manifest: str):
    shelf.read(manifest="none")
    shelf.put("motor", 1, model_pkl=b"abcd", more=b"")
    shelf.read(manifest=manifest)
    after = f"SHA-256 {digest(b'')}" if manifest == "local" else "0 bytes"
    assert shelf.changes("level, files, before, after") == [
        (
            SIZES,
            "model.pkl, more",
            "model.pkl 3 bytes, more not there",
            f"model.pkl 4 bytes, more {after}",
        )
    ]
    assert shelf.book.rows("select after from changes where item = 'files'") == shelf.changes(
        "after"
    )


def test_what_is_not_hashed_keeps_its_size_unseen(shelf: Shelf):
    shelf.read(manifest="none")
    shelf.put("motor", 1, model_pkl=b"abd")
    shelf.read(manifest="none")
    assert shelf.changes("files") == []
    shelf.read()
    assert shelf.changes("files") == [], "nothing says what was there before"


def test_where_the_list_is_not_whole_only_what_both_readings_list_is_compared(shelf: Shelf):
    shelf.incomplete.add(("motor", 1))
    shelf.read(manifest="none")
    shelf.put("motor", 1, more=b"x")
    shelf.read(manifest="none")
    assert shelf.changes("files") == []
    shelf.put("motor", 1, MLmodel=b"flavors: []")
    shelf.read(manifest="none")
    assert shelf.changes("level, files") == [(ALONE, "MLmodel")]
    assert shelf.book.rows("select item from changes where kind = 'model_artifact'") == [
        ("MLmodel",)
    ]


def test_files_that_are_removed_are_told(shelf: Shelf):
    shelf.put("motor", 1, **{f"part{n}": b"x" for n in range(4)})
    shelf.read(manifest="none")
    shelf.files["motor", 1] = {"MLmodel": b"flavors: {}", "model.pkl": b"abc"}
    shelf.read(manifest="none")
    assert shelf.changes("level, files, after") == [
        (
            SIZES,
            "part0, part1, part2 and 1 more",
            "part0 not there, part1 not there, part2 not there and 1 more",
        )
    ]


@pytest.mark.parametrize("state", ["unreachable", "no_mlmodel", "unreadable"])
def test_an_outage_is_skipped_and_widens_the_bounds(shelf: Shelf, state: str):
    shelf.read()
    last = shelf.read()
    shelf.lost["motor", 1] = state
    shelf.read()
    shelf.put("motor", 1, model_pkl=b"abd")
    shelf.read()
    shelf.lost.clear()
    seen = shelf.read()
    assert shelf.changes(WHAT)[0][-2:] == (last, seen)
    assert shelf.changes("level, files") == [(DIGESTS, "model.pkl")]


def test_the_same_after_an_outage_is_no_change(shelf: Shelf):
    shelf.read()
    shelf.lost["motor", 1] = "no_mlmodel"
    shelf.read()
    shelf.lost.clear()
    shelf.read()
    assert shelf.changes("files") == []


def test_a_reading_that_did_not_hash_does_not_narrow_what_a_digest_shows(shelf: Shelf):
    hashed = shelf.read()
    shelf.read(manifest="none")
    shelf.put("motor", 1, model_pkl=b"abd")
    seen = shelf.read()
    assert shelf.changes("changed_not_before, changed_not_after") == [(hashed, seen)]


def test_a_reading_that_hashes_large_files_does_not_narrow_where_it_leaves_them_out(shelf: Shelf):
    shelf.put("motor", 1, model_pkl=b"a" * 1000)
    hashed = shelf.read(manifest="live")
    shelf.read()
    shelf.put("motor", 1, model_pkl=b"b" * 1000)
    seen = shelf.read(manifest="live")
    assert shelf.changes("changed_not_before, changed_not_after") == [(hashed, seen)]


def test_a_reading_of_live_versions_says_nothing_of_the_others(shelf: Shelf):
    shelf.registry.alias("motor", "champion", None)
    first = shelf.read()
    shelf.put("motor", 1, model_pkl=b"abcd", MLmodel=b"flavors: []")
    shelf.read(artifacts="live")
    shelf.read(artifacts="none")
    shelf.registry.stage("motor", 1, "Production")
    seen = shelf.read()
    assert shelf.changes("files, changed_not_before, changed_not_after") == [
        ("MLmodel, model.pkl", first, seen)
    ]


def test_a_size_that_changed_explains_the_digest_that_is_taken_later(shelf: Shelf):
    shelf.read()
    shelf.put("motor", 1, model_pkl=b"abcd")
    shelf.read(manifest="none")
    shelf.read()
    assert shelf.changes("level, files") == [(SIZES, "model.pkl")]


def test_what_is_taken_in_late_narrows_the_bounds(shelf: Shelf):
    shelf.read()
    between = shelf.registry.rows(), shelf.registry.wait(60_000)
    shelf.put("motor", 1, model_pkl=b"abd")
    seen = shelf.read()
    shelf.files["motor", 1]["model.pkl"] = b"abc"
    clock, shelf.registry.clock = shelf.registry.clock, between[1] - 60_000
    late = shelf.read()
    shelf.registry.clock = clock
    assert late == moment(between[1])
    assert shelf.changes("changed_not_before, changed_not_after") == [(late, seen)]


def test_files_are_read_until_the_reading_was_written_down(
    book: Book, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
):
    """The registry is read in one moment and the files after it: what they show is of the time between."""
    shelf.read()
    shelf.put("motor", 1, model_pkl=b"abd")
    taken = book.take
    monkeypatch.setattr(book, "take", lambda reading, **_: taken(reading))
    seen = shelf.read()
    ((until, observed),) = shelf.changes("changed_not_after, observed_at")
    assert observed == seen
    ((written,),) = book.rows("select max(recorded_at) from extractions")
    assert until == written > seen


def known(
    shelf: Shelf, at: datetime | None = None
) -> dict[str, tuple[datetime, datetime, datetime]]:
    """Level to since when, at the latest, and until when."""
    view = "file_knowledge" if at is None else f"file_knowledge_as_of(timestamp '{at}')"
    return {
        level: since
        for level, *since in shelf.book.rows(
            f"select level, known_not_before, known_not_after, last_read_at from {view} order by rank"
        )
    }


def test_since_when_and_how_closely_the_files_are_known(shelf: Shelf):
    first = shelf.read(manifest="none")
    assert known(shelf) == {SIZES: [first, first, first], ALONE: [first, first, first]}
    hashed = shelf.read()
    last = shelf.read(manifest="none")
    assert known(shelf) == {
        DIGESTS: [hashed, hashed, hashed],
        SIZES: [first, first, last],
        ALONE: [first, first, last],
    }
    shelf.put("motor", 1, model_pkl=b"abd")
    changed = shelf.read()
    assert known(shelf) == dict.fromkeys((DIGESTS, SIZES, ALONE), [changed] * 3)
    assert known(shelf, last)[SIZES] == [first, first, last]


def test_a_moment_between_two_readings(shelf: Shelf):
    first = shelf.read()
    shelf.put("motor", 1, model_pkl=b"abd")
    seen = shelf.read()
    for at, expected in (
        (first, []),
        (first + timedelta(seconds=1), [("model.pkl",)]),
        (seen, [("model.pkl",)]),
    ):
        asked = f"select files from file_changes_as_of(timestamp '{at}')"
        assert shelf.book.rows(asked) == expected, at


def verdicts(shelf: Shelf, number: int) -> dict[str, tuple[str, str | None]]:
    """What the approval of a version is now, and what it was when the version went live."""
    rows = shelf.book.rows(
        "select about, verdict, contested_by from approval_verdicts where version = ?", number
    )
    return {about: (verdict, by) for about, verdict, by in rows}


HOLDS, CONTESTED = ("holds", None), ("contested", "model-unchanged-after-approval")


def approved_version(shelf: Shelf) -> int:
    """A version that is not live, with an approval a reading has seen."""
    shelf.policies = (policy("".join(f'[[people]]\nid = "{name}"\n' for name in ("jane", "bo"))),)
    number = shelf.registry.version("motor", approver="jane").number
    shelf.put("motor", number)
    shelf.read(manifest="all")
    return number


def exchange(shelf: Shelf, number: int) -> None:
    """Exchange weights of a version, so that a reading that hashes sees it."""
    shelf.put("motor", number, model_pkl=b"abd")
    shelf.touch("motor", number)


def test_an_approval_does_not_hold_for_files_that_came_after_it(shelf: Shelf):
    number = approved_version(shelf)
    shelf.registry.stage("motor", number, "Production")
    shelf.read()
    assert verdicts(shelf, number) == {"version": HOLDS, "promotion": HOLDS}
    exchange(shelf, number)
    before = shelf.registry.wait()
    shelf.read()
    # What went live was what had been approved.
    assert verdicts(shelf, number) == {"version": CONTESTED, "promotion": HOLDS}
    shelf.registry.tag("motor", number, "approver", "bo")
    shelf.read()
    assert verdicts(shelf, number)["version"] == HOLDS, (
        "this approval is of the files as they are now"
    )
    then = f"approval_verdicts_as_of(timestamp '{moment(before)}')"
    assert shelf.book.rows(
        f"select verdict from {then} where version = ? and about = 'version'", number
    ) == [("holds",)], "it may have been exchanged by then, and may not"


def test_a_version_goes_live_with_files_that_nobody_approved(shelf: Shelf):
    number = approved_version(shelf)
    exchange(shelf, number)
    shelf.read(manifest="all")
    shelf.registry.stage("motor", number, "Production")
    shelf.read()
    assert verdicts(shelf, number) == {"version": CONTESTED, "promotion": CONTESTED}


def test_whether_the_files_came_before_it_went_live_may_be_open(shelf: Shelf):
    number = approved_version(shelf)
    exchange(shelf, number)
    shelf.registry.stage("motor", number, "Production")
    shelf.read()
    assert verdicts(shelf, number) == {"version": CONTESTED, "promotion": HOLDS}


def test_an_exchange_that_may_be_older_than_the_approval_contests_nothing(shelf: Shelf):
    number = shelf.registry.version("motor").number
    shelf.policies = (policy('[[people]]\nid = "jane"\n'),)
    shelf.put("motor", number)
    shelf.read(manifest="all")
    exchange(shelf, number)
    shelf.registry.tag("motor", number, "approver", "jane")
    shelf.read(manifest="all")
    assert verdicts(shelf, number) == {"version": HOLDS}


class Unruly:
    """Sixty versions whose files are exchanged, lost and read in every way; `done` says what was exchanged when."""

    PATHS = ("MLmodel", "model.pkl", "config.json")

    def __init__(self, shelf: Shelf, seed: int) -> None:
        self.shelf, self.chance = shelf, random.Random(seed)
        self.done: dict[int, list[tuple[datetime, str]]] = {}
        for _ in range(60):
            number = shelf.registry.version("motor").number
            shelf.put("motor", number, config_json=b"{}")
            self.done[number] = []

    def happens(self, share: float) -> bool:
        return self.chance.random() < share

    def live_through(self, readings: int) -> None:
        for _ in range(readings):
            for number in self.done:
                if self.happens(0.3):
                    stage = self.chance.choice(["None", "Production"])
                    self.shelf.registry.stage("motor", number, stage)
                if self.happens(0.3):
                    self.exchange(number)
                self.lose_or_find(number)
            self.shelf.read(
                artifacts=self.chance.choice(["all", "live", "none"]),
                manifest=self.chance.choice(["local", "live", "all", "none"]),
            )

    def exchange(self, number: int) -> None:
        path = self.chance.choice(self.PATHS)
        content = bytes(self.chance.choices(b"ab", k=self.chance.choice([3, 3, 3, 4])))
        if content == self.shelf.files["motor", number][path]:
            return
        self.shelf.put("motor", number, **{path.replace(".", "_"): content})
        self.done[number].append((moment(self.shelf.registry.wait()), path))
        if self.happens(0.5):
            self.shelf.touch("motor", number)

    def lose_or_find(self, number: int) -> None:
        if self.happens(0.1):
            self.shelf.lost["motor", number] = self.chance.choice(["unreachable", "no_mlmodel"])
        elif self.happens(0.5):
            self.shelf.lost.pop(("motor", number), None)


@pytest.fixture
def unruly(shelf: Shelf) -> Unruly:
    made = Unruly(shelf, 7)
    made.live_through(12)
    return made


def test_what_is_said_to_have_changed_did_so_within_its_bounds(unruly: Unruly):
    told = unruly.shelf.changes("version, files, changed_not_before, changed_not_after")
    assert len(told) > 50
    for version, paths, first, last in told:
        for path in paths.split(", "):
            when = [at for at, changed in unruly.done[version] if changed == path]
            assert any(first < at <= last for at in when), (version, path, first, last, when)


def test_no_other_digest_goes_untold(unruly: Unruly):
    states = unruly.shelf.book.rows(
        "select version, seq, mlmodel_sha256, manifest_sha256 from file_states order by version, number"
    )
    told = set(unruly.shelf.changes("version, seq"))
    untold = [
        (version, seq)
        for (last, _, *before), (version, seq, *after) in pairwise(states)
        if version == last and any(a != b for a, b in zip(before, after, strict=True) if a and b)
        if (version, seq) not in told
    ]
    assert not untold
