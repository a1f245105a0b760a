"""Commands that record: extract and status."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from auditreg.cli.examples import examples
from auditreg.cli.options import (
    Output,
    config_option,
    emit_table,
    format_option,
    ledger_option,
    moment,
    the_ledger,
)
from auditreg.errors import ExitCode, NothingToAudit, UsageError, worst
from auditreg.formats.inert import inert
from auditreg.formats.interface import Table

if TYPE_CHECKING:
    from auditreg.cli.progress import Tell
    from auditreg.config import Config
    from auditreg.ledger.ingest import Ingested
    from auditreg.ledger.store import Ledger
    from auditreg.sources import Reading

_MODEL = "registered_model"
_NAMES = {
    _MODEL: "registered models",
    "registered_model_tag": "tags of models",
    "model_version": "versions",
    "model_version_tag": "tags of versions",
    "alias": "aliases",
    "experiment": "experiments",
    "run": "runs",
    "logged_model": "logged models",
    "model_artifact": "model files looked at",
    "principal": "users and roles",
    "permission": "rights",
}


@click.command(
    epilog=examples(
        "auditreg extract --from sqlite:///mlflow.db",
        "auditreg extract --from https://mlflow.example.com --artifacts live",
        "auditreg extract --from sqlite:///backup.db --observed-at 2026-09-30",
        "auditreg extract --from sqlite:///mlflow.db --auth-from sqlite:///basic_auth.db",
    )
)
@click.option("--from", "uri", metavar="URI", help="MLflow's database or tracking server.")
@click.option(
    "--auth-from",
    metavar="URI",
    help="The database of basic-auth's users and rights, where it is not the registry's.",
)
@click.option(
    "--runs",
    type=click.Choice(["linked", "all"]),
    default="linked",
    show_default=True,
    help="Runs that versions point to, or every run.",
)
@click.option(
    "--artifacts",
    type=click.Choice(["all", "live", "none"]),
    default="all",
    show_default=True,
    help="Whose model files are looked at.",
)
@click.option("--manifest", is_flag=True, help="Hash every file of a model, which reads them all.")
@click.option(
    "--observed-at",
    metavar="MOMENT",
    help="The moment a restored backup is from; a date means the end of that day.",
)
@click.option(
    "--allow-empty",
    is_flag=True,
    help="Record that an empty registry is really empty, although models are known.",
)
@config_option
@ledger_option
def extract(  # noqa: PLR0913, PLR0917 - one argument per option
    uri: str | None,
    auth_from: str | None,
    runs: str,
    artifacts: str,
    manifest: bool,
    observed_at: str | None,
    allow_empty: bool,
    config: Config,
    ledger: Path | None,
) -> None:
    """Append what changed in a registry to the ledger.

    Reads MLflow's database or tracking server, never writes to it, and appends what is new, what
    changed and what is gone since the last time. The first extraction makes the ledger. URIs with
    a password belong into an environment variable that `registry.uri_env` names.

    Exit codes: 0 recorded; 2 incomplete, unreadable, or empty although models are known; 3 the
    registry holds no model.
    """
    from auditreg.cli.progress import progress
    from auditreg.sources import open_source

    where = uri or config.registry_uri()
    if not where:
        raise UsageError(
            "No registry is named.",
            state="Nothing was read.",
            hint="Give --from URI, or set registry.uri or registry.uri_env in auditreg.toml.",
        )
    source = open_source(
        where,
        registry=config.registry.name,
        artifacts=artifacts,
        manifest=manifest,
        auth_uri=auth_from,
    )
    book = the_ledger(config, ledger)
    with progress() as tell, source.read(runs=runs, progress=tell) as reading:
        location = reading.info.location
        done = record(
            reading,
            book,
            config,
            observed_at=moment(config, observed_at),
            allow_empty=allow_empty,
            progress=tell,
        )
    _say(done, location, book)
    if not done.complete:
        click.get_current_context().exit(int(ExitCode.ERROR))


def record(
    reading: Reading,
    ledger: Ledger,
    config: Config,
    *,
    observed_at: datetime | None = None,
    allow_empty: bool = False,
    progress: Tell | None = None,
) -> Ingested:
    """Take one reading into the ledger, under the policy in force."""
    from auditreg.api.governing import Governing
    from auditreg.ledger.ingest import ingest
    from auditreg.ledger.secrets import load_key

    policies = Governing.load(config).policies()
    key_file = config.secrets.key_file
    with ledger.writer() as con:
        return ingest(
            con,
            reading,
            registry=config.registry.name,
            key=load_key(config.resolve(key_file) if key_file else ledger.key_path),
            policies=policies,
            observed_at=observed_at,
            allow_empty=allow_empty,
            secret_patterns=config.secrets.patterns,
            progress=progress,
        )


def _say(done: Ingested, location: str, ledger: Ledger) -> None:
    """What was read, what changed, what this cannot know, and the next step."""
    counts = [
        f"{done.counts[kind]:,} {name}"
        + (f" ({done.prompts:,} of them prompts)" if kind == _MODEL and done.prompts else "")
        for kind, name in _NAMES.items()
        if done.counts.get(kind)
    ]
    _line("read", ", ".join(counts) or "nothing")
    _line("from", f"{inert(location)}, as of {done.observed_at:%Y-%m-%d %H:%M:%S}Z")
    if done.first:
        _line("changed", "everything is new: this is the first extraction of this registry")
    else:
        _line("changed", "; ".join(_changes(done)) or "nothing since the last extraction")
    for label, text in _journal(done):
        _line(label, text)
    left_out = [
        f"{count:,} {inert(what)}" for what, count in done.completeness.left_out.items() if count
    ]
    if done.completeness.tombstones:
        left_out.append(f"{done.completeness.tombstones:,} deleted versions, kept as such")
    if done.completeness.gaps:
        left_out.append(f"{done.completeness.gaps:,} version numbers with no version")
    if left_out:
        _line("left out", ", ".join(left_out))
    if done.secrets:
        _line("secrets", f"{done.secrets:,} values that look like credentials, kept as hashes only")
    for limit in done.cannot_show:
        _line("cannot show", inert(limit))
    if done.first and not done.journal:
        _line(
            "cannot know",
            "what was changed before now, and who changed it: MLflow overwrites stages, aliases "
            "and tags. From here on every extraction narrows it down.",
        )
    for note in ledger.notes:
        _line("note", inert(note))
    _line(
        "ledger",
        f"{ledger.path}: {done.appended:,} entries appended, {done.tree_size + 1:,} in all",
    )
    _line("root", f"{done.tree_size}:{done.root}")
    if done.complete:
        _line("next", "auditreg check")
        return
    for doubt in done.completeness.doubts:
        click.echo(f"{'doubt':<12} {inert(doubt)}", err=True)
    click.echo(
        f"{'incomplete':<12} What was read is recorded, nothing was taken as gone. Repair the cause "
        "and extract again.",
        err=True,
    )


_CLOCK_MS = 2_000
"""A server's clock may differ by so much before it is worth a line."""


def _journal(done: Ingested) -> list[tuple[str, str]]:
    """What the server's own journal added, and what it should have told of and did not."""
    lines = []
    if done.journal:
        lines.append(("captured", f"{done.captured:,} rows of the server's own journal are new"))
    if done.unexplained:
        unrecorded = (
            f"{done.unexplained:,} of them are not in the server's journal, made behind its back "
            "or while it was off: auditreg changes, auditreg capture status"
        )
        lines.append(("unrecorded", unrecorded))
    offset = done.clock_offset_ms or 0
    if abs(offset) > _CLOCK_MS:
        clock = (
            f"the server's is {abs(offset) / 1000:,.1f} s {'ahead' if offset > 0 else 'behind'}; "
            "its times are recorded as it wrote them"
        )
        lines.append(("clock", clock))
    return lines


def _changes(done: Ingested) -> list[str]:
    said = []
    for kind, name in _NAMES.items():
        put, gone = done.changes.get((kind, "put"), 0), done.changes.get((kind, "gone"), 0)
        if put or gone:
            said.append(f"{name}: {put:,} new or changed" + (f", {gone:,} gone" if gone else ""))
    return said


def _line(label: str, text: str) -> None:
    click.echo(f"{label:<12} {text}")


_STATUS = """
select registry, source, observed_at, complete, doubts,
       (select count(*) from registered_models m where m.registry = e.registry and not deleted)
           as models,
       (select count(*) from live_versions v where v.registry = e.registry) as live_versions,
       (select count(*) from findings f where f.registry = e.registry and f.open) as open_findings
from extractions e
qualify row_number() over (partition by registry order by seq desc) = 1
order by registry
"""


@click.command(epilog=examples("auditreg status", "auditreg status --max-age 36 --format json"))
@click.option(
    "--max-age",
    type=click.FloatRange(min=0),
    default=24,
    show_default=True,
    metavar="HOURS",
    help="A registry read longer ago is stale.",
)
@config_option
@ledger_option
@format_option()
def status(
    max_age: float, config: Config, ledger: Path | None, outputs: tuple[Output, ...]
) -> None:
    """Say how fresh and how complete the ledger is.

    One row per registry, about its last extraction. For schedulers and monitoring.

    Exit codes: 0 fresh; 1 stale; 2 the last extraction was incomplete; 3 there was none.
    """
    with the_ledger(config, ledger).reader() as con:
        cursor = con.execute(_STATUS)
        columns = [column[0] for column in cursor.description or ()]
        rows = [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]
    if not rows:
        raise NothingToAudit(
            "The ledger holds no extraction.",
            hint="auditreg extract --from URI",
        )
    now = datetime.now(UTC).replace(tzinfo=None)
    codes = [ExitCode.OK]
    shown = []
    for row in rows:
        age = now - row["observed_at"]
        stale = age > timedelta(hours=max_age)
        state = "stale" if stale else "fresh"
        codes.append(ExitCode.FINDINGS if stale else ExitCode.OK)
        if not row["complete"]:
            state = "incomplete"
            codes.append(ExitCode.ERROR)
        hours = round(age / timedelta(hours=1), 1)
        shown.append(
            (
                row["registry"],
                state,
                row["observed_at"],
                hours,
                row["source"],
                row["models"],
                row["live_versions"],
                row["open_findings"],
            )
        )
    names = ("registry", "state", "read", "hours_ago", "source", "models", "live", "open")
    emit_table(outputs, Table(names, shown))
    click.get_current_context().exit(int(worst(*codes)))
