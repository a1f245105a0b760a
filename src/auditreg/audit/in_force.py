"""Rules and settings as auditreg.toml has them in force."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from auditreg.config import FILE_NAME, Config, effective_settings
from auditreg.errors import ConfigError, UsageError
from auditreg.models import RuleInfo, Severity
from auditreg.rules.parse import select_rules

_AMOUNT = re.compile(r"(^|_)(days|hours|minutes|years|length|most)$")
"""Parameters that are an amount by their name: there is no negative one."""


def in_force(config: Config, rules: Sequence[RuleInfo]) -> dict[str, object]:
    """The settings as plain values, with the parameters of the rules that run.

    What is sealed in the ledger, and what a check is judged by.
    """
    params = {f"{rule.id}.{name}": value for rule in rules for name, value in rule.params.items()}
    return {**params, **effective_settings(config)}


def configured(rules: Sequence[RuleInfo], config: Config) -> tuple[RuleInfo, ...]:
    """The rules as `[rules]` in auditreg.toml has them: left out, with other severity, parameters.

    Raises:
        ConfigError: it names a rule that does not exist, or sets a parameter the rule does not have.
    """

    def named(name: str, key: str) -> str:
        try:
            return select_rules(rules, [name])[0].id
        except UsageError as error:
            raise ConfigError(
                f"{config.path or FILE_NAME}: rules.{key}: {error.what}",
                state="No rule was run.",
                hint=error.hint,
            ) from error

    settings = config.rules
    left_out = {named(name, "disabled") for name in settings.disabled}
    severities = {
        named(name, "severity"): Severity(value) for name, value in settings.severity.items()
    }
    by_rating: dict[str, dict[str, Severity]] = defaultdict(dict)
    for rating, given_severities in settings.severity_by_rating.items():
        for name, value in given_severities.items():
            rule_id = named(name, f"severity_by_rating.{rating}")
            by_rating[rule_id][rating.strip().lower()] = Severity(value)
    params = {named(name, "params"): values for name, values in settings.params.items()}
    chosen = []
    for rule in rules:
        if rule.id in left_out:
            continue
        given: Mapping[str, Any] = params.get(rule.id, {})
        for name in given:
            if name not in rule.params:
                has = ", ".join(rule.params) or "none"
                raise ConfigError(
                    f"{config.path or FILE_NAME}: rules.params: rule {rule.id} has no parameter {name!r}.",
                    state="No rule was run.",
                    hint=f"It has: {has}.",
                )
            if problem := _unusable(name, given[name], rule.params[name]):
                raise ConfigError(
                    f"{config.path or FILE_NAME}: rules.params: {name} of rule {rule.id} {problem}: {given[name]!r}.",
                    state="No rule was run.",
                    hint=f"Without the line it is {rule.params[name]}.",
                )
        own = {} if rule.id in severities else rule.severity_by_rating
        chosen.append(
            replace(
                rule,
                severity=severities.get(rule.id, rule.severity),
                severity_by_rating={**own, **by_rating.get(rule.id, {})},
                params={**rule.params, **given},
            )
        )
    return tuple(chosen)


def _unusable(name: str, value: object, default: object) -> str | None:
    """What is wrong with a parameter whose default is a number; None where nothing is."""
    if isinstance(default, bool) or not isinstance(default, int | float):
        return None
    try:
        number = math.nan if isinstance(value, bool) else float(str(value))
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        return "has to be a number"
    return "is negative" if number < 0 and _AMOUNT.search(name) else None
