"""Builds the sample reports from the demo, and the page pictures that README.md shows.

    python reports/build_samples.py            all of it, into reports/sample (ignored by git)
    python reports/build_samples.py --keep DIR also keeps the demo's registry and ledger there

Needs `pdftoppm` (Debian: poppler-utils) for the pictures.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
SAMPLE = HERE / "sample"
PICTURES = HERE / "pictures"
PERIOD = "2026-Q3"
LIMIT = 200_000


def run(*arguments: str | Path) -> None:
    """A command, its output shown; a failure ends the program."""
    done = subprocess.run([str(one) for one in arguments], check=False)
    if done.returncode:
        sys.exit(f"failed: {' '.join(str(one) for one in arguments)}")


def build(folder: Path) -> None:
    """Run the demo into `folder` and write the report of the quarter it tells of."""
    run(sys.executable, "-m", "auditreg", "demo", folder)
    shutil.rmtree(SAMPLE, ignore_errors=True)
    settings = ("--config", folder / "auditreg.toml", "--ledger", folder / "audit.duckdb")
    period = ("--period", PERIOD, "--output", SAMPLE)
    run(sys.executable, "-m", "auditreg", "report", *settings, *period)


def page_of(file: Path, text: str) -> int:
    """The first page, not the contents, that holds a text."""
    from pypdf import PdfReader

    for number, page in enumerate(PdfReader(file).pages, start=1):
        if text in page.extract_text():
            return number
    sys.exit(f"{file} has no page with {text!r}")


def draw(file: Path, page: int, name: str, width: int = 760) -> None:
    """One page as a small PNG."""
    target = PICTURES / name
    size = ("-scale-to-x", str(width), "-scale-to-y", "-1")
    run("pdftoppm", "-png", "-singlefile", "-f", str(page), "-l", str(page), *size, file, target)
    made = target.with_suffix(".png")
    if made.stat().st_size > LIMIT:
        sys.exit(f"{made} has more than {LIMIT:,} bytes; draw it smaller")


def main() -> None:
    """Build everything."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--keep", type=Path, help="a new folder for the demo's files")
    keep: Path | None = parser.parse_args().keep
    if keep is not None:
        build(keep)
    else:
        with tempfile.TemporaryDirectory() as folder:
            build(Path(folder) / "demo")
    PICTURES.mkdir(exist_ok=True)
    report = SAMPLE / "report.pdf"
    draw(report, page_of(report, "Models in use"), "summary")
    draw(report, page_of(report, "Versions in use from"), "changes")
    dossiers = sorted((SAMPLE / "dossiers").glob("motor-frequency-glm-*.pdf"))
    draw(dossiers[0], 1, "dossier")
    print(f"Wrote {SAMPLE} and {PICTURES}.")


if __name__ == "__main__":
    main()
