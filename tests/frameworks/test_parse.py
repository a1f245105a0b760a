from __future__ import annotations

import re

import pytest

from auditreg.config import Config
from auditreg.errors import ConfigError
from auditreg.fields import FIELD_IDS
from auditreg.frameworks.parse import Coverage, How, load_library, parse_framework
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
verified = { on = 2026-11-22, how = "primary", source = "the text" }
"""
SECOND = CLAUSE.replace('"1"', '"2"')

PRINTED = {
    "21-cfr-part-11",
    "eu-ai-act",
    "naic-model-bulletin",
    "nist-ai-rmf",
    "osfi-e23-2027",
    "solvency-ii-internal-models",
}
DRAFTS = {
    "asop-56",
    "colorado-10-1-1",
    "eiopa-ai-opinion",
    "icfr-change-evidence",
    "iso-42001-annex-a",
    "mas-ai-risk",
    "nydfs-cl-2024-7",
    "pra-ss1-23",
    "sr-11-7",
    "sr-26-2",
}


def parse(text, **options):
    return parse_framework(text, "mine.toml", **{"rules": RULES, **options})


@pytest.fixture(scope="module")
def library():
    return {framework.id: framework for framework in load_library(RULES)}


def test_only_what_somebody_read_word_for_word_is_no_draft(library):
    assert {name for name, framework in library.items() if not framework.draft} >= PRINTED
    assert {name for name, framework in library.items() if framework.draft} >= DRAFTS


def test_no_framework_applies_unless_the_firm_says_so():
    assert Config().frameworks.applied == ()


def test_appendix_1_has_six_fields_for_every_model_and_eleven_more(library):
    osfi = library["osfi-e23-2027"]
    appendix = [clause for clause in osfi.clauses if clause.ref.startswith("App. 1")]
    every, further = appendix[:6], appendix[6:]
    assert osfi.status == "not yet in force"
    assert osfi.effective.isoformat() == "2027-05-01"
    assert [clause.fields for clause in every] == [
        ("model_id",), ("description", "purpose"), ("risk_rating",), ("owner",), ("developer",),
        ("origin",),
    ]  # fmt: skip
    assert {clause.counted for clause in every} == {"registered models"}
    assert len(further) == 11
    assert {clause.counted for clause in further} == {
        "versions in use, without those of negligible risk"
    }


def test_every_principle_of_e_23_is_listed(library):
    refs = " ".join(clause.ref for clause in library["osfi-e23-2027"].clauses)
    principles = [
        f"P{part}.{n}" for part, last in ((1, 3), (2, 3), (3, 6)) for n in range(1, last + 1)
    ]
    assert all(principle in refs for principle in principles)


def test_a_template_was_adopted_and_has_no_date_of_effect(library):
    naic = library["naic-model-bulletin"]
    assert naic.adopted.isoformat() == "2023-12-04"
    assert naic.effective is None
    assert {clause.verified.how for clause in naic.clauses} == {How.QUOTED}


def test_the_core_of_the_ai_rmf_is_complete(library):
    refs = [clause.ref.split()[0] for clause in library["nist-ai-rmf"].clauses]
    counts = {function: refs.count(function) for function in ("GOVERN", "MAP", "MEASURE", "MANAGE")}
    assert counts == {"GOVERN": 19, "MAP": 18, "MEASURE": 22, "MANAGE": 13}


def test_no_framework_claims_that_a_clause_is_met(library):
    for framework in library.values():
        for clause in framework.clauses:
            assert not re.search(
                "compl(y|ies|iant|iance)", f"{clause.title} {clause.note}", re.IGNORECASE
            )
            assert set(clause.fields) <= set(FIELD_IDS)


def test_what_verified_a_clause_is_named_and_names_no_number_of_ours(library):
    for framework in library.values():
        for clause in framework.clauses:
            if clause.verified:
                assert clause.verified.source.strip()
                assert not re.search(r"\d{9}", clause.verified.source)


def test_a_clause_says_what_its_mapping_cannot_show(library):
    for framework in library.values():
        for clause in framework.clauses:
            if clause.coverage in (Coverage.PARTIAL, Coverage.MANUAL):
                assert clause.note or clause.native, f"{framework.id} {clause.ref}"


@pytest.mark.parametrize(
    "second",
    [SECOND.split("verified")[0], SECOND.replace('"primary"', '"secondary"')],
    ids=["nobody checked it", "seen only second-hand"],
)
def test_a_clause_nobody_saw_makes_a_draft(second):
    framework = parse(HEAD + CLAUSE + second)
    assert framework.draft
    assert [clause.ref for clause in framework.unseen] == ["2"]


@pytest.mark.parametrize("how", ["primary", "copy", "quoted"])
def test_a_clause_somebody_saw_makes_none(how):
    framework = parse(HEAD + CLAUSE.replace('"primary"', f'"{how}"'))
    assert not framework.draft
    assert framework.clauses[0].verified.how == how


def test_what_a_framework_says_is_read():
    text = HEAD + 'adopted = 2023-12-04\nnote = " N "\n' + CLAUSE
    framework = parse(text + 'supports = ["run-linked"]\nnative = "MLflow has it."\n')
    [clause] = framework.clauses
    assert framework.note == "N"
    assert framework.adopted.isoformat() == "2023-12-04"
    assert clause.coverage is Coverage.AUTOMATED
    assert (clause.rules, clause.supports) == (("owner-recorded",), ("run-linked",))
    assert clause.native == "MLflow has it."
    assert clause.counted == "versions in use"
    assert clause.verified.on.isoformat() == "2026-11-22"


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
        (HEAD + CLAUSE.replace("owner-recorded", "owner-known"),
         'clause "1", key "rules": there is no "owner-known"'),
        (HEAD + CLAUSE + 'supports = ["owner-known"]\n',
         'clause "1", key "supports": there is no "owner-known"'),
        (HEAD + CLAUSE + 'supports = ["owner-recorded"]\n', 'clause "1", key "supports"'),
        (HEAD + CLAUSE + 'fields = ["shoe_size"]\n',
         'clause "1", key "fields": there is no "shoe_size"'),
        (HEAD + CLAUSE + "weight = 1\n", 'clause "1"'),
        (HEAD + CLAUSE + CLAUSE, "stands there twice"),
        (HEAD + CLAUSE.replace('rules = ["owner-recorded"]', ""), 'key "coverage"'),
        (HEAD + CLAUSE + 'population = "trees"\n', 'clause "1", key "population"'),
        (HEAD + CLAUSE.replace('how = "primary", ', ""), 'clause "1", key "verified"'),
        (HEAD + CLAUSE.replace('"primary"', '"hearsay"'), 'clause "1", key "verified.how"'),
        (HEAD + CLAUSE.replace('"the text"', '""'), 'clause "1", key "verified.source"'),
    ],
)  # fmt: skip
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


def test_every_rule_bears_on_a_clause_or_is_known_not_to(library):
    mapped = {
        rule
        for framework in library.values()
        for clause in framework.clauses
        for rule in (*clause.rules, *clause.supports)
    }
    # a rollback under change control is what a contingency plan expects; no clause asks against it
    assert RULES - mapped == {"not-rolled-back-early"}
