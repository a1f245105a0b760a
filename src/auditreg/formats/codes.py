"""What the codes in columns of the ledger's own are called where somebody reads them."""

from __future__ import annotations

from collections.abc import Mapping

from auditreg.models import Grade, Scope
from auditreg.words import CERTAINTY

_GRADES = {grade.value: grade.words for grade in Grade}

IN_WORDS: Mapping[str, Mapping[str, str]] = {
    "certainty": CERTAINTY,
    "grade": _GRADES,
    "known": {**_GRADES, "uncaptured": "not in the server's record"},
    "kind": {
        "registered_model": "model",
        "registered_model_tag": "model tag",
        "model_version": "version",
        "model_version_tag": "version tag",
    },
    "scope": {scope.value: scope.value.replace("_", " ") for scope in Scope},
}
"""By column, what each code is called."""
