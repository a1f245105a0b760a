"""What must be read from a store, by what its story says: rows as the staging tables have them."""

from __future__ import annotations

import json
from typing import Any

Rows = dict[str, list[dict[str, Any]]]


def living(truth: dict[str, Any]) -> list[tuple[str, int, dict[str, Any]]]:
    """Model, number and facts of every version that is not deleted, those of prompts aside."""
    return [
        (name, int(number), version)
        for name, model in truth["models"].items()
        for number, version in model["versions"].items()
        if not version["deleted"]
    ]


def linked_runs(truth: dict[str, Any]) -> set[str]:
    """The runs that versions lead to: theirs, their source's, a tag's, their logged model's."""
    found: set[str] = set()
    for _, _, version in living(truth):
        source = version["source"]
        found |= {version["run_id"]} if version["run_id"] else set()
        found |= {source.split("/")[1]} if source.startswith("runs:/") else set()
        found |= set(version["tags"].values()) & truth["runs"].keys()
    found |= {truth["logged_models"][one]["source_run_id"] for one in linked_models(truth)}
    return found


def linked_models(truth: dict[str, Any]) -> set[str]:
    """The logged models that are versions' sources."""
    sources = (version["source"] for _, _, version in living(truth))
    return {
        source.removeprefix("models:/") for source in sources if source.startswith("models:/m-")
    }


def models(truth: dict[str, Any]) -> dict[str, Any]:
    """Description and tags by name, prompts aside."""
    return {name: (model["description"], model["tags"]) for name, model in truth["models"].items()}


def aliases(truth: dict[str, Any], *, outlive: bool = True) -> set[tuple[str, str, int]]:
    """Name, alias and version, also of prompts; those of deleted versions where they outlive them."""
    named = {**truth["models"], **truth["prompts"]}
    found = {(n, alias, v) for n, model in named.items() for alias, v in model["aliases"].items()}
    return found if outlive else found - {one for one in found if one[::2] in deleted(truth)}


def deleted(truth: dict[str, Any]) -> set[tuple[str, int]]:
    """Model and number of the versions that were deleted."""
    return {
        (name, int(number))
        for name, model in truth["models"].items()
        for number, version in model["versions"].items()
        if version["deleted"]
    }


def versions(truth: dict[str, Any]) -> dict[tuple[str, int], Any]:
    """What each living version must say, prompts aside."""
    told = ("stage", "description", "source", "run_id", "run_link", "tags")
    return {(n, number): tuple(one[part] for part in told) for n, number, one in living(truth)}


def runs(truth: dict[str, Any]) -> dict[str, Any]:
    """What each linked run must say."""
    told = ("experiment_id", "user_id", "status", "lifecycle_stage", "start_time", "end_time",
            "params", "metrics")  # fmt: skip
    found = {}
    for run_id in linked_runs(truth):
        run = truth["runs"][run_id]
        datasets = sorted(run["datasets"], key=repr)
        found[run_id] = (*(run[part] for part in told), datasets)
    return found


def signatures(truth: dict[str, Any]) -> dict[tuple[str, int], Any]:
    """MLflow's release and the signature of each version whose files are there."""
    return {
        (name, number): (version["files"]["mlflow_version"], version["files"]["signature"])
        for name, number, version in living(truth)
        if version["files"]
    }


# The same from rows that were read.


def by(rows: list[dict[str, Any]], *keys: str) -> dict[Any, list[dict[str, Any]]]:
    """Rows by the values of some columns."""
    found: dict[Any, list[dict[str, Any]]] = {}
    for row in rows:
        found.setdefault(tuple(row[key] for key in keys), []).append(row)
    return found


def read_models(tables: Rows, truth: dict[str, Any]) -> dict[str, Any]:
    """As `models`."""
    tags = by(tables["registered_model_tags"], "model")
    return {
        row["model"]: (row["description"], _values(tags.get((row["model"],), [])))
        for row in tables["registered_models"]
        if row["model"] not in truth["prompts"]
    }


def read_aliases(tables: Rows) -> set[tuple[str, str, int]]:
    """As `aliases`."""
    return {(row["model"], row["alias"], row["version"]) for row in tables["aliases"]}


def read_versions(tables: Rows, truth: dict[str, Any]) -> dict[tuple[str, int], Any]:
    """As `versions`."""
    tags = by(tables["model_version_tags"], "model", "version")
    told = ("stage", "description", "source", "run_id", "run_link")
    found = {}
    for row in tables["model_versions"]:
        key = (row["model"], row["version"])
        if row["stage"] != "Deleted_Internal" and row["model"] not in truth["prompts"]:
            found[key] = (*(row[part] for part in told), _values(tags.get(key, [])))
    return found


def read_runs(tables: Rows) -> dict[str, Any]:
    """As `runs`."""
    told = ("experiment_id", "user_id", "status", "lifecycle_stage", "start_time", "end_time")
    children = {
        name: by(tables[f"run_{name}"], "run_id") for name in ("params", "metrics", "datasets")
    }
    found = {}
    for row in tables["runs"]:
        params, metrics, datasets = (children[name].get((row["run_id"],), []) for name in children)
        found[row["run_id"]] = (
            *(row[part] for part in told),
            _values(params),
            {one["key"]: [repr(one["value"]), one["timestamp"], one["step"]] for one in metrics},
            sorted(([one["name"], one["digest"], one["context"]] for one in datasets), key=repr),
        )
    return found


def read_signatures(tables: Rows) -> dict[tuple[str, int], Any]:
    """As `signatures`, from MLmodel."""
    parts = ("inputs", "outputs", "params")
    return {
        (row["model"], row["version"]): (
            row["mlflow_version"],
            {part: _json(row[f"signature_{part}"]) for part in parts},
        )
        for row in tables["model_artifacts"]
        if row["state"] == "read"
    }


def as_signature(told: dict[str, Any]) -> dict[str, Any]:
    """A signature whose parts are JSON text, parsed: what it says, whoever wrote it down."""
    return {part: _json(told.get(part)) for part in ("inputs", "outputs", "params")}


def _json(text: str | None) -> Any:
    return json.loads(text) if text else None


def _values(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {row["key"]: row["value"] for row in rows}
