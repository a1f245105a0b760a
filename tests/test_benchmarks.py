"""The benchmarks run, at a size that says nothing about speed."""

from __future__ import annotations

import json
import math
import sqlite3

import pytest

from benchmarks import __main__ as program
from benchmarks.figures import Figure, Outcome, as_json, as_markdown, as_table, write_readme
from benchmarks.store import TABLES, generate, rows
from benchmarks.suite import BENCHMARKS, TaskError, Workshop, run

pytestmark = pytest.mark.integration

SCALE = 100
BUDGETS = {
    "extraction": [4, 0.4, 1024],
    "postgresql": [4, 0.4, 1024],
    "rules": [5, 1.5],
    "startup": [0.25, 0.5, 0.5, 0.7, 0.35, 0.35, 0.35, 0.35, 1, 0.7, 0],
    "verify": [5, 1.5],
    "dossiers": [1.6],
}


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    folder = tmp_path_factory.mktemp("benchmarks")
    said = []
    return Workshop(folder, SCALE, 1, said.append, starts=1, dossiers=1, apart=False)


SERVED = pytest.param("postgresql", marks=pytest.mark.slow)  # MLflow makes its tables for 5 s


@pytest.mark.parametrize("name", [SERVED if n == "postgresql" else n for n in BENCHMARKS])
def test_every_benchmark_gives_its_ratios(shop, name):
    (outcome,) = run(shop, [name])
    assert outcome.problem == ""
    assert [f.budget for f in outcome.figures if f.budget is not None] == BUDGETS[name]
    assert any(figure.unit == "x" for figure in outcome.figures)
    for figure in outcome.figures:
        assert math.isfinite(figure.value)
        assert figure.value > 0 or figure.budget == 0
    document = as_json([outcome], SCALE, program.machine())
    assert json.loads(json.dumps(document))["benchmarks"][name]["problem"] is None
    if name in ("extraction", "postgresql"):
        (one,) = outcome.detail["rounds"]
        assert sum(one["first"]["phases"].values()) == pytest.approx(one["first"]["seconds"])
        assert one["first"]["appended"] > SCALE
        assert one["unchanged"]["appended"] == 1


def test_a_store_has_the_promised_shares(shop):
    counted = rows(shop.store(SCALE))
    assert counted["model_versions"] == SCALE
    assert counted["runs"] == 2 * SCALE
    assert sum(counted.values()) == pytest.approx(58.3 * SCALE, rel=0.05)
    con = sqlite3.connect(shop.store(SCALE))
    linked = con.execute("select count(distinct run_id) from model_versions").fetchone()[0]
    stages = dict(con.execute("select current_stage, count(*) from model_versions group by 1"))
    con.close()
    assert linked == SCALE
    assert stages["Production"] == counted["registered_models"]


def test_the_same_store_twice_has_the_same_rows(shop, tmp_path):
    def content(path):
        con = sqlite3.connect(path)
        found = {t: sorted(map(repr, con.execute(f"select * from {t}"))) for t in TABLES}
        con.close()
        return found

    generate(tmp_path / "again.db", SCALE, live="all", empty=shop.folder / "empty.db")
    again, first = content(tmp_path / "again.db"), content(shop.store(SCALE, "all"))
    assert again == first
    assert all("'Production'" in row for row in first["model_versions"])


def test_a_failing_benchmark_hides_no_other(shop, monkeypatch):
    def broken(_):
        raise TaskError("no reason")

    monkeypatch.setitem(BENCHMARKS, "verify", broken)
    monkeypatch.setitem(BENCHMARKS, "rules", lambda _: Outcome("rules", (Figure("a", 1.0),)))
    outcomes = run(shop, ["verify", "rules"])
    assert [o.problem for o in outcomes] == ["no reason", ""]
    assert "no reason" in as_table(outcomes)


def test_a_missed_budget_is_said():
    figures = (
        Figure("slow", 5.0, budget=4),
        Figure("fast", 3.0, budget=4),
        Figure("many", 2.0, budget=1.6, least=True),
        Figure("few", 1.0, budget=1.6, least=True),
        Figure("told", 9.0),
    )
    assert [f.verdict for f in figures] == ["missed", "kept", "kept", "missed", ""]
    table = as_table([Outcome("it", figures)])
    assert "5.00 x" in table
    assert "≤ 4 x  missed" in table
    assert "≥ 1.6 x  kept" in table


def test_the_readme_takes_the_results(tmp_path):
    text = program.README.read_text(encoding="utf-8")
    copy = tmp_path / "README.md"
    copy.write_text(text, encoding="utf-8")
    results = as_markdown([Outcome("it", (Figure("a", 1.0),))], SCALE, program.machine())
    write_readme(copy, results)
    assert "| it | a | 1.00 x |" in copy.read_text(encoding="utf-8")
    write_readme(copy, results)
    assert copy.read_text(encoding="utf-8").count("| it | a |") == 1
    copy.write_text("no marks", encoding="utf-8")
    with pytest.raises(ValueError, match="lacks the marks"):
        write_readme(copy, results)


@pytest.mark.parametrize("wrong", [["--scale", "3"], ["--write-readme", "--only", "rules"]])
def test_wrong_arguments_are_refused(wrong, capsys):
    with pytest.raises(SystemExit):
        program.main(wrong)
    assert "error" in capsys.readouterr().err
