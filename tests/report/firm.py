"""A firm of eight models for the tests of reports: its registry is played and read, its rules run.

Everything a test looks at comes from readings of a registry in memory, taken in and judged as
`auditreg extract` and `auditreg check` do it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from auditreg.config import Config, load_config
from auditreg.ledger.import_parse import parse_deployments, parse_history
from auditreg.ledger.import_record import record
from auditreg.ledger.secrets import load_key
from auditreg.ledger.store import Ledger
from auditreg.workflows.check import CheckOptions, run_check
from auditreg.workflows.policy import PolicySet
from tests.ledger.captured import CapturedRegistry
from tests.ledger.reading import EPOCH, Rows, run_rows, together

READINGS = (datetime(2026, 6, 28, 2), datetime(2026, 8, 15, 2), datetime(2026, 9, 30, 22, 55))
UNDER_CAPTURE = (datetime(2026, 8, 25, 2), datetime(2026, 9, 12, 2))
"""Readings between the last two, where the server recorded its changes."""

MUCH_LATER = datetime(2026, 11, 28, 21, 33)
"""The only reading of a firm that installs auditreg after the period."""

NAMES = (
    "motor-frequency",
    "motor-severity",
    "home-escape-of-water",
    "home-subsidence-severity",
    "van-frequency",
    "renewal-price-elasticity",
    "travel-medical-load",
    "fraud-score",
)
VERSIONS = (4, 3, 4, 2, 3, 4, 2, 3)
HOSTILE = "<script>document.title='owned'</script> **b** \u202egnp.tpircs\u2066 {{ 1111*7 }}"
DOUBT = "the server showed 24 versions and counted 25 <b>x</b>\u202e"
SERVER_ON = datetime(2026, 8, 16, 8)
SERVER_OFF = (datetime(2026, 8, 20, 1), datetime(2026, 8, 20, 5, 30))
RESTART = (datetime(2026, 9, 3, 2), datetime(2026, 9, 3, 2, 1, 30))
RENAMED = "van-frequency-2026"
CONFIG = """
[calendar]
timezone = "Europe/London"
[report]
entity = "Northmoor Mutual Insurance Society"
title = "Model inventory and change record"
prepared_by = "Model Risk, pricing"
addressee = "The supervisor"
"""
WAIVERS = """
[[waiver]]
rule = "risk-rating-recorded"
models = ["renewal-price-elasticity"]
status = "accepted"
reason = "Retired by year end"
approver = "Ingrid Solberg"
ticket = "MR-12"
expires = 2027-12-31
"""
SIGNATURE = [
    {"type": "string", "name": "vehicle_group", "required": True},
    {"type": "double", "name": "annual_mileage", "required": True},
    {"type": "string", "name": "overnight_postcode_sector", "required": False},
]

Event = tuple[datetime, Callable[[], object]]


def millis(at: datetime) -> int:
    return (at - EPOCH) // timedelta(milliseconds=1)


@dataclass(frozen=True)
class Story:
    """How a ledger differs from the plain one."""

    captured: bool = False
    hostile: bool = False
    once: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        return (*NAMES[:-1], HOSTILE) if self.hostile else NAMES

    @property
    def readings(self) -> tuple[datetime, ...]:
        if self.once:
            return (MUCH_LATER,)
        if self.hostile:
            return READINGS[-1:]
        return tuple(sorted({*READINGS, *(UNDER_CAPTURE if self.captured else ())}))


class Firm(CapturedRegistry):
    """The firm's registry, whose versions come from runs and have files."""

    def __init__(self, story: Story) -> None:
        super().__init__(millis(datetime(2024, 12, 1)))
        self.story, self.actor = story, None
        self.material: list[Rows] = []

    def rows(self) -> Rows:
        return together(super().rows(), *self.material)

    def play(self, read: Callable[[datetime], None]) -> None:
        """Let everything happen in its order, and be read where the story says so."""
        events = [*self.events(), *((at, lambda at=at: read(at)) for at in self.story.readings)]
        for at, happen in sorted(events, key=lambda event: event[0]):
            self.clock = max(self.clock, millis(at) - self.tick)
            happen()

    def events(self) -> Iterator[Event]:
        for index, name in enumerate(self.story.names):
            yield from self._model(index, name)
        yield datetime(2026, 9, 20, 16, 12), self._by(None, self._owner)
        yield datetime(2026, 9, 25, 15, 40), self._by("helen.marsh", self._delete)
        yield datetime(2026, 9, 29, 7, 5), self._by("ingrid.solberg", self._retire)
        if self.story.captured:
            yield SERVER_ON, self.capture
            yield SERVER_OFF[0], lambda: self.stop("stop")
            yield SERVER_OFF[1], self._start
            yield RESTART[0], lambda: self.stop("stop")
            yield RESTART[1], self._start
            yield datetime(2026, 9, 10), self._past_the_server
            yield datetime(2026, 9, 28, 10, 15), self._by("asha.verma", self._rename)

    def _model(self, index: int, name: str) -> Iterator[Event]:
        created = datetime(2025, 1, 10, 9) + timedelta(days=40 * index)
        if index == 6:
            created = datetime(2026, 7, 20, 10)
        tags = {
            "gov.model_id": f"NM-{100 + index}",
            "gov.owner": ("Helen Marsh", "Tom Ellery", "Priya Nair")[index % 3],
            "gov.purpose": "Technical price of new business and renewals",
            "gov.risk.rating": ("high", "medium", "low")[index % 3],
            "gov.origin": "in-house",
            "gov.limitations": "Fleets of more than five vehicles are excluded",
        }
        if index in (3, 7):
            del tags["gov.owner"]
        if index == 5:
            del tags["gov.risk.rating"]
        yield created, self._by("svc-train", lambda: self._register(name, tags))
        for version in range(1, VERSIONS[index] + 1):
            # The last two versions of a model come in the period, but for the newest model's.
            behind = VERSIONS[index] - version
            at = READINGS[2 - min(behind, 2)] - timedelta(days=9 + index, hours=12)
            if index == 6:
                at = created + timedelta(days=1 + 30 * (version - 1))
            at -= timedelta(days=95 * max(0, behind - 2))
            yield from self._version(index, name, version, at)

    def _version(self, index: int, name: str, version: int, at: datetime) -> Iterator[Event]:
        yield at, self._by("svc-train", lambda: self._train(index, name, version, at))
        approved = at + timedelta(days=6)
        if (index + version) % 3:
            yield (
                approved,
                self._by("ingrid.solberg", lambda: self._approve(name, version, approved)),
            )
        live = at + timedelta(days=7, hours=3)
        if index == 3:
            yield live, self._by("tom.ellery", lambda: self._promote(name, version))
        elif index != 4:
            yield live, self._by("ingrid.solberg", lambda: self.alias(name, "champion", version))

    # What happens.

    def _by(self, actor: str | None, happen: Callable[[], object]) -> Callable[[], object]:
        def done() -> None:
            self.actor = HOSTILE if self.story.hostile and actor else actor
            happen()

        return done

    def _register(self, name: str, tags: dict[str, str]) -> None:
        more = "<b>bold</b> **md**" if self.story.hostile else ""
        self.create(name, **tags).description = f"{name}: expected cost per year. {more}"

    def _train(self, index: int, name: str, version: int, at: datetime) -> None:
        digest = hashlib.sha256(f"{name}/{version}".encode()).hexdigest()
        run_id = digest[:32]
        self.material.append(_run(run_id, name, version, at, with_data=index != 5))
        self.material.append(_files(run_id, name, version, with_inputs=index != 1))
        reason = {"gov.change.reason": "Quarterly refit"}
        self.version(name, run_id, f"s3://models/{index}/{version}", **reason)

    def _approve(self, name: str, version: int, at: datetime) -> None:
        month = 1 + version % 8
        for key, value in {
            "gov.validator": "Samuel Osei",
            "gov.validation.date": f"2026-0{month}-14",
            "gov.approval.by": "Ingrid Solberg",
            "gov.approval.at": f"{at:%Y-%m-%dT%H:%M:%S}Z",
            "gov.approval.decision": "approved",
        }.items():
            self.tag(name, version, key, value)

    def _promote(self, name: str, version: int) -> None:
        self.stage(name, version, "Production", archive=True)

    def _owner(self) -> None:
        self.tag(NAMES[1], None, "gov.owner", "Asha Verma")

    def _delete(self) -> None:
        self.delete_version(NAMES[2], 1)

    def _retire(self) -> None:
        self.alias(self.story.names[7], "champion", None)

    def _start(self) -> None:
        self.clock += self.tick - 600_000  # `capture` waits, for a server that was killed
        self.capture()

    def _past_the_server(self) -> None:
        """Two changes that only the reading of September shows."""
        self.tamper(("tag", NAMES[0], None, "gov.risk.rating", "low"), moves=False)
        self.tamper(("alias", NAMES[5], 1, "champion"), moves=False)

    def _rename(self) -> None:
        self.rename(NAMES[4], RENAMED)


def _run(run_id: str, name: str, version: int, at: datetime, *, with_data: bool) -> Rows:
    rows = run_rows(
        run_id,
        name=f"refit-{version}",
        user_id="svc-train",
        status="FINISHED",
        start_time=millis(at - timedelta(hours=3)),
        end_time=millis(at),
        params={"max_depth": "6"},
        metrics={"gini": 0.31, "deviance": 0.482, "mae": 41.2},
        tags={"mlflow.source.git.commit": run_id[::-1] + "00112233"},
    )
    contexts = ("training", "test") if with_data else ()
    rows["run_datasets"] = [
        {
            "run_id": run_id, "name": f"{name}-{context}", "digest": run_id[place * 8 :][:8],
            "context": context, "source_type": "s3", "source": f"s3://data/{context}.parquet",
        }
        for place, context in enumerate(contexts)
    ]  # fmt: skip
    return rows


def _files(run_id: str, name: str, version: int, *, with_inputs: bool) -> Rows:
    row = {
        "workspace": "default", "model": name, "version": version, "state": "read",
        "location": f"s3://models/{run_id}", "mlmodel_sha256": run_id * 2, "run_id": run_id,
        "signature_inputs": json.dumps(SIGNATURE) if with_inputs else None,
        "signature_outputs": json.dumps([{"type": "double", "name": "price"}]),
        "flavors": json.dumps({"sklearn": {}, "python_function": {}}), "requirements": "[]",
        "python_version": "3.11.9", "mlflow_version": "3.17.2", "model_size_bytes": 184320,
    }  # fmt: skip
    return {"model_artifacts": [row]}


def settings(folder: Path) -> Config:
    """The firm's settings, with its waivers beside them."""
    path = folder / "auditreg.toml"
    path.write_text(CONFIG)
    (folder / "waivers.toml").write_text(WAIVERS)
    return load_config(path)


def make_ledger(folder: Path, story: Story) -> None:
    """Play a story and take its readings into `audit.duckdb`; the first is checked and sealed."""
    ledger, firm = Ledger(folder / "audit.duckdb"), Firm(story)
    config = settings(folder)

    def read(at: datetime) -> None:
        take(ledger, firm)
        if at == READINGS[0] and story == Story():
            run_check(ledger, PolicySet.load(config), CheckOptions())

    firm.play(read)
    if story.captured:
        import_records(ledger, story)


def take(ledger: Ledger, firm: Firm, doubts: Sequence[str] = ()) -> None:
    """Take in a reading of the registry as it is now."""
    reading = firm.look().reading
    reading._doubts = tuple(doubts)
    ledger.ingest(reading, registry="default", policies=())


def import_records(ledger: Ledger, story: Story) -> None:
    """What other systems stated of the first model, and which versions engines ran."""
    shown = HOSTILE if story.hostile else ""
    statement = {
        "model": NAMES[0], "version": 3, "actor": shown or "Leonie Brandt",
        "system": shown or "ServiceNow", "reference": "CHG-4711",
    }  # fmt: skip
    history = (
        {"at": "2026-08-11T09:00:00Z", "what": "approval", "after": "granted"},
        {"at": "2026-09-02T17:00:00Z", "what": "stage", "before": "Staging", "after": "Production"},
    )
    engine = {"system": shown or "Radar Live", "environment": "production"}
    ran = (
        {**engine, "model": NAMES[0], "version": 3, "from": "2026-08-18T04:00:00Z"},
        {**engine, "model": NAMES[1], "version": 3, "from": "2026-09-29T04:00:00Z"},
        {**engine, "system": "batch-renewals", "model": NAMES[0], "version": 2,
         "from": "2026-07-12T04:00:00Z", "until": "2026-08-18T04:00:00Z"},
    )  # fmt: skip
    with ledger.writer() as connection:
        for parse, lines, name in (
            (parse_history, [{**statement, **line} for line in history], "history.jsonl"),
            (parse_deployments, ran, "deployments.jsonl"),
        ):
            content = "\n".join(json.dumps(line) for line in lines).encode()
            record(
                connection,
                parse(content, name),
                file=name,
                content=content,
                registry="default",
                key=load_key(ledger.key_path),
            )
