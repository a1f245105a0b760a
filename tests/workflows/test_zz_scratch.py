import json, shutil
from datetime import datetime
from pathlib import Path
import pytest
from auditreg.ledger.import_parse import parse_history
from auditreg.ledger.import_record import record
from auditreg.ledger.secrets import load_key
from auditreg.ledger.store import Ledger
from tests.ledger.conftest import ask, empty_file, take
from tests.workflows.test_life import *

APPROVED = ("promotion", """
        select p.subject, case when a.subject is null then 'fail' else 'pass' end as status,
               p.model || '/' || p.version || coalesce(' was approved by ' || a.approver,
                                                       ' went live unapproved') as reason,
               r.live_not_after as condition_since, r.live_via
        from population_promotion p join promotions r using (subject)
        left join approvals a on a.subject = r.version_subject
        """)

def imp(firm, at="2026-08-05T12:00:00Z"):
    line = {"at": at, "model": "motor", "version": 1, "what": "approval", "system": "tickets", "actor": "ann", "after": "approved"}
    content = json.dumps(line).encode()
    with firm.ledger.writer() as con:
        print(record(con, parse_history(content, "h.jsonl"), file="h.jsonl", content=content, registry="default", key=load_key(firm.ledger.key_path)))

def show(firm, what):
    print("==", what)
    for t in told(firm.then()).items(): print("  then", t)
    print("  movement", firm.adds_up(None, Q3_END))
    print("  as of", ask(firm.ledger, "select id, status, open, closed_why, as_of, closed_at from findings_as_of(timestamp '2026-10-01')"))
    print("  counts", ask(firm.ledger, "select as_of, summary from checks order by seq"))

@pytest.mark.parametrize("reading", [True, False])
def test_x(empty_file, tmp_path, reading):
    shutil.copyfile(empty_file, tmp_path / "audit.duckdb")
    firm = Firm(Ledger(tmp_path / "audit.duckdb"), tmp_path)
    firm.rules["approved"] = APPROVED
    firm.live(datetime(2026, 8, 5), "motor")
    firm.read(Q3_CHECK)
    firm.check()
    show(firm, "Q3")
    if reading:
        firm.read(Q4_CHECK)
    imp(firm)
    firm.check()
    show(firm, "checked")
    assert 0


def test_repaired(firm):
    """3"""
    firm.check()
    firm.registry.tag("motor", 1, "approved", "ann")
    firm.read(datetime(2026, 11, 2))
    firm.check()
    firm.waivers = ANSWER.format(names='findings = ["F-1"]', status="repaired", day="2026-11-02")
    r = firm.check().result
    print([(w.judged, w.sentence) for w in r.waivers])
    assert 0

def test_twice(firm):
    """4"""
    firm.check()
    scope, sql = firm.rules["approved"]
    for part in ("", ):
        firm.rules["approved"] = (scope, f"from ({sql}) a, range(case when a.reason like 'motor/1%' then 2 else 1 end) t(twice)")
        r = firm.check().result
        for t in told(r).items(): print("  ", t)
        print([(x.rule.id, x.error, x.carried) for x in r.rules])
    assert 0
