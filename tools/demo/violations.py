"""What went wrong at Harbour & Vale: the findings a reader of the demo can expect, by name."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Violation:
    """One thing that is wrong in the demo's registry.

    `rule` finds it in the third quarter, where it is a matter of rules. `model` is the name it had last;
    `version` is None where the whole model is meant.
    """

    key: str
    rule: str | None
    model: str
    version: int | None
    sentence: str


VIOLATIONS: tuple[Violation, ...] = (
    Violation(
        "signature-missing",
        "signature-present",
        "motor-telematics-score",
        2,
        "The live version has no signature: nothing says which columns it reads.",
    ),
    Violation(
        "signature-inputs-only",
        "signature-complete",
        "motor-windscreen-tweedie",
        2,
        "The signature names the inputs and leaves the outputs out.",
    ),
    Violation(
        "live-unapproved",
        "approver-recorded",
        "motor-renewal-lapse",
        2,
        "The version has been live since 21 July and nobody approved it.",
    ),
    Violation(
        "approved-by-author",
        "approver-independent",
        "motor-severity-glm",
        2,
        'Trained by "pshah" and approved by "Shah, Priya": one person, two spellings.',
    ),
    Violation(
        "approved-by-service-account",
        "approver-recorded",
        "household-water-frequency",
        2,
        'The approval names "svc-mlflow-ci", the build pipeline.',
    ),
    Violation(
        "approved-after-promotion",
        "approval-precedes-live",
        "household-severity-gamma",
        2,
        "Live since 5 August, approved on 12 August.",
    ),
    Violation(
        "live-three-days",
        "not-rolled-back-early",
        "motor-frequency-glm",
        3,
        "Went live without approval on 11 August and was rolled back exactly three days later.",
    ),
    Violation(
        "run-deleted",
        "run-linked",
        "household-severity-gamma",
        2,
        "The training run behind the live version was deleted in a clean-up on 2 September.",
    ),
    Violation(
        "version-deleted",
        "version-gap-explained",
        "motor-frequency-gbm",
        2,
        "The version was deleted on 20 August; only a gap in the numbers is left.",
    ),
    Violation(
        "model-recreated",
        "model-recreated",
        "van-frequency",
        1,
        "The model was deleted on 29 July and registered anew under its old name on 4 August, "
        "so version 1 is not the version 1 of June.",
    ),
    Violation(
        "validation-overdue",
        "validation-current",
        "household-subsidence-tweedie",
        1,
        "The next validation was due on 20 August 2026 and has not taken place.",
    ),
    Violation(
        "working-tree-dirty",
        "working-tree-clean",
        "van-frequency",
        1,
        "The version was trained from a working tree with changes that were never committed.",
    ),
    Violation(
        "owner-missing",
        "owner-recorded",
        "motor-telematics-score",
        None,
        "No owner is recorded for a model with a high risk rating.",
    ),
    Violation(
        "password-logged",
        None,
        "motor-renewal-lapse",
        2,
        "The training run logged the password of the policy database as a parameter.",
    ),
    Violation(
        "test-equals-training",
        "test-data-distinct",
        "household-water-frequency",
        2,
        "The data set it was tested on is the one it was trained on, under another name.",
    ),
    Violation(
        "training-data-missing",
        "training-data-linked",
        "household-subsidence-tweedie",
        1,
        "The run has no training data: the vendor kept it.",
    ),
    Violation(
        "alias-stage-disagree",
        "alias-stage-consistent",
        "motor-windscreen-tweedie",
        3,
        "The alias champion points at version 3, the stage Production at version 2.",
    ),
    Violation(
        "approval-set-by-author",
        "approval-set-by-approver",
        "motor-frequency-glm",
        4,
        "The approval names Ingrid Solberg; the server recorded that Priya Shah, the author, set it.",
    ),
    Violation(
        "changed-behind-the-server",
        "no-uncaptured-change",
        "household-severity-gamma",
        2,
        "The date of its next validation was changed in the database on 23 September, past MLflow.",
    ),
    Violation(
        "engine-behind",
        "engine-runs-live-version",
        "household-severity-gamma",
        1,
        "The rating engine still runs version 1; the registry says version 2 since 5 August.",
    ),
    Violation(
        "model-renamed",
        None,
        "household-water-frequency",
        None,
        "Known as home-water-frequency until 20 May 2026.",
    ),
)
"""All of them; `key` is unique."""
