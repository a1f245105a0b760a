"""The journal over HTTP: for administrators, whole, in pages; for nobody else."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.capture.tables import LIFECYCLE, journal
from tests.servers.mlflow_server import ADMIN, MlflowServer, Refused

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
    told = fetched(closed, user=ADMIN)
    stored = journal(closed.backend)
    assert [row["id"] for row in told] == [row["id"] for row in stored]
    assert [(row["name"], row["actor"]) for row in told if row["operation"] not in LIFECYCLE] == [
        ("a", "eve"),
        ("b", "eve"),
        ("c", "eve"),
    ]
    for wrong in ("from=x", "limit=-", "range=1", "from=99999999999999999999"):
        with pytest.raises(Refused) as caught:
            closed.call("GET", f"{PATH}?{wrong}", user=ADMIN)
        assert caught.value.status == 400


@pytest.mark.slow
def test_without_authentication_it_is_closed_unless_the_administrator_opens_it(
    server: Callable[..., MlflowServer],
):
    one = server()
    one.call("POST", "registered-models/create", {"name": "a"})
    with pytest.raises(Refused) as caught:
        one.call("GET", PATH, user=ADMIN)
    assert caught.value.status == 403
    one.kill()
    opened = server(backend=one.backend, settings={"AUDITREG_CAPTURE_READERS": "*"})
    assert [row["id"] for row in fetched(opened)] == [row["id"] for row in journal(one.backend)]
