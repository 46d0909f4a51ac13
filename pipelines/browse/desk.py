"""What a server holds while it runs: where the data is, what it may show, and what it has opened."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import NamedTuple

from pipelines.browse import source
from pipelines.browse.source import Source

MOST_OPEN = 8


class NotThere(ValueError):
    """What was asked for does not exist; the message is one line for the person who asked."""


class Desk(NamedTuple):
    """One server's things. `opened` is filled as pages ask for more."""

    data: Path
    named: str | None  # what it was started for: the one file, folder or Hub dataset that it shows
    token: str  # forms that write must carry it
    person: str  # whose marks are made here
    opened: dict[str, Source]
    lock: threading.Lock


def at(desk: Desk, name: str) -> Source:
    """The source of that name, opened once; a run that has gone on is opened again. Raises NotThere.

    Addresses open what lies under the data folder, and what the command line named: no page of a stranger makes this
    server read another file, or ask another host.
    """
    if not _may_show(desk, name):
        raise NotThere(f"there is no dataset {name[:80]!r} here")
    with desk.lock:
        found = desk.opened.get(name)
        if found is not None and source.is_stale(found):
            source.close(desk.opened.pop(name))
            found = None
        if found is None:
            found = _open(desk, name)
        return found


def _may_show(desk: Desk, name: str) -> bool:
    if name == desk.named:
        return True
    known = [known for known, _ in source.names(desk.data)]
    return name in known or any(each.startswith(f"{name}@") for each in known) or _is_open(desk, name)


def _is_open(desk: Desk, name: str) -> bool:
    """Of what the command line named, the name may have been completed ("x" is opened as "x@v3")."""
    return any(name == each.name for each in desk.opened.values())


def _open(desk: Desk, name: str) -> Source:
    try:
        found = source.open_source(desk.data, name)
    except ValueError as error:
        raise NotThere(str(error)) from error
    while len(desk.opened) >= MOST_OPEN:
        source.close(desk.opened.pop(next(iter(desk.opened))))
    desk.opened[found.name] = desk.opened[name] = found
    return found


def close(desk: Desk) -> None:
    """Close what was opened."""
    with desk.lock:
        for each in {id(each): each for each in desk.opened.values()}.values():
            source.close(each)
        desk.opened.clear()
