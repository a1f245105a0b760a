"""Stores that older MLflow releases wrote, read from the file: all that their story says is there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from auditreg.ledger.store import Ledger
from auditreg.sources import open_source
from auditreg.sources.interface import Completeness
from tests.ledger.conftest import ask
from tests.releases import expected
from tests.releases.stores import MODELS, Store, unpacked
from tests.servers.releases import RELEASES
from tests.sources.reading import everything

INVENTORY = (
    "select model, version, stage, aliases, run_id, source from inventory "
    "where version is not null and not deleted and kind = 'model'"
)
TAGS = """
    select t.model, t.version, map_from_entries(list(row(t.key, t.value)))
    from model_version_tags t join inventory i using (model, version)
    where not i.deleted and i.kind = 'model' group by all
"""
SIGNED_HISTORY = ("2.3.2", "2.9.2")
"""Releases whose `mlflow.log-model.history` holds signatures. Of the later ones, none is no evidence
that there is no signature: they leave it out."""
Read = tuple[Store, dict[str, list[dict[str, Any]]], Completeness]


@pytest.fixture(scope="module", params=RELEASES)
def read(request, tmp_path_factory) -> Read:
    """A release's store and what is read from it."""
    store = unpacked(request.param, tmp_path_factory.mktemp("store"))
    return store, *everything(open_source(store.uri))


def test_models_stages_tags_and_aliases_are_those_of_the_story(read: Read):
    store, tables, _ = read
    truth = store.truth
    assert len(truth["models"]) == MODELS.get(truth["mlflow"], 24)
    assert expected.read_models(tables, truth) == expected.models(truth)
    assert expected.read_versions(tables, truth) == expected.versions(truth)
    assert expected.read_aliases(tables) == expected.aliases(truth)
    stages = {version[0] for version in expected.versions(truth).values()}
    assert stages == {"None", "Staging", "Production", "Archived"}


def test_deleted_versions_have_left_their_tombstones(read: Read):
    store, tables, completeness = read
    deleted = expected.deleted(store.truth)
    rows = [row for row in tables["model_versions"] if row["stage"] == "Deleted_Internal"]
    assert {(row["model"], row["version"]) for row in rows} == deleted
    assert len(deleted) == completeness.tombstones == 2
    assert {row["run_id"] for row in rows} == {"REDACTED-RUN-ID"}


def test_versions_lead_to_their_runs_and_these_to_their_data(read: Read):
    store, tables, _ = read
    truth = store.truth
    assert expected.read_runs(tables) == expected.runs(truth)
    assert any(run["datasets"] for run in truth["runs"].values()) == truth["can"]["datasets"]
    named = {run_id: run["name"] for run_id, run in truth["runs"].items() if run["name"]}
    for row in tables["runs"]:
        assert row["name"] == named.get(row["run_id"], row["name"])
        assert row["name"], "a run nobody named was given a name by MLflow"
    tags = expected.by(tables["run_tags"], "run_id")
    for run_id in expected.runs(truth):
        found = {row["key"]: row["value"] for row in tags[run_id,]}
        asked = truth["runs"][run_id]["tags"]
        assert asked.items() <= found.items()
        assert all(key.startswith("mlflow.") for key in found.keys() - asked.keys())


def test_signatures_are_those_of_the_models(read: Read):
    store, tables, _ = read
    told = expected.signatures(store.truth)
    found = expected.read_signatures(tables)
    assert found.keys() == told.keys()
    assert len(found) >= 3
    for key, (mlflow, signature) in told.items():
        assert found[key] == (mlflow, expected.as_signature(signature))


def test_early_mlflow_2_tells_the_signature_in_a_tag_of_the_run_too(read: Read):
    store, tables, _ = read
    history = {
        row["run_id"]: json.loads(row["value"])
        for row in tables["run_tags"]
        if row["key"] == "mlflow.log-model.history"
    }
    told = [one for _, _, one in expected.living(store.truth) if one["files"]]
    if store.truth["can"]["logged_models"]:
        assert history == {}
        return
    for one in told:
        (entry,) = history[one["run_id"] or one["source"].split("/")[1]]
        assert entry["artifact_path"] == "model"
        assert ("signature" in entry) == (read[0].truth["mlflow"] in SIGNED_HISTORY)
        if "signature" in entry:
            signature = expected.as_signature(one["files"]["signature"])
            assert expected.as_signature(entry["signature"]) == signature


def test_logged_models_are_those_that_versions_come_from(read: Read):
    store, tables, _ = read
    truth = store.truth
    assert {row["model_id"] for row in tables["logged_models"]} == expected.linked_models(truth)
    assert bool(tables["logged_models"]) == truth["can"]["logged_models"]
    tags = expected.by(tables["logged_model_tags"], "model_id")
    for row in tables["logged_models"]:
        told = truth["logged_models"][row["model_id"]]
        assert (row["source_run_id"], row["name"]) == (told["source_run_id"], told["name"])
        assert (row["status"], row["lifecycle_stage"]) == ("READY", "active")
        found = {tag["key"]: tag["value"] for tag in tags[row["model_id"],]}
        assert told["tags"].items() <= found.items()
        if "became" in told:
            name, version = told["became"]
            (became,) = json.loads(found["mlflow.modelVersions"])
            assert (became["name"], int(became["version"])) == (name, version)


def test_prompts_are_there_with_their_texts(read: Read):
    store, tables, _ = read
    truth = store.truth
    prompts = {
        row["model"]
        for row in tables["registered_model_tags"]
        if (row["key"], row["value"]) == ("mlflow.prompt.is_prompt", "true")
    }
    assert prompts == truth["prompts"].keys()
    assert bool(prompts) == truth["can"]["prompts"]
    texts = {
        (row["model"], str(row["version"])): row["value"]
        for row in tables["model_version_tags"]
        if row["key"] == "mlflow.prompt.text"
    }
    told = {
        (name, number): text
        for name, prompt in truth["prompts"].items()
        for number, text in prompt["versions"].items()
    }
    assert texts == told


def test_nothing_is_in_doubt(read: Read):
    _, tables, completeness = read
    assert completeness.doubts == ()
    assert completeness.gaps == 0
    # The run of a deleted version; the other one has none.
    left_out = {k: v for k, v in completeness.left_out.items() if not k.startswith("model files")}
    assert left_out == {"runs no version points to": 1}
    counts = {
        name: count for name, count in completeness.counts.items() if name != "model_artifacts"
    }
    assert all(count == (len(tables[name]),) * 2 for name, count in counts.items())


@pytest.mark.integration
def test_the_state_is_the_story_s_and_the_same_again_adds_one_entry(read: Read, tmp_path: Path):
    store, _, _ = read
    truth = store.truth
    ledger = Ledger(tmp_path / "audit.duckdb")

    def take():
        with open_source(store.uri).read() as reading:
            return ledger.ingest(reading, registry="default", policies=())

    first, second = take(), take()
    assert first.completeness.complete
    assert (second.appended, second.changes) == (1, {})
    versions = expected.versions(truth)
    inventory = {row[:2]: row[2:] for row in ask(ledger, INVENTORY)}
    assert inventory == {
        (name, number): (one["stage"], _aliases(truth, name, number), one["run_id"], one["source"])
        for name, number, one in expected.living(truth)
    }
    aliases = ask(ledger, "select model, alias, version from aliases")
    assert set(aliases) == expected.aliases(truth)
    assert {row[:2]: dict(row[2]) for row in ask(ledger, TAGS)} == {
        key: one[5] for key, one in versions.items() if one[5]
    }
    runs = ask(ledger, "select run_id, lifecycle_stage from runs")
    assert dict(runs) == {run_id: run[3] for run_id, run in expected.runs(truth).items()}
    signed = "select model, version, signature_inputs from model_artifacts where state = 'read'"
    assert {row[:2]: json.loads(row[2]) for row in ask(ledger, signed)} == {
        key: expected.as_signature(one[1])["inputs"]
        for key, one in expected.signatures(truth).items()
    }


def _aliases(truth: dict[str, Any], name: str, number: int) -> str | None:
    named = truth["models"][name]["aliases"].items()
    return ", ".join(sorted(alias for alias, version in named if version == number)) or None
