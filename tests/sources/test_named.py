"""Only the models that are named are read, the same way through every source."""

from __future__ import annotations

from typing import Any

import pytest

from auditreg.errors import UsageError
from auditreg.sources import Completeness, open_source
from auditreg.sources.interface import STAGING
from tests.sources.databases import Made
from tests.sources.reading import everything, rows

pytestmark = pytest.mark.integration

WAYS = ("sqlite", "rest", "postgresql", "mariadb")
REGISTRY = ("registered_models", "registered_model_tags", "model_versions", "model_version_tags", "aliases")  # fmt: skip
OF_RUNS = ("runs", "run_params", "run_metrics", "run_tags", "run_datasets")
OF_LOGGED_MODELS = ("logged_models", "logged_model_params", "logged_model_metrics", "logged_model_tags")  # fmt: skip

Tables = dict[str, list[dict[str, Any]]]


def named(uri: str, *names: str) -> tuple[Tables, Completeness]:
    with open_source(uri).read(names=names) as reading:
        tables = {table: rows(reading, table) for table in STAGING}
        return tables, reading.completeness()


@pytest.fixture(scope="module")
def whole(registries):
    return Made(lambda way: everything(open_source(registries[way]))[0])


@pytest.fixture(scope="module")
def run_names(whole) -> dict[str, str]:
    """Run id to the number that the filled store gives it."""
    return {row["run_id"]: row["name"].removeprefix("run ") for row in whole["sqlite"]["runs"]}


def alike(table: str, kept: list[dict[str, Any]], ids: set[str] | None = None) -> list[str]:
    """Rows in a fixed order; those of some runs or logged models where ids are given."""
    key = "model_id" if table in OF_LOGGED_MODELS else "run_id"
    return sorted(repr(row) for row in kept if ids is None or row[key] in ids)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("name", "runs", "logged"),
    [
        ("motor/1", {"0", "3"}, 0),  # its run, and one that its tag names
        ("models:/motor/1", {"0", "3"}, 0),
        ("motor@champion", {"0", "3"}, 0),
        ("motor@CHALLENGER", {"1"}, 1),  # a logged model, and the run it came from
        ("motor/production", {"0", "3"}, 0),
        ("motor/latest", {"3"}, 0),
        ("motor/4", set(), 0),  # a copy of another version
        ("motor/2", set(), 0),  # deleted: told when it is judged
        ("motor/99", set(), 0),
        ("motor", {"0", "1", "3"}, 1),
        ("empty model", set(), 0),
    ],
)
def test_a_model_is_read_whole_and_only_what_its_named_version_leads_to(
    registries, whole, run_names, way, name, runs, logged
):
    tables, account = named(registries[way], name)
    model = "empty model" if name == "empty model" else "motor"
    for table in REGISTRY:
        mine = [row for row in whole[way][table] if row["model"] == model]
        assert alike(table, tables[table]) == alike(table, mine), table
    assert {run_names[row["run_id"]] for row in tables["runs"]} == runs
    for tables_of, ids in (
        (OF_RUNS, {row["run_id"] for row in tables["runs"]}),
        (OF_LOGGED_MODELS, {row["model_id"] for row in tables["logged_models"]}),
    ):
        for table in tables_of:
            assert alike(table, tables[table]) == alike(table, whole[way][table], ids), table
    assert len(tables["logged_models"]) == logged
    assert bool(tables["experiments"]) is bool(runs)
    assert account.complete, account.doubts
    assert account.options["models"] == "named"
    assert not tables["journal"]
    assert not tables["permissions"]


@pytest.mark.parametrize("way", WAYS)
def test_model_files_are_read_of_the_named_version_alone(registries, whole, way):
    tables, _ = named(registries[way], "motor/1")
    [row] = tables["model_artifacts"]
    [same] = [
        other
        for other in whole[way]["model_artifacts"]
        if (other["model"], other["version"]) == ("motor", 1)
    ]
    assert (row["version"], row["mlmodel_sha256"]) == (1, same["mlmodel_sha256"])
    assert row["state"] == "read"


@pytest.mark.parametrize("way", WAYS)
def test_a_logged_model_is_the_version_registered_from_it(registries, whole, way):
    [logged] = whole[way]["logged_models"]
    tables, _ = named(registries[way], f"models:/{logged['model_id']}")
    assert [row["version"] for row in tables["model_artifacts"]] == [3]
    assert [row["model_id"] for row in tables["logged_models"]] == [logged["model_id"]]


@pytest.mark.parametrize("way", WAYS)
def test_several_names_and_a_prompt(registries, way):
    tables, account = named(registries[way], "motor/3", "greeting/1", "motor/1")
    assert {row["model"] for row in tables["registered_models"]} == {"motor", "greeting"}
    assert len(tables["runs"]) == 3
    assert account.complete, account.doubts


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("moter/1", "Did you mean motor?"),
        ("Motor/1", "Did you mean motor?"),
        ("moter@champion", "Did you mean motor?"),
        ("x'); drop table runs; --", "Names can be written as"),
        ("models:/m-00000000000000000000000000000000", "Names can be written as"),
        ("", "Names can be written as"),
    ],
)
def test_a_name_of_no_model_is_told_with_the_nearest(registries, way, name, hint):
    with pytest.raises(UsageError, match="has no registered model for") as caught:
        named(registries[way], "motor/1", name)
    assert hint in (caught.value.hint or "")


def test_few_requests_whatever_the_size_of_the_registry(registries):
    source = open_source(registries["rest"])
    with source.read(names=["motor/3"]) as reading:
        for table in STAGING:
            list(reading.table(table))
        reading.completeness()
    assert source._server.requests <= 12
