"""A store that MLflow upgrades between two extractions: its registry is what it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from auditreg.ledger.ingest import IngestSummary
from auditreg.ledger.store import Ledger
from auditreg.sources import open_source
from tests.ledger.conftest import ask
from tests.releases.stores import Store, unpacked
from tests.servers.process import run_warm
from tests.servers.releases import ORDINARY, RELEASES

pytestmark = pytest.mark.integration

FILES = [
    ORDINARY,
    *(pytest.param(one, marks=pytest.mark.releases) for one in RELEASES if one != ORDINARY),
]
SUBJECTS = "select kind, subject, count(*) from ledger.log where op <> 'event' group by all"


def take(ledger: Ledger, store: Store) -> IngestSummary:
    with open_source(store.uri).read() as reading:
        return ledger.ingest(reading, registry="default", policies=())


@pytest.mark.parametrize("release", FILES)
def test_an_upgraded_store_holds_what_it_held(release: str, tmp_path: Path):
    store = unpacked(release, tmp_path / "store")
    ledger = Ledger(tmp_path / "audit.duckdb")
    first = take(ledger, store)
    subjects = set(ask(ledger, SUBJECTS))
    state = ask(ledger, "select * exclude (seq, not_after) from model_versions order by subject")
    schema = "select schema_version from extractions order by observed_at"
    run_warm("-m", "mlflow", "db", "upgrade", store.uri)  # of the newest release
    second = take(ledger, store)
    assert second.completeness.complete
    assert second.changes == {}
    # Model files that were read and cannot have changed are not looked at again.
    read = {kind: number for kind, number in second.counts.items() if kind != "model_artifact"}
    assert read.items() <= first.counts.items()
    assert read.keys() == first.counts.keys() - {"model_artifact"}
    assert set(ask(ledger, SUBJECTS)) == subjects
    assert (
        ask(ledger, "select * exclude (seq, not_after) from model_versions order by subject")
        == state
    )
    before, after = [row[0] for row in ask(ledger, schema)]
    assert before != after, "the upgrade changed the schema, and the ledger says so"
