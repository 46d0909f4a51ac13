"""How a run went, over time: a line every few seconds in `data/runs/NAME/timeline.jsonl`.

The first line says what runs, the last how it ended, those between how far it had come. Times live here and in what
is made of it, never in facts. A run that got nothing at all leaves no file. Each run begins it anew.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import orjson

log = logging.getLogger(__name__)

SECONDS = 5.0  # between two lines, at first
MANY = 720  # lines, after which they come half as often, so that a file of days stays as small as one of an hour
LONGEST_NOTE = 300  # characters
HAPPENED = ("sent", "replayed")

Sample = Mapping[str, Any]
"""`seconds` since the run began, `candidates`, `accepted`, `by_role` (the counts of each role), `budget`, `note`."""


class Timeline:
    """Writes the line of one run. What the disk refuses ends the line, not the run, and is said at the run's end:
    a run that the disk ends too says so itself."""

    def __init__(
        self, path: Path, about: Callable[[], Mapping[str, Any]], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._path = path
        self._about = about
        self._clock = clock
        self._every = SECONDS
        self._lines = 0
        self._written_at = -SECONDS
        self._note = ""
        self._last: Sample = {}
        self._last_is_written = True
        self._broken: OSError | None = None

    def add(self, sample: Sample) -> None:
        """Take note of how far the run has come; it is written when it is time to, or when it waits for another."""
        if not self._lines and not _anything(sample):
            return
        now, note = self._clock(), kind(sample["note"])
        self._last, self._last_is_written = sample, False
        if now - self._written_at >= self._every or (note != self._note and now - self._written_at >= 1):
            self._written_at, self._note = now, note
            self._write_sample()

    def end(self, **how: Any) -> bool:
        """Write where it stands and how it ended; whether there is anything to be told of it."""
        if self._lines:
            if not self._last_is_written:
                self._write_sample()
            self._write({"ended": datetime.now(UTC).isoformat(timespec="seconds"), **how})
        if self._broken:
            log.warning("%s ends too early: %s", self._path.name, self._broken)
        return self._lines > 0

    def _write_sample(self) -> None:
        self._write({**self._last, "note": self._last["note"][:LONGEST_NOTE]})
        self._last_is_written = True

    def _write(self, line: Mapping[str, Any]) -> None:
        if self._broken:
            return
        try:
            if not self._lines:
                first = {"began": datetime.now(UTC).isoformat(timespec="seconds"), **self._about()}
                self._path.write_bytes(orjson.dumps(first) + b"\n")
            with self._path.open("ab") as file:
                file.write(orjson.dumps(line) + b"\n")
        except OSError as error:
            self._broken = error
        self._lines += 1
        if self._lines % MANY == 0:
            self._every *= 2


class Told(NamedTuple):
    """A timeline, read. `ended` is None while the run goes on, and of one that was killed."""

    about: dict[str, Any]
    samples: list[dict[str, Any]]
    ended: dict[str, Any] | None


def read(path: Path) -> Told:
    """The timeline in a file; a line that was not finished is left out. Raises FileNotFoundError."""
    lines = [orjson.loads(line) for line in path.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]
    ended = lines.pop() if lines and "ended" in lines[-1] else None
    return Told(lines[0] if lines else {}, lines[1:], ended)


class Wait(NamedTuple):
    """What was waited for, from when to when, in seconds of the run."""

    start: float
    stop: float
    what: str


def waits(samples: Sequence[Mapping[str, Any]]) -> list[Wait]:
    """What a run waited for. Notes that differ in their numbers alone are one wait."""
    groups = [list(group) for _, group in groupby(samples, key=lambda each: kind(each["note"]))]
    ends = [group[0]["seconds"] for group in groups[1:]] + [group[-1]["seconds"] for group in groups[-1:]]
    return [
        Wait(group[0]["seconds"], end, group[-1]["note"])
        for group, end in zip(groups, ends, strict=True)
        if group[0]["note"]
    ]


def kind(note: str) -> str:
    """A note without its numbers: what counts down or up does not make it another."""
    return re.sub(r"\d+(?:\.\d+)?", "#", note)


def _anything(sample: Sample) -> bool:
    """Whether a run has got anything yet."""
    counted = any(counts.get(name) for counts in sample["by_role"].values() for name in HAPPENED)
    return bool(sample["candidates"]) or counted
