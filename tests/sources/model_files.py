"""The files of a saved model, as far as they are looked at."""

from __future__ import annotations

from pathlib import Path

MLMODEL = """\
artifact_path: model
flavors:
  python_function:
    env: {conda: conda.yaml, virtualenv: python_env.yaml}
    loader_module: mlflow.sklearn
    python_version: 3.11.7
  sklearn: {pickled_model: model.pkl, serialization_format: cloudpickle}
mlflow_version: 3.17.2
model_id: m-0123
model_size_bytes: 1234
run_id: 0123456789abcdef0123456789abcdef
saved_input_example_info: {artifact_path: input_example.json, type: dataframe}
signature:
  inputs: '[{"name": "age", "type": "long"}]'
  outputs: '[{"type": "double"}]'
  params: null
utc_time_created: '2026-09-01 10:00:00.000000'
"""


def model_folder(path: Path, mlmodel: str | bytes = MLMODEL) -> Path:
    """A saved model's files, as far as they are looked at."""
    path.mkdir(parents=True, exist_ok=True)
    raw = mlmodel if isinstance(mlmodel, bytes) else mlmodel.encode()
    (path / "MLmodel").write_bytes(raw)
    (path / "requirements.txt").write_text(
        "# made by mlflow\n--extra-index-url https://bob:hunter2@pypi.example/simple\nmlflow==3.17.2\nnumpy<3\n"
    )
    (path / "python_env.yaml").write_text("python: 3.11.7\n")
    (path / "input_example.json").write_text("{}")
    (path / "model.pkl").write_bytes(b"\x80\x04.")
    return path
