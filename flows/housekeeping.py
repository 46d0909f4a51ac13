"""Keeping house in the terminal: what was forgotten, purged, removed, and fetched from the store."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator

from rich.console import Console
from rich.table import Table

from flows.show import aside, find_version, plain, screen
from pipelines import forget as forgetting
from pipelines import gc
from pipelines import purge as purging
from pipelines.gc import using
from pipelines.mirror import opened
from pipelines.store import data_folder
from pipelines.tombstones import Tombstone, text_digest

UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0, "w": 604_800.0}


# --- Forgetting -----------------------------------------------------------------------------------------------


def forget(what: str, row: str | None, *, reason: str, console: Console = screen) -> None:
    """Write a tombstone and say what it covers.

    Raises ValueError or NotThere before anything is written; BadStore or StoreDown when the tombstone stands here.
    """
    said = forgetting.forget(data_folder(), _stone(what, row, reason))
    opened(data_folder())  # which tells the store, where there is one
    stone = said.stone
    covers = f"{len(stone.ids):,} facts" if stone.ids else "no fact that was made so far"
    already = "" if said.is_new else "; that was said before"
    console.print(
        plain(f"forgotten: a {stone.kind}, {covers}, with all that was made of it{already}"), soft_wrap=True
    )
    console.print("what is made from now on leaves it out: thoughtmill run makes the next version", soft_wrap=True)
    console.print("what was made before still holds it: thoughtmill forget --purge takes it out", soft_wrap=True)


def _stone(what: str, row: str | None, reason: str) -> Tombstone:
    data = data_folder()
    if row is not None:
        return forgetting.row_of(find_version(what), row, reason=reason)
    if what.startswith("source="):
        return forgetting.source_of(data, what.removeprefix("source="), reason=reason)
    if what == "text:-":
        return forgetting.text_of(data, text_digest(sys.stdin.read()), reason=reason)
    if what.startswith("text:"):
        return forgetting.text_of(data, what.removeprefix("text:"), reason=reason)
    return forgetting.fact_of(data, what, reason=reason)


def purge(*, console: Console = screen) -> None:
    """Take what is forgotten out of what there is, and say what is beyond reach."""
    with aside.status("purging") as status:
        done = purging.purge(data_folder(), watch=lambda told: status.update(f"purging: {told}"))
    console.print(f"{done.outputs:,} outputs of stages rewritten, {done.replies:,} replies taken out of the journal")
    for name in done.versions:
        home, _, version = name.partition("@")
        again = f"thoughtmill run {data_folder() / 'datasets' / home / version / 'recipe.toml'}"
        console.print(plain(f"{name} is gone; {again} makes it anew without, and sends nothing"), soft_wrap=True)
    for name in done.indexes:
        console.print(plain(f"the index {name} was made anew"), soft_wrap=True)
    console.print("beyond reach, for you to see to:")
    for told in done.beyond:
        console.print(plain(f"  {told}"), soft_wrap=True)


# --- Fetching -------------------------------------------------------------------------------------------------


def pull(dataset: str, *, console: Console = screen) -> None:
    """Fetch a version from the store, and say where it is. Raises ValueError, BadStore or StoreDown."""
    data = data_folder()
    mirror = opened(data)
    if mirror is None:
        raise ValueError("there is no store to pull from: set THOUGHTMILL_STORE")
    name, _, version = dataset.partition("@")
    with using(data):
        folder = mirror.fetch_version(name, version)
    console.print(plain(f"{name}@{folder.name} is in {folder}"), soft_wrap=True)


# --- Removing -------------------------------------------------------------------------------------------------


def collect(older_than: str, *, replies: bool, dry_run: bool, console: Console = screen) -> None:
    """Remove what nothing needs, or say what would go. Raises ValueError."""
    how = gc.preview if dry_run else gc.collect
    done = how(data_folder(), older_than=seconds(older_than), replies=replies)
    for line in _told(done, "would go" if dry_run else "gone"):
        console.print(plain(line), soft_wrap=True)
    console.print(_sizes(done, dry_run))


def seconds(age: str) -> float:
    """The seconds of 90, 12h, 7d or 2w. Raises ValueError."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhdw]?)", age)
    if not found:
        raise ValueError(f"--older-than {age}: say an age such as 12h, 7d or 0")
    return float(found[1]) * UNITS[found[2]]


def _told(done: gc.Collected, went: str) -> Iterator[str]:
    if done.under_way:
        yield "a run is under way: outputs and replies are left alone until it has ended"
    kinds = {
        "outputs that no run needs": done.rubbish.unneeded,
        "unfinished or damaged outputs": done.rubbish.broken,
        "left-over temporary files": done.rubbish.left_over,
    }
    yield from (f"{went}: {len(paths):,} {kind}" for kind, paths in kinds.items() if paths)
    if done.merged.replies:
        yield f"{went}: {done.merged.replies:,} replies that nothing needs"
    if done.merged.segments:
        yield f"{done.merged.segments:,} parts of the journal became {done.merged.into:,}"


def _sizes(done: gc.Collected, dry_run: bool) -> Table:
    table = Table("", "before", "after, about" if dry_run else "after", box=None, pad_edge=False, header_style="dim")
    for column in table.columns[1:]:
        column.justify = "right"
    for name, before, after in zip(gc.Sizes._fields, done.before, done.after, strict=True):
        table.add_row(name, readable(before), readable(after))
    return table


def readable(count: int) -> str:
    """Bytes as a person reads them."""
    return f"{count / 1e6:,.1f} MB" if count >= 1e6 else f"{count / 1e3:,.1f} kB"
