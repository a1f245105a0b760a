"""What works here of reading registries: MLflow's client, database drivers, stores of model files.

A package of an extra that is missing is no fault: it is said what cannot be read without it, and the
command that brings it.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass

from auditreg.cli import health, repairs
from auditreg.cli.health import DoctorCheck, DoctorStatus


def mlflow_client() -> DoctorCheck:
    """MLflow's client, in a child: two distributions share one folder and can break each other."""
    installed = [
        f"{name} {version}"
        for name in ("mlflow", "mlflow-skinny")
        if (version := health.version(name)) is not None
    ]
    worked, output = health.in_child("from mlflow import MlflowClient; print('imported')")
    if worked:
        return DoctorCheck("MLflow client", DoctorStatus.OK, ", ".join(installed))
    means = "A tracking server cannot be read; all else works."
    if installed:
        # NOTE: uninstalling mlflow takes away the files it shares with mlflow-skinny.
        means = f"{', '.join(installed)} is installed, but its files are incomplete. {means}"
    repair = "pip install --force-reinstall --no-deps mlflow-skinny"
    return DoctorCheck("MLflow client", DoctorStatus.MISSING, output, means, repair)


def sqlite() -> DoctorCheck:
    """The driver auditreg itself depends on, tried out."""
    worked, output = health.in_child(
        "import adbc_driver_sqlite.dbapi as d\n"
        "with d.connect(':memory:') as c, c.cursor() as k:\n"
        "    k.execute('select 1'); assert k.fetchone() == (1,)"
    )
    if worked:
        found = f"adbc-driver-sqlite {health.version('adbc-driver-sqlite')}"
        return DoctorCheck("SQLite", DoctorStatus.OK, found)
    return DoctorCheck(
        "SQLite",
        DoctorStatus.MISSING,
        output,
        "MLflow's database cannot be read; a tracking server can.",
        repairs.reinstall("adbc-driver-manager", "adbc-driver-sqlite", "pyarrow"),
    )


@dataclass(frozen=True)
class _Optional:
    """A kind of source that needs packages beyond auditreg's own.

    `modules` must all be there, and one of `either`; pairs of (module, distribution).
    """

    name: str
    needs: str
    modules: tuple[tuple[str, str], ...]
    repair: str
    either: tuple[tuple[str, str], ...] = ()

    def check(self) -> DoctorCheck:
        """Whether its packages are there, and load."""
        missing = [dist for module, dist in self.modules if not _there(module)]
        chosen = [(m, d) for m, d in self.either if _there(m)][:1]
        if self.either and not chosen:
            missing.append(" or ".join(dist for _, dist in self.either))
        if missing:
            return DoctorCheck(
                self.name,
                DoctorStatus.OPTIONAL,
                f"not installed: {', '.join(missing)}",
                f"{self.needs} cannot be read.",
                self.repair,
            )
        used = (*self.modules, *chosen)
        worked, output = health.in_child("\n".join(f"import {module}" for module, _ in used))
        if not worked:
            dists = [dist for _, dist in used]
            return DoctorCheck(
                self.name,
                DoctorStatus.WARNING,
                output,
                f"{self.needs} cannot be read.",
                repairs.reinstall(*dists),
            )
        found = ", ".join(
            f"{dist} {health.version(dist) or '(version unknown)'}" for _, dist in used
        )
        return DoctorCheck(self.name, DoctorStatus.OK, found)


_SQLALCHEMY = ("sqlalchemy", "SQLAlchemy")
_OPTIONAL = (
    _Optional(
        "PostgreSQL",
        "An MLflow database in PostgreSQL",
        (("adbc_driver_postgresql.dbapi", "adbc-driver-postgresql"),),
        "pip install 'auditreg[postgresql]'",
    ),
    _Optional(
        "MySQL, MariaDB",
        "An MLflow database in MySQL or MariaDB",
        (_SQLALCHEMY,),
        "pip install 'auditreg[mysql]'",
        either=(("pymysql", "PyMySQL"), ("MySQLdb", "mysqlclient")),
    ),
    _Optional("S3", "Model files in S3", (("boto3", "boto3"),), "pip install 'auditreg[s3]'"),
    _Optional(
        "Google Cloud",
        "Model files in Google Cloud Storage",
        (("google.cloud.storage", "google-cloud-storage"),),
        "pip install google-cloud-storage",
    ),
    _Optional(
        "Azure",
        "Model files in Azure Blob Storage",
        (("azure.storage.blob", "azure-storage-blob"), ("azure.identity", "azure-identity")),
        "pip install azure-storage-blob azure-identity",
    ),
)


def optional() -> list[DoctorCheck]:
    """One answer for each kind of source that needs packages beyond auditreg's own."""
    return [kind.check() for kind in _OPTIONAL]


def _there(module: str) -> bool:
    """Whether a module can be found, without running more of it than its parents."""
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False
