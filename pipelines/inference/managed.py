"""A server that a run starts and looks after: started with its first request, watched, started anew when it dies.

Nobody waits in vain, and nothing is lost: whoever asks while it is started waits for it, and after a death is told to
try again. One that dies again and again is an outage, and tells where its log lies. `child.py` and `keeper.py` see to
it that no process of a server outlives the run, however that ends.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import re
import secrets
import time
import weakref
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import IO, Any, NamedTuple

import aiohttp

from pipelines.inference.child import Child, free_port, happens, is_free, last_words
from pipelines.inference.engine import Again, Misconfigured, Outage

log = logging.getLogger(__name__)

LOGS = 20  # that are kept, besides those of servers that run


class Program(NamedTuple):
    """A server's command and how it is looked after; `--host` and `--port` are added to the command.

    `environment` is given beside this process's own. Times are in seconds.
    """

    name: str  # in messages, and of its log
    command: tuple[str, ...]
    environment: tuple[tuple[str, str], ...] = ()
    key_variable: str | None = None  # of its environment: gets a key made at random, without which it answers nobody
    port: int = 0  # 0: any that is free
    pulse: Callable[[str], str | None] | None = None  # of its /metrics, what changes while it works; None: it is idle
    start_within: float = 1800.0
    check_every: float = 10.0
    answer_within: float = 10.0  # to a check
    checks: int = 6  # missed in a row, after which it is as good as dead
    stuck_after: float = 300.0  # with work to do, and none done
    deaths: int = 5  # within `deaths_within`, after which it is given up
    deaths_within: float = 3600.0
    first_pause: float = 1.0  # before it is started anew; doubled each time
    grace: float = 10.0  # to end by itself when told to


class Server:
    """One running program, for one event loop. `base` is its address once it serves, and `key` what it asks for."""

    def __init__(self, program: Program, folder: Path) -> None:
        self.program = program
        self.key = secrets.token_urlsafe(24)
        self.deaths: list[float] = []  # when, on the monotonic clock
        self.starts = 0
        self.holders = 0
        self._folder = folder
        self._port = 0
        self._child: Child | None = None
        self._task: asyncio.Task[None] | None = None
        self._up: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._was_up = False
        self._started = 0.0
        self._session: aiohttp.ClientSession | None = None

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def log(self) -> Path:
        mark = hashlib.blake2b(repr(self.program.command).encode(), digest_size=3).hexdigest()
        return self._folder / f"{_file_name(self.program.name)}-{mark}-{os.getpid()}.log"

    async def ready(self) -> None:
        """Wait until it serves; the first who asks starts it.

        Raises Again when the start under way fails, Misconfigured when it never served and is given up, and Outage
        when it is given up later.
        """
        if self._task is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=self.program.answer_within))
            self._started = time.monotonic()
            self._task = asyncio.create_task(self._look_after())
            self._task.add_done_callback(self._broke)
        await asyncio.shield(self._up)

    @property
    def serves(self) -> bool:
        return self._up.done() and not self._up.exception()

    def waits(self) -> str | None:
        """What is waited for while it does not serve."""
        if self._task is None or self._up.done():
            return None
        return f"{self.program.name} is starting, for {time.monotonic() - self._started:.0f} s; its log is {self.log}"

    async def is_well(self) -> bool:
        """Whether it runs and says that it can serve."""
        return self._child is not None and self._child.runs() and await self._get("/health") is not None

    async def stop(self) -> None:
        """End it and everything that it started."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        self._tell(Again(f"the server was stopped: {self.program.name}", reached=False))
        if self._child is not None:
            await self._child.end()
        if self._session is not None:
            await self._session.close()

    # --- its life

    async def _look_after(self) -> None:
        """Start it, and start it anew after each death, until there were too many."""
        while True:
            child = self._launch()
            why = await self._start_up(child)
            if why is None:
                self._was_up = True
                self._tell(None)
                why = await self._watch(child)
                self._up = asyncio.get_running_loop().create_future()
            await child.end()
            self.deaths.append(time.monotonic())
            log.warning("%s %s; its log is %s", self.program.name, why, self.log)
            if gave_up := self._gives_up(why):
                self._tell(gave_up)
                return
            self._tell(Again(f"the server is started anew: {self.program.name} {why}", reached=False))
            await asyncio.sleep(self._pause())

    async def _start_up(self, child: Child) -> str | None:
        """None once it serves, or why it does not."""
        until = time.monotonic() + self.program.start_within
        while time.monotonic() < until:
            if await happens(child.gone, within=min(0.5, self.program.check_every)):
                return child.outcome
            if await self._get("/health") is not None:
                return None
        return f"did not serve within {self.program.start_within:g} s"

    async def _watch(self, child: Child) -> str:
        """Why it has to be started anew, once it has."""
        missed, pulse, changed = 0, None, time.monotonic()
        while not await happens(child.gone, within=self.program.check_every):
            missed = 0 if await self._get("/health") is not None else missed + 1
            if missed >= self.program.checks and child.runs():
                return "runs, but does not say that it is well"
            now = await self._pulse()
            if now is None or now != pulse:
                pulse, changed = now, time.monotonic()
            elif time.monotonic() - changed > self.program.stuck_after:
                return f"has done nothing for {self.program.stuck_after:g} s, with requests under way"
        return child.outcome

    async def _pulse(self) -> str | None:
        return self.program.pulse(await self._get("/metrics") or "") if self.program.pulse else None

    def _gives_up(self, why: str) -> Exception | None:
        since = time.monotonic() - self.program.deaths_within
        self.deaths = [each for each in self.deaths if each >= since]
        told = f"{self.program.name} {why}"
        where = f"the end of its log, {self.log}:\n{last_words(self.log)}"
        if not self._was_up and len(self.deaths) > 1:
            return Misconfigured(f"{told}, before it ever served; {where}")
        if len(self.deaths) >= self.program.deaths:
            times = f"{len(self.deaths)} times within {self.program.deaths_within / 60:g} minutes"
            return Outage(f"{told}, and ended {times}; {where}")
        return None

    def _pause(self) -> float:
        """Nothing after the first death: the one that a whole night may see."""
        return min(60.0, self.program.first_pause * 2 ** (len(self.deaths) - 2)) if len(self.deaths) > 1 else 0.0

    def _broke(self, task: asyncio.Task[None]) -> None:
        """Looking after it went wrong, as where the disk is full: nobody is to wait for it."""
        if not task.cancelled() and (error := task.exception()):
            self._tell(error)

    def _tell(self, why_not: BaseException | None) -> None:
        """Let those go who wait: it serves, or this is why not."""
        if self._up.done():
            return
        if why_not is None:
            self._up.set_result(None)
            return
        self._up.set_exception(why_not)
        self._up.exception()  # there may be nobody who waits
        if isinstance(why_not, Again):
            self._up = asyncio.get_running_loop().create_future()

    # --- its process

    def _launch(self) -> Child:
        self.starts += 1
        self._started = time.monotonic()
        self._port = self._port if self._port and is_free(self._port) else self.program.port or free_port()
        command = [*self.program.command, "--host", "127.0.0.1", "--port", str(self._port)]
        key = {self.program.key_variable: self.key} if self.program.key_variable else {}
        with self._open_log() as file:
            file.write(f"== {datetime.now():%Y-%m-%d %H:%M:%S} start {self.starts}: {' '.join(command)}\n".encode())
            file.flush()
            environment = {**dict(self.program.environment), **key}
            self._child = Child(command, environment=environment, grace=self.program.grace, output=file)
        log.info("starting %s; its log is %s", self.program.name, self.log)
        return self._child

    def _open_log(self) -> IO[bytes]:
        self._folder.mkdir(parents=True, exist_ok=True)
        old = sorted(self._folder.glob("*.log"), key=lambda path: path.stat().st_mtime)
        for path in old[:-LOGS]:
            path.unlink(missing_ok=True)
        return self.log.open("ab")

    async def _get(self, path: str) -> str | None:
        """What it says there, where its status is 200."""
        assert self._session is not None
        try:
            async with self._session.get(f"{self.base}{path}") as reply:
                text = await reply.text()
        except (aiohttp.ClientError, OSError, TimeoutError, UnicodeDecodeError):
            return None
        return text if reply.status == 200 else None


_SERVERS: weakref.WeakValueDictionary[tuple[Any, ...], Server] = weakref.WeakValueDictionary()


def hire(program: Program, folder: Path) -> Server:
    """The server for a program, to be given back with `dismiss`: roles that want the same share one.

    Its log goes to the folder that is named first.
    """
    mark = (asyncio.get_running_loop(), program)
    server = _SERVERS.get(mark)
    if server is None or not server.holders:
        server = _SERVERS[mark] = Server(program, folder)
    server.holders += 1
    return server


async def dismiss(server: Server) -> None:
    """Stop a server that nobody else holds."""
    server.holders -= 1
    if not server.holders:
        await server.stop()


def _file_name(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.")[-80:] or "server"
