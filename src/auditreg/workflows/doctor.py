"""What works on this machine, what does not, and the command that repairs it.

Every check answers and never raises: a broken part is what the command is for. What can take the
process down with it (MLflow, WeasyPrint and its system libraries) is tried in a child.
"""

from __future__ import annotations

import enum
import importlib.metadata
import os
import platform
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from auditreg.errors import AuditregError, ExitCode, redact_uri

if TYPE_CHECKING:
    from auditreg.config import Config

_CHILD_SECONDS = 120
_SERVER_SECONDS = 10
_UPGRADE = "pip install --upgrade auditreg"
_PANGO = (
    "apt-get install libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0 (Debian, Ubuntu), "
    "brew install pango (macOS), elsewhere Pango 1.44 or newer and HarfBuzz"
)
_FONTS = (
    "apt-get install fontconfig fonts-dejavu-core (Debian, Ubuntu), brew install --cask font-dejavu "
    "(macOS), elsewhere any TrueType fonts and fontconfig"
)


class DoctorStatus(enum.StrEnum):
    """How a part of the installation is."""

    OK = "ok"
    MISSING = "missing"
    """Something auditreg cannot do without; ends in exit code 2."""
    WARNING = "warning"
    """Something only a part of auditreg needs, or that is not there yet."""
    OPTIONAL = "optional"
    """Not installed, and needed only where such a registry or store is to be read."""


@dataclass(frozen=True)
class DoctorCheck:
    """One answer: what is there, what that means for the user, and what repairs it."""

    name: str
    status: DoctorStatus
    description: str
    means: str = ""
    repair: str = ""


def exit_code(checks: Sequence[DoctorCheck]) -> ExitCode:
    """2 when something auditreg cannot do without is missing, else 0."""
    missing = any(check.status is DoctorStatus.MISSING for check in checks)
    return ExitCode.ERROR if missing else ExitCode.OK


def examine(settings: Path | None, ledger: Path | None) -> list[DoctorCheck]:
    """All checks, in the order they are shown.

    Args:
        settings: the settings file; found as other commands find it when None.
        ledger: the ledger file to look at, instead of the settings'.
    """
    from auditreg.config import load_config

    packages = _packages()
    with ThreadPoolExecutor(4) as pool:  # each runs a child, which mostly waits for the disk
        mlflow, pdf = pool.submit(_mlflow), pool.submit(_pdf)
        kinds = pool.map(_kind, _KINDS)
        checks = [_python(), packages, mlflow.result(), pdf.result(), _fonts(), *kinds]
    if packages.status is DoctorStatus.MISSING:
        return checks  # nothing can be opened
    try:
        config = load_config(settings)
    except AuditregError as error:
        return [
            *checks,
            _warning("Settings", error, "No command that reads them works."),
            *_ledger(ledger or Path("audit.duckdb")),
        ]
    return [*checks, *_sources(config), *_ledger(ledger or config.ledger_path)]


def _warning(name: str, error: AuditregError, means: str = "It cannot be read now.") -> DoctorCheck:
    description, repair = redact_uri(error.what), redact_uri(error.hint)
    return DoctorCheck(name, DoctorStatus.WARNING, description, means, repair)


# -- the installation ------------------------------------------------------------------------------


def _version(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def _python() -> DoctorCheck:
    description = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    return DoctorCheck("Python", DoctorStatus.OK, description)


def _packages() -> DoctorCheck:
    """Whether everything auditreg depends on is there, in a version it accepts."""
    from packaging.requirements import Requirement

    try:
        requirements = [Requirement(text) for text in importlib.metadata.requires("auditreg") or ()]
    except importlib.metadata.PackageNotFoundError:
        description = "auditreg runs from a folder and is not installed"
        means = "What it depends on cannot be compared with what is installed."
        repair = "pip install --editable ."
        return DoctorCheck("Packages", DoctorStatus.WARNING, description, means, repair)
    needed = [r for r in requirements if r.marker is None or r.marker.evaluate({"extra": ""})]
    wrong = []
    for requirement in needed:
        version = _version(requirement.name)
        if version is None:
            wrong.append(f"{requirement.name} is not installed")
        elif not requirement.specifier.contains(version, prereleases=True):
            wrong.append(f"{requirement.name} {version} is not {requirement.specifier}")
    if wrong:
        means = "Parts of auditreg will fail."
        return DoctorCheck("Packages", DoctorStatus.MISSING, "; ".join(wrong), means, _UPGRADE)
    description = f"auditreg {_version('auditreg')} and {len(needed)} it needs"
    return DoctorCheck("Packages", DoctorStatus.OK, description)


_PAGE = """
import weasyprint
from weasyprint.text.ffi import pango
assert weasyprint.HTML(string='<p>a b c').write_pdf().startswith(b'%PDF')
v = pango.pango_version()
print(f'WeasyPrint {weasyprint.__version__}, Pango {v // 10000}.{v // 100 % 100}.{v % 100}')
"""
"""Makes one page, because only that loads every library WeasyPrint needs."""

_KINDS = (
    ("PostgreSQL", "adbc_driver_postgresql.dbapi", "An MLflow database", "'auditreg[postgresql]'"),
    ("MySQL, MariaDB", "sqlalchemy, pymysql", "An MLflow database", "'auditreg[mysql]'"),
    ("S3", "boto3", "Model files", "'auditreg[s3]'"),
    ("Google Cloud Storage", "google.cloud.storage", "Model files", "google-cloud-storage"),
    (
        "Azure Blob Storage",
        "azure.storage.blob, azure.identity",
        "Model files",
        "azure-storage-blob azure-identity",
    ),
)
"""Sources that need further packages: name, modules to import, what is read from it, what to install."""


def _mlflow() -> DoctorCheck:
    """The client, in a child: two distributions share one folder and can break each other."""
    name, (works, output) = "MLflow client", run_child("from mlflow import MlflowClient")
    versions = [
        f"{name} {_version(name)}" for name in ("mlflow", "mlflow-skinny") if _version(name)
    ]
    if works:
        return DoctorCheck(name, DoctorStatus.OK, ", ".join(versions))
    means = "A tracking server cannot be read; all else works."
    # Uninstalling mlflow takes away the files it shares with mlflow-skinny.
    repair = "pip install --force-reinstall --no-deps mlflow-skinny"
    return DoctorCheck(name, DoctorStatus.MISSING, output, means, repair)


def _pdf() -> DoctorCheck:
    works, output = run_child(_PAGE)
    if works:
        return DoctorCheck("PDF", DoctorStatus.OK, output)
    return DoctorCheck("PDF", DoctorStatus.WARNING, output, "HTML works, PDF does not.", _PANGO)


def _kind(kind: tuple[str, str, str, str]) -> DoctorCheck:
    name, modules, content, packages = kind
    works, output = run_child(f"import {modules}")
    if works:
        return DoctorCheck(name, DoctorStatus.OK, "can be read")
    absent = output.startswith("ModuleNotFoundError")
    status = DoctorStatus.OPTIONAL if absent else DoctorStatus.WARNING
    repair = f"pip install {'' if absent else '--force-reinstall '}{packages}"
    return DoctorCheck(name, status, output, f"{content} in {name} cannot be read.", repair)


def run_child(program: str) -> tuple[bool, str]:
    """Run a small program in a fresh interpreter, blind to files of this folder named like modules.

    Returns:
        Whether it ended well, and the last line it printed or complained with.
    """
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-c", program],
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=_CHILD_SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "PYTHONUTF8": "1", "MLFLOW_DISABLE_TELEMETRY": "true"},
        )
    except (OSError, subprocess.SubprocessError) as error:
        return False, str(error)
    worked = done.returncode == 0
    lines = (done.stdout if worked else done.stderr).split("\n")
    last = next((line.strip() for line in reversed(lines) if line.strip()), "")
    return worked, last or ("" if worked else f"ended with status {done.returncode}")


def _fonts() -> DoctorCheck:
    """The system's fonts fill in the letters that those of the templates lack."""
    try:
        listed = subprocess.run(
            ["fc-list", "--format=x"], capture_output=True, text=True, timeout=30, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        listed = ""
    if listed:
        return DoctorCheck("Fonts", DoctorStatus.OK, f"{len(listed)} of the system")
    means = "PDF pages may show boxes instead of letters that are not Latin."
    return DoctorCheck("Fonts", DoctorStatus.WARNING, "none of the system", means, _FONTS)


# -- what the settings name ------------------------------------------------------------------------


def _sources(config: Config) -> Iterator[DoctorCheck]:
    """Whether each `[[source]]` answers at its addresses; nothing is read of it."""
    from auditreg.config.sources import address, auth_address, tracking_address

    for source in config.source:
        name = f"Source {source.name}"
        try:
            uris = [address(source), tracking_address(source), auth_address(source)]
            addresses = [_reached(uri) for uri in uris if uri]
        except AuditregError as error:
            yield _warning(name, error)
        else:
            if addresses:
                yield DoctorCheck(name, DoctorStatus.OK, "; ".join(addresses))


def _reached(uri: str) -> str:
    """What answers at an address.

    Raises:
        SourceError: nothing does, or something else.
    """
    from auditreg.sources import open_database
    from auditreg.sources.addresses import scheme_of

    if scheme_of(uri) in ("http", "https"):
        from auditreg.sources.server.client import Server

        server = Server(uri, timeout=_SERVER_SECONDS, retries=0)
        server.get("/registered-models/search", {"max_results": 1})
        return f"{server.location}, MLflow {server.version() or 'of unknown version'}"
    database = open_database(uri)
    try:
        return f"{database.location}, {database.kind}"
    finally:
        database.close()


def _ledger(path: Path) -> Iterator[DoctorCheck]:
    """Whether the ledger's folder takes a lock and a new file, and whether the ledger opens."""
    from auditreg.ledger.store import Ledger

    yield _folder(path.absolute().parent)
    if not path.exists():
        description, means = f"{path} is not there", "Nothing has been recorded here yet."
        repair = f"auditreg extract --from URI --ledger {shlex.quote(str(path))}"
        yield DoctorCheck("Ledger", DoctorStatus.WARNING, description, means, repair)
        return
    try:
        with Ledger(path).reader() as con:
            entries = con.execute("select count(*) from ledger.log").fetchone()
    except AuditregError as error:
        yield _warning("Ledger", error)
        return
    number, size = entries[0] if entries else 0, path.stat().st_size / 1e6
    description = f"{path}, {number:,} entries, {size:.1f} MB"
    yield DoctorCheck("Ledger", DoctorStatus.OK, description)


def _folder(folder: Path) -> DoctorCheck:
    import filelock

    nearest = next(place for place in (folder, *folder.parents) if place.exists())
    try:
        with (
            tempfile.TemporaryDirectory(dir=nearest, prefix=".auditreg-") as place,
            filelock.FileLock(Path(place, "lock"), timeout=0),
        ):
            Path(place, "written").touch()
            Path(place, "written").replace(Path(place, "replaced"))
    except (OSError, NotImplementedError) as error:
        return DoctorCheck(
            "Ledger folder",
            DoctorStatus.WARNING,
            f"{folder}: {getattr(error, 'strerror', None) or error}",
            "No ledger can be written here; reading works.",
            "Name a ledger elsewhere with --ledger, on a file system that can be locked.",
        )
    there = "can be" if nearest == folder else "is made by the first extraction, and can be"
    return DoctorCheck("Ledger folder", DoctorStatus.OK, f"{folder} {there} written to and locked")
