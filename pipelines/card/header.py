"""The YAML header of a card: what the Hub and `datasets` read of it, and the licence that the sources leave.

Written without a YAML library, in the little of YAML that needs none: keys, lists of texts, and texts that are plain
words or stand in double quotes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

_PLAIN = re.compile(r"[A-Za-z](?:[A-Za-z0-9_./-]*[A-Za-z0-9])?")
_NOT_TEXT = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n"})
_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}", re.ASCII)

SIZES = {
    **{1_000: "n<1K", 10_000: "1K<n<10K", 100_000: "10K<n<100K", 1_000_000: "100K<n<1M", 10_000_000: "1M<n<10M"},
    **{100_000_000: "10M<n<100M", 1_000_000_000: "100M<n<1B", 10_000_000_000: "1B<n<10B"},
}

# A licence, and those whose material may be passed on under it together with others; the widest come first.
MAY_HOLD: dict[str, frozenset[str]] = {
    "cc0-1.0": frozenset(),
    "mit": frozenset({"cc0-1.0"}),
    "apache-2.0": frozenset({"cc0-1.0", "mit"}),
    "cc-by-4.0": frozenset({"cc0-1.0"}),
    "cc-by-sa-4.0": frozenset({"cc0-1.0", "cc-by-4.0"}),
    "cc-by-nc-4.0": frozenset({"cc0-1.0", "cc-by-4.0"}),
    "cc-by-nc-sa-4.0": frozenset({"cc0-1.0", "cc-by-4.0", "cc-by-nc-4.0"}),
    "odc-by": frozenset({"cc0-1.0"}),
    "bsd-3-clause": frozenset({"cc0-1.0"}),
    "cc-by-3.0": frozenset({"cc0-1.0"}),
    "cc-by-sa-3.0": frozenset({"cc0-1.0", "cc-by-3.0"}),
}


class Licence(NamedTuple):
    """What the header says: an identifier of the Hub, with a name where that is `other`."""

    id: str
    name: str | None = None


def licence(told: Iterable[str | None]) -> Licence:
    """The strictest of the licences that sources name, where it covers them all; nothing is ever guessed.

    `other`, named "unknown", where a source names none or one that is not in MAY_HOLD; `other`, named "mixed", where
    no single licence covers all of them.
    """
    found = {identifier(each) for each in told}
    if not found or None in found:
        return Licence("other", "unknown")
    covering = (each for each in found if each is not None and found <= MAY_HOLD[each] | {each})
    return next((Licence(each) for each in covering), Licence("other", "mixed"))


def identifier(told: str | None) -> str | None:
    """The Hub's identifier of a licence that somebody has named, as "CC BY 4.0"; None where it is not one we know."""
    name = re.sub(r"[\s_]+", "-", (told or "").strip().lower())
    return name if name in MAY_HOLD else None


def size_category(rows: int) -> str:
    """The Hub's name for so many rows."""
    return next((name for below, name in SIZES.items() if rows < below), "n>1T" if rows >= 10**12 else "10B<n<100B")


def sources(told: Iterable[str | None]) -> list[str]:
    """Datasets of the Hub that sources name, and `original` where there is anything else."""
    names = set(told)
    hub = {name for name in names if name is not None and _REPOSITORY.fullmatch(name)}
    return [*sorted(hub), *(["original"] if names != hub or not names else [])]


def configs(files: Mapping[str, Sequence[str]]) -> list[dict[str, Any]]:
    """What `datasets` reads: each config with the paths or patterns of its files, one split `train`, the first the
    default."""
    return [
        {"config_name": name, **({"default": True} if place == 0 else {})}
        | {"data_files": [{"split": "train", "path": paths[0] if len(paths) == 1 else list(paths)}]}
        for place, (name, paths) in enumerate(files.items())
    ]


def yaml(value: Mapping[str, Any]) -> str:
    """Keys with texts, flags, and lists of these or of such mappings again, as YAML; None and empty lists are left
    out."""
    return "".join(f"{line}\n" for key, each in value.items() for line in _lines(key, each))


def _lines(key: str, value: Any) -> list[str]:
    if value is None or value == []:
        return []
    if not isinstance(value, list):
        return [f"{key}: {scalar(value)}"]
    lines = [f"{key}:"]
    for each in value:
        inner = yaml(each).split("\n")[:-1] if isinstance(each, Mapping) else [scalar(each)]
        lines += [f"{'  ' if place else '- '}{line}" for place, line in enumerate(inner)]
    return lines


def scalar(value: str | bool) -> str:
    """A text as it may stand in YAML: plain where it can only be that text, and else in double quotes."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if _PLAIN.fullmatch(value) and value.lower() not in _NOT_TEXT:
        return value
    return f'"{"".join(map(_escaped, value))}"'


def _escaped(char: str) -> str:
    if char in '"\\':
        return f"\\{char}"
    if char.isprintable():
        return char
    return f"\\u{ord(char):04x}" if ord(char) < 0x10000 else f"\\U{ord(char):08x}"
