"""Runs a program where nothing that made the recording can be imported: `python blocked.py PROGRAM ARGUMENTS`."""

import sys

NOT_INSTALLED = {"mlflow", "sklearn", "auditreg_capture", "sqlalchemy"}


class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in NOT_INSTALLED:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


if __name__ == "__main__":
    sys.meta_path.insert(0, Blocked())
    exec(sys.argv.pop(1))
