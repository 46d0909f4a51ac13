"""Where answers of several lines stand in a response: in tags, in a fence, at its end."""

from __future__ import annotations

import re

_FENCE = re.compile(r"```\w*\n(.*?)```", re.DOTALL)


def tagged(text: str) -> str | None:
    """What is in the last `<answer>...</answer>`; an open one goes to the end."""
    _, tag, rest = text.rpartition("<answer>")
    return rest.partition("</answer>")[0] if tag else None


def fenced(text: str) -> str | None:
    """The content of the last closed code fence."""
    blocks = _FENCE.findall(text)
    return blocks[-1] if blocks else None


def last_block(text: str) -> str | None:
    """The lines after the last empty one."""
    return text.rstrip()[text.rstrip().rfind("\n\n") + 1 :]
