"""The account of a budget: what each process of a run has paid, and the most that it may pay before it looks again.

    data/runs/NAME/budget.json      that, by process, and what those paid together that have ended
    data/runs/NAME/.budget-WHO      locked for as long as this process lives; in it the most that it may have paid

A process holds a part of the budget before it uses it, so that it need not look for every request; who finds no room
holds no more than it uses. Of a process that was killed what was under way counts as paid, for nobody knows; what it
held beyond that comes back, unless its machine was another one, or has been started anew: its last word may be lost.
"""

from __future__ import annotations

import fcntl
import os
import struct
import uuid
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import orjson

from pipelines.store import replace

AMOUNTS = ("tokens", "money")
HELD_SHARE = 0.005  # of what is left, which all processes together hold ahead, about
ENDED = "ended"  # who is no process: what those paid that have ended

Amount = Mapping[str, float]
Book = dict[str, dict[str, dict[str, float]]]  # by process: `paid`, and `held`, which is at least as much

LAST_WORD = struct.Struct("<36s2d")  # which start of which machine, and the most that may have been paid


class Account:
    """The account as one process sees it. Amounts are complete: a value for each of AMOUNTS.

    As it was when it looked last: `others_hold`, whether another living process holds more than it has paid, so that
    some may come back; `alive`, how many processes there are.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._me = f"{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self._life: int | None = None  # the file that is locked as long as this process lives
        self._entered: dict[str, dict[str, float]] = {}  # what the book says of this process
        self.others_hold = False
        self.alive = 1

    def hold(self, *, paid: Amount, used: Amount, more: Amount, limits: Amount) -> bool:
        """Whether this process may use `more`: it holds that much, or there is room for it.

        `used` is what it has paid and what is under way. Where there is no room it holds no more than that any more.
        """
        wanted = {name: used[name] + more[name] for name in AMOUNTS}
        if not _fits(wanted, self._entered.get("held", {}), limits):
            with self._book() as book:
                free = self._free(book, wanted, limits)
                fits = _fits(wanted, free, limits)
                self._enter(book, paid, self._ahead(wanted, free) if fits else used)
            if not fits:
                return False
        self.say(wanted)
        return True

    def say(self, used: Amount) -> None:
        """Remember what is paid and under way, for the case that this process is killed."""
        if self._life is not None:
            os.pwrite(self._life, LAST_WORD.pack(_this_start(), *(used[name] for name in AMOUNTS)), 0)

    def rest(self, *, paid: Amount, used: Amount) -> None:
        """Write down what is paid, and hold no more than is used."""
        if self._entered and self._entered != {"paid": paid, "held": used}:
            with self._book() as book:
                self._enter(book, paid, used)

    def close(self) -> None:
        """This process is done: what it has entered last stays."""
        if self._life is not None:
            self._life_of(self._me).unlink(missing_ok=True)
            self._let_go()
            self._life = None

    def others(self) -> dict[str, float]:
        """What all other processes have paid, or may have."""
        return self._of_others(orjson.loads(self._read()))

    def _free(self, book: Book, wanted: Amount, limits: Amount) -> dict[str, float]:
        """How far this process may come. The dead are looked for when it begins, and where it finds no room."""
        free = self._left(book, limits)
        if self._life is None or not _fits(wanted, free, limits):
            self._live()
            self._bury(book)
            free = self._left(book, limits)
        living = [book[who] for who in book if who not in (ENDED, self._me)]
        self.alive = 1 + len(living)
        self.others_hold = any(_most(each, name) > each["paid"][name] for each in living for name in limits)
        return free

    def _left(self, book: Book, limits: Amount) -> dict[str, float]:
        others = self._of_others(book)
        return {name: limit - others[name] for name, limit in limits.items()}

    def _of_others(self, book: Book) -> dict[str, float]:
        return {name: sum(_most(book[who], name) for who in book if who != self._me) for name in AMOUNTS}

    def _ahead(self, wanted: Amount, free: Amount) -> dict[str, float]:
        """What to hold: a little more than is wanted, so that the next requests need not ask."""
        share = HELD_SHARE / self.alive
        return {name: each + share * max(0.0, free.get(name, each) - each) for name, each in wanted.items()}

    def _enter(self, book: Book, paid: Amount, held: Amount) -> None:
        self._entered = book[self._me] = {"paid": dict(paid), "held": dict(held)}

    # --- Who lives ------------------------------------------------------------------------------------------------

    def _live(self) -> None:
        """Let others see that this process lives, from now on until it ends, however that happens."""
        if self._life is None:
            self._life = os.open(self._life_of(self._me), os.O_CREAT | os.O_RDWR, 0o644)
            self._let_go = weakref.finalize(self, os.close, self._life)
            fcntl.flock(self._life, fcntl.LOCK_EX)

    def _bury(self, book: Book) -> None:
        """Put those that have ended together: they have paid what they may have paid, and hold nothing."""
        for who in [each for each in book if each not in (ENDED, self._me)]:
            if not _lives(self._life_of(who)):
                entry, together = book.pop(who), book.setdefault(ENDED, {"paid": dict.fromkeys(AMOUNTS, 0.0)})
                last = _last_word(self._life_of(who)) or {name: _most(entry, name) for name in AMOUNTS}
                together["paid"] = {name: together["paid"][name] + last[name] for name in AMOUNTS}
                self._life_of(who).unlink(missing_ok=True)

    def _life_of(self, who: str) -> Path:
        return self._path.with_name(f".{self._path.stem}-{who}")

    # --- The file -------------------------------------------------------------------------------------------------

    @contextmanager
    def _book(self) -> Iterator[Book]:
        """The book, which nobody else changes meanwhile; what is changed in it is written."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            before = self._read()
            book = orjson.loads(before)
            yield book
            if (after := orjson.dumps(book)) != before:
                replace(self._path, after)

    def _read(self) -> bytes:
        return self._path.read_bytes() if self._path.is_file() else b"{}"


def closed(path: Path) -> None:
    """The version is made that the budget was for: the next one has its own."""
    for each in (path, path.with_suffix(".lock"), *path.parent.glob(f".{path.stem}-*")):
        each.unlink(missing_ok=True)


def _fits(wanted: Amount, free: Amount, limits: Amount) -> bool:
    return all(wanted[name] <= free.get(name, -1.0) for name in limits)


def _most(entry: Mapping[str, Any], name: str) -> float:
    """What a process may have paid, by its entry."""
    return max(entry["paid"][name], entry.get("held", {}).get(name, 0.0))


def _lives(life: Path) -> bool:
    """Whether the process still holds the lock on its file."""
    try:
        file = os.open(life, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(file)
    return False


def _last_word(life: Path) -> dict[str, float] | None:
    """The most that a process may have paid which has ended; None where it cannot be trusted to be its last word."""
    said = life.read_bytes() if life.is_file() else b""
    if len(said) != LAST_WORD.size:
        return None
    start, *amounts = LAST_WORD.unpack(said)
    return dict(zip(AMOUNTS, amounts, strict=True)) if start == _this_start() else None


@cache
def _this_start() -> bytes:
    """Which start of which machine this is; where the system does not tell, one that no other process has."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_bytes().strip()
    except OSError:
        return str(uuid.uuid4()).encode()
