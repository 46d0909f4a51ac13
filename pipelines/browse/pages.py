"""The pages about datasets: from what an address asks for to HTML.

No HTTP in here, and no HTML but what the templates say. The pages of one row are in `row_pages`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import orjson

from pipelines.browse import cells
from pipelines.browse.asked import asked, asked_row
from pipelines.browse.charts import chart
from pipelines.browse.desk import Desk
from pipelines.browse.funnel import Funnel, funnel, funnel_of_ledger
from pipelines.browse.links import Looking, Pairs, address, narrowed, pairs, without
from pipelines.browse.marks import all_marks, mark, unmark
from pipelines.browse.paper import fill
from pipelines.browse.plots import Plot, plots
from pipelines.browse.row_pages import ROWS
from pipelines.browse.shelf import Version, datasets, runs
from pipelines.browse.source import Source, begin_index, progress, trouble, wait
from pipelines.browse.table import page
from pipelines.records import to_json
from pipelines.story.story import what_it_asks

REASONS = 6  # of a loss
PATIENCE = 0.6  # seconds that a page waits for a dataset to be read in full
SMALL = 10_000  # rows that are read in less


def home(desk: Desk, query: Pairs) -> str:
    """The datasets, and the runs."""
    return fill("home.html", {"crumbs": [], "datasets": datasets(desk.data), "runs": runs(desk.data)})


def dataset(desk: Desk, query: Pairs) -> Iterator[str]:
    """Where the candidates of a dataset went, then its plots as soon as they are counted; of what is read by now."""
    source, looking = asked(desk, query)
    _await(source)
    whole = _filled(desk, "dataset.html", source, looking, "overview", **_about(source), **_funnel(source, looking))
    head, _, tail = whole.partition("<!-- plots -->")
    yield head
    if source.rows:
        _await(source, seconds=PATIENCE)
        drawn = [chart(place, each, lambda where: _rows(looking, where)) for place, each in enumerate(_plots(source))]
        yield fill("plots.html", {"charts": drawn})
    yield tail


def _await(source: Source, *, seconds: float = 0) -> None:
    """Begin to read a dataset, and wait until a small one is read, which is at once, or so many seconds.

    What keeps it from being read stands at the head of the page.
    """
    with contextlib.suppress(ValueError):
        wait(source, PATIENCE if source.rows <= SMALL else seconds)


def _funnel(source: Source, looking: Looking) -> dict[str, Any]:
    """The funnel; of a version that is not read yet, as its ledger tells it."""
    is_early = source.kind == "version" and progress(source) < 1
    if not is_early and (source.kind == "table" or not progress(source)):
        return {"funnel": None}
    told = funnel_of_ledger(source) if is_early else funnel(source)
    links = {"accepted_link": told.where_accepted, "still_in_link": told.where_still_in}
    leading = {name: _rows(looking, where) for name, where in links.items()}
    return {"funnel": told, "steps": _steps(told, looking), **leading}


def _plots(source: Source) -> list[Plot]:
    return plots(source) if progress(source) else []


def _steps(told: Funnel, looking: Looking) -> list[dict[str, Any]]:
    """The losses with the share of candidates that was left after each, and addresses of what they took."""
    whole = told.candidates or 1
    return [
        {
            "name": each.name,
            "asks": what_it_asks(each.rule),
            "lost": each.lost,
            "left": each.left / whole,
            "gone": each.lost / whole,
            "link": _rows(looking, each.where),
            "reasons": [
                (why.text or "no reason given", why.rows, _rows(looking, why.where)) for why in each.reasons[:REASONS]
            ],
        }
        for each in told.losses
    ]


def _about(source: Source) -> dict[str, Any]:
    """The numbers at the head of a dataset, and what else is known of it."""
    books = source.about.get("ledger", {})
    spent = books.get("models", {}).values()
    attempts, tokens = (sum(each[name] for each in spent) for name in ("attempts", "completion_tokens"))
    version = source.about.get("version", {})
    numbers: list[tuple[str, int]] = [("rows", source.rows)] if source.kind == "table" else []
    if spent:
        told = [("attempts", attempts), ("tokens answered", tokens)]
        numbers = [each for each in told if each[1]]  # what was brought has no tokens that were counted
    about = {
        "recipe": source.about.get("recipe", {}).get("about"),
        "views": ", ".join(f"{view} {count:,}" for view, count in version.get("rows", {}).items()),
        "models": ", ".join(f"{role}: {each['model']}" for role, each in books.get("models", {}).items()),
        "digest": version.get("digest"),
        "folder": source.about.get("folder") and str(source.about["folder"]),
        "files": ", ".join(str(each) for each in source.about.get("files", [])),
        "revision": source.about.get("revision"),
        "notes": "; ".join(source.about.get("notes", [])),
        "running": "it still goes on" if source.about.get("running") else "",
    }
    return {"numbers": numbers, "about": {name: value for name, value in about.items() if value}}


def table(desk: Desk, query: Pairs) -> str:
    """A page of the rows that an address asks for."""
    source, looking = asked(desk, query)
    if looking.where or looking.order or source.rows <= SMALL:
        _await(source, seconds=PATIENCE / 2)
    found = page(source, where=looking.where, order=looking.order, offset=looking.offset, limit=ROWS)
    chosen = cells.chosen(source, looking)
    first, last = looking.offset + 1, looking.offset + len(found.rows)
    at = looking.offset
    made = _filled(
        desk,
        "table.html",
        source,
        looking,
        "table",
        columns=cells.heads(chosen, looking),
        rows=[cells.line(each, chosen, looking, at + place) for place, each in enumerate(found.rows)],
        every_column=[(each.name, each in chosen) for each in source.columns],
        fields=cells.fields(source, looking),
        unfiltered=cells.unfiltered(source, looking),
        columnless=pairs(looking._replace(show=())),
        dense_link=address("/table", looking._replace(dense=not looking.dense)),
        place=f"rows {first:,} to {last:,} of {found.total:,}" if found.rows else f"of {found.total:,} rows",
        previous_link=address("/table", looking._replace(offset=max(0, at - ROWS))) if at else None,
        next_link=address("/table", looking._replace(offset=at + ROWS)) if found.more else None,
    )
    begin_index(source)  # not before: it would take the first rows half of the processor
    return made


def search(desk: Desk, query: Pairs) -> str:
    """The page of a search, without its hits."""
    source, looking = asked(desk, query)
    return _filled(desk, "search.html", source, looking, "search", text=dict(query).get("q", ""))


def marks_file(desk: Desk, query: Pairs) -> bytes:
    """The marks of people on a dataset: one verdict on each line."""
    source, _ = asked(desk, query)
    return "".join(to_json(each.verdict._asdict()) + "\n" for each in all_marks(source)).encode()


def told_progress(desk: Desk, query: Pairs) -> bytes:
    """How much of a dataset's index is made, from 0 to 1."""
    source, _ = asked(desk, query)
    begin_index(source)
    return orjson.dumps({"progress": progress(source)})


def save_mark(desk: Desk, form: Pairs) -> None:
    """Make a mark, or take it back. Raises ValueError."""
    source, _ = asked(desk, form)
    given = dict(form)
    place, subject = asked_row(source, form), given.get("subject", "")
    if given.get("status") == "none":
        unmark(source, subject=subject, row=place, by=desk.person)
        return
    note = given.get("note", "").strip()
    mark(source, subject=subject, row=place, status=given.get("status", ""), note=note, by=desk.person)


# ---------------------------------------------------------------------------------------------------------------
# What the pages share


def _rows(looking: Looking, where: Sequence[Any]) -> str:
    return address("/table", narrowed(looking, where))


def _filled(desk: Desk, template: str, source: Source, looking: Looking, tab: str, **given: Any) -> str:
    """A page about a dataset, with its head."""
    bare = looking._replace(where=(), offset=0)
    chips = [(cells.told(each), address(f"/{tab}", without(looking, each))) for each in looking.where]
    head = {
        "crumbs": [(looking.of, None if tab == "overview" else address("/dataset", Looking(looking.of)))],
        "looking": looking,
        "tab": tab,
        "versions": _versions(desk, looking.of),
        "overview_link": address("/dataset", Looking(looking.of)),
        "table_link": address("/table", looking._replace(offset=0)),
        "search_link": address("/search", looking._replace(offset=0)),
        "bare_link": address("/table", bare),
        "kept": pairs(looking._replace(offset=0)),
        "chips": chips,
        "trouble": trouble(source),
        "progress": progress(source),
        "progress_link": address("/progress", Looking(looking.of)),
    }
    return fill(template, {**head, **given})


def _versions(desk: Desk, name: str) -> list[tuple[Version, bool]]:
    """The versions of the dataset that `name` is one of, and which of them that is."""
    home, _, version = name.partition("@")
    found = next((each for each in datasets(desk.data) if each.name == home and version), None)
    return [(each, each.name == version) for each in found.versions] if found else []
