"""The benchmarks: which tasks are run against each other, and what is allowed."""

from __future__ import annotations

import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import children, store
from benchmarks.figures import Figure, Outcome
from benchmarks.postgresql import UnavailableError, served

_TOP = Path(__file__).resolve().parents[1]
_SMALL = 300
"""Versions in the small ledger that `auditreg check` is started on: fifteen models."""
_REPORTED = 1_200
"""Versions in the ledger whose dossiers are printed: sixty models."""


class TaskError(RuntimeError):
    """A measured process failed."""


@dataclass
class Workshop:
    """What the benchmarks share: stores and ledgers, made when they are first needed.

    Args:
        folder: where they are kept; a store that is already there is used again.
        scale: versions in the large store.
        rounds: how often a ratio is measured; the median counts.
        say: told what is going on.
        starts: how often the command line is started; the median counts.
        dossiers: the most dossiers that are printed.
        apart: run every task in a process of its own. Without, nothing that is measured means
            much; it is for seeing that all of it runs.
    """

    folder: Path
    scale: int
    rounds: int
    say: Callable[[str], None]
    starts: int = 5
    dossiers: int = 60
    apart: bool = True
    _ledgers: dict[str, Path] = field(default_factory=dict)

    def store(self, versions: int, live: str = "some") -> Path:
        """A store of that size."""
        path = self.folder / f"store-{versions}-{live}.db"
        if not path.exists():
            self.say(f"generating a store of {versions:,} versions, live: {live}")
            store.generate(path, versions, live=live, empty=self.folder / "empty.db")
        return path

    def ledger(self, versions: int, live: str = "some") -> Path:
        """A ledger that one extraction of that store has filled."""
        name = f"ledger-{versions}-{live}.duckdb"
        if name not in self._ledgers:
            source = self.store(versions, live)
            path = self.fresh(name)
            self.say(f"extracting {versions:,} versions")
            self.task("extract", store=str(source), ledger=str(path))
            self._ledgers[name] = path
        return self._ledgers[name]

    def keep(self, versions: int, ledger: Path) -> None:
        """Use a ledger that an extraction benchmark made for the benchmarks after it."""
        self._ledgers[f"ledger-{versions}-some.duckdb"] = ledger

    def fresh(self, name: str) -> Path:
        """A path in the folder with nothing at it, and nothing that belonged to it."""
        path = self.folder / name
        for leftover in self.folder.glob(f"{name}*"):
            leftover.unlink()
        return path

    def task(self, name: str, **arguments: object) -> dict[str, Any]:
        """Run a task of `benchmarks.children`.

        Raises:
            TaskError: it failed; its last words are in the message.
        """
        if not self.apart:
            return children.TASKS[name](**arguments)
        command = [sys.executable, "-m", "benchmarks.children", name, json.dumps(arguments)]
        done = subprocess.run(
            command, cwd=self.folder, env=environment(), capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise TaskError(f"{name}: {_last_words(done.stderr)}")
        answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return answer


def environment() -> dict[str, str]:
    """The environment of measured processes: this package importable, no settings of a user."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AUDITREG_")}
    paths = [str(_TOP), str(_TOP / "src"), kept.get("PYTHONPATH", "")]
    return {**kept, "PYTHONPATH": os.pathsep.join(path for path in paths if path)}


def _last_words(text: str) -> str:
    """The line of a traceback that says what was wrong; some messages go on for paragraphs."""
    lines = [line for line in text.strip().splitlines() if line.strip()]
    said = [line for line in lines if re.match(r"[\w.]+(Error|Exception|Interrupt)\b", line)]
    return (said or lines or ["no message"])[-1][:300]


def _warm(path: Path) -> None:
    """Read a file through, so that the first of two measured readers does not pay for the disk."""
    with path.open("rb") as file:
        while file.read(1 << 24):
            pass


def _median(
    rounds: Sequence[dict[str, Any]], top: str, bottom: str, what: str = "seconds"
) -> float:
    """The median over the rounds of the ratio of two tasks' seconds."""
    return float(statistics.median(one[top][what] / one[bottom][what] for one in rounds))


def _extraction_rounds(shop: Workshop, source: str, ledger: str) -> list[dict[str, Any]]:
    """Copy, first and unchanged extraction after each other, as often as there are rounds."""
    rounds = []
    for number in range(shop.rounds):
        shop.say(f"extraction, round {number + 1} of {shop.rounds}")
        path, target = shop.fresh(ledger), shop.fresh("copy.duckdb")
        rounds.append(
            {
                "copy": shop.task("copy", store=source, target=str(target)),
                "first": shop.task("extract", store=source, ledger=str(path)),
                "unchanged": shop.task("extract", store=source, ledger=str(path)),
            }
        )
        target.unlink()
    return rounds


def _extraction_figures(rounds: Sequence[dict[str, Any]]) -> tuple[Figure, ...]:
    peak = max(one[task]["peak_mib"] for one in rounds for task in ("first", "unchanged"))
    return (
        Figure("first / copying the tables", _median(rounds, "first", "copy"), budget=4),
        Figure("unchanged / first", _median(rounds, "unchanged", "first"), budget=0.4),
        Figure(
            "first / copying, in processor time",
            _median(rounds, "first", "copy", "cpu_seconds"),
        ),
        Figure("peak memory", peak, "MiB", budget=1024),
    )


def extraction(shop: Workshop) -> Outcome:
    """First extraction against a plain copy, and one that finds nothing changed."""
    source = shop.store(shop.scale)
    _warm(source)
    name = f"ledger-{shop.scale}-some.duckdb"
    rounds = _extraction_rounds(shop, str(source), name)
    shop.keep(shop.scale, shop.folder / name)
    counted = sum(store.rows(source).values())
    return Outcome("extraction", _extraction_figures(rounds), {"rows": counted, "rounds": rounds})


def postgresql(shop: Workshop) -> Outcome:
    """The same from a PostgreSQL with the same rows, which runs on this machine too."""
    source = shop.store(shop.scale)
    shop.say("filling a PostgreSQL")
    try:
        with served(source) as (address, version):
            rounds = _extraction_rounds(shop, address, "ledger-postgresql.duckdb")
    except UnavailableError as error:
        raise TaskError(str(error)) from error
    shop.fresh("ledger-postgresql.duckdb")
    detail = {"rounds": rounds, "versions": {"postgresql": version}}
    return Outcome("postgresql", _extraction_figures(rounds), detail)


def rules(shop: Workshop) -> Outcome:
    """Every built-in rule over versions that are all live."""
    ledger = shop.ledger(shop.scale, "all")
    rounds = []
    for number in range(shop.rounds):
        shop.say(f"rules, round {number + 1} of {shop.rounds}")
        rounds.append(shop.task("rules", ledger=str(ledger)))
    tables = [one["check_seconds"] - one["answer_seconds"] for one in rounds]
    ratio = statistics.median(
        seconds / one["bare_seconds"] for seconds, one in zip(tables, rounds, strict=True)
    )
    return Outcome(
        "rules",
        (
            Figure("all rules into result tables", statistics.median(tables), "s", budget=5),
            Figure("the same / bare SQL", ratio, budget=1.5),
            Figure(
                "the open answers read as objects besides",
                statistics.median(one["answer_seconds"] for one in rounds),
                "s",
            ),
            Figure("peak memory", max(one["peak_mib"] for one in rounds), "MiB"),
        ),
        {"rounds": rounds},
    )


def startup(shop: Workshop) -> Outcome:
    """From the shell to the shell: commands on a small ledger, extractions of a single model."""
    _prepare_commands(shop)
    starts: dict[str, list[dict[str, float]]] = {}
    # First, since it also writes byte code, and the disk is read for the first time.
    loaded = [
        module
        for command in _COMMANDS
        for module in _modules(shop, command)
        if module.split(".")[0] == "mlflow" and command.arguments[:1] != ("extract",)
    ]
    # In turns, so that a slow minute of the machine falls on all of them.
    for number in range(shop.starts):
        shop.say(f"starting commands, turn {number + 1} of {shop.starts}")
        for command in _COMMANDS:
            starts.setdefault(command.name, []).append(_start(shop, command))
    figures = []
    for command in _COMMANDS:
        if command.budget is not None:
            used = command.measured
            middle = statistics.median(start[used] for start in starts[command.name])
            unit = "s" if used == "seconds" else "s of processor time"
            figures.append(Figure(command.name, middle, unit, budget=command.budget))
    importing = statistics.median(start["cpu_seconds"] for start in starts["import duckdb"])
    judging = statistics.median(start["cpu_seconds"] for start in starts[_JUDGED])
    figures.append(Figure(f"{_JUDGED} / import duckdb, in processor time", judging / importing))
    figures.append(Figure("modules of mlflow imported", len(loaded), "modules", budget=0))
    return Outcome("startup", tuple(figures), {"starts": starts, "mlflow": loaded})


_JUDGED = "auditreg check, that judges"


@dataclass(frozen=True)
class _Command:
    """A command line that is started on a copy of a small ledger.

    `ledger` names the file that is copied, empty for none, and `measured` what of a start counts.
    """

    name: str
    arguments: tuple[str, ...]
    ledger: str = ""
    budget: float | None = None
    measured: str = "seconds"


_EXTRACT = ("extract", "--from", "sqlite:///{folder}/store-20-some.db", "--artifacts", "none")

_COMMANDS = (
    _Command("python -c pass", ("-c", "pass")),
    _Command("import duckdb", ("-c", "import duckdb")),
    _Command("auditreg --help", ("--help",), budget=0.25),
    _Command("auditreg check", ("check", "--fail-on", "none"), "checked", 0.5),
    _Command(_JUDGED, ("check", "--fail-on", "none"), "read", 0.5),
    _Command("auditreg verify", ("verify",), "checked", 0.7),
    _Command("auditreg live", ("live",), "checked", 0.35),
    _Command("auditreg inventory", ("inventory",), "checked", 0.35),
    _Command("auditreg history", ("history", "price_motor_00000"), "checked", 0.35),
    _Command("auditreg status", ("status",), "checked", 0.35),
    _Command("first extraction of a model", _EXTRACT, "", 1, "cpu_seconds"),
    _Command("the same, unchanged", _EXTRACT, "single", 0.7, "cpu_seconds"),
)


def _prepare_commands(shop: Workshop) -> None:
    """The small ledgers: `checked`, `read` again since its last check, and of a `single` model."""
    small = shop.ledger(min(shop.scale, _SMALL), "some")
    checked = shop.fresh("checked.duckdb")
    shutil.copyfile(small, checked)
    check = _Command("", ("check", "--fail-on", "none"), "checked")
    for _ in range(2):
        _start(shop, check, keep=True)
    read = shop.fresh("read.duckdb")
    shutil.copyfile(checked, read)
    store = shop.store(min(shop.scale, _SMALL), "some")
    shop.task("extract", store=str(store), ledger=str(read))
    shop.store(20, "some")
    single = shop.ledger(20, "some")
    shutil.copyfile(single, shop.fresh("single.duckdb"))


def _start(shop: Workshop, command: _Command, *, keep: bool = False) -> dict[str, float]:
    """Start a command on a copy of its ledger; the wall-clock and processor seconds it takes.

    `keep` starts it on the ledger itself.
    """
    ledger = shop.folder / f"{command.ledger}.duckdb"
    if not keep:
        ledger = shop.fresh("started.duckdb")
        if command.ledger:
            shutil.copyfile(shop.folder / f"{command.ledger}.duckdb", ledger)
    before, begun = _children_seconds(), time.perf_counter()
    done = subprocess.run(
        _line(shop, command, ledger),
        cwd=shop.folder,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    seconds, busy = time.perf_counter() - begun, _children_seconds() - before
    if done.returncode not in _EXPECTED.get(command.arguments[0], (0,)):
        raise TaskError(f"{command.name}: {_last_words(done.stderr)}")
    return {"seconds": seconds, "cpu_seconds": busy}


_EXPECTED = {"status": (0, 1), "live": (0, 1)}
"""Exit codes that say something of the ledger, not of a failure: it is stale by now."""


def _line(shop: Workshop, command: _Command, ledger: Path) -> list[str]:
    """The words of a command line."""
    if command.arguments[0] == "-c":
        return [sys.executable, *command.arguments]
    arguments = [argument.format(folder=shop.folder) for argument in command.arguments]
    where = ["--ledger", str(ledger)] if command.arguments[0] != "--help" else []
    return [sys.executable, "-m", "auditreg", *arguments, *where]


def _children_seconds() -> float:
    """Processor time, user and system, of the processes that were started and have ended."""
    import resource

    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _modules(shop: Workshop, command: _Command) -> set[str]:
    """The modules a command imports, as the interpreter itself lists them."""
    ledger = shop.fresh("started.duckdb")
    if command.ledger:
        shutil.copyfile(shop.folder / f"{command.ledger}.duckdb", ledger)
    python, *rest = _line(shop, command, ledger)
    done = subprocess.run(
        [python, "-X", "importtime", *rest],
        cwd=shop.folder,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    if not lines:
        raise TaskError("the interpreter listed no imports")
    return {line.rpartition("|")[2].strip() for line in lines}


def verify(shop: Workshop) -> Outcome:
    """Verification of the large ledger against hashing its bytes and against one rebuild."""
    ledger = shop.ledger(shop.scale, "some")
    rounds = []
    for number in range(shop.rounds):
        shop.say(f"verify, round {number + 1} of {shop.rounds}")
        rounds.append(shop.task("verify", ledger=str(ledger)))
    leaves = statistics.median(one["leaf_seconds"] / one["hash_seconds"] for one in rounds)
    roots = statistics.median(one["root_seconds"] / one["hash_seconds"] for one in rounds)
    state = statistics.median(one["state_seconds"] / one["rebuild_seconds"] for one in rounds)
    return Outcome(
        "verify",
        (
            Figure("entries / hashlib.sha256 over the bytes", leaves, budget=5),
            Figure("roots / the same", roots),
            Figure("tables / one rebuild", state, budget=1.5),
            Figure("peak memory", max(one["peak_mib"] for one in rounds), "MiB"),
        ),
        {"rounds": rounds},
    )


def dossiers(shop: Workshop) -> Outcome:
    """A report with its dossiers as PDF in two processes and in one."""
    ledger = shop.ledger(min(shop.scale, _REPORTED), "some")
    rounds = []
    for number in range(shop.rounds):
        shop.say(f"dossiers, round {number + 1} of {shop.rounds}")
        rounds.append(
            {
                name: shop.task(
                    "dossiers", ledger=str(ledger), processes=processes, most=shop.dossiers
                )
                for name, processes in (("one", 1), ("two", 2))
            }
        )
    if any(one["one"]["pages"] != one["two"]["pages"] for one in rounds):
        raise TaskError("one process and two made different numbers of pages")
    ratio = _median(rounds, "one", "two")  # the pages are the same, so the times say it
    alone = statistics.median(one["one"]["pages"] / one["one"]["seconds"] for one in rounds)
    return Outcome(
        "dossiers",
        (
            Figure("pages per second, two processes / one", ratio, budget=1.6, least=True),
            Figure("one process", alone, "pages/s"),
            Figure("pages", rounds[0]["one"]["pages"], "pages"),
        ),
        {"rounds": rounds},
    )


BENCHMARKS: dict[str, Callable[[Workshop], Outcome]] = {
    benchmark.__name__: benchmark
    for benchmark in (extraction, postgresql, rules, startup, verify, dossiers)
}
"""Every benchmark by name, in the order they are run in."""


def run(shop: Workshop, names: Iterable[str]) -> list[Outcome]:
    """Run benchmarks; one that fails is told as failed and hides no other."""
    outcomes = []
    for name in names:
        try:
            outcomes.append(BENCHMARKS[name](shop))
        except (TaskError, OSError) as error:
            shop.say(f"{name} failed: {error}")
            outcomes.append(Outcome(name, problem=str(error)))
    return outcomes
