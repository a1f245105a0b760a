"""What settings may name of the policy's files."""

from __future__ import annotations

from pathlib import Path

import pytest

from auditreg.config import parse_config
from auditreg.errors import ConfigError
from auditreg.workflows.policy import PolicySet

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
