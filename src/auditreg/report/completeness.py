"""How completely each registry was read, from what its last reading sealed, in plain words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from auditreg.models import quantity
from auditreg.queries.reader import Row, decoded, texts
from auditreg.report.account import ExtractionAccount, Part
from auditreg.sources.interface import is_of_unread_files

PARTS = {
    "registered_models": ("registered model", "registered models"),
    "registered_model_tags": ("tag of a model", "tags of models"),
    "model_versions": ("version", "versions"),
    "model_version_tags": ("tag of a version", "tags of versions"),
    "aliases": ("alias", "aliases"),
    "experiments": ("experiment", "experiments"),
    "runs": ("training run", "training runs"),
    "run_params": ("parameter of a run", "parameters of runs"),
    "run_metrics": ("metric of a run", "metrics of runs"),
    "run_tags": ("tag of a run", "tags of runs"),
    "run_datasets": ("data set of a run", "data sets of runs"),
    "logged_models": ("logged model", "logged models"),
    "logged_model_params": ("parameter of a logged model", "parameters of logged models"),
    "logged_model_metrics": ("metric of a logged model", "metrics of logged models"),
    "logged_model_tags": ("tag of a logged model", "tags of logged models"),
    "model_artifacts": (
        "version whose model files were to be read",
        "versions whose model files were to be read",
    ),
    "journal": ("row of the server's journal", "rows of the server's journal"),
    "principals": ("user", "users"),
    "permissions": ("permission", "permissions"),
}
"""What people call the tables a source is read into, one and several; in the order shown."""

_ASKED = {
    ("runs", "linked"): "training runs that a version points to",
    ("runs", "all"): "every training run",
    ("artifacts", "all"): "the files of every version",
    ("artifacts", "live"): "the files of versions in use",
    ("artifacts", "none"): "no model files",
    ("manifest", "yes"): "a hash of every file of a model",
    ("manifest", "no"): "",
}


def accounts(rows: Iterable[Row]) -> tuple[ExtractionAccount, ...]:
    """The account of the reading each registry's state rests on, by name of the registry."""
    chosen = [row for row in rows if row["rests_on"]]
    return tuple(_account(row) for row in sorted(chosen, key=lambda row: str(row["registry"])))


def _account(row: Row) -> ExtractionAccount:
    of_server = row["source"] == "rest"
    counts = decoded(row["counts"], {})
    parts = _parts(counts if isinstance(counts, dict) else {})
    versions = next((part for part in parts if part.name == "versions"), None)
    left_out, unread = _left_out(row["left_out"])
    return ExtractionAccount(
        seq=row["seq"],
        registry=row["registry"],
        source=row["source"],
        observed_at=row["observed_at"],
        complete=bool(row["complete"]),
        later=bool(row["later"]),
        lead=_lead("server" if of_server else "database", versions) + _lead_of_files(parts),
        asked=_asked(decoded(row["asked"], {})),
        parts=parts,
        doubts=texts(row["doubts"]),
        left_out=left_out,
        unread=unread,
        gaps=row["gaps"],
        tombstones=row["tombstones"],
        passes=_passes(row["passes"], of_server=of_server),
        cannot_show=tuple(map(sentence, texts(row["cannot_show"]))),
    )


def _parts(counts: Mapping[str, Any]) -> tuple[Part, ...]:
    """The tables in the order of `PARTS`, unknown ones by name at the end."""
    order = list(PARTS)
    found = []
    for table in sorted(counts, key=lambda t: (order.index(t) if t in PARTS else len(order), t)):
        name = PARTS[table][1] if table in PARTS else table.replace("_", " ")
        match counts[table]:
            case [int() | None as counted, int() | None as taken]:
                found.append(Part(name, counted, taken, elsewhere=table == "model_artifacts"))
            case int() as taken:
                found.append(Part(name, None, taken))
            case _:
                found.append(Part(name, None, None))
    return tuple(found)


def _lead(source: str, versions: Part | None) -> str:
    """The sentence a reader looks for first."""
    if versions is None or versions.read is None:
        return "How many versions were read is not recorded."
    were = "was" if versions.read == 1 else "were"
    if versions.counted is None:
        read = quantity(versions.read, "version")
        return f"The {source} gives no count of its own; {read} {were} read."
    return f"The {source} counted {quantity(versions.counted, 'version')}; {versions.read:,} {were} read."


def _lead_of_files(parts: tuple[Part, ...]) -> str:
    """What is added to it where model files could not be read."""
    files = next((part for part in parts if part.elsewhere), None)
    if files is None or not files.missing:
        return ""
    read = f"{files.read:,}" if files.read else "none"
    were = "was" if (files.read or 0) < 2 else "were"
    return f" The files of {quantity(files.counted or 0, 'version')} were to be read; {read} {were}."


def _asked(asked: object) -> tuple[str, ...]:
    if not isinstance(asked, dict) or not asked:
        return ()
    workspaces = str(asked.get("workspaces", "all"))
    first = "the whole registry" if workspaces == "all" else f"workspaces {workspaces}"
    said = [
        _ASKED.get((str(option), str(value)), f"{option}: {value}")
        for option, value in asked.items()
        if option != "workspaces"
    ]
    return (first, *filter(None, said))


def _left_out(value: object) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What was left out on purpose, and what could not be read, in words."""
    reasons = decoded(value, value)
    if not isinstance(reasons, dict):
        return texts(reasons), ()
    left_out: list[str] = []
    unread: list[str] = []
    for reason, number in reasons.items():
        words = f"{number:,} {reason}" if isinstance(number, int) else f"{reason}: {number}"
        (unread if is_of_unread_files(reason) else left_out).append(words)
    return tuple(left_out), tuple(unread)


def _passes(passes: int | None, *, of_server: bool) -> str:
    if not of_server:
        return "once, in one snapshot of the database"
    if passes is None:
        return "how often is not recorded"
    if passes < 2:
        return "once"
    return f"{passes} times, until two readings agreed"


def sentence(text: str) -> str:
    """A source's note as a sentence of a list."""
    text = text.strip().rstrip(".")
    return f"{text[:1].upper()}{text[1:]}."
