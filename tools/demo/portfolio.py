"""Generated portfolios: motor, van and household policies with exposure, claims and amounts.

The numbers are invented but shaped like the real thing: young drivers and old water pipes cost
more, most policies have no claim, amounts are skewed to the right. One seed per portfolio and
moment, so that two plays of the demo train on the same rows.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    import numpy as np
    import pandas as pd

ROWS = 5000
"""Policies in an extract: enough for coefficients with the right sign, quick to fit."""

TEST_SHARE = 0.25
"""The part of an extract that is held out."""


def _generator(book: str, moment: datetime) -> np.random.Generator:
    import numpy as np

    return np.random.default_rng(zlib.crc32(f"{book} {moment:%Y-%m-%d}".encode()))


def _claims(
    rng: np.random.Generator, frequency: np.ndarray, exposure: np.ndarray, mean_cost: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Counts and total amounts: Poisson many claims, each with a Gamma cost."""
    import numpy as np

    count = rng.poisson(frequency * exposure)
    # The sum of n Gamma(k) amounts is one Gamma(n k) amount.
    amount = np.where(
        count > 0, rng.gamma(np.maximum(count, 1) * 1.6, mean_cost / 1.6, len(count)), 0.0
    )
    return count.astype(float), amount.round(2)


def _motor(rng: np.random.Generator, book: str) -> pd.DataFrame:
    import numpy as np
    import pandas as pd

    van = book == "van"
    frame = pd.DataFrame(
        {
            "driver_age": rng.integers(18, 85, ROWS).astype(float),
            "vehicle_age": rng.gamma(2.2, 3.0, ROWS).round().clip(0, 25),
            "vehicle_group": rng.integers(1, 21 if van else 51, ROWS).astype(float),
            "annual_mileage": rng.gamma(6.0, 3500.0 if van else 1500.0, ROWS).round(-2),
            "ncd_years": rng.integers(0, 16, ROWS).astype(float),
            "fuel": rng.choice(["petrol", "diesel", "electric"], ROWS, p=[0.55, 0.33, 0.12]),
            "area": rng.choice(["rural", "suburban", "urban", "inner"], ROWS),
            "harsh_braking": rng.gamma(1.5, 2.0, ROWS).round(2),
            "night_share": rng.beta(1.5, 9.0, ROWS).round(4),
            "renewal_change": rng.normal(0.06, 0.12, ROWS).round(4),
        }
    )
    exposure = rng.uniform(0.1, 1.0, ROWS).round(3)
    young = np.clip(27 - frame["driver_age"].to_numpy(), 0, None)
    town = frame["area"].map({"rural": 0.7, "suburban": 1.0, "urban": 1.35, "inner": 1.8})
    frequency = (
        0.16
        * np.exp(0.13 * young - 0.07 * frame["ncd_years"] + 0.11 * frame["harsh_braking"])
        * (frame["annual_mileage"] / 9000.0) ** 0.6
        * town
        * (1 + frame["night_share"])
    ).to_numpy()
    cost = (1500 * np.exp(0.022 * frame["vehicle_group"] - 0.02 * frame["vehicle_age"])).to_numpy()
    count, amount = _claims(rng, frequency, exposure, cost)
    _, glass = _claims(rng, 0.5 * frequency, exposure, np.full(ROWS, 420.0))
    lapse = 1 / (1 + np.exp(1.6 - 8 * frame["renewal_change"] + 0.05 * frame["ncd_years"]))
    return frame.assign(
        exposure=exposure,
        claim_count=count,
        claim_amount=amount,
        windscreen_amount=glass,
        lapsed=(rng.random(ROWS) < lapse).astype(float),
    )


def _household(rng: np.random.Generator) -> pd.DataFrame:
    import numpy as np
    import pandas as pd

    frame = pd.DataFrame(
        {
            "sum_insured": rng.gamma(9.0, 42_000.0, ROWS).round(-3).clip(80_000, 1_500_000),
            "bedrooms": rng.integers(1, 7, ROWS).astype(float),
            "property_age": rng.gamma(2.0, 28.0, ROWS).round().clip(0, 220),
            "property_type": rng.choice(["detached", "semi", "terrace", "bungalow"], ROWS),
            "pipework": rng.choice(["copper", "plastic", "lead"], ROWS, p=[0.6, 0.33, 0.07]),
            "clay_index": rng.beta(1.2, 3.5, ROWS).round(4),
            "trees_near": rng.integers(0, 4, ROWS).astype(float),
            "unoccupied_days": rng.gamma(1.2, 12.0, ROWS).round().clip(0, 180),
        }
    )
    exposure = rng.uniform(0.2, 1.0, ROWS).round(3)
    pipe = frame["pipework"].map({"copper": 1.0, "plastic": 0.85, "lead": 1.9})
    frequency = (
        0.13
        * np.exp(0.009 * frame["property_age"] + 0.01 * frame["unoccupied_days"])
        * pipe
        * (frame["bedrooms"] / 3) ** 0.3
    ).to_numpy()
    cost = (2600 * (frame["sum_insured"] / 350_000) ** 0.6).to_numpy()
    count, amount = _claims(rng, frequency, exposure, cost)
    sinking = (0.015 * np.exp(2.5 * frame["clay_index"] + 0.3 * frame["trees_near"])).to_numpy()
    _, subsidence = _claims(rng, sinking, exposure, np.full(ROWS, 9200.0))
    return frame.assign(
        exposure=exposure, claim_count=count, claim_amount=amount, subsidence_amount=subsidence
    )


def extract(book: str, moment: datetime) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The policies of a book ("motor", "van", "household") at a moment: training and hold-out."""
    rng = _generator(book, moment)
    frame = _household(rng) if book == "household" else _motor(rng, book)
    held_out = int(ROWS * TEST_SHARE)
    # Rows are independent draws, so the first part is as random as any.
    return (
        frame.iloc[held_out:].reset_index(drop=True),
        frame.iloc[:held_out].reset_index(drop=True),
    )
