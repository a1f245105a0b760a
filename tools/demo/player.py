"""What each kind of event of the calendar does to the MLflow store."""

from __future__ import annotations

import json
import sqlite3
import threading
import warnings
from contextlib import closing
from functools import singledispatchmethod
from typing import TYPE_CHECKING, Literal

from tools.demo import training
from tools.demo.events import (
    LONDON,
    Approve,
    Challenge,
    CreateModel,
    DeleteModel,
    DeleteRun,
    DeleteVersion,
    DemoReading,
    Event,
    Explore,
    Monitor,
    MoveToStage,
    Overwrite,
    Promote,
    Prompt,
    Rename,
    RollBack,
    StartCapture,
    TagModel,
    Train,
    Validate,
    london,
)
from tools.demo.model_cards import CARDS
from tools.demo.organisation import CHALLENGER, CHAMPION, LIVE_STAGE, account_of

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

    from mlflow import MlflowClient

    from tools.demo.clock import SimulatedClock
    from tools.demo.environment import Workstation

_EXPERIMENTS = ("motor-pricing", "van-pricing", "household-pricing")


class DemoRegistry:
    """The firm's MLflow, acted on through MLflow's own client."""

    def __init__(
        self, database: Path, artifacts: Path, clock: SimulatedClock, workstation: Workstation
    ) -> None:
        from mlflow import MlflowClient

        self._database = database
        self._client: MlflowClient = MlflowClient()
        self._clock = clock
        self._workstation = workstation
        self._runs: dict[tuple[str, int], str] = {}
        self._live: dict[str, int] = {}
        self._experiments = {
            name: self._client.create_experiment(name, (artifacts / name).as_uri())
            for name in _EXPERIMENTS
        }

    def play(self, event: Event) -> str:
        """Let one event happen at its time; what happened comes back in a few words."""
        from auditreg_capture import acting_as

        self._clock.move_to(london(event.at))
        with acting_as(account_of(event)):
            return self._do(event)

    @singledispatchmethod
    def _do(self, event: Event) -> str:
        raise TypeError(f"there is no way to play a {type(event).__name__}")

    @_do.register(DemoReading)
    def _reading(self, event: DemoReading) -> str:  # noqa: ARG002 - nothing changes
        return "reading"

    @_do.register(StartCapture)
    def _start_capture(self, event: StartCapture) -> str:  # noqa: ARG002 - it starts now
        import auditreg_capture

        auditreg_capture.install(mode="strict")
        return "the server records its changes from now on"

    @_do.register(Overwrite)
    def _overwrite(self, event: Overwrite) -> str:
        with closing(sqlite3.connect(self._database)) as store:
            store.execute(
                "update model_version_tags set value = ? where name = ? and version = ? and key = ?",
                (event.value, event.model, event.version, event.key),
            )
            store.commit()
        return f"{event.model}/{event.version} changed in the database"

    @_do.register(CreateModel)
    def _create_model(self, event: CreateModel) -> str:
        card = CARDS[event.model]
        self._client.create_registered_model(
            event.model, tags=card.tags(self._today()), description=card.description or None
        )
        self._live.pop(event.model, None)
        return f"{event.model} created"

    @_do.register(Train)
    def _train(self, event: Train) -> str:
        logged = training.train(event, london(event.at), *self._surroundings(event.model))
        self._clock.advance(60)
        # What mlflow.register_model does, without its messages on standard error: create the
        # version from the logged model, then tell the logged model which version it became.
        version = self._client.create_model_version(
            event.model,
            source=f"models:/{logged.model_id}",
            run_id=logged.run_id,
            tags={
                "gov.change.reason": event.reason,
                "gov.change.ticket": event.ticket,
                **({} if event.version == 1 else {"gov.change.class": "minor"}),
            },
            description=f"{event.reason}." if event.described else None,
            await_creation_for=0,
            model_id=logged.model_id,
        )
        became = json.dumps([{"name": version.name, "version": version.version}])
        self._client.set_logged_model_tags(logged.model_id, {"mlflow.modelVersions": became})
        self._expect(event.model, event.version, version.version)
        self._runs[event.model, event.version] = logged.run_id
        return f"{event.model}/{event.version} trained"

    @_do.register(Explore)
    def _explore(self, event: Explore) -> str:
        training.explore(event, london(event.at), *self._surroundings(event.model))
        return f"{event.model} explored"

    @_do.register(Validate)
    def _validate(self, event: Validate) -> str:
        day = event.on or self._today()
        self._tag(
            event.model,
            event.version,
            {
                "gov.validator": event.by,
                "gov.validation.date": day.isoformat(),
                "gov.validation.result": event.result,
                "gov.validation.next_due": event.next_due.isoformat(),
            },
        )
        if self._client.get_model_version(event.model, str(event.version)).current_stage == "None":
            self._move(event.model, event.version, "Staging", archive=False)
        return f"{event.model}/{event.version} validated"

    @_do.register(Approve)
    def _approve(self, event: Approve) -> str:
        self._tag(
            event.model,
            event.version,
            {
                "gov.approval.decision": "approved",
                "gov.approval.by": event.by,
                "gov.approval.at": self._clock.now.astimezone(LONDON).isoformat(),
                "gov.approval.role": event.role,
            },
        )
        return f"{event.model}/{event.version} approved"

    @_do.register(Promote)
    def _promote(self, event: Promote) -> str:
        self._go_live(event.model, event.version, event.ways)
        before = self._live.get(event.model)
        if before not in (None, event.version) and "stage" in event.ways:
            self._tag(
                event.model,
                before,
                {
                    "gov.decommissioned_at": self._today().isoformat(),
                    "gov.decommission.reason": f"Replaced by version {event.version}",
                },
            )
        self._live[event.model] = event.version
        return f"{event.model}/{event.version} promoted"

    @_do.register(RollBack)
    def _roll_back(self, event: RollBack) -> str:
        self._go_live(event.model, event.back_to, ("stage", "alias"))
        for key in ("gov.decommissioned_at", "gov.decommission.reason"):
            self._client.delete_model_version_tag(event.model, str(event.back_to), key)
        self._live[event.model] = event.back_to
        return f"{event.model}/{event.version} rolled back"

    @_do.register(MoveToStage)
    def _stage(self, event: MoveToStage) -> str:
        self._move(event.model, event.version, event.stage, archive=False)
        return f"{event.model}/{event.version} moved to {event.stage}"

    @_do.register(Challenge)
    def _challenge(self, event: Challenge) -> str:
        self._client.set_registered_model_alias(event.model, CHALLENGER, str(event.version))
        return f"{event.model}/{event.version} is the challenger"

    @_do.register(TagModel)
    def _tag_model(self, event: TagModel) -> str:
        self._client.set_registered_model_tag(event.model, event.key, event.value)
        return f"{event.model} tagged"

    @_do.register(Monitor)
    def _monitor(self, event: Monitor) -> str:
        for model in event.models:
            self._client.set_registered_model_tag(
                model, "gov.monitoring.date", self._today().isoformat()
            )
        return f"{len(event.models)} models monitored"

    @_do.register(Rename)
    def _rename(self, event: Rename) -> str:
        self._client.rename_registered_model(event.model, event.to)
        if event.model in self._live:
            self._live[event.to] = self._live.pop(event.model)
        return f"{event.model} renamed to {event.to}"

    @_do.register(DeleteVersion)
    def _delete_version(self, event: DeleteVersion) -> str:
        self._client.delete_model_version(event.model, str(event.version))
        return f"{event.model}/{event.version} deleted"

    @_do.register(DeleteModel)
    def _delete_model(self, event: DeleteModel) -> str:
        self._client.delete_registered_model(event.model)
        return f"{event.model} deleted"

    @_do.register(DeleteRun)
    def _delete_run(self, event: DeleteRun) -> str:
        self._client.delete_run(self._runs[event.model, event.version])
        return f"run of {event.model}/{event.version} deleted"

    @_do.register(Prompt)
    def _prompt(self, event: Prompt) -> str:
        prompt = self._client.register_prompt(
            event.model, event.template, commit_message=event.note
        )
        # MLflow notes the experiment in a thread of its own; the clock must not move before.
        for thread in threading.enumerate():
            if thread.name.startswith("link_prompt_to_experiment"):
                thread.join()
        self._expect(event.model, event.version, prompt.version)
        return f"{event.model}/{event.version} registered"

    def _today(self) -> date:
        return self._clock.now.astimezone(LONDON).date()

    def _expect(self, model: str, expected: int, got: int | str) -> None:
        if int(got) != expected:
            raise RuntimeError(f"MLflow counted {model}/{got}, the calendar says {expected}")

    def _surroundings(self, model: str) -> tuple[str, SimulatedClock, Workstation]:
        experiment = self._experiments[training.experiment_of(model)]
        return experiment, self._clock, self._workstation

    def _tag(self, model: str, version: int, tags: dict[str, str]) -> None:
        for key, value in tags.items():
            self._client.set_model_version_tag(model, str(version), key, value)

    def _move(self, model: str, version: int, stage: str, *, archive: bool) -> None:
        # Stages are deprecated, and still what most firms with a registry run on.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            self._client.transition_model_version_stage(
                model, str(version), stage, archive_existing_versions=archive
            )

    def _go_live(
        self, model: str, version: int, ways: tuple[Literal["stage", "alias"], ...]
    ) -> None:
        if "stage" in ways:
            self._move(model, version, LIVE_STAGE, archive=True)
        if "alias" in ways:
            self._client.set_registered_model_alias(model, CHAMPION, str(version))
