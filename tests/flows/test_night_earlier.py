"""A night repeats no row of any earlier version, also of another recipe or of a line that was given up."""

from __future__ import annotations

import asyncio
import copy
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from flows import make
from flows.make import Made
from flows.tonight import Night, tonight
from pipelines.recipe import BadRecipe
from pipelines.versions.pin import pin
from tests.flows.test_night import brought, questions
from tests.small import Site, loaded_bytes

pytestmark = pytest.mark.slow

LINE = [
    {"use": "bring", "rows": "a.jsonl"},
    {"name": "screen", "use": "sift", "rules": ["not_duplicate"]},
    {"use": "expand", "prompt": "solve/boxed", "n": 1},
]


class Two:
    """Two recipes of one dataset, A and B: they ask for other numbers of answers, and bring rows of their own."""

    def __init__(self, site: Site) -> None:
        self.site = site
        site.value["models"]["teacher"]["use"] = "builtin"
        site.value["target"] = {}
        self.number: dict[str, int] = {"a": 0, "b": 0}

    def recipe(self, which: str) -> str:
        value = self.site.value
        value["stages"] = copy.deepcopy(LINE)
        value["stages"][0]["rows"] = f"{which}.jsonl"
        value["stages"][2]["n"] = {"a": 1, "b": 2}[which]
        return self.site.write()

    def bring(self, which: str, numbers: Sequence[int]) -> None:
        with (self.site.folder / f"{which}.jsonl").open("ab") as file:
            file.write(brought(numbers))

    def night(self, which: str, *numbers: int, **how: Any) -> Night:
        self.bring(which, numbers)
        return asyncio.run(tonight(self.recipe(which), **how))

    def by_hand(self, which: str, *numbers: int, changes: Sequence[str] = ()) -> Made:
        self.bring(which, numbers)
        return asyncio.run(make.make(self.recipe(which), changes=changes))


def earlier(made: Made) -> Any:
    return tomllib.loads((made.folder / "recipe.toml").read_text(encoding="utf-8")).get("earlier")


def test_rows_of_another_recipes_versions_do_not_come_again(site: Site):
    two = Two(site)
    first = two.night("a", 0, 1, 2, 3)
    with pytest.raises(BadRecipe, match="begin anew once with `thoughtmill run`"):
        two.night("b", 10, 2, 11)
    second = two.by_hand("b")  # begins anew, also with a row that A has
    third = two.night("b", 1, 12, 10)
    fourth = two.night("a", 20, 12, 11, 1)

    assert (first.made.folder.name, second.folder.name) == ("v1", "v2")
    assert questions(third)[3:] == rows(12)
    assert third.made.ledger["not_accepted"] == {"not_duplicate": 2}
    assert third.made.ledger["reasons"]["not_duplicate"] == {
        "a copy of an earlier question": 1,
        "a copy of an earlier question, of another version": 1,
    }
    assert earlier(third.made) == [{"version": "v1", "since": 3}]
    assert questions(fourth) == rows(0, 1, 2, 3, 20)
    assert earlier(fourth.made) == [{"version": "v3", "since": 4}]  # it has all rows of v2
    for made in (first.made, second, third.made, fourth.made):
        books = made.ledger
        assert books["candidates"] == books["accepted"] + sum(books["not_accepted"].values())

    assert not two.night("a").made.is_new
    fifth = two.night("b", 20, 30)
    assert questions(fifth) == rows(10, 2, 11, 12, 30)
    assert earlier(fifth.made) == [{"version": "v1", "since": 3}, {"version": "v4", "since": 6}]


def rows(*numbers: int) -> list[str]:
    return [f"How much is {n} times {n + 7}, less {3 * n}?" for n in numbers]


def test_rows_of_a_line_that_was_given_up_come_again_as_themselves(site: Site):
    """By hand somebody went back to three rows: what was made before is no copy of itself."""
    two = Two(site)
    two.night("a", 0, 1, 2, 3, 4)
    back = two.by_hand("a", changes=["target.candidates=3"])
    assert (back.folder.name, back.ledger["accepted"]) == ("v2", 3)
    after = two.night("a", 3, 5)
    assert questions(after) == rows(0, 1, 2, 3, 4, 5)
    assert earlier(after.made) == [{"version": "v1", "since": 3}]


def test_rows_of_a_version_that_was_rolled_back_do_not_come_again(site: Site, data: Path):
    """The file is as it was before, and goes on otherwise: a row that it had, in another place, and a new one."""
    two = Two(site)
    two.night("a", 0, 1, 2)
    bad = two.night("a", 66, 3)
    (site.folder / "a.jsonl").write_bytes(brought([0, 1, 2, 3, 4]))
    with pytest.raises(BadRecipe, match="do not begin with those of v2"):
        two.night("a")
    pin(data / "datasets" / "small", "v1")
    after = two.night("a")
    assert questions(after) == rows(0, 1, 2, 4)
    assert earlier(after.made) == [{"version": bad.made.folder.name, "since": 3}]


def test_a_version_that_was_removed_is_compared_with_no_more(site: Site, data: Path):
    two = Two(site)
    two.night("a", 0, 1)
    two.by_hand("b", 10)
    assert questions(two.night("a", 10, 2)) == rows(0, 1, 2)
    (data / "datasets/small/v2/version.json").unlink()
    after = two.night("a", 3)
    assert questions(after) == rows(0, 1, 10, 2, 3)
    assert earlier(after.made) is None


def test_the_size_of_shards_changes_nothing(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    made = []
    for size in (1, 3, 64):
        monkeypatch.setenv("THOUGHTMILL_DATA", str(tmp_path / f"by-{size}"))
        two = Two(site)
        for name in "ab":
            (site.folder / f"{name}.jsonl").unlink(missing_ok=True)
        site.value["shard"] = size
        two.night("a", 0, 1, 2, 3, 4)
        two.by_hand("b", 10, 2, 11, 12)
        made.append(two.night("a", 12, 20, 10, 4, 21).made)
    assert [each.ledger["accepted"] for each in made] == [7, 7, 7]
    assert loaded_bytes(made[0]) == loaded_bytes(made[1]) == loaded_bytes(made[2])
