"""Playing the demo for tests, and asking the store about it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import yaml

from auditreg import demo


def rows(files: demo.DemoFiles, query: str, *values: object) -> list[tuple]:
    """What a query finds in the demo's store."""
    with closing(sqlite3.connect(files.folder / "mlflow.db")) as store:
        return store.execute(query, values).fetchall()


@dataclass(frozen=True)
class Seen:
    """The registry as one reading saw it."""

    models: dict[str, int]
    stages: dict[tuple[str, int], str]
    champions: dict[str, int]
    model_tags: dict[tuple[str, str], str]
    version_tags: dict[tuple[str, int, str], str]


def look(files: demo.DemoFiles) -> Seen:
    return Seen(
        models=dict(rows(files, "select name, creation_time from registered_models")),
        stages={
            (name, version): stage
            for name, version, stage in rows(
                files, "select name, version, current_stage from model_versions"
            )
        },
        champions=dict(
            rows(
                files,
                "select name, version from registered_model_aliases where alias = 'champion'",
            )
        ),
        model_tags={
            (name, key): value
            for name, key, value in rows(
                files, "select name, key, value from registered_model_tags"
            )
        },
        version_tags={
            (name, version, key): value
            for name, version, key, value in rows(
                files, "select name, version, key, value from model_version_tags"
            )
        },
    )


@dataclass
class Played:
    """A finished play, and what was seen on the way."""

    files: demo.DemoFiles
    readings: dict[datetime, Seen] = field(default_factory=dict)
    progress: list[tuple[str, int, int]] = field(default_factory=list)

    def rows(self, query: str, *values: object) -> list[tuple]:
        return rows(self.files, query, *values)

    def one(self, query: str, *values: object) -> object:
        found = self.rows(query, *values)
        assert len(found) == 1, found
        return found[0][0]

    def tags(self, model: str, version: int) -> dict[str, str]:
        return dict(
            rows(
                self.files,
                "select key, value from model_version_tags where name = ? and version = ?",
                model,
                version,
            )
        )

    def model_tags(self, model: str) -> dict[str, str]:
        return dict(
            rows(self.files, "select key, value from registered_model_tags where name = ?", model)
        )

    def run_of(self, model: str, version: int) -> str:
        return str(
            self.one(
                "select run_id from model_versions where name = ? and version = ?", model, version
            )
        )

    def run_tags(self, model: str, version: int) -> dict[str, str]:
        run = self.run_of(model, version)
        return dict(rows(self.files, "select key, value from tags where run_uuid = ?", run))

    def datasets(self, model: str, version: int) -> dict[str, tuple[str, str]]:
        """Name and digest of the data sets of a version's run, by context."""
        query = """
            select t.value, d.name, d.digest
            from inputs i join datasets d on d.dataset_uuid = i.source_id
            join input_tags t on t.input_uuid = i.input_uuid
            where i.destination_id = ? and t.name = 'mlflow.data.context'
        """
        found = rows(self.files, query, self.run_of(model, version))
        return {context: (name, digest) for context, name, digest in found}

    def signature(self, model: str, version: int) -> dict | None:
        described = yaml.safe_load((self.artifacts(model, version) / "MLmodel").read_text())
        return described.get("signature")

    def live_at(self, model: str, version: int) -> list[datetime]:
        """The readings that saw a version live by its stage, in the model that has the name now."""
        created = list(self.readings.values())[-1].models[model]
        return [
            moment
            for moment, seen in self.readings.items()
            if seen.stages.get((model, version)) == "Production" and seen.models[model] == created
        ]

    def artifacts(self, model: str, version: int) -> Path:
        source = str(
            self.one(
                "select source from model_versions where name = ? and version = ?", model, version
            )
        )
        location = str(
            self.one(
                "select artifact_location from logged_models where model_id = ?",
                source.removeprefix("models:/"),
            )
        )
        assert location.startswith(self.files.artifacts.as_uri())
        (folder,) = self.files.artifacts.glob(f"*/models/{location.split('/')[-2]}/artifacts")
        return folder


def play(folder: Path) -> Played:
    readings: dict[datetime, Seen] = {}
    progress: list[tuple[str, int, int]] = []
    files = demo.play(
        folder,
        reading=lambda files, moment: readings.__setitem__(moment, look(files)),
        progress=lambda *told: progress.append(told),
    )
    return Played(files, readings, progress)
