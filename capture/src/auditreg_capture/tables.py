"""The journal's table, and the statements that create it on each database."""

from __future__ import annotations

from typing import Any, Dict, List

import sqlalchemy as sa
from sqlalchemy.dialects import mssql, mysql, postgresql, sqlite
from sqlalchemy.schema import CreateIndex, CreateTable

from auditreg_capture.errors import CaptureError

NAME = "auditreg_journal"
DIALECTS = ("sqlite", "postgresql", "mysql", "mariadb", "mssql")

# Of its own, so that MLflow's check of its tables does not expect this one.
metadata = sa.MetaData()

_TEXT = (
    sa.Text().with_variant(mysql.LONGTEXT(), "mysql", "mariadb")
    if sa.__version__ >= "2"
    else (
        sa.Text().with_variant(mysql.LONGTEXT(), "mysql").with_variant(mysql.LONGTEXT(), "mariadb")
    )
)

journal = sa.Table(
    NAME,
    metadata,
    # SQLite counts up for ever only for an INTEGER with AUTOINCREMENT: no id is given twice.
    sa.Column(
        "id",
        sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
        primary_key=True,
        autoincrement=True,
    ),
    sa.Column("server_time", sa.BigInteger(), nullable=False),
    sa.Column("request", sa.String(36), nullable=False),
    sa.Column("process", sa.String(36), nullable=False),
    sa.Column("operation", sa.String(16), nullable=False),
    sa.Column("table_name", sa.String(64)),
    sa.Column("workspace", sa.String(63)),
    sa.Column("name", sa.String(256)),
    sa.Column("version", sa.Integer()),
    sa.Column("item", sa.String(256)),
    sa.Column("model_created", sa.BigInteger()),
    sa.Column("before_row", _TEXT),
    sa.Column("after_row", _TEXT),
    sa.Column("actor", sa.String(256)),
    sa.Column("actor_from", sa.String(32)),
    sa.Column("claimed", sa.String(256)),
    sa.Column("path", sa.String(512)),
    sa.Column("method", sa.String(16)),
    sa.Column("client", sa.String(64)),
    # Finds what is not a change among millions of changes, and on SQLite the ids without the images.
    sa.Index(f"{NAME}_operation", "operation"),
    sqlite_autoincrement=True,
    mysql_engine="InnoDB",
    mysql_charset="utf8mb4",
    mariadb_engine="InnoDB",
    mariadb_charset="utf8mb4",
)

COLUMNS = tuple(column.name for column in journal.columns)
WIDTHS: Dict[str, int] = {
    column.name: column.type.length
    for column in journal.columns
    if isinstance(column.type, sa.String) and column.type.length
}


def _create_statements(dialect: Any) -> List[str]:
    elements: List[Any] = [CreateTable(journal), *(CreateIndex(index) for index in journal.indexes)]
    return [str(element.compile(dialect=dialect)).strip() for element in elements]


def ddl(dialect: str) -> str:
    """What a database administrator runs where the server's user may not create tables."""
    modules = {
        "sqlite": sqlite,
        "postgresql": postgresql,
        "mysql": mysql,
        "mariadb": mysql,
        "mssql": mssql,
    }
    if dialect not in modules:
        raise CaptureError(f"There is no dialect {dialect!r}; there are {', '.join(DIALECTS)}.")
    statements = _create_statements(modules[dialect].dialect()) + _grants(dialect)
    return "".join(f"{statement};\n" for statement in statements)


def _grants(dialect: str) -> List[str]:
    if dialect == "sqlite":
        return []
    comment = "-- Put the MLflow server's database user in place of mlflow.\n"
    if dialect == "postgresql":
        return [
            f"{comment}GRANT SELECT, INSERT ON {NAME} TO mlflow",
            f"GRANT USAGE ON SEQUENCE {NAME}_id_seq TO mlflow",
        ]
    user = "'mlflow'@'%'" if dialect in ("mysql", "mariadb") else "mlflow"
    return [f"{comment}GRANT SELECT, INSERT ON {NAME} TO {user}"]
