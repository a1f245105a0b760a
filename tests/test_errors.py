"""Which exit code counts where several hold."""

from __future__ import annotations

from itertools import permutations

import pytest

from auditreg.errors import ExitCode, worst

ORDER = (
    ExitCode.NOT_VERIFIED,
    ExitCode.ERROR,
    ExitCode.NOTHING,
    ExitCode.FINDINGS,
    ExitCode.OK,
)


def test_the_codes_are_those_of_the_readme():
    assert [int(code) for code in ORDER] == [4, 2, 3, 1, 0]


@pytest.mark.parametrize("number", range(1, len(ORDER) + 1))
def test_of_several_codes_the_gravest_counts(number: int):
    for codes in permutations(ORDER, number):
        assert worst(*codes) is next(code for code in ORDER if code in codes)


def test_nothing_held_is_well():
    assert worst() is ExitCode.OK
