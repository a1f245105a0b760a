"""What other systems are said to have recorded: changes, and what their engines ran.

All of it was given to the ledger in files: it is stated, never seen.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from auditreg.queries.reader import Reader, Row
from auditreg.queries.records import Deployment, Statement

_STATED = """
select model_subject, registry, model, version, happened_at, what, item, before, after, actor,
       system, reference, note
from history_records where happened_at is null or happened_at < {t}
order by happened_at desc, seq desc
"""
_RUNNING = """
select subject, model_subject, version, resolved_by, live, possibly_live, live_versions,
       possibly_live_versions
from running_as_of({t}) order by subject
"""
_DEPLOYED = """
select subject, registry, model, version, system, environment, running_from, running_until
from deployments where running_from is null or running_from < {t}
order by system, environment, running_from, subject
"""


def statements(reader: Reader, names: Mapping[tuple[str, str], str]) -> dict[str, list[Statement]]:
    """Changes that other systems stated, latest first, by model; `""` holds those of no model.

    Args:
        reader: the ledger at the report's moment.
        names: (registry, name) to the opaque key of a model.
    """
    found: dict[str, list[Statement]] = defaultdict(list)
    if not reader.has("history_records"):
        return found
    for row in reader.rows("history_records", "Changes that other systems stated", _STATED):
        key = row["model_subject"] or names.get((row["registry"], row["model"]), "")
        what = " ".join(part for part in (row["what"], row["item"]) if part)
        found[key].append(
            Statement(
                row["happened_at"], row["version"], what, row["before"], row["after"],
                row["actor"], row["system"], row["reference"], row["note"],
            )
        )  # fmt: skip
    return found


def deployments(reader: Reader, names: Mapping[tuple[str, str], str]) -> tuple[Deployment, ...]:
    """What engines ran by the report's moment, compared with what the registry calls live."""
    if not reader.has("deployments"):
        return ()
    rows = reader.rows("deployments", "What engines are said to have run", _DEPLOYED)
    running = {
        row["subject"]: row
        for row in reader.rows("running", "What of it ran at the moment", _RUNNING)
    }
    return tuple(_deployment(row, running.get(row["subject"]), names) for row in rows)


def _deployment(row: Row, running: Row | None, names: Mapping[tuple[str, str], str]) -> Deployment:
    told = running or {}
    return Deployment(
        model_subject=told.get("model_subject") or names.get((row["registry"], row["model"])),
        model=row["model"],
        system=row["system"],
        environment=row["environment"],
        version=row["version"] if row["version"] is not None else told.get("version"),
        deployed_at=row["running_from"],
        ended_at=row["running_until"],
        running=running is not None,
        agrees=_agrees(running) if running is not None else None,
        registry_says=_registry(running) if running is not None else "",
    )


def _agrees(row: Row) -> bool | None:
    """Whether the registry calls the same version live; None where that cannot be told."""
    if row["live"]:
        return True
    if row["live"] is None or row["possibly_live"] or row["possibly_live_versions"]:
        return None
    return False


def _registry(row: Row) -> str:
    if row["resolved_by"] == "nothing":
        return "no such version is in the registry"
    if row["resolved_by"] == "several versions":
        return "several versions have this digest"
    sure, maybe = row["live_versions"], row["possibly_live_versions"]
    said = [f"version {sure} live"] if sure else []
    said += [f"version {maybe} possibly live"] if maybe else []
    return ", ".join(said) or "no version live"
