"""The ways MLflow's client gets to a server: users, tokens, prefixes, TLS, workspaces. All real."""

from __future__ import annotations

import importlib.util
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from auditreg.cli import cli
from auditreg.errors import ExitCode, SourceError
from auditreg.sources.server.source import RestSource
from auditreg.sources.server.visibility import HIDDEN, UNKNOWN
from tests.servers.mlflow_server import ADMIN, MlflowServer
from tests.servers.process import program, require
from tests.sources.lying import Answer, Query, quick, registry, standing_in
from tests.sources.reading import everything, rows

pytestmark = pytest.mark.integration


@pytest.fixture
def login(monkeypatch):
    """Logs in as MLflow's client does."""

    def set_user(name: str, password: str) -> None:
        monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", name)
        monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", password)

    return set_user


@pytest.fixture(scope="module")
def guarded(empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowServer]:
    """A server with `basic-auth`: two models, of which `ann` may not read one, and her run."""
    require(importlib.util.find_spec("flask_wtf"), "basic-auth needs flask-wtf")
    folder = tmp_path_factory.mktemp("guarded")
    path = shutil.copy(empty_store, folder / "mlflow.db")
    with MlflowServer(folder, f"sqlite:///{path}", app="basic-auth", permission="READ") as server:
        ann = server.add_user("ann", "a-long-password")
        experiment = server.call("POST", "experiments/create", {"name": "e"}, user=ADMIN)
        body = {"experiment_id": experiment["experiment_id"]}
        run = server.call("POST", "runs/create", body, user=ADMIN)["run"]["info"]["run_id"]
        for name in ("motor", "secret"):
            server.call("POST", "registered-models/create", {"name": name}, user=ADMIN)
            version = {"name": name, "source": "s3://models/x", "run_id": run}
            server.call("POST", "model-versions/create", version, user=ADMIN)
        for kind, what in (
            ("registered_model", "secret"),
            ("experiment", experiment["experiment_id"]),
        ):
            granted = {
                "username": ann[0], "resource_type": kind, "resource_id": what,
                "permission": "DENY",
            }  # fmt: skip
            grant = "/api/3.0/mlflow/users/permissions/grant"
            server.call("POST", grant, granted, user=ADMIN)
        yield server


def seen(uri: str, **options: Any) -> tuple[list[str], tuple[str, ...], tuple[str, ...]]:
    """Models read, doubts, and what cannot be shown."""
    with quick(uri, timeout=60, **options).read() as reading:
        found = sorted(row["model"] for row in rows(reading, "registered_models"))
        list(reading.table("runs"))
        return found, reading.completeness().doubts, reading.info.cannot_show


def test_an_administrator_is_shown_everything(guarded, login):
    login(*ADMIN)
    models, doubts, cannot_show = seen(guarded.uri)
    assert models == ["motor", "secret"]
    assert doubts == ()
    assert HIDDEN not in cannot_show
    assert UNKNOWN not in cannot_show


def test_models_hidden_from_a_user_are_said(guarded, login):
    login("ann", "a-long-password")
    models, doubts, cannot_show = seen(guarded.uri)
    assert models == ["motor"]
    assert "1 models may not be read by this user (secret), if they exist" in doubts
    assert any(one.startswith("1 runs that versions point to may not be read") for one in doubts)
    assert HIDDEN in cannot_show


@pytest.mark.parametrize("administrator", [False, True])
def test_a_server_from_before_there_were_roles_says_it_with_the_user(login, administrator):
    login("ann", "x")
    granted = [{"name": "b", "permission": "NO_PERMISSIONS"}, {"name": "c", "permission": "READ"}]

    def answer(path: str, query: Query) -> Answer:
        if path.endswith("/users/get") and query["username"] == ["ann"]:
            user = {"is_admin": administrator, "registered_model_permissions": granted}
            return 200, {"user": user}
        return registry([{"name": "m"}], [])(path, query)

    with standing_in(answer) as uri:
        models, doubts, cannot_show = seen(uri)
    assert models == ["m"]
    assert (HIDDEN in cannot_show) == (not administrator)
    refused = "1 models may not be read by this user (b), if they exist"
    assert doubts == (() if administrator else (refused,))


def test_user_and_password_may_stand_in_the_address(guarded):
    name, password = ADMIN
    models, doubts, cannot_show = seen(guarded.uri.replace("//", f"//{name}:{password}@"))
    assert (models, doubts) == (["motor", "secret"], ())
    assert HIDDEN not in cannot_show
    assert UNKNOWN not in cannot_show


@pytest.mark.parametrize("user", [("ann", "not-hers"), None], ids=["wrong password", "nobody"])
def test_who_may_not_log_in_gets_an_error(guarded, login, user):
    if user:
        login(*user)
    with pytest.raises(SourceError) as caught:
        quick(guarded.uri).read()
    assert "not without logging in (HTTP 401)" in caught.value.what
    assert "not-hers" not in str(caught.value)


def test_credentials_come_from_mlflows_file_too(guarded, monkeypatch, tmp_path):
    (tmp_path / ".mlflow").mkdir()
    text = "[mlflow]\nmlflow_tracking_username = {}\nmlflow_tracking_password = {}\n"
    (tmp_path / ".mlflow/credentials").write_text(text.format(*ADMIN))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert seen(guarded.uri)[0] == ["motor", "secret"]


def test_a_bearer_token_is_sent(monkeypatch):
    """A proxy asks for one, as an identity provider's does in front of MLflow."""

    def proxy(path: str, query: Query) -> Answer:
        return registry([{"name": "m"}], [])(path, query)

    for sent, allowed in (("t0ken", True), ("other", False), (None, False)):
        monkeypatch.delenv("MLFLOW_TRACKING_TOKEN", raising=False)
        if sent:
            monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", sent)
        with standing_in(proxy, needs="Bearer t0ken") as uri:
            if allowed:
                assert seen(uri)[0] == ["m"]
                continue
            with pytest.raises(SourceError, match="HTTP 401") as caught:
                quick(uri).read()
            assert sent is None or sent not in str(caught.value)


def test_a_server_behind_a_prefix(store, tmp_path):
    path = shutil.copy(store, tmp_path / "mlflow.db")
    options = ["--static-prefix", "/team/mlflow"]
    server = MlflowServer(
        tmp_path / "s", f"sqlite:///{path}", options=options, health="/team/mlflow/health"
    )
    with server:
        tables, completeness = everything(RestSource(server.uri + "/team/mlflow/"))
        assert completeness.complete
        assert len(tables["registered_models"]) == 3
        with pytest.raises(SourceError, match="with its path prefix"):
            quick(server.uri).read()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate nobody signed but itself, and its key, in one file."""
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    subprocess.run(
        [program("openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
         "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
         "-keyout", str(path.with_suffix(".key")), "-out", str(path)],
        check=True, capture_output=True,
    )  # fmt: skip
    return path


@pytest.mark.parametrize("trusted", [True, False], ids=["trusted", "unknown"])
def test_a_certificate_has_to_be_known(certificate, monkeypatch, trusted):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.with_suffix(".key"))

    def wrap(socket):
        return context.wrap_socket(socket, server_side=True)

    if trusted:
        monkeypatch.setenv("MLFLOW_TRACKING_SERVER_CERT_PATH", str(certificate))
    with standing_in(registry([{"name": "m"}], []), wrap) as uri:
        if trusted:
            assert seen(uri)[0] == ["m"]
            return
        with pytest.raises(SourceError) as caught:
            quick(uri, retries=3).read()
    assert "its TLS certificate is not accepted" in caught.value.what
    assert "MLFLOW_TRACKING_SERVER_CERT_PATH" in caught.value.hint


@pytest.fixture(scope="module")
def shared(empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowServer]:
    """A server with two workspaces besides the default one, a model of one name in each."""
    require(importlib.util.find_spec("flask_wtf"), "basic-auth needs flask-wtf")
    folder = tmp_path_factory.mktemp("shared")
    path = shutil.copy(empty_store, folder / "mlflow.db")
    server = MlflowServer(
        folder, f"sqlite:///{path}", app="basic-auth", permission="NO_PERMISSIONS",
        options=["--enable-workspaces"],
    )  # fmt: skip
    with server:
        server.add_user("ann", "a-long-password")
        for name in ("claims", "pricing"):
            body = {"name": name}
            server.call("POST", "/api/3.0/mlflow/workspaces", body, user=ADMIN)
        for name in ("default", "claims", "pricing"):
            headers = {"X-MLFLOW-WORKSPACE": name}
            body = {"name": "motor", "description": name}
            server.call("POST", "registered-models/create", body, user=ADMIN, headers=headers)
            version = {"name": "motor", "source": "s3://models/x"}
            server.call("POST", "model-versions/create", version, user=ADMIN, headers=headers)
        yield server


def test_all_workspaces_are_read(shared, login):
    login(*ADMIN)
    tables, completeness = everything(quick(shared.uri, timeout=60))
    assert completeness.complete
    found = {(row["workspace"], row["description"]) for row in tables["registered_models"]}
    assert found == {(name, name) for name in ("default", "claims", "pricing")}
    assert len(tables["model_versions"]) == 3


def test_only_the_workspaces_asked_for_are_read(shared, login):
    login(*ADMIN)
    tables, completeness = everything(quick(shared.uri, timeout=60, workspaces=["claims"]))
    assert completeness.complete
    assert [row["workspace"] for row in tables["model_versions"]] == ["claims"]


def test_a_workspace_this_user_may_not_read_is_named(shared, login):
    login("ann", "a-long-password")
    with quick(shared.uri, timeout=60, workspaces=["default", "pricing"]).read() as reading:
        list(reading.table("registered_models"))
        doubts = reading.completeness().doubts
    assert "workspace pricing: the server does not show it to this user" in doubts
    with pytest.raises(SourceError, match="no workspace that is to be read"):
        quick(shared.uri, timeout=60, workspaces=["pricing"]).read()


@pytest.mark.parametrize("refused", [{"b"}, {"a", "b"}], ids=["one", "all"])
def test_a_workspace_that_is_refused_is_named_and_the_others_are_read(refused):
    def answer(path: str, query: Query) -> Answer:
        if path.endswith("/server-info"):
            return 200, {"workspaces_enabled": True}
        if path.endswith("/workspaces"):
            return 200, {"workspaces": [{"name": "a"}, {"name": "b"}]}
        if query.get("workspace", ["a"])[0] in refused:
            return 403, "not yours"
        return registry([{"name": "m"}], [])(path, query)

    with standing_in(answer) as uri:
        if "a" in refused:
            with pytest.raises(SourceError, match="HTTP 403"):
                quick(uri).read()
            return
        tables, completeness = everything(quick(uri))
    assert [row["workspace"] for row in tables["registered_models"]] == ["a"]
    assert completeness.doubts == ("workspace b: this user may not read it",)


def test_a_workspace_of_the_settings_that_is_not_shown_makes_an_extraction_incomplete(tmp_path):
    asked = set()

    def answer(path: str, query: Query) -> Answer:
        if path.endswith("/server-info"):
            return 200, {"workspaces_enabled": True}
        if path.endswith("/workspaces"):
            return 200, {"workspaces": [{"name": "a"}, {"name": "b"}]}
        asked.update(query.get("workspace", []))
        return registry([{"name": "m"}], [])(path, query)

    settings = tmp_path / "auditreg.toml"
    with standing_in(answer) as uri:
        choice = '[source.workspaces]\nonly = ["a", "hidden"]\n'
        settings.write_text(f'[[source]]\nname = "s"\nuri = "{uri}"\nartifacts = "none"\n{choice}')
        done = CliRunner().invoke(cli, ["extract", "--config", str(settings)])
    assert done.exit_code == ExitCode.ERROR, done.output
    assert "workspace hidden: the server does not show it to this user" in done.output
    assert asked == {"a"}


def test_a_server_without_workspaces_has_the_default_one(server):
    with quick(server, workspaces=["default", "claims"]).read() as reading:
        assert rows(reading, "registered_models")
        doubts = reading.completeness().doubts
    assert "workspace claims: the server does not show it to this user" in doubts
    with pytest.raises(SourceError, match="no workspace that is to be read"):
        quick(server, workspaces=["claims"]).read()
