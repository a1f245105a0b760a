"""Plays an insurer's pricing models over three years on a real MLflow 2.9.2 server.

    AUDITREG_TEST_MLFLOWS=ENVIRONMENT python -m tests.servers.estate_29 [FOLDER]

The clock of the server is simulated, see `clocked.py`; the server, its REST interface and its store
are MLflow's own. FOLDER gets the store as it was at the end of each quarter (`estate29.tar.xz`), every
event (`estate29.json.gz`) and the firm's settings (`estate29.toml`); without it those under
`tests/servers/data` are made anew. The story is the same each time (a seed), ids of runs are not.
"""

from __future__ import annotations

import heapq
import io
import itertools
import lzma
import random
import sqlite3
import sys
import tarfile
import tempfile
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from tests.servers.clocked import CLOCK
from tests.servers.mlflow_server import MlflowServer
from tests.servers.releases import ORDINARY, interpreter
from tests.servers.truth import Event, Truth

DATA = Path(__file__).parent / "data"
STORES, TRUTH, SETTINGS = "estate29.tar.xz", "estate29.json.gz", "estate29.toml"
MODELS = 60
ZONE = ZoneInfo("Europe/Zurich")
BEGIN, END = datetime(2023, 10, 2, 6, tzinfo=UTC), datetime(2026, 9, 30, 22, tzinfo=UTC)
READ_AT = tuple(
    datetime(year, month, 31 if month in (3, 12) else 30, 21, tzinfo=UTC)
    for year in (2023, 2024, 2025, 2026)
    for month in (3, 6, 9, 12)
    if (2023, 12) <= (year, month) <= (2026, 9)
)
"""When the store is read: in the evening of the last day of each quarter."""

LINES = ("motor", "home", "travel", "liability", "marine", "cyber")
PARTS = (
    "frequency", "severity", "demand", "retention", "lapse", "fraud", "rating", "large-loss",
    "discount", "telematics",
)  # fmt: skip
DAY = 86_400_000

TAGS = {
    "approver": ("gov.approval.by", "approved_by", "approver", "Approved By", "signoff"),
    "approval_date": ("gov.approval.at", "approved_at", "approval_date", "Approved At"),
    "decision": ("gov.approval.decision", "approval_status", "approval"),
    "validator": ("gov.validator", "validator", "reviewer", "validated_by"),
    "validation_date": ("gov.validation.date", "validation_date", "validated_at", "last_validated"),
    "validation_result": ("gov.validation.result", "validation_result", "validation_status"),
    "developer": ("gov.developer", "developer", "author"),
    "change_reason": ("gov.change.reason", "change_reason", "gov.change.ticket", "ticket"),
}
"""What the teams of this firm call things, each in its own way."""

DEVELOPERS = (
    ("akeller", "Anna Keller"),
    ("bsutter", "B. Sutter"),
    ("cmeyer", "cmeyer@firm.example"),
)
LEFT, SERVICE, STRANGER = ("dora", "Dora Lang"), "svc-train", "Z. Nobody"
VALIDATORS = ("vfrei", "Vera Frei", "vgraf", "v.graf@firm.example")
APPROVERS = ("iroth", "Ines Roth", "MRC", "Model Risk Committee", "hbaum", "H. Baum")
OWNERS = ("iroth", "Olga Wyss", "owyss", "akeller")

SETTINGS_TEXT = """# The settings of the estate that `estate_29.py` plays.

[calendar]
timezone = "Europe/Zurich"

[[people]]
id = "akeller"
name = "Anna Keller"
roles = ["developer"]

[[people]]
id = "bsutter"
name = "Beat Sutter"
accounts = ["B. Sutter"]
roles = ["developer"]

[[people]]
id = "cmeyer"
accounts = ["cmeyer@firm.example"]

[[people]]
id = "dora"
name = "Dora Lang"
until = 2025-03-31

[[people]]
id = "vfrei"
name = "Vera Frei"
roles = ["validator"]

[[people]]
id = "vgraf"
accounts = ["v.graf@firm.example"]
roles = ["validator"]
from = 2024-07-01

[[people]]
id = "hbaum"
accounts = ["H. Baum"]
roles = ["approver"]
until = 2025-06-30

[[people]]
id = "iroth"
name = "Ines Roth"
roles = ["approver"]

[[people]]
id = "owyss"
name = "Olga Wyss"

[[people]]
id = "svc-train"
accounts = ["svc-deploy"]
service = true

[[bodies]]
id = "mrc"
name = "Model Risk Committee"
accounts = ["MRC"]
members = ["iroth", "vfrei"]
secretary = "owyss"
roles = ["committee"]

[[authorities]]
role = "approver"
may = ["approve"]
ratings = ["medium", "low"]

[[authorities]]
role = "committee"
may = ["approve"]

[[authorities]]
role = "validator"
may = ["validate"]

[rules.params."promotion-in-window"]
days = "Mon,Tue,Wed,Thu"
from = "08:00"
until = "17:00"

[rules.params."scope-decided"]
regimes = "E-23, AI Act"

[rules.params."retention-recorded"]
minimum_years = 5
"""

Chance = tuple[tuple[float, Any], ...]

OF_MODELS: dict[str, tuple[tuple[str, ...], Chance]] = {
    "owner": (
        ("gov.owner", "owner", "model_owner", "Owner", "maintainer"),
        ((6, OWNERS), (1, "TBD"), (1, SERVICE), (1, LEFT), (1, None), (1, STRANGER)),
    ),
    "risk_rating": (
        ("gov.risk.rating", "risk_rating", "risk_tier", "tier"),
        ((4, "high"), (4, "medium"), (3, "Low"), (1, "critical"), (1, "TBD"), (1, None)),
    ),
    "purpose": (
        ("gov.purpose", "purpose", "intended_use"),
        ((5, "technical premium of new business"), (3, "prices for retail customers"), (1, None), (1, "tbd")),
    ),
    "approved_uses": (("gov.approved_uses", "gov.restrictions"), ((3, "Swiss portfolio"), (2, None))),
    "model_id": (("gov.model_id", "model_id"), ((6, "id"), (1, "PM-001"), (1, None), (1, "n/a"))),
    "origin": (
        ("gov.origin", "origin"),
        ((6, "in-house"), (2, "vendor"), (1, None), (1, "TBD")),
    ),
    "vendor": (("gov.vendor.name", "vendor"), ((6, None), (2, "Nord Analytics"), (1, "TBD"))),
    "vendor_file": (("gov.vendor.file",), ((1, "DMS-4411"), (3, None))),
    "documentation": (("gov.doc.index", "documentation", "model_card"), ((3, "DMS-77"), (1, None), (1, "todo"))),
    "assumptions": (("gov.assumptions", "assumptions"), ((3, "none"), (2, "stable mix"), (1, None))),
    "limitations": (("gov.limitations", "limitations"), ((3, "no fleets"), (1, "none"), (1, None), (1, "TBD"))),
    "dependencies": (
        ("gov.depends_on", "dependencies"),
        ((2, "none"), (3, "model"), (1, "system:guidewire, data:vehicles"), (1, "no-such-model"), (2, None)),
    ),
    "explainability": (("gov.explainability", "explainability"), ((2, "SHAP, DMS-12"), (2, None))),
    "consumer_impact": (("gov.consumer_impact",), ((2, "prices"), (2, "none"), (2, "internal"), (3, None))),
    "fairness": (("gov.fairness.result", "fairness"), ((2, "no proxy found"), (2, None))),
    "lifecycle": (("gov.lifecycle.status", "lifecycle"), ((2, "in use"), (1, "Retired"), (1, "draft"), (4, None))),
    "overlays": (("gov.overlay", "overlays"), ((1, "inflation loading"), (1, "none"), (4, None))),
    "overlay_reason": (("gov.overlay.reason",), ((2, "claims inflation"), (1, None))),
    "overlay_until": (("gov.overlay.until",), ((2, 400), (1, 90), (1, "soon"), (1, None))),
    "exemption": (("gov.exemption",), ((1, "small portfolio"), (1, "none"), (6, None))),
    "exemption_by": (("gov.exemption.by",), ((2, APPROVERS), (1, SERVICE), (1, STRANGER), (2, None))),
    "exemption_until": (("gov.exemption.until",), ((2, 500), (1, 60), (1, None))),
    "retention": (("gov.retention.until", "retention_until"), ((3, 3650), (1, 700), (1, "forever"), (2, None))),
    "scope": (
        ("gov.scope", "gov.lob"),
        (
            (3, "E-23: in; AI Act: out, no life or health insurance"), (1, "E-23: in"),
            (1, "E-23: in; AI Act: out"), (1, None),
        ),
    ),
    "rated_at": (("gov.risk.rated_at",), ((4, 0), (1, -800), (1, None), (1, "last spring"))),
    "thresholds": (
        ("gov.thresholds",),
        ((3, "gini>=0.30, rmse<=120"), (1, "gini >= 0.45"), (1, "auc>0.7"), (2, None), (1, "as agreed")),
    ),
    "findings": (("gov.validation.open_findings",), ((1, "none"), (1, "0"), (2, "2"), (1, "bias"), (3, None))),
    "findings_owner": (("gov.validation.findings_owner",), ((3, OWNERS), (1, LEFT), (1, "TBD"), (1, None))),
    "findings_due": (("gov.validation.findings_due",), ((2, 300), (1, 40), (1, None))),
    "next_review": (("gov.validation.next_due", "next_review", "review_due"), ((2, 365), (1, 120), (1, "Q3"), (2, None))),
    "valid_until": (("gov.valid_until", "valid_until"), ((1, 500), (1, 200), (4, None))),
    "inputs": (("gov.inputs",), ((1, "a row per policy"), (1, None))),
}  # fmt: skip
"""Fields that describe a model: tags they stand under, and how often which value (a number: days from then)."""


def ms_of(moment: datetime) -> int:
    """A moment in milliseconds."""
    return round(moment.timestamp() * 1000)


def local(ms: int) -> datetime:
    """A moment as clocks in the firm show it."""
    return datetime.fromtimestamp(ms / 1000, ZONE)


@dataclass
class Estate:
    """Calls a server whose clock it sets, and keeps what it did."""

    server: MlflowServer
    clock: Path
    rng: random.Random
    truth: Truth = field(default_factory=Truth)
    now: int = ms_of(BEGIN)
    names: list[str] = field(default_factory=list)
    count: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def set_clock(self, ms: int) -> None:
        """Go on to a moment; where it has passed already, a little further."""
        self.now = max(self.now + 1, ms)
        self.clock.write_text(str(self.now))

    def do(
        self, do: str, method: str, path: str, body: dict[str, Any], model: str = "",
        version: int | None = None, **given: Any,
    ) -> Any:  # fmt: skip
        """One call, and what it did."""
        answer = self.server.call(method, path, body)
        row: dict[str, Any] = next(iter(answer.values()), {})
        made = int(row["creation_timestamp"]) if do in ("create model", "create version") else None
        assert made in (None, self.now), "the server has a clock of its own"
        if do == "create version":
            version = int(row["version"])
        updated = row.get("last_updated_timestamp")
        moment = None if updated is None else int(updated)
        event = Event(do, self.now, self.now, model, version, moment, made, given)
        self.truth.events.append(event)
        self.set_clock(self.now + self.rng.randint(700, 25_000))
        return answer

    def chance(self, probability: float) -> bool:
        """Whether something happens that does so often."""
        return self.rng.random() < probability

    def pick(self, chances: Chance) -> Any:
        """One of the values, by their weights; one of several spellings where it is a tuple."""
        (value,) = self.rng.choices([v for _, v in chances], [w for w, _ in chances])
        return self.rng.choice(value) if isinstance(value, tuple) else value

    def day(self, days: float = 0, *, style: str = "day") -> str:
        """A date as people write it, so many days from now."""
        when = local(self.now + round(days * DAY))
        if style == "moment":
            return when.replace(microsecond=0).isoformat()
        return when.date().isoformat()

    def tag_model(self, model: str, **tags: str) -> None:
        """Set tags of a model."""
        for key, value in tags.items():
            body = {"name": model, "key": key, "value": value}
            path = "registered-models/set-tag"
            self.do("tag model", "POST", path, body, model, None, **{key: value})

    def tag(self, model: str, version: int, **tags: str) -> None:
        """Set tags of a version."""
        for key, value in tags.items():
            body = {"name": model, "version": str(version), "key": key, "value": value}
            path = "model-versions/set-tag"
            self.do("tag version", "POST", path, body, model, version, **{key: value})

    def untag(self, model: str, version: int, key: str) -> None:
        """Remove a tag of a version."""
        body = {"name": model, "version": str(version), "key": key}
        self.do(
            "untag version", "DELETE", "model-versions/delete-tag", body, model, version, key=key
        )

    def stage(self, model: str, version: int, stage: str, *, archive: bool = False) -> None:
        """Move a version to a stage."""
        body = {
            "name": model, "version": str(version), "stage": stage,
            "archive_existing_versions": archive,
        }  # fmt: skip
        path = "model-versions/transition-stage"
        self.do("transition", "POST", path, body, model, version, stage=stage, archive=archive)

    def alias(self, model: str, alias: str, version: int | None) -> None:
        """Let an alias point at a version, or at none."""
        path, body = "registered-models/alias", {"name": model, "alias": alias}
        if version is None:
            self.do("delete alias", "DELETE", path, body, model, alias=alias)
        else:
            body["version"] = str(version)
            self.do("set alias", "POST", path, body, model, version, alias=alias)

    def delete_version(self, model: str, version: int) -> None:
        """Delete a version."""
        body = {"name": model, "version": str(version)}
        self.do("delete version", "DELETE", "model-versions/delete", body, model, version)

    def create_model(self, model: str) -> None:
        """Make a registered model."""
        text = self.pick(((2, "Prices of one line of business, GLM"), (1, "GLM"), (1, None)))
        given = {} if text is None else {"description": text}
        body = {"name": model, **given}
        self.do("create model", "POST", "registered-models/create", body, model, **given)

    def train(self, user: str) -> str:
        """Train a model: a run with what MLflow and the job's authors log. Gives its id."""
        start = self.now - self.rng.randint(600_000, 7_200_000)
        tags = {"mlflow.user": user}
        if self.chance(0.85):
            tags["mlflow.source.git.commit"] = f"{self.rng.getrandbits(160):040x}"
            dirty = self.pick(((2, None), (2, "false"), (1, "true")))
            if dirty:
                tags["mlflow.source.git.dirty"] = dirty
        body = {
            "experiment_id": "0", "user_id": user, "start_time": start,
            "tags": [{"key": key, "value": value} for key, value in tags.items()],
        }  # fmt: skip
        answer = self.do(
            "create run", "POST", "runs/create", body, user=user, start=start, tags=tags, run=""
        )
        run = str(answer["run"]["info"]["run_id"])
        self.truth.events[-1].given["run"] = run
        metrics = {
            "gini": round(self.rng.uniform(0.28, 0.55), 3),
            "rmse": self.rng.randint(80, 126),
        }
        params = {"link": "log", "seed": "7"} if self.chance(0.85) else {}
        body = {
            "run_id": run,
            "metrics": [
                {"key": key, "value": value, "timestamp": self.now, "step": 0}
                for key, value in metrics.items()
            ],
            "params": [{"key": key, "value": value} for key, value in params.items()],
        }
        self.do("log run", "POST", "runs/log-batch", body, run=run, metrics=metrics, params=params)
        self.log_data(run)
        end = self.now - (0 if self.chance(0.97) else 30_000_000)
        body = {"run_id": run, "status": "FINISHED", "end_time": end}
        self.do("end run", "POST", "runs/update", body, run=run, end=end)
        return run

    def log_data(self, run: str) -> None:
        """Log the data sets of a run, more or less as one should."""
        digest = f"{self.rng.getrandbits(32):08x}"
        shared = f"{self.rng.randint(1, 3):08x}"
        train = {
            "name": "policies",
            "digest": digest,
            "source": "s3://data/policies",
            "context": "training",
        }
        test = {
            "name": "holdout",
            "digest": shared,
            "source": "s3://data/holdout",
            "context": "test",
        }
        sets = self.pick((
            (6, [train, test]), (1, [train]), (1, [test]), (1, []),
            (1, [train, {**train, "context": "eval"}]), (1, [train, {**test, "digest": digest}]),
            (1, [train, {**test, "context": "validation"}]), (1, [{**train, "context": "train"}, {**test, "context": "holdout"}]),
        ))  # fmt: skip
        if not sets:
            return
        body = {
            "run_id": run,
            "datasets": [
                {
                    "tags": [{"key": "mlflow.data.context", "value": one["context"]}],
                    "dataset": {
                        "name": one["name"], "digest": one["digest"], "source_type": "s3", "source": one["source"],
                    },
                }
                for one in sets
            ],
        }  # fmt: skip
        self.do("log data", "POST", "runs/log-inputs", body, run=run, datasets=[])
        # A data set that is logged twice in one call has one context in MLflow: what the server tells counts.
        told = self.server.call("GET", f"runs/get?run_id={run}")["run"]["inputs"]["dataset_inputs"]
        self.truth.events[-1].given["datasets"] = [
            {
                **{key: one["dataset"][key] for key in ("name", "digest", "source")},
                "context": next(tag["value"] for tag in one["tags"]),
            }
            for one in told
        ]

    def create_version(self, model: str, run: str | None) -> int:
        """Register what a run made; or a file that nobody trained here."""
        given: dict[str, Any] = {"run": run}
        text = self.pick(((2, None), (1, "refit"), (1, "Refit on three more accident years")))
        if text:
            given["description"] = text
        body = {"name": model, "source": f"s3://models/{next(self.count)}", **given}
        if run is None:
            del body["run"]
        else:
            body["run_id"] = body.pop("run")
        self.do("create version", "POST", "model-versions/create", body, model, **given)
        version = self.truth.events[-1].version
        assert version is not None
        return version


Waits = Generator[int, None, None]


@dataclass
class Life:
    """One registered model, and the team that looks after it."""

    estate: Estate
    name: str
    quality: float
    way: str
    words: dict[str, str]
    live: list[int] = field(default_factory=list)
    aliased: int | None = None
    kept: list[int] = field(default_factory=list)
    untold: list[int] = field(default_factory=list)

    def good(self) -> bool:
        """Whether the team does this as it should."""
        return self.estate.chance(self.quality)

    def later(self, days: float) -> int:
        """A moment of an ordinary working day, mostly, so many days from now."""
        e = self.estate
        when = local(e.now + round(days * DAY))
        hour = (
            e.rng.choice((8, 9, 10, 11, 13, 14, 15, 16)) if e.chance(0.9) else e.rng.randint(0, 23)
        )
        when = when.replace(hour=hour, minute=e.rng.randint(0, 59), second=e.rng.randint(0, 59))
        while when.weekday() > 3 and e.chance(0.8):
            when += timedelta(days=1)
        return max(ms_of(when), e.now + 60_000)

    def describe(self, share: float = 1.0) -> None:
        """Set the tags of the model, or some of them anew."""
        e = self.estate
        for name, (tags, chances) in OF_MODELS.items():
            if not e.chance(share):
                continue
            if name == "model_id":
                chances = tuple((w, f"PM-{next(e.count)}" if v == "id" else v) for w, v in chances)
            value = chances[0][1] if self.good() else e.pick(chances)
            if isinstance(value, tuple):
                value = e.rng.choice(value)
            if value == "model":
                other = e.rng.choice(e.names)
                value = other if e.chance(0.6) else f"models:/{other}/{e.rng.randint(1, 4)}"
            if isinstance(value, int):
                value = e.day(value)
            if value is not None:
                e.tag_model(self.name, **{self.words.setdefault(name, e.rng.choice(tags)): value})

    def describe_version(self, version: int) -> None:
        """Set some of the fields that describe a model on one version, where they go first."""
        e = self.estate
        for name in e.rng.sample(
            ("owner", "purpose", "risk_rating", "thresholds", "retention", "inputs"), 2
        ):
            tags, chances = OF_MODELS[name]
            value = e.pick(chances)
            if isinstance(value, int):
                value = e.day(value)
            if value is not None:
                e.tag(self.name, version, **{e.rng.choice(tags): value})

    def word(self, name: str) -> str:
        """The tag this team uses for a field; now and then another."""
        tags = TAGS[name]
        chosen = self.words.setdefault(name, self.estate.rng.choice(tags))
        return chosen if self.estate.chance(0.95) else self.estate.rng.choice(tags)

    def play(self) -> Waits:
        """All that happens to the model."""
        e = self.estate
        e.create_model(self.name)
        e.names.append(self.name)
        self.describe()
        while True:
            yield from self.release()
            for _ in range(e.rng.randint(1, 3)):
                yield self.later(e.rng.uniform(15, 60))
                yield from self.between()
            if e.chance(0.02):
                yield from self.recreate()

    def release(self) -> Waits:
        """A new version, from training to whatever becomes of it."""
        e = self.estate
        user = (
            SERVICE
            if e.chance(0.15)
            else e.rng.choice(e.rng.choice((*DEVELOPERS, *DEVELOPERS, LEFT)))
        )
        run = None if e.chance(0.06) else e.train(user)
        version = e.create_version(self.name, run)
        self.kept.append(version)
        if e.chance(0.4):
            who = e.pick(
                ((5, DEVELOPERS[0]), (5, DEVELOPERS[1]), (1, "TBD"), (1, STRANGER), (1, SERVICE))
            )
            e.tag(self.name, version, **{self.word("developer"): who})
        if self.good():
            e.tag(self.name, version, **{self.word("change_reason"): f"CHG-{next(e.count)}"})
        if e.chance(0.7):
            kind = e.pick(((4, "minor"), (3, "major"), (1, "emergency"), (1, "large")))
            e.tag(self.name, version, **{"gov.change.class": kind})
        if e.chance(0.15):
            self.describe_version(version)
        if e.chance(0.1):
            return  # an experiment
        yield self.later(e.rng.uniform(0.2, 6))
        if self.good():
            self.validate(version)
            yield self.later(e.rng.uniform(0.2, 5))
        if e.chance(0.6):
            self.put_in_staging(version)
            yield self.later(e.rng.uniform(0.1, 4))
        approved = self.good()
        if approved:
            self.approve(version)
            if e.chance(0.7):
                yield self.later(e.rng.uniform(0.1, 5))
        before = list(self.live)
        self.go_live(version)
        yield from self.after(version, before, approved=approved)

    def put_in_staging(self, version: int) -> None:
        if self.way == "alias":
            self.estate.alias(self.name, "staging", version)
        else:
            self.estate.stage(self.name, version, "Staging", archive=self.estate.chance(0.3))

    def validate(self, version: int) -> None:
        """Record a validation, on the version or on its model."""
        e = self.estate
        who = e.rng.choice(VALIDATORS)
        result = e.pick(((5, "passed"), (2, "ok with findings")))
        when: str | None = e.day(
            -e.rng.choice((0, 0, 1)), style=e.pick(((3, "day"), (1, "moment")))
        )
        if not self.good():
            fault = e.rng.randint(0, 9)
            who = {0: "TBD", 1: STRANGER, 2: e.rng.choice(DEVELOPERS[0]), 3: SERVICE}.get(
                fault, who
            )
            result = {4: "failed", 5: None}.get(fault, result)
            when = {6: e.day(-400), 7: "12/08/2025", 8: None, 9: e.day(40)}.get(fault, when)
        tags = {"validator": who, "validation_date": when, "validation_result": result}
        stated = {self.word(name): value for name, value in tags.items() if value is not None}
        if e.chance(0.3):
            stated["gov.validation.next_due"] = e.day(e.rng.choice((90, 180, 364, 500)))
        if e.chance(0.85):
            e.tag(self.name, version, **stated)
        else:
            e.tag_model(self.name, **stated)

    def approve(self, version: int, *, back_to: float = 0.0) -> None:
        """Record an approval; `back_to` says how many days ago it is said to have been."""
        e = self.estate
        who = e.rng.choice(APPROVERS)
        when: str | None = e.day(-back_to, style=e.pick(((3, "day"), (1, "moment"))))
        decision = e.pick(((3, None), (2, "approved")))
        if not self.good():
            fault = e.rng.randint(0, 9)
            developer = e.rng.choice(e.rng.choice(DEVELOPERS))
            who = {0: "TBD", 1: STRANGER, 2: developer, 3: "svc-deploy", 4: "Vera Frei"}.get(
                fault, who
            )
            decision = {5: "rejected", 6: "pending"}.get(fault, decision)
            when = {7: "12.08.2025", 8: None, 9: e.day(20)}.get(fault, when)
        tags = {"approver": who, "approval_date": when, "decision": decision}
        stated = {self.word(name): value for name, value in tags.items() if value is not None}
        if e.chance(0.15):
            stated["gov.approval.until"] = e.day(e.rng.choice((60, 200, 600)))
        if e.chance(0.1):
            stated["gov.approval.conditions"] = e.pick(
                ((1, "monitor monthly"), (2, f"retrain by {e.day(e.rng.choice((50, 300)))}"))
            )
        if e.chance(0.95):
            e.tag(self.name, version, **stated)
        else:
            e.tag_model(self.name, **stated)

    def go_live(self, version: int) -> None:
        """Put a version to use, in the way of the team."""
        e = self.estate
        if self.way in ("stage", "both"):
            archive = e.chance(0.75)
            e.stage(self.name, version, "Production", archive=archive)
            if archive:
                self.live.clear()
            if version not in self.live:
                self.live.append(version)
        if self.way == "alias" or (self.way == "both" and e.chance(0.8)):
            e.alias(self.name, "champion", version)
            self.aliased = version

    def after(self, version: int, before: list[int], *, approved: bool) -> Waits:
        """What people do once a version is in use."""
        e = self.estate
        if not approved and e.chance(0.6):
            yield self.later(e.rng.uniform(0.5, 20))
            self.approve(version, back_to=e.rng.choice((0, 0, 15, 40)))
        if e.chance(0.06):
            yield self.later(e.rng.uniform(1, 40))
            e.tag(self.name, version, **{self.word("approver"): e.rng.choice(APPROVERS)})
        if e.chance(0.06):
            yield self.later(e.rng.uniform(1, 40))
            e.tag(self.name, version, **{self.word("approval_date"): e.day(-60)})
        if e.chance(0.08):
            yield self.later(e.rng.uniform(1, 40))
            self.validate(version)
        if approved and e.chance(0.05):
            yield self.later(e.rng.uniform(1, 40))
            key = self.words["approver"]
            if any(
                event.do == "tag version"
                and event.model == self.name
                and event.version == version
                and key in event.given
                for event in e.truth.events
            ):
                e.untag(self.name, version, key)
        if before and self.way != "alias" and e.chance(0.08):
            yield self.later(e.rng.uniform(0.5, 10))
            e.stage(self.name, before[-1], "Production", archive=True)
            self.live = [before[-1]]
            if e.chance(0.5):
                e.tag(self.name, version, **{"gov.rollback.reason": "prices jumped"})
        if len(self.kept) > 1 and self.way == "alias" and e.chance(0.08):
            yield self.later(e.rng.uniform(0.5, 10))
            self.aliased = self.kept[-2]
            e.alias(self.name, "champion", self.aliased)
        if e.chance(0.04) and version in self.kept and version != self.aliased:
            yield self.later(e.rng.uniform(2, 30))
            self.remove(version)
        if e.chance(0.03):
            yield self.later(e.rng.uniform(1, 30))
            self.lose_run(version)

    def lose_run(self, version: int) -> None:
        """Delete the run that made a version, where there is one."""
        e = self.estate
        runs = [
            event.given["run"] for event in e.truth.events
            if event.do == "create version" and event.model == self.name and event.version == version
        ]  # fmt: skip
        if runs and runs[-1]:
            run = runs[-1]
            e.do("delete run", "POST", "runs/delete", {"run_id": run}, run=run)

    def remove(self, version: int) -> None:
        """Delete a version, and sometimes say why."""
        e = self.estate
        e.delete_version(self.name, version)
        self.kept.remove(version)
        if version in self.live:
            self.live.remove(version)
        if self.aliased == version:
            self.aliased = None
        if e.chance(0.5):
            why = e.pick(((3, "superseded, never sold"), (1, "old")))
            e.tag_model(self.name, **{f"gov.version.{version}.deleted_reason": why})
        if e.chance(0.4):
            e.tag_model(self.name, **{f"gov.version.{version}.deleted_at": e.day()})

    def between(self) -> Waits:
        """What happens to a model in use: monitoring, new owners, old versions, second thoughts."""
        e = self.estate
        if self.good():
            status = e.pick(((4, "green"), (1, "TBD")))
            e.tag_model(
                self.name, **{"gov.monitoring.status": status, "gov.monitoring.date": e.day()}
            )
        if e.chance(0.4):
            self.describe(share=0.12)
        old = [v for v in self.kept if v not in self.live and v != self.aliased]
        if old and e.chance(0.25):
            version = e.rng.choice(old)
            e.tag(
                self.name, version,
                **{"gov.decommissioned_at": e.day(), "gov.decommission.reason": "replaced"},
            )  # fmt: skip
        if old and e.chance(0.08):
            self.remove(e.rng.choice(old))
        if len(self.live) > 1 and e.chance(0.6):
            version = self.live.pop(0)
            e.stage(self.name, version, "Archived")
        if self.live and e.chance(0.04):
            version = self.live.pop()
            e.stage(self.name, version, "Archived")
            if e.chance(0.5):  # taken out and put back, perhaps before anybody looks
                yield self.later(e.rng.uniform(0.5, 25))
                if version in self.kept:
                    e.stage(self.name, version, "Production")
                    self.live.append(version)
        if self.aliased and e.chance(0.03):
            e.alias(self.name, "champion", None)
            self.aliased = None
        if self.live and e.chance(0.05):
            version = e.rng.choice(self.live)
            body = {
                "name": self.name,
                "version": str(version),
                "description": "Reviewed, no change of use",
            }
            e.do(
                "describe version", "PATCH", "model-versions/update", body, self.name, version,
                description=body["description"],
            )  # fmt: skip

    def recreate(self) -> Waits:
        """Delete the model, and use its name again."""
        e = self.estate
        e.do("delete model", "DELETE", "registered-models/delete", {"name": self.name}, self.name)
        self.live, self.kept, self.aliased = [], [], None
        yield self.later(e.rng.uniform(0.1, 30))
        e.create_model(self.name)
        self.describe()
        if e.chance(0.5):
            e.tag_model(self.name, **{"gov.recreation.reason": "moved to a new pipeline"})


def play(
    server: MlflowServer, clock: Path, store: Path, seed: int
) -> tuple[Truth, dict[str, bytes]]:
    """Let all models live; gives what happened, and the store at the end of each quarter."""
    rng = random.Random(seed)
    estate = Estate(server, clock, rng)
    estate.set_clock(estate.now)
    waiting: list[tuple[int, int, Waits | None]] = []
    for number in range(MODELS):
        name = f"{LINES[number % len(LINES)]}-{PARTS[number // len(LINES)]}"
        quality = rng.choice((0.95, 0.85, 0.6))
        life = Life(estate, name, quality, rng.choice(("stage", "stage", "both", "alias")), {})
        began = ms_of(BEGIN) + round(rng.uniform(0, 300) * DAY)
        heapq.heappush(waiting, (began, number, life.play()))
    for number, moment in enumerate(READ_AT):
        heapq.heappush(waiting, (ms_of(moment), MODELS + number, None))
    copies: dict[str, bytes] = {}
    while len(copies) < len(READ_AT):
        due, number, life_of = heapq.heappop(waiting)
        if life_of is None:
            # Nothing happens in the second of a reading, which may come late as everything does.
            estate.set_clock(due + 1_000)
            copies[f"{estate.now}.db"] = copied(store)
            estate.set_clock(estate.now + 1_000)
            continue
        estate.set_clock(due)
        heapq.heappush(waiting, (next(life_of), number, life_of))
    return estate.truth, copies


def copied(store: Path) -> bytes:
    """The bytes of a copy of the store, made as one backs up a SQLite database."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "copy.db"
        with closing(sqlite3.connect(store)) as con, closing(sqlite3.connect(path)) as copy:
            con.backup(copy)
        return path.read_bytes()


def make(python: str, folder: Path, seed: int = 60) -> None:
    """Play on a new server and leave the stores, the truth and the settings in `folder`."""
    with tempfile.TemporaryDirectory(prefix="auditreg-estate-") as temporary:
        work = Path(temporary)
        clock = work / "clock"
        clock.write_text(str(ms_of(BEGIN)))
        config = Path(__file__).with_name("clocked.py")
        with MlflowServer(
            work, f"sqlite:///{work / 'mlflow.db'}", python=python,
            options=["--gunicorn-opts", f"--config {config} --timeout 600"],
            settings={CLOCK: str(clock), "PATH": f"{Path(python).parent}:/usr/bin:/bin", "GIT_PYTHON_REFRESH": "quiet"},
        ) as server:  # fmt: skip
            truth, copies = play(server, clock, work / "mlflow.db", seed)
    folder.mkdir(parents=True, exist_ok=True)
    truth.save(folder / TRUTH)
    (folder / SETTINGS).write_text(SETTINGS_TEXT, encoding="utf-8")
    bundle = io.BytesIO()
    with tarfile.open(fileobj=bundle, mode="w") as archive:
        for name, content in copies.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    # One window over all copies: each holds most of the one before.
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 9, "dict_size": 1 << 27}]
    (folder / STORES).write_bytes(lzma.compress(bundle.getvalue(), filters=filters))


def unpacked(folder: Path) -> tuple[dict[int, Path], Truth, str]:
    """The kept stores by the moment of their reading in milliseconds, what really happened, and the settings."""
    with lzma.open(DATA / STORES) as packed, tarfile.open(fileobj=packed) as archive:
        archive.extractall(folder, filter="data")
    stores = {int(path.stem): path for path in sorted(folder.glob("[0-9]*.db"))}
    return stores, Truth.load(DATA / TRUTH), (DATA / SETTINGS).read_text(encoding="utf-8")


if __name__ == "__main__":
    make(interpreter(ORDINARY), Path(sys.argv[1]) if len(sys.argv) > 1 else DATA)
