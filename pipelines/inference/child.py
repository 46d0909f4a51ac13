"""A process that ends with whoever started it, however that ends, with everything that it started in its turn."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

KEEPER = Path(__file__).with_name("keeper.py")
CONTROL = re.compile(r"\x1b\[[0-9;]*[A-Za-z]|[^\x20-\x7e\u00a0-\uffff]")
AN_ERROR = re.compile(r"\b\w*(Error|Exception)\b: ")


class Child:
    """A command that runs below a keeper, in a session of its own, for one event loop. `gone` is set when it ended.

    Ctrl-C does not reach it: that is for the run, which still wants what is under way.
    """

    def __init__(
        self, command: Sequence[str], *, environment: Mapping[str, str], grace: float, output: IO[bytes]
    ) -> None:
        keeper = [sys.executable, "-I", "-S", str(KEEPER), str(os.getpid()), str(grace)]
        self.gone = asyncio.Event()
        self._grace = grace
        self._process = subprocess.Popen(
            [*keeper, *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **environment},
            start_new_session=True,
        )
        # Where nobody ends it in a process that lives on.
        self._kill = weakref.finalize(self, _kill_group, self._process.pid, os.getpid())
        told = self._process, self.gone, asyncio.get_running_loop()
        threading.Thread(target=_await_end, args=told, daemon=True, name=f"waits for {command[0]}").start()

    def runs(self) -> bool:
        return self._process.poll() is None

    @property
    def outcome(self) -> str:
        """How it ended, once it has."""
        status = self._process.returncode
        return f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"

    async def end(self) -> None:
        """Ask the keeper to end it; then make sure."""
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        await happens(self.gone, within=self._grace + 15)
        self._kill()
        await asyncio.to_thread(self._process.wait)


async def happens(event: asyncio.Event, *, within: float) -> bool:
    """Whether it happens in so many seconds; returns as soon as it does."""
    try:
        await asyncio.wait_for(event.wait(), within)
    except TimeoutError:
        return False
    return True


def last_words(log: Path, lines: int = 12) -> str:
    """The last errors that a log tells, and its last lines, as plain text."""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 65_536))
        text = file.read().decode(errors="replace")
    told = [CONTROL.sub("", line)[:300] for line in text.splitlines() if line.strip()]
    errors = [line for line in told[:-lines] if AN_ERROR.search(line)]
    return "\n".join([*dict.fromkeys(errors[-3:]), *told[-lines:]])


def is_free(port: int) -> bool:
    """Whether a server can listen there."""
    with socket.socket() as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def free_port() -> int:
    """A port on the loopback that nobody listens at."""
    with socket.socket() as tried:
        tried.bind(("127.0.0.1", 0))
        return tried.getsockname()[1]


def _await_end(process: subprocess.Popen[bytes], gone: asyncio.Event, loop: asyncio.AbstractEventLoop) -> None:
    process.wait()
    with contextlib.suppress(RuntimeError):  # the run's loop has ended before
        loop.call_soon_threadsafe(gone.set)


def _kill_group(leader: int, owner: int) -> None:
    if os.getpid() != owner:  # a fork of the process that started it
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)
