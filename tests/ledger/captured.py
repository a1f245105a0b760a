"""A registry under capture: every change writes rows to a journal, as the server does.

`CapturedRegistry` notices itself which of MLflow's rows an operation changed and keeps that as
`changes`, the truth the tests judge by. While capture is on, each is a row of the journal too, with
the whole row before and after it. Capture can be switched off, its server killed, rows missed or
pruned, the journal dropped; rows change behind MLflow's back; a transaction may commit long after
the server wrote its time and took its numbers; servers' clocks may differ from the reader's.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tests.ledger.histories import NAMES, happen
from tests.ledger.reading import START, MemoryReading, Registry, Rows

Image = Mapping[str, Any]
"""A row of MLflow's database, all columns by name."""


@dataclass(frozen=True, slots=True)
class Row:
    """Which row of the registry: its model by creation time, which a rename does not change."""

    kind: str
    model: int
    version: int | None = None
    item: str | None = None


TABLES = {
    "registered_model": "registered_models",
    "registered_model_tag": "registered_model_tags",
    "model_version": "model_versions",
    "model_version_tag": "model_version_tags",
    "alias": "registered_model_aliases",
}


@dataclass(frozen=True, slots=True)
class Change:
    """What one transaction did to one row.

    `began` to `when` is how long it took, on the reader's clock; `served` is the server's time.
    `order` counts transactions as they committed. `journal` is the id of the journal and of the
    row in it; None where nothing recorded it. `how` is `mlflow`, `missed` or `tamper`.
    """

    row: Row
    before: Image | None
    after: Image | None
    order: int
    began: int
    when: int
    served: int
    how: str
    actor: str | None
    request: str | None
    journal: tuple[str, int] | None


@dataclass(frozen=True, slots=True)
class Look:
    """A reading, and what the test knows of it.

    `order` is that of the last transaction it shows, `moment` when that was so. `journal_ids` are
    the rows of the journal it shows; `rows` those of the registry. `restored` is a backup's.
    """

    reading: MemoryReading
    order: int
    moment: int
    rows: Mapping[Row, Image]
    journal_ids: frozenset[int]
    restored: bool

    @property
    def started(self) -> int:
        """When it began."""
        return self.reading.started_at

    @property
    def at(self) -> int:
        """When it ended: the moment the ledger knows it by."""
        return self.reading.ended_at

    @property
    def complete(self) -> bool:
        """Whether what it does not show was not there."""
        return self.reading.completeness().complete

    def hides(self, row: Row) -> bool:
        """Whether it could not show a row although it was there: of a deleted version."""
        return not self.reading.info.shows_deleted and row.version is not None


class CapturedRegistry(Registry):
    """A registry whose server may be under capture.

    Args:
        offsets: how far the clock of each server is ahead of the reader's, in milliseconds.
    """

    def __init__(self, start: int = START, *, offsets: Sequence[int] = (0,)) -> None:
        super().__init__(start)
        self.offsets = tuple(offsets)
        self.server = 0
        self.actor: str | None = "alice"
        self.actor_from: str = "basic-auth"
        self.changes: list[Change] = []
        self.looks: list[Look] = []
        self.off: list[tuple[int, int | None]] = [(start, None)]
        self.declared: set[int] = set()
        self.missed: list[int] = []
        self.journal: str | None = None
        self.rows_of_journal: list[dict[str, Any]] = []
        self._images: dict[Row, Image] = {}
        self._order = self._made = self._next_id = 0
        self._processes: list[str] = []
        self._how = "mlflow"
        self._begun: tuple[int, int | None] | None = None
        self._held: tuple[tuple[Any, ...], int, bool, int] | None = None

    # What the server does.

    @property
    def capturing(self) -> bool:
        """Whether changes are recorded now."""
        return self.off[-1][1] is not None

    def _begin(self) -> int:
        if self._begun is not None:
            return self._begun[0] + self.offsets[self.server]
        fresh = bool(self.looks) and self.looks[-1].at == self.clock
        return self.wait(max(self.tick, int(fresh))) + self.offsets[self.server]

    def create(self, name: str, **tags: str) -> Any:
        """Register a model; no two are created in one millisecond, it is what tells them apart."""
        used = {change.row.model for change in self.changes}
        while self._begun is None and self.clock + self.tick + self.offsets[self.server] in used:
            self.wait(1)
        return super().create(name, **tags)

    def _done(self) -> None:
        super()._done()
        now = self.images()
        self._order += 1
        began, first_id = self._begun or (self.clock, None)
        served = (self.clock if first_id is None else began) + self.offsets[self.server]
        captured = self.capturing and self._how == "mlflow"
        request = self._new("request") if captured else None
        done = []
        for row in {**self._images, **now}:
            before, after = self._images.get(row), now.get(row)
            if before != after:
                made = Change(
                    row=row,
                    before=before,
                    after=after,
                    order=self._order,
                    began=began,
                    when=self.clock,
                    served=served,
                    how=self._how,
                    actor=self.actor,
                    request=request,
                    journal=None,
                )
                if captured:
                    made = replace(made, journal=self._record(made, first_id))
                    first_id = None if first_id is None else first_id + 1
                done.append(made)
        self.changes += done
        self._images = now
        if self._how == "missed" and done:
            self._lifecycle("missed", {"count": len(done), "error": "OperationalError"})
            self.missed.append(self.clock)

    def _record(self, change: Change, number: int | None) -> tuple[str, int]:
        image = change.before if change.after is None else change.after
        assert image is not None
        operations = {(True, False): "insert", (False, False): "update", (False, True): "delete"}
        return self._write(
            number,
            server_time=change.served,
            request=change.request,
            operation=operations[change.before is None, change.after is None],
            table_name=TABLES[change.row.kind],
            workspace="default",
            name=image["name"],
            version=image.get("version"),
            item=image.get("key", image.get("alias")),
            model_created=change.row.model,
            before_row=None if change.before is None else json.dumps(change.before),
            after_row=None if change.after is None else json.dumps(change.after),
            actor=change.actor,
            actor_from=None if change.actor is None else self.actor_from,
            path="/api/2.0/mlflow/model-versions/transition-stage",
            method="POST",
            client="10.0.0.7",
        )

    def _write(self, number: int | None = None, **row: Any) -> tuple[str, int]:
        assert self.journal is not None
        if number is None:
            number, self._next_id = self._next_id, self._next_id + 1
        process = self._processes[self.server] if self._processes else "none"
        self.rows_of_journal.append({"process": process, **row, "id": number})
        return self.journal, number

    def _lifecycle(self, operation: str, content: Mapping[str, Any], server: int = 0) -> None:
        self._write(
            server_time=self.clock + self.offsets[server],
            request=self._new("request"),
            process=self._processes[server] if self._processes else self._new("process"),
            operation=operation,
            after_row=json.dumps(content),
        )

    def _new(self, what: str) -> str:
        self._made += 1
        return f"{what}-{self._made:08}"

    # Capture on, off, and what becomes of the journal.

    def capture(self) -> None:
        """Start servers with capture; the first makes the journal.

        Ten minutes after they ended: a shorter while may pass for their restart.
        """
        if self.capturing:
            return
        self.wait(max(self.tick, 1) if len(self.off) == 1 else 600_000)
        if self.journal is None:
            self.journal = hashlib.md5(self._new("journal").encode()).hexdigest()
            self.rows_of_journal = []
            self._next_id = 1
            self._lifecycle("journal", {"journal": self.journal})
        self._processes = [self._new("process") for _ in self.offsets]
        for server in range(len(self.offsets)):
            content = {"capture": "1.0", "mlflow": "3.17.2", "mode": "strict", "pid": server + 7}
            self._lifecycle("start", content, server)
        self.off[-1] = (self.off[-1][0], self.clock)

    def stop(self, how: str) -> None:
        """End the servers with capture: `stop`, `off` (started again without) or `kill`."""
        if not self.capturing:
            return
        self.release()
        self.wait(max(self.tick, 1))
        for server in range(len(self.offsets) if how != "kill" else 0):
            self._lifecycle("stop", {"how": "exit"}, server)
        self._processes = []
        if how == "off":
            self._lifecycle("off", {"capture": "1.0", "pid": 9})
        self.off.append((self.clock, None))
        if how != "kill":
            self.declared.add(self.clock)

    def drop(self) -> None:
        """Kill the servers and drop the journal."""
        self.stop("kill")
        self.journal, self.rows_of_journal = None, []

    def prune(self) -> None:
        """Delete the rows that the last ordinary reading of this journal showed."""
        look = next((x for x in reversed(self.looks) if not x.restored and x.reading.journal), None)
        if not self.capturing or look is None or look.reading.journal != self.journal:
            return
        self.wait(max(self.tick, 1))
        kept = [
            row
            for row in self.rows_of_journal
            if row["operation"] == "journal" or row["id"] not in look.journal_ids
        ]
        gone = len(self.rows_of_journal) - len(kept)
        ids = sorted(look.journal_ids - {row["id"] for row in kept})
        self.rows_of_journal = kept
        self._lifecycle("prune", {"ranges": [[n, n] for n in ids], "rows": gone})

    def declared_off(self, ms: int) -> bool:
        """Whether the journal itself says that capture was off then."""
        spans = [self.off[0], *(span for span in self.off[1:] if span[0] in self.declared)]
        return any(a <= ms and (b is None or ms < b) for a, b in spans)

    def roll_back(self, number: int) -> None:
        """A transaction that took numbers and left nothing."""
        self._next_id += number

    # Transactions that commit late, changes behind MLflow's back.

    def hold(self, step: tuple[Any, ...], early: bool) -> None:
        """Let a transaction begin; `early`: it takes its time and numbers now, not at its end."""
        if self._held is None:
            self._held = (step, self.wait(max(self.tick, 1)), early, self._next_id)
            self._next_id += 50 if early else 0

    @property
    def held(self) -> tuple[Any, ...]:
        """What happens in the transaction that is open; empty where none is."""
        return self._held[0] if self._held else ()

    def release(self) -> None:
        """Commit what is held."""
        if self._held is None:
            return
        step, began, early, first_id = self._held
        self._held = None
        self.wait(max(self.tick, 1))
        self._begun = (began, first_id if early and self.capturing else None)
        self.do(step)
        self._begun = None

    def miss(self, step: tuple[Any, ...]) -> None:
        """Let something happen that best-effort capture fails to record."""
        self._how = "missed" if self.capturing else "mlflow"
        self.do(step)
        self._how = "mlflow"

    def tamper(self, step: tuple[Any, ...], *, moves: bool) -> None:
        """Change one row by SQL; `moves`: its update time too."""
        what, name, number, *rest = step
        if name not in self.models or name in self.held:
            return
        model = self.models[name]
        version = model.versions.get(number) if number is not None else None
        if what != "alias" and number is not None and (version is None or version.deleted):
            return
        now = self.wait(max(self.tick, 1))
        self._how = "tamper"
        if what == "tag":
            tags = model.tags if version is None else version.tags
            tags.pop(rest[0], None)
            if rest[1] is not None:
                tags[rest[0]] = rest[1]
        elif what == "alias":
            model.aliases.pop(rest[0], None)
            if version is not None and not version.deleted:
                model.aliases[rest[0]] = version.number
        else:
            row = model if version is None else version
            if what == "stage" and version is not None:
                version.stage = rest[0]
            else:
                row.description = rest[0]
            row.updated = now if moves else row.updated
        self._done()
        self._how = "mlflow"

    def do(self, step: tuple[Any, ...]) -> None:
        """Let one thing happen, unless its rows are locked."""
        if not set(self.held) & set(step) & set(NAMES):
            happen(self, step)

    # What can be read of it.

    def images(self) -> dict[Row, Image]:
        """Every row of MLflow's database as it stands."""
        rows, found = self.rows(), {}
        born = {name: model.created for name, model in self.models.items()}
        for kind, table in TABLES.items():
            for staged in rows["aliases" if kind == "alias" else table]:
                image = {"workspace": "default", "name": staged["model"]}
                image |= {k: v for k, v in staged.items() if k not in ("workspace", "model")}
                if kind == "model_version":
                    image["current_stage"] = image.pop("stage")
                    image |= dict.fromkeys(("user_id", "run_link", "status_message"))
                item = staged.get("key", staged.get("alias"))
                number = None if kind == "alias" else staged.get("version")
                found[Row(kind, born[staged["model"]], number, item)] = image
        return found

    def _shown(
        self, *, shows_deleted: bool, left_out: Sequence[int]
    ) -> tuple[Rows, dict[Row, Image]]:
        rows, images = self.rows(), self.images()
        gone = {
            (m, n)
            for m, model in self.models.items()
            for n, v in model.versions.items()
            if v.deleted
        }
        if not shows_deleted:
            for table in ("model_versions", "model_version_tags"):
                rows[table] = [r for r in rows[table] if (r["model"], r["version"]) not in gone]
            images = {r: i for r, i in images.items() if (i["name"], r.version) not in gone}
        if left_out:
            tags = {"model_version_tags": "model_version_tag", "aliases": "alias"}
            for table, kind in tags.items():
                rows[table] = [r for n, r in enumerate(rows[table]) if n not in left_out]
                kept = {
                    (r["model"], r.get("key", r.get("alias")), r["version"]) for r in rows[table]
                }
                images = {
                    r: i
                    for r, i in images.items()
                    if r.kind != kind or (i["name"], r.item, i["version"]) in kept
                }
        return rows, images

    def look(
        self,
        *,
        started: int | None = None,
        journal: bool = True,
        shows_deleted: bool = True,
        left_out: Sequence[int] = (),
        restored: bool = False,
        during: Sequence[tuple[Any, ...]] = (),
    ) -> Look:
        """Read it now; what `during` says happens before the reading ends."""
        moment = self.wait(max(self.tick, 1))
        rows, images = self._shown(shows_deleted=shows_deleted, left_out=left_out)
        shown = journal and self.journal is not None
        rows["journal"] = [dict(row) for row in self.rows_of_journal] if shown else []
        order = self._order
        for step in during:
            self.do(step)
        at = self.wait(max(self.tick, 1)) if during else moment
        reading = MemoryReading(
            rows,
            at,
            started=started,
            doubts=("not all tags were read",) if left_out else (),
            shows_deleted=shows_deleted,
            source="sql" if shows_deleted else "rest",
            journal=self.journal if shown else None,
        )
        ids = frozenset(row["id"] for row in rows["journal"])
        look = Look(reading, order, moment, images, ids, restored)
        self.looks.append(look)
        return look
