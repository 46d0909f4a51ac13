"""What a store has of the journal's segments, told from the names and sizes of its objects."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

log = logging.getLogger(__name__)


class Stored(NamedTuple):
    """What the store has of a segment."""

    parts: Mapping[int, int]  # the size of each, by its offset
    log: int | None = None  # its size
    is_finished: bool = False
    is_gone: bool = False  # it was merged into others, and must not come back

    @property
    def size(self) -> int:
        """Up to where its bytes are there."""
        return (self.log or 0) if self.is_finished else sum(self.parts[offset] for offset in without_gap(self.parts))


def arranged(sizes: Mapping[str, int]) -> dict[str, Stored]:
    """The segments among the objects below `journal/`, in the order in which they were begun."""
    parts: dict[str, dict[int, int]] = {}
    whole: dict[str, int] = {}
    for path, size in sizes.items():
        match path.split("/")[1:]:
            case [name, offset] if offset.isdigit():
                parts.setdefault(name, {})[int(offset)] = size
            case [name]:
                whole[name] = size
            case _:
                continue
    names = sorted({*parts, *_ending(whole, ".idx"), *_ending(whole, ".gone")})
    return {
        name: Stored(
            parts.get(name, {}),
            whole.get(f"{name}.log"),
            f"{name}.idx" in whole and f"{name}.log" in whole,
            f"{name}.gone" in whole,
        )
        for name in names
    }


def left_over(sizes: Mapping[str, int]) -> list[str]:
    """The objects of segments that are gone, where somebody was killed while removing them."""
    gone = set(_ending((path.split("/")[1] for path in sizes), ".gone"))
    return [path for path in sizes if path.split("/")[1].partition(".")[0] in gone and not path.endswith(".gone")]


def without_gap(parts: Mapping[int, int]) -> Sequence[int]:
    """The offsets of the parts up to the first that is missing."""
    end, believed = 0, []
    for offset in sorted(parts):
        if offset != end:
            log.warning("journal: the part at byte %d is missing; what lies behind it is not believed", end)
            break
        believed.append(offset)
        end += parts[offset]
    return believed


def _ending(names: Iterable[str], ending: str) -> list[str]:
    return [name.removesuffix(ending) for name in names if name.endswith(ending)]
