"""Where registry state comes from: `open_source` picks the reader for the settings of a source."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from auditreg.config.settings import SourceSettings
from auditreg.config.sources import address, auth_address, tracking_address
from auditreg.errors import SourceError, redact_uri
from auditreg.sources.addresses import (
    NOTHING_DONE,
    is_server_database,
    refusal,
    scheme_of,
    sqlite_file,
)
from auditreg.sources.interface import Completeness, Reading, Source, SourceInfo

if TYPE_CHECKING:
    from auditreg.sources.artifacts.reader import ArtifactReader
    from auditreg.sources.database.dialect import DatabaseConnection
    from auditreg.sources.permissions import AccessReader

__all__ = ["Completeness", "Reading", "Source", "SourceInfo", "open_database", "open_source"]


def open_source(
    settings: SourceSettings | str,
    *,
    artifacts: str | None = None,
    manifest: str | None = None,
    threads: int = 8,
) -> Source:
    """The source that settings describe. Nothing is opened yet: that is `Source.read`.

    Args:
        settings: a `[[source]]` of `auditreg.toml`, or its address alone: `sqlite:///path` (three
            slashes relative, four absolute), a path to an existing database file, `postgresql://…`,
            `mysql://…` or `mariadb://…` as MLflow takes them, or `http(s)://…` of a tracking server.
        artifacts: whose model files are read, instead of what the settings say: `all` versions that
            are not deleted, `live` (an alias, or a stage other than None and Archived), or `none`.
        manifest: of which versions every file is hashed, instead of what the settings say: `local`
            (live ones on this machine's disks), `live`, `all`, or `none`.
        threads: how many requests or files are under way at once.

    Raises:
        SourceError: the address is of no kind this release reads.
    """
    if isinstance(settings, str):
        settings = SourceSettings(uri=settings)
    uri, tracking = address(settings) or "", tracking_address(settings)
    access = _access(settings)
    artifacts = artifacts or settings.artifacts
    files = _artifact_reader(
        artifacts,
        manifest=manifest or settings.manifest,
        threads=threads,
        server=uri if scheme_of(uri) in ("http", "https") else None,
    )
    if scheme_of(uri) in ("http", "https"):
        from auditreg.sources.server.source import RestSource

        if tracking:
            raise SourceError(
                f"{redact_uri(uri)} is a server, which shows runs itself.",
                state=NOTHING_DONE,
                hint="Leave tracking_uri out: it is for a registry that is read from its database.",
            )
        only = settings.workspaces.only or None
        return RestSource(uri, artifacts=files, access=access, threads=threads, workspaces=only)
    from auditreg.sources.database.source import SqlSource

    return SqlSource(
        _connector(uri, settings.name),
        artifacts=files,
        access=access,
        tracking=_connector(tracking, settings.name) if tracking else None,
        tracking_file=sqlite_file(tracking) if tracking else None,
    )


def open_database(uri: str) -> DatabaseConnection:
    """The database at an address, in a snapshot, for a look at its tables; close it afterwards.

    Raises:
        SourceError: it cannot be opened, or the address is not a database's.
    """
    if scheme_of(uri) in ("http", "https"):
        raise SourceError(
            f"{redact_uri(uri)} is no database.",
            state=NOTHING_DONE,
            hint="Give the address of the database behind the tracking server.",
        )
    return _connector(uri, "default")()


def _connector(uri: str, registry: str) -> Callable[[], DatabaseConnection]:
    """What opens the database at an address.

    Raises:
        SourceError: the address is not a database's that is read.
    """
    path = sqlite_file(uri)
    if path is not None:
        from auditreg.sources.database.sqlite import SQLite

        return lambda: SQLite(path)
    if not is_server_database(uri):
        raise refusal(uri, registry)
    from auditreg.sources.database.mysql import MySQL
    from auditreg.sources.database.postgresql import PostgreSQL

    return lambda: PostgreSQL(uri) if uri.lower().startswith("postgres") else MySQL(uri)


def _artifact_reader(
    versions: str, *, manifest: str, threads: int, server: str | None
) -> ArtifactReader | None:
    """The reader of model files; None where none are read."""
    from auditreg.sources.artifacts.reader import MANIFESTS, ArtifactReader

    if versions not in ("all", "live", "none"):
        raise SourceError(
            f"Artifacts of {versions!r} versions cannot be read.",
            state=NOTHING_DONE,
            hint="Choose all, live or none.",
        )
    if manifest not in MANIFESTS:
        raise SourceError(
            f"Files of {manifest!r} versions cannot be hashed.",
            state=NOTHING_DONE,
            hint="Choose local, live, all or none.",
        )
    if versions == "none":
        return None
    return ArtifactReader(
        versions=versions, manifest=manifest, threads=threads, tracking_uri=server
    )


def _access(settings: SourceSettings) -> AccessReader:
    """The reader of users and rights, from a database of their own where one is named."""
    from auditreg.sources.database.permissions import separate_rights
    from auditreg.sources.permissions import PERMISSIONS, AccessReader

    uri, default = auth_address(settings), settings.auth_default
    if default is not None and default not in PERMISSIONS:
        raise SourceError(
            f"{default!r} is no permission MLflow knows.",
            state=NOTHING_DONE,
            hint=f"Give the default_permission of basic_auth.ini: {', '.join(PERMISSIONS)}.",
        )
    if not uri:
        return AccessReader(default=default)
    return AccessReader(
        lambda: separate_rights(lambda: open_database(uri), default), sqlite_file(uri), default
    )
