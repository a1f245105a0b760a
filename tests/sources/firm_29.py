"""Users and rights of a real MLflow 2.9.2 server, before roles, and what it decided for them.

    AUDITREG_TEST_MLFLOWS=.venv/mlflow-2.9.2 python -m tests.sources.firm_29 [FOLDER]

`make test` makes that environment. FOLDER gets the two
databases, passwords' hashes blanked, and `decided.json`; without it those under
`tests/sources/data/firm29` are made anew.
"""

from __future__ import annotations

import gzip
import json
import sqlite3
import sys
import tempfile
from contextlib import closing
from pathlib import Path

from tests.servers.mlflow_server import ADMIN, MlflowServer
from tests.servers.releases import ORDINARY, interpreter
from tests.sources.firm import HOSTILE, PASSWORD, decided, server

DATA = Path(__file__).parent / "data" / "firm29"
MODELS = ("motor", "home")
RIGHTS = {
    "reader": {"motor": "READ"},
    "editor": {"motor": "EDIT", "home": "READ"},
    "manager": {"home": "MANAGE"},
    "shut out": {"motor": "NO_PERMISSIONS"},
    HOSTILE: {"motor": "EDIT"},
    "second admin": {"motor": "NO_PERMISSIONS"},
    "nobody": {},
}


def fill(firm: MlflowServer) -> None:
    """Models, users, and what they may do."""
    for model in MODELS:
        firm.call("POST", "registered-models/create", {"name": model}, user=ADMIN)
        body = {"name": model, "source": "s3://bucket/model"}
        firm.call("POST", "model-versions/create", body, user=ADMIN)
    for name, rights in RIGHTS.items():
        firm.add_user(name, PASSWORD)
        for model, permission in rights.items():
            body = {"name": model, "username": name, "permission": permission}
            firm.call("POST", "registered-models/permissions/create", body, user=ADMIN)
    body = {"username": "second admin", "is_admin": True}
    firm.call("PATCH", "users/update-admin", body, user=ADMIN)
    made = firm.call("POST", "experiments/create", {"name": "pricing"}, user=ADMIN)
    body = {"experiment_id": made["experiment_id"], "username": "reader", "permission": "EDIT"}
    firm.call("POST", "experiments/permissions/create", body, user=ADMIN)


def play(folder: Path, python: str) -> list[tuple[str, str, bool, bool]]:
    """Run the server in `folder`; what it decided. Leaves mlflow.db and users.db there."""
    with server(folder, "READ", python=python) as firm:
        fill(firm)
        return list(decided(firm, (ADMIN[0], *RIGHTS), MODELS))


def main(folder: Path) -> None:
    """Write the files anew."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        made = Path(place)
        told = play(made, interpreter(ORDINARY))
        with closing(sqlite3.connect(made / "users.db")) as users:
            users.execute("update users set password_hash = 'blanked'")
            users.commit()
            users.execute("vacuum")
        for name in ("mlflow.db", "users.db"):
            packed = gzip.compress((made / name).read_bytes(), 9, mtime=0)
            (folder / f"{name}.gz").write_bytes(packed)
    text = json.dumps(told, ensure_ascii=True, indent=1)
    (folder / "decided.json").write_text(text + "\n", encoding="ascii")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else DATA)
