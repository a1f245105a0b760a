"""Record the demo anew: `python -m tools.demo [--output FILE]`.

Needs MLflow, scikit-learn and auditreg-capture, and takes some minutes. Without `--output` the recording
that ships with auditreg is replaced, and the README beside it.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

from auditreg import resources
from auditreg.demo import recording

_PLAYED_WITH = ("mlflow", "auditreg-capture", "scikit-learn", "pandas", "numpy")

_README = """\
# The recorded demo

`{archive}` is what `auditreg demo` unpacks: MLflow's database at each of {readings} readings, and the
model files. `make recording` writes it and this file; see
`docs/adr/0016-recorded-demo.md`. What the firm wrote by hand stands beside it and is edited here.

| what | is |
|---|---|
| SHA-256 of `{archive}` | `{digest}` |
| size | {size:,} bytes, {unpacked:,} unpacked |
| address of the model files in it | `{place}` |
| played by | `tools/demo`, SHA-256 of its sources `{player}` |
| played with | Python {python}, {packages} |
"""


def main() -> None:
    """Play, and write the recording."""
    shipped = resources.recorded_demo() / recording.ARCHIVE
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--output", type=Path, default=shipped, help="[default: %(default)s]")
    output: Path = parser.parse_args().output
    # Only here: MLflow is imported with it.
    from tools.demo.recorder import record

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        output.write_bytes(record(Path(folder), _report_progress))
    if output == shipped:
        shipped.with_name("README.md").write_text(_readme(shipped), encoding="utf-8", newline="\n")


def _report_progress(happened: str, number: int, total: int) -> None:
    sys.stderr.write(f"{number}/{total} {happened}\n")


def _readme(archive: Path) -> str:
    members = dict(recording.members(archive))
    content = archive.read_bytes()
    return _README.format(
        archive=archive.name,
        readings=sum(not name.startswith(recording.ARTIFACTS) for name in members),
        digest=hashlib.sha256(content).hexdigest(),
        size=len(content),
        unpacked=sum(map(len, members.values())),
        place=recording.PLACE,
        player=_player_digest(),
        python=".".join(map(str, sys.version_info[:3])),
        packages=", ".join(f"{name} {version(name)}" for name in _PLAYED_WITH),
    )


def _player_digest() -> str:
    total = hashlib.sha256()
    for source in sorted(Path(__file__).parent.glob("*.py")):
        total.update(f"{source.name}\n".encode() + source.read_bytes())
    return total.hexdigest()


if __name__ == "__main__":
    main()
