"""Text of a registry cannot steer a terminal, a spreadsheet or a page."""

from __future__ import annotations

import csv
import io
import json
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditreg.formats.escape import _ACTING, escape_control, escape_json, markdown, spreadsheet

anything = st.text(st.characters(exclude_categories=()))
ACTS = ("Cc", "Cf", "Cs", "Zl", "Zp")


def test_every_acting_character_is_covered():
    missed = [
        f"U+{code:04X}"
        for code in range(sys.maxunicode + 1)
        if unicodedata.category(chr(code)) in ACTS
        and chr(code) not in "\u200c\u200d"
        and not _ACTING.match(chr(code))
    ]
    assert missed == []


def test_nothing_that_is_seen_is_escaped():
    wrong = [
        f"U+{code:04X}"
        for code in range(sys.maxunicode + 1)
        if _ACTING.match(chr(code)) and unicodedata.category(chr(code)) not in (*ACTS, "Cn", "Mn")
    ]
    assert wrong == []


@given(anything)
def test_inert_text_is_one_line_without_acting_characters(text):
    shown = escape_control(text)
    assert len(shown.splitlines()) <= 1
    assert not [c for c in shown if unicodedata.category(c) in ACTS and c not in "\u200c\u200d"]
    assert "\x1b" not in shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("Größe 模型 👩‍🔬", "Größe 模型 👩‍🔬"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("\x9b31m", r"\x9b31m"),
        ("a\nb\tc\r", r"a\nb\tc\r"),
        ("a\u202eb", r"a\u202eb"),
        ("\ud800", r"\ud800"),
        ("\U000e0041", r"\U000e0041"),
    ],
)
def test_inert(text, shown):
    assert escape_control(text) == shown


def test_kept_characters():
    assert escape_control("a\nb\x1b", keep="\n") == "a\nb\\x1b"


@given(anything)
def test_json_decodes_to_the_same(text):
    document = json.dumps({"a": text}, ensure_ascii=False, indent=2)
    safe = escape_json(document)
    assert json.loads(safe) == {"a": text}
    acting = {c for c in safe if unicodedata.category(c) in ACTS and c not in "\u200c\u200d"}
    assert acting <= {"\n"}
    safe.encode()


@given(anything)
def test_no_cell_is_a_formula(text):
    out = io.StringIO()
    csv.writer(out).writerow([spreadsheet(text)])
    (cell,) = next(csv.reader(io.StringIO(out.getvalue(), newline="")))
    assert not cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"))


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "＝1"])
def test_formulas_get_an_apostrophe(text):
    assert spreadsheet(text).startswith("'")
    assert spreadsheet("a" + text)[0] == "a"


@given(anything)
def test_markdown_holds_no_markup(text):
    safe = markdown(text).replace("@&#8288;", "")
    for entity in {*__import__("re").findall(r"&#\d+;", safe)}:
        safe = safe.replace(entity, "")
    assert not set(safe) & set("\\`*_{}[]()<>#+!|~&^$@\n\r")
    assert "://" not in safe
    assert "www." not in safe.lower()


def test_markdown_reads_as_it_was():
    from html import unescape

    text = "a|b `c` <d> [e](http://f) www.g.h *i* _j_ # k"
    assert unescape(markdown(text)) == text
