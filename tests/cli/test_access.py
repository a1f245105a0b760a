"""Users, rights and prompts on the command line: extract --auth-from, changes, inventory --kind."""

from __future__ import annotations

import gzip
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from auditreg.errors import SourceError, UsageError
from tests.cli.test_commands import auditreg, rows
from tests.sources.firm_29 import DATA


def change(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as database, database:
        for statement in statements:
            database.execute(statement)


@pytest.fixture
def firm(small_registry, tmp_path, monkeypatch) -> list[str]:
    """The arguments of an extraction of a registry with a prompt, and of its users."""
    monkeypatch.chdir(tmp_path)
    shutil.copyfile(small_registry, "registry.db")
    tag = "('default', 'empty', 'mlflow.prompt.is_prompt', 'true')"
    change(
        Path("registry.db"),
        f"insert into registered_model_tags (workspace, name, key, value) values {tag}",
    )
    Path("users.db").write_bytes(gzip.decompress((DATA / "users.db.gz").read_bytes()))
    change(
        Path("users.db"),
        "update registered_model_permissions set name = 'motor-frequency' where name = 'motor'",
    )
    place = tmp_path / "users.db"
    return ["extract", "--from", "registry.db", "--auth-from", f"sqlite:///{place}"]


def test_who_may_write_and_what_changes(firm):
    shown = auditreg(*firm)
    assert "4 models (1 of them a prompt)" in shown
    assert "8 users and roles, " in shown
    assert "what everybody may do without being granted it" in shown
    assert "no database of basic-auth was named" not in shown
    written = {
        (row["model"], row["account"]): (row["permission"], row["how"], row["can_write"])
        for row in rows("questions", "who-can-write-to-production")
    }
    assert written["motor-frequency", "editor"] == ("EDIT", "direct", True)
    assert written["motor-frequency", "nobody"] == (None, "default unknown", None)
    assert ("motor-frequency", "shut out") not in written
    change(
        Path("users.db"),
        "delete from registered_model_permissions where permission = 'READ' "
        "and name = 'motor-frequency'",
        "delete from users where username = 'nobody'",
    )
    again = auditreg(*firm)
    assert "1 user or role gone, 1 right gone" in again
    [right] = rows("changes", "--kind", "right")
    told = (right["item"], right["model"], right["before"], right["after"], right["change"])
    assert told == ("reader", "motor-frequency", "READ", None, "removed")
    [account] = rows("changes", "--kind", "account")
    assert (account["item"], account["change"]) == ("account nobody", "removed")
    narrow = auditreg("changes")
    assert "right of reader" in narrow
    assert "default (all)" in narrow
    assert "blanked" not in shown + again + narrow


def test_the_rule_says_who_nobody_knows(firm):
    auditreg(*firm)
    Path("auditreg.toml").write_text(
        '[[people]]\nid = "ann"\naccounts = ["editor", "manager"]\n'
        '[[people]]\nid = "ops"\naccounts = ["admin", "second admin"]\nservice = true\n'
    )
    found = {
        finding["model"]: (finding["status"], finding["reason"])
        for finding in rows("check", "--rule", "production-writers-known", code=1)["findings"]
    }
    status, reason = found["motor-frequency"]
    assert status == "not_evidenced"
    assert "O'Hara" in reason
    assert "editor" not in reason


def test_prompts_apart_from_models(firm):
    auditreg(*firm)
    assert {row["model"] for row in rows("inventory", "--kind", "prompt")} == {"empty"}
    models = {row["model"] for row in rows("inventory", "--kind", "model")}
    assert models == {"motor-frequency", "home", "hostile"}
    assert {row["model"] for row in rows("inventory")} == {*models, "empty"}
    [prompt] = rows("questions", "prompts")
    assert (prompt["prompt"], prompt["versions"]) == ("empty", 0)
    with pytest.raises(UsageError, match="--kind"):
        auditreg("inventory", "--kind", "prompt", "--diff", "2026-01-01", "2026-02-01")


def test_a_database_without_users_is_refused(firm):
    with pytest.raises(SourceError, match="does not hold the users"):
        auditreg(*firm[:-1], "registry.db")
    assert not Path("audit.duckdb").exists()
