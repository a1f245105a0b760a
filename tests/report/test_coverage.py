"""Which records bear on which clause: the counts agree with the ledger, and no hearsay is issued."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from msgspec import structs

from auditreg.formats.report.html import HtmlFormat
from auditreg.models import Status
from auditreg.report import build_report
from tests.report.conftest import DRAFT, FRAMEWORK, SAID, applied
from tests.report.test_numbers import AS_OF, CONFIG


@pytest.fixture(scope="module")
def clauses(report):
    return report.frameworks[0].clauses


def rebuilt(made, **how):
    """The report once more, made in another way."""
    rules = [result.rule for result in made.check.rules]
    frameworks = [applied(text, rules) for text in (FRAMEWORK, DRAFT)]
    return build_report(
        made.connection, made.check, frameworks, CONFIG, CONFIG.period("2026-Q3"), **how
    )


def page(report):
    """The report's own page, without dossiers."""
    return HtmlFormat().render(replace(report, dossiers=()))["report.html"].decode()


def test_each_rule_of_a_clause_is_counted_over_its_own_population(made, clauses):
    approval = clauses[1]
    assert [row.rule for row in approval.rules] == ["approval-precedes-live", "approver-recorded"]
    assert [row.rule for row in approval.supports] == ["approver-not-promoter"]
    for row in approval.rules + approval.supports:
        found = [a.status for a in made.check.every if a.rule.id == row.rule]
        assert row.population == len(found) > 0
        assert row.counts == {status: found.count(status) for status in Status}
    precedes, recorded = approval.rules
    assert precedes.population != recorded.population


def test_a_rule_that_did_not_run_has_no_population(read_once):
    precedes, recorded = read_once.report.frameworks[0].clauses[1].rules
    assert precedes.population
    assert recorded.population is None
    assert "did not run" in page(read_once.report)


def test_a_field_is_counted_over_what_its_clause_asks_it_of(made, clauses):
    in_use = made.connection.execute(
        f"select owner, risk_rating from inventory_as_of({AS_OF}) "
        f"join live_versions_as_of({AS_OF}) using (subject)"
    ).fetchall()
    models = made.connection.execute(
        "select max(t.value) filter (t.key = 'gov.owner'), null "
        f"from registered_models_as_of({AS_OF}) m left join registered_model_tags_as_of({AS_OF}) t "
        "on t.model_subject = m.subject where not m.deleted group by m.subject"
    ).fetchall()
    # A version without a rating is asked as one that is not negligible.
    asked = [(owner, rating) for owner, rating in in_use if rating != "low"]
    assert None in [rating for _, rating in asked]
    assert len(asked) < len(in_use) < len(models)
    assert [(c.fields[0].recorded, c.fields[0].of) for c in clauses if c.fields] == [
        (sum(owner is not None for owner, _ in rows), len(rows)) for rows in (in_use, models, asked)
    ]


def test_what_is_due_only_in_some_cases_is_not_called_missing(report, clauses):
    owner, overlays = clauses[0].fields
    assert owner.due_where == ""
    assert overlays.recorded == 0
    row = next(row for row in page(report).split("<tr>") if "Overlays and adjustments" in row)
    assert "due where there is an overlay" in row
    cells = re.findall(r"<td[^>]*>(.*?)</td>", row)
    assert cells[1:] == [str(overlays.of), "0", "", "", str(overlays.of), ""]


def test_the_page_says_first_whether_it_applies_and_how_each_clause_was_seen(report):
    text = page(report)
    section = text[text.index('id="coverage"') :]
    assert section.index("Applies: by analogy.") < section.index("Approval before use")
    assert "Firms like ours follow it." in section
    assert "Said by Asha Verma, since 5 January 2026." in section
    assert "Seen 2026-11-22 in the publisher&#39;s own text: the text of tests." in section
    assert "Seen 2026-11-23 in passages quoted word for word: tests of others." in section
    assert "(own control" in section


def test_what_was_seen_second_hand_is_printed_only_where_it_is_asked_for(report, made):
    assert [covered.framework.id for covered in report.frameworks] == ["made-up"]
    assert "What they say it says" not in page(report)
    assert "Not printed: A text nobody saw" in page(report)
    asked = page(rebuilt(made, drafts=True))
    assert "What they say it says" in asked
    assert "second-hand only: a paraphrase" in asked
    assert "Draft: 1 clause of 1 not checked" in asked
    assert "Not printed" not in asked


def test_an_issued_report_prints_nothing_seen_second_hand(made):
    text = page(rebuilt(made, draft=False, drafts=True))
    assert "Approval before use" in text
    assert "What they say it says" not in text
    assert "a paraphrase" not in text
    assert "Not printed: A text nobody saw" in text


def test_a_firm_that_names_no_text_is_shown_none(report):
    shown = page(replace(report, frameworks=(), drafts_left_out=()))
    assert "The firm names no text as one that applies." in shown
    assert "The firm names no text" not in page(report)


def test_what_the_firm_says_is_shown_as_text(report):
    said = structs.replace(SAID, reason="<script>1</script>", by="<b>")
    [covered] = report.frameworks
    shown = page(replace(report, frameworks=(replace(covered, statement=said),)))
    assert "&lt;script&gt;1" in shown
    assert "<script>" not in shown
