"""Addresses of registries: their scheme, the file behind them, and why one is not read."""

from __future__ import annotations

import re
import shlex
import stat
from pathlib import Path
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

from auditreg.errors import SourceError, redact_uri

NOTHING_DONE = "Nothing was read or changed."
_ACCEPTED = (
    "Give sqlite:///relative.db, sqlite:////absolute/path.db, the path of an MLflow database "
    "file, postgresql://USER@HOST/DATABASE, mysql://USER@HOST/DATABASE, or the http(s) address of "
    "a tracking server."
)
_NO_FILE = "Nothing was read, and no file was made."
_DATABASES = ("postgresql", "postgres", "mysql", "mariadb")


def scheme_of(uri: str) -> str:
    """The scheme of an address in lower case; empty for a path."""
    # One letter before a colon is a Windows drive.
    match = re.match(r"([A-Za-z][A-Za-z0-9+.-]+):", uri)
    return match.group(1).lower() if match else ""


def is_server_database(uri: str) -> bool:
    """Whether an address is that of a PostgreSQL, MySQL or MariaDB database."""
    return scheme_of(uri).split("+")[0] in _DATABASES


def sqlite_file(uri: str) -> str | None:
    """The path of the SQLite file an address names; None where it names something else.

    Raises:
        SourceError: it begins like the address of an SQLite file and names none.
    """
    scheme = scheme_of(uri)
    if not scheme:
        return uri if _may_be_file(uri) else None
    if scheme.split("+")[0] != "sqlite":
        return None
    rest = uri.split(":", 1)[1]
    path = rest[3:].split("?")[0] if rest.startswith("///") else ""
    if path in ("", ":memory:", "/"):
        raise SourceError(
            f"{redact_uri(uri)} names no database file.", state=NOTHING_DONE, hint=_ACCEPTED
        )
    return path


def _may_be_file(path: str) -> bool:
    """Whether a path is a file's, also where this user may not look: opening it says why."""
    try:
        return stat.S_ISREG(Path(path).stat().st_mode)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return False
    except OSError:
        return True


def refusal(uri: str, registry: str) -> SourceError:
    """Why an address is not read, and what to do instead."""
    shown, scheme = redact_uri(uri), scheme_of(uri)
    database = scheme.partition("+")[0]
    if database in ("mssql", "oracle"):
        return SourceError(
            f"{shown}: {database} databases are not read directly.",
            state=NOTHING_DONE,
            hint="Read the registry through its tracking server: http(s)://….",
        )
    if scheme == "file" or (uri and not scheme and Path(uri).is_dir()):
        return _folder(uri, shown)
    # The bare words are MLflow's own for its registries on Databricks.
    if (scheme or uri.lower()) in ("databricks", "databricks-uc", "uc"):
        return SourceError(
            f"{shown}: Databricks registries are not read by this release.",
            state=NOTHING_DONE,
            hint="Copy the registry into an MLflow server, for instance with mlflow-export-import, "
            "and give its http(s) address; docs/sources.md says what is known.",
        )
    if not scheme:
        what = f"There is no file {shown}" if uri else f"No address is given for {registry!r}"
        return SourceError(f"{what}.", state=_NO_FILE, hint=_ACCEPTED)
    return SourceError(
        f"{shown}: addresses of scheme {scheme} are not read.", state=NOTHING_DONE, hint=_ACCEPTED
    )


def _folder(uri: str, shown: str) -> SourceError:
    """What to say of a folder: it is not there, is MLflow's file store, or is something else."""
    folder = Path(_local_path(uri) if scheme_of(uri) else uri)
    try:
        folder.stat()
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return SourceError(f"There is no folder {folder}.", state=_NO_FILE, hint=_ACCEPTED)
    except OSError as error:
        what = f"{folder} cannot be looked into: {error.strerror}."
        return SourceError(what, state=NOTHING_DONE, hint="Check who may read the folder.")
    experiments, models = _file_store(folder)
    if not experiments and not models:
        return SourceError(
            f"{shown} is a folder, and MLflow's database is a file.",
            state=NOTHING_DONE,
            hint=_ACCEPTED,
        )
    return SourceError(
        f"{shown} is a folder of MLflow's file store ({counted(experiments, 'experiment')}, "
        f"{counted(models, 'registered model')}), which auditreg does not read.",
        state=NOTHING_DONE,
        hint="Copy it into a database with MLflow 3.10 or newer and read that; the folder stays as "
        f"it is: `mlflow migrate-filestore --source {shlex.quote(str(folder))} --target "
        "sqlite:///mlflow.db`, then `auditreg extract --from sqlite:///mlflow.db`.",
    )


def _local_path(uri: str) -> str:
    parts = urlsplit(uri)
    path = url2pathname(parts.path) if parts.path else unquote(uri.partition(":")[2])
    return path or "/"


def _file_store(folder: Path) -> tuple[int, int]:
    """How many experiments and registered models a folder of MLflow's file store holds."""
    try:
        experiments = sum(1 for _ in folder.glob("*/meta.yaml"))
        models = sum(1 for _ in folder.glob("models/*/meta.yaml"))
    except OSError:
        return 0, 0
    return experiments, models


def counted(count: int, noun: str) -> str:
    """A number with its noun, which takes an s where it is not 1."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
