"""Fills a registry as the people of an MLflow release did, with that release's own client.

    python story.py TRACKING-URI FOLDER [MODELS]

Runs under every release from 2.3 on, so it uses MLflow and the standard library only, and asks
the client what it can do. Artifacts go to FOLDER/artifacts. What the registry must hold in the
end is written to FOLDER/truth.json: from what was asked of MLflow, never from what anybody read.
"""

from __future__ import annotations

import inspect
import json
import math
import random
import sys
from pathlib import Path
from typing import Any

import mlflow
import mlflow.pyfunc
from mlflow import MlflowClient
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, Schema

LINES = ("motor", "home", "travel", "liability", "pet", "marine")
PARTS = ("frequency", "severity", "retention", "demand", "fraud", "reserve")
HOSTILE = "q\"uo'te %_\\ <b>\u00fcn\u00ef\u202e\U0001f9ea ;--"
KEY = "odd key/1.2-x_y"
"""A name of a tag or parameter with everything MLflow lets such names hold."""
LONG = "first\nsecond\r\n\tthird " * 40
SCRIPT = "pricing/train.py"
MOMENT = 1_700_000_000_000
METRICS = {
    "auc": 0.1 + 0.2, "gini": 1e-300, "zero": 0.0, "nan": math.nan, "inf": math.inf, "ninf": -math.inf,
}  # fmt: skip


class Rate(mlflow.pyfunc.PythonModel):
    """A model that needs no library."""

    def predict(self, context: object, model_input: Any, params: object = None) -> Any:
        return model_input


class Story:
    """Plays against one tracking server or store and keeps account of what must be there."""

    def __init__(self, uri: str, folder: Path) -> None:
        self.client = MlflowClient(tracking_uri=uri, registry_uri=uri)
        self.folder = folder
        self.rng = random.Random(mlflow.__version__)
        self.commits = [f"{self.rng.getrandbits(160):040x}" for _ in range(12)]
        self.models: dict[str, dict[str, Any]] = {}
        self.prompts: dict[str, dict[str, Any]] = {}
        self.runs: dict[str, dict[str, Any]] = {}
        self.logged_models: dict[str, dict[str, Any]] = {}
        self.experiments: dict[str, str] = {}
        self.can = {
            "datasets": hasattr(self.client, "log_inputs"),
            "copies": hasattr(self.client, "copy_model_version"),
            "prompts": hasattr(mlflow, "register_prompt"),
            "logged_models": hasattr(self.client, "create_logged_model"),
            "signature_params": "params" in inspect.signature(ModelSignature).parameters,
        }

    # Runs

    def experiment(self, name: str) -> str:
        place = (self.folder / "artifacts" / name.rsplit("/", maxsplit=1)[-1]).as_uri()
        experiment = self.client.create_experiment(name, artifact_location=place)
        self.experiments[experiment] = name
        return str(experiment)

    def run(
        self,
        experiment: str,
        *,
        name: str | None = None,
        parent: str | None = None,
        rich: bool = True,
    ) -> str:
        """A finished run; a rich one with one of everything a run can hold."""
        user = self.rng.choice(("ann", "bo", "cy"))
        tags = {"mlflow.user": user, "mlflow.source.name": SCRIPT, "mlflow.source.type": "LOCAL"}
        tags |= {"mlflow.source.git.commit": self.rng.choice(self.commits)}
        tags |= {"note": HOSTILE} if rich else {}
        tags |= {"mlflow.parentRunId": parent} if parent else {}
        started = MOMENT + 1000 * len(self.runs)
        made = self.client.create_run(experiment, started, tags, run_name=name)
        run_id: str = made.info.run_id
        params = {"depth": str(self.rng.randint(2, 9))}
        params |= {KEY: HOSTILE, "long": LONG[:250]} if rich else {}
        metrics = METRICS if rich else {"auc": self.rng.randrange(100) / 100}
        for key, value in params.items():
            self.client.log_param(run_id, key, value)
        for key, number in metrics.items():
            if rich:
                self.client.log_metric(run_id, key, 0.5, timestamp=started, step=0)
            self.client.log_metric(run_id, key, number, timestamp=started + 5, step=3)
        self.runs[run_id] = {
            "experiment_id": experiment,
            "name": name,
            "user_id": user,
            "status": "FINISHED",
            "lifecycle_stage": "active",
            "start_time": started,
            "end_time": started + 9,
            "params": params,
            "metrics": {key: [repr(number), started + 5, 3] for key, number in metrics.items()},
            "tags": tags,
            "datasets": self.datasets(run_id) if rich else [],
        }
        self.client.set_terminated(run_id, "FINISHED", end_time=started + 9)
        return run_id

    def datasets(self, run_id: str) -> list[list[str | None]]:
        """Name, digest and context of each dataset the run is given."""
        if not self.can["datasets"]:
            return []
        from mlflow.entities import Dataset, DatasetInput, InputTag

        given: list[list[str | None]] = [
            ["claims", f"{self.rng.randrange(9):08x}", "training"],
            ["claims", f"{self.rng.randrange(10, 19):08x}", "validation"],
            [HOSTILE, "d3", None],
        ]
        inputs = []
        for name, digest, context in given:
            source = json.dumps({"uri": f"s3://claims/{digest}.parquet"})
            dataset = Dataset(name, digest, "s3", source, json.dumps({"rows": 7}), None)
            tags = [InputTag("mlflow.data.context", context)] if context else []
            inputs.append(DatasetInput(dataset, [*tags, InputTag("other", "x")]))
        self.client.log_inputs(run_id, inputs)
        return given

    def model_files(self, run_id: str) -> dict[str, Any]:
        """Log a real model with a signature into a run; its source and what it says."""
        columns = [ColSpec("double", "age"), ColSpec("string", HOSTILE)]
        given: dict[str, Any] = {}
        if self.can["signature_params"]:
            from mlflow.types import ParamSchema, ParamSpec

            given["params"] = ParamSchema([ParamSpec("floor", "double", 0.5)])
        signature = ModelSignature(Schema(columns), Schema([ColSpec("double")]), **given)
        named = "name" if "name" in inspect.signature(mlflow.pyfunc.log_model).parameters else None
        with mlflow.start_run(run_id=run_id):
            logged = mlflow.pyfunc.log_model(
                **{named or "artifact_path": "model"},
                python_model=Rate(),
                signature=signature,
                pip_requirements=[f"mlflow=={mlflow.__version__}", "numpy"],
            )
        self.client.set_terminated(run_id, "FINISHED", end_time=self.runs[run_id]["end_time"])
        said = signature.to_dict()
        model_id = getattr(logged, "model_id", None)
        if model_id:
            self.logged_models[model_id] = {"source_run_id": run_id, "name": "model"}
            self.client.set_logged_model_tags(model_id, {KEY: HOSTILE})
            self.logged_models[model_id]["tags"] = {KEY: HOSTILE}
        return {
            "source": f"models:/{model_id}" if model_id else f"runs:/{run_id}/model",
            "signature": {part: said.get(part) for part in ("inputs", "outputs", "params")},
            "model_id": model_id,
            "mlflow_version": mlflow.__version__,
        }

    # The registry

    def model(self, name: str, description: str | None, tags: dict[str, str]) -> None:
        self.client.create_registered_model(name, tags, description)
        self.models[name] = {
            "description": description or None,
            "tags": dict(tags),
            "aliases": {},
            "versions": {},
        }

    def version(
        self, name: str, source: str, run_id: str | None = None, files: Any = None, **more: Any
    ) -> str:
        made = self.client.create_model_version(name, source, run_id, **more)
        return self.made(name, made.version, source, run_id, files, **more)

    def registered(self, name: str, run_id: str, files: dict[str, Any]) -> str:
        """A version made by `mlflow.register_model`, which notes it in the logged model."""
        made = mlflow.register_model(files["source"], name)
        source = files["source"]
        if files["model_id"]:
            became = [name, int(made.version)]
            self.logged_models[files["model_id"]]["became"] = became
        else:  # what the address stood for
            place = self.client.get_experiment(self.runs[run_id]["experiment_id"])
            source = f"{place.artifact_location}/{run_id}/artifacts/model"
        return self.made(name, made.version, source, run_id, files)

    def made(self, name: str, number: object, source: str, run_id: str | None, files: Any,
             **more: Any) -> str:  # fmt: skip
        self.models[name]["versions"][str(number)] = {
            "stage": "None",
            "description": more.get("description") or None,
            "tags": dict(more.get("tags") or {}),
            "source": source,
            "run_id": run_id,
            "run_link": more.get("run_link") or None,
            "deleted": False,
            "files": files,
        }
        return str(number)

    def transition(self, name: str, version: str, stage: str, archive: bool = False) -> None:
        self.client.transition_model_version_stage(name, version, stage, archive)
        versions = self.models[name]["versions"]
        for number, other in versions.items():
            if archive and number != version and other["stage"] == stage and not other["deleted"]:
                other["stage"] = "Archived"
        versions[version]["stage"] = stage

    def alias(self, name: str, alias: str, version: str) -> None:
        self.client.set_registered_model_alias(name, alias, version)
        self.models[name]["aliases"][alias] = int(version)

    def tag_version(self, name: str, version: str, key: str, value: str) -> None:
        self.client.set_model_version_tag(name, version, key, value)
        self.models[name]["versions"][version]["tags"][key] = value

    def delete_version(self, name: str, version: str) -> None:
        # Its aliases stay: older releases mean to remove them, but compare a number with a text.
        self.client.delete_model_version(name, version)
        self.models[name]["versions"][version]["deleted"] = True

    def rename(self, name: str, to: str) -> None:
        self.client.rename_registered_model(name, to)
        self.models[to] = self.models.pop(name)

    def delete_run(self, run_id: str) -> None:
        self.client.delete_run(run_id)
        self.runs[run_id]["lifecycle_stage"] = "deleted"

    # What happened

    def ordinary(self, name: str, experiment: str, files: bool) -> None:
        """A model as most are: a version per quarter, moved on to Production, one in Staging."""
        self.model(name, f"Prices {name}", {"owner": "ann", "tier": self.rng.choice("123")})
        for number in range(1, self.rng.randint(2, 4) + 1):
            run_id = self.run(experiment, name=f"{name} {number}", rich=number == 1)
            found = self.model_files(run_id) if files and number == 1 else None
            if found:
                version = self.registered(name, run_id, found)
            else:
                source = f"{self.folder.as_uri()}/none/{run_id}/model"
                about = {"description": f"Quarter {number}", "tags": {"validated_by": "bo"}}
                version = self.version(name, source, run_id, **about)
            self.transition(name, version, "Staging")
            if number == 1 or self.rng.random() < 0.7:
                self.transition(name, version, "Production", archive=self.rng.random() < 0.7)
        self.alias(name, "champion", version)
        if self.rng.random() < 0.3:
            self.alias(name, "challenger", "1")
        if self.rng.random() < 0.3:
            self.transition(name, version, "None")

    def special(self, experiment: str) -> None:
        """One of everything else."""
        parent = self.run(experiment, name="search")
        child = self.run(experiment, name="search 1", parent=parent)
        files = self.model_files(child)
        self.model(HOSTILE, LONG, {KEY: HOSTILE, "empty": "", "long": LONG})
        self.version(HOSTILE, files["source"], child, files, description=HOSTILE)
        self.tag_version(HOSTILE, "1", KEY, LONG)
        self.tag_version(HOSTILE, "1", "empty", "")
        self.tag_version(HOSTILE, "1", "validated_in", parent)
        self.alias(HOSTILE, "ein_alias-1", "1")

        self.model("gone and back", "", {})
        for _ in range(3):
            run_id = self.run(experiment)
            self.version("gone and back", f"s3://models/{run_id}", run_id, tags={"a": "b"})
        self.alias("gone and back", "champion", "2")
        self.alias("gone and back", "safe", "1")
        self.delete_version("gone and back", "2")
        self.transition("gone and back", "3", "Production")
        self.transition("gone and back", "3", "Archived")
        self.delete_run(self.models["gone and back"]["versions"]["3"]["run_id"])

        self.model("old name", "Renamed once", {"owner": "cy"})
        there = None if files["model_id"] else files
        source = f"runs:/{child}/model"
        self.version("old name", source, None, there, run_link="https://ci.example/7")
        self.tag_version("old name", "1", "kept", "yes")
        self.alias("old name", "champion", "1")
        self.rename("old name", "new name")

        self.model("no versions", None, {})
        self.model("deleted", None, {})
        self.client.delete_registered_model("deleted")
        del self.models["deleted"]

        self.model("last gone", None, {})
        self.version("last gone", "s3://models/last")
        self.delete_version("last gone", "1")

        if self.can["copies"]:
            made = self.client.copy_model_version(f"models:/{HOSTILE}/1", "copy of it")
            self.models["copy of it"] = {
                "description": None, "tags": {}, "aliases": {}, "versions": {},
            }  # fmt: skip
            origin = self.models[HOSTILE]["versions"]["1"]
            self.made(
                "copy of it", made.version, f"models:/{HOSTILE}/1", child, files,
                description=origin["description"], tags=origin["tags"],
            )  # fmt: skip
        if self.can["prompts"]:
            self.prompt()

    def prompt(self) -> None:
        """A prompt of two versions; from MLflow 3 on it has tags of its own."""
        register = getattr(
            getattr(mlflow, "genai", None), "register_prompt", mlflow.register_prompt
        )
        alias = getattr(getattr(mlflow, "genai", None), "set_prompt_alias", None)
        templates = ["Greet {{name}}", f"Greet {{{{name}}}} {HOSTILE}"]
        for template in templates:
            register("greeting", template, commit_message="says")
        (alias or mlflow.set_prompt_alias)("greeting", "live", 2)
        self.prompts["greeting"] = {
            "aliases": {"live": 2},
            "versions": {str(n): text for n, text in enumerate(templates, 1)},
        }

    def told(self) -> dict[str, Any]:
        """All that must be there."""
        return {
            "mlflow": mlflow.__version__,
            "can": self.can,
            "experiments": self.experiments,
            "models": self.models,
            "prompts": self.prompts,
            "runs": self.runs,
            "logged_models": self.logged_models,
        }


def names(count: int) -> list[str]:
    """That many names of models."""
    parts = [f"{line}-{part}" for part in PARTS for line in LINES]
    return [f"{parts[n % len(parts)]}{n // len(parts) or ''}" for n in range(count)]


def play(uri: str, folder: Path, models: int) -> None:
    """Play on a new registry until it holds that many models, prompts aside."""
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)
    story = Story(uri, folder)
    pricing, archive = story.experiment("pricing"), story.experiment(f"/teams/{HOSTILE}/archive")
    story.special(archive)
    for number, name in enumerate(names(models - len(story.models))):
        story.ordinary(name, pricing, files=number % 10 == 0)
    (folder / "truth.json").write_text(json.dumps(story.told(), indent=1, sort_keys=True))


if __name__ == "__main__":
    play(sys.argv[1], Path(sys.argv[2]).resolve(), int(sys.argv[3]) if len(sys.argv) > 3 else 60)
