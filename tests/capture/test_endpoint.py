"""The journal over HTTP: for administrators, whole, in pages; for nobody else."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.capture.tables import LIFECYCLE, journal
from tests.servers.mlflow_server import ADMIN, MlflowServer, Refused
from tests.sources.lying import quick

pytestmark = pytest.mark.integration

PATH = "/api/2.0/auditreg/journal"


def fetched(server: MlflowServer, **asking: object) -> list[dict[str, object]]:
    """Every row, page by page."""
    rows, start = [], 0
    while start is not None:
        page = server.call("GET", f"{PATH}?limit=3&from={start}", **asking)
        assert len(page["rows"]) <= 3
        rows += page["rows"]
        start = page["next"]
    return rows


def test_an_administrator_reads_all_of_it_and_nobody_else_anything(
    basic_auth: None, server: Callable[..., MlflowServer]
):
    closed = server(app="basic-auth", permission="MANAGE", workers=2)
    eve = closed.add_user("eve", "a-password-of-eve")
    for name in ("a", "b", "c"):
        closed.call("POST", "registered-models/create", {"name": name}, user=eve)
    with pytest.raises(Refused) as caught:
        closed.call("GET", PATH, user=eve)
    assert caught.value.status == 403
    for user in (None, ("admin", "wrong"), ("nobody", "x")):
        with pytest.raises(Refused) as caught:
            closed.call("GET", PATH, user=user)
        assert caught.value.status in (401, 403)
    served = fetched(closed, user=ADMIN)
    stored = journal(closed.backend)
    assert [row["id"] for row in served] == [row["id"] for row in stored]
    assert [(row["name"], row["actor"]) for row in served if row["operation"] not in LIFECYCLE] == [
        ("a", "eve"),
        ("b", "eve"),
        ("c", "eve"),
    ]
    for wrong in ("from=x", "limit=-", "range=1", "from=99999999999999999999"):
        with pytest.raises(Refused) as caught:
            closed.call("GET", f"{PATH}?{wrong}", user=ADMIN)
        assert caught.value.status == 400


@pytest.mark.integration
def test_behind_a_prefix_it_is_there_with_and_without_the_prefix(
    basic_auth: None, server: Callable[..., MlflowServer]
):
    """Up to 3.10 MLflow's API has no prefix, and a proxy in front of it takes one off or adds one."""
    prefix = "/team/mlflow"
    behind = server(
        app="basic-auth",
        options=["--static-prefix", prefix],
        health=f"{prefix}/health",
    )
    api = f"{prefix}/api/2.0/mlflow"
    behind.call("POST", f"{api}/registered-models/create", {"name": "a"}, user=ADMIN)
    ids = [row["id"] for row in journal(behind.backend)]
    for path in (PATH, f"{prefix}{PATH}"):
        page = behind.call("GET", path, user=ADMIN)
        assert [row["id"] for row in page["rows"]] == ids
        for user in (None, ("admin", "wrong")):
            with pytest.raises(Refused) as caught:
                behind.call("GET", path, user=user)
            assert caught.value.status in (401, 403)
    # Read as a person gives the address: with the prefix, which is where the API of this release is.
    with quick(
        f"{behind.uri}{prefix}".replace("//", f"//{ADMIN[0]}:{ADMIN[1]}@")
    ).read() as reading:
        assert reading.journal == page["journal"]


@pytest.mark.slow
def test_without_authentication_it_is_closed_unless_the_administrator_opens_it(
    server: Callable[..., MlflowServer],
):
    closed = server()
    closed.call("POST", "registered-models/create", {"name": "a"})
    with pytest.raises(Refused) as caught:
        closed.call("GET", PATH, user=ADMIN)
    assert caught.value.status == 403
    closed.kill()
    opened = server(backend=closed.backend, settings={"AUDITREG_CAPTURE_READERS": "*"})
    assert [row["id"] for row in fetched(opened)] == [row["id"] for row in journal(closed.backend)]
