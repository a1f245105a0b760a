"""What MLflow 2 wrote of a model into a tag of its run, as the ledger reads it."""

from __future__ import annotations

import json

import pytest

from tests.ledger.book import Book
from tests.ledger.reading import MemoryReading, Registry, run_rows, together

INPUTS, OUTPUTS = '[{"name": "age", "type": "long"}]', '[{"type": "double"}]'
RUN = "0123456789abcdef0123456789abcdef"


def entry(path: str = "model", uuid: str | None = None, **signature: str | None) -> dict:
    """An entry as MLflow 2.3 and 2.9 write it: what MLmodel says; later ones leave most out."""
    return {
        "run_id": RUN,
        "artifact_path": path,
        "model_uuid": uuid,
        "flavors": {"sklearn": {}},
        "signature": {"params": None, **signature} if signature else None,
    }


def said(book: Book, value: object, source: str, artifact: dict | None = None) -> list[tuple]:
    """The signatures of a version registered from `source` whose run has this tag."""
    registry = Registry()
    registry.create("motor")
    registry.version("motor", source=source, run_id=RUN)
    text = value if isinstance(value, str) else json.dumps(value)
    rows = run_rows(RUN, tags={"mlflow.log-model.history": text})
    if artifact is not None:
        own = {"workspace": "default", "model": "motor", "version": 1, "state": "read"}
        rows = together(rows, {"model_artifacts": [{**own, **artifact}]})
    book.take(MemoryReading(together(registry.rows(), rows), registry.wait()))
    return book.rows(
        "select found_in, inputs, outputs, grade from signatures order by found_in, inputs"
    )


STATED = ("run tag", INPUTS, OUTPUTS, "asserted")


@pytest.mark.parametrize(
    "source",
    [
        f"runs:/{RUN}/model",
        f"s3://bucket/7/{RUN}/artifacts/model",
        f"/srv/mlruns/7/{RUN}/artifacts/model/",
        f"mlflow-artifacts:/7/{RUN}/artifacts/model",
    ],
)
def test_the_entry_of_the_version_is_found_by_its_path(book, source):
    other = entry("other", inputs="[]", outputs=None)
    first = entry(inputs="[1]", outputs=None)
    last = entry(inputs=INPUTS, outputs=OUTPUTS)
    assert said(book, [first, last, other], source) == [STATED]


def test_a_path_below_another_is_another_model(book):
    tag = [entry("model", inputs=INPUTS, outputs=OUTPUTS)]
    assert said(book, tag, f"runs:/{RUN}/model/inner") == []


def test_where_the_path_is_unknown_the_only_model_of_the_run_it_is(book):
    assert said(book, [entry(inputs=INPUTS, outputs=OUTPUTS)], "s3://copied/x") == [STATED]


def test_where_the_path_is_unknown_one_of_several_is_none(book):
    tag = [entry("a", inputs=INPUTS), entry("b", inputs=OUTPUTS)]
    assert said(book, tag, "s3://copied/x") == []


def test_mlflows_id_of_the_model_counts_before_its_path(book):
    tag = [
        entry("model", "u1", inputs=INPUTS, outputs=OUTPUTS),
        entry("model", "u2", inputs="[2]", outputs=None),
    ]
    found = said(book, tag, f"runs:/{RUN}/model", {"model_uuid": "u1"})
    assert found == [STATED]


def test_both_stand_side_by_side_and_the_file_comes_first(book):
    artifact = {"signature_inputs": "[3]", "mlmodel_sha256": "ab"}
    found = said(book, [entry(inputs=INPUTS, outputs=OUTPUTS)], f"runs:/{RUN}/model", artifact)
    assert found == [("MLmodel", "[3]", None, "observed"), STATED]
    assert book.rows(
        "select value, found_in, grade, rank from fields where field = 'inputs' order by rank"
    ) == [("[3]", "MLmodel", "observed", 1), (INPUTS, "run tag", "asserted", 2)]
    assert book.rows("select inputs, outputs from inventory") == [("[3]", OUTPUTS)]
    at = book.rows("select max(observed_at) from extractions")[0][0]
    past = book.rows("select found_in, inputs from signatures_as_of(?) order by 1", at)
    assert past == [("MLmodel", "[3]"), ("run tag", INPUTS)]


@pytest.mark.parametrize(
    "value",
    [
        '[{"artifact_path": "model", "signature": {"inputs": "cut of',
        '[{"artifact_path": "model", "signature": {"inputs": "\\ud800"}}]',
        '{"signature": 1}',
        '[[["signature"]]]',
        '[{"artifact_path": {"a": 1}, "signature": {"inputs": "x"}}]',
        '[null, 3, "signature", {"signature": null, "artifact_path": "model"}]',
        '"\\"signature\\""',
        "[" * 2_000 + '"signature"' + "]" * 2_000,
        [entry()],
        [{"artifact_path": "model", "flavors": {}, "utc_time_created": "2024"}],
    ],
    ids=range(10),
)
def test_a_tag_that_says_nothing_or_nonsense_says_nothing(book, value):
    assert said(book, value, f"runs:/{RUN}/model") == []
    assert book.rows("select count(*) from fields where field = 'inputs'") == [(0,)]
