"""The small ledger with a server that recorded its changes from August on, and imported records.

What the last reading shows was recorded by the server as it happened, but for two changes made past
it; the server was off for a night, and restarted once. Other systems stated two changes, and what
three engines ran.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import small_ledger
from small_ledger import READINGS, Ledger, millis, subject_of

from auditreg.ledger import schema

JOURNAL = "journal-5b1f0c2a9d3e"
AUGUST, SEPTEMBER = datetime(2026, 8, 25, 2), datetime(2026, 9, 12, 2)
KINDS = ("registered_model", "registered_model_tag", "model_version", "model_version_tag", "alias")
RENAMED = "van-frequency-2026"
OFF = (datetime(2026, 8, 20, 1), datetime(2026, 8, 20, 5, 30))
RESTART = (datetime(2026, 9, 3, 2), datetime(2026, 9, 3, 2, 1, 30))
APPROVER = ("ingrid.solberg", "basic-auth")


class Recorded(Ledger):
    """A ledger whose later entries the server recorded itself."""

    def __init__(self, connection):
        super().__init__(connection)
        self.rows = 0
        self.pending = []

    def before(self, number, names):
        if number != 2:
            return names
        self.note("start", datetime(2026, 8, 16, 8), "p1")
        self.note("stop", OFF[0], "p1")
        self.note("start", OFF[1], "p2")
        super().reading(AUGUST, journal=JOURNAL)
        self.note("stop", RESTART[0], "p2")
        self.note("start", RESTART[1], "p3")
        self.past_the_server(names)
        super().reading(SEPTEMBER, journal=JOURNAL)
        self.rename(4, RENAMED, datetime(2026, 9, 13, 10, 15))
        return (*names[:4], RENAMED, *names[5:])

    def past_the_server(self, names):
        """Two changes that only the reading of September shows."""
        rated = {"key": "gov.risk.rating", "value": "low"}
        subject = f"{subject_of(0)}:tag:gov.risk.rating"
        super().put("registered_model_tag", subject, rated, SEPTEMBER, **self.where(0, names[0]))
        alias, subject = {"alias": "champion"}, f"{subject_of(5)}:alias:champion"
        super().put("alias", subject, alias, SEPTEMBER, **self.where(5, names[5]), version=1)

    @staticmethod
    def where(index, name):
        return {"model": name, "created_at": datetime(2025, 1, 10, 9) + timedelta(days=40 * index)}

    def rename(self, index, name, at):
        """One request that moves the model's row and those of its children."""
        for (kind, subject), head in list(self.heads.items()):
            if kind in KINDS and subject.replace(":", "/").split("/")[0] == subject_of(index):
                columns = self.where(index, name)
                if head.get("version") is not None:
                    columns["version"] = head["version"]
                self.tell(
                    kind, subject, head["body"], at, "rename", ("asha.verma", "proxy"), **columns
                )

    def note(self, operation, at, process):
        """A start or a stop of a server process."""
        self.rows += 1
        info = '{"capture":"0.1.0","mlflow":"3.17.2","host":"mlflow-1","pid":71,"mode":"strict"}'
        told = {"operation": operation, "process": process, "info": info}
        super().put(
            "capture", "capture:default", {}, max(at, READINGS[0]), told=told, op="event",
            valid_at=at, source=JOURNAL, grade="captured", journal=self.rows,
        )  # fmt: skip
        del self.heads["capture", "capture:default"]

    def tell(self, kind, subject, body, at, request, who, **columns):
        """An entry that the server recorded at that moment."""
        if self.heads.get((kind, subject), {}).get("body") == body and request != "rename":
            return
        told = {"operation": "update", "request": request, "process": "p3", "actor_from": who[1]}
        self.heads[kind, subject] = {"body": body, "version": columns.get("version")}
        columns |= {"told": told, "valid_at": at, "actor": who[0]}
        self.pending.append((at, len(self.pending), kind, subject, body, columns))

    def seal(self):
        """What the server recorded, in the order in which it happened."""
        for _, _, kind, subject, body, columns in sorted(self.pending, key=lambda one: one[:2]):
            self.rows += 1
            self.heads.pop((kind, subject), None)
            super().put(
                kind, subject, body, READINGS[2], source=JOURNAL, grade="captured",
                journal=self.rows, **columns,
            )  # fmt: skip

    def put(self, kind, subject, body, at, **columns):
        if at != READINGS[2] or kind not in KINDS:
            super().put(kind, subject, body, at, **columns)
            return
        created = columns["created_at"]
        known = (kind, subject) in self.heads
        owner = subject.partition(":")[0]
        if kind == "registered_model" and known:
            return
        if kind == "alias":
            gone = columns.get("op") == "gone"
            when = datetime(2026, 9, 29, 7, 5) if gone else created + timedelta(days=7, hours=3)
            if (
                self.heads.get((kind, subject), {}).get("version") == columns["version"]
                and not gone
            ):
                return
            del self.heads[kind, subject]
            self.tell(kind, subject, body, when, f"alias {subject}", APPROVER, **columns)
        elif kind == "model_version" and body["stage"] == "Deleted_Internal":
            when = datetime(2026, 9, 25, 15, 40)
            self.tell(
                kind, subject, body, when, f"delete {owner}", ("helen.marsh", "proxy"), **columns
            )
        elif kind == "model_version" and (known or body["stage"] == "Production"):
            if not known:
                self.register(kind, subject, {**body, "stage": "None"}, created, owner, columns)
            when = datetime(2026, 9, 26, 9, 30)
            self.tell(
                kind,
                subject,
                body,
                when,
                f"stage {subject[:18]}",
                ("tom.ellery", "plugin"),
                **columns,
            )
        elif kind == "registered_model_tag" and known:
            when = datetime(2026, 9, 20, 16, 12)
            self.tell(kind, subject, body, when, f"tag {subject}", (None, None), **columns)
        else:
            self.register(kind, subject, body, created, owner, columns)

    def register(self, kind, subject, body, created, owner, columns):
        self.tell(
            kind, subject, body, created, f"register {owner}", ("svc-train", "program"), **columns
        )

    def reading(self, at, complete=True, journal=None):
        if at == READINGS[2]:
            self.seal()
        super().reading(at, complete, JOURNAL if at > READINGS[1] else None)

    def close(self):
        """Imported records, and the tables the ledger keeps of all of it."""
        self.state(
            "registered in the change system", datetime(2026, 8, 11, 9), "approval", None, "granted"
        )
        self.state(
            "moved by hand in the vendor's console",
            datetime(2026, 9, 2, 17),
            "stage",
            "Staging",
            "Production",
        )
        self.deploy("Radar Live", 0, 3, datetime(2026, 8, 18, 4))
        self.deploy("Radar Live", 1, 3, datetime(2026, 9, 28, 4))
        self.deploy("batch-renewals", 0, 2, datetime(2026, 7, 12, 4), datetime(2026, 8, 18, 4))
        for tables, names in (
            (schema.event_tables(), ("journal", "history_records")),
            (schema.last_tables(), ("deployments",)),
        ):
            for name in names:
                text = tables[name][1].replace("{log}", "ledger.log")
                self.connection.execute(f"insert into {name} by name {text}")

    def state(self, note, at, what, before, after):
        subject = subject_of(0)
        body = {
            "about": f"{subject}/3", "what": what, "before": before, "after": after,
            "system": "ServiceNow", "reference": "CHG-4711", "note": note,
        }  # fmt: skip
        super().put(
            "history_record", f"h-{self.seq}", body, at, op="event", valid_at=at, actor="Leonie Brandt",
            grade="asserted", source="history.jsonl", model=small_ledger.NAMES[0], version=3,
        )  # fmt: skip

    def deploy(self, system, index, version, at, until=None):
        body = {"system": system, "environment": "production"}
        if until:
            body["until_ms"] = millis(until)
        super().put(
            "deployment", f"d-{self.seq}", body, at, valid_at=at, grade="asserted",
            source="deployments.jsonl", model=small_ledger.NAMES[index], version=version,
        )  # fmt: skip
