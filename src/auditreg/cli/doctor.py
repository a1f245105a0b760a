"""`auditreg doctor`: what works on this machine, what does not, and the command that repairs it.

Every check answers with one `DoctorCheck` and never raises: a broken part is what the command is for. What
can take the process down with it (MLflow, WeasyPrint and its system libraries) is tried in a child.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import io
import json
import platform
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import asdict
from pathlib import Path

import click

from auditreg import resources
from auditreg.cli import health, health_sources, repairs
from auditreg.cli.control_totals import grants_options
from auditreg.cli.examples import examples
from auditreg.cli.health import DoctorCheck, DoctorStatus
from auditreg.errors import ExitCode

SCHEMA = "auditreg.doctor/1"
OLDEST_PYTHON = (3, 11)
_REINSTALL = "pip install --upgrade auditreg"


def examine(ledger: Path) -> list[DoctorCheck]:
    """All checks, in the order they are shown."""
    return [
        _python(),
        _packages(),
        _data_files(),
        _duckdb(),
        health_sources.mlflow_client(),
        health_sources.sqlite(),
        *health_sources.optional(),
        _pdf(),
        _fonts(),
        _time_zones(),
        _text(),
        _folder(),
        _ledger(ledger),
    ]


def _python() -> DoctorCheck:
    found = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    if sys.version_info[:2] >= OLDEST_PYTHON:
        return DoctorCheck("Python", DoctorStatus.OK, found)
    means = f"auditreg needs Python {'.'.join(map(str, OLDEST_PYTHON))} or newer."
    return DoctorCheck("Python", DoctorStatus.MISSING, found, means)


def _packages() -> DoctorCheck:
    """Whether everything auditreg depends on is there, in a version it accepts."""
    from packaging.requirements import Requirement

    try:
        declared = importlib.metadata.requires("auditreg") or []
    except importlib.metadata.PackageNotFoundError:
        return DoctorCheck(
            "Packages",
            DoctorStatus.WARNING,
            "auditreg runs from a folder and is not installed",
            "What it depends on cannot be compared with what is installed.",
            "pip install --editable .",
        )
    requirements = [Requirement(text) for text in declared]
    needed = [r for r in requirements if r.marker is None or r.marker.evaluate({"extra": ""})]
    wrong = []
    for requirement in needed:
        version = health.version(requirement.name)
        if version is None:
            wrong.append(f"{requirement.name} is not installed")
        elif not requirement.specifier.contains(version, prereleases=True):
            wrong.append(f"{requirement.name} {version} is not {requirement.specifier}")
    if wrong:
        return DoctorCheck(
            "Packages",
            DoctorStatus.MISSING,
            "; ".join(wrong),
            "Parts of auditreg will fail.",
            _REINSTALL,
        )
    return DoctorCheck(
        "Packages",
        DoctorStatus.OK,
        f"auditreg {health.version('auditreg')} and {len(needed)} it needs",
    )


def _data_files() -> DoctorCheck:
    places = {
        "rules": (resources.rules, "*.sql"),
        "frameworks": (resources.frameworks, "*.toml"),
        "ledger SQL": (resources.ledger_sql, "*.sql"),
        "templates": (resources.templates, "*/"),
    }
    found: list[str] = []
    missing: list[str] = []
    for name, (folder, pattern) in places.items():
        try:
            count = len(list(folder().glob(pattern)))
        except FileNotFoundError:
            count = 0
        (found if count else missing).append(f"{count} {name}" if count else name)
    if missing:
        return DoctorCheck(
            "Own files",
            DoctorStatus.MISSING,
            f"not found: {', '.join(missing)}",
            "The installation is incomplete.",
            "pip install --force-reinstall --no-deps auditreg",
        )
    return DoctorCheck("Own files", DoctorStatus.OK, ", ".join(found))


def _duckdb() -> DoctorCheck:
    worked, output = health.in_child(
        "import duckdb; c = duckdb.connect();"
        "assert c.execute('select 6 * 7').fetchone() == (42,); print(duckdb.__version__)"
    )
    if worked:
        return DoctorCheck("DuckDB", DoctorStatus.OK, output)
    return DoctorCheck(
        "DuckDB",
        DoctorStatus.MISSING,
        output,
        "No ledger can be written or read.",
        repairs.reinstall("duckdb"),
    )


def _pdf() -> DoctorCheck:
    """Makes one page, because only that loads every library WeasyPrint needs."""
    worked, output = health.in_child(
        "import weasyprint\n"
        "from weasyprint.text.ffi import pango\n"
        "pdf = weasyprint.HTML(string='<p>a b c').write_pdf()\n"
        "assert pdf.startswith(b'%PDF')\n"
        "v = pango.pango_version()\n"
        "pango_is = f'{v // 10000}.{v // 100 % 100}.{v % 100}'\n"
        "print(f'WeasyPrint {weasyprint.__version__}, Pango {pango_is}')"
    )
    if worked:
        return DoctorCheck("PDF", DoctorStatus.OK, output)
    means = "HTML works, PDF does not."
    if importlib.util.find_spec("weasyprint") is None:
        return DoctorCheck(
            "PDF", DoctorStatus.MISSING, "WeasyPrint is not installed", means, _REINSTALL
        )
    return DoctorCheck("PDF", DoctorStatus.WARNING, output, means, repairs.pango())


def _fonts() -> DoctorCheck:
    """Bundled fonts are what reports are set in; the system's fill in what those lack."""
    try:
        bundled = [
            p for p in resources.templates().rglob("*") if p.suffix in {".woff2", ".ttf", ".otf"}
        ]
    except FileNotFoundError:
        bundled = []
    try:
        listed = subprocess.run(
            ["fc-list", "--format=x"], capture_output=True, text=True, timeout=30, check=True
        )
        system = f"{len(listed.stdout)} of the system"
    except (OSError, subprocess.SubprocessError):
        listed, system = None, "the system's are unknown (no fc-list)"
    found = f"{len(bundled)} bundled, {system}"
    if bundled or (listed and listed.stdout):
        return DoctorCheck("Fonts", DoctorStatus.OK, found)
    return DoctorCheck(
        "Fonts",
        DoctorStatus.WARNING,
        found,
        "PDF pages may show boxes instead of letters.",
        repairs.fonts(),
    )


def _time_zones() -> DoctorCheck:
    import zoneinfo

    try:
        zoneinfo.ZoneInfo("Europe/Berlin")
    except zoneinfo.ZoneInfoNotFoundError:
        return DoctorCheck(
            "Time zones",
            DoctorStatus.MISSING,
            "no data",
            "Dates and quarters cannot be turned into moments.",
            repairs.reinstall("tzdata"),
        )
    system = any((Path(folder) / "Europe/Berlin").is_file() for folder in zoneinfo.TZPATH)
    origin = "the system's" if system else "package tzdata"
    return DoctorCheck(
        "Time zones", DoctorStatus.OK, f"{len(zoneinfo.available_timezones())} zones, {origin}"
    )


def _text() -> DoctorCheck:
    encoding = (getattr(sys.stdout, "encoding", None) or "unknown").lower()
    if encoding.replace("-", "") == "utf8":
        return DoctorCheck("Terminal", DoctorStatus.OK, "UTF-8")
    return DoctorCheck(
        "Terminal",
        DoctorStatus.WARNING,
        encoding,
        "Names with letters outside it are shown wrongly, files are not affected.",
        repairs.utf8(),
    )


def _folder() -> DoctorCheck:
    here = Path.cwd()
    try:
        with tempfile.TemporaryDirectory(dir=here, prefix=".auditreg-") as folder:
            written = Path(folder, "written")
            written.touch()
            written.replace(Path(folder, "replaced"))
    except OSError as error:
        return DoctorCheck(
            "This folder",
            DoctorStatus.WARNING,
            f"{here}: {error.strerror}",
            "Ledgers and reports cannot be written here; reading works.",
            "cd to a folder of your own, or name files elsewhere with --ledger and --output",
        )
    return DoctorCheck("This folder", DoctorStatus.OK, f"{here} can be written to")


def _ledger(path: Path) -> DoctorCheck:
    if not path.exists():
        return DoctorCheck(
            "Ledger",
            DoctorStatus.WARNING,
            f"{path} is not there",
            "Nothing has been recorded here yet.",
            f"auditreg extract --from URI --ledger {path}",
        )
    worked, output = health.in_child(
        "import sys, duckdb\n"
        "con = duckdb.connect(sys.argv[1], read_only=True)\n"
        "print(con.execute('select count(*) from ledger.log').fetchone()[0])",
        str(path),
    )
    if worked:
        size = path.stat().st_size / 1e6
        return DoctorCheck("Ledger", DoctorStatus.OK, f"{path}, {output} entries, {size:.1f} MB")
    return DoctorCheck(
        "Ledger",
        DoctorStatus.WARNING,
        f"{path}: {output}",
        "It cannot be read now: another program has it open, or it is not a ledger.",
        f"auditreg verify {path}",
    )


def _print_table(checks: list[DoctorCheck]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    colours = {
        DoctorStatus.OK: "green",
        DoctorStatus.MISSING: "bold red",
        DoctorStatus.WARNING: "yellow",
        DoctorStatus.OPTIONAL: "dim",
    }
    table = Table(box=None, pad_edge=False, show_edge=False)
    table.add_column("", no_wrap=True)
    table.add_column("What", no_wrap=True)
    table.add_column("Found", overflow="fold")
    for check in checks:
        found = Text("\n".join(filter(None, (check.found, check.means))))
        table.add_row(Text(check.status.value, colours[check.status]), check.name, found)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal without UTF-8 still gets the answer
    Console(highlight=False).print(table)
    optional = [check for check in checks if check.repair and check.status is DoctorStatus.OPTIONAL]
    broken = [check for check in checks if check.repair and check not in optional]
    for title, listed in (("To repair:", broken), ("To read further sources:", optional)):
        if listed:
            click.echo(f"\n{title}")
        for check in listed:
            click.echo(f"  {check.name}: {check.repair}")  # in one line each, to be copied
    click.echo(f"\n{_summary(checks)}")


def _summary(checks: list[DoctorCheck]) -> str:
    count = Counter(check.status for check in checks)
    missing, warnings = count[DoctorStatus.MISSING], count[DoctorStatus.WARNING]
    if missing:
        return f"Missing of what auditreg needs: {missing}. Warnings: {warnings}."
    return f"Everything needed works. Warnings: {warnings}." if warnings else "Everything works."


def exit_code(checks: list[DoctorCheck]) -> ExitCode:
    """2 when something auditreg cannot do without is missing, else 0."""
    return ExitCode.ERROR if any(c.status is DoctorStatus.MISSING for c in checks) else ExitCode.OK


@click.command(
    "doctor",
    context_settings={"show_default": True},
    epilog=examples(
        "auditreg doctor",
        "auditreg doctor --format json",
        "auditreg doctor --grants --dialect postgresql --role auditreg",
        "auditreg doctor --grants --from postgresql://admin@db/mlflow --no-users",
    ),
)
@click.option(
    "--ledger",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar="AUDITREG_LEDGER",
    default=Path("audit.duckdb"),
    help="The ledger file to look at.",
)
@click.option(
    "--format",
    "output",
    type=click.Choice(["table", "json"]),
    default="table",
    help="How to show the answer.",
)
@grants_options
@click.pass_context
def doctor(context: click.Context, ledger: Path, output: str) -> None:
    """Show what works here, what does not, and the command that repairs it.

    Ends with 0 when everything needed works (a warning concerns only a part, such as PDF), and with
    2 when something needed is missing.
    """
    checks = examine(ledger)
    code = exit_code(checks)
    if output == "json":
        document = {
            "schema": SCHEMA,
            "works": code is ExitCode.OK,
            "checks": [asdict(check) for check in checks],
        }
        click.echo(json.dumps(document, indent=2, ensure_ascii=False))
    else:
        _print_table(checks)
    context.exit(int(code))
