"""Runs a server and ends it when whoever started it is gone, however that ended.

`python guard.py UID GID COMMAND…`, or `- -` for the user it runs as. Its standard input is a pipe
nobody writes to: it closes when the tests end, also when they are killed. Server and guard share
one process group, which is what is ended.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading


def _watch() -> None:
    os.read(
        0, 1
    )  # not sys.stdin: whoever waits in it makes the guard abort when its server has ended
    os.killpg(0, signal.SIGKILL)


def main() -> int:
    """Run the server; its exit code."""
    user, group, *command = sys.argv[1:]
    threading.Thread(target=_watch, daemon=True).start()
    more = {} if user == "-" else {"user": int(user), "group": int(group), "extra_groups": []}
    server = subprocess.Popen(command, stdin=subprocess.DEVNULL, **more)
    # What ends the server is for the server; the guard goes when it is gone.
    for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
        signal.signal(signum, lambda *_: None)
    return server.wait()


if __name__ == "__main__":
    sys.exit(main())
