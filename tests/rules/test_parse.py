"""Rule files: what is read, and what is said of one that cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest

from auditreg.errors import RuleError, UsageError
from auditreg.models import Repair, Scope, Severity
from auditreg.rules.parse import builtin_rules, load_rules, parse_rule, read_rule, select_rules

GOOD = """/*
title = "An owner"
severity = "high"
scope = "live_version"
repair = "tag"
looks_for = \"\"\"
a tag
  over two lines\"\"\"
rationale = "so"
remediation = "do"
aliases = ["old-owner"]

[params]
length = 3
*/
-- a comment
select subject, 'pass' as status, 'x' as reason from population_live_version;
"""


def test_a_rule() -> None:
    rule = parse_rule(GOOD, "my-owner.sql")
    assert (rule.id, rule.severity, rule.scope) == ("my-owner", Severity.HIGH, Scope.LIVE_VERSION)
    assert rule.repair is Repair.TAG
    assert rule.looks_for == "a tag over two lines"
    assert (rule.params, rule.aliases) == ({"length": 3}, ("old-owner",))
    assert rule.sql.startswith("-- a comment\nselect")
    assert rule.sql.endswith("version")
    assert rule.text == GOOD
    assert len(rule.digest) == 64


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("/*", "", "has to begin with a header"),
        ("*/", "", "has to begin with a header"),
        ('title = "An owner"', 'title = "An', "not TOML"),
        ('title = "An owner"', 'titel = "An owner"', "unknown key 'titel'; did you mean 'title'?"),
        ('title = "An owner"\n', "", "lacks the key 'title'"),
        ('title = "An owner"', 'title = " "', "'title' has to be a text"),
        ('"high"', '"severe"', "'severity' is 'severe'; allowed: critical, high, medium, low"),
        (
            '"high"',
            '"high"\nseverity_by_rating = { low = "mild" }',
            "'low' is 'mild'; allowed: crit",
        ),
        ('"high"', '"high"\nseverity_by_rating = "low"', "has to be a table of ratings"),
        ('"live_version"', '"version"', "'scope' is 'version'"),
        ('"tag"', '"never"', "'repair' is 'never'"),
        ('"tag"', '"tag"\nreads = "all"', "'reads' is 'all'; allowed: model, registry, history"),
        ("length = 3", "Length = 3", "parameter 'Length'"),
        ("length = 3", f"length = {'[' * 5000}{']' * 5000}", "nests too deeply"),
        ("length = 3", "length = [3]", "parameter 'length'"),
        ("[params]\nlength = 3", "params = 3", "'params' has to be a table"),
        ('["old-owner"]', '"old-owner"', "'aliases' has to be a list"),
        ("select", "selec", "not SQL"),
        ("select", "delete from x; select", "2 statements"),
        ("'x' as", "now() as", "line 17, column 35: refused: now()"),
    ],
)
def test_what_is_wrong_is_named(old: str, new: str, problem: str) -> None:
    with pytest.raises(RuleError) as caught:
        parse_rule(GOOD.replace(old, new, 1), "my-owner.sql")
    assert problem in caught.value.what
    assert "my-owner.sql" in caught.value.what


@pytest.mark.parametrize("name", ["My-owner.sql", "my_owner.sql", "-x.sql", "1.sql", "a--b.sql"])
def test_a_file_name_is_an_id(name: str) -> None:
    with pytest.raises(RuleError, match="lower-case words joined by hyphens"):
        parse_rule(GOOD, name)


def test_folders_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "my-owner.sql").write_text(GOOD)
    (tmp_path / "notes.md").write_text("not a rule")
    rules = load_rules([tmp_path])
    assert len(rules) == len(builtin_rules()) + 1
    assert rules[-1].custom
    assert not rules[0].custom
    assert [rule.id for rule in select_rules(rules, ["old-owner"])] == ["my-owner"]
    with pytest.raises(UsageError, match="Did you mean my-owner"):
        select_rules(rules, ["my-owners"])
    with pytest.raises(RuleError, match="no rule folder"):
        load_rules([tmp_path / "missing"])


def test_an_id_is_used_once(tmp_path: Path) -> None:
    (tmp_path / "owner-recorded.sql").write_text(GOOD)
    with pytest.raises(RuleError, match="'owner-recorded' is already taken"):
        load_rules([tmp_path])
    (tmp_path / "owner-recorded.sql").rename(tmp_path / "mine.sql")
    (tmp_path / "old-owner.sql").write_text(GOOD.replace('["old-owner"]', "[]"))
    with pytest.raises(RuleError, match="'old-owner' is already taken"):
        load_rules([tmp_path])


def test_an_unreadable_file(tmp_path: Path) -> None:
    with pytest.raises(RuleError, match="cannot be read"):
        read_rule(tmp_path / "missing.sql")
    (tmp_path / "bytes.sql").write_bytes(b"/*\xff*/")
    with pytest.raises(RuleError, match="not UTF-8"):
        read_rule(tmp_path / "bytes.sql")
