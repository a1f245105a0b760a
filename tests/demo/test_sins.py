"""Every sin of the demo is really in the store, or was when a reading looked."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest

from auditreg import demo
from tests.demo.playing import Played

pytestmark = pytest.mark.integration

PEOPLE = {account: person for person in demo.PEOPLE for account in (*person.accounts, person.name)}


def is_live(played: Played, model: str, version: int) -> bool:
    stage = played.one(
        "select current_stage from model_versions where name = ? and version = ?", model, version
    )
    return stage == "Production"


def went_live(played: Played, model: str, version: int) -> datetime:
    """When a version was moved to its present stage, as MLflow itself has it."""
    millis = played.one(
        "select last_updated_time from model_versions where name = ? and version = ?",
        model,
        version,
    )
    return datetime.fromtimestamp(int(millis) / 1000, UTC)


def approval(played: Played, model: str, version: int) -> dict[str, str]:
    tags = played.tags(model, version)
    return {key: value for key, value in tags.items() if key.startswith("gov.approval.")}


def signature_missing(played: Played, model: str, version: int) -> None:
    assert is_live(played, model, version)
    assert played.signature(model, version) is None
    assert played.signature(model, version - 1) is not None


def signature_inputs_only(played: Played, model: str, version: int) -> None:
    signature = played.signature(model, version)
    assert json.loads(signature["inputs"])
    assert signature["outputs"] is None
    assert json.loads(played.signature(model, version - 1)["outputs"])
    assert is_live(played, model, version)


def live_unapproved(played: Played, model: str, version: int) -> None:
    assert is_live(played, model, version)
    assert approval(played, model, version) == {}
    assert approval(played, model, version - 1)


def approved_by_author(played: Played, model: str, version: int) -> None:
    approver = approval(played, model, version)["gov.approval.by"]
    author = played.run_tags(model, version)["mlflow.user"]
    assert approver != author
    assert PEOPLE[approver] is PEOPLE[author]
    assert is_live(played, model, version)


def approved_by_service_account(played: Played, model: str, version: int) -> None:
    assert PEOPLE[approval(played, model, version)["gov.approval.by"]].service
    assert is_live(played, model, version)


def approved_after_promotion(played: Played, model: str, version: int) -> None:
    at = datetime.fromisoformat(approval(played, model, version)["gov.approval.at"])
    assert at - went_live(played, model, version) > timedelta(days=7)
    assert is_live(played, model, version)
    unapproved = [
        moment
        for moment in played.live_at(model, version)
        if (model, version, "gov.approval.by") not in played.readings[moment].version_tags
    ]
    assert unapproved, "no reading saw it live before its approval"


def live_three_days(played: Played, model: str, version: int) -> None:
    live = played.live_at(model, version)
    assert [moment.date() for moment in live] == [date(2026, 8, day) for day in (11, 12, 13)]
    rolled_back = went_live(played, model, version)
    assert rolled_back == datetime(2026, 8, 14, 8, 30, tzinfo=UTC)
    assert approval(played, model, version) == {}
    for moment in live:
        seen = played.readings[moment]
        assert seen.champions[model] == version
        assert seen.stages[model, version - 1] == "Archived"
    after = next(seen for moment, seen in played.readings.items() if moment > rolled_back)
    assert after.champions[model] == version - 1
    assert after.stages[model, version] == "Archived"
    assert after.stages[model, version - 1] == "Production"


def run_deleted(played: Played, model: str, version: int) -> None:
    stage = played.one(
        "select lifecycle_stage from runs where run_uuid = ?", played.run_of(model, version)
    )
    assert stage == "deleted"
    assert is_live(played, model, version)
    assert len(played.rows("select 1 from runs where lifecycle_stage = 'deleted'")) == 1


def version_deleted(played: Played, model: str, version: int) -> None:
    seen = [reading.stages.get((model, version)) for reading in played.readings.values()]
    assert "None" in seen
    assert seen[-1] == "Deleted_Internal"
    alive = [
        number
        for (number,) in played.rows(
            "select version from model_versions"
            " where name = ? and current_stage <> 'Deleted_Internal' order by 1",
            model,
        )
    ]
    assert alive == [version - 1, version + 1]


def model_recreated(played: Played, model: str, version: int) -> None:
    seen = [reading.models.get(model) for reading in played.readings.values()]
    first = next(index for index, created in enumerate(seen) if created is not None)
    gap = seen.index(None, first)
    assert {seen[-1]}.isdisjoint(seen[:gap])
    assert None not in seen[gap + 1 :]
    before = list(played.readings.values())[gap - 1]
    assert before.champions[model] == 2, "it was in use when it was deleted"
    assert played.one("select count(*) from model_versions where name = ?", model) == version


def validation_overdue(played: Played, model: str, version: int) -> None:
    due = date.fromisoformat(played.tags(model, version)["gov.validation.next_due"])
    assert date(2026, 7, 1) < due < date(2026, 9, 30)
    assert is_live(played, model, version)


def working_tree_dirty(played: Played, model: str, version: int) -> None:
    tags = played.run_tags(model, version)
    assert tags["mlflow.source.git.dirty"] == "true"
    assert tags["mlflow.source.git.diff"]
    assert is_live(played, model, version)
    clean = "select count(*) from tags where key = 'mlflow.source.git.dirty' and value = 'true'"
    assert played.one(clean) == 1


def owner_missing(played: Played, model: str, version: None) -> None:
    tags = played.model_tags(model)
    assert tags["gov.risk.rating"] == "high"
    assert {"gov.owner", "owner", "model_owner", "maintainer"}.isdisjoint(tags)
    others = "select count(distinct name) from registered_model_tags where key = 'gov.owner'"
    assert played.one(others) == 9


def password_logged(played: Played, model: str, version: int) -> None:
    run = played.run_of(model, version)
    assert played.rows("select value from params where key = 'db_password' and run_uuid = ?", run)


def same_data_for_test_and_training(played: Played, model: str, version: int) -> None:
    datasets = played.datasets(model, version)
    assert datasets["training"][1] == datasets["test"][1]
    assert datasets["training"][0] != datasets["test"][0]
    earlier = played.datasets(model, version - 1)
    assert earlier["training"][1] != earlier["test"][1]


def training_data_missing(played: Played, model: str, version: int) -> None:
    assert set(played.datasets(model, version)) == {"test"}
    assert is_live(played, model, version)


def alias_stage_disagree(played: Played, model: str, version: int) -> None:
    last = list(played.readings.values())[-1]
    assert last.champions[model] == version
    in_stage = [key for key, stage in last.stages.items() if stage == "Production"]
    assert (model, version) not in in_stage
    assert (model, version - 1) in in_stage
    for other, champion in last.champions.items():
        assert other == model or (other, champion) in in_stage, f"{other} disagrees too"


def model_renamed(played: Played, model: str, version: None) -> None:
    old = "home-water-frequency"
    names = [(seen.models.get(old), seen.models.get(model)) for seen in played.readings.values()]
    created = next(time for time, _ in names if time)
    assert (created, None) in names
    assert names[-1] == (None, created)


def approval_set_by_author(played: Played, model: str, version: int) -> None:
    assert approval(played, model, version)["gov.approval.by"] == "Ingrid Solberg"
    actors = played.rows(
        "select distinct actor from auditreg_journal where table_name = 'model_version_tags' "
        "and name = ? and version = ? and item like 'gov.approval.%'",
        model,
        version,
    )
    author = played.run_tags(model, version)["mlflow.user"]
    assert actors == [(author,)]


def changed_behind_the_server(played: Played, model: str, version: int) -> None:
    key = "gov.validation.next_due"
    journalled = played.rows(
        "select after_row from auditreg_journal where table_name = 'model_version_tags' "
        "and name = ? and version = ? and item = ? order by id desc limit 1",
        model,
        version,
        key,
    )
    told = json.loads(journalled[0][0])["value"]
    assert played.tags(model, version)[key] != told


def engine_behind(played: Played, model: str, version: int) -> None:
    lines = [json.loads(line) for line in played.files.deployments.read_text().splitlines()]
    (running,) = [one for one in lines if one["model"] == model and "until" not in one]
    assert running["version"] == version
    assert list(played.readings.values())[-1].champions[model] == version + 1


PROOFS: dict[str, Callable[[Played, str, int | None], None]] = {
    "signature-missing": signature_missing,
    "signature-inputs-only": signature_inputs_only,
    "live-unapproved": live_unapproved,
    "approved-by-author": approved_by_author,
    "approved-by-service-account": approved_by_service_account,
    "approved-after-promotion": approved_after_promotion,
    "live-three-days": live_three_days,
    "run-deleted": run_deleted,
    "version-deleted": version_deleted,
    "model-recreated": model_recreated,
    "validation-overdue": validation_overdue,
    "working-tree-dirty": working_tree_dirty,
    "owner-missing": owner_missing,
    "password-logged": password_logged,
    "test-equals-training": same_data_for_test_and_training,
    "training-data-missing": training_data_missing,
    "alias-stage-disagree": alias_stage_disagree,
    "model-renamed": model_renamed,
    "approval-set-by-author": approval_set_by_author,
    "changed-behind-the-server": changed_behind_the_server,
    "engine-behind": engine_behind,
}


def test_every_sin_has_a_proof():
    assert {sin.key for sin in demo.SINS} == set(PROOFS)


@pytest.mark.parametrize("sin", demo.SINS, ids=lambda sin: sin.key)
def test_the_sin_is_in_the_registry(played, sin):
    PROOFS[sin.key](played, sin.model, sin.version)


def test_every_other_promoted_version_is_approved_in_time_by_somebody_else(played):
    """The sins are exceptions: nobody else in the registry commits them."""
    guilty = {(sin.model, sin.version) for sin in demo.SINS if "approv" in sin.key}
    guilty.add(("motor-frequency-glm", 3))
    candidates = {key for seen in played.readings.values() for key in seen.stages}
    models = list(played.readings.values())[-1].models
    live_at_some_time = {key for key in candidates if key[0] in models and played.live_at(*key)}
    assert len(live_at_some_time - guilty) > len(guilty)
    for model, version in sorted(live_at_some_time - guilty):
        approver = PEOPLE[approval(played, model, version)["gov.approval.by"]]
        assert "approver" in approver.roles
        assert PEOPLE[played.run_tags(model, version)["mlflow.user"]] is not approver
        at = datetime.fromisoformat(approval(played, model, version)["gov.approval.at"])
        seen_live = played.live_at(model, version)
        assert at < seen_live[0], (model, version)
