"""What settings may name of the policy's files."""

from __future__ import annotations

from pathlib import Path

import pytest

from auditreg.config import parse_config
from auditreg.errors import ConfigError
from auditreg.workflows.policy import PolicySet, every_framework, rules_in_force

APPLIED = """
[[frameworks.applied]]
id = "osfi-e23-2027"
applies = "benchmark"
reason = "the fullest list there is"
by = "Model Risk"
since = 2026-01-05
"""
FILE = Path("auditreg.toml")


def test_a_framework_that_does_not_exist_is_named():
    config = parse_config(APPLIED.replace("e23-2027", "e32-2027"), FILE)
    with pytest.raises(ConfigError, match=r"frameworks\.applied\[0\]\.id: .*'osfi-e32") as caught:
        PolicySet.load(config)
    assert caught.value.hint == "Did you mean osfi-e23-2027?"
    assert caught.value.exit_code == 2


def test_only_the_frameworks_that_apply_are_read_and_sealed():
    def sealed(text: str) -> list[str]:
        policies = PolicySet.load(parse_config(text, FILE)).policies()
        return [policy.name for policy in policies if policy.kind == "framework"]

    assert sealed("") == []
    assert sealed(APPLIED) == ["osfi-e23-2027"]
    [(framework, said)] = PolicySet.load(parse_config(APPLIED, FILE)).frameworks
    assert (framework.id, said.applies, said.by) == ("osfi-e23-2027", "benchmark", "Model Risk")


OWN = """id = "{id}"
title = "Model policy of the firm"
publisher = "Model Risk"
edition = "3"
status = "in force"
source = "intranet"

[[clause]]
ref = "4.2"
title = "Owner"
coverage = "automated"
rules = ["{rule}"]
{more}
verified = {{ on = 2026-11-22, how = "primary", source = "the policy" }}
"""


def own_framework(folder, *, name="model-policy", rule="owner-recorded", more="", applied=None):
    """The settings of a firm with a framework of its own."""
    (folder / "texts").mkdir(exist_ok=True)
    text = OWN.format(id=name, rule=rule, more=more)
    (folder / "texts" / "model-policy.toml").write_text(text, encoding="utf-8")
    settings = '[frameworks]\npacks = ["texts"]\n'
    if applied:
        settings += APPLIED.replace("osfi-e23-2027", applied)
    return parse_config(settings, folder / "auditreg.toml")


def test_a_framework_of_the_firm_s_own_is_listed_and_applies_like_the_others(tmp_path):
    config = own_framework(tmp_path, applied="model-policy")
    rules = rules_in_force(config)
    assert "model-policy" in {one.id for one in every_framework(config, rules)}
    [policy] = [one for one in PolicySet.load(config).policies() if one.kind == "framework"]
    assert policy.name == "model-policy"
    assert policy.text == (tmp_path / "texts" / "model-policy.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"rule": "owner-known"}, 'clause "4.2", key "rules": there is no "owner-known"'),
        ({"more": 'fields = ["ownr"]'}, 'clause "4.2", key "fields": there is no "ownr"'),
        ({"more": 'evidence = "e"'}, 'clause "4.2": Object contains unknown field `evidence`'),
        ({"name": "other"}, 'key "id" is "other"; it must equal the file name, "model-policy"'),
    ],
)
def test_what_is_wrong_with_a_framework_of_the_firm_s_own_is_named(tmp_path, options, said):
    config = own_framework(tmp_path, applied="model-policy", **options)
    policy_set = PolicySet.load(config)
    [error] = policy_set.unusable
    assert said in error.what
    assert str(tmp_path / "texts" / "model-policy.toml") in error.what
    # What else is in force stands all the same: rules are judged, a registry is read.
    assert policy_set.frameworks == ()
    assert {policy.kind for policy in policy_set.policies()} == {"rule", "settings", "config"}


def test_a_framework_that_does_not_apply_stops_no_check(tmp_path):
    policy_set = PolicySet.load(own_framework(tmp_path, rule="owner-known"))
    assert (policy_set.frameworks, policy_set.unusable) == ((), ())


def test_a_framework_id_is_taken_once(tmp_path):
    config = own_framework(tmp_path)
    (tmp_path / "texts" / "osfi-e23-2027.toml").write_text("", encoding="utf-8")
    with pytest.raises(ConfigError, match="the id 'osfi-e23-2027' is already taken"):
        every_framework(config, rules_in_force(config))


def test_a_framework_folder_that_is_missing_is_named(tmp_path):
    config = parse_config('[frameworks]\npacks = ["texts"]\n', tmp_path / "auditreg.toml")
    with pytest.raises(ConfigError, match="There is no framework folder") as caught:
        every_framework(config, rules_in_force(config))
    assert "[frameworks]" in caught.value.hint
