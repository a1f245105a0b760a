"""Generates an MLflow SQLite store of any size: MLflow's own schema, made-up rows.

Per 100,000 versions there are 5,000 models, 200,000 runs (every second one linked to a version),
2.0 million params, 1.6 million latest metrics, 1.2 million run tags, 200,000 logged data sets with
their context, 300,000 tags of versions, 20,000 tags of models and 5,000 aliases: 5.8 million rows.
The same arguments give the same rows. No artifact is on disk.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

VERSIONS_PER_MODEL = 20

TABLES = (
    "registered_models",
    "registered_model_tags",
    "model_versions",
    "model_version_tags",
    "registered_model_aliases",
    "experiments",
    "runs",
    "params",
    "latest_metrics",
    "tags",
    "datasets",
    "inputs",
    "input_tags",
)
"""MLflow's tables that hold the generated rows: what an extraction reads."""

_START_MS = 1_672_531_200_000  # 2023-01-01; versions follow each other over three years
_SPAN_MS = 3 * 365 * 86_400_000

_PARAMS = (
    "n_estimators",
    "max_depth",
    "learning_rate",
    "subsample",
    "colsample_bytree",
    "min_child_weight",
    "reg_lambda",
    "objective",
    "offset_column",
    "monotone_constraints",
)
_METRICS = (
    "gini_train",
    "gini_test",
    "deviance_train",
    "deviance_test",
    "mae_train",
    "mae_test",
    "lift_top_decile",
    "training_seconds",
)
_VERSION_TAGS = (
    ("gov.approval.by", 80, "'approver ' || (n * 7 % 12)"),
    ("gov.approval.at", 80, "day(n + 3)"),
    ("gov.validator", 60, "'validator ' || (n * 5 % 9)"),
    ("gov.validation.date", 60, "day(n)"),
    ("gov.change.ticket", 20, "'CHG-' || (100000 + n)"),
)
"""Key, share of versions that have it in per cent, and its value: three tags per version."""

_MODEL_TAGS = (
    ("gov.owner", "'owner ' || (m * 11 % 40)"),
    ("gov.purpose", "'Technical price of line ' || (m * 3 % 25)"),
    ("gov.risk.rating", "case m % 3 when 0 then 'high' when 1 then 'medium' else 'low' end"),
    ("gov.lob", "case m % 2 when 0 then 'motor' else 'property' end"),
)

# MLflow is imported in a process of its own: it is slow, logs, and keeps global state.
_EMPTY = """
import sys
from mlflow import MlflowClient
MlflowClient(sys.argv[1], sys.argv[1]).search_registered_models()
"""


def generate(path: Path, versions: int, *, live: str = "some", empty: Path | None = None) -> None:
    """Write a store to `path`, over whatever is there.

    Args:
        path: the SQLite file.
        versions: number of versions; there are twice as many runs.
        live: `some` for the newest version of each model, `all` for stage Production everywhere.
        empty: an empty store to begin with, made there if it is missing: MLflow takes seconds.
    """
    if live not in ("some", "all"):
        raise ValueError(f"live is 'some' or 'all', not {live!r}")
    draft = path.with_name(path.name + ".draft")
    if empty is None:
        _empty_store(draft)
    else:
        if not empty.exists():
            _empty_store(empty)
        shutil.copyfile(empty, draft)
    con = sqlite3.connect(draft, isolation_level=None)
    try:
        _fill(con, versions, live)
    finally:
        con.close()
    draft.replace(path)


def rows(path: Path) -> dict[str, int]:
    """Rows per table of `TABLES`."""
    con = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        return {t: con.execute(f"select count(*) from {t}").fetchone()[0] for t in TABLES}
    finally:
        con.close()


def make_schema(address: str) -> None:
    """Have the installed MLflow make its tables in a database.

    Raises:
        RuntimeError: it could not.
    """
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-c", _EMPTY, address],
            cwd=folder,  # MLflow makes its folder mlruns where it is started
            env={**os.environ, "MLFLOW_TRACKING_URI": address},
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        raise RuntimeError(f"MLflow could not make a store: {done.stderr[-2000:]}")


def _empty_store(path: Path) -> None:
    """An empty store with the schema of the installed MLflow."""
    path.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "empty.db"
        make_schema(f"sqlite:///{made}")
        shutil.move(made, path)


def _fill(con: sqlite3.Connection, versions: int, live: str) -> None:
    models = max(versions // VERSIONS_PER_MODEL, 1)
    con.create_function("hex32", 1, _hex32, deterministic=True)
    for pragma in (
        "journal_mode = off",  # a crash leaves a draft, never a store
        "synchronous = off",
        "locking_mode = exclusive",
        "cache_size = -800000",
        "temp_store = memory",
        "foreign_keys = off",  # checked below, all at once
    ):
        con.execute(f"pragma {pragma}")
    # Filling an index row by row in random order costs more than all the rest.
    indexes = con.execute(
        "select name, sql from sqlite_master where type = 'index' and sql is not null"
    ).fetchall()
    for name, _ in indexes:
        con.execute(f'drop index "{name}"')
    con.execute("begin")
    _numbers(con, versions, models)
    for statement in _statements(versions, live):
        con.execute(statement)
    con.execute("commit")
    for _, sql in indexes:
        con.execute(sql)
    broken = con.execute("pragma foreign_key_check").fetchone()
    if broken is not None:
        raise RuntimeError(f"the generated store breaks a foreign key: {broken}")
    con.execute("analyze")


def _hex32(text: str) -> str:
    """32 hexadecimal digits for a text: what MLflow's run ids look like."""
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def _numbers(con: sqlite3.Connection, versions: int, models: int) -> None:
    """Temporary tables everything else is computed from: v(n, m, ...), r(n, id, ...)."""
    con.execute("create temp table m (m integer primary key, name text, at integer)")
    con.execute(
        f"""
        with recursive s(m) as (select 0 union all select m + 1 from s where m < {models - 1})
        insert into m select m, 'price_' || case m % 2 when 0 then 'motor' else 'property' end
               || '_' || printf('%05d', m), {_START_MS} + m * 1000 from s
        """
    )
    con.execute(
        "create temp table r (n integer primary key, id text, experiment integer, at integer, "
        "h integer)"
    )
    # Linked runs are spread among the others: run 2n belongs to version n.
    con.execute(
        f"""
        with recursive s(n) as (select 0 union all select n + 1 from s where n < {2 * versions - 1})
        insert into r select n, hex32('run ' || n), 1 + (n / 2) % {models} % 50,
               {_START_MS} + cast(n as integer) * {_SPAN_MS} / {2 * versions},
               (n * 2654435761) % 1000003
        from s
        """
    )
    con.execute("create temp table v (n integer primary key, m integer, version integer)")
    # Version numbers rise with time, so a model's versions lie across the whole span.
    con.execute(
        f"""
        with recursive s(n) as (select 0 union all select n + 1 from s where n < {versions - 1})
        insert into v select n, n % {models}, 1 + n / {models} from s
        """
    )


def _day(n: str, versions: int) -> str:
    return f"date(({_START_MS} + ({n}) * {_SPAN_MS} / {versions}) / 1000 + 172800, 'unixepoch')"


def _statements(versions: int, live: str) -> list[str]:
    return [*_run_statements(), *_registry_statements(versions, live)]


def _run_statements() -> list[str]:
    params = " union all ".join(f"select {k} as k, '{key}' as key" for k, key in enumerate(_PARAMS))
    metrics = " union all ".join(
        f"select {k} as k, '{key}' as key" for k, key in enumerate(_METRICS)
    )
    tags = " union all ".join(
        f"select '{key}' as key, {k} as k"
        for k, key in enumerate(
            (
                "mlflow.user",
                "mlflow.source.name",
                "mlflow.source.type",
                "mlflow.source.git.commit",
                "mlflow.runName",
                "mlflow.log-model.history",
            )
        )
    )
    schema = (
        '{"mlflow_colspec": [{"type": "long", "name": "exposure_days"}, '
        '{"type": "double", "name": "sum_insured"}, {"type": "string", "name": "region"}, '
        '{"type": "long", "name": "claim_count"}, {"type": "double", "name": "claim_amount"}]}'
    )
    return [
        "delete from experiments",
        f"""
        insert into experiments (experiment_id, name, artifact_location, lifecycle_stage,
                                 creation_time, last_update_time, workspace)
        with recursive s(x) as (select 1 union all select x + 1 from s where x < 50)
        select x, 'pricing ' || x, '/nowhere/' || x, 'active', {_START_MS}, {_START_MS}, 'default'
        from s
        """,
        """
        insert into runs (run_uuid, name, source_type, source_name, entry_point_name, user_id,
                          status, start_time, end_time, source_version, lifecycle_stage,
                          artifact_uri, experiment_id)
        select id, 'fit ' || n, 'LOCAL', 'train.py', '', 'modeller ' || (h % 30), 'FINISHED', at,
               at + 60000 + h % 600000, '', 'active',
               '/nowhere/' || experiment || '/' || id || '/artifacts', experiment
        from r
        """,
        f"""
        insert into params (key, value, run_uuid)
        select p.key, case p.k
            when 7 then case h % 3 when 0 then 'tweedie' when 1 then 'poisson' else 'gamma' end
            when 8 then 'log_exposure'
            when 9 then '(' || (h % 2) || ', 0, ' || (h % 3 - 1) || ', 0, 0)'
            else printf('%.' || (p.k % 4) || 'f', (h * (p.k + 1) % 10007) / 13.0) end, r.id
        from r cross join ({params}) p
        """,
        f"""
        insert into latest_metrics (key, value, timestamp, step, is_nan, run_uuid)
        select p.key, (h * (p.k + 3) % 99991) / 99991.0, at + 50000 + p.k, p.k % 4, 0, r.id
        from r cross join ({metrics}) p
        """,
        f"""
        insert into tags (key, value, run_uuid)
        select p.key, case p.k
            when 0 then 'modeller ' || (h % 30)
            when 1 then 'pricing/train_' || (experiment % 7) || '.py'
            when 2 then 'LOCAL'
            when 3 then substr(hex32('commit ' || (n / 40)), 1, 32) || 'deadbeef'
            when 4 then 'fit ' || n
            else '[{{"run_id": "' || id || '", "artifact_path": "model", "flavors": '
                 || '{{"python_function": {{"loader_module": "mlflow.sklearn"}}}}}}]' end, r.id
        from r cross join ({tags}) p
        """,
        f"""
        insert into datasets (dataset_uuid, experiment_id, name, digest, dataset_source_type,
                              dataset_source, dataset_schema, dataset_profile)
        select hex32('data ' || experiment || ' ' || (n / 4000)), experiment,
               'claims ' || (n / 4000), substr(hex32('digest ' || (n / 4000)), 1, 8), 'local',
               '{{"uri": "/nowhere/claims.parquet"}}', '{schema}', '{{"num_rows": 250000}}'
        from r group by experiment, n / 4000
        """,
        """
        insert into inputs (input_uuid, source_type, source_id, destination_type, destination_id,
                            step)
        select hex32('input ' || n), 'DATASET', hex32('data ' || experiment || ' ' || (n / 4000)),
               'RUN', id, 0
        from r
        """,
        """
        insert into input_tags (input_uuid, name, value)
        select hex32('input ' || n), 'mlflow.data.context', 'training' from r
        """,
    ]


def _registry_statements(versions: int, live: str) -> list[str]:
    newest = "v.version = (select max(w.version) from temp.newest w where w.m = v.m)"
    stage = (
        "'Production'"
        if live == "all"
        else f"case when {newest} then 'Production' when v.version % 4 = 0 then 'Archived' "
        "else 'None' end"
    )
    version_tags = [
        f"""
        insert into model_version_tags (key, value, name, version, workspace)
        select '{key}', {
            value.replace("day(n + 3)", _day("v.n + 3", versions)).replace(
                "day(n)", _day("v.n", versions)
            )
        },
               m.name, v.version, 'default'
        from v join m using (m) where (v.n * 37 + {place} * 11) % 100 < {share}
        """
        for place, (key, share, value) in enumerate(_VERSION_TAGS)
    ]
    model_tags = [
        f"""
        insert into registered_model_tags (key, value, name, workspace)
        select '{key}', {value}, name, 'default' from m
        """
        for key, value in _MODEL_TAGS
    ]
    return [
        "create temp table newest as select m, max(version) as version from v group by m",
        "create unique index temp.newest_m on newest (m)",
        """
        insert into registered_models (name, creation_time, last_updated_time, description,
                                       workspace)
        select name, at, at, 'Technical price, ' || name, 'default' from m
        """,
        *model_tags,
        f"""
        insert into model_versions (name, version, creation_time, last_updated_time, description,
                                    user_id, current_stage, source, run_id, status,
                                    status_message, run_link, storage_location, workspace)
        select m.name, v.version, r.at + 700000, r.at + 800000,
               case when v.n % 3 = 0 then 'Refit of ' || m.name end, 'modeller ' || (r.h % 30),
               {stage}, '/nowhere/' || r.experiment || '/' || r.id || '/artifacts/model', r.id,
               'READY', null, null, null, 'default'
        from v join m using (m) join r on r.n = 2 * v.n
        """,
        *version_tags,
        """
        insert into registered_model_aliases (alias, version, name, workspace)
        select 'champion', w.version, m.name, 'default' from newest w join m using (m)
        """,
    ]
