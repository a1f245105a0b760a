"""What settings may name of the policy's files."""

from __future__ import annotations

from pathlib import Path

import pytest

from auditreg.config import parse_config
from auditreg.errors import ConfigError
from auditreg.workflows.policy import PolicySet


def test_a_framework_that_does_not_exist_is_named():
    config = parse_config('[frameworks]\nenabled = ["osfi-e32"]', Path("auditreg.toml"))
    with pytest.raises(ConfigError, match=r"frameworks\.enabled names no framework: 'osfi-e32'"):
        PolicySet.load(config)
