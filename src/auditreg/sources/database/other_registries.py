"""What MLflow registers beside models in the same database; auditreg names it and does not read it."""

from __future__ import annotations

from collections.abc import Iterator

from auditreg.sources.database.dialect import DatabaseConnection
from auditreg.sources.database.schema_versions import may_have

REGISTRIES = {
    "mcp_servers": ("MCP servers", "name"),
    "endpoints": ("AI Gateway endpoints", "endpoint_id"),
    "model_definitions": ("AI Gateway models", "model_definition_id"),
    "guardrails": ("guardrails", "guardrail_id"),
    "budget_policies": ("budget policies", "budget_policy_id"),
    "review_queues": ("review queues", "queue_id"),
    "label_schemas": ("label schemas", "schema_id"),
    "scorers": ("scorers", "scorer_id"),
    "evaluation_datasets": ("evaluation datasets", "dataset_id"),
    "webhooks": ("webhooks", "webhook_id"),
}
"""MLflow's table: what it registers, and a column that is never NULL."""


def unread_registries(database: DatabaseConnection, schema_version: str | None) -> Iterator[str]:
    """The other registries that hold something, or that this user may not look into, in one line."""
    counted, hidden = [], []
    for table, (name, key) in REGISTRIES.items():
        if key in database.columns(table):
            (count,) = database.numbers(f"select count(t.{key}) as n0 from {table} t")
            counted += [f"{name} ({count})"] if count else []
        elif may_have(table, schema_version) and database.denied(table, frozenset({key})):
            hidden.append(name)
    if hidden:
        counted.append(f"whatever this user may not look into ({', '.join(hidden)})")
    if counted:
        yield f"other registries in this database: {', '.join(counted)}"
