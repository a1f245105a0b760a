"""Servers that fail, refuse, lie or change: an error or a doubt, never an empty registry."""

from __future__ import annotations

import email.utils
import gzip
import time

import pytest

from auditreg.errors import ExitCode, SourceError
from auditreg.ledger.store import Ledger
from auditreg.sources.artifacts.reader import ArtifactReader
from auditreg.sources.server import client, spool
from auditreg.sources.server import registry as registry_module
from auditreg.sources.server.source import CHANGED_BACK, RestSource
from auditreg.sources.server.visibility import UNKNOWN
from tests.ledger.conftest import take
from tests.servers.process import free_port
from tests.sources.lying import (
    MISSING,
    VERSION,
    Answer,
    Query,
    Raw,
    Says,
    paged,
    quick,
    registry,
    standing_in,
)
from tests.sources.reading import everything, rows


def test_an_old_server_whose_filters_find_nothing_shows_everything():
    with standing_in(registry([{"name": "m"}, {"name": "n"}], [VERSION])) as uri:
        tables, completeness = everything(quick(uri))
    assert [row["model"] for row in tables["registered_models"]] == ["m", "n"]
    assert completeness.complete


def test_models_missing_from_the_list_are_found_through_their_versions():
    with standing_in(registry([], [VERSION])) as uri:
        tables, completeness = everything(quick(uri))
    assert [row["model"] for row in tables["registered_models"]] == ["m"]
    assert tables["registered_models"][0]["creation_time"] == 7
    assert not completeness.complete
    assert "leaves out 1 whose versions it shows (m)" in completeness.doubts[0]


def test_versions_missing_from_the_search_are_found_through_their_models():
    inner = registry([{"name": "m", "latest_versions": [VERSION]}], [])

    def answer(path, query):
        if path.endswith("/model-versions/get"):
            return 200, {"model_version": VERSION}
        return inner(path, query)

    with standing_in(answer) as uri:
        tables, completeness = everything(quick(uri))
    assert [row["version"] for row in tables["model_versions"]] == [1]
    assert not completeness.complete


def test_versions_hidden_in_a_gap_are_found_and_real_gaps_counted():
    listed = [{**VERSION, "version": "4"}]
    inner = registry([{"name": "m"}], listed)

    def answer(path, query):
        if path.endswith("/model-versions/get") and query["version"] == ["2"]:
            return 200, {"model_version": {**VERSION, "version": "2"}}
        return inner(path, query)

    with standing_in(answer) as uri:
        tables, completeness = everything(quick(uri))
    assert sorted(row["version"] for row in tables["model_versions"]) == [2, 4]
    assert completeness.gaps == 2
    assert "1 versions that exist (m/2)" in completeness.doubts[0]


def test_no_models_at_all_is_zero_rows_and_complete():
    with standing_in(registry([], [])) as uri:
        tables, completeness = everything(quick(uri))
    assert not any(tables.values())
    assert completeness.complete


def test_a_registry_that_never_stands_still_is_a_doubt():
    calls = iter(range(10_000))

    def answer(path, query):
        return registry([{"name": "m", "last_updated_timestamp": next(calls) + 1}], [])(path, query)

    with standing_in(answer) as uri:
        _, completeness = everything(quick(uri))
    assert completeness.passes == 4
    assert "changed between each of 4 passes" in completeness.doubts[0]


def test_a_run_that_is_gone_is_counted():
    with standing_in(registry([{"name": "m"}], [{**VERSION, "run_id": "r"}])) as uri:
        tables, completeness = everything(quick(uri))
    assert tables["runs"] == []
    assert completeness.left_out == {"runs that versions point to and that no longer exist": 1}


def test_an_id_the_server_refuses_is_as_good_as_gone():
    inner = registry([{"name": "m"}], [{**VERSION, "run_id": "../x"}])

    def answer(path, query):
        if path.endswith("/runs/get"):
            return 400, {"error_code": "INVALID_PARAMETER_VALUE", "message": "no such id"}
        return inner(path, query)

    with standing_in(answer) as uri:
        tables, completeness = everything(quick(uri))
    assert tables["runs"] == []
    assert completeness.left_out == {"runs that versions point to and that no longer exist": 1}


def test_numbers_beyond_64_bits_are_a_doubt():
    with standing_in(registry([{"name": "m", "creation_timestamp": 2**70}], [])) as uri:
        tables, completeness = everything(quick(uri))
    assert tables["registered_models"][0]["creation_time"] is None
    assert "registered_models.creation_time" in completeness.doubts[0]


FAILURES = {
    "500": (500, "oops", "HTTP 500"),
    "502 page": (502, "<html>bad gateway</html>", "HTTP 502"),
    "401": (401, {"error_code": "UNAUTHENTICATED", "message": "who?"}, "HTTP 401"),
    "403": (403, {"error_code": "PERMISSION_DENIED", "message": "no"}, "HTTP 403"),
    "web page": (200, "<html>hello</html>", "not an MLflow tracking server"),
    "list": (200, [1, 2], "not an MLflow tracking server"),
}


@pytest.mark.parametrize(("status", "body", "says"), FAILURES.values(), ids=FAILURES)
def test_a_server_that_fails_is_an_error(status, body, says):
    with standing_in(lambda path, query: (status, body)) as uri:
        check_error(uri.replace("//", "//bob:s3cret@"), says)


def test_a_server_that_refuses_everything_is_an_error_not_an_empty_registry():
    with standing_in(lambda path, query: (404, "not here")) as uri:
        check_error(uri, "HTTP 404")


def test_one_that_lists_the_same_page_for_ever_is_an_error():
    with standing_in(lambda path, query: (200, {"next_page_token": "again"})) as uri:
        check_error(uri, "the same page again and again")


def test_nobody_listening_is_an_error_within_seconds():
    started = time.monotonic()
    uri = f"http://bob:s3cret@127.0.0.1:{free_port()}"
    with pytest.raises(SourceError) as caught:
        RestSource(uri).read()
    assert time.monotonic() - started < 10
    assert "refused" in caught.value.what
    assert "s3cret" not in str(caught.value)
    assert caught.value.hint


def check_error(uri: str, says: str) -> None:
    with pytest.raises(SourceError) as caught:
        everything(quick(uri))
    error = caught.value
    assert says in error.what
    assert error.state
    assert error.hint
    assert "s3cret" not in f"{error} {error.state} {error.hint}"
    assert error.exit_code == ExitCode.ERROR


def models(number: int, size: int = 2) -> list:
    return [{"name": f"m{n}"} for n in range(number * size, (number + 1) * size)]


def names(uri: str) -> list[str]:
    tables, completeness = everything(quick(uri))
    assert completeness.complete, completeness.doubts
    return [row["model"] for row in tables["registered_models"]]


def test_an_empty_page_in_the_middle_is_not_the_end():
    def page(number: int) -> list:
        return [] if number == 1 else models(number)

    with standing_in(paged(page, "registered_models", registry([], []), 2)) as uri:
        assert names(uri) == ["m0", "m1", "m4", "m5"]


def test_pages_larger_than_asked_for_are_read():
    def page(number: int) -> list:
        return models(number, 1_500)

    with standing_in(paged(page, "registered_models", registry([], []), 1)) as uri:
        assert len(names(uri)) == 3_000


def test_empty_pages_without_end_are_an_error(monkeypatch):
    monkeypatch.setattr(client, "_MAX_EMPTY", 20)
    answer = paged(lambda number: [], "registered_models", registry([], []), 10**9)
    with standing_in(answer) as uri:
        check_error(uri, "the same page again and again")


def test_rows_on_two_pages_are_read_again_and_then_a_doubt():
    always = paged(lambda number: models(0), "registered_models", registry([], []), 1)
    with standing_in(always) as uri:
        tables, completeness = everything(quick(uri))
    assert len(tables["registered_models"]) == 2
    assert completeness.passes == 4
    assert completeness.doubts == (
        "the server listed 2 rows more than once: it may have left out others",
    )


def test_a_list_that_shifted_once_is_read_until_two_clean_passes_agree():
    passes_begun = []

    def page(number: int) -> list:
        if number == 0:
            passes_begun.append(1)
        return models(0 if len(passes_begun) == 1 else number)

    with standing_in(paged(page, "registered_models", registry([], []), 1)) as uri:
        tables, completeness = everything(quick(uri))
    assert completeness.complete
    assert completeness.passes == 3
    assert len(tables["registered_models"]) == 4


@pytest.mark.parametrize("lost", [1, 2, 3])
def test_a_row_missing_from_one_pass_is_found_by_the_next(lost):
    begun = []

    def answer(path: str, query: Query) -> Answer:
        listed = models(0)
        if path.endswith("/registered-models/search") and "filter" not in query:
            begun.append(1)
            listed = listed[:1] if len(begun) == lost else listed
        return registry(listed, [])(path, query)

    with standing_in(answer) as uri:
        tables, completeness = everything(quick(uri))
    # A third pass that lacks a row is not asked for: the first two agree.
    assert len(tables["registered_models"]) == 2
    assert completeness.complete
    assert completeness.passes == {1: 3, 2: 4, 3: 2}[lost]
    assert completeness.counts["registered_models"] == (2, 2)


def test_another_order_is_no_change():
    begun = []

    def answer(path: str, query: Query) -> Answer:
        begun.append(1)
        tags = [{"key": "a", "value": "1"}, {"key": "b", "value": "2"}][:: (-1) ** len(begun)]
        listed = [{"name": "m", "tags": tags}, {"name": "n"}][:: (-1) ** len(begun)]
        return registry(listed, [])(path, query)

    with standing_in(answer) as uri:
        _, completeness = everything(quick(uri))
    assert completeness.complete
    assert completeness.passes == 2


BROKEN = {
    "not JSON": (b"{", "does not answer with MLflow's JSON"),
    "half": (b'{"registered_models": [{"name": "m"}', "does not answer with MLflow's JSON"),
    "not UTF-8": (b'{"registered_models": [{"name": "\xff"}]}', "not valid UTF-8"),
    "list twice": (
        b'{"registered_models": [{"name": "m"}], "registered_models": []}',
        "the name 'registered_models' twice",
    ),
    "name twice": (
        b'{"registered_models": [{"name": "m", "name" : "n"}]}',
        "the name 'name' twice",
    ),
    "deep": (b'{"registered_models": ' + b"[" * 100_000, "nested too deeply"),
    "rows of text": (b'{"registered_models": ["m"]}', "without a list of registered_models"),
    "no list": (b'{"registered_models": {"m": 1}}', "without a list of registered_models"),
}


@pytest.mark.parametrize(("body", "says"), BROKEN.values(), ids=BROKEN)
def test_answers_that_are_not_unambiguous_json_are_an_error(body, says):
    def answer(path: str, query: Query) -> Answer:
        if path.endswith("/registered-models/search"):
            return 200, Raw(body)
        return registry([], [])(path, query)

    with standing_in(answer) as uri:
        check_error(uri, says)


def test_half_characters_and_names_that_look_like_json_come_through():
    odd = '\ud800 {"name": "x"} \\":'
    with standing_in(registry([{"name": "m", "description": odd}], [])) as uri:
        tables, completeness = everything(quick(uri))
    assert completeness.complete
    assert tables["registered_models"][0]["description"].startswith("\x00$bytes:")
    with standing_in(registry([{"name": "m", "description": odd[1:]}], [])) as uri:
        tables, completeness = everything(quick(uri))
    assert tables["registered_models"][0]["description"] == odd[1:]


def test_an_answer_without_end_is_an_error(monkeypatch):
    small = client.Server("http://x", limit=1_000_000)
    raw = gzip.compress(b'{"a": "' + b"x" * 2_000_000 + b'"}')
    with standing_in(lambda *_: (200, Raw(raw, {"Content-Encoding": "gzip"}))) as uri:
        small.uri = uri
        with pytest.raises(SourceError, match="larger than 1000000 bytes"):
            small.get("/x", {})


def failing(times: int, answer: Answer, path: str = "/model-versions/search") -> tuple[Says, list]:
    """A server that answers one path so, the first times."""
    calls: list[float] = []

    def says(asked_path: str, query: Query) -> Answer:
        if asked_path.endswith(path) and "filter" not in query:
            calls.append(time.monotonic())
            if len(calls) <= times:
                return answer
        return registry([{"name": "m"}], [VERSION])(asked_path, query)

    return says, calls


MOMENTARY = {
    "429": (429, "slow down"),
    "500": (500, "oops"),
    "503": (503, "<html>later</html>"),
    "429 with a date": (
        429,
        Raw(b"", {"Retry-After": email.utils.formatdate(time.time() - 5, usegmt=True)}),
    ),
    "cut": (200, Raw(b'{"model_versions": [', cut=100)),
}


@pytest.mark.parametrize("answer", MOMENTARY.values(), ids=MOMENTARY)
def test_what_fails_for_a_moment_is_tried_again(answer, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", "0.01")
    says, calls = failing(2, answer)
    with standing_in(says) as uri:
        tables, completeness = everything(quick(uri, retries=2))
    assert completeness.complete
    assert len(tables["model_versions"]) == 1
    assert len(calls) == 4


def test_a_server_is_left_alone_for_as_long_as_it_asks():
    says, calls = failing(1, (429, Raw(b"", {"Retry-After": "0.7"})))
    with standing_in(says) as uri:
        _, completeness = everything(quick(uri, retries=1))
    assert completeness.complete
    assert calls[1] - calls[0] >= 0.69


GIVEN_UP = {
    "for hours": ((429, Raw(b"", {"Retry-After": "7200"})), "no more requests for 7200 s"),
    "always": ((429, "slow down"), "it wants no more requests."),
    "cut": ((200, Raw(b'{"model_versions": [', cut=100)), "cut in the middle of an answer"),
    "502": ((502, "<html>bad</html>"), "HTTP 502"),
}


@pytest.mark.parametrize(("answer", "says"), GIVEN_UP.values(), ids=GIVEN_UP)
def test_patience_ends_with_an_error_within_seconds(answer, says, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", "0.01")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    answers, calls = failing(99, answer)
    started = time.monotonic()
    with standing_in(answers) as uri:
        check_error(uri, says)
    assert time.monotonic() - started < 5
    assert len(calls) == (1 if says.endswith("7200 s") else 3)


def test_a_page_that_takes_too_long_is_asked_for_in_smaller_ones():
    sizes = []

    def answer(path: str, query: Query) -> Answer:
        if path.endswith("/model-versions/search") and "filter" not in query:
            sizes.append(int(query["max_results"][0]))
            if sizes[-1] > 1_000:
                time.sleep(1.0)
        return registry([{"name": "m"}], [VERSION])(path, query)

    with standing_in(answer) as uri:
        tables, completeness = everything(quick(uri, timeout=0.5))
    assert completeness.complete
    assert len(tables["model_versions"]) == 1
    assert sizes == [10_000, 1_000, 10_000, 1_000]


def test_gaps_beyond_the_bound_are_a_doubt(monkeypatch):
    monkeypatch.setattr(registry_module, "GAPS_REQUESTED", 3)
    with standing_in(registry([{"name": "m"}], [{**VERSION, "version": "9"}])) as uri:
        _, completeness = everything(quick(uri))
    assert completeness.gaps == 8
    assert completeness.doubts == (
        (
            "8 numbers below a model's highest version have no version, and only 3 of them were "
            "asked for one by one"
        ),
    )


def test_versions_without_a_number_are_left_out_and_said():
    odd = [{**VERSION, "version": "one"}, {**VERSION, "version": None}, VERSION]
    with standing_in(registry([{"name": "m"}, {"title": "n"}], odd)) as uri:
        tables, completeness = everything(quick(uri))
    assert [row["version"] for row in tables["model_versions"]] == [1]
    assert completeness.doubts == (
        "1 models in the server's list have no name",
        "2 row(s) of model_versions were left out: version is missing or not of type int64",
    )


RUNS = [f"{n:032x}" for n in range(0xA0, 0xA0 + 40)]


def run(run_id: str, **info: object) -> dict:
    data = {"params": [{"key": "p", "value": run_id}], "tags": [{"key": "t", "value": "x" * 99}]}
    return {"info": {"run_id": run_id, "experiment_id": "1", **info}, "data": data}


def tracking(search: Says, kept: list[str], listed: list[str] | None = None) -> tuple[Says, list]:
    """A server of 40 versions with a run each; `kept` are those it has, and searches so."""
    calls: list[str] = []
    versions = [
        {**VERSION, "version": str(n), "run_id": run_id} for n, run_id in enumerate(RUNS, start=1)
    ]

    def answer(path: str, query: Query) -> Answer:
        if path.endswith("/experiments/search"):
            return 200, {"experiments": [{"experiment_id": "1", "name": "e"}]}
        if path.endswith("/logged-models/search"):
            return 200, {"models": []}
        if path.endswith("/runs/search"):
            return search(path, query)
        if path.endswith("/runs/get"):
            calls.append(query["run_id"][0])
            return (200, {"run": run(calls[-1])}) if calls[-1] in kept else MISSING
        return registry([{"name": "m"}], versions)(path, query)

    return answer, calls


def test_runs_are_read_in_bulk_and_those_not_found_one_by_one():
    searches = []

    def search(path: str, query: Query) -> Answer:
        searches.append(query)
        # Twice the same, and two that are left out.
        return 200, {"runs": [run(run_id) for run_id in [RUNS[0], *RUNS[:38]]]}

    says, calls = tracking(search, RUNS[:39])
    with standing_in(says) as uri:
        tables, completeness = everything(quick(uri))
    assert completeness.complete
    assert len(searches) == 1
    assert searches[0]["run_view_type"] == ["ALL"]
    assert sorted(calls) == RUNS[38:]
    assert [row["run_id"] for row in tables["runs"]] == RUNS[:39]
    assert [row["value"] for row in tables["run_params"]] == RUNS[:39]
    assert [row["name"] for row in tables["experiments"]] == ["e"]
    assert completeness.left_out == {"runs that versions point to and that no longer exist": 1}


SEARCHES: dict[str, Answer] = {
    "unknown": (404, "not here"),
    "refused": (400, {"error_code": "INVALID_PARAMETER_VALUE", "message": "no IN"}),
    "broken": (500, "oops"),
    "not allowed": (403, "no"),
    "another's runs": (200, {"runs": [run("f" * 32)], "next_page_token": "1"}),
    "nonsense": (200, {"runs": [{"info": 7}]}),
}


@pytest.mark.parametrize("answer", SEARCHES.values(), ids=SEARCHES)
def test_a_search_that_does_not_work_costs_nothing_but_requests(answer):
    says, calls = tracking(lambda *_: answer, RUNS)
    with standing_in(says) as uri:
        tables, completeness = everything(quick(uri))
    assert completeness.complete
    assert sorted(calls) == RUNS
    assert [row["run_id"] for row in tables["runs"]] == RUNS


def test_runs_this_user_may_not_read_are_a_doubt():
    def answer(path: str, query: Query) -> Answer:
        if path.endswith("/runs/get"):
            return 403, "no"
        return registry([{"name": "m"}], [{**VERSION, "run_id": RUNS[0]}])(path, query)

    with standing_in(answer) as uri:
        _, completeness = everything(quick(uri))
    assert completeness.left_out == {}
    assert completeness.doubts == (
        f"1 runs that versions point to may not be read by this user ({RUNS[0]})",
    )


def one_path(path: str, answer: Answer) -> Says:
    """A server of one version whose model is not in the list, and another model; one path answers so."""
    inner = registry([{"name": "other"}], [VERSION])

    def says(asked_path: str, query: Query) -> Answer:
        return answer if asked_path.endswith(path) else inner(asked_path, query)

    return says


def test_models_whose_versions_the_server_shows_and_that_may_not_be_read_are_a_doubt(tmp_path):
    """MLflow 2.9 to 3.5 list the versions of models that an ordinary user may not read."""
    refused = (403, {"error_code": "PERMISSION_DENIED", "message": "no"})
    with standing_in(one_path("/registered-models/get", refused)) as uri:
        tables, completeness = everything(quick(uri))
        with quick(uri).read() as reading:
            take(Ledger(tmp_path / "audit.duckdb"), reading)
    assert [row["version"] for row in tables["model_versions"]] == [1]
    assert [row["model"] for row in tables["registered_models"]] == ["other"]
    assert completeness.doubts == (
        "1 models whose versions the server shows may not be read by this user (m)",
    )


@pytest.mark.parametrize("path", ["/registered-models/get", "/model-versions/get"])
def test_a_login_that_ends_while_models_are_read_is_an_error(path):
    def says(asked_path: str, query: Query) -> Answer:
        if asked_path.endswith(path):
            return 401, "who are you?"
        return registry([], [{**VERSION, "version": "2"}])(asked_path, query)

    with standing_in(says) as uri:
        check_error(uri, "HTTP 401")


@pytest.mark.parametrize("path", ["/version", "/users/current/permissions", "/users/get"])
@pytest.mark.parametrize(
    "answer", [(403, "no"), (500, "oops"), (200, "<html>"), (200, [1])], ids=repr
)
def test_what_a_server_says_of_itself_and_the_user_ends_no_reading(path, answer, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "ann")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "s3cret")
    with standing_in(one_path(path, answer)) as uri, quick(uri).read() as reading:
        assert reading.info.mlflow_version is None
        assert UNKNOWN in reading.info.cannot_show


@pytest.mark.parametrize("user", [None, "ann", [1]])
def test_a_user_that_is_no_object_is_no_administrator(user):
    answers = one_path("/users/current", (200, {"user": user}))
    with standing_in(answers) as uri, quick(uri).read() as reading:
        assert "principal" not in reading.kinds()


ADMINISTRATOR = {
    "/users/current": {"user": {"is_admin": True}},
    "/users/list": {"users": [{"username": "ann", "roles": None}]},
    "/roles/list": {"roles": [{"name": "r", "permissions": None}]},
}
OF_STRINGS = {
    "/server-info": {"workspaces_enabled": True},
    "/workspaces": {"workspaces": ["a"]},
}
STRINGS = {
    "users": {**ADMINISTRATOR, "/users/list": {"users": ["ann"]}},
    "roles": {**ADMINISTRATOR, "/roles/list": {"roles": "r"}},
    "permissions": {**ADMINISTRATOR, "/roles/list": {"roles": [{"permissions": ["READ"]}]}},
    "workspaces": OF_STRINGS,
}


def of_answers(answers: dict[str, dict]) -> Says:
    def says(asked_path: str, query: Query) -> Answer:
        name = "/" + "/".join(asked_path.split("/")[4:])
        return (200, answers[name]) if name in answers else registry([], [])(asked_path, query)

    return says


@pytest.mark.parametrize(("items", "answers"), STRINGS.items(), ids=STRINGS)
def test_lists_of_something_else_are_an_error(items, answers):
    with standing_in(of_answers(answers)) as uri:
        check_error(uri, f"answers without a list of {items}")


def test_lists_that_are_missing_are_empty():
    with standing_in(of_answers(ADMINISTRATOR)) as uri:
        tables, completeness = everything(quick(uri))
    assert [row["principal"] for row in tables["principals"]] == ["ann", "r"]
    assert completeness.complete


@pytest.mark.parametrize("number", ["-1", "nan", "inf", "three"])
def test_a_number_of_retries_that_is_none_is_refused(number, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", number)
    with pytest.raises(SourceError, match=f"'{number}', which is not a number from 0 on"):
        RestSource("http://localhost:5000")


def test_https_where_there_is_none_is_called_that():
    with standing_in(registry([], [])) as uri:
        check_error(uri.replace("http:", "https:"), "no TLS connection could be made: ")


def test_a_doubt_counts_once_where_model_files_are_read_too():
    model = {"name": "m", "aliases": [{"alias": "a", "version": "x"}]}
    with standing_in(registry([model], [])) as uri:
        plain = everything(quick(uri))[1].doubts
        assert everything(quick(uri, artifacts=ArtifactReader()))[1].doubts == plain
    assert plain[0].startswith("1 row(s) of aliases were left out")


@pytest.mark.parametrize("moves", [False, True], ids=["still", "moving"])
def test_all_runs_are_read_twice_in_pages_and_put_aside(moves, monkeypatch):
    monkeypatch.setattr(spool, "IN_MEMORY", 1_000)  # so that a file is used
    begun = []

    def search(path: str, query: Query) -> Answer:
        start = int(query.get("page_token", ["0"])[0])
        if start == 0:
            begun.append(1)
        there = RUNS[:30] if moves and len(begun) == 1 else RUNS
        more = {"next_page_token": str(start + 10)} if start + 10 < len(there) else {}
        return 200, {"runs": [run(run_id) for run_id in there[start : start + 10]], **more}

    says, calls = tracking(search, RUNS)
    with standing_in(says) as uri:
        tables, completeness = everything(quick(uri), "all")
    assert calls == []
    assert [row["run_id"] for row in tables["runs"]] == RUNS
    assert len(tables["run_params"]) == len(tables["run_tags"]) == len(RUNS)
    assert completeness.counts["runs"] == (40, 40)
    changed = "the runs changed while they were read: 10 are in only one of two passes over them"
    assert completeness.doubts == ((changed,) if moves else ())


def test_the_registry_is_looked_at_again_when_the_rest_took_long(monkeypatch):
    moved = []

    def answer(path: str, query: Query) -> Answer:
        return registry([{"name": "m", "description": "new" if moved else "old"}], [])(path, query)

    for took, changes, doubts in ((0.0, True, 0), (60.0, False, 0), (60.0, True, 1)):
        moved.clear()
        monkeypatch.setattr("auditreg.sources.server.source.LONG", 1e9 if not took else 0.0)
        with standing_in(answer) as uri, quick(uri).read() as reading:
            if changes:
                moved.append(1)
            assert rows(reading, "registered_models")[0]["description"] == "old"
            sentences = reading.completeness().doubts
            assert reading.completeness().doubts == sentences
            assert CHANGED_BACK in reading.info.cannot_show
        assert len(sentences) == doubts
        assert all(
            "changed while its runs and model files were read" in sentence for sentence in sentences
        )


def test_requests_no_more_than_pages(monkeypatch):
    """Whatever the number of versions and runs: pages, and a handful that are always asked."""
    searches = []

    def search(path: str, query: Query) -> Answer:
        searches.append(query)
        return 200, {"runs": [run(run_id) for run_id in RUNS]}

    says, calls = tracking(search, RUNS)
    with standing_in(says) as uri:
        source = quick(uri)
        everything(source)
    # Two passes of four listings; experiments, runs, logged models; then what the server is, its
    # version, its journal, our rights (asked once or twice).
    assert source._server.requests <= 2 * 4 + 3 + 5
    assert calls == []
