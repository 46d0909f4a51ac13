"""Requests to judge: what stands between which marks, and what is asked for."""

import re
from typing import NamedTuple

FORM = re.compile(r"reply in exactly this form", re.I)
TAG = re.compile(r"^<(\w+)>$", re.M)
MATERIAL = re.compile(r"between the marks is material", re.I)


class Asked(NamedTuple):
    """A request to judge: texts by the marks that they stand between, and the tags of the reply in their order.

    `prompt` is what stands before the form of the reply, and `form` what tells it.
    """

    parts: dict[str, str]
    tags: tuple[str, ...]
    prompt: str
    form: str


def asked(prompt: str) -> Asked | None:
    """The request, where material is shown between marks and a form of reply is told."""
    if not MATERIAL.search(prompt) or not FORM.search(prompt):
        return None
    before, _, form = prompt.rpartition(FORM.search(prompt)[0])  # pyright: ignore[reportOptionalSubscript]
    tags = tuple(TAG.findall(form))
    parts = {mark: text.strip() for mark, text in re.findall(r"^<(\w+)>\n(.*?)\n</\1>$", before, re.M | re.S)}
    return Asked(parts, tags, before, form) if parts and tags else None


def shown(parts: dict[str, str]) -> str:
    """A reply in tags."""
    return "\n".join(f"<{tag}>\n{text}\n</{tag}>" for tag, text in parts.items())
