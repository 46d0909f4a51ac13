"""Stands between a run and a server that it started, so that no process of the server outlives either.

A script of its own, of the standard library alone: `python -I -S keeper.py PARENT GRACE COMMAND...` starts the
command and ends as it ends. When the parent is gone, killed or not, or the keeper is told to end, the server is asked
to end, and after `GRACE` seconds killed. What the server leaves behind is killed in any case: vLLM's workers survive
their engine, and hold its GPU.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

EVERY = 0.1  # seconds between two looks
PR_SET_CHILD_SUBREAPER = 36
LONGEST_DEATH = 10.0  # seconds: a process that hangs in its driver cannot be killed


def main(arguments: list[str]) -> int:
    """Run a server until it ends, its parent is gone, or this is told to end; returns its exit status."""
    parent, grace, *command = arguments
    told: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda number, frame: told.append(number))
    adopt_orphans()
    server = subprocess.Popen(command)
    while server.poll() is None and not told and os.getppid() == int(parent):
        time.sleep(EVERY)
    end(server, float(grace))
    kill_children()
    return server.returncode


def adopt_orphans() -> None:
    """Whatever loses its parent below here becomes our child. Linux alone can do that."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def end(server: subprocess.Popen[bytes], grace: float) -> None:
    """End a server: politely, and after `grace` seconds for good."""
    if server.poll() is None:
        server.terminate()
    try:
        server.wait(grace)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def kill_children() -> None:
    """Kill what is left, and what that leaves, until there is nothing."""
    until = time.monotonic() + LONGEST_DEATH
    while time.monotonic() < until:
        for child in children():
            os.kill(child, signal.SIGKILL)
        try:
            ended, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not ended:
            time.sleep(0.01)


def children() -> list[int]:
    told = Path(f"/proc/self/task/{os.getpid()}/children")
    return [int(each) for each in told.read_text().split()] if told.exists() else []


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
