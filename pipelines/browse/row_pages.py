"""The pages of one row: its story, two attempts side by side, a text in full, the raw facts."""

from __future__ import annotations

from typing import Any

import orjson

from pipelines.browse import cells, differences, stories
from pipelines.browse.asked import asked, asked_row, crumbs, there
from pipelines.browse.desk import Desk, NotThere
from pipelines.browse.links import Looking, Pairs, address, number
from pipelines.browse.paper import fill
from pipelines.browse.rendering import as_json
from pipelines.browse.source import Source
from pipelines.browse.table import page

ROWS = 50  # of a table, on one page


def row(desk: Desk, query: Pairs) -> str:
    """The whole story of a row; of a table without facts, its cells."""
    source, looking = asked(desk, query)
    place = asked_row(source, query)
    given = {**_neighbours(source, looking, query, place), **_links(desk, looking, query, place)}
    if source.kind == "table":
        return fill("cells.html", {**given, **cells.whole(source, looking, place)})
    told, marks = stories.read_story(source, place)
    several = len(stories.sides(told)) > 1
    return fill(
        "row.html",
        {
            **given,
            "story": told,
            "marks": marks,
            "outcome": stories.outcome(told),
            "opened": stories.shown_open(told),
            "markable": stories.marked(told),
            "summary": stories.summary(told),
            "title": stories.title,
            "text_link": lambda name: stories.text_link(looking, place, name),
            "raw_link": address("/raw", Looking(looking.of), ("row", str(place))),
            "compare_link": address("/compare", Looking(looking.of), ("row", str(place))) if several else None,
        },
    )


def _links(desk: Desk, looking: Looking, query: Pairs, place: int) -> dict[str, Any]:
    also = [(name, value) for name, value in query if name in ("row", "at")]
    up = looking._replace(offset=_at(looking, query, place) // ROWS * ROWS, written=False)
    way = [*crumbs(looking), ("rows", address("/table", up)), (f"row {place:,}", None)]
    return {
        "crumbs": way,
        "looking": looking,
        "row": place,
        "token": desk.token,
        "person": desk.person,
        "here": address("/row", looking, *also),
        "written_link": address("/row", looking._replace(written=not looking.written), *also),
    }


def _at(looking: Looking, query: Pairs, place: int) -> int:
    """Where the row stands among those that are looked at."""
    told = dict(query).get("at")
    return number(told) if told else 0 if looking.where or looking.order else place


def _neighbours(source: Source, looking: Looking, query: Pairs, place: int) -> dict[str, Any]:
    """The rows before and after, among those that are looked at."""
    at = _at(looking, query, place)
    first = max(0, at - 1)
    found = page(source, where=looking.where, order=looking.order, offset=first, limit=at - first + 2)
    rows = [each.row for each in found.rows]
    if place not in rows:  # looked at from elsewhere, as from a search
        return {"previous_link": None, "next_link": None, "place": ""}
    here = rows.index(place)
    links = [
        address("/row", looking, ("row", str(rows[there])), ("at", str(first + there)))
        if 0 <= there < len(rows)
        else None
        for there in (here - 1, here + 1)
    ]
    told = f"{first + here + 1:,} of {found.total:,}" + (" that the filters show" if looking.where else "")
    return {"previous_link": links[0], "next_link": links[1], "place": told}


def compare(desk: Desk, query: Pairs) -> str:
    """Two attempts of a row side by side."""
    source, looking = asked(desk, query)
    place = asked_row(source, query)
    told, _ = stories.read_story(source, place)
    given = dict(query)
    left, right = stories.pair(told, given.get("left", ""), given.get("right", ""))
    most = differences.MOST
    hunks = differences.side_by_side(left.text[:most], right.text[:most])
    same = sum(len(part.text) for hunk in hunks for part in hunk.left if part.is_same)
    share = 2 * same / max(1, min(len(left.text), most) + min(len(right.text), most))
    cut = f", of the first {most:,} characters" if max(len(left.text), len(right.text)) > most else ""
    back = address("/row", Looking(looking.of), ("row", str(place)))
    return fill(
        "compare.html",
        {
            "crumbs": [*crumbs(looking), (f"row {place:,}", back), ("side by side", None)],
            "kept": [("of", looking.of), ("row", str(place))],
            "choices": [(each.id, each.name) for each in stories.sides(told)],
            "left": left,
            "right": right,
            "hunks": hunks,
            "told": f"{share:.0%} the same{cut}",
        },
    )


def text(desk: Desk, query: Pairs) -> str:
    """One text of a row, however long, as it was written."""
    source, looking = asked(desk, query)
    place, name = asked_row(source, query), dict(query).get("part", "")
    found = there(lambda: cells.one(source, place, name) if source.kind == "table" else _part(source, place, name))
    back = address("/row", Looking(looking.of), ("row", str(place)))
    title = name.partition("/")[2].replace("/", " ") or name
    way = [*crumbs(looking), (f"row {place:,}", back), (title, None)]
    return fill("text.html", {"crumbs": way, "name": title, "text": found})


def _part(source: Source, place: int, name: str) -> str:
    return stories.part(stories.read_story(source, place)[0], name)


def raw(desk: Desk, query: Pairs) -> str:
    """The facts of a row as they are stored."""
    source, looking = asked(desk, query)
    place = asked_row(source, query)
    back = address("/row", Looking(looking.of), ("row", str(place)))
    return fill(
        "raw.html",
        {
            "crumbs": [*crumbs(looking), (f"row {place:,}", back), ("facts", None)],
            "row": place,
            "file_link": address("/facts.json", Looking(looking.of), ("row", str(place))),
            "facts": [(name, id, as_json(told)) for name, id, told in _facts(source, place)],
        },
    )


def facts_file(desk: Desk, query: Pairs) -> bytes:
    """The facts of a row, as a JSON file."""
    source, _ = asked(desk, query)
    return orjson.dumps([told for *_, told in _facts(source, asked_row(source, query))], option=orjson.OPT_INDENT_2)


def _facts(source: Source, place: int) -> list[tuple[str, str, dict[str, Any]]]:
    if source.kind == "table":
        raise NotThere("a table has no facts; its rows show all there is")
    return stories.raw(stories.read_story(source, place)[0])
