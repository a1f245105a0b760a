"""Model files in stores elsewhere: a real S3, and stores that answer as they please."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections import namedtuple
from pathlib import Path
from types import SimpleNamespace

import pytest

from auditreg.sources.artifacts import local, remote
from auditreg.sources.artifacts.reader import NOT_HASHED_ELSEWHERE, ArtifactReader, VersionFiles
from tests.servers.process import require
from tests.sources.model_files import MLMODEL, model_folder


def version(location: str, number: int = 1, *, live: bool = True) -> VersionFiles:
    return VersionFiles("default", "m", number, location, live=live)


def all_rows(reader: ArtifactReader, *versions: VersionFiles) -> list[dict]:
    rows = []
    for batch in reader.read(versions, lambda *_: None):
        rows += batch.to_pylist()
    return rows


@pytest.fixture(scope="module")
def s3(tmp_path_factory):
    """A bucket `models` of a real S3 service of the tests' own, reached as people do."""
    moto = pytest.importorskip("moto.server")
    boto3 = pytest.importorskip("boto3")
    server = moto.ThreadedMotoServer("127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_S3_ENDPOINT_URL", f"http://{host}:{port}")
        patch.setenv("AWS_ACCESS_KEY_ID", "test")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
        patch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
        client = boto3.client("s3", endpoint_url=f"http://{host}:{port}")
        client.create_bucket(
            Bucket="models", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
        )
        yield client
    server.stop()


def put(client, folder, prefix):
    for path in folder.rglob("*"):
        if path.is_file():
            key = f"{prefix}/{path.relative_to(folder).as_posix()}"
            client.upload_file(str(path), "models", key)


def test_s3_holds_what_the_folder_holds(s3, tmp_path):
    folder = model_folder(tmp_path / "model")
    (folder / "data" / "deep").mkdir(parents=True)
    (folder / "data" / "deep" / "weights").write_bytes(b"w" * 1_000_000)
    put(s3, folder, "1/run/artifacts/model")
    s3.put_object(Bucket="models", Key="1/run/artifacts/model/empty/")
    s3.put_object(Bucket="models", Key="1/run/artifacts/model2/MLmodel", Body=b"other: 1\n")
    for manifest in ("none", "live"):
        reader = ArtifactReader(manifest=manifest)
        (there,) = all_rows(reader, version("s3://models/1/run/artifacts/model"))
        here = ArtifactReader(manifest=manifest).row(version(str(folder)))
        apart = {"location", "marker"}
        assert {name: value for name, value in there.items() if name not in apart} == {
            **dict.fromkeys(there.keys() - apart),
            **{name: value for name, value in here.items() if name not in apart},
        }
        total = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        assert reader.options.get("bytes hashed") == (str(total) if manifest == "live" else None)
    assert "data/deep/weights" in {file["path"] for file in json.loads(there["files"])}


def test_what_is_not_in_s3(s3):
    reader = ArtifactReader()
    nothing, elsewhere = all_rows(
        reader, version("s3://models/nothing/here"), version("s3://no-such-bucket/x")
    )
    assert nothing["state"] == "no_mlmodel"
    assert (elsewhere["state"], "bucket" in elsewhere["problem"]) == ("unreachable", True)
    assert reader.counts == (2, 1)
    ((reason, number),) = reader.left_out.items()
    assert (reason.startswith("model files in s3://no-such-bucket not read: "), number) == (True, 1)
    assert reader.doubts == ()


def test_a_version_that_is_not_live_costs_one_listing_in_s3(s3, tmp_path):
    folder = model_folder(tmp_path / "model")
    put(s3, folder, "cached")
    requests: list[str] = []
    original = remote.RemoteFolder._download
    reader = ArtifactReader()
    (first,) = all_rows(reader, version("s3://models/cached", live=False))

    def seen(self, name, to):
        requests.append(name)
        original(self, name, to)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(remote.RemoteFolder, "_download", seen)
        reader.know([("default", "m", 1, first["marker"])])
        (again,) = all_rows(reader, version("s3://models/cached", live=False))
        assert (again["state"], requests) == ("unchanged", [])
        assert reader.left_out == {"model files not read again, unchanged since": 1}
        reader.know([("default", "m", 1, first["marker"])])
        (live,) = all_rows(reader, version("s3://models/cached", live=True))
        assert live["state"] == "read"
        assert "MLmodel" in requests
        s3.put_object(Bucket="models", Key="cached/more", Body=b"x")
        reader.know([("default", "m", 1, first["marker"])])
        (changed,) = all_rows(reader, version("s3://models/cached", live=False))
        assert changed["state"] == "read"
        assert changed["marker"] != first["marker"]


def test_a_store_that_is_down_is_given_up_and_said_once(monkeypatch):
    monkeypatch.setenv("MLFLOW_S3_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
    require(pytest.importorskip("boto3"), "boto3")
    reader = ArtifactReader(threads=1)
    started = time.monotonic()
    rows = all_rows(reader, *(version(f"s3://down/{n}", n) for n in range(500)))
    assert time.monotonic() - started < 30
    assert {row["state"] for row in rows} == {"unreachable"}
    ((reason, number),) = reader.left_out.items()
    assert number == 500
    assert reason.startswith("model files in s3://down not read: it failed for several versions")
    assert (reader.counts, reader.doubts) == ((500, 0), ())
    assert "hunter2" not in repr(rows)


@pytest.mark.parametrize(
    ("location", "package", "hint"),
    [
        ("s3://bucket/x", "boto3", "pip install 'auditreg[s3]'"),
        ("gs://bucket/x", "google", "pip install google-cloud-storage"),
        ("wasbs://c@a.blob.core.windows.net/x", "azure", "pip install azure-storage-blob"),
        ("abfss://c@a.dfs.core.windows.net/x", "azure", "azure-storage-file-datalake"),
    ],
)
def test_a_package_that_is_missing_is_named_with_its_command(location, package, hint, monkeypatch):
    import sys

    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    from mlflow.store.artifact import s3_artifact_repo

    s3_artifact_repo._cached_get_s3_client.cache_clear()
    reader = ArtifactReader(threads=1)
    rows = all_rows(reader, *(version(f"{location}{n}", n) for n in range(40)))
    assert {row["state"] for row in rows} == {"unreachable"}
    assert {hint in row["problem"] for row in rows} == {True}
    ((reason, number),) = reader.left_out.items()
    assert (hint in reason, number) == (True, 40)
    assert reader.doubts == ()


Entry = namedtuple("Entry", "path is_dir file_size")


class Shop:
    """A repository whose listings and contents are the test's."""

    def __init__(self, listing, content=None):
        self.listing = listing
        self.content = {"MLmodel": MLMODEL.encode(), **(content or {})}
        self.listed: list[str | None] = []
        self.fetched: list[str] = []

    def list_artifacts(self, path=None):
        self.listed.append(path)
        return self.listing(path)

    def _download_file(self, remote_file_path, local_path):
        self.fetched.append(remote_file_path)
        Path(local_path).write_bytes(self.content.get(remote_file_path, b""))


@pytest.fixture
def shop(monkeypatch):
    def opened(listing, content=None, **options):
        made = Shop(listing, content)
        monkeypatch.setattr(remote.Stores, "repository", lambda *_: made)
        reader = ArtifactReader(**options)
        return made, reader.row(version("s3://shop/model"))

    return opened


MODEL = Entry("MLmodel", False, len(MLMODEL))


def test_a_listing_with_paths_out_of_the_folder_is_not_followed(shop):
    odd = ["../secret", "/etc/passwd", "a/b", "..", ".", "", "x\x00y", "\ud800", "a" * 5_000]
    made, row = shop(
        lambda path: [MODEL, Entry("../up", True, None), *(Entry(name, False, 1) for name in odd)],
        manifest="all",
    )
    assert row["state"] == "read"
    assert [file["path"] for file in json.loads(row["files"])] == ["MLmodel"]
    assert f"{len(odd) + 1} name(s) the store lists" in row["problem"]
    assert (made.listed, set(made.fetched)) == ([None], {"MLmodel"})
    assert row["manifest_sha256"] is None


def test_a_store_that_loops_or_never_ends_is_bounded(shop):
    made, row = shop(
        lambda path: (
            [MODEL, Entry("again", True, None)]
            if path is None
            else [
                Entry(path, True, None),
                Entry("again", True, None),
                Entry(f"{path}/on", True, None),
            ]
        )
    )
    assert row["state"] == "read"
    assert len(made.listed) < 50
    made, row = shop(
        lambda path: (
            [MODEL, *(Entry(f"d{n}", True, None) for n in range(5_000))] if path is None else []
        )
    )
    assert len(made.listed) == local.MAX_FOLDERS
    assert f"only the first {local.MAX_FOLDERS} folders" in row["problem"]


@pytest.mark.integration
def test_a_million_files_are_listed_in_part(shop):
    started = time.monotonic()
    listing = [MODEL, *(Entry(f"f{n}", False, 1) for n in range(1_000_000))]
    _, row = shop(lambda path: listing)
    assert len(json.loads(row["files"])) == local.MAX_FILES
    assert "only the first" in row["problem"]
    assert row["files_size_bytes"] is None
    assert time.monotonic() - started < 60


def test_a_file_that_is_not_what_was_listed_is_not_hashed(shop):
    made, row = shop(
        lambda path: [MODEL, Entry("short", False, 9), Entry("huge", False, 2**60), Entry("odd", False, None)],
        {"short": b"12345"},
        manifest="all",
    )  # fmt: skip
    files = {file["path"]: file.get("sha256") for file in json.loads(row["files"])}
    assert files == {
        "MLmodel": hashlib.sha256(MLMODEL.encode()).hexdigest(), "short": None, "huge": None, "odd": None,
    }  # fmt: skip
    assert "2 file(s) are too large" in row["problem"]
    assert "1 file(s) are not as long" in row["problem"]
    assert "huge" not in made.fetched


def test_nothing_is_downloaded_that_leaves_no_room_on_the_disk(shop, monkeypatch):
    usage = SimpleNamespace(total=0, used=0, free=2**30 + len(MLMODEL))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    made, row = shop(lambda path: [MODEL, Entry("weights", False, 1_000)], manifest="all")
    files = {file["path"]: "sha256" in file for file in json.loads(row["files"])}
    assert files == {"MLmodel": True, "weights": False}
    assert made.fetched == ["MLmodel", "MLmodel"]


def test_an_mlmodel_of_many_megabytes_is_not_fetched(shop):
    made, row = shop(lambda path: [Entry("MLmodel", False, 10**9)])
    assert (row["state"], made.fetched) == ("unreadable", [])
    made, row = shop(lambda path: [MODEL], {"MLmodel": b"#" * (5 * 2**20)})
    assert (row["state"], "larger than" in row["problem"]) == ("unreadable", True)


class Refusal(Exception):
    def __init__(self, status):
        super().__init__("request 0x7f00aa of https://bob:hunter2@minio\nrefused")
        self.response = {"ResponseMetadata": {"HTTPStatusCode": status}}


@pytest.mark.parametrize(("status", "requests"), [(403, 30), (503, 3)])
def test_an_answer_that_refuses_one_version_says_little_of_the_next(status, requests, monkeypatch):
    made = Shop(lambda path: (_ for _ in ()).throw(Refusal(status)))
    monkeypatch.setattr(remote.Stores, "repository", lambda *_: made)
    reader = ArtifactReader(threads=1)
    rows = all_rows(reader, *(version(f"s3://shop/{n}", n) for n in range(100)))
    assert len(made.listed) == requests
    assert rows[0]["problem"] == "Refusal: request 0x… of https://bob:***@minio refused"
    assert list(reader.left_out.values()) == [100]


def test_clients_are_bounded_only_while_files_are_read(monkeypatch):
    import os

    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "7")
    seen: list[str | None] = []
    made = Shop(lambda path: seen.append(os.environ.get("MLFLOW_HTTP_REQUEST_TIMEOUT")) or [MODEL])
    monkeypatch.setattr(remote.Stores, "repository", lambda *_: made)
    before = dict(os.environ)
    all_rows(ArtifactReader(), version("s3://shop/model"))
    assert seen == ["20"]
    assert dict(os.environ) == before


def test_a_file_that_cannot_be_downloaded_takes_nothing_else_away(shop, monkeypatch):
    original = Shop._download_file

    def archived(self, remote_file_path, local_path):
        if remote_file_path.startswith("archived"):
            raise Refusal(403)
        original(self, remote_file_path, local_path)

    monkeypatch.setattr(Shop, "_download_file", archived)
    listing = [*(Entry(f"archived{n}", False, 1) for n in range(9)), MODEL]
    _, row = shop(lambda path: [listing[0], MODEL], manifest="all")
    assert row["state"] == "read"
    assert {file["path"]: "sha256" in file for file in json.loads(row["files"])} == {
        "MLmodel": True, "archived0": False,
    }  # fmt: skip
    assert row["problem"].startswith("1 file(s) could not be downloaded to be hashed")
    _, row = shop(lambda path: listing, manifest="all")
    assert row["problem"].startswith("10 file(s) could not be downloaded to be hashed")
    assert row["manifest_sha256"] is None


def test_the_identity_package_azure_asks_for_is_named(monkeypatch):
    def missing(*_, **__):
        raise ImportError("Using DefaultAzureCredential requires the azure-identity package.")

    monkeypatch.setattr(
        "mlflow.store.artifact.artifact_repository_registry.get_artifact_repository", missing
    )
    row = ArtifactReader().row(version("abfss://c@a.dfs.core.windows.net/x"))
    assert row["problem"].startswith("ImportError: Using DefaultAzureCredential requires")
    assert "pip install azure-storage-blob" in row["problem"]


def mistaken(*_):
    raise TypeError("get_artifact_repository() got an unexpected keyword argument 'tracking_uri'")


def another_release(*_):
    raise ImportError("cannot import name 'x' from 'mlflow.y'", name="mlflow.y")


def module_of_another_release(*_):
    raise ModuleNotFoundError("No module named 'mlflow.y'", name="mlflow.y")


@pytest.mark.parametrize(
    "fault",
    [
        mistaken,
        another_release,
        module_of_another_release,
        lambda *_: {}["files"],
        lambda *_: None.files,
    ],
    ids=["argument", "name", "module", "key", "attribute"],
)
def test_a_program_that_is_wrong_is_no_outage_and_makes_the_reading_incomplete(fault, monkeypatch):
    monkeypatch.setattr(remote.Stores, "repository", fault)
    reader = ArtifactReader(threads=1)
    rows = all_rows(reader, *(version(f"s3://shop/{n}", n) for n in range(40)))
    assert {row["state"] for row in rows} == {"unreachable"}
    (doubt,) = reader.doubts
    assert doubt.startswith("the files of 40 versions (for instance m/0) could not be read: ")
    assert "Error" in doubt
    assert (reader.left_out, reader.counts) == ({}, (40, 0))


def test_our_own_mistake_is_not_swallowed(monkeypatch):
    monkeypatch.setattr(remote.Stores, "repository", lambda *_: Shop(lambda path: [MODEL]))
    monkeypatch.setattr(remote, "folder_columns", mistaken)
    with pytest.raises(TypeError, match="tracking_uri"):
        all_rows(ArtifactReader(), version("s3://shop/model"))
    monkeypatch.setattr(ArtifactReader, "_look", another_release)
    with pytest.raises(ImportError, match="cannot import name"):
        all_rows(ArtifactReader(), version("s3://shop/model"))


def test_each_reason_is_one_line_with_its_number_and_a_place(monkeypatch):
    def refuses(self, location):
        raise Refusal(403)

    monkeypatch.setattr(remote.Stores, "repository", refuses)
    reader = ArtifactReader(threads=1)
    places = [
        *(f"/nowhere/{n}" for n in range(3)),
        *(f"mlflow-artifacts:/1/{n}" for n in range(2)),
        "C:\\models\\1", "file:///D:/models/2",
        *(f"s3://denied/{n}" for n in range(4)),
        "s3://denied/../up",
        None,
    ]  # fmt: skip
    all_rows(reader, *(version(place, n) for n, place in enumerate(places)))
    assert reader.left_out == {
        "model files in s3://denied not read: Refusal: request 0x… of https://bob:***@minio refused": 4,
        "model files not read, for instance /nowhere/0: there is no such folder on this machine": 3,
        "model files not read, for instance C:\\models\\1: the files are on a Windows machine": 2,
        "model files not read, for instance mlflow-artifacts:/1/0: only the tracking server can say; "
        "read through its REST API": 2,
        "model files in s3://denied not read: the location leads upwards": 1,
        "model files not read, for instance m/12: the registry does not say where the files are": 1,
    }
    assert reader.counts == (13, 0)


def test_stores_that_are_down_are_not_mistaken_for_each_other(monkeypatch):
    def down(self, location):
        raise ConnectionError(f"no answer from {location[:8]}")

    monkeypatch.setattr(remote.Stores, "repository", down)
    reader = ArtifactReader(threads=1, tracking_uri="http://track:5000")
    places = [*(f"mlflow-artifacts:/1/{n}" for n in range(9)), "s3://b/x", "/nowhere/x"]
    all_rows(reader, *(version(place, n) for n, place in enumerate(places)))
    assert reader.left_out == {
        "model files not read, for instance mlflow-artifacts:/1/0: it failed for several versions in "
        "a row; ConnectionError: no answer from mlflow-a": 9,
        "model files in s3://b not read: ConnectionError: no answer from s3://b/x": 1,
        "model files not read, for instance /nowhere/x: there is no such folder on this machine": 1,
    }


def test_the_reasons_of_a_hostile_registry_are_bounded():
    reader = ArtifactReader(threads=1)
    all_rows(reader, *(version(f"scheme{n}://x/y", n) for n in range(300)))
    assert len(reader.left_out) == 21
    assert sum(reader.left_out.values()) == 300
    assert max(map(len, reader.left_out)) < 1_000
    reader = ArtifactReader(threads=1)
    all_rows(reader, version("/no\x1b[31m\nwhere"), version("\x00$bytes:/w==", 2))
    assert {reason for reason in reader.left_out if not reason.isprintable()} == set()


def test_what_is_in_a_store_is_not_downloaded_to_be_hashed_unasked(s3, tmp_path):
    folder = model_folder(tmp_path / "model")
    put(s3, folder, "1/run/artifacts/model")
    live, idle = (version("s3://models/1/run/artifacts/model", n, live=n == 1) for n in (1, 2))
    reader = ArtifactReader(manifest="local")
    rows = all_rows(reader, live, idle)
    assert [row["manifest_sha256"] for row in rows] == [None, None]
    assert reader.options["bytes hashed"] == "0"
    assert reader.left_out == {NOT_HASHED_ELSEWHERE: 1}, "of the idle one nobody would say so"
    asked = ArtifactReader(manifest="live")
    assert [row["manifest_sha256"] is None for row in all_rows(asked, live, idle)] == [False, True]
    assert asked.left_out == {}
