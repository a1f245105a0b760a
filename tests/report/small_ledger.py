"""A small ledger, for the tests of reports.

Eight models with some 25 versions and three readings, written into the log as entries, so that the
ledger's own views and `_as_of` macros answer. No registry, no rules.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import duckdb

from auditreg.config import Config, parse_config
from auditreg.ledger.settings import create_state

READINGS = (datetime(2026, 6, 28, 2), datetime(2026, 8, 15, 2), datetime(2026, 9, 30, 22, 55))
KINDS = (
    "registered_model,registered_model_tag,model_version,model_version_tag,alias,experiment,run,"
    "logged_model,model_artifact"
)
COUNTS = {
    "registered_models": [8, 8],
    "model_versions": [25, 25],
    "model_version_tags": [0, 0],
    "runs": [61, 25],
}
HOSTILE = "<script>document.title='owned'</script> **b** \u202egnp.tpircs\u2066 {{ 1111*7 }}"
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
CONFIG = """
[calendar]
timezone = "Europe/London"
[report]
entity = "Northmoor Mutual Insurance Society"
title = "Model inventory and change record"
prepared_by = "Model Risk, pricing"
addressee = "The supervisor"
"""


DOUBT = "the server showed 24 versions and counted 25 <b>x</b>\u202e"


@dataclass
class Ledger:
    """A ledger in memory, written entry by entry."""

    connection: duckdb.DuckDBPyConnection
    seq: int = 0
    heads: dict[tuple[str, str], dict] = field(default_factory=dict)

    def close(self):
        """What is put into the file at the end."""

    def before(self, number, names):
        """What happens before a reading; the names the models have by then."""
        return names

    def put(self, kind, subject, body, at, *, told=None, **columns):
        """One entry, unless it says what the last one of the subject said."""
        entry = {"kind": kind, "op": columns.pop("op", "put"), "subject": subject, "body": body}
        entry |= {key: columns[key] for key in ("model", "version") if key in columns}
        if self.heads.get((kind, subject)) == entry:
            return
        self.heads[kind, subject] = entry
        if told:
            entry = {**entry, "body": {**body, "journal": told}}
        text = json.dumps(entry)
        row = {
            "seq": self.seq,
            "entry": text,
            "leaf": hashlib.sha256(text.encode()).digest(),
            "recorded_at": at + timedelta(minutes=1),
            "source": "sql",
            "kind": kind,
            "op": entry["op"],
            "subject": subject,
            "registry": "default",
            "workspace": "default",
            "observed_at": at,
            "grade": "observed",
            "fingerprint": hashlib.sha256(text.encode()).hexdigest(),
            **columns,
        }
        names = ", ".join(row)
        marks = ", ".join("?" * len(row))
        self.connection.execute(
            f"insert into ledger.log ({names}) values ({marks})", list(row.values())
        )
        self.seq += 1

    def reading(self, at, complete=True, journal=None, doubts=(), counts=None):
        """Closes a reading: what `extractions` holds."""
        self.connection.execute(
            "insert into extractions by name select ? as seq, 'default' as registry, "
            "'sql' as source, 'postgresql://mlflow-replica.internal/mlflow' as location, "
            "? as started_at, ? as observed_at, ? as recorded_at, '3.17.2' as mlflow_version, "
            "'a1b2c3d4' as schema_version, ? as kinds, ? as complete, ? as doubts, ? as counts, "
            "? as left_out, ? as cannot_show, ? as appended, 1 as passes, '0.1.0' as tool_version, "
            "'p0' as policy, ? as tree_size, ? as root, ? as journal, 180 as clock_offset_ms, "
            "false as restored, ? as asked, 3 as gaps, 2 as tombstones",
            [
                self.seq,
                at - timedelta(minutes=2),
                at,
                at + timedelta(minutes=1),
                KINDS,
                complete,
                json.dumps(doubts),
                json.dumps(counts or COUNTS),
                json.dumps(["36 runs that no version and no data set points to"]),
                json.dumps(
                    ["Without a journal on the server nobody's name is known for a change."]
                ),
                self.seq,
                self.seq,
                hashlib.sha256(str(self.seq).encode()).hexdigest(),
                journal,
                json.dumps({"runs": "linked", "artifacts": "all", "manifest": "no"}),
            ],
        )


class Doubtful(Ledger):
    """A ledger whose last reading, through a server that counts nothing, left doubts."""

    def reading(self, at, **options):
        if at == READINGS[-1]:
            options |= {"complete": False, "doubts": [DOUBT]}
            options["counts"] = {"registered_models": [None, 8], "model_versions": [None, 24]}
        super().reading(at, **options)


def millis(at):
    return int((at - datetime(1970, 1, 1)).total_seconds() * 1000)


def subject_of(index):
    return f"m-{hashlib.sha256(str(index).encode()).hexdigest()[:16]}"


SIGNATURE = [
    {"type": "string", "name": "vehicle_group", "required": True},
    {"type": "long", "name": "driver_age", "required": True},
    {"type": "double", "name": "annual_mileage", "required": True},
    {"type": "long", "name": "no_claims_years", "required": True},
    {"type": "string", "name": "overnight_postcode_sector", "required": False},
]


def build(names=NAMES, hostile=False, kind=Ledger):
    """A connection to a ledger with eight models; `hostile` gives one of them a hostile name."""
    connection = duckdb.connect()
    create_state(
        connection,
        {"timezone": "Europe/London", "live.aliases": ["champion"], "live.stages": ["Production"]},
    )
    ledger = kind(connection)
    if hostile:
        names = (*names[:-1], HOSTILE)
    for number, at in enumerate(READINGS):
        names = ledger.before(number, names)
        for index, name in enumerate(names):
            _model(ledger, index, name, number, at, hostile)
        ledger.reading(at)
    ledger.close()
    return connection


def _model(ledger, index, name, number, at, hostile):
    subject = subject_of(index)
    created = datetime(2025, 1, 10, 9) + timedelta(days=40 * index)
    if index == 6:
        created = datetime(2026, 7, 20, 10)  # new in the period
        if at < created:
            return
    where = {"model": name, "created_at": created}
    ledger.put(
        "registered_model",
        subject,
        {
            "description": f"{name}: expected cost per policy year. "
            + ("<b>bold</b> **md**" * hostile),
            "creation_time": millis(created),
            "last_updated_time": millis(created),
        },
        at,
        **where,
    )
    tags = {
        "gov.model_id": f"NM-{100 + index}",
        "gov.owner": ("Helen Marsh", "Tom Ellery", "Priya Nair")[index % 3],
        "gov.purpose": "Technical price of new business and renewals",
        "gov.risk.rating": ("high", "medium", "low")[index % 3],
        "gov.origin": "in-house",
        "gov.approved_uses": "Quotes through all channels in the United Kingdom",
        "gov.limitations": "Fleets of more than five vehicles are excluded",
    }
    if index in (3, 7):
        del tags["gov.owner"]
    if index == 5:
        del tags["gov.risk.rating"]
    if number == 2 and index == 1:
        tags["gov.owner"] = "Asha Verma"
    for key, value in tags.items():
        ledger.put(
            "registered_model_tag",
            f"{subject}:tag:{key}",
            {"key": key, "value": value},
            at,
            **where,
        )
    versions = VERSIONS[index]
    shown = versions if number == 2 else max(1, versions - (2 - number))
    for version in range(1, shown + 1):
        _version(ledger, index, name, version, shown, number, at)


def _version(ledger, index, name, version, newest, number, at):
    subject = subject_of(index)
    mine = f"{subject}/{version}"
    first_seen = max(0, version - VERSIONS[index] + 2) if version > 1 or index == 6 else 0
    created = READINGS[first_seen] - timedelta(days=9 + index, hours=12)
    if first_seen == 0:
        created -= timedelta(days=95 * max(0, VERSIONS[index] - 2 - version))
    run = hashlib.sha256(mine.encode()).hexdigest()[:32]
    where = {"model": name, "version": version, "created_at": created}
    live = version == newest and not (index == 7 and number == 2) and index != 4
    gone = index == 2 and version == 1 and number == 2
    ledger.put(
        "model_version",
        mine,
        {
            "description": "Refit on claims to the end of the quarter" if version > 1 else None,
            "stage": "Deleted_Internal"
            if gone
            else ("Production" if live and index == 3 else "None"),
            "run_id": None if gone else run,
            "source": f"s3://models/{name}/{version}",
            "user_id": None,
            "status": "READY",
            "creation_time": millis(created),
            "last_updated_time": millis(created),
        },
        at,
        **where,
    )
    if gone:
        return
    tags = {
        "gov.change.reason": "Quarterly refit",
        "gov.validator": "Samuel Osei",
        "gov.validation.date": f"2026-0{1 + (index + version) % 8}-14",
        "gov.approval.by": "Ingrid Solberg",
        "gov.approval.at": (created + timedelta(days=6)).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "gov.approval.decision": "approved",
    }
    if (index + version) % 3 == 0:
        tags = {"gov.change.reason": "Quarterly refit"}
    for key, value in tags.items():
        ledger.put(
            "model_version_tag", f"{mine}:tag:{key}", {"key": key, "value": value}, at, **where
        )
    if live and index != 3:
        ledger.put("alias", f"{subject}:alias:champion", {"alias": "champion"}, at, **where)
    if index == 7 and number == 2 and version == newest:
        ledger.put(
            "alias", f"{subject}:alias:champion", {"alias": "champion"}, at, op="gone", **where
        )
    ledger.put(
        "run",
        f"r-{run}",
        {
            "run_id": run,
            "experiment_id": str(index),
            "name": f"refit-{version}",
            "user_id": "svc-train",
            "status": "FINISHED",
            "start_time": millis(created - timedelta(hours=3)),
            "end_time": millis(created),
            "lifecycle_stage": "active",
            "artifact_uri": "s3://models",
            "params": [{"key": "max_depth", "value": "6"}],
            "metrics": [
                {"key": key, "value": value, "timestamp": millis(created), "step": 0}
                for key, value in (("gini", 0.31 + index / 100), ("deviance", 0.482), ("mae", 41.2))
            ],
            "tags": [{"key": "mlflow.source.git.commit", "value": run[::-1] + "00112233"}],
            "datasets": [
                {
                    "name": f"{name}-claims",
                    "digest": run[:8],
                    "context": "training",
                    "source_type": "s3",
                    "source": f"s3://data/{name}/claims.parquet",
                    "schema": None,
                    "profile": None,
                },
                {
                    "name": f"{name}-holdout",
                    "digest": run[8:16],
                    "context": "test",
                    "source_type": "s3",
                    "source": f"s3://data/{name}/holdout.parquet",
                    "schema": None,
                    "profile": None,
                },
            ][: 2 if index != 5 else 0],
        },
        at,
    )
    ledger.put(
        "model_artifact",
        f"{mine}:artifact",
        {
            "location": f"s3://models/{name}/{version}",
            "state": "read",
            "mlmodel_sha256": hashlib.sha256(mine.encode()).hexdigest(),
            "signature_inputs": json.dumps(SIGNATURE) if index != 1 else None,
            "signature_outputs": json.dumps([{"type": "double", "name": "price"}]),
            "flavors": json.dumps({"sklearn": {}, "python_function": {}}),
            "requirements": "[]",
            "python_version": "3.11.9",
            "mlflow_version": "3.17.2",
            "model_size_bytes": 184320,
            "run_id": run,
        },
        at,
        **where,
    )


def config() -> Config:
    from pathlib import Path

    return parse_config(CONFIG, Path("auditreg.toml"))
