"""The texts that govern results: rules, frameworks, settings and waivers, read once."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from auditreg.errors import ConfigError, LedgerError

if TYPE_CHECKING:
    import duckdb

    from auditreg.config import Config
    from auditreg.config.settings import AppliedFramework
    from auditreg.frameworks.parse import Framework
    from auditreg.ledger.policies import Policy
    from auditreg.ledger.store import Ledger
    from auditreg.models import RuleInfo
    from auditreg.waivers import Waiver

WAIVERS = "waivers.toml"


def settings_for(ledger: Ledger, config: Config) -> Config:
    """The settings by which a ledger is read: those of a file, else those last sealed in it.

    So a copy of a ledger is judged as its firm judges it.

    Raises:
        LedgerError: the ledger cannot be opened.
        ConfigError: this release cannot use the settings sealed in it, or another program's
            write-ahead log lies beside it.
    """
    from msgspec import structs

    from auditreg.config import parse_config

    if config.path or not ledger.exists:
        return config
    unfinished = ledger.write_ahead_log.exists()
    try:
        texts = _sealed_texts(ledger)
    except LedgerError as error:
        if unfinished:
            raise _unfinished(ledger) from error
        raise
    if "config" not in texts:
        return config
    if unfinished:
        raise _unfinished(ledger)
    try:
        sealed = parse_config(texts["config"], Path("auditreg.toml"))
    except ConfigError as error:
        raise ConfigError(
            f"The settings sealed in {ledger.path} cannot be used: {error.what}",
            state=error.state,
            hint="Give a file with --config.",
        ) from error
    return structs.replace(sealed, sealed_waivers=texts.get("waivers"))


def _sealed_texts(ledger: Ledger) -> dict[str, str]:
    """The settings file and the waivers last sealed, by their kind of policy.

    A command that is going to set another program's write-ahead log aside must know them, too.
    """
    from contextlib import closing

    with closing(ledger.connect(replay=True)) as con:
        return dict(
            con.execute(
                "select policy_kind, max_by(text, seq) from policies "
                "where policy_kind in ('config', 'waivers') group by policy_kind"
            ).fetchall()
        )


def _unfinished(ledger: Ledger) -> ConfigError:
    return ConfigError(
        f"The settings sealed in {ledger.path} cannot be trusted: beside it lies the write-ahead log "
        "of another program.",
        state="Nothing was done.",
        hint=f"Close that program; where none is running, move {ledger.write_ahead_log.name} away. Or "
        "give a settings file with --config.",
    )


def rules_in_force(config: Config) -> tuple[RuleInfo, ...]:
    """The built-in rules and those of the configured packs, disabled ones included."""
    from auditreg.rules.parse import load_rules

    return load_rules(config.resolve(pack) for pack in config.rules.packs)


def every_framework(config: Config, rules: tuple[RuleInfo, ...]) -> tuple[Framework, ...]:
    """Auditreg's frameworks and the firm's own, whether the firm says that they apply or not."""
    from auditreg.frameworks.parse import load_library

    return load_library(
        {rule.id for rule in rules}, fields=_field_ids(config), packs=_framework_packs(config)
    )


def frameworks_in_force(
    config: Config, rules: tuple[RuleInfo, ...]
) -> tuple[list[tuple[Framework, AppliedFramework]], list[ConfigError]]:
    """The frameworks the settings name, each with the firm's word on whether it applies.

    The others are not even read: a check has no use for them.

    Returns:
        those that can be read, and what is wrong with the others.

    Raises:
        ConfigError: the settings name a framework that does not exist.
    """
    from auditreg.config.check import near
    from auditreg.frameworks.parse import framework_files, load_library

    usable: list[tuple[Framework, AppliedFramework]] = []
    wrong: list[ConfigError] = []
    applied = config.frameworks.applied
    if not applied:
        return usable, wrong
    known = tuple(framework_files(_framework_packs(config)))
    ids, fields = {rule.id for rule in rules}, _field_ids(config)
    for index, statement in enumerate(applied):
        if statement.id not in known:
            meant = near(statement.id, known)
            raise ConfigError(
                f"{config.path} at frameworks.applied[{index}].id: there is no framework "
                f"{statement.id!r}.",
                state="Nothing was done.",
                hint=f"Did you mean {meant}?" if meant else f"There are: {', '.join(known)}.",
            )
        try:
            [framework] = load_library(
                ids, fields=fields, ids=[statement.id], packs=_framework_packs(config)
            )
        except ConfigError as error:
            wrong.append(error)
        else:
            usable.append((framework, statement))
    return usable, wrong


def _framework_packs(config: Config) -> list[Path]:
    return [config.resolve(pack) for pack in config.frameworks.packs]


def _field_ids(config: Config) -> list[str]:
    return [known.id for known in config.governance_fields()]


def waivers_path(config: Config) -> Path:
    """`waivers.toml` beside the settings."""
    return config.resolve(WAIVERS)


@dataclass(frozen=True, slots=True)
class PolicySet:
    """What results follow from.

    `unusable` says what is wrong with frameworks that the settings name. Rules are judged without them;
    no report is made.
    """

    config: Config
    rules: tuple[RuleInfo, ...]
    frameworks: tuple[tuple[Framework, AppliedFramework], ...]
    waivers: str | None
    unusable: tuple[ConfigError, ...] = ()

    @classmethod
    def load(cls, config: Config) -> PolicySet:
        """Read everything. Settings from a ledger bring the waivers sealed beside them.

        Raises:
            AuditregError: a file is wrong; it is named. Not of a framework: see `unusable`.
        """
        from auditreg.waivers import read_waivers

        rules = rules_in_force(config)
        waivers = read_waivers(waivers_path(config))
        if waivers is None:
            waivers = config.sealed_waivers
        usable, wrong = frameworks_in_force(config, rules)
        return cls(config, rules, tuple(usable), waivers, tuple(wrong))

    def parsed_waivers(self) -> tuple[Waiver, ...]:
        """The entries of waivers.toml.

        Raises:
            ConfigError: one of them is wrong.
        """
        from auditreg.waivers import parse_waivers

        return (
            () if self.waivers is None else parse_waivers(self.waivers, waivers_path(self.config))
        )

    @property
    def enabled(self) -> tuple[RuleInfo, ...]:
        """The rules that run."""
        from auditreg.audit import configured

        return configured(self.rules, self.config)

    def policies(self) -> tuple[Policy, ...]:
        """The texts as they are sealed in the ledger."""
        from auditreg.audit import in_force
        from auditreg.ledger.policies import Policy

        settings = in_force(self.config, self.enabled)
        policies = [Policy("rule", rule.id, rule.text) for rule in self.enabled]
        policies += [
            Policy("framework", framework.id, framework.text) for framework, _ in self.frameworks
        ]
        policies.append(
            Policy("settings", "settings", json.dumps(settings, sort_keys=True, ensure_ascii=False))
        )
        if self.config.text:
            policies.append(Policy("config", "auditreg.toml", self.config.text))
        if self.waivers is not None:
            policies.append(Policy("waivers", WAIVERS, self.waivers))
        return tuple(policies)


def as_known_by(
    connection: duckdb.DuckDBPyConnection, policy_set: PolicySet, at: datetime
) -> tuple[PolicySet, datetime | None]:
    """What is judged by, with the waivers that the last check by a past moment had sealed.

    Args:
        connection: the ledger.
        policy_set: what is judged by today.
        at: the past moment.

    Returns:
        that, and the moment of that check where its waivers are not today's. Where no check was
        made by then, nothing was known, and today's hold as far as their dates allow.
    """
    checked = connection.execute(
        "select seq, as_of from checks where as_of <= ? order by as_of desc, seq desc limit 1", [at]
    ).fetchone()
    if checked is None:
        return policy_set, None
    seq, moment = checked
    sealed = connection.execute(
        "select (select max_by(text, seq) from policies where policy_kind = 'waivers' and seq < $seq) "
        "where exists (select 1 from (select max_by(op, seq) as op from ledger.log "
        "where kind = 'waiver' and seq < $seq group by subject) where op = 'put')",
        {"seq": seq},
    ).fetchone()
    text = sealed[0] if sealed else None
    if (text or "") == (policy_set.waivers or ""):
        return policy_set, None
    return replace(policy_set, waivers=text), moment
