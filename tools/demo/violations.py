"""What went wrong at Harbour & Vale: the findings a reader of the demo can expect, by name."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Sin:
    """One thing that is wrong in the demo's registry.

    `model` is the name it had last; `version` is None where the whole model is meant.
    """

    key: str
    model: str
    version: int | None
    sentence: str


SINS: tuple[Sin, ...] = (
    Sin(
        "signature-missing",
        "motor-telematics-score",
        2,
        "The live version has no signature: nothing says which columns it reads.",
    ),
    Sin(
        "signature-inputs-only",
        "motor-windscreen-tweedie",
        2,
        "The signature names the inputs and leaves the outputs out.",
    ),
    Sin(
        "live-unapproved",
        "motor-renewal-lapse",
        2,
        "The version has been live since 21 July and nobody approved it.",
    ),
    Sin(
        "approved-by-author",
        "motor-severity-glm",
        2,
        'Trained by "pshah" and approved by "Shah, Priya": one person, two spellings.',
    ),
    Sin(
        "approved-by-service-account",
        "household-water-frequency",
        2,
        'The approval names "svc-mlflow-ci", the build pipeline.',
    ),
    Sin(
        "approved-after-promotion",
        "household-severity-gamma",
        2,
        "Live since 5 August, approved on 12 August.",
    ),
    Sin(
        "live-three-days",
        "motor-frequency-glm",
        3,
        "Went live without approval on 11 August and was rolled back exactly three days later.",
    ),
    Sin(
        "run-deleted",
        "household-severity-gamma",
        2,
        "The training run behind the live version was deleted in a clean-up on 2 September.",
    ),
    Sin(
        "version-deleted",
        "motor-frequency-gbm",
        2,
        "The version was deleted on 20 August; only a gap in the numbers is left.",
    ),
    Sin(
        "model-recreated",
        "van-frequency",
        1,
        "The model was deleted on 29 July and registered anew under its old name on 4 August, "
        "so version 1 is not the version 1 of June.",
    ),
    Sin(
        "validation-overdue",
        "household-subsidence-tweedie",
        1,
        "The next validation was due on 20 August 2026 and has not taken place.",
    ),
    Sin(
        "working-tree-dirty",
        "van-frequency",
        1,
        "The version was trained from a working tree with changes that were never committed.",
    ),
    Sin(
        "owner-missing",
        "motor-telematics-score",
        None,
        "No owner is recorded for a model with a high risk rating.",
    ),
    Sin(
        "password-logged",
        "motor-renewal-lapse",
        2,
        "The training run logged the password of the policy database as a parameter.",
    ),
    Sin(
        "test-equals-training",
        "household-water-frequency",
        2,
        "The data set it was tested on is the one it was trained on, under another name.",
    ),
    Sin(
        "training-data-missing",
        "household-subsidence-tweedie",
        1,
        "The run has no training data: the vendor kept it.",
    ),
    Sin(
        "alias-stage-disagree",
        "motor-windscreen-tweedie",
        3,
        "The alias champion points at version 3, the stage Production at version 2.",
    ),
    Sin(
        "approval-set-by-author",
        "motor-frequency-glm",
        4,
        "The approval names Ingrid Solberg; the server recorded that Priya Shah, the author, set it.",
    ),
    Sin(
        "changed-behind-the-server",
        "household-severity-gamma",
        2,
        "The date of its next validation was changed in the database on 23 September, past MLflow.",
    ),
    Sin(
        "engine-behind",
        "household-severity-gamma",
        1,
        "The rating engine still runs version 1; the registry says version 2 since 5 August.",
    ),
    Sin(
        "model-renamed",
        "household-water-frequency",
        None,
        "Known as home-water-frequency until 20 May 2026.",
    ),
)
"""Every sin of the demo; `key` is unique."""
