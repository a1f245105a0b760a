"""What a logged model's tag says of versions, whoever wrote it."""

from __future__ import annotations

import pytest

from auditreg.sources.part import versions_of_tag


@pytest.mark.parametrize(
    ("value", "versions"),
    [
        ('[{"name": "motor", "version": 3}, {"name": "home", "version": "2"}]', [("motor", 3), ("home", 2)]),
        ('[{"name": "motor", "version": Infinity}, {"name": "home", "version": 1}]', [("home", 1)]),
        ('[{"name": "motor", "version": 1.5}, {"name": "motor", "version": true}]', []),
        ('[{"name": "motor"}, "motor", null, 7, []]', []),
        ('{"name": "motor", "version": 3}', []),
        ("[" * 100_000, []),
        ("no JSON", []),
        ("", []),
        (None, []),
    ],
)  # fmt: skip
def test_what_names_no_version_is_passed_over(value, versions):
    assert list(versions_of_tag(value)) == versions
