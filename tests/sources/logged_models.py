"""Models that MLflow itself logs and registers, for the tests of model files.

A program of its own, as `filled.py` is. `python logged_models.py URI FOLDER` logs and registers;
`python logged_models.py URI sign MODEL…` sets a signature on the first version of each, `approve MODEL
PERSON` records who approved it.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

import mlflow
import numpy as np
from mlflow import MlflowClient
from mlflow.models import infer_signature, set_signature
from sklearn.linear_model import LinearRegression

X, Y = np.array([[1.0], [2.0], [3.0]]), np.array([1.0, 2.0, 3.0])
PINS = ["scikit-learn==1.5.0", "numpy"]


class Echo(mlflow.pyfunc.PythonModel):
    """A model of the user's own."""

    def predict(self, context, model_input, params=None):
        return model_input


def log(folder: str) -> None:
    """`plain` and `idle` without a signature, `signed` with one, `own` a class of the user's."""
    client = MlflowClient()
    experiment = client.create_experiment("pricing", artifact_location=Path(folder).as_uri())
    mlflow.set_experiment(experiment_id=experiment)
    model = LinearRegression().fit(X, Y)
    signature = infer_signature(X, Y)
    with mlflow.start_run():
        for name in ("plain", "idle"):
            mlflow.sklearn.log_model(
                model, name=name, registered_model_name=name, pip_requirements=PINS,
                serialization_format="cloudpickle",
            )  # fmt: skip
        mlflow.sklearn.log_model(
            model, name="signed", registered_model_name="signed", pip_requirements=PINS,
            signature=signature, input_example=X, serialization_format="skops",
        )  # fmt: skip
        mlflow.pyfunc.log_model(
            python_model=Echo(), name="own", registered_model_name="own", pip_requirements=PINS,
        )  # fmt: skip
    client.set_registered_model_alias("plain", "champion", "1")


def sign(models: list[str]) -> None:
    """Set a signature on what is registered already; the registry does not notice."""
    for name in models:
        # A registered version cannot be signed, what it points to can.
        source = MlflowClient().get_model_version(name, "1").source
        set_signature(source, infer_signature(X, Y))


def approve(model: str, person: str) -> None:
    """Record who approved the first version, and when."""
    client = MlflowClient()
    now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    client.set_model_version_tag(model, "1", "approver", person)
    client.set_model_version_tag(model, "1", "approved_at", now)


if __name__ == "__main__":
    mlflow.set_tracking_uri(sys.argv[1])
    if sys.argv[2] == "sign":
        sign(sys.argv[3:])
    elif sys.argv[2] == "approve":
        approve(*sys.argv[3:])
    else:
        log(sys.argv[2])
