"""Where registry state comes from: `open_source` picks the reader for an address."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from auditreg.errors import SourceError, redact_uri
from auditreg.sources.interface import Completeness, Reading, Source, SourceInfo

if TYPE_CHECKING:
    from auditreg.sources.database.dialect import DatabaseConnection
    from auditreg.sources.permissions import AccessReader

__all__ = ["Completeness", "Reading", "Source", "SourceInfo", "open_database", "open_source"]

_STATE = "Nothing was read or changed."
_ACCEPTED = (
    "Give sqlite:///relative.db, sqlite:////absolute/path.db, the path of an MLflow database "
    "file, postgresql://USER@HOST/DATABASE, mysql://USER@HOST/DATABASE, or the http(s) address of "
    "a tracking server."
)
_SERVERS = ("postgresql", "postgres", "mysql", "mariadb")
"""Databases that are read directly, besides SQLite."""


def open_source(
    uri: str,
    *,
    registry: str = "default",
    artifacts: str = "all",
    manifest: bool = False,
    threads: int = 8,
    auth_uri: str | None = None,
    auth_default: str | None = None,
    workspaces: Sequence[str] | None = None,
) -> Source:
    """The source behind an address. Nothing is opened yet: that is `Source.read`.

    Args:
        uri: `sqlite:///path` (three slashes relative, four absolute), a path to an existing
            database file, `postgresql://…`, `mysql://…` or `mariadb://…` as MLflow takes them, or
            `http(s)://…` of a tracking server.
        registry: the configured name of the registry, for messages only: a source never derives
            a name from its address.
        artifacts: whose model files are read: `all` versions that are not deleted, `live` (an
            alias, or a stage other than None and Archived), or `none`.
        manifest: also take the SHA-256 of every model file, which reads (and downloads) all of them.
        threads: how many requests or files are under way at once.
        auth_uri: the database of MLflow's basic-auth (`database_uri` of its basic_auth.ini). Without
            it users and rights are read where the registry's database or server shows them.
        auth_default: `default_permission` of that file, which no database holds.
        workspaces: those a server is asked for, None for all: that it does not show one of them to
            this user is a doubt. A database is read whole.

    Raises:
        SourceError: the address is of no kind this release reads.
    """
    from auditreg.sources.artifacts.reader import ArtifactReader

    if artifacts not in ("all", "live", "none"):
        raise SourceError(
            f"Artifacts of {artifacts!r} versions cannot be read.",
            state=_STATE,
            hint="Choose all, live or none.",
        )
    scheme = _scheme(uri)
    access = _access(auth_uri, auth_default)

    def reader(tracking_uri: str | None = None) -> ArtifactReader | None:
        if artifacts == "none":
            return None
        return ArtifactReader(
            versions=artifacts, manifest=manifest, threads=threads, tracking_uri=tracking_uri
        )

    if scheme in ("http", "https"):
        from auditreg.sources.server.source import RestSource

        return RestSource(
            uri, artifacts=reader(uri), access=access, threads=threads, workspaces=workspaces
        )
    if scheme.split("+")[0] == "sqlite":
        from auditreg.sources.database.source import SqlSource

        return SqlSource.sqlite(_sqlite_path(uri), artifacts=reader(), access=access)
    if scheme.split("+")[0] in _SERVERS:
        from auditreg.sources.database.source import SqlSource

        return SqlSource.server(uri, artifacts=reader(), access=access)
    if not scheme and Path(uri).is_file():
        from auditreg.sources.database.source import SqlSource

        return SqlSource.sqlite(uri, artifacts=reader(), access=access)
    raise _refusal(uri, scheme, registry)


def open_database(uri: str) -> DatabaseConnection:
    """The database at an address, in a snapshot, for a look at its tables; close it afterwards.

    Raises:
        SourceError: it cannot be opened, or the address is not a database's.
    """
    from auditreg.sources.database.source import SqlSource

    source = open_source(uri, artifacts="none")
    if not isinstance(source, SqlSource):
        raise SourceError(
            f"{redact_uri(uri)} is no database.",
            state=_STATE,
            hint="Give the address of the database behind the tracking server.",
        )
    return source.open()


def _access(uri: str | None, default: str | None) -> AccessReader:
    """The reader of users and rights, from a database of their own where one is named."""
    from auditreg.sources.permissions import PERMISSIONS, AccessReader

    if default is not None and default not in PERMISSIONS:
        raise SourceError(
            f"{default!r} is no permission MLflow knows.",
            state=_STATE,
            hint=f"Give the default_permission of basic_auth.ini: {', '.join(PERMISSIONS)}.",
        )
    if not uri:
        return AccessReader(default=default)
    file = _sqlite_path(uri) if _scheme(uri).split("+")[0] == "sqlite" else None
    if file is None and not _scheme(uri) and Path(uri).is_file():
        file = uri
    return AccessReader(lambda: open_database(uri), file=file, default=default)


def _scheme(uri: str) -> str:
    # One letter before a colon is a Windows drive.
    match = re.match(r"([A-Za-z][A-Za-z0-9+.-]+):", uri)
    return match.group(1).lower() if match else ""


def _sqlite_path(uri: str) -> str:
    rest = uri.split(":", 1)[1]
    path = rest[3:].split("?")[0] if rest.startswith("///") else ""
    if path in ("", ":memory:", "/"):
        raise SourceError(
            f"{redact_uri(uri)} names no database file.", state=_STATE, hint=_ACCEPTED
        )
    return path


def _refusal(uri: str, scheme: str, registry: str) -> SourceError:
    shown = redact_uri(uri)
    database = scheme.partition("+")[0]
    if database in ("mssql", "oracle"):
        return SourceError(
            f"{shown}: {database} databases are not read directly.",
            state=_STATE,
            hint="Read the registry through its tracking server: http(s)://….",
        )
    if scheme == "file" or (uri and not scheme and Path(uri).is_dir()):
        return SourceError(
            f"{shown} is a folder: MLflow's file store keeps no registry that can be read as one.",
            state=_STATE,
            hint="Give the database of the tracking server, or its http(s) address; start one "
            f"on the folder with `mlflow server --backend-store-uri {shown}`.",
        )
    if scheme.startswith(("databricks", "uc")):
        return SourceError(
            f"{shown}: Databricks registries are not read by this release.",
            state=_STATE,
            hint="Copy the registry into an MLflow server, for instance with mlflow-export-import, "
            "and give its http(s) address; docs/sources.md says what is known.",
        )
    if not scheme:
        what = f"There is no file {shown}" if uri else f"No address is given for {registry!r}"
        return SourceError(
            f"{what}.", state="Nothing was read, and no file was made.", hint=_ACCEPTED
        )
    return SourceError(
        f"{shown}: addresses of scheme {scheme} are not read.", state=_STATE, hint=_ACCEPTED
    )
