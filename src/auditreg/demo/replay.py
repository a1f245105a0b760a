"""The tool run on the recorded registry, as a firm would have run it: extracted, checked, sealed."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from auditreg import resources
from auditreg.demo import recording
from auditreg.errors import UsageError

if TYPE_CHECKING:
    from auditreg.config import Config
    from auditreg.ledger.store import Ledger
    from auditreg.models import CheckResult

Progress = Callable[[str, int, int | None], None]
"""Called with what is done, its number and their count, where it is known."""

_CHECKED = (5, 7, 9)
"""The firm checks at the first reading of these months, so that findings have an age."""


@dataclass(frozen=True)
class DemoFiles:
    """Where the demo's files are."""

    folder: Path

    @property
    def store_uri(self) -> str:
        """The address of MLflow's database."""
        return f"sqlite:///{(self.folder / recording.DATABASE).as_posix()}"

    @property
    def config(self) -> Path:
        """The firm's settings."""
        return self.folder / "auditreg.toml"

    @property
    def waivers(self) -> Path:
        """The findings the firm has accepted."""
        return self.folder / "waivers.toml"

    @property
    def deployments(self) -> Path:
        """What the rating engine ran, by its own log."""
        return self.folder / "deployments.jsonl"

    @property
    def ledger(self) -> Path:
        """The ledger that is made."""
        return self.folder / "audit.duckdb"


@dataclass(frozen=True)
class DemoResult:
    """The demo's files, the settings read from them, and the last check."""

    files: DemoFiles
    config: Config
    check: CheckResult


def run(folder: Path, *, progress: Progress | None = None) -> DemoResult:
    """Extract the recorded registry at each of its readings into a new ledger, and check it.

    Args:
        folder: new or empty; nothing is written anywhere else.
        progress: called before each step.

    Raises:
        UsageError: the folder is not empty.
    """
    from auditreg.config import load_config
    from auditreg.ledger.store import Ledger
    from auditreg.workflows.check import CheckOptions, run_check
    from auditreg.workflows.policy import PolicySet

    report_progress = progress or (lambda *_: None)
    files = _lay_out(folder)
    config = load_config(files.config)
    ledger = Ledger(files.ledger)
    due = set(_CHECKED)
    for number, moment in enumerate(recording.unpack(files.folder), 1):
        report_progress(f"reading of {moment:%Y-%m-%d}", number, None)
        _extract(files, config, ledger, moment)
        if moment.month in due:
            due.remove(moment.month)
            run_check(ledger, PolicySet.load(config), CheckOptions())
    _import_deployments(files.deployments, config, ledger)
    report_progress("checking", 0, None)
    last = run_check(ledger, PolicySet.load(config), CheckOptions())
    return DemoResult(files, config, last.result)


def _lay_out(folder: Path) -> DemoFiles:
    """The folder with what the firm writes by hand, and nothing else yet."""
    root = folder.absolute()
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise UsageError(
            f"{folder} is not an empty folder.",
            state="Nothing was written.",
            hint="Name a folder that does not exist yet.",
        )
    root.mkdir(parents=True, exist_ok=True)
    files = DemoFiles(root)
    for target in (files.config, files.waivers, files.deployments):
        shutil.copyfile(resources.recorded_demo() / target.name, target)
    return files


def _extract(files: DemoFiles, config: Config, ledger: Ledger, moment: datetime) -> None:
    """What `auditreg extract --from URI --observed-at MOMENT --artifacts all` does."""
    from auditreg.ledger.entries import epoch_ms
    from auditreg.sources import open_source
    from auditreg.workflows.extract import ExtractOptions, record

    observed = moment.astimezone(UTC).replace(tzinfo=None)
    with open_source(files.store_uri).read() as reading:
        # This machine's clock may stand before the story, whose moments would then be yet to come.
        reading.ended_at = max(reading.ended_at, epoch_ms(observed))
        record(
            reading,
            ledger,
            config,
            registry=config.registry(),
            options=ExtractOptions(observed_at=observed),
        )


def _import_deployments(file: Path, config: Config, ledger: Ledger) -> None:
    """What `auditreg import deployments FILE` does."""
    from auditreg.ledger.import_parse import parse_deployments
    from auditreg.ledger.import_record import record
    from auditreg.ledger.secrets import load_key

    content = file.read_bytes()
    with ledger.writer() as con:
        record(
            con,
            parse_deployments(content, file.name),
            file=file.name,
            content=content,
            registry=config.registry(),
            key=load_key(ledger.key_path),
        )
