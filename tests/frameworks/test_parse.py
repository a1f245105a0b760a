from __future__ import annotations

import re

import pytest

from auditreg.errors import ConfigError
from auditreg.fields import FIELD_IDS
from auditreg.frameworks.parse import Coverage, load_library, parse_framework, printable
from auditreg.rules.parse import builtin_rules

RULES = frozenset(rule.id for rule in builtin_rules())
HEAD = """
id = "mine"
title = "T"
publisher = "P"
edition = "E"
status = "in force"
source = "S"
"""
CLAUSE = """
[[clause]]
ref = "1"
title = "Owner"
coverage = "automated"
rules = ["owner-recorded"]
verified = { on = 2026-11-22, source = "the text" }
"""


def parse(text, **options):
    return parse_framework(text, "mine.toml", **{"rules": RULES, **options})


@pytest.fixture(scope="module")
def library():
    return load_library(RULES)


def test_every_framework_of_the_library_was_checked_against_its_text(library):
    assert {"naic-model-bulletin", "osfi-e23-2027"} <= {framework.id for framework in library}
    assert printable(library) == library


def test_appendix_1_has_six_fields_for_every_model_and_eleven_more(library):
    [osfi] = [framework for framework in library if framework.id == "osfi-e23-2027"]
    appendix = [clause for clause in osfi.clauses if clause.ref.startswith("App. 1")]
    assert len(appendix) == 17
    assert osfi.status == "not yet in force"
    assert osfi.effective.isoformat() == "2027-05-01"
    first = [clause.fields for clause in appendix[:6]]
    assert first == [
        ("model_id",), ("description",), ("risk_rating",), ("owner",), ("developer",), ("origin",)
    ]  # fmt: skip


def test_no_framework_claims_that_a_clause_is_met(library):
    for framework in library:
        for clause in framework.clauses:
            assert not re.search(
                "compl(y|ies|iant|iance)", f"{clause.title} {clause.note}", re.IGNORECASE
            )
            assert set(clause.fields) <= set(FIELD_IDS)
            assert clause.verified


def test_a_clause_nobody_checked_makes_a_draft_which_is_not_printed():
    framework = parse(HEAD + CLAUSE + CLAUSE.replace('"1"', '"2"').split("verified")[0])
    assert framework.draft
    assert printable([framework]) == ()
    assert printable([framework], drafts=True) == (framework,)


def test_what_a_framework_says_is_read():
    framework = parse(HEAD + 'note = " N "\n' + CLAUSE)
    assert framework.note == "N"
    assert framework.rules == {"owner-recorded"}
    assert framework.clauses[0].coverage is Coverage.AUTOMATED
    assert framework.clauses[0].verified.on.isoformat() == "2026-11-22"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("id = ", "not TOML"),
        (HEAD, "clause"),
        (HEAD.replace('title = "T"', "title = 7") + CLAUSE, 'key "title"'),
        (HEAD + "colour = 1\n" + CLAUSE, "colour"),
        (HEAD.replace('"in force"', '"maybe"') + CLAUSE, 'key "status"'),
        (HEAD.replace('"mine"', '"other"') + CLAUSE, 'key "id"'),
        (HEAD + CLAUSE.replace('"automated"', '"full"'), 'clause "1", key "coverage"'),
        (HEAD + CLAUSE.replace("owner-recorded", "owner-known"), 'clause "1", key "rules"'),
        (HEAD + CLAUSE + 'fields = ["shoe_size"]\n', 'clause "1", key "fields"'),
        (HEAD + CLAUSE + "weight = 1\n", 'clause "1"'),
        (HEAD + CLAUSE + CLAUSE, "stands there twice"),
        (HEAD + CLAUSE.replace('rules = ["owner-recorded"]', ""), 'key "coverage"'),
    ],
)
def test_what_is_wrong_is_named_by_file_clause_and_key(text, says):
    with pytest.raises(ConfigError) as caught:
        parse(text)
    assert caught.value.what.startswith("mine.toml: ")
    assert says in caught.value.what
    assert caught.value.state
    assert caught.value.hint


def test_a_field_of_the_firm_s_own_can_be_named():
    framework = parse(HEAD + CLAUSE + 'fields = ["shoe_size"]\n', fields=("shoe_size",))
    assert framework.clauses[0].fields == ("shoe_size",)
