"""Training and logging the demo's models, as the firm's own pipeline would: fit, test, record."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tools.demo.events import Explore, Train
from tools.demo.portfolio import extract
from tools.demo.recipes import RECIPES, Recipe, fit, kept, metrics, parameters

if TYPE_CHECKING:
    from datetime import datetime

    import numpy as np
    import pandas as pd
    from mlflow.data.pandas_dataset import PandasDataset
    from mlflow.models import ModelSignature

    from tools.demo.clock import SimulatedClock
    from tools.demo.environment import Workstation

_REPOSITORY = "https://git.harbourvale.example/pricing/models.git"
_PENALTY = 0.01


@dataclass(frozen=True)
class Logged:
    """What a training left in MLflow."""

    run_id: str
    model_id: str


def experiment_of(model: str) -> str:
    """The experiment whose runs train a model."""
    return f"{RECIPES[model].book}-pricing"


def _checkout(event: Train | Explore) -> dict[str, str]:
    """The tags MLflow's client adds on the author's machine.

    MLflow 3.17 records user, source, commit, branch and repository of a run by itself. Whether the
    working tree was dirty, and the diff, it records only where `mlflow.genai` git versioning is
    on; the firm's pipeline has that for everything, so runs and logged models carry the same tags,
    under the names MLflow gives them (`mlflow.source.git.dirty`, in small letters, and `.diff`).
    """
    name = event.model.replace("-", "_")
    dirty = isinstance(event, Train) and event.dirty
    commit = hashlib.sha1(f"{event.model} {event.at}".encode(), usedforsecurity=False).hexdigest()
    tags = {
        "mlflow.user": event.by,
        "mlflow.source.name": f"pipelines/{name}.py",
        "mlflow.source.type": "LOCAL",
        "mlflow.source.git.commit": commit,
        "mlflow.source.git.branch": "main",
        "mlflow.source.git.repoURL": _REPOSITORY,
        "mlflow.source.git.dirty": str(dirty).lower(),
    }
    if dirty:
        tags["mlflow.source.git.diff"] = (
            f"--- a/pipelines/{name}.py\n+++ b/pipelines/{name}.py\n"
            "@@ -41 +41 @@\n-    rows = rows[rows.use != 'courier']\n+    # rows kept for now\n"
        )
    return tags


def _dataset(recipe: Recipe, frame: pd.DataFrame, part: str, moment: datetime) -> PandasDataset:
    """The frame as an MLflow data set, named after the extract it was cut from."""
    from mlflow.data.pandas_dataset import from_pandas

    name = f"{recipe.book}-{moment:%Y-%m-%d}-{part}"
    source = f"s3://harbourvale-pricing/extracts/{recipe.book}/{moment:%Y-%m-%d}/{part}.parquet"
    return from_pandas(frame, source=source, name=name, targets=recipe.target)


def _signature(
    event: Train, features: pd.DataFrame, predicted: np.ndarray
) -> ModelSignature | None:
    from mlflow.models import ModelSignature, infer_signature

    full = infer_signature(features, predicted)
    if event.signature == "full":
        return full
    return ModelSignature(inputs=full.inputs) if event.signature == "inputs" else None


def requirements() -> list[str]:
    """The packages a model needs, stated: letting MLflow infer them loads each model anew."""
    from importlib.metadata import version

    return [
        f"{name}=={version(name)}" for name in ("cloudpickle", "numpy", "pandas", "scikit-learn")
    ]


def _record(
    run_id: str, params: dict[str, str], quality: dict[str, float], clock: SimulatedClock
) -> None:
    """Parameters and metrics in one request; one by one each is a transaction of its own."""
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Param

    now = int(clock.now.timestamp() * 1000)
    MlflowClient().log_batch(
        run_id,
        params=[Param(*pair) for pair in params.items()],
        metrics=[Metric(name, value, now, 0) for name, value in quality.items()],
    )


def train(
    event: Train,
    moment: datetime,
    experiment_id: str,
    clock: SimulatedClock,
    workstation: Workstation,
) -> Logged:
    """Fit a model on the portfolio of the day and log run, data sets and model to MLflow."""
    import mlflow.sklearn

    recipe = RECIPES[event.model]
    workstation.sit_down(_checkout(event))
    training, holdout = (frame[kept(recipe, frame)] for frame in extract(recipe.book, moment))
    test = training if event.test_data == "training" else holdout
    pipeline = fit(recipe, training, _PENALTY)
    features = training[list(recipe.features)]
    with mlflow.start_run(
        experiment_id=experiment_id, run_name=f"{event.model}-{moment:%Y%m%d}"
    ) as run:
        clock.advance(95)
        if event.training_data:
            dataset = _dataset(recipe, training, "training", moment)
            mlflow.log_input(dataset, context="training")
        mlflow.log_input(_dataset(recipe, test, "holdout", moment), context="test")
        quality = metrics(recipe, pipeline, test)
        _record(run.info.run_id, parameters(recipe, pipeline) | dict(event.params), quality, clock)
        clock.advance(20)
        proba = recipe.power is None
        sample = features.head(3)
        info = mlflow.sklearn.log_model(
            pipeline,
            name=event.model,
            signature=_signature(
                event, sample, (pipeline.predict_proba if proba else pipeline.predict)(sample)
            ),
            # MLflow infers a whole signature from an example, so half a signature has none.
            input_example=sample if event.signature == "full" else None,
            pip_requirements=requirements(),
            # The default format, skops, refuses gradient boosting and writes the wall clock.
            serialization_format="cloudpickle",
            pyfunc_predict_fn="predict_proba" if proba else "predict",
        )
        clock.advance(5)
    return Logged(run.info.run_id, info.model_id)


def explore(
    event: Explore,
    moment: datetime,
    experiment_id: str,
    clock: SimulatedClock,
    workstation: Workstation,
) -> None:
    """Try another penalty and log the run only."""
    import mlflow

    recipe = RECIPES[event.model]
    workstation.sit_down(_checkout(event))
    training, holdout = extract(recipe.book, moment)
    pipeline = fit(recipe, training, event.penalty)
    with mlflow.start_run(experiment_id=experiment_id, run_name=f"penalty-{event.penalty}") as run:
        clock.advance(40)
        quality = metrics(recipe, pipeline, holdout)
        _record(run.info.run_id, {"alpha": str(event.penalty)}, quality, clock)
