"""Users that an auth plug-in knows: mlflow-oidc-auth with a provider of the test's own.

`AUDITREG_TEST_OIDC=/path/to/python` names the interpreter of an environment with
`mlflow-oidc-auth==11.*` (which needs Python 3.12, whatever its metadata say) and an MLflow that it
runs with; without it there is nothing to test.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.capture.replay import replay
from tests.capture.tables import changes, dump, journal
from tests.servers.environment import capture_wheel, overlay, pip
from tests.servers.mlflow_server import MlflowServer, Refused, basic
from tests.servers.oidc import AUDIENCE, Provider, provider

OIDC = os.environ.get("AUDITREG_TEST_OIDC", "")


@pytest.fixture
def oidc_python(tmp_path: Path) -> str:
    """A copy of the plug-in's environment, with capture in it."""
    if not OIDC:
        pytest.skip("only on machines where AUDITREG_TEST_OIDC names an interpreter")
    python = overlay(tmp_path / "venv", base=OIDC)
    pip(python, "install", "--quiet", "--no-index", "--no-deps", str(capture_wheel(tmp_path)))
    return python


def settings(oidc: Provider, folder: Path) -> dict[str, str]:
    """How the plug-in is told of the provider."""
    return {
        "OIDC_DISCOVERY_URL": oidc.discovery,
        "OIDC_ISSUER": oidc.issuer,
        "OIDC_AUDIENCE": AUDIENCE,
        "OIDC_CLIENT_ID": "mlflow",
        "OIDC_CLIENT_SECRET": "of a test",
        "OIDC_USERS_DB_URI": f"sqlite:///{folder / 'oidc-users.db'}",
        "OIDC_PROVISION_ON_BEARER_AUTH": "true",
        "OIDC_TRUST_BEARER_GROUP_CLAIMS": "true",
        "DEFAULT_MLFLOW_PERMISSION": "MANAGE",
        "SECRET_KEY": "a key of thirty-two characters at least",
        "AUDITREG_CAPTURE_USER_HEADER": "X-Forwarded-User",
        "AUDITREG_CAPTURE_PROXIES": "10.9.8.7",
    }


@pytest.mark.releases
def test_users_of_an_oidc_plugin_are_the_actors(oidc_python: str, tmp_path: Path):
    database = f"sqlite:///{tmp_path / 'mlflow.db'}"
    with provider() as oidc, MlflowServer(
        tmp_path, database, python=oidc_python, app="oidc-auth", workers=2,
        settings=settings(oidc, tmp_path),
    ) as server:  # fmt: skip
        create = "registered-models/create"
        ann, ben = (oidc.bearer(f"{name}@example.com", ["mlflow"]) for name in ("ann", "ben"))
        server.call("POST", create, {"name": "a"}, headers=ann)
        body = {"name": "a", "key": "k", "value": "v"}
        server.call("POST", "registered-models/set-tag", body, headers=ben)
        server.call("POST", create, {"name": "b"}, headers={**ben, "X-Forwarded-User": "ceo"})
        forged = oidc.bearer("ceo@example.com", ["mlflow"])["Authorization"][:-8] + "AAAAAAAA"
        elsewhere = oidc.bearer("ceo@example.com", ["mlflow"], aud="another")
        for headers in (
            {}, {"Authorization": forged}, elsewhere, {"Authorization": basic("ceo", "fake")},
        ):  # fmt: skip
            with pytest.raises(Refused):
                server.call("POST", create, {"name": "no"}, headers=headers)
    rows = changes(journal(database))
    assert [(row["name"], row["actor"], row["actor_from"], row["claimed"]) for row in rows] == [
        ("a", "ann@example.com", "plugin", None),
        ("a", "ben@example.com", "plugin", None),
        ("b", "ben@example.com", "plugin", "ceo"),
    ]
    assert replay(rows) == dump(database)
