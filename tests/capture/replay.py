"""Replays a journal over an empty registry."""

from __future__ import annotations

from collections.abc import Iterable

from tests.capture.tables import Row, Tables, changes, key


def replay(rows: Iterable[Row], state: Tables | None = None) -> Tables:
    """The tables that a journal's rows, in the order of their ids, lead to.

    Raises:
        AssertionError: a row's image before is not what the rows before it led to.
    """
    state = {} if state is None else state
    for row in changes(list(rows)):
        _apply(state, row)
    return state


def _apply(state: Tables, row: Row) -> None:
    table, before, after = row["table_name"], row["before_row"], row["after_row"]
    where = f"journal row {row['id']} ({row['operation']} in {table})"
    images = {"insert": (False, True), "update": (True, True), "delete": (True, False)}
    assert (before is not None, after is not None) == images[row["operation"]], where
    if before is not None:
        place = key(table, before)
        assert state.get(place) == before, f"{where}: {state.get(place)} is not {before}"
        del state[place]
    if after is not None:
        place = key(table, after)
        assert place not in state, f"{where}: {place} is there already"
        state[place] = after
    _check_key(row, after if after is not None else before, where)


def _check_key(row: Row, image: Row, where: str) -> None:
    """The columns beside the images say which row it is."""
    item = image.get("key", image.get("alias"))
    # An alias points to a version, which is not part of what it is.
    version = None if row["table_name"] == "registered_model_aliases" else image.get("version")
    columns = (row["workspace"], row["name"], row["item"])
    assert columns == (image.get("workspace", "default"), image["name"], item), where
    if row["table_name"] != "registered_model_aliases":
        assert row["version"] == version, where
