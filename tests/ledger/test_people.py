"""People, bodies and authorities as a ledger holds them, and what its macros say of them."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from auditreg.audit.snapshot import Moment, Reads, prepare_snapshot
from auditreg.audit.testing.registry import PERIOD
from auditreg.config import effective_settings, load_config, parse_config
from auditreg.ledger.policies import Policy
from auditreg.ledger.store import Ledger
from auditreg.ledger.verify import verify
from auditreg.queries.approval_verdicts import PROMOTION_VERDICTS, approval_verdict
from auditreg.queries.live_versions import live_answers
from tests.cli.running import run
from tests.ledger.book import Book
from tests.ledger.captured import CapturedRegistry
from tests.ledger.conftest import ask, take
from tests.ledger.reading import Registry, moment

SETTINGS = """
[[people]]
id = "ann"
name = "Ann Lee"
accounts = ["ALee"]
roles = ["validator", "Owner"]
until = 2026-06-30

[[people]]
id = "ann"
accounts = ["ALee", "old"]
roles = ["cro"]
from = 2026-07-01

[[people]]
id = "bo"
accounts = ["passed on"]
until = 2026-01-31

[[people]]
id = "cy"
accounts = ["passed on"]
from = 2026-02-01

[[people]]
id = "bot"
roles = ["validator"]
service = true

[[bodies]]
id = "mrc"
name = "Model Risk Committee"
accounts = ["MRC"]
members = ["ann", "bo"]
secretary = "cy"
minutes = "Records, series MRC"
roles = ["committee"]
until = 2026-12-31

[[bodies]]
id = "mrc"
members = ["cy"]
from = 2027-01-01
"""
AUTHORITIES = """
[[authorities]]
role = "Committee"
may = ["approve"]
ratings = ["High", "medium"]

[[authorities]]
role = "cro"
may = ["approve", "validate"]
"""


def policy(text: str) -> Policy:
    sealed = effective_settings(parse_config(text, Path("auditreg.toml")))
    return Policy("settings", "effective", json.dumps(sealed))


def sealed(book: Book, registry: Registry, text: str) -> Book:
    registry.create("motor")
    book.take(registry.read(), policies=[policy(text)])
    return book


MACROS: dict[str, Any] = {
    "party_kind('ALEE')": "person",
    "party_kind(' Ann Lee ')": "person",
    "party_kind('bot')": "service",
    "party_kind('model risk committee')": "body",
    "party_kind('nobody')": None,
    "party_kind(null)": None,
    "person_of('mrc')": "mrc",
    "is_service('mrc')": False,
    "in_office('ann', date '1999-01-01')": True,
    "in_office('Ann Lee', '2026-06-30')": True,
    "in_office('Ann Lee', date '2026-07-01')": False,  # the later entry has no such name
    "in_office('alee', date '2026-07-01')": True,
    "in_office('old', date '2026-06-30')": False,
    "in_office('old', timestamp '2026-07-01 23:59')": True,
    "in_office('bo', date '2026-01-31')": True,
    "in_office('bo', date '2026-02-01')": False,
    "in_office('passed on', date '2026-02-01')": True,
    "in_office('bot', null)": True,
    "in_office('bo', null)": None,
    "in_office('nobody', date '2026-01-01')": None,
    "holds_role('alee', 'VALIDATOR ', date '2026-06-30')": True,
    "holds_role('alee', 'validator', date '2026-07-01')": False,
    "holds_role('alee', 'cro', date '2026-06-30')": False,
    "holds_role('alee', 'cro', date '2026-07-01')": True,
    "holds_role('mrc', 'committee', date '2026-12-31')": True,
    "holds_role('mrc', 'committee', date '2027-01-01')": False,
    "holds_role('bo', 'cro', date '2026-01-01')": False,
    "holds_role('bo', null, date '2026-01-01')": False,
    "holds_role('nobody', 'cro', date '2026-01-01')": None,
    "may_act('mrc', 'approve', 'High ', date '2026-12-31')": True,
    "may_act('mrc', 'approve', 'high', date '2027-01-01')": False,
    "may_act('mrc', 'approve', 'low', date '2026-12-31')": False,
    "may_act('mrc', 'validate', 'high', date '2026-12-31')": False,
    "may_act('mrc', 'approve', null, date '2026-12-31')": None,
    "may_act('mrc', 'approve', ' ', date '2026-12-31')": None,
    "may_act('mrc', 'approve', null, date '2027-01-01')": False,
    "may_act('mrc', 'approve', 'high', null)": None,
    "may_act('ann', 'approve', 'high', date '2026-06-30')": False,
    "may_act('ann', 'approve', 'high', date '2026-07-01')": True,
    "may_act('ann', 'approve', null, date '2026-07-01')": True,
    "may_act('ann', 'Validate', 'anything', date '2026-07-01')": True,
    "may_act('bo', 'approve', 'high', date '2026-01-01')": False,
    "may_act('bot', 'validate', 'high', date '2026-01-01')": False,
    "may_act('nobody', 'approve', 'high', date '2026-01-01')": None,
    "may_act('bo', 'review', 'high', date '2026-01-31')": True,  # no authority names it
    "may_act('bo', 'review', 'high', date '2026-02-01')": False,
    "may_act('bo', 'review', 'high', null)": None,
    "may_act('bot', 'review', 'high', null)": False,
    "may_act('nobody', 'review', 'high', date '2026-01-31')": None,
    "speaks_for('ALee', 'Ann Lee')": True,
    "speaks_for('alee', 'mrc')": True,
    "speaks_for('cy', 'Model Risk Committee')": True,
    "speaks_for('bot', 'mrc')": False,
    "speaks_for('mrc', 'ann')": False,
    "speaks_for('ann', 'bo')": False,
    "speaks_for('ann', 'mrc', day := date '2026-12-31')": True,
    "speaks_for('ann', 'mrc', day := date '2027-01-01')": False,
    "speaks_for('cy', 'mrc', day := date '2027-01-01')": True,
    "speaks_for('bo', 'mrc', day := date '2026-01-31')": True,
    "speaks_for('bo', 'mrc', day := date '2026-02-01')": None,
    "speaks_for('passed on', 'bo', day := date '2026-01-31')": True,
    "speaks_for('passed on', 'bo', day := date '2026-02-01')": False,
    "speaks_for('passed on', 'bo')": True,
    "speaks_for('ann', 'nobody')": None,
    "speaks_for('nobody', 'mrc')": None,
    "speaks_for('Nobody', ' nobody')": True,
    "is_vouched('basic-auth')": True,
    "is_vouched('plugin')": True,
    "is_vouched('proxy')": True,
    "is_vouched('program')": False,
    "is_vouched('whatever')": False,
    "is_vouched(null)": False,
}


def test_what_the_macros_say(book: Book, registry: Registry):
    """Asked of constants and, as rules ask, of columns."""
    sealed(book, registry, SETTINGS + AUTHORITIES)
    found = dict(zip(MACROS, book.rows("select " + ", ".join(MACROS))[0], strict=True))
    assert found == MACROS
    columns = book.rows(
        "select spelling, day, party_kind(spelling), in_office(spelling, day), "
        "holds_role(spelling, 'cro', day), may_act(spelling, act, rating, day), "
        "speaks_for(spelling, 'mrc') from (values ('ann', 'approve', 'low', date '2026-07-01'), "
        "('mrc', 'approve', 'high', date '2026-07-01'), ('who', null, null, null)) "
        "asked (spelling, act, rating, day) order by spelling"
    )
    assert [row[2:] for row in columns] == [
        ("person", True, True, True, True),
        ("body", True, False, True, True),
        (None, None, None, None, None),
    ]


def test_without_authorities_everybody_known_and_in_office_may(book: Book, registry: Registry):
    sealed(book, registry, SETTINGS)
    asked = "select may_act(?, 'approve', 'high', date '2026-02-01')"
    answers = {who: book.rows(asked, who)[0][0] for who in ("ann", "bo", "mrc", "bot", "nobody")}
    assert answers == {"ann": True, "bo": False, "mrc": True, "bot": False, "nobody": None}


def test_tables_hold_parties_seats_and_authorities(book: Book, registry: Registry):
    sealed(book, registry, SETTINGS + AUTHORITIES)
    kinds = book.rows("select person, kind, service, minutes from people group by all order by all")
    assert kinds == [
        ("ann", "person", False, None),
        ("bo", "person", False, None),
        ("bot", "service", True, None),
        ("cy", "person", False, None),
        ("mrc", "body", False, "Records, series MRC"),
        ("mrc", "body", False, None),
    ]
    seats = "select body, member, part, valid_from::VARCHAR, valid_until::VARCHAR from body_members"
    assert book.rows(f"{seats} order by all") == [
        ("mrc", "ann", "member", None, "2026-12-31"),
        ("mrc", "bo", "member", None, "2026-12-31"),
        ("mrc", "cy", "member", "2027-01-01", None),
        ("mrc", "cy", "secretary", None, "2026-12-31"),
    ]
    assert book.rows("from authorities order by all") == [
        ("Committee", "approve", "high"),
        ("Committee", "approve", "medium"),
        ("cro", "approve", ""),
        ("cro", "validate", ""),
    ]
    assert book.tables() == book.rebuilt()


NAMED = [
    ("alee", "basic-auth", "Ann Lee", "captured"),
    ("alee", "plugin", "ann", "captured"),
    ("alee", "proxy", "ALEE", "captured"),
    ("alee", "program", "Ann Lee", "asserted"),
    ("alee", "something new", "Ann Lee", "asserted"),
    ("alee", "basic-auth", "bo", "asserted"),
    ("cy", "basic-auth", "Model Risk Committee", "captured"),
    ("cy", "program", "Model Risk Committee", "asserted"),
    ("bot", "basic-auth", "MRC", "asserted"),
    ("who", "basic-auth", "Who", "captured"),
    ("who", "basic-auth", "Ann Lee", "asserted"),
]
"""Who set the tag, how the server knows, whom the tag names, and the grade of that."""


def test_a_name_is_recorded_by_the_server_where_it_vouches_for_it(book: Book):
    registry = CapturedRegistry()
    registry.capture()
    registry.create("motor")
    for number, (actor, actor_from, approver, _) in enumerate(NAMED, 1):
        registry.actor, registry.actor_from = actor, actor_from
        registry.version("motor")
        registry.tag("motor", number, "gov.approval.by", approver)
    book.take(registry.look().reading, policies=[policy(SETTINGS)])
    asked = (
        "select actor, actor_from, value, grade from {} where field = 'approver' order by version"
    )
    assert book.rows(asked.format("fields")) == NAMED
    past = f"fields_as_of(make_timestamp({registry.clock} * 1000))"
    assert book.rows(asked.format(past)) == NAMED


def test_readings_out_of_order_change_nothing_of_a_grade(book: Book):
    """A row of the journal stands in the log twice then, and the table `journal` has the later entry."""
    registry = CapturedRegistry()
    registry.capture()
    registry.create("motor")
    registry.version("motor")
    registry.tag("motor", 1, "gov.approval.by", "alice")
    backup = registry.look(restored=True)
    registry.tag("motor", 1, "note", "x")
    book.take(registry.look().reading)
    book.take(backup.reading, observed_at=moment(backup.at))
    [again] = book.rows(
        "select seq from model_version_tags where key = 'gov.approval.by' "
        "and seq not in (select seq from journal)"
    )
    asked = "select grade, actor_from from {} where field = 'approver'"
    assert book.rows(asked.format("fields")) == [("captured", "basic-auth")], again
    past = f"fields_as_of(make_timestamp({registry.clock} * 1000))"
    assert book.rows(asked.format(past)) == [("captured", "basic-auth")]


def test_a_ledger_of_before_is_asked_and_extended(ledger: Ledger, registry: Registry):
    """Its people had no kind, and there were no bodies: as the next write finds it, and a reader before."""
    registry.create("motor")
    older = "\n".join(SETTINGS.split("[[bodies]]")[:1])
    take(ledger, registry.read(), policies=[policy(older)])
    current = ask(ledger, "from people order by all")
    with duckdb.connect(str(ledger.path)) as con:
        con.execute("drop table body_members; drop table authorities")
        con.execute("alter table people drop kind; alter table people drop minutes")
        for name in ("party_kind", "in_office", "may_act", "speaks_for", "is_vouched", "in_term"):
            con.execute(f"drop macro {name}")
        con.execute("update ledger.format set written_by = 'an older release'")
    assert ask(ledger, "from people order by all") == current
    assert ask(
        ledger,
        "select may_act('ann', 'approve', 'high', date '2026-01-01'), party_kind('bot'), "
        "speaks_for('cy', 'mrc'), (select count(*) from body_members)",
    ) == [(True, "service", None, 0)]
    with ledger.writer():
        pass
    with duckdb.connect(str(ledger.path), read_only=True) as con:
        assert con.execute("from people order by all").fetchall() == current
        assert con.execute("from body_members").fetchall() == []
        assert con.execute("from authorities").fetchall() == []
    assert verify(ledger).ok
    take(ledger, registry.read(), policies=[policy(SETTINGS)])
    assert ask(ledger, "select count(*) from body_members") == [(4,)]
    assert verify(ledger).ok


PARTIES = ("people", "body_members", "authorities")


@pytest.mark.integration
def test_an_extraction_seals_them_and_a_check_judges_by_those_of_the_file(
    tmp_path: Path, small_registry: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    file, ledger = tmp_path / "auditreg.toml", Ledger(tmp_path / "audit.duckdb")
    file.write_text(SETTINGS + AUTHORITIES)
    run("extract", "--from", f"sqlite:///{small_registry}", "--artifacts", "none")
    assert [ask(ledger, f"select count(*) from {name}")[0][0] for name in PARTIES] == [17, 4, 4]
    file.write_text(SETTINGS.replace("mrc", "board"))
    settings = effective_settings(load_config())
    moment_judged = Moment(datetime(2026, 1, 1), *PERIOD, settings=settings)
    with ledger.reader() as con:
        prepare_snapshot(con, moment_judged, Reads(frozenset(), frozenset()))
        judged = "select person_of('board'), person_of('mrc'), may_act('bo', 'approve', 'high', '2026-01-01')"
        assert con.execute(judged).fetchall() == [("board", "board", True)]
    run("check", code=1)
    sealed = "select person_of('board'), may_act('bo', 'approve', 'high', '2026-01-01')"
    assert ask(ledger, sealed) == [("board", True)]
    assert verify(ledger).ok


def test_an_approval_by_a_body_of_developers_is_told_as_the_rule_tells_it(
    book: Book, registry: Registry
):
    pair = '[[bodies]]\nid = "pair"\naccounts = ["The pair"]\nmembers = ["ann"]\n'
    registry.create("motor")
    registry.version("motor", approver="The pair", developer="ann")
    registry.create("home")
    registry.version("home", approver="ann", developer="ann")
    book.take(registry.read(), policies=[policy(SETTINGS + pair)])
    for name in ("motor", "home"):
        registry.stage(name, 1, "Production")
    book.take(registry.read(), policies=[policy(SETTINGS + pair)])
    then = "timestamp '2100-01-01'"
    asked = PROMOTION_VERDICTS.format(t=then).replace("select subject,", "select subject, model,")
    cursor = book.con.execute(asked)
    names = [column[0] for column in cursor.description]
    rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    told = {
        "motor": "contested: by a body, all of whose members developed it",
        "home": "contested: the approver developed it",
    }
    assert {row["model"]: approval_verdict(row).words for row in rows} == told
    live = {answer.model: answer.versions[0].approval.words for answer in live_answers(book.con)}
    assert live == told
