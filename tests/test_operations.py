"""What docs/operations.md and the Containerfile say exists, parses and does what it says."""

from __future__ import annotations

import ast
import configparser
import fnmatch
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
import types
from pathlib import Path

import click
import pytest
import yaml

from auditreg.cli import cli
from auditreg.config import parse_config
from auditreg.formats.status import exposition

ROOT = Path(__file__).parents[1]
GUIDE = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", GUIDE, flags=re.MULTILINE | re.DOTALL)
CONTAINER = (ROOT / "Containerfile").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return [text for name, text in BLOCKS if name == language]


# -- commands -----------------------------------------------------------------------------------


def command_lines() -> list[str]:
    """Every command line of auditreg, in blocks and in words; shells, pipes and quotes cut off."""
    texts = [text for _, text in BLOCKS]
    texts += re.findall(r"`(auditreg [^`]+)`", GUIDE)
    found = []
    for text in texts:
        for match in re.finditer(r"(?<![\w/.-])auditreg ([a-z][^\n`]*)", text):
            line = re.split(r"\s(?:\|\||&&|\||>|2>|>/)|[;\"]\s|;|\"$|\"\]", match[1])[0]
            found.append(line.strip().rstrip('"]'))
    lists = re.findall(r'\["auditreg", ([^\]]+)\]', GUIDE)
    found += [line.replace('", "', " ").strip('"') for line in lists]
    found += re.findall(r"bin/auditreg ([a-z][^\n]*)", GUIDE)
    return sorted(set(found))


def resolved(words: list[str]) -> tuple[click.Command, list[str]]:
    command: click.Command = cli
    context = click.Context(cli, info_name="auditreg")
    while isinstance(command, click.Group) and words:
        below = command.get_command(context, words[0])
        assert below is not None, f"there is no command {words[0]}"
        command, words = below, words[1:]
    return command, words


COMMANDS = [line for line in command_lines() if not line.startswith(("set -a", "cd ", "run ended"))]


def test_the_guide_has_commands():
    assert {line.split()[0] for line in COMMANDS} >= {
        *("run", "extract", "status", "publish", "verify", "doctor", "check", "report"),
    }


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_line_exists_with_its_options(line):
    command, rest = resolved(shlex.split(line.replace('"$(cat latest.txt)', "latest")))
    known = {option for param in command.params for option in param.opts + param.secondary_opts}
    known.add("--help")
    for word in rest:
        if word.startswith("-"):
            assert word.partition("=")[0] in known, line
    text = command.get_help(click.Context(command, info_name="x"))
    assert "Usage:" in text


def test_every_setting_is_one_and_parses():
    for text in blocks("toml"):
        tomllib.loads(text)
        config = parse_config(text, Path("/srv/auditreg/auditreg.toml"))
        assert config.publish.folder == "/mnt/audit/mlflow"


# -- recipes ------------------------------------------------------------------------------------


def documents(word: str) -> list[dict]:
    return [found for text in blocks("yaml") if word in text for found in yaml.safe_load_all(text)]


def test_the_cronjob_has_one_writer_a_secret_and_a_volume():
    job = next(found for found in documents("CronJob") if found["kind"] == "CronJob")
    assert job["spec"]["concurrencyPolicy"] == "Forbid"
    spec = job["spec"]["jobTemplate"]["spec"]
    pod = spec["template"]["spec"]
    (container,) = pod["containers"]
    (variable,) = container["env"]
    assert variable["name"] == tomllib.loads(blocks("toml")[0])["source"][0]["uri_env"]
    assert "secretKeyRef" in variable["valueFrom"]
    mounted = {one["name"] for one in container["volumeMounts"]}
    assert mounted == {one["name"] for one in pod["volumes"]}
    claims = [one for one in documents("CronJob") if one["kind"] == "PersistentVolumeClaim"]
    assert claims[0]["spec"]["accessModes"] == ["ReadWriteOncePod"]
    assert pod["restartPolicy"] == "Never"  # podFailurePolicy asks for it
    assert (
        str(pod["securityContext"]["runAsUser"])
        == re.search(r"^USER (\d+)", CONTAINER, re.MULTILINE)[1]
    )


@pytest.mark.parametrize(("code", "ends"), [(0, 0), (1, 0), (2, 1), (3, 1), (4, 1)])
def test_the_job_of_the_container_fails_only_where_it_should(tmp_path, code, ends):
    """Open findings are no failed job; everything else is."""
    job = next(found for found in documents("CronJob") if found["kind"] == "CronJob")
    (container,) = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    stand_in = tmp_path / "auditreg"
    stand_in.write_text(f"#!/bin/sh\nexit {code}\n")
    stand_in.chmod(0o755)
    done = subprocess.run(
        [*container["command"], *container["args"]], env={"PATH": str(tmp_path)}, check=False
    )
    assert (done.returncode != 0) == bool(ends)


def test_what_alerts_ask_about_is_written():
    from datetime import datetime

    from auditreg.queries.status import LedgerStatus, RegistryStatus

    counts = {"critical": 1}
    at = datetime(2026, 1, 1)
    one = RegistryStatus("r", "sqlite", at, True, (), at, 1, 1, counts, 1, "")
    text = exposition(LedgerStatus((one,), 1, "", at, "check", "", counts), ledger_bytes=1).decode()
    written = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")}
    rules = [rule for found in documents("groups:") for rule in found["groups"][0]["rules"]]
    asked = {name for rule in rules for name in re.findall(r"auditreg_\w+", rule["expr"])}
    assert len(rules) == 4
    assert asked <= written


def test_the_systemd_units_parse():
    for text in blocks("ini"):
        parser = configparser.ConfigParser(strict=True, interpolation=None)
        parser.optionxform = str
        parser.read_string(text)
        assert parser.sections()
    assert "SuccessExitStatus=1" in GUIDE


@pytest.fixture
def dag(monkeypatch):
    """The functions of the DAG, in an Airflow that only remembers."""

    class Failed(Exception):
        pass

    class FailedForGood(Failed):
        pass

    def decorator(*args, **_):
        return args[0] if args and callable(args[0]) else lambda function: function

    decorators = types.SimpleNamespace(
        dag=lambda **_: lambda function: lambda: None, task=decorator
    )
    exceptions = types.SimpleNamespace(AirflowException=Failed, AirflowFailException=FailedForGood)
    for name, module in {
        "airflow": types.ModuleType("airflow"),
        "airflow.decorators": decorators,
        "airflow.exceptions": exceptions,
    }.items():
        monkeypatch.setitem(sys.modules, name, module)
    (text,) = blocks("python")
    ast.parse(text)
    space: dict[str, object] = {}
    exec(compile(text, "dag.py", "exec"), space)
    return space["audit"], Failed, FailedForGood


@pytest.mark.parametrize("code", range(5))
def test_the_dag_retries_what_may_get_better_and_nothing_else(dag, monkeypatch, code):
    audit, failed, for_good = dag
    done = subprocess.CompletedProcess([], code)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: done)
    if code < 2:
        audit()
        return
    with pytest.raises(failed) as caught:
        audit()
    assert isinstance(caught.value, for_good) == (code > 2)


# -- the image ----------------------------------------------------------------------------------


def instructions() -> list[tuple[str, str]]:
    text = re.sub(
        r"\\\n\s*",
        "",
        "\n".join(line for line in CONTAINER.splitlines() if line and not line.startswith("#")),
    )
    return [tuple(line.split(maxsplit=1)) for line in text.splitlines()]


def test_it_ends_as_a_user_with_a_volume_and_the_command():
    last = dict(instructions())
    assert last["ENTRYPOINT"] == '["auditreg"]'
    assert last["VOLUME"] == "/ledger"
    assert last["USER"] not in ("0", "root")
    names = [name for name, _ in instructions()]
    assert names.index("USER") > max(i for i, name in enumerate(names) if name == "RUN")
    assert set(names) <= {
        *("FROM", "WORKDIR", "COPY", "RUN", "ENV", "USER", "VOLUME", "ENTRYPOINT", "CMD"),
    }


def test_it_names_no_address_of_an_index():
    assert not re.search(r"https?://|--(extra-)?index-url|--find-links", CONTAINER)


def test_what_it_copies_is_there_and_not_kept_from_the_builder():
    rules = [
        line
        for line in (ROOT / ".containerignore").read_text().splitlines()
        if line and not line.startswith("#")
    ]
    assert rules[0] == "*"
    for name, rest in instructions():
        if name == "COPY" and not rest.startswith("--from"):
            for source in rest.split()[:-1]:
                assert (ROOT / source).exists(), source
                assert f"!{source}" in rules
    assert not any(fnmatch.fnmatch("src/auditreg/cli/run.py", rule) for rule in rules[1:])


def test_its_extras_are_extras():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = re.search(r"'\.\[([a-z0-9,]+)\]'", CONTAINER)[1].split(",")
    assert set(extras) <= set(project["optional-dependencies"])
    python = re.search(r"python:(\d+\.\d+)-slim", CONTAINER)[1]
    assert tuple(map(int, python.split("."))) >= (3, 11)


def test_the_constraints_are_versions_and_nothing_else(tmp_path):
    (line,) = [rest for name, rest in instructions() if name == "RUN" and "sed" in rest]
    command = re.match(r"(sed .* > constraints.txt)", line)[1]
    shutil.copy(ROOT / "requirements.lock", tmp_path)
    subprocess.run(["sh", "-c", command], cwd=tmp_path, check=True)
    lines = (tmp_path / "constraints.txt").read_text().splitlines()
    pinned = [one for one in lines if one and not one.startswith("#")]
    assert len(pinned) > 50
    for one in pinned:
        assert re.fullmatch(r"[a-z0-9._-]+==[^ \\]+(?: ; .+)?", one), one


@pytest.mark.integration
@pytest.mark.skipif(not shutil.which("apt-cache"), reason="only on Debian: apt-cache")
def test_the_packages_of_the_system_exist():
    (line,) = [rest for name, rest in instructions() if "apt-get install" in rest]
    names = line.split("--no-install-recommends")[1].split("&&")[0].split()
    done = subprocess.run(
        ["apt-cache", "policy", *names], capture_output=True, text=True, check=True
    )
    found = re.findall(r"^(\S+):\n.*\n\s+Candidate: (?!\(none\))", done.stdout, re.MULTILINE)
    assert sorted(found) == sorted(names)


@pytest.mark.slow
def test_the_line_of_pip_gives_an_auditreg_that_reads_every_kind_of_source(tmp_path):
    """The build stage without a container engine: the same copies, the same lines, another folder."""
    for name, rest in instructions():
        if name == "COPY" and not rest.startswith("--from"):
            for source in rest.split()[:-1]:
                here = ROOT / source
                copy = shutil.copytree if here.is_dir() else shutil.copy
                copy(here, tmp_path / source)
    (line,) = [rest for name, rest in instructions() if name == "RUN" and "sed" in rest]
    line = line.replace("/opt/auditreg", f"{tmp_path}/env").replace(
        "python -m", f"{sys.executable} -m"
    )
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    environment["PIP_NO_COMPILE"] = "1"  # most of what is installed never runs here
    subprocess.run(["sh", "-ec", line], cwd=tmp_path, check=True, env=environment)
    done = subprocess.run(
        [tmp_path / "env/bin/auditreg", "doctor", "--format", "json"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    states = {one["name"]: one["status"] for one in json.loads(done.stdout)["checks"]}
    for name in ("Packages", "MLflow client", "PDF", "PostgreSQL", "MySQL, MariaDB", "S3"):
        assert states[name] == "ok", name
