"""How each model of the demo is made and measured: columns, target, estimator, metrics."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from sklearn.pipeline import Pipeline

_CAR = ("driver_age", "vehicle_age", "vehicle_group", "annual_mileage", "ncd_years", "fuel", "area")
_HOME = ("sum_insured", "bedrooms", "property_age", "property_type", "pipework", "unoccupied_days")
_WORDS = {"fuel", "area", "property_type", "pipework"}


@dataclass(frozen=True)
class Recipe:
    """How a model is made: from which book, which columns, towards what, with which estimator.

    The target is `target / weight`, weighted by `weight`; `power` is that of the deviance
    (1 Poisson, between 1 and 2 Tweedie, 2 Gamma, None for a classifier).
    """

    book: str
    features: tuple[str, ...]
    target: str
    weight: str
    power: float | None
    trees: bool = False


_FREQUENCY = Recipe("motor", _CAR, "claim_count", "exposure", 1.0)

RECIPES: dict[str, Recipe] = {
    "motor-frequency-glm": _FREQUENCY,
    "motor-severity-glm": Recipe("motor", _CAR, "claim_amount", "claim_count", 2.0),
    "motor-frequency-gbm": Recipe("motor", _CAR, "claim_count", "exposure", 1.0, trees=True),
    "motor-windscreen-tweedie": Recipe("motor", _CAR, "windscreen_amount", "exposure", 1.6),
    "motor-telematics-score": Recipe(
        "motor",
        ("driver_age", "annual_mileage", "harsh_braking", "night_share", "area"),
        "claim_count",
        "exposure",
        1.0,
        trees=True,
    ),
    "motor-renewal-lapse": Recipe(
        "motor", ("driver_age", "ncd_years", "renewal_change", "area"), "lapsed", "", None, True
    ),
    "van-frequency": Recipe("van", _CAR, "claim_count", "exposure", 1.0),
    "household-water-frequency": Recipe("household", _HOME, "claim_count", "exposure", 1.0),
    "home-water-frequency": Recipe("household", _HOME, "claim_count", "exposure", 1.0),
    "household-severity-gamma": Recipe("household", _HOME, "claim_amount", "claim_count", 2.0),
    "household-subsidence-tweedie": Recipe(
        "household",
        ("property_age", "property_type", "clay_index", "trees_near"),
        "subsidence_amount",
        "exposure",
        1.6,
    ),
}
"""How each model is made, by its name."""


def _estimator(recipe: Recipe, penalty: float) -> Pipeline:
    from sklearn.compose import ColumnTransformer
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from sklearn.linear_model import GammaRegressor, PoissonRegressor, TweedieRegressor
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    words = [name for name in recipe.features if name in _WORDS]
    numbers = [name for name in recipe.features if name not in _WORDS]
    prepare = ColumnTransformer(
        [
            ("words", OneHotEncoder(handle_unknown="ignore", sparse_output=False), words),
            ("numbers", StandardScaler(), numbers),
        ]
    )
    model: Any
    if recipe.power is None:
        model = HistGradientBoostingClassifier(max_iter=40, max_leaf_nodes=5, random_state=7)
    elif recipe.trees:
        model = HistGradientBoostingRegressor(
            loss="poisson",
            max_iter=60,
            max_leaf_nodes=4,
            learning_rate=0.06,
            min_samples_leaf=80,
            random_state=7,
        )
    elif recipe.power == 1.0:
        model = PoissonRegressor(alpha=penalty, max_iter=300)
    elif recipe.power == 2.0:
        model = GammaRegressor(alpha=penalty, max_iter=300)
    else:
        model = TweedieRegressor(power=recipe.power, alpha=penalty, link="log", max_iter=300)
    return Pipeline([("prepare", prepare), ("model", model)])


def _split(recipe: Recipe, frame: pd.DataFrame) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Features, target per unit of weight, and weight."""
    import numpy as np

    features = frame[list(recipe.features)]
    target = frame[recipe.target].to_numpy()
    if not recipe.weight:
        return features, target, np.ones(len(frame))
    weight = frame[recipe.weight].to_numpy()
    return features, target / weight, weight


def _gini(target: np.ndarray, predicted: np.ndarray, weight: np.ndarray) -> float:
    """How well the predictions order the risks, 0 like chance, from the Lorenz curve."""
    import numpy as np

    order = np.argsort(predicted, kind="stable")
    exposure = np.insert(np.cumsum(weight[order]), 0, 0.0)
    losses = np.insert(np.cumsum((target * weight)[order]), 0, 0.0)
    return float(1 - 2 * np.trapezoid(losses / losses[-1], exposure / exposure[-1]))


def metrics(recipe: Recipe, pipeline: Pipeline, frame: pd.DataFrame) -> dict[str, float]:
    """How good the pipeline is on a frame: order of the risks, error, deviance."""
    import numpy as np
    from sklearn.metrics import log_loss, mean_squared_error, mean_tweedie_deviance

    features, target, weight = _split(recipe, frame)
    if recipe.power is None:
        predicted = pipeline.predict_proba(features)[:, 1]
        quality = {"test_log_loss": float(log_loss(target, predicted))}
    else:
        predicted = pipeline.predict(features)
        deviance = mean_tweedie_deviance(
            target, predicted, sample_weight=weight, power=recipe.power
        )
        quality = {"test_deviance": float(deviance)}
    rmse = float(np.sqrt(mean_squared_error(target, predicted, sample_weight=weight)))
    values = {"test_gini": _gini(target, predicted, weight), "test_rmse": rmse, **quality}
    return {name: round(value, 6) for name, value in values.items()}


def kept(recipe: Recipe, frame: pd.DataFrame) -> pd.Series:
    """The rows a model learns from: a cost per claim needs a claim."""
    return frame[recipe.weight] > 0 if recipe.weight else frame[recipe.target].notna()


def fit(recipe: Recipe, frame: pd.DataFrame, penalty: float) -> Pipeline:
    """The pipeline of a recipe, fitted."""
    # By name, since it ships no types; scikit-learn always brings it.
    threadpools = import_module("threadpoolctl")

    features, target, weight = _split(recipe, frame)
    # One thread: the models are small, and sums are added in the same order everywhere.
    with threadpools.threadpool_limits(1):
        return _estimator(recipe, penalty).fit(features, target, model__sample_weight=weight)


def parameters(recipe: Recipe, pipeline: Pipeline) -> dict[str, str]:
    """What the pipeline logs about a fit."""
    model = pipeline.named_steps["model"]
    names = ("alpha", "power", "link", "max_iter", "max_leaf_nodes", "learning_rate", "loss")
    chosen = {key: str(value) for key, value in model.get_params().items() if key in names}
    return {
        "estimator": type(model).__name__,
        "features": ",".join(recipe.features),
        "target": recipe.target,
        "weight": recipe.weight or "none",
        **chosen,
    }
