"""Every mutating call of MLflow's registry client: journalled once per row, with who did it; and
the journal alone gives the tables. On each database, under `basic-auth`, with two users."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.capture.conftest import BACKENDS
from tests.capture.replay import replay
from tests.capture.tables import Change, Row, Tables, changes, dump, journal
from tests.servers.mlflow_server import ADMIN, MlflowServer
from tests.servers.process import run_warm
from tests.stores import Stores

pytestmark = pytest.mark.integration

CALLS = {
    "create model", "update model", "set model tag", "overwrite model tag", "delete model tag",
    "create version", "update version", "set version tag", "overwrite version tag",
    "delete version tag", "transition", "transition and archive", "transition to the same",
    "set alias", "move alias", "delete alias", "copy", "copy again", "register prompt",
    "set prompt alias", "set prompt tag", "delete prompt version", "delete prompt",
    "rename model", "delete version", "delete model", "create hostile model",
}  # fmt: skip
"""Calls that change something, under the names `story.py` gives them."""
SETUPS = {**{kind: (kind, False) for kind in BACKENDS}, "workspaces": ("sqlite", True)}


@dataclass
class Story:
    """What the client did, and what it left."""

    steps: list[Row]
    rows: list[Row]
    tables: Tables
    users: list[str]

    def of(self, step: Row) -> list[Row]:
        """The journal's rows that appeared during a step."""
        first, last = step["journal"]
        return [row for row in changes(self.rows) if first < row["id"] <= last]


@pytest.fixture(
    scope="module",
    params=[
        "sqlite",
        *(pytest.param(name, marks=pytest.mark.slow) for name in SETUPS if name != "sqlite"),
    ],
)
def story(
    request: pytest.FixtureRequest,
    basic_auth: None,
    empty_database: Callable[[str], str],
    kept_stores: Stores,
    testrun_uid: str,
) -> Story:
    """The story, played once in a run on each database."""

    def make(folder: Path) -> None:
        played = _played(folder, *SETUPS[request.param], empty_database)
        (folder / "story.pickle").write_bytes(pickle.dumps(played))

    kept = kept_stores.get(f"story-{request.param}", make, [testrun_uid])
    story: Story = pickle.loads((kept / "story.pickle").read_bytes())
    return story


def _played(
    folder: Path, kind: str, workspaces: bool, empty_database: Callable[[str], str]
) -> Story:
    database = empty_database(kind)
    options = ["--enable-workspaces"] if workspaces else []
    with MlflowServer(
        folder, database, app="basic-auth", workers=2, permission="EDIT", options=options
    ) as server:
        # Only the administrator makes workspaces.
        alice = ADMIN if workspaces else server.add_user("alice", "a-password-of-alice")
        users = [alice, server.add_user("bob", "a-password-of-bob")]
        out = folder / "steps.json"
        run_warm("-m", "tests.capture.story", json.dumps({
            "uri": server.uri, "database": database, "out": str(out), "users": users,
            "workspaces": workspaces,
        }))  # fmt: skip
    steps = json.loads(Path(out).read_text())
    return Story(steps, journal(database), dump(database), [name for name, _ in users])


def _as_changes(rows: list[Row]) -> list[Change]:
    return [Change(row["table_name"], row["before_row"], row["after_row"]) for row in rows]


def _sorted(compared: list[Change]) -> list[Change]:
    return sorted(compared, key=lambda change: json.dumps(change, sort_keys=True))


def test_each_changed_row_is_journalled_once_with_its_states_before_and_after(story: Story):
    assert {step["call"] for step in story.steps if step["changes"]} >= CALLS
    for step in story.steps:
        expected = [Change(*change) for change in step["changes"]]
        compared = _as_changes(story.of(step))
        assert _sorted(compared) == _sorted(expected), step["call"]
        operations = [row["operation"] for row in story.of(step)]
        assert operations == [change.operation for change in compared]


def test_each_row_names_the_user_who_made_the_call(story: Story):
    seen = set()
    for step in story.steps:
        for row in story.of(step):
            who = (row["actor"], row["actor_from"], row["claimed"])
            assert who == (step["user"], "basic-auth", None), step["call"]
            seen.add(row["actor"])
    assert seen == set(story.users)


def test_each_row_says_by_which_request_it_came(story: Story):
    processes = {row["process"] for row in story.rows if row["operation"] == "start"}
    for step in story.steps:
        rows = story.of(step)
        assert len({row["request"] for row in rows}) == (1 if rows else 0), step["call"]
        for row in rows:
            assert (row["method"], row["path"]) == (step["method"], step["path"])
            assert row["client"] == "127.0.0.1"
            assert row["process"] in processes
            assert step["started"] <= row["server_time"] <= step["ended"]
    requests = {row["request"] for row in changes(story.rows)}
    assert len(requests) == sum(bool(story.of(step)) for step in story.steps)


def test_each_row_names_the_model_it_belongs_to_by_its_creation(story: Story):
    made = {
        row["after_row"]["creation_time"]
        for row in changes(story.rows)
        if row["table_name"] == "registered_models" and row["operation"] == "insert"
    }
    for row in changes(story.rows):
        assert row["model_created"] in made
        if row["table_name"] == "registered_models":
            image = row["after_row"] or row["before_row"]
            assert row["model_created"] == image["creation_time"]


def test_what_is_refused_leaves_nothing(story: Story):
    refused = [step for step in story.steps if step["status"] >= 400]
    assert {step["status"] for step in refused} >= {400, 403}
    assert not [row for step in refused for row in story.of(step)]


def test_the_journal_alone_gives_the_tables(story: Story):
    assert replay(story.rows) == story.tables
    assert len(story.tables) > 8


def test_no_row_of_the_journal_is_outside_the_calls(story: Story):
    within = {row["id"] for step in story.steps for row in story.of(step)}
    assert {row["id"] for row in changes(story.rows)} == within
