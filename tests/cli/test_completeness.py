"""Incomplete is exit 2 and sealed as incomplete, or not at all; it never passes as complete."""

from __future__ import annotations

import json
import re
from pathlib import Path

import duckdb
import pytest

from auditreg.errors import AuditregError, ExitCode, SourceError
from tests.cli.running import in_every_format, run
from tests.sources.lying import VERSION, registry, standing_in

pytestmark = pytest.mark.integration  # whole programs

DOUBT = "leaves out 1 whose versions it shows"


def test_it_is_sealed_as_incomplete_and_nothing_was_taken_as_gone(doubtful):
    with duckdb.connect(str(doubtful), read_only=True) as con:
        verdicts = con.execute("select complete, doubts from extractions order by seq").fetchall()
        gone = con.execute("select count(*) from ledger.log where op = 'gone'").fetchone()
    assert [complete for complete, _ in verdicts] == [True, False]
    assert DOUBT in json.loads(verdicts[1][1])[0]
    assert gone == (0,)
    run("verify")


def test_every_command_says_so_and_ends_in_2(doubtful):
    shown = in_every_format("check", "--fail-on", "none", formats=("text", "json"), code=2)
    assert "INCOMPLETE: the last reading of default" in shown["text"]
    result = json.loads(shown["json"])
    assert [one["complete"] for one in result["ledger"]["extractions"]] == [False]
    assert "incomplete" in run("status", code=2).stdout
    assert DOUBT in run("inventory").stderr
    assert "INCOMPLETE" in run("publish", "copies", code=2).stdout


def test_run_ends_in_2_and_publishes_what_is_incomplete_as_incomplete(ledger):
    with standing_in(registry([], [VERSION])) as uri:
        Path("auditreg.toml").write_text(
            f'[[source]]\nname = "default"\nuri = "{uri}"\nallow_replacement = true\n[publish]\nfolder = "copies"\n'
        )
        run("run", code=2)
    (copy,) = json.loads(Path("copies/manifest.json").read_text())["copies"]
    assert not copy["complete"]
    assert DOUBT in copy["extractions"][0]["doubts"][0]


@pytest.mark.integration
def test_a_report_says_so_on_its_cover_its_summary_and_every_dossier(doubtful):
    done = run("report", "--format", "html", "--output", "out", code=2)
    assert "incomplete: the last reading of default" in done.stderr
    assert json.loads(run("reports", "--format", "json").stdout) == []  # a draft is not sealed
    page = Path("out/report.html").read_text()
    cover, _, rest = page.partition("</header>")
    assert "The last reading was incomplete: default." in cover
    summary = rest[rest.index('id="summary"') : rest.index('id="inventory"')]
    assert DOUBT in re.sub(r"\s+", " ", summary)
    assert "LAST READING INCOMPLETE" in page
    section = rest[rest.index('id="completeness"') : rest.index('id="cannot-show"')]
    assert DOUBT in section
    assert "The server counted 1 version; 1 was read." in section
    dossiers = list(Path("out/dossiers").glob("*.html"))
    assert dossiers
    for dossier in dossiers:
        text = dossier.read_text()
        assert "The last reading of the registry was incomplete." in text
        assert "which was incomplete and made after the state shown." in text


@pytest.mark.integration
def test_a_complete_reading_after_it_sets_everything_right(doubtful, small_registry):
    run("extract", "--from", str(small_registry))
    run("status")
    run("report", "--format", "html", "--output", "out")
    page = Path("out/report.html").read_text()
    assert "LAST READING INCOMPLETE" not in page
    assert "The database counted 4 versions; 4 were read." in page
    assert "the whole registry, training runs that a version points to" in page
    assert "no gap: every number below a model" in page
    assert 'class="good">all read' in page
    assert "earlier reading of the registry shown in this report was incomplete" in page
    dossier = next(Path("out/dossiers").glob("*.html")).read_text()
    assert "which was complete." in dossier
    assert (
        "last reading of the registry"
        in run("check", "--rule", "risk-rating-recorded", code=1).stdout
    )
    assert "complete" in run("inventory").stderr


def test_where_no_complete_reading_came_first_nothing_is_reported(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with standing_in(registry([], [VERSION])) as uri:
        run("extract", "--from", uri, code=2)
    for command in ("check", "report"):
        with pytest.raises(SourceError, match="no complete reading") as caught:
            run(command)
        assert caught.value.exit_code == ExitCode.ERROR
    assert "incomplete" in run("status", code=2).stdout


def test_a_server_that_fails_half_way_is_not_sealed_at_all(ledger):
    before = ledger.read_bytes()
    inner = registry([{"name": "m"}], [VERSION])

    def answer(path, query):
        return (500, "broken") if path.endswith("/model-versions/search") else inner(path, query)

    with standing_in(answer) as uri, pytest.raises(AuditregError) as caught:
        run("extract", "--from", uri)
    assert caught.value.exit_code == 2
    assert ledger.read_bytes() == before


def test_the_ledger_s_own_view_says_the_same(doubtful):
    with duckdb.connect(str(doubtful), read_only=True) as con:
        rows = con.execute(
            "select complete, counted_by_source, read, difference from completeness "
            "where part = 'model_versions' order by seq"
        ).fetchall()
        (sql,) = con.execute(
            "select sql from questions where id = 'was-everything-read'"
        ).fetchone()
        asked = con.execute(sql).fetchall()
    assert rows == [(True, 4, 4, 0), (False, 1, 1, 0)]
    assert asked
    assert not any(row[2] for row in asked)  # the last reading of all, complete or not
