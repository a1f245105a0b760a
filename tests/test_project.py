"""What is promised about the project itself: its lock, its wheel, its layers, its tasks."""

import ast
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "auditreg"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")


BASE = PROJECT["project"]["dependencies"]
EXTRAS = [text for extra in PROJECT["project"]["optional-dependencies"].values() for text in extra]


def canonical(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def with_path(folder):
    """The environment in which a child imports from a folder, unmeasured: it is not our source."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
    return {**kept, "PYTHONPATH": str(folder)}


def names(requirements):
    return {canonical(re.match(r"[A-Za-z0-9._-]+", text)[0]) for text in requirements}


# The lock


def test_the_lock_holds_no_address():
    found = re.findall(r"(?im)^.*(?:://|find-links|index-url|^-[a-z]| @ ).*$", LOCK)
    assert found == []


def test_every_locked_package_has_one_version_and_hashes():
    entries = re.split(r"\n(?=[a-z0-9])", re.sub(r"(?m)^#.*\n", "", LOCK).strip())
    assert len(entries) > 50
    for entry in entries:
        assert re.match(r"[a-z0-9-]+==[^\s;]+( ; [^\\]+)? \\\n", entry), entry[:80]
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry), entry[:80]


def test_the_lock_covers_everything_declared():
    locked = set(re.findall(r"(?m)^([a-z0-9-]+)==", LOCK))
    declared = names(BASE + EXTRAS + PROJECT["dependency-groups"]["dev"])
    assert declared - locked == set()


# The dependencies


def test_the_planned_packages_can_be_installed_by_name():
    assert names(BASE) >= {"pandas", "jinja2", "weasyprint", "duckdb", "click", "mlflow-skinny"}
    assert "mlflow" in names(EXTRAS)


def imported_modules():
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                yield from ((alias.name.partition(".")[0], path) for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and not node.level:
                yield node.module.partition(".")[0], path


# What is imported from a package that another brings and builds upon in the open.
TRANSITIVE = {"markupsafe": "jinja2", "sqlalchemy": "mlflow"}


def test_everything_imported_is_declared():
    declared = names(BASE + EXTRAS)
    homes = importlib.metadata.packages_distributions()
    undeclared = {
        (module, path.relative_to(ROOT).as_posix())
        for module, path in imported_modules()
        if module not in sys.stdlib_module_names
        and module != "auditreg"
        and not declared & {canonical(name) for name in homes.get(module, [module])}
        and TRANSITIVE.get(module) not in declared
    }
    assert undeclared == set()


# The wheel


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    done = subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = folder.glob("*.whl")
    return path


def test_the_wheel_holds_all_that_is_not_code(wheel):
    held = set(zipfile.ZipFile(wheel).namelist())
    expected = {f"auditreg/{p.relative_to(PACKAGE).as_posix()}" for p in PACKAGE.rglob("*.sql")}
    expected |= {f"auditreg/{p.relative_to(PACKAGE).as_posix()}" for p in PACKAGE.rglob("*.toml")}
    expected |= {f"auditreg/{p.relative_to(PACKAGE).as_posix()}" for p in PACKAGE.rglob("*.xz")}
    templates = [p for p in (ROOT / "templates").rglob("*") if p.is_file()]
    expected |= {f"auditreg/{p.relative_to(ROOT).as_posix()}" for p in templates}
    assert templates
    assert any(name.startswith("auditreg/rules/library/") for name in expected)
    assert any(name.startswith("auditreg/frameworks/library/") for name in expected)
    assert any(name.startswith("auditreg/ledger/sql/") for name in expected)
    assert "auditreg/demo/recorded/recording.tar.xz" in expected
    assert expected | {"auditreg/py.typed"} <= held
    assert {name.partition("/")[0] for name in held} == {
        "auditreg",
        f"auditreg-{PROJECT['project']['version']}.dist-info",
    }


def test_the_installed_package_finds_its_own_templates(wheel, tmp_path):
    zipfile.ZipFile(wheel).extractall(tmp_path)
    program = "from auditreg import resources as r; print(r.templates()); print(r.rules())"
    done = subprocess.run(
        [sys.executable, "-P", "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env=with_path(tmp_path),
    )
    package = tmp_path / "auditreg"
    assert done.stdout.splitlines() == [
        str(package / "templates"),
        str(package / "rules" / "library"),
    ]


# The layers

CONTRACTS = {contract["id"]: contract for contract in PROJECT["tool"]["importlinter"]["contracts"]}
FORBIDDEN = {
    "models": "auditreg.audit",
    "ledger.store": "auditreg.sources.server",
    "config": "mlflow",
    "report": "jinja2",
    "workflows": "click",
    "sources.artifacts": "auditreg.sources.server",
    "sources.unplaced": "json",
    "unplaced": "json",
}
"""A module and what it may not import, or may not be itself."""


def circles(graph):
    """The groups of modules of which each imports, through others, every other (Tarjan)."""
    order, lowest, open_modules, groups = {}, {}, [], []

    def visit(module):
        order[module] = lowest[module] = len(order)
        open_modules.append(module)
        for imported in sorted(graph.find_modules_directly_imported_by(module)):
            if imported not in order:
                visit(imported)
            if imported in open_modules:
                lowest[module] = min(lowest[module], lowest[imported])
        if lowest[module] == order[module]:
            start = open_modules.index(module)
            groups.append(sorted(open_modules[start:]))
            del open_modules[start:]

    for module in sorted(graph.modules):
        if module not in order:
            visit(module)
    return [group for group in groups if len(group) > 1]


def test_no_modules_import_each_other_in_a_circle():
    graph = grimp.build_graph("auditreg", exclude_type_checking_imports=False, cache_dir=None)
    assert len(graph.modules) > 150
    assert circles(graph) == []
    last = max(graph.find_modules_that_directly_import("auditreg.models"))
    graph.add_import(importer="auditreg.models", imported=last)
    [circle] = circles(graph)
    assert {"auditreg.models", last} <= set(circle)


@pytest.mark.integration
def test_each_contract_breaks_when_it_should(tmp_path):
    package = tmp_path / "auditreg"
    sources = {path.stem for path in (PACKAGE / "sources").iterdir() if path.stem[0] != "_"}
    modules = {"audit", *(f"sources.{name}" for name in sources), *FORBIDDEN}
    for name in modules:
        file = package.joinpath(*name.removeprefix("auditreg.").split(".")).with_suffix(".py")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"import {FORBIDDEN.get(name, 'json')}\n", encoding="utf-8")
        for folder in {file.parent, package}:
            (folder / "__init__.py").touch()
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()"]
        + ["--no-cache"],
        cwd=tmp_path,
        env=with_path(tmp_path),
        capture_output=True,
        text=True,
        check=False,
    )
    lines = done.stdout.splitlines()
    broken = {k for k, c in CONTRACTS.items() if any(f"{c['name']} BROKEN" in x for x in lines)}
    assert broken == set(CONTRACTS), done.stdout
    assert "- auditreg.unplaced" in done.stdout
    assert "- auditreg.sources.unplaced" in done.stdout
    assert done.returncode == 1


# The tasks


def run_make(folder, *arguments, **environment):
    return subprocess.run(
        ["make", "--no-print-directory", *arguments],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def checkout(tmp_path):
    """A folder with what make needs and nothing made yet."""
    for name in ("Makefile", "pyproject.toml", "requirements.lock"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def test_make_alone_lists_the_tasks(checkout):
    listed = re.findall(r"(?m)^  make (\w+) +\S", run_make(checkout).stdout)
    assert listed[:6] == ["help", "demo", "test", "integration", "slow", "releases"]
    assert {
        "lint",
        "docs",
        "goldens",
        "samples",
        "recording",
        "bench",
        "lock",
        "build",
        "clean",
    } <= {*listed}


def test_make_refuses_an_old_python_and_says_what_to_do(checkout):
    old = checkout / "python3"
    old.write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
    old.chmod(0o755)
    done = run_make(checkout, "test", f"PYTHON={old}")
    assert done.returncode == 2
    assert "No Python 3.11 or newer" in done.stderr
    assert "make test PYTHON=/path/to/python3.12" in done.stderr
    assert not (checkout / ".venv").exists()


def test_make_uses_its_own_environment_whatever_is_activated(checkout):
    done = run_make(
        checkout, "-n", "demo", "test", VIRTUAL_ENV="/elsewhere", PYTHONHOME="/elsewhere"
    )
    commands = done.stdout.splitlines()
    assert ".venv/bin/auditreg demo reports/demo" in commands
    assert any(line.startswith(".venv/bin/python -m pytest") for line in commands)
    assert any("--require-hashes --requirement requirements.lock" in line for line in commands)
    assert "/elsewhere" not in done.stdout


# Continuous integration

STAGES = ["lint", "test", "integration", "slow", "releases"]


def run_ci(folder, readme, *stages, failing=""):
    """Run .ci/run in a stand-in for the checkout in which nothing is missing."""
    (folder / ".ci").mkdir()
    shutil.copy(ROOT / ".ci" / "run", folder / ".ci")
    (folder / "README.md").write_text(readme, encoding="utf-8")
    (folder / "Makefile").write_text(
        f"{' '.join(STAGES)} coverage:\n\t@echo $@ in $(CI); test $@ != '{failing}'\n",
        encoding="utf-8",
    )
    stub = folder / "bin" / "dpkg-query"
    stub.parent.mkdir()
    stub.write_text("#!/bin/sh\necho installed\n", encoding="utf-8")
    stub.chmod(0o755)
    environment = {name: value for name, value in os.environ.items() if name != "CI"}
    environment["PATH"] = f"{stub.parent}{os.pathsep}{environment['PATH']}"
    return subprocess.run(
        [folder / ".ci" / "run", *stages],
        cwd="/",
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def test_ci_runs_lint_and_the_readme_s_own_command(tmp_path):
    readme = (
        "```\nfalse\n```\n<!-- ci:test -->\n\n```console\n$ echo ran in $CI\n```\n```\nfalse\n```\n"
    )
    done = run_ci(tmp_path, readme)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line for line in lines if line.endswith("in true")] == [
        "lint in true",
        "ran in true",
        "integration in true",
        "coverage in true",
        "slow in true",
        "releases in true",
    ]
    assert [line.split()[0] for line in lines[lines.index("== Times") + 1 :]] == STAGES


def test_ci_runs_a_single_stage(tmp_path):
    done = run_ci(tmp_path, "", "slow")
    assert "slow in true" in done.stdout
    assert "releases" not in done.stdout


def test_ci_stops_at_a_stage_that_fails(tmp_path):
    done = run_ci(tmp_path, "", "lint", "slow", failing="lint")
    assert done.returncode == 2
    assert "slow in true" not in done.stdout


def test_ci_knows_its_stages(tmp_path):
    done = run_ci(tmp_path, "", "lint", "everything")
    assert done.returncode == 2
    assert "There is no stage everything" in done.stderr
    assert done.stdout == ""


def test_ci_fails_with_the_command_and_without_one(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    assert run_ci(tmp_path / "a", "<!-- ci:test -->\n```\nfalse\ntrue\n```\n").returncode == 1
    done = run_ci(tmp_path / "b", "```\nmake test\n```\n")
    assert done.returncode == 2
    assert "README.md has no test command" in done.stderr


def test_the_readme_says_how_to_test():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert readme.count("<!-- ci:test -->") == 1
    assert re.search(r"<!-- ci:test -->\s*```\w*\n(\$ )?make test\n```", readme)


# The documents


SHOWN = (
    *(ROOT / "src").rglob("*"),
    *(ROOT / "templates").rglob("*"),
    *(ROOT / "capture" / "src").rglob("*"),
    *(ROOT / "docs").glob("*.*"),
    *(ROOT / "docs" / "rules").glob("*"),
    *(ROOT / "docs" / "frameworks").glob("*"),
    ROOT / "README.md",
)
"""What people read, or that becomes what they read."""

NEVER_SAID = {
    "that a requirement is met": (r"(non-?)?compliant", "complies with", "compliance (is|was) (shown|proven|proved)"),
    "a cause nobody established": (
        r"behind (\w+['’]s?|the (\w+['’]s )?\w+['’]s?|its|their) backs?",
        "without the server, or past its record",
        "nothing changed",
    ),
    "a motive, or guilt": (
        "tamper(ed|ing)", "forged", "falsified", "fraudulent(ly)?", "manipulated", "suspicious(ly)?", "cheat(s|ed)?",
        "find out who",
    ),
    "more than two digests tell": ("was tested on the data it was trained on",),
    "a house rule as a fact": ("never approves", "only a person can approve"),
    "what nobody contradicts": ("a record contradicts", "contradicted by a record"),
    "who it really was": ("really typed", "named by the program"),
    "other words than the report's": (
        "seen deleted", "state shown:", "asked, and nothing open", "nobody can repair", "nothing is left out of the counts",
        "left out on purpose</", "a name nobody claims",
    ),
}  # fmt: skip
"""Words that claim more than was observed, by what they would claim; in regular expressions."""


def test_nothing_that_is_shown_says_that_somebody_complies_or_why_something_happened():
    texts = [
        path for path in SHOWN if path.suffix in {".py", ".sql", ".toml", ".j2", ".json", ".md"}
    ]
    assert len(texts) > 400
    never = re.compile(
        r"(?<!\w)("
        + "|".join(word for words in NEVER_SAID.values() for word in words)
        + r")(?!\w)",
        re.IGNORECASE,
    )
    said = [
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path in texts
        for match in never.finditer(" ".join(path.read_text(encoding="utf-8").split()))
    ]
    assert said == []


def test_the_report_calls_nothing_signed():
    # no statement can be signed yet: who is named may have signed in, and that is all
    pages = [path.read_text(encoding="utf-8") for path in (ROOT / "templates").rglob("*.j2")]
    assert pages
    assert not [page for page in pages if re.search(r"\bsigned\b(?! in\b)", page, re.IGNORECASE)]


def test_the_index_of_decisions_is_complete():
    folder = ROOT / "docs" / "adr"
    index = (folder / "README.md").read_text(encoding="utf-8")
    files = sorted(p.name for p in folder.glob("0*.md"))
    assert [int(name[:4]) for name in files] == list(range(1, len(files) + 1))
    for name in files:
        text = (folder / name).read_text(encoding="utf-8")
        title = re.match(rf"# {name[:4]}: (.+)\n", text)[1]
        status = re.search(r"(?m)^Status: (\w+)", text)[1]
        assert f"| [{name[:4]}]({name}) | {title} | {status} |" in index
        headings = re.findall(r"(?m)^## (.+)$", text)
        assert headings[:2] == ["Context", "Decision"]
        assert {"Consequences", "Alternatives"} <= set(headings)


def test_the_version_stands_in_the_changelog():
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    versions = re.findall(r"(?m)^## \[([^\]]+)\]", changelog)
    assert versions[:2] == ["Unreleased", PROJECT["project"]["version"]]


def test_what_the_readme_points_to_is_there():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    places = re.findall(r"\]\(([^)#\s]+)", readme)
    assert "reports/pictures/summary.png" in places
    missing = [p for p in places if "://" not in p and not (ROOT / p).exists()]
    assert missing == []


# The words


def test_no_two_public_classes_share_a_name():
    places = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places.setdefault(node.name, []).append(str(path.relative_to(PACKAGE)))
    shared = {name: where for name, where in places.items() if len(where) > 1}
    assert not shared
