"""Reading registries into the ledger: which, from where, and what came of each."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol, cast

from auditreg.errors import AuditregError, UsageError
from auditreg.ledger.result import ExtractionResult

if TYPE_CHECKING:
    import pyarrow as pa

    from auditreg.config import Config, SourceSettings
    from auditreg.ledger.ingest import IngestSummary
    from auditreg.ledger.store import Ledger
    from auditreg.sources import Reading

log = logging.getLogger("auditreg.extract")

MLFLOW_URI = "MLFLOW_TRACKING_URI"
"""Where MLflow's own programs find their registry."""


class ExtractObserver(Protocol):
    """What is told while a registry is read."""

    def phase(self, phase: str, done: int, total: int | None) -> None:
        """A phase, and how far it is."""
        ...

    def registry(self, name: str) -> None:
        """Another registry begins; empty where it is the only one."""
        ...

    def rows(self, table: str, number: int) -> None:
        """So many rows of a staging table were read so far."""
        ...


@dataclass(frozen=True, slots=True)
class ExtractOptions:
    """What an extraction is asked for, beside what the settings of a source say.

    None leaves the settings. `observed_at` is UTC; with it model files are looked at only where
    `artifacts` says so: a restored database points to the files of today. Of `names`, where there are
    any, only those models are read: for a ledger that is thrown away.
    """

    runs: str | None = None
    artifacts: str | None = None
    manifest: str | None = None
    observed_at: datetime | None = None
    allow_empty: bool = False
    allow_replacement: bool = False
    names: tuple[str, ...] = ()


def targets(
    config: Config,
    names: Sequence[str] = (),
    *,
    uri: str | None = None,
    registry: str | None = None,
    tracking_uri: str | None = None,
    auth_uri: str | None = None,
) -> tuple[SourceSettings, ...]:
    """The sources to read: those named, the one at `uri`, or all that are configured.

    What is read from a `uri` of its own keeps the settings of its registry, without the addresses of
    the tracking and the user database, which are of another moment, unless they are given too.

    Raises:
        UsageError: nothing is named, a name is unknown, or nothing says whose `uri` is.
    """
    from auditreg.config import sources

    _refuse_addresses_alone(uri, tracking_uri, auth_uri)
    if uri is not None:
        return (_source_at(config, uri, registry, tracking_uri, auth_uri),)
    if registry is not None:
        raise UsageError(
            "--registry says whose registry is at --from.",
            state="Nothing was read.",
            hint=f"Give --from URI too, or choose a source: --source {registry}.",
        )
    if names:
        return tuple(sources.named(config.source, name) for name in dict.fromkeys(names))
    configured = tuple(s for s in config.source if s.uri or s.uri_env)
    if not configured:
        raise UsageError(
            "No registry is named.",
            state="Nothing was read.",
            hint=_of_environment()
            or "Give --from URI, or set uri or uri_env of a [[source]] in auditreg.toml.",
        )
    return configured


def _refuse_addresses_alone(
    uri: str | None, tracking_uri: str | None, auth_uri: str | None
) -> None:
    for option, address, setting in (
        ("--tracking-from", tracking_uri, "tracking_uri"),
        ("--auth-from", auth_uri, "auth_uri"),
    ):
        if address is not None and uri is None:
            raise UsageError(
                f"{option} goes with --from.",
                state="Nothing was read.",
                hint=f"A source names that database in auditreg.toml: {setting} or {setting}_env.",
            )


def _source_at(
    config: Config,
    uri: str,
    registry: str | None,
    tracking_uri: str | None,
    auth_uri: str | None,
) -> SourceSettings:
    """The settings of the registry at `uri`, with the addresses given beside it."""
    from msgspec import structs

    from auditreg.config import SourceSettings

    name = config.registry(registry, uri=uri)
    known = next((s for s in config.source if s.name == name), SourceSettings(name=name))
    if known.uri_env is None and known.uri == uri and auth_uri is tracking_uri is None:
        return known
    default = None if auth_uri is None else known.auth_default
    return structs.replace(
        known, uri=uri, uri_env=None, auth_uri=auth_uri, auth_uri_env=None,
        auth_default=default, tracking_uri=tracking_uri, tracking_uri_env=None,
    )  # fmt: skip


def _of_environment() -> str:
    """How to read the registry MLflow's own programs would use, where one is set."""
    if not os.environ.get(MLFLOW_URI):
        return ""
    return (
        f'{MLFLOW_URI} is set, which is not read unasked: give --from "${MLFLOW_URI}", or set '
        f'uri_env = "{MLFLOW_URI}" of a [[source]] in auditreg.toml.'
    )


def extract(
    source: SourceSettings,
    config: Config,
    ledger: Ledger,
    options: ExtractOptions,
    watch: ExtractObserver,
) -> ExtractionResult:
    """Read one registry and take it into the ledger.

    Raises:
        AuditregError: it cannot be read or recorded; the ledger is as it was.
    """
    from auditreg.sources import open_source

    if not (source.uri or source.uri_env):
        raise UsageError(
            f"The source {source.name} names no address.",
            state="Nothing was read.",
            hint="Set its uri or uri_env in auditreg.toml, or give --from URI.",
        )
    opened = open_source(source, artifacts=_artifacts(source, options), manifest=options.manifest)
    started = time.monotonic()
    log.info("started", extra={"fields": {"registry": source.name}})
    watch.phase("connecting", 0, None)
    runs = options.runs or source.runs
    with opened.read(runs=runs, names=options.names, progress=watch.phase) as reading:
        watched = ObservedReading(reading, source.name, watch)
        done = record(
            cast("Reading", watched),
            ledger,
            config,
            registry=source.name,
            source=source,
            options=options,
            watch=watch,
        )
        info = reading.info
    outcome = ExtractionResult(
        source.name, done, info, None, time.monotonic() - started, watched.read, _notes(ledger)
    )
    log.info(
        outcome.status,
        extra={
            "fields": {
                "registry": source.name,
                "source": info.kind,
                "complete": done.complete,
                "appended": done.appended,
                "root": f"{done.tree_size}:{done.root}",
                "seconds": round(outcome.seconds, 3),
            }
        },
    )
    return outcome


def _artifacts(source: SourceSettings, options: ExtractOptions) -> str:
    if options.artifacts is None and options.observed_at is not None:
        return "none"
    return options.artifacts or source.artifacts


def extract_each(
    chosen: Sequence[SourceSettings],
    config: Config,
    ledger: Ledger,
    options: ExtractOptions,
    watch: ExtractObserver,
) -> Iterator[ExtractionResult]:
    """Read the sources one after the other; what one of several fails with stops no other.

    Each is sealed by itself, so what was recorded stays recorded.
    """
    for source in chosen:
        watch.registry(source.name if len(chosen) > 1 else "")
        started = time.monotonic()
        try:
            yield extract(source, config, ledger, options, watch)
        except Exception as error:
            if len(chosen) == 1 and not isinstance(error, AuditregError):
                raise
            failure = (
                error
                if isinstance(error, AuditregError)
                else unexpected(error, f"Nothing was recorded of {source.name}.")
            )
            log.error(  # noqa: TRY400 - the text says it all; where it was raised does not matter
                "failed", extra={"fields": {"registry": source.name, "error": failure.what}}
            )
            yield ExtractionResult(
                source.name,
                error=failure,
                seconds=time.monotonic() - started,
                notes=_notes(ledger),
            )


def unexpected(error: Exception, state: str) -> AuditregError:
    """An error nobody foresaw, in the form of ours, so that what comes after goes on."""
    log.debug("where it was raised", exc_info=error)
    if isinstance(error, OSError):
        place = f"{error.filename}: " if error.filename else ""
        return AuditregError(
            f"{place}{error.strerror or error}.",
            state=state,
            hint="Check that the place exists, can be written to and has space left.",
        )
    return AuditregError(
        f"{type(error).__name__}: {error}",
        state=state,
        hint="This is a bug in auditreg. Please report it with the output of -vv.",
    )


def record(
    reading: Reading,
    ledger: Ledger,
    config: Config,
    *,
    registry: str,
    source: SourceSettings | None = None,
    options: ExtractOptions | None = None,
    watch: ExtractObserver | None = None,
) -> IngestSummary:
    """Take one reading into the ledger, under the policy in force.

    Args:
        reading: an open reading.
        ledger: the ledger; made where there is none.
        config: the settings.
        registry: the registry's name.
        source: the settings of the registry, which say whose workspaces are taken in.
        options: what the extraction is asked for.
        watch: told about phases.
    """
    from auditreg.ledger.ingest import ingest
    from auditreg.ledger.workspaces import Workspaces
    from auditreg.workflows.policy import PolicySet

    options = options or ExtractOptions()
    choice = source.workspaces if source else None
    policies = PolicySet.load(config).policies()
    if watch:
        watch.phase("preparing the ledger", 0, None)
    with ledger.writer() as con:
        return ingest(
            con,
            reading,
            registry=registry,
            key=ledger.key(config.key_file),
            policies=policies,
            observed_at=options.observed_at,
            allow_empty=options.allow_empty,
            allow_replacement=options.allow_replacement
            or bool(source and source.allow_replacement),
            secret_patterns=config.secrets.patterns,
            workspaces=Workspaces(choice.only, choice.except_) if choice else None,
            progress=watch.phase if watch else None,
        )


class ObservedReading:
    """A reading whose rows are counted as they pass."""

    def __init__(self, reading: Reading, registry: str, watch: ExtractObserver) -> None:
        self._reading = reading
        self._registry = registry
        self._watch = watch
        self.read: dict[str, int] = {}

    def table(self, name: str) -> Iterator[pa.RecordBatch]:
        """See `Reading.table`."""
        started, number = time.monotonic(), 0
        for batch in self._reading.table(name):
            number += batch.num_rows
            self._watch.rows(name, number)
            yield batch
        self.read[name] = number
        if number:
            fields = {
                "registry": self._registry,
                "phase": "reading",
                "table": name,
                "rows": number,
                "seconds": round(time.monotonic() - started, 3),
            }
            log.info("table", extra={"fields": fields})

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reading, name)


def _notes(ledger: Ledger) -> tuple[str, ...]:
    notes = tuple(ledger.notes)
    ledger.notes.clear()
    return notes
