"""Model files: read where they are, refused where they are hostile, never the end of a reading."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time

import pytest

from auditreg.sources.artifacts import remote
from auditreg.sources.artifacts.errors import Unreachable
from auditreg.sources.artifacts.mlmodel import (
    MAX_BYTES,
    requirement_lines,
    requirements,
    serialization,
)
from auditreg.sources.artifacts.reader import (
    NOT_LIVE,
    NOT_LIVE_UNSEEN,
    ArtifactReader,
    VersionFiles,
    resolve,
)
from tests.sources.lying import standing_in
from tests.sources.model_files import MLMODEL, model_folder


def look(location, **options):
    return ArtifactReader(**options).row(VersionFiles("default", "m", 1, location, live=False))


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
        assert row["manifest_sha256"] is None
        assert row["files_size_bytes"] == sum(file["size"] for file in files)
        assert json.loads(row["serialization"]) == {"sklearn": "cloudpickle"}
        assert json.loads(row["pins"]) == ["mlflow==3.17.2"]
        assert row["unpinned"] == 1


def test_a_manifest_has_the_digest_of_every_file(tmp_path):
    folder = model_folder(tmp_path)
    (folder / "data").mkdir()
    (folder / "data" / "weights").write_bytes(b"w" * 3_000_000)
    row = look(str(folder), manifest="all")
    files = json.loads(row["files"])
    assert {file["path"]: file["sha256"] for file in files} == {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }
    assert row["manifest_sha256"] == hashlib.sha256(row["files"].encode()).hexdigest()
    (folder / "data" / "weights").write_bytes(b"w" * 2_999_999 + b"x")
    assert look(str(folder), manifest="all")["manifest_sha256"] != row["manifest_sha256"]


def test_a_manifest_of_what_is_not_all_there_has_no_digest(tmp_path):
    folder = model_folder(tmp_path)
    (folder / "weights").symlink_to("/dev/zero")
    row = look(str(folder), manifest="all")
    assert row["manifest_sha256"] is None
    assert row["files_size_bytes"] is None
    assert json.loads(row["files"])[0]["sha256"]


def test_conda_yaml_says_what_the_other_files_do_not(tmp_path):
    folder = model_folder(tmp_path, "flavors: {python_function: {loader_module: x}}\n")
    (folder / "requirements.txt").unlink()
    (folder / "python_env.yaml").unlink()
    (folder / "conda.yaml").write_text(
        "dependencies:\n- python=3.9.18\n- pip<=23\n- pip:\n  - mlflow==2.3.2\n  - numpy>=1\n"
    )
    row = look(str(folder))
    assert row["python_version"] == "3.9.18"
    assert json.loads(row["requirements"]) == ["mlflow==2.3.2", "numpy>=1"]
    assert (json.loads(row["pins"]), row["unpinned"]) == (["mlflow==2.3.2"], 1)


@pytest.mark.parametrize(
    ("line", "pinned"),
    [
        ("mlflow==3.17.2", True),
        ("uvicorn[standard] == 0.30.1 ; python_version > '3.8'", True),
        ("torch===2.1.0+cpu", True),
        ("scikit-learn==1.5.0 --hash=sha256:abc", True),
        ("numpy==1.*", False),
        ("numpy>=1.2,<2", False),
        ("numpy", False),
        ("model @ file:///models/model.whl", False),
        ("./wheels/own.whl", False),
    ],
)
def test_what_counts_as_pinned(line, pinned):
    columns = requirements(requirement_lines(f"-c bounds.txt\n{line}\n# comment\n".encode()))
    assert json.loads(columns["pins"]) == ([line] if pinned else [])
    assert columns["unpinned"] == (0 if pinned else 1)


@pytest.mark.parametrize(
    ("line", "unpinned"),
    [
        ("-r other.txt", 1),
        ("-rother.txt", 1),
        ("--requirement=other.txt", 1),
        ("-e .", 1),
        ("--editable ./own", 1),
        ("-c bounds.txt", 0),
        ("--constraint bounds.txt", 0),
        ("--extra-index-url elsewhere", 0),
        ("--require-hashes", 0),
        ("-f wheels", 0),
    ],
)
def test_what_is_required_by_another_file_or_folder_is_not_pinned(line, unpinned):
    """Constraints require nothing: they only narrow what is required elsewhere."""
    columns = requirements(["a==1", line])
    assert (json.loads(columns["pins"]), columns["unpinned"]) == (["a==1"], unpinned)


def test_requirements_that_go_on_in_the_next_line_are_one():
    assert requirement_lines(b"mlflow==3 \\\n  --hash=sha256:ab\nnumpy # why\n\xff\n") == [
        "mlflow==3 --hash=sha256:ab", "numpy", "\ufffd",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("flavors", "expected"),
    [
        ({"sklearn": {"pickled_model": "model.skops", "serialization_format": "skops"}}, {"sklearn": "skops"}),
        ({"xgboost": {"data": "model.ubj", "model_format": "ubj"}}, {"xgboost": "ubj"}),
        ({"xgboost": {"data": "model.xgb"}}, {"xgboost": "xgb"}),
        ({"lightgbm": {"data": "model.lgb"}}, {"lightgbm": "lgb"}),
        ({"catboost": {"data": "model.cb", "save_format": "cbm"}}, {"catboost": "cbm"}),
        ({"onnx": {"data": "model.onnx"}}, {"onnx": "onnx"}),
        ({"python_function": {"python_model": "python_model.pkl", "cloudpickle_version": "3"}}, {"python_function": "cloudpickle"}),
        ({"python_function": {"model_code_path": "model.py", "python_model": "model.py"}}, {"python_function": "code"}),
        ({"pytorch": {"model_data": "data"}, "x": 3, 4: {"data": ["a.pkl"]}}, None),
    ],
)  # fmt: skip
def test_formats_by_flavour(flavors, expected):
    formats = serialization(flavors)
    assert (json.loads(formats) if formats else None) == expected


ALIASES = "a0: &a0 [x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)
)
MERGES = "a0: &a0 {x: 1}\n" + "".join(
    f"a{n}: &a{n} {{<<: [*a{n - 1}, *a{n - 1}]}}\n" for n in range(1, 40)
)
COLLIDING = "".join(f"{n * (2**61 - 1)}: 1\n" for n in range(1, 90_000))
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
    "NUL": ("mlflow_version: a\x00b\n", "not plain YAML"),
    "a long number": ("mlflow_version: 0x" + "f" * 20_000 + "\n", "too long"),
    "a tag that does not suit": ("flavors: !!bool x\n", "not plain YAML"),
    "a tag of nothing": ('flavors: !!int ""\n', "not plain YAML"),
    "a tag of a moment": ("flavors: !!timestamp x\n", "not plain YAML"),
    "a long number as a key": (f"flavors:\n  ? 0x{'F' * 5_000}\n  : {{a: 1}}\n", "as a key"),
    "base 60": (f"a: 1{':1' * 500_000}\n", "too long"),
    "base 60 by its tag": (f'a: !!int "1{" :1" * 500_000}"\n', "too long"),
    "base 60 that is no integer": (f"a: 1{':1' * 400}.5\n", "not plain YAML"),
    "keys of one hash": (COLLIDING, "as a key"),
    "merge bomb by its tag": (MERGES.replace("<<", "!!merge x"), "merge keys"),
    "text that aliases expand": (
        f"a: &a {'x' * 9_000}\nb: [{'*a, ' * 9_000}]\n",
        "too many values",
    ),
    "keys that aliases expand": (
        f"- &a {'x' * 9_000}\n" + "- {*a : 1}\n" * 9_000,
        "too many values",
    ),
    "directives": ("".join(f"%TAG !{n}! x\n" for n in range(90_000)), "too many directives"),
}


@pytest.mark.parametrize(("content", "says"), HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_mlmodel_is_unreadable_in_one_line_and_little_time(tmp_path, content, says):
    started = time.process_time()  # others may be using the processor
    row = look(str(model_folder(tmp_path, content)))
    assert row["state"] == "unreadable"
    assert says in row["problem"]
    assert "\n" not in row["problem"]
    assert time.process_time() - started < 10


def test_what_nobody_thought_of_is_a_doubt_and_not_the_end(tmp_path, monkeypatch):
    def raises(*_):
        raise KeyError("x")

    monkeypatch.setattr("auditreg.sources.artifacts.local.mlmodel.read_mlmodel", raises)
    reader = ArtifactReader()
    row = reader.row(VersionFiles("default", "m", 1, str(model_folder(tmp_path)), live=True))
    assert (row["state"], row["problem"]) == ("unreachable", "KeyError: 'x'")
    assert "(for instance m/1) could not be read: KeyError" in reader.doubts[0]


def test_files_beside_mlmodel_that_are_hostile_say_nothing(tmp_path):
    folder = model_folder(tmp_path, "flavors: {}\n")
    (folder / "requirements.txt").write_text(f"x; {'(' * 2_000}\n")
    (folder / "python_env.yaml").write_text(f"python: 0x{'F' * 5_000}\n")
    (folder / "conda.yaml").write_text('dependencies: ["python=3.9"]\n')
    row = look(str(folder))
    assert (row["state"], row["problem"], row["python_version"]) == ("read", None, "3.9")
    assert (row["pins"], row["unpinned"]) == ("[]", 1)


def test_a_token_in_the_place_of_the_user_is_not_kept(tmp_path):
    (line,) = requirement_lines(b"--find-links https://TOKEN@files.example/wheels")
    assert line == "--find-links https://***@files.example/wheels"
    (line,) = requirement_lines(b"m @ git+https://TOKEN:x-oauth-basic@git.example/m@v1")
    assert line == "m @ git+https://***@git.example/m@v1"


def test_a_folder_that_may_not_be_listed_leaves_no_whole_manifest(tmp_path, monkeypatch):
    folder = model_folder(tmp_path)
    (folder / "data").mkdir()
    scandir = os.scandir

    def refuses(path):
        if os.fspath(path).endswith("data"):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuses)  # root may list everything
    row = look(str(folder), manifest="all")
    assert (row["state"], row["problem"]) == ("read", "1 folder(s) may not be read")
    assert row["manifest_sha256"] is row["files_size_bytes"] is None


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
    row = look(str(folder), manifest="all")
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
    (folder / "MLmodel").unlink()
    (folder / "MLmodel").mkdir()
    assert "not a regular file" in look(str(folder))["problem"]
    assert look(str(folder))["state"] == "unreadable"


@pytest.mark.parametrize(
    ("location", "state", "says"),
    [
        (r"C:\models\motor", "unreachable", "Windows machine"),
        ("file:///C:/models/motor", "unreachable", "Windows machine"),
        (r"\\server\share\motor", "unreachable", "another machine"),
        ("hdfs://elsewhere:8020/x", "unreachable", "host that hdfs files are not read from"),
        ("abfss://fs@evil.example.com/x", "unreachable", "host that abfss files"),
        (
            "wasbs://c@a.blob.core.windows.net.evil.example/x",
            "unreachable",
            "host that wasbs files",
        ),
        ("r2://b@evil.example/x", "unreachable", "host that r2 files"),
        ("s3://bucket/a/../../other", "unreachable", "upwards"),
        ("mlflow-artifacts:/1/%2e%2e/x", "unreachable", "upwards"),
        ("http://[bad/x", "unreachable", ""),
        (None, "unreachable", "does not say"),
        ("/nowhere/at/all", "unreachable", "no such folder"),
        ("file://elsewhere/x", "unreachable", "another machine"),
        ("//elsewhere/share", "unreachable", "another machine"),
        ("models:/m-gone", "unreachable", "not there"),
        ("mlflow-artifacts:/1/x", "unreachable", "only the tracking server"),
        ("gopher://x/y", "unreachable", "scheme gopher"),
        ("\x00$bytes:/w==", "unreachable", "does not say"),
        ("/bad\x00name", "unreachable", "character that no path has"),
        ("file:///bad%00name", "unreachable", "character that no path has"),
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
    monkeypatch.setattr("auditreg.sources.artifacts.remote.Stores.repository", None)
    row = look(location, tracking_uri="http://track:5000")
    assert "another host" in row["problem"]


def test_the_servers_own_host_needs_no_port_where_the_server_has_none():
    stores = remote.Stores("https://track.example")
    location = "mlflow-artifacts://track.example/1/x"
    assert stores.open(location)
    with pytest.raises(Unreachable, match="another host"):
        remote.Stores("https://track.example:5000").open(location)


@pytest.mark.parametrize(
    "location",
    [
        "s3://AKIAIOSFODNN7EXAMPLE:hunter2@bucket/x",
        "wasbs://c@a.blob.core.windows.net/x?sv=2024&sig=hunter2",
        "abfss://c@a.dfs.core.windows.net/x?sig=hunter2",
        "https://track:5000/x?token=hunter2",
        "https://bob:hunter2@track:5000/x",
        "s3://bucket/x?X-Amz-Signature=hunter2",
    ],
)
def test_a_location_with_credentials_is_neither_used_nor_kept(location, monkeypatch):
    monkeypatch.setattr("auditreg.sources.artifacts.remote.Stores.repository", None)
    row = look(location, tracking_uri="https://track:5000")
    assert (row["state"], "credentials" in row["problem"]) == ("unreachable", True)
    assert "hunter2" not in repr(row)


def test_a_model_folder_that_is_a_link_is_not_followed(tmp_path):
    folder = model_folder(tmp_path / "model")
    (tmp_path / "link").symlink_to(folder)
    row = look(str(tmp_path / "link"))
    assert (row["state"], "symbolic link" in row["problem"]) == ("unreadable", True)


def test_a_folder_that_is_gone_differs_from_a_disk_that_is_not_there(tmp_path):
    folder = tmp_path / "store" / "run" / "artifacts" / "model"
    model_folder(folder)
    assert look(str(folder))["state"] == "read"
    shutil.rmtree(folder)
    assert look(str(folder))["state"] == "no_mlmodel"
    shutil.rmtree(tmp_path / "store")
    assert look(str(folder))["state"] == "unreachable"


def test_file_names_are_kept_as_they_are(tmp_path):
    folder = model_folder(tmp_path / "model")
    names = ["line\nbreak", "right\u202eto left", 'quote"s', "e\u0301"]
    for name in names:
        (folder / name).write_text("x")
    with (folder / os.fsdecode(b"bad\xff")).open("w"):
        pass
    row = look(folder.as_uri())
    assert {*names, "bad\ufffd"} < {file["path"] for file in json.loads(row["files"])}


def test_only_live_versions_if_asked(tmp_path):
    folder = str(model_folder(tmp_path))
    reader = ArtifactReader(versions="live")
    states = [
        reader.row(VersionFiles("default", "m", 1, folder, live=live))["state"]
        for live in (True, False)
    ]
    assert states == ["read", "not_looked_at"]
    assert (reader.left_out, reader.counts) == ({NOT_LIVE: 1}, (1, 1))
    assert reader.cannot_show == (NOT_LIVE_UNSEEN,)
    assert not ArtifactReader(versions="all").cannot_show


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
    (folder / "data" / "deep").mkdir(parents=True)
    (folder / "data" / "deep" / "weights").write_bytes(b"weights")
    get_artifact_repository("mlflow-artifacts:/7/model", tracking_uri=server).log_artifacts(
        str(folder)
    )
    row = look("mlflow-artifacts:/7/model", tracking_uri=server)
    assert row["state"] == "read"
    assert row["mlmodel_sha256"] == look(str(folder))["mlmodel_sha256"]
    assert row["requirements"] == look(str(folder))["requirements"]
    assert row["files"] == look(str(folder))["files"]
    assert row["pins"] == look(str(folder))["pins"]
    hashed = look("mlflow-artifacts:/7/model", tracking_uri=server, manifest="all")
    assert hashed["manifest_sha256"] == look(str(folder), manifest="all")["manifest_sha256"]
    assert look("mlflow-artifacts:/7/none", tracking_uri=server)["state"] == "no_mlmodel"


@pytest.mark.parametrize(
    "files", [3, [{"path": "MLmodel"}], [{"path": None, "is_dir": False}], "x"]
)
def test_an_artifact_server_that_answers_what_no_client_expects_is_no_abort(files, tmp_path):
    """Whether MLflow's client stumbles over it or not: a row that says so, and no version else harmed."""
    folder = model_folder(tmp_path / "model")

    def answer(path, query):
        return 200, {"files": files}

    with standing_in(answer) as uri:
        reader = ArtifactReader(tracking_uri=uri, threads=1)
        versions = [
            VersionFiles("default", "m", 1, "mlflow-artifacts:/1/x", live=True),
            VersionFiles("default", "m", 2, str(folder), live=True),
        ]
        rows = [
            row for batch in reader.read(versions, lambda *_: None) for row in batch.to_pylist()
        ]
    assert rows[0]["state"] in ("unreachable", "no_mlmodel", "unreadable")
    assert rows[0]["problem"]
    assert rows[1]["state"] == "read"
    assert (rows[0]["state"] == "unreachable") == bool(reader.doubts or reader.left_out)
