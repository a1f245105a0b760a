"""Who is named: an authenticated user, a proxy's user, and never what anybody can claim."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Mapping
from typing import NamedTuple

import pytest

from tests.capture.tables import Row, changes, journal
from tests.servers.mlflow_server import MlflowServer, Refused, basic

pytestmark = pytest.mark.integration

HEADER = "X-Forwarded-User"
PROXY, STRANGER = "127.0.0.1", "127.0.0.2"
"""Two addresses of this machine; only the first is configured as a proxy."""
SETTINGS = {
    "AUDITREG_CAPTURE_USER_HEADER": HEADER,
    "AUDITREG_CAPTURE_PROXIES": f"{PROXY},10.9.8.0/24",
}
RUNNERS = {
    "uvicorn": {"workers": 2, "apart": True},
    "gunicorn": {"workers": 2, "options": ["--gunicorn-opts", "--timeout 120"]},
}


class Who(NamedTuple):
    """What the journal says of the one who made a change."""

    actor: str | None
    actor_from: str | None
    claimed: str | None


NOBODY = Who(None, None, None)


def change(
    server: MlflowServer, name: str, headers: Mapping[str, str], address: str = PROXY
) -> Row:
    """Create a model from an address of this machine; its row in the journal."""
    connection = http.client.HTTPConnection(
        "127.0.0.1", server.port, timeout=60, source_address=(address, 0)
    )
    connection.request(
        "POST", "/api/2.0/mlflow/registered-models/create", json.dumps({"name": name}),
        {"Content-Type": "application/json", **headers},
    )  # fmt: skip
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    assert answer.status == 200, text
    (row,) = [row for row in changes(journal(server.backend)) if row["name"] == name]
    return row


def who(row: Row) -> Who:
    return Who(row["actor"], row["actor_from"], row["claimed"])


@pytest.mark.parametrize("runner", ["uvicorn", pytest.param("gunicorn", marks=pytest.mark.slow)])
def test_nobody_becomes_an_actor_by_saying_so(server: Callable[..., MlflowServer], runner: str):
    open_server = server(settings=SETTINGS, **RUNNERS[runner])
    forged = {"Authorization": basic("ceo", "fake")}
    token = {"Authorization": "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJjZW8ifQ."}
    assert who(change(open_server, "plain", {})) == NOBODY
    assert who(change(open_server, "forged", forged)) == Who(None, None, "ceo")
    assert who(change(open_server, "token", token)).actor is None
    nonsense = {"Authorization": "Basic %%%"}
    assert who(change(open_server, "nonsense", nonsense)).actor is None
    stranger = change(open_server, "stranger", {HEADER: "ceo"}, STRANGER)
    assert who(stranger) == Who(None, None, "ceo")
    assert stranger["client"] == STRANGER
    as_if = {
        HEADER: "ceo",
        "X-Forwarded-For": PROXY,
        "Forwarded": f"for={PROXY}",
        "X-Real-IP": PROXY,
    }
    assert who(change(open_server, "as if", as_if, STRANGER)) == Who(None, None, "ceo")
    assert who(change(open_server, "proxied", {HEADER: "carol"})) == Who("carol", "proxy", None)
    # The proxy is believed; what its client sent along is not.
    both = change(open_server, "both", {HEADER: "carol", **forged})
    assert who(both)[:2] == ("carol", "proxy")
    assert who(change(open_server, "after", {})) == NOBODY


def test_without_a_configured_header_no_header_names_anybody(server: Callable[..., MlflowServer]):
    plain = server()
    names = ("X-Forwarded-User", "X-Remote-User", "Remote-User", "X-Auth-Request-User")
    assert who(change(plain, "m", dict.fromkeys(names, "ceo"))).actor is None


def test_a_hostile_header_is_text(server: Callable[..., MlflowServer]):
    open_server = server(settings=SETTINGS)
    name = "x" * 3000
    row = change(open_server, "long", {HEADER: name})
    assert row["actor"] is not None
    assert name.startswith(row["actor"].rstrip("….")[:200])
    assert who(change(open_server, "empty", {HEADER: ""})) == NOBODY
    quotes = "a'b\"; drop table auditreg_journal; --"
    assert who(change(open_server, "quotes", {HEADER: quotes})).actor == quotes


def test_under_basic_auth_the_checked_user_counts(
    basic_auth: None, server: Callable[..., MlflowServer]
):
    closed = server(app="basic-auth", permission="EDIT", settings=SETTINGS, workers=2)
    dora = closed.add_user("dora", "a-password-of-dora")
    password = {"Authorization": basic(*dora)}
    assert who(change(closed, "plain", password)) == Who("dora", "basic-auth", None)
    forged = change(closed, "forged", {**password, HEADER: "ceo"}, STRANGER)
    assert who(forged) == Who("dora", "basic-auth", "ceo")
    with pytest.raises(Refused, match="401"):
        closed.call(
            "POST", "registered-models/create", {"name": "no"}, user=("dora", "wrong"),
            headers={HEADER: "dora"},
        )  # fmt: skip
    assert "no" not in {row["name"] for row in journal(closed.backend)}
    behind = change(closed, "behind", {**password, HEADER: "carol"})
    assert behind["actor"] in ("dora", "carol")
    assert behind["actor_from"] == {"dora": "basic-auth", "carol": "proxy"}[behind["actor"]]


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"AUDITREG_CAPTURE_USER_HEADER": HEADER}, "AUDITREG_CAPTURE_PROXIES"),
        ({**SETTINGS, "AUDITREG_CAPTURE_PROXIES": "everywhere"}, "everywhere"),
        ({"AUDITREG_CAPTURE": "perhaps"}, "perhaps"),
    ],
    ids=["header alone", "no address", "no mode"],
)
def test_settings_that_make_no_sense_are_refused_at_the_start(
    server: Callable[..., MlflowServer], settings: dict[str, str], says: str
):
    with pytest.raises(AssertionError, match=says):
        server(settings=settings)
