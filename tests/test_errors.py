"""Which exit code counts where several hold, and what is hidden of an address."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditreg.errors import ExitCode, password_of, redact_uri, worst

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


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("mysql+pymysql://u:ge/heim@127.0.0.1:1/db", "mysql+pymysql://u:***@127.0.0.1:1/db"),
        ("mysql://u:80/heim@h/db", "mysql://u:***@h/db"),
        ("postgresql://u@server:geheim@server/db", "postgresql://u@server:***@server/db"),
        ("a://u:geheim@h,b://v:ge@heim@g", "a://u:***@h,b://v:***@g"),
        ("'mysql://u:ge'heim@h'", "'mysql://u:***@h'"),
        ('["mysql://h:1/db","x@y"]', '["mysql://h:1/db","x@y"]'),
        ('x = "mysql://u:geheim@h", y', 'x = "mysql://u:***@h", y'),
        ('x = "mysql://h?password=geheim"', 'x = "mysql://h?password=***"'),
        ("http://h:5000/#/models/m@champion", "http://h:5000/#/models/m@champion"),
        ("http://h:80/a@b", "http://h:80/a@b"),
        ("http://h/?next=http://u:geheim@g", "http://h/?next=http://u:***@g"),
        ("h?access_token=geheim&sslpassword=geheim", "h?access_token=***&sslpassword=***"),
        ("h?X-Amz-Signature=geheim&X-Amz-Date=1", "h?X-Amz-Signature=***&X-Amz-Date=1"),
    ],
)
def test_what_is_hidden_of_an_address(text: str, shown: str):
    assert redact_uri(text) == redact_uri(shown) == shown


@given(st.from_regex(r"[!#-&(-9;-~]+", fullmatch=True))
def test_every_password_of_a_database_is_hidden(password: str):
    uri = f"mysql://user:{password}@host/db"
    assert redact_uri(f"Look at {uri}, please") == "Look at mysql://user:***@host/db, please"
    assert password_of(uri) == password


@pytest.mark.parametrize(
    "part", ["a", "a://b:", "a://b:@", '",', "&key", "mysql", "://", "http://h:1/"]
)
def test_a_long_text_is_read_through_once(part: str):
    text = part * 40_000  # read again from each place, it would take minutes
    redact_uri(text)
    redact_uri(f"{text}@{text}")
