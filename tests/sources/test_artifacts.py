"""Model files: read where they are, refused where they are hostile, never the end of a reading."""

from __future__ import annotations

import hashlib
import json
import os
import time

import pytest

from auditreg.sources.artifacts import ArtifactReader, Version, resolve
from auditreg.sources.mlmodel import MAX_BYTES
from tests.sources.model_files import MLMODEL, model_folder


def look(location, **options):
    return ArtifactReader(**options).row(Version("default", "m", 1, location, live=False))


def test_a_local_model_is_read(tmp_path):
    folder = model_folder(tmp_path / "a b")
    for location in (str(folder), folder.as_uri()):
        row = look(location)
        assert (row["state"], row["problem"]) == ("read", None)
        assert row["mlmodel_sha256"] == hashlib.sha256(MLMODEL.encode()).hexdigest()
        assert json.loads(row["signature_inputs"]) == [{"name": "age", "type": "long"}]
        assert row["signature_params"] is None
        assert json.loads(row["flavors"])["sklearn"]["pickled_model"] == "model.pkl"
        assert row["python_version"] == "3.11.7"
        assert row["mlflow_version"] == "3.17.2"
        assert row["model_size_bytes"] == 1234
        assert row["utc_time_created"] == "2026-09-01 10:00:00.000000"
        assert row["input_example"] == "input_example.json"
        assert "hunter2" not in row["requirements"]
        assert "mlflow==3.17.2" in json.loads(row["requirements"])
        files = json.loads(row["files"])
        assert [file["path"] for file in files] == [
            "MLmodel", "input_example.json", "model.pkl", "python_env.yaml", "requirements.txt",
        ]  # fmt: skip
        assert "sha256" not in files[0]


def test_a_manifest_has_the_digest_of_every_file(tmp_path):
    files = json.loads(look(str(model_folder(tmp_path)), manifest=True)["files"])
    assert files[0]["sha256"] == hashlib.sha256(MLMODEL.encode()).hexdigest()


ALIASES = "a0: &a0 [x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)
)
MERGES = "a0: &a0 {x: 1}\n" + "".join(
    f"a{n}: &a{n} {{<<: [*a{n - 1}, *a{n - 1}]}}\n" for n in range(1, 40)
)
HOSTILE = {
    "alias bomb": (ALIASES, "too many values"),
    "merge bomb": (MERGES, "merge keys"),
    "cycle": ("flavors: &a {x: *a}\n", "themselves"),
    "deep": ("[" * 5_000, "nested too deeply"),
    "python tag": ("flavors: !!python/object/apply:os.system ['true']\n", "not plain YAML"),
    "not a mapping": ("- 1\n", "not a mapping"),
    "not text": (b"\xff\xfe\x00", "not UTF-8"),
    "half a character": ('mlflow_version: "\\ud800"\n', ""),
    "infinity": ("flavors: {x: {y: .inf}}\n", "what JSON cannot"),
    "large": ("#" * (MAX_BYTES + 1), "larger than"),
    "tab": ("a:\n\t- b", "not plain YAML"),
}


@pytest.mark.parametrize(("content", "says"), HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_mlmodel_is_unreadable_in_one_line_and_little_time(tmp_path, content, says):
    started = time.monotonic()
    row = look(str(model_folder(tmp_path, content)))
    assert row["state"] == "unreadable"
    assert says in row["problem"]
    assert "\n" not in row["problem"]
    assert time.monotonic() - started < 10


def test_shared_values_that_stay_small_are_fine(tmp_path):
    row = look(str(model_folder(tmp_path, "flavors: {a: &x {k: 1}, b: *x}\n")))
    assert json.loads(row["flavors"]) == {"a": {"k": 1}, "b": {"k": 1}}


def test_links_out_of_the_folder_are_not_followed(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("mlflow_version: leaked\n")
    folder = model_folder(tmp_path / "model")
    (folder / "weights").symlink_to(secret)
    (folder / "etc").symlink_to(tmp_path)
    (folder / "requirements.txt").unlink()
    (folder / "requirements.txt").symlink_to(secret)
    row = look(str(folder), manifest=True)
    assert row.get("requirements") is None
    assert "3 symbolic link(s)" in row["problem"]
    assert {"weights", "requirements.txt", "secret"}.isdisjoint(
        file["path"] for file in json.loads(row["files"])
    )
    (folder / "MLmodel").unlink()
    (folder / "MLmodel").symlink_to(secret)
    assert look(str(folder))["state"] == "unreadable"
    (folder / "MLmodel").unlink()
    os.mkfifo(folder / "MLmodel")
    assert "not a regular file" in look(str(folder))["problem"]


@pytest.mark.parametrize(
    ("location", "state", "says"),
    [
        (None, "unreachable", "does not say"),
        ("/nowhere/at/all", "unreachable", "no such folder"),
        ("file://elsewhere/x", "unreachable", "another machine"),
        ("//elsewhere/share", "unreachable", "another machine"),
        ("models:/m-gone", "unreachable", "not there"),
        ("mlflow-artifacts:/1/x", "unreachable", "only the tracking server"),
        ("gopher://x/y", "unreachable", "scheme gopher"),
        ("\x00$bytes:/w==", "unreachable", "does not say"),
        ("/bad\x00name", "unreachable", ""),
    ],
)
def test_what_cannot_be_had_is_a_row_that_says_so(location, state, says):
    row = look(location)
    assert row["state"] == state
    assert says in row["problem"]


def test_folders_without_mlmodel_and_files(tmp_path):
    (tmp_path / "x").write_text("")
    assert look(str(tmp_path))["state"] == "no_mlmodel"
    assert look(str(tmp_path / "x"))["state"] == "no_mlmodel"


@pytest.mark.parametrize(
    "location", ["http://evil.example/x", "mlflow-artifacts://evil.example/x", "https://track/x"]
)
def test_credentials_are_never_sent_to_a_host_a_version_names(location, monkeypatch):
    monkeypatch.setattr("auditreg.sources.artifacts._fetch", None)
    row = look(location, tracking_uri="http://track:5000")
    assert "another host" in row["problem"]


def test_a_store_that_does_not_answer_is_not_asked_again(monkeypatch):
    calls = []

    def fetch(location, tracking_uri):
        calls.append(location)
        raise OSError("https://bob:hunter2@minio timed out\nsecond line")

    monkeypatch.setattr("auditreg.sources.artifacts._fetch", fetch)
    reader = ArtifactReader()
    problems = [
        reader.row(Version("default", "m", n, f"s3://bucket/{n}", live=True))["problem"]
        for n in range(6)
    ]
    assert len(calls) == 3
    assert "hunter2" not in problems[0]
    assert "not tried again" in problems[5]


def test_only_live_versions_if_asked(tmp_path):
    folder = str(model_folder(tmp_path))
    reader = ArtifactReader(versions="live")
    states = [
        reader.row(Version("default", "m", 1, folder, live=live))["state"] for live in (True, False)
    ]
    assert states == ["read", "not_looked_at"]


def test_where_a_versions_files_are():
    places = {"m-1": "/logged", "r": "/run/artifacts/"}
    assert resolve("models:/m-1", None, places) == "/logged"
    assert resolve("models:/m-2", "/kept", places) == "/kept"
    assert resolve("runs:/r/model", None, places) == "/run/artifacts/model"
    assert resolve("runs:/gone/model", None, places) is None
    assert resolve("models:/motor/1", "/copied", places) == "/copied"
    assert resolve("s3://b/x", None, places) == "s3://b/x"
    assert resolve(None, None, places) is None


def test_models_behind_the_servers_own_artifact_store(server, tmp_path):
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    folder = model_folder(tmp_path / "model")
    get_artifact_repository("mlflow-artifacts:/7/model", tracking_uri=server).log_artifacts(
        str(folder)
    )
    row = look("mlflow-artifacts:/7/model", tracking_uri=server)
    assert row["state"] == "read"
    assert row["mlmodel_sha256"] == look(str(folder))["mlmodel_sha256"]
    assert row["requirements"] == look(str(folder))["requirements"]
    assert row["files"] == look(str(folder))["files"]
    assert look("mlflow-artifacts:/7/none", tracking_uri=server)["state"] == "no_mlmodel"
