"""Leases: who makes a dataset, where several machines share a store.

    runs/NAME/lease/<generation>            who holds it, and until when
    house/lease/<generation>                the same of who removes things, while nothing is made

A generation is put only where none of that number is, so of several who want it one gets it; the highest counts. Its
holder says every few seconds that it lives. One that has died loses it two minutes later, and one that merely slept
finds out before it publishes anything. Clocks of two machines may be a minute apart.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Sequence
from typing import Any

import orjson

from pipelines.remote import Remote, StoreDown

log = logging.getLogger(__name__)

LEASE_SECONDS = 60.0
RENEW_SECONDS = 15.0
APART_SECONDS = 60.0
"""How far clocks may be apart: a lease that has ended is honoured for that much longer."""

HOUSE = ""
"""In place of a dataset's name: the whole store."""


class Busy(Exception):
    """Another run works on the same dataset, or somebody removes things from the store."""


class Lease:
    """The right to make one dataset, or to keep HOUSE, held until `release`. `folder` is the data folder's id.

    A data folder takes its own lease over at once: its lock on the disk says that no other run of it lives.
    """

    def __init__(self, remote: Remote, name: str, *, folder: str) -> None:
        """Raises Busy."""
        self._remote = remote
        self._dataset = name
        self._under = place(name)
        self._folder = holder(folder)
        self._who = f"process {os.getpid()} on {socket.gethostname()}"
        self._mark = uuid.uuid4().hex
        self._ended = threading.Event()
        self._object = self._take()
        self._heart = threading.Thread(target=self._beat, name=self._under, daemon=True)
        self._heart.start()

    def check(self) -> None:
        """Raises Busy where another run has taken the lease meanwhile."""
        if max(self._remote.sizes(self._under), default="") != self._object:
            raise Busy(f"another run has begun {work(self._dataset)} while this one was out of reach")

    def renew(self) -> None:
        self._remote.put(self._object, self._told(time.time() + LEASE_SECONDS))

    def release(self) -> None:
        """Let the next run have it at once. Where the store does not hear of that, the lease ends by itself."""
        self._ended.set()
        self._heart.join()
        try:
            self._remote.put(self._object, self._told(0))
        except StoreDown as error:
            log.warning("the lease %s is not given back, and ends in two minutes: %s", self._under, error)

    def _take(self) -> str:
        earlier = _generations(self._remote, self._dataset)
        _refuse_if_held(self._remote, self._dataset, earlier, self._folder)
        generation = int(earlier[-1][-20:]) + 1 if earlier else 1
        name = f"{self._under}/{generation:020d}"
        if not self._remote.create(name, self._told(time.time() + LEASE_SECONDS)):
            raise Busy(f"another run has just begun {work(self._dataset)}; {way_out(self._dataset)}")
        self._remote.remove(earlier)
        return name

    def _told(self, until: float) -> bytes:
        return orjson.dumps({"who": self._who, "folder": self._folder, "mark": self._mark, "until": until})

    def _beat(self) -> None:
        while not self._ended.wait(RENEW_SECONDS):
            try:
                self.renew()
            except StoreDown as error:
                log.warning("the lease %s could not be renewed: %s", self._under, error)


def refuse_if_held(remote: Remote, name: str, *, folder: str) -> None:
    """Raises Busy where another data folder than this one makes a dataset, or keeps HOUSE."""
    _refuse_if_held(remote, name, _generations(remote, name), holder(folder))


def end_overdue(remote: Remote, name: str) -> None:
    """Let who held a dataset, and never gave it back, find out when it wakes: things were removed meanwhile."""
    generations = _generations(remote, name)
    if generations and read(remote.get(generations[-1]))["until"]:
        remote.create(f"{place(name)}/{int(generations[-1][-20:]) + 1:020d}", orjson.dumps({"until": 0}))
        remote.remove(generations)


def _generations(remote: Remote, name: str) -> list[str]:
    return [each for each in remote.sizes(place(name)) if each[-20:].isdigit()]


def _refuse_if_held(remote: Remote, name: str, generations: Sequence[str], ours: str) -> None:
    told = read(remote.get(generations[-1]) if generations else None)
    ends = told["until"] + APART_SECONDS - time.time()
    if ends > 0 and told["folder"] != ours:
        raise Busy(
            f"another run ({told['who']}) is {work(name)}; {way_out(name)}"
            f" (if it has died, its lease ends in {ends:.0f} s)"
        )


def place(name: str) -> str:
    """Below what a lease lies."""
    return f"runs/{name}/lease" if name else "house/lease"


def work(name: str) -> str:
    return f"making {name!r}" if name else "removing things from the store"


def way_out(name: str) -> str:
    return "wait for it, or give this one another --name" if name else "wait for it"


def holder(folder: str) -> str:
    """A copy of a data folder is not the same one: `folder` tells its path, too."""
    return f"{folder} on {socket.gethostname()}"


def read(content: bytes | None) -> dict[str, Any]:
    """What a lease says; one that is gone or cannot be read is free."""
    free = {"who": "unknown", "folder": "", "until": 0}
    try:
        told = orjson.loads(content or b"null")
    except orjson.JSONDecodeError:
        return free
    return free | told if isinstance(told, dict) else free
