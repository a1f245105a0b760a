"""What differs between the databases MLflow keeps its state in, one module for each."""

from auditreg.sources.dialects.interface import Dialect, Kept, Spelling
from auditreg.sources.dialects.mysql import MySQL
from auditreg.sources.dialects.postgresql import PostgreSQL
from auditreg.sources.dialects.sqlite import SQLite

__all__ = ["Dialect", "Kept", "MySQL", "PostgreSQL", "SQLite", "Spelling"]
