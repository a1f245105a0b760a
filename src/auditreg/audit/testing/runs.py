"""Runs and logged models of a case, as rows of a ledger."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import msgspec

from auditreg.audit.testing.history import CREATED


class CaseRun(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A run; `datasets` are rows of `run_datasets`."""

    user: str | None = None
    tags: dict[str, str] = {}
    params: dict[str, str] = {}
    metrics: dict[str, float] = {}
    started_at: datetime = CREATED
    ended_at: datetime | None = None
    deleted: bool = False
    gone: bool = False
    datasets: tuple[dict[str, str], ...] = ()


class CaseLoggedModel(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A logged model; `datasets` are name and digest of what its metrics were computed on."""

    run: str | None = None
    tags: dict[str, str] = {}
    datasets: tuple[dict[str, str], ...] = ()


def run_rows(
    state: Callable[..., None], run_id: str, run: CaseRun, *, gone: Callable[[str], int]
) -> None:
    """Write a run and what was logged with it.

    Args:
        state: writes a row of a state table: its name, and the columns by name.
        run_id: the run.
        run: what it holds.
        gone: writes the entry that says it is not there any more, and gives its number.
    """
    names = {"registry": "default", "run_id": run_id}
    state(
        "runs",
        **names,
        subject=f"r-{run_id}",
        user_id=run.user,
        deleted=run.deleted or run.gone,
        started_at=run.started_at,
        ended_at=run.ended_at,
        lifecycle_stage="deleted" if run.deleted else "active",
        **({"seq": gone(f"r-{run_id}")} if run.gone else {}),
    )
    items = (("run_tags", run.tags), ("run_params", run.params), ("run_metrics", run.metrics))
    for table, pairs in items:
        for key, value in pairs.items():
            state(table, **names, run_subject=f"r-{run_id}", key=key, value=value)
    for dataset in run.datasets:
        state("run_datasets", **names, run_subject=f"r-{run_id}", **dataset)


def logged_model_rows(state: Callable[..., None], model_id: str, model: CaseLoggedModel) -> None:
    """Write a logged model, its tags, and a metric for each of its data sets."""
    names = {"registry": "default", "model_id": model_id}
    subject = f"l-{model_id}"
    state("logged_models", **names, subject=subject, source_run_id=model.run, deleted=False)
    for key, value in model.tags.items():
        state("logged_model_tags", **names, logged_model_subject=subject, key=key, value=value)
    for dataset in model.datasets:
        state(
            "logged_model_metrics",
            **names,
            logged_model_subject=subject,
            key="metric",
            value=0.5,
            dataset_name=dataset.get("name"),
            dataset_digest=dataset.get("digest"),
        )
