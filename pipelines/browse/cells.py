"""The table of rows and its forms: columns, cells, fields to filter by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from pipelines.browse import table
from pipelines.browse.links import KEYS, Looking, Pairs, address, pairs, sorted_by
from pipelines.browse.marks import marks_on
from pipelines.browse.paper import number, plain, short
from pipelines.browse.rendering import MOST, as_json
from pipelines.browse.source import Column, Source, progress
from pipelines.browse.table import Cut, Filter, Row

USUAL = ("outcome", "reason", "question", "answer", "pass_rate", "attempts", "tokens", "domain", "mark")
FEW_COLUMNS = 8
FEW_CHOICES = 60
SHOWN = 280  # characters of a cell
LONG = 30  # characters that want a line of their own on a narrow screen
KINDS = {"category": "word", "flag": "word"}
MAIN = ("question", "prompt", "messages", "text", "problem", "instruction")  # the widest columns


class Cell(NamedTuple):
    """A cell of the table, as text."""

    name: str
    kind: str  # number, word or long
    text: str
    status: str = ""  # of an outcome or mark


class Field(NamedTuple):
    """A field of the form that filters, and what it holds now."""

    name: str
    type: str
    choices: list[tuple[str, str]]
    min: str = ""
    max: str = ""
    has: str = ""
    value: str = ""


def chosen(source: Source, looking: Looking) -> list[Column]:
    """The columns that are shown: those asked for, or the usual ones, and always that which sorts."""
    names = [each.name for each in source.columns[:FEW_COLUMNS]] if source.kind == "table" else USUAL
    shown = {*(looking.show or names), *([looking.order.column] if looking.order else [])}
    return [each for each in source.columns if each.name in shown]


def heads(columns: Sequence[Column], looking: Looking) -> list[dict[str, Any]]:
    """The head of each column: its name, the address that sorts by it, and how it is sorted now."""
    first = {
        "name": "row",
        "type": "number",
        "about": "",
        "sorted": "",
        "link": address("/table", _unsorted(looking)),
    }
    return [first, *(_head(each, looking) for each in columns)]


def _head(column: Column, looking: Looking) -> dict[str, Any]:
    now = looking.order if looking.order and looking.order.column == column.name else None
    direction = "" if now is None else "descending" if now.descending else "ascending"
    link = address("/table", sorted_by(looking, column.name))
    return {"name": column.name, "type": column.type, "about": column.about, "sorted": direction, "link": link}


def _unsorted(looking: Looking) -> Looking:
    return looking._replace(order=None, offset=0)


def line(row: Row, columns: Sequence[Column], looking: Looking, at: int) -> dict[str, Any]:
    """A row of the table: its cells, and the address of its story."""
    link = address("/row", looking._replace(offset=0), ("row", str(row.row)), ("at", str(at)))
    first = Cell("row", "number", f"{row.row:,}")
    return {"link": link, "cells": [first, *(_cell(each, row.cells[each.name]) for each in columns)]}


def _cell(column: Column, value: Any) -> Cell:
    text = _text(value)
    kind = "number" if column.type == "number" else "long" if len(text) > LONG else KINDS.get(column.type, "")
    return Cell(column.name, f"{kind} main" if column.name in MAIN else kind, text, _status(column.name, value))


def _text(value: Any) -> str:
    match value:
        case None:
            return ""
        case Cut(text, _):
            return short(text, SHOWN).removesuffix("…") + "…"
        case bool():
            return "yes" if value else "no"
        case int() | float():
            return number(value)
        case _:
            return short(plain(value), SHOWN)


def _status(name: str, value: Any) -> str:
    """What sign and colour an outcome or a mark has; every other cell has none."""
    if name == "mark" and value in ("pass", "fail", "unsure"):
        return str(value)
    if name != "outcome" or value is None:
        return ""
    known = {"accepted": "pass", "still in": "open", "open": "open"}
    state = str(value).rpartition(": ")[2]
    return known.get(str(value), state if state in ("unsure", "error") else "fail")


def told(each: Filter) -> str:
    """A filter in words."""
    return f"{each.column} {each.op} {each.value}".strip()


# ---------------------------------------------------------------------------------------------------------------
# The form that filters


def fields(source: Source, looking: Looking) -> list[Field]:
    """One field, or two, for each column."""
    return [_field(source, each, looking) for each in source.columns]


def _field(source: Source, column: Column, looking: Looking) -> Field:
    now = {KEYS[each.op]: each.value for each in looking.where if each.column == column.name}
    given = {"min": now.get("min", ""), "max": now.get("max", ""), "has": now.get("has", "")}
    return Field(column.name, column.type, _choices(source, column), **given, value=now.get("is", ""))


def _choices(source: Source, column: Column) -> list[tuple[str, str]]:
    """The values of a column with few, and how many rows each has; none while a column is still being read."""
    if column.type not in ("category", "flag"):
        return []
    if progress(source) < 1:
        return [("true", "true"), ("false", "false")] if column.type == "flag" else []
    found = [each for each in table.choices(source, column.name, most=FEW_CHOICES) if each[0] not in (None, "")]
    return [(str(value), f"{short(value, 60)} ({count:,})") for value, count in found]


def unfiltered(source: Source, looking: Looking) -> Pairs:
    """What the form that filters keeps: everything but the filters that have a field in it."""
    names = {f"{op}.{each.name}" for each in source.columns for op in ("min", "max", "has", "is")}
    return [(name, value) for name, value in pairs(looking._replace(offset=0)) if name not in names]


# ---------------------------------------------------------------------------------------------------------------
# A row of a table without facts


def whole(source: Source, looking: Looking, place: int) -> dict[str, Any]:
    """Every cell of a row, with the marks of people on it."""
    cells = [_part(looking, place, name, value) for name, value in table.row(source, place).items()]
    return {"cells": cells, "marks": marks_on(source, place), "subject": f"row:{place}"}


def _part(looking: Looking, place: int, name: str, value: Any) -> dict[str, Any]:
    link = address("/text", Looking(looking.of), ("row", str(place)), ("part", name))
    text = value.text if isinstance(value, Cut) else value
    told = {"name": name, "text": None if text is None else plain(text), "link": link, "is_json": False, "left": 0}
    if isinstance(value, Cut):
        told["left"] = value.length - len(value.text)
    if isinstance(text, str) and text[:1] in ("[", "{") and len(text) < MOST and not told["left"]:
        told |= _as_nested(text)
    return told


def _as_nested(text: str) -> dict[str, Any]:
    """Nested values come as JSON text; other texts that begin so are no JSON, and stay texts."""
    import orjson

    try:
        return {"is_json": True, "html": as_json(orjson.loads(text))}
    except orjson.JSONDecodeError:
        return {}


def one(source: Source, place: int, name: str) -> str:
    """One cell, however long."""
    return table.cell(source, place, name)
