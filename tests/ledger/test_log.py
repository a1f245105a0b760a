"""The log: what is hashed is what is stored, nothing is lost on the way, no secret gets in."""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
from pathlib import Path
from typing import Any

import pytest

from auditreg.errors import LedgerError
from auditreg.ledger import entries, secrets
from auditreg.ledger.policies import Policy
from auditreg.ledger.store import Ledger
from auditreg.ledger.verify import verify
from auditreg.sources.interface import BYTES_MARK
from tests.ledger.captured import CapturedRegistry
from tests.ledger.conftest import ask, log_rows, take
from tests.ledger.reading import START, MemoryReading, Registry, moment, run_rows, together

ODD = {
    "empty": "",
    "nul": "a\x00b",
    "only nul": "\x00",
    "quotes": "q\"uo'te\\ \\u0041 ${x} {{y}} ; -- /*",
    "lines": "one\ntwo\r\nthree\t\x1f\x7f",
    "emoji": "\U0001f9ea e\u0301 \U0010ffff",
    "right to left": "\u202eabc\u2066 \u05d0",
    "separators": "\u2028\u2029\ufeff",
    "large": "x\u00e9" * 500_000,
    "number": "NaN",
    "null": "null",
    "json": '{"$bytes": "x"}',
    "long key " + "k" * 200: "v",
}


def strict(text: str) -> Any:
    """JSON as the standard has it: no NaN, no infinity, no key twice."""

    def refuse(word: str) -> None:
        raise AssertionError(word)

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        assert len({name for name, _ in pairs}) == len(pairs)
        return dict(pairs)

    return json.loads(text, parse_constant=refuse, object_pairs_hook=once)


@pytest.fixture
def odd(ledger: Ledger, registry: Registry) -> Ledger:
    """A ledger of values that are hard to keep."""
    registry.create("motor \u202e'\"", **ODD)
    registry.version("motor \u202e'\"", run_id="r1", **ODD)
    registry.describe("motor \u202e'\"", 1, ODD["quotes"])
    metrics = {
        "nan": math.nan,
        "inf": math.inf,
        "ninf": -math.inf,
        "sum": 0.1 + 0.2,
        "tiny": 5e-324,
    }
    run = run_rows("r1", params=ODD, tags={"bytes": BYTES_MARK + "/w=="}, metrics=metrics)
    take(ledger, MemoryReading(together(registry.rows(), run), registry.wait()))
    return ledger


def test_what_is_stored_is_what_is_hashed(odd: Ledger):
    rows = ask(odd, "select seq, entry, leaf from ledger.log order by seq")
    assert [seq for seq, _, _ in rows] == list(range(len(rows)))
    assert len(rows) > 25
    for _, entry, leaf in rows:
        assert leaf == hashlib.sha256(b"\x00" + entry.encode()).digest()


def test_an_entry_is_strict_json_and_its_columns_say_the_same(odd: Ledger):
    names = [name for name, _ in entries.HEADER]
    for entry, *columns in ask(odd, f"select entry, {', '.join(names)} from ledger.log"):
        value = strict(entry)
        assert list(value) == [*names, "nonce", "body"]
        for name, column in zip(names, columns, strict=True):
            if hasattr(column, "isoformat"):
                assert moment(value[name]) == column
            else:
                assert value[name] == column


def test_every_value_comes_back_as_it_was(odd: Ledger):
    for table in ("registered_model_tags", "model_version_tags", "run_params"):
        assert dict(ask(odd, f"select key, value from {table}")) == ODD
    assert ask(odd, "select model, description from model_versions") == [
        ("motor \u202e'\"", ODD["quotes"])
    ]
    metrics = dict(ask(odd, "select key, value from run_metrics"))
    assert math.isnan(metrics.pop("nan"))
    assert metrics == {"inf": math.inf, "ninf": -math.inf, "sum": 0.1 + 0.2, "tiny": 5e-324}
    assert ask(odd, "select value from run_tags") == [('{"$bytes":"/w=="}',)]
    assert verify(odd).ok


def test_text_that_is_not_unicode_can_be_a_name(ledger: Ledger, registry: Registry):
    name = BYTES_MARK + "/w=="
    registry.create(name, **{name: name})
    take(ledger, registry.read())
    assert take(ledger, registry.read()).appended == 1
    (entry,) = ask(ledger, "select entry from ledger.log where kind = 'registered_model_tag'")[0]
    assert strict(entry)["body"] == {"key": {"$bytes": "/w=="}, "value": {"$bytes": "/w=="}}
    assert verify(ledger).ok


@pytest.mark.parametrize("time", [10**18, -(10**18), 2**63 - 1, -(2**63)])
def test_a_time_no_calendar_holds_is_kept_but_is_no_moment(
    ledger: Ledger, registry: Registry, time: int
):
    registry.create("motor")
    registry.version("motor", run_id="r1")
    run = run_rows("r1", start_time=time, end_time=time, metrics={"auc": 0.5})
    run["run_metrics"][0]["timestamp"] = time
    take(ledger, MemoryReading(together(registry.rows(), run), registry.wait()))
    assert ask(ledger, "select started_at, ended_at from runs") == [(None, None)]
    assert ask(ledger, "select recorded_at, value from run_metrics") == [(None, 0.5)]
    (entry,) = ask(ledger, "select entry from ledger.log where kind = 'run'")[0]
    assert strict(entry)["body"]["start_time"] == time
    assert ask(ledger, "select count(*) from runs_as_of(?)", moment(registry.clock)) == [(1,)]


def test_no_nonce_is_used_twice_and_none_can_be_foreseen(
    tmp_path: Path, ledger: Ledger, registry: Registry, empty_file: Path
):
    registry.create("motor", **{f"t{n}": "same" for n in range(50)})
    reading = registry.read()
    other = Ledger(tmp_path / "other.duckdb")
    other.path.write_bytes(empty_file.read_bytes())
    nonces = []
    for book in (ledger, other):
        take(book, reading)
        nonces += [strict(entry)["nonce"] for (entry,) in ask(book, "select entry from ledger.log")]
    assert len(set(nonces)) == len(nonces) > 100
    assert all(re.fullmatch("[0-9a-f]{32}", nonce) for nonce in nonces)


def test_the_same_history_never_gives_the_same_leaves(
    tmp_path: Path, ledger: Ledger, registry: Registry, empty_file: Path
):
    registry.create("motor")
    reading = registry.read()
    other = Ledger(tmp_path / "other.duckdb")
    other.path.write_bytes(empty_file.read_bytes())
    take(ledger, reading)
    take(other, reading)
    leaves = [set(ask(book, "select leaf from ledger.log")) for book in (ledger, other)]
    assert not leaves[0] & leaves[1]


# Secrets. Each is long and random enough to be found where it stands in a file as it is.

BY_NAME = {
    "db_password": "zQ7-hunter-Kx93mW",
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "api-key": "k-8f2Lq0Vt7sPz",
    "hf_token": "tok3nVALUE99zz",
    "connection_string": "Server=db;Uid=ann;Pwd=Zk4!xPq9",
}
BY_VALUE = {
    "note": "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8",
    "origin": "postgresql://ann:s3cr3t-Pg9x@db.example/x",
    "slash": "postgresql+psycopg2://mlflow:Xy/9+abc-G7hh@db.example/x",
    "signed": "https://store.example/x?X-Amz-Signature=0a1b2c3d-H8ii",
    "query": "s3://bucket/x?secret_key=zzTop-I9jj",
    "aws": "AKIA" + "QWERTYUIOPASDFGH",
    "jwt": "eyJhbGciOiJIUzI1.eyJzdWIiOiIxMjM0.SflKxwRJSMeKKF",
    "pem": "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQ\n-----END",
}
IN_TEXT = {
    "https://ann:Tr0ub4dor-A1@example.org/repo": "Tr0ub4dor-A1",
    "mysql://root:p@ss-B2cc@db/x": "ss-B2cc",
    "MySQL://root:p/a/ss-K1ll@db/x": "ss-K1ll",
    "https://store.example/x?sv=1&sig=AbCdEf-C3dd&y=2": "AbCdEf-C3dd",
    "see https://u:first-D4ee@h/ and https://u:second-E5ff@h/": "second-E5ff",
    "use ghp_a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8 here": "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8",
    "-----BEGIN PRIVATE KEY-----\nMIIEpAIBAAKCAQ-F6\n-----END PRIVATE KEY-----": "MIIEpAIBAAKCAQ-F6",
}


HIDDEN_IN = {
    "registered_models": ["description"],
    "model_versions": [
        "description", "source", "run_link", "storage_location", "status_message",
    ],
    "runs": ["artifact_uri"],
    "run_datasets": ["source"],
    "logged_models": ["artifact_location", "status_message"],
    "experiments": ["artifact_location"],
    "model_artifacts": ["location", "problem", "requirements"],
}  # fmt: skip
"""Where `secret_reading` puts the text."""


def secret_reading(registry: Registry, secrets: dict[str, str], text: str) -> MemoryReading:
    rows = registry.rows()
    rows["registered_model_tags"] += [
        {"workspace": "default", "model": "motor", "key": k, "value": v} for k, v in secrets.items()
    ]
    rows["model_version_tags"] += [
        {"workspace": "default", "model": "motor", "version": 1, "key": k, "value": v}
        for k, v in secrets.items()
    ]
    rows["model_versions"][0].update(
        description=text, source=text, run_link=text, storage_location=text, status_message=text
    )
    rows["registered_models"][0]["description"] = text
    run = run_rows("r1", params=secrets, tags=secrets, artifact_uri=text)
    run["run_datasets"] = [{"run_id": "r1", "name": "claims", "digest": "d", "source": text}]
    logged = {
        "logged_models": [{"model_id": "m-1", "artifact_location": text, "status_message": text}],
        "logged_model_params": [
            {"model_id": "m-1", "key": k, "value": v} for k, v in secrets.items()
        ],
        "logged_model_tags": [
            {"model_id": "m-1", "key": k, "value": v} for k, v in secrets.items()
        ],
    }
    experiment = {"experiments": [{"experiment_id": "1", "artifact_location": text}]}
    artifact = {
        "model_artifacts": [
            {
                "workspace": "default",
                "model": "motor",
                "version": 1,
                "location": text,
                "state": "unreachable",
                "problem": text,
                "requirements": json.dumps([text]),
            }
        ]
    }
    return MemoryReading(together(rows, run, logged, experiment, artifact), registry.wait())


def test_no_secret_stands_anywhere_in_the_file(ledger: Ledger, registry: Registry):
    registry.create("motor")
    registry.version("motor", run_id="r1", plain="findable-Zz81xQ")
    given = {**BY_NAME, **BY_VALUE}
    for text in IN_TEXT:  # each reading shows another one in every place
        done = take(ledger, secret_reading(registry, given, text))
        assert done.secrets == 6 * len(given) + sum(len(c) for c in HIDDEN_IN.values())
    raw = ledger.path.read_bytes()
    assert b"findable-Zz81xQ" in raw
    for hidden in (*given.values(), *IN_TEXT.values()):
        assert hidden.encode() not in raw
    whole = "\n".join(entry for (entry,) in ask(ledger, "select entry from ledger.log"))
    for hidden in (*given.values(), *IN_TEXT.values()):
        assert hidden not in whole
        assert json.dumps(hidden)[1:-1] not in whole
    key = ledger.key_path.read_bytes()
    assert key.strip() not in raw
    assert ledger.key_path.stat().st_mode & 0o777 == 0o600
    assert verify(ledger).ok


def test_nothing_in_the_log_confirms_a_guessed_password_of_a_uri(
    ledger: Ledger, registry: Registry
):
    """Fingerprints are plain hashes: what goes into them must not hold the password."""
    registry.create("motor")
    registry.version("motor", run_id="r1")

    def prints(password: str) -> list[Any]:
        text = f"https://ann:{password}@example.org/"
        rows = secret_reading(registry, {}, text)._rows
        take(ledger, MemoryReading(rows, registry.wait()))
        return ask(
            ledger,
            "select subject, max_by(fingerprint, seq) from ledger.log "
            "where fingerprint is not null group by subject order by subject",
        )

    assert prints("first-password") == prints("second-password")


@pytest.mark.parametrize("what", ["operation", "before_row", "table_name"])
def test_nothing_of_a_row_of_the_journal_that_cannot_be_read_is_kept_under_a_secret_name(
    ledger: Ledger, what: str
):
    registry = CapturedRegistry()
    registry.capture()
    registry.create("motor")
    tags = {
        "db_password": "hunter2-Sommer",
        "hf_token": "hunter2-Winter",
        "kennwort": "hunter2-Mai",
    }
    for key, value in {**tags, "note": "findable-Zz81xQ"}.items():
        registry.tag("motor", None, key, value)
        row = registry.rows_of_journal[-1]
        row |= {"operation": "update", "before_row": row["after_row"]}
        row[what] = {"operation": "upsert", "before_row": row["after_row"][:-1]}.get(what, "labels")
    done = take(ledger, registry.look().reading, secret_patterns=("kennwort",))
    assert sum(doubt.startswith("4 row(s)") for doubt in done.completeness.doubts) == 1
    assert ask(ledger, "select count(*) from ledger.log where contains(entry, 'hunter2')") == [(0,)]
    kept = ask(ledger, "select info from journal where problem is not null order by id")
    assert [json.loads(info)["after"] for (info,) in kept][:3] == ["***"] * 3
    assert "findable-Zz81xQ" in json.loads(kept[3][0])["after"]
    assert done.secrets == 2 * len(tags)


def test_what_is_harmless_is_kept(ledger: Ledger, registry: Registry):
    registry.create("motor", max_tokens="512", use_password="true", secret="")
    assert take(ledger, registry.read()).secrets == 0
    assert dict(ask(ledger, "select key, value from registered_model_tags")) == {
        "max_tokens": "512",
        "use_password": "true",
        "secret": "",
    }


def test_a_secret_is_hashed_with_the_key_and_equal_secrets_are_equal(
    ledger: Ledger, registry: Registry
):
    registry.create("motor", password="hunter22x", api_key="hunter22x", auth_token="other-1")
    take(ledger, registry.read())
    values = dict(ask(ledger, "select key, value from registered_model_tags"))
    marks = {name: json.loads(value)["$secret"] for name, value in values.items()}
    key = secrets.load_key(ledger.key_path)
    assert marks["password"] == {"key": key.id, "hmac": key.hash("hunter22x")} == marks["api_key"]
    assert marks["auth_token"]["hmac"] == key.hash("other-1") != marks["password"]["hmac"]
    flagged = ask(
        ledger,
        "select secrets from ledger.log where kind = 'registered_model_tag' order by subject",
    )
    assert all(mark.startswith(f"{key.id}:") for (mark,) in flagged)


def test_a_new_key_is_not_a_change_and_a_changed_secret_is(
    ledger: Ledger, registry: Registry, tmp_path: Path
):
    registry.create("motor", password="hunter22x")
    registry.version("motor", run_id="r1")

    def read(secret: str, key: str) -> dict[tuple[str, str], int]:
        registry.models["motor"].tags["password"] = secret
        run = run_rows("r1", params={"password": secret, "depth": "7"}, tags={"api_key": secret})
        rows = together(registry.rows(), run)
        reading = MemoryReading(rows, registry.wait())
        return dict(take(ledger, reading, key_file=tmp_path / key).changes)

    read("hunter22x", "one.key")
    assert read("hunter22x", "one.key") == {}
    assert read("hunter22x", "two.key") == {}
    assert read("hunter22x", "one.key") == {}
    assert read("changed-3", "one.key") == {("registered_model_tag", "put"): 1, ("run", "put"): 1}
    assert verify(ledger).ok


def test_further_names_of_secrets_come_from_the_settings(ledger: Ledger, registry: Registry):
    registry.create("motor", kennwort="geheim-77", Kennwort2="geheim-78")
    done = take(ledger, registry.read(), secret_patterns=("(?i)kennwort",))
    assert done.secrets == 2
    before = ledger.path.read_bytes()
    with pytest.raises(LedgerError) as caught:
        take(ledger, registry.read(), secret_patterns=("(unclosed",))
    assert caught.value.what
    assert caught.value.state
    assert caught.value.hint
    assert ledger.path.read_bytes() == before


@pytest.mark.parametrize("content", ["", "not base64!", "c2hvcnQ="])
def test_a_broken_key_is_refused(ledger: Ledger, registry: Registry, content: str):
    registry.create("motor")
    ledger.key_path.write_text(content)
    with pytest.raises(LedgerError) as caught:
        take(ledger, registry.read())
    assert str(ledger.key_path) in caught.value.what
    assert caught.value.state
    assert caught.value.hint


def test_governing_texts_are_entries_only_when_they_change(ledger: Ledger, registry: Registry):
    registry.create("motor")

    def read(text: str) -> int:
        return take(ledger, registry.read(), policies=[Policy("rule", "r", text)]).appended

    assert [read("one"), read("one"), read("two"), read("one")] == [3, 1, 2, 2]
    rows = ask(ledger, "select sha256, text from policies order by seq")
    assert [text for _, text in rows] == ["one", "two", "one"]
    assert all(hashlib.sha256(text.encode()).hexdigest() == digest for digest, text in rows)


def test_every_extraction_seals_the_root_over_all_before_it(ledger: Ledger, registry: Registry):
    from auditreg.ledger.merkle import Tree

    registry.create("motor")
    for _ in range(4):
        registry.tag("motor", None, "n", str(registry.clock))
        take(ledger, registry.read())
    leaves = [row[2] for row in log_rows(ledger)]
    sealed = ask(ledger, "select seq, tree_size, root from extractions order by seq")
    assert len(sealed) == 4
    for seq, size, root in sealed:
        assert size == seq
        tree = Tree()
        tree.extend(leaves[:size])
        assert tree.root().hex() == root


def test_moments_in_the_log_are_whole_milliseconds(ledger: Ledger, registry: Registry):
    registry.create("motor")
    take(ledger, registry.read(), observed_at=moment(START).replace(microsecond=123_456))
    assert ask(
        ledger,
        "select count(*) from ledger.log where epoch_us(recorded_at) % 1000 <> 0 "
        "or epoch_us(observed_at) % 1000 <> 0",
    ) == [(0,)]


def test_a_key_is_there_as_a_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "audit.duckdb.key"

    def killed(handle: int) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", killed)
        with pytest.raises(KeyboardInterrupt):
            secrets.load_key(path)
    assert list(tmp_path.iterdir()) == []
    first = secrets.load_key(path)
    assert secrets.load_key(path) == first
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    assert path.stat().st_mode & 0o777 == 0o600


def test_the_first_to_make_a_key_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path, link = tmp_path / "key", os.link
    theirs: list[object] = []

    def late(draft: Path, place: Path) -> None:
        monkeypatch.setattr(os, "link", link)
        theirs.append(secrets.load_key(path))
        link(draft, place)

    monkeypatch.setattr(os, "link", late)
    assert [secrets.load_key(path)] == theirs
