"""`python -m benchmarks`: measures the budgets and prints figures, ratios and budgets."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from benchmarks.figures import as_json, as_markdown, as_table, machine, write_readme
from benchmarks.suite import BENCHMARKS, Workshop, run

README = Path(__file__).with_name("README.md")


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure auditreg's budgets. Exit code 0 whether they are kept or missed, "
        "1 when something could not be measured.",
    )
    parser.add_argument(
        "--scale",
        type=int,
        default=100_000,
        metavar="N",
        help="versions in the large store; there are twice as many runs (default: %(default)s)",
    )
    parser.add_argument(
        "--only",
        action="append",
        choices=list(BENCHMARKS),
        metavar="NAME",
        help=f"one of {', '.join(BENCHMARKS)}; repeatable",
    )
    parser.add_argument(
        "--rounds",
        type=int,
        default=3,
        metavar="N",
        help="how often each ratio is measured; the median counts (default: %(default)s)",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything to a file too")
    parser.add_argument(
        "--work",
        type=Path,
        metavar="FOLDER",
        help="keep stores here and use those that are there; about 2.5 GB at full scale "
        "(default: a temporary folder)",
    )
    parser.add_argument(
        "--write-readme",
        action="store_true",
        help="put the results into benchmarks/README.md",
    )
    given = parser.parse_args(argv)
    if given.scale < 20 or given.rounds < 1:
        parser.error("--scale is at least 20 (one model), --rounds at least 1")
    if given.write_readme and given.only:
        parser.error("--write-readme needs all benchmarks: leave --only out")
    return given


def main(argv: list[str] | None = None) -> int:
    """Run what was asked for; the exit code."""
    given = arguments(argv)
    where = machine()
    with tempfile.TemporaryDirectory(prefix="auditreg-benchmarks-") as temporary:
        folder = given.work.resolve() if given.work else Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        shop = Workshop(
            folder,
            given.scale,
            given.rounds,
            lambda text: print(text, file=sys.stderr, flush=True),
        )
        outcomes = run(shop, given.only or BENCHMARKS)
    print(as_table(outcomes))
    if given.json:
        document = as_json(outcomes, given.scale, where)
        given.json.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    if given.write_readme:
        write_readme(README, as_markdown(outcomes, given.scale, where))
    return 1 if any(outcome.problem for outcome in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
