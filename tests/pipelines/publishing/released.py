"""What is on the Hub of a test, and what publishers are told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.hub.layout import Layout
from pipelines.hub.publish import Published, PublishError
from tests.hub_writing import WritableHub

REPO = "ada/sums"
NOWHERE = "http://127.0.0.1:9"
WRITING = ("create", "preupload", "batch", "put", "complete", "verify", "commit", "tag")


def card(folder: Path, laid: Layout, repo: str) -> str:
    """A small one: cards have tests of their own."""
    lines = [f"- {config.name}: {config.rows} rows" for config in laid.configs]
    return "\n".join([f"# {folder.parent.name}", "", f"This is {folder.name}.", "", *lines, ""])


def main(hub: WritableHub, repo: str = REPO) -> dict[str, bytes]:
    return hub.repos[repo].commits[hub.repos[repo].refs["main"]]


def tagged(hub: WritableHub, tag: str, repo: str = REPO) -> dict[str, bytes]:
    return hub.repos[repo].commits[hub.repos[repo].tags[tag]]


def commits(hub: WritableHub) -> int:
    """How many there are besides the first, which the Hub itself makes."""
    return len(hub.repos[REPO].commits) - 1


def refused(call: Callable[[], object]) -> str:
    """What a person is told: one line."""
    with pytest.raises(ValueError) as error:
        call()
    assert len(str(error.value).splitlines()) == 1
    return str(error.value)


def outcome(call: Callable[[], Published]) -> Published | str:
    try:
        return call()
    except PublishError as error:
        return str(error)
