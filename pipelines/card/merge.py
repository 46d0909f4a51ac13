"""A card that people have edited, and its next version: both are kept, and nobody's words are lost.

`merged` compares three texts: what Thoughtmill wrote last time (`published`), what is there now (`remote`), and what
it writes today (`fresh`). The difference between the first two is what people did, that between the first and the
third is what changed in the data. Both are applied. Where both touched the same place, the people win. Nothing is
marked: a merged card is the text that one would have written by hand.

The rules, from large to small:

1. Nothing there now: the fresh card. Nothing edited: the fresh card. Nothing new: the edited card.
2. In the YAML header each key is one thing. `configs`, `dataset_info` and `size_categories` say where the data lies
   and how much it is: they are always ours. Of the others, a key that people changed, added or removed stays so.
3. A section begins at a heading of one or two `#` outside of code, and is known by its heading; the first with one
   `#` is known as the title. Sections that people added stay behind the one they were put behind, removed ones stay
   removed, and where people moved sections their order holds. A section of ours that is no longer written goes,
   unless people edited it.
4. In a section a block is a paragraph, a table, a fenced block of code, or whatever else stands between blank lines.
   Blocks that people changed or added stay, and removed ones stay removed; all others become the fresh ones.

Where nobody knows what was published (None), a card that has MARK in it is taken for one that Thoughtmill wrote:
sections with our headings are ours, all else is the people's. A card without MARK is theirs altogether, and gets what
it has no section for. In both cases keys of the header that are there stay, but for those of rule 2.

Texts are joined with one blank line between blocks, and with `\\n` at the ends of lines.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from difflib import SequenceMatcher
from importlib.util import find_spec
from typing import NamedTuple

MARK = "<!-- thoughtmill:card. What you change, add or remove here stays so in the next release. -->"

OURS = frozenset({"configs", "dataset_info", "size_categories"})
"""Keys of the header that a release always writes anew."""

_HEADER = re.compile(r"\A\s*---[ \t]*\n(.*?\n)?---[ \t]*(?:\n|\Z)", re.DOTALL)
_KEY = re.compile(r"""(?:"([^"]*)"|'([^']*)'|([^\s#:"'-][^:#]*?))\s*:(?:\s|$)""")
_FENCE = re.compile(r" {0,3}(`{3,}(?=[^`]*$)|~{3,})")
_HEADING = re.compile(r" {0,3}#{1,2}(?:[ \t]|$)")


class Card(NamedTuple):
    """A card taken apart. Both keep their order; joined again it is the same text but for blank lines."""

    header: dict[str, str]  # the lines of each key of the YAML header, by that key
    sections: dict[str, list[str]]  # the blocks of each section, its heading the first; "" is what stands before any


def merged(remote: str | None, published: str | None, fresh: str) -> str:
    """The card of a release: `fresh`, with what people made of the last one.

    `remote` is the card that is there now, None where there is none; `published` is what Thoughtmill wrote last time,
    before any merging, None where nobody knows. Once `fresh` is what was published, merging again changes nothing.
    """
    if remote is None:
        return fresh
    if published is not None and _unix(remote) == _unix(published):
        return fresh
    if published is not None and _unix(fresh) == _unix(published):
        return remote
    now, today = taken_apart(remote), taken_apart(fresh)
    base = _as_if_published(now, today, MARK in remote) if published is None else taken_apart(published)
    return joined(Card(_merged_header(base.header, now.header, today.header), _merged_sections(base, now, today)))


def _as_if_published(now: Card, today: Card, is_ours: bool) -> Card:
    """What Thoughtmill may have written last time, as far as the card that is there tells."""
    ours = (key for key in now.sections if is_ours and key in today.sections)
    return Card({}, {key: now.sections[key] for key in ours})


# --- Taking apart and joining ----------------------------------------------------------------------------------


def taken_apart(text: str) -> Card:
    """The keys of the header and the sections of a card, by the rules above."""
    text = _unix(text)
    header = _HEADER.match(text)
    keys = _keys(header[1] or "") if header else {}
    sections: dict[str, list[str]] = {}
    key = ""
    for block in _blocks(text[header.end() :] if header else text):
        if _HEADING.match(block):
            key = _section(block, sections)
        sections.setdefault(key, []).append(block)
    return Card(keys, sections)


def joined(card: Card) -> str:
    """The card as a text again."""
    header = "---\n" + "".join(card.header.values()) + "---\n\n" if card.header else ""
    return header + "\n\n".join(block for blocks in card.sections.values() for block in blocks) + "\n"


def _unix(text: str) -> str:
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


def _keys(header: str) -> dict[str, str]:
    """The lines of each top-level key. What has no key of its own goes with the one before it."""
    keys: dict[str, str] = {}
    key = ""
    for line in header.split("\n")[:-1]:
        found = _KEY.match(line)
        name = next((name for name in found.groups() if name is not None), "") if found else ""
        key = name if name and name not in keys else key
        keys[key] = keys.get(key, "") + line + "\n"
    return keys


def _section(heading: str, known: Mapping[str, object]) -> str:
    """What a section is known by: its heading, and its number where several have the same."""
    line = heading.split("\n")[0].strip()
    is_title = not line.startswith("##") and "title" not in known
    name = "title" if is_title else " ".join(line.split())
    number = 1
    while (key := name if number == 1 else f"{name} ({number})") in known:
        number += 1
    return key


def _blocks(body: str) -> list[str]:
    """What stands between blank lines, or is a fenced block of code; a heading is a block of its own."""
    blocks: list[list[str]] = [[]]
    fence = ""
    for line in body.split("\n"):
        mark = _FENCE.match(line)
        if fence:
            blocks[-1].append(line)
            if mark and mark[1].startswith(fence) and line.strip() == mark[1]:
                fence = ""
                blocks.append([])
        elif mark or _HEADING.match(line):
            fence = mark[1] if mark else ""
            blocks.extend([[line]] if mark else [[line], []])
        elif line.strip():
            blocks[-1].append(line)
        else:
            blocks.append([])
    return ["\n".join(lines).rstrip("\n") for lines in blocks if any(lines)]


def overtaken(remote: str | None, published: str | None, fresh: str) -> list[str]:
    """The headings of sections in which people's words were kept where the fresh card says something new, too."""
    if remote is None or published is None:
        return []
    base, now, today = (taken_apart(text).sections for text in (published, remote, fresh))
    return [
        key
        for key, blocks in base.items()
        if key in now and key in today and any(each not in now[key] and each not in today[key] for each in blocks)
    ]


# --- The header ------------------------------------------------------------------------------------------------


def _merged_header(base: Mapping[str, str], now: Mapping[str, str], today: Mapping[str, str]) -> dict[str, str]:
    """The keys of rule 2, in the order in which they are there now, and new ones behind."""
    keys: dict[str, str] = {}
    for key in [*now, *(key for key in today if key not in now)]:
        is_edited = key not in OURS and not _same(base.get(key), now.get(key))
        if (lines := (now if is_edited else today).get(key)) is not None:
            keys[key] = lines
    return keys


def _same(old: str | None, new: str | None) -> bool:
    """Whether two keys say the same; an editor may have quoted or indented them in another way."""
    if old == new or old is None or new is None:
        return old == new
    if find_spec("yaml") is None:
        return False
    import yaml

    try:
        return yaml.safe_load(old) == yaml.safe_load(new)
    except yaml.YAMLError:
        return False


# --- Sections and blocks ---------------------------------------------------------------------------------------


def _merged_sections(base: Card, now: Card, today: Card) -> dict[str, list[str]]:
    kept = {
        key: blocks
        for key in [*now.sections, *(key for key in today.sections if key not in now.sections)]
        if (blocks := _merged_section(*(each.sections.get(key) for each in (base, now, today))))
    }
    return {key: kept[key] for key in _order(base.sections, now.sections, today.sections) if key in kept}


def _merged_section(base: list[str] | None, now: list[str] | None, today: list[str] | None) -> list[str] | None:
    """The blocks of a section that is there in some of the three; None where it is to be in none."""
    if now is None:
        return today if base is None else None
    if base is None:
        return now
    return merged_blocks(base, now, today) if today is not None else None if now == base else now


def _order(base: Mapping[str, object], now: Mapping[str, object], today: Mapping[str, object]) -> list[str]:
    """The keys of sections: in the fresh order, or in that of the people where they moved some of ours."""
    were_moved = [key for key in base if key in now] != [key for key in now if key in base]
    first, second = (now, today) if were_moved else (today, now)
    order = list(first)
    before = None
    for key in second:  # each that is missing goes behind what it stood behind
        if key not in first:
            order.insert(0 if before is None else order.index(before) + 1, key)
        before = key
    return order


def merged_blocks(base: Sequence[str], now: Sequence[str], today: Sequence[str]) -> list[str]:
    """Both changes applied: at each place in `base` what `now` made of it, or else what `today` did."""
    theirs, ours = _changes(base, now), _changes(base, today)
    result: list[str] = []
    for place in range(len(base) + 1):
        put = theirs.added.get(place, [])
        result += [*put, *(block for block in ours.added.get(place, []) if block not in put)]
        if place < len(base):
            result += theirs.changed.get(place, ours.changed.get(place, [base[place]]))
    return result


class _Changes(NamedTuple):
    changed: dict[int, list[str]]  # by place in the base, what stands there instead; empty where it was removed
    added: dict[int, list[str]]  # by place in the base, what was put before it


def _changes(base: Sequence[str], new: Sequence[str]) -> _Changes:
    changes = _Changes({}, {})
    for what, i, end, j, stop in SequenceMatcher(None, base, new, autojunk=False).get_opcodes():
        if what == "insert":
            changes.added[i] = list(new[j:stop])
        elif what != "equal":  # one by one, so that what was put between two of ours does not hold them together
            for place in range(i, end):
                at = j + place - i
                changes.changed[place] = list(new[at : stop if place == end - 1 else min(at + 1, stop)])
    return changes
