"""airbyte-cdk imported once for many runs: what a test starts is forked from a process that has it; an import takes two seconds.

Run as a script: `warm.py SOCKET` is that process, which ends with its input; `warm.py SOCKET MODULE` is what is started in place of
`python -m MODULE`: it hands its folder, its environment, its input and its output on, and ends as its fork ends, or the fork with it.
"""

from __future__ import annotations

import json
import os
import runpy
import signal
import socket
import sys
import threading
import time
import traceback
from pathlib import Path

LONGEST_PAUSE_SECONDS = 0.01  # of what waits before it asks again


def serve(path: str) -> None:
    from airbyte_cdk.sources.declarative import concurrent_declarative_source  # noqa: F401

    slept = time.sleep
    time.sleep = lambda seconds: slept(min(float(seconds), LONGEST_PAUSE_SECONDS))
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(path)
    listening.listen(16)
    threading.Thread(target=_ends_with_input, daemon=True).start()
    while True:
        connection, _ = listening.accept()
        if os.fork() == 0:
            listening.close()
            _run(connection)
        connection.close()


def start(path: str, module: str) -> None:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        told = {"module": module, "folder": str(Path.cwd()), "environment": dict(os.environ)}
        socket.send_fds(connection, [json.dumps(told).encode()], [0, 1, 2])
        for file in (0, 1):
            os.close(file)
        code = connection.recv(1)
    if not code:  # killed
        os.kill(os.getpid(), signal.SIGKILL)
    sys.exit(code[0])


def _ends_with_input() -> None:
    os.read(0, 1)
    os._exit(0)


def _run(connection: socket.socket) -> None:
    """Never returns."""
    message, files, _, _ = socket.recv_fds(connection, 1 << 20, 3)
    told = json.loads(message)
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    sys.stdin, sys.stdout, sys.stderr = (os.fdopen(number, how, closefd=False) for number, how in enumerate("rww"))
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.environ.clear()
    os.environ.update(told["environment"])
    os.chdir(told["folder"])
    sys.path.insert(0, told["folder"])
    threading.Thread(target=_ends_with, args=(connection,), daemon=True).start()
    code = 0
    try:
        runpy.run_module(told["module"], run_name="__main__", alter_sys=True)
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 0 if ended.code is None else 1
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    connection.sendall(bytes([code]))
    os._exit(code)


def _ends_with(connection: socket.socket) -> None:
    connection.recv(1)  # nothing comes until the other end is gone
    os._exit(1)


if __name__ == "__main__":
    start(*sys.argv[1:]) if len(sys.argv) > 2 else serve(sys.argv[1])
