"""What a night is to reach, from what the dataset has.

A version is a prefix of draws, so a night wants more rows than the last version has: the draws that were made stand
as they are and cost nothing, what an earlier night made beyond its version is used, and ordered rules compare every
new question with all that stayed before it. That holds as long as the recipe asks the same and its seeds are only
appended to. A night therefore continues the newest version that its recipe asks the same as, and refuses to begin
anew. Other versions of the dataset, of another recipe or of a line that was given up, have rows that it does not:
`pipelines.earlier` keeps tonight's from repeating those.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from flows import make
from flows.run import Progress
from pipelines.bind import Recipe
from pipelines.earlier import accepted_ids
from pipelines.inference.engines import parse_model
from pipelines.inference.model import BadModel
from pipelines.recipe import FILES, BadRecipe
from pipelines.release import versions
from pipelines.rounds import loop_of
from pipelines.rows import Rows, Seeds
from pipelines.store import connect, data_folder
from pipelines.versions.pin import current
from pipelines.versions.recipes import changed, flat

SILENT = {"sift", "select"}  # stages that ask no model: what they let through may change from night to night
WAY_OUT = "a night only adds rows; give this recipe another --name, or begin anew once with `thoughtmill run`"


class Goal(NamedTuple):
    """What a night is to reach: the rows and draws of the version it continues, and those that it may end with."""

    before: Path | None  # that version
    had: tuple[int, int]  # accepted rows and candidates
    accepted: int | None
    candidates: int | None
    earlier: Mapping[str, int] = {}  # versions with other rows, and from which draw on these are not to come again

    @property
    def changes(self) -> list[str]:
        """The goal in the words of `--set`."""
        target = {"accepted": self.accepted, "candidates": self.candidates}
        told = [f"target.{name}={value}" for name, value in target.items() if value is not None]
        others = [f'{{ version = "{version}", since = {since} }}' for version, since in self.earlier.items()]
        return [*told, *([f"earlier=[{', '.join(others)}]"] if others else [])]

    def share(self, told: Progress) -> float:
        """How much of the night is done, from 0 to 1, by whichever of target and limit is nearer; 0 without any."""
        ways = [(told.accepted, self.had[0], told.target), (told.candidates, self.had[1], told.limit)]
        shares = [(now - had) / (end - had) for now, had, end in ways if end is not None and end > had]
        return min(1.0, max([0.0, *shares]))


def plan(recipe: str, *, changes: Sequence[str] = (), dataset: str | None = None, more: int | None = None) -> Goal:
    """What the next night is to reach: `more` rows than there are, or as many more as the recipe's target says.

    Raises BadRecipe where a night could not only add to what is there.
    """
    if more is not None and more < 1:
        raise BadRecipe(f"more = {more} should be at least 1: how many rows a night adds")
    bound = make.prepare(recipe, changes=changes, dataset=dataset)
    if loop_of(bound.value) is not None:
        raise BadRecipe("a night adds to one dataset, and [rounds] make several")
    if not any(step.order for step in bound.steps):
        raise BadRecipe(
            "nothing in the recipe keeps tonight's rows from repeating earlier ones: give a stage that sifts"
            ' questions the rule "not_duplicate", "novelty" or "not_near_duplicate"'
        )
    before = _continued(bound)
    books = orjson.loads((before / "ledger.json").read_bytes()) if before else {"accepted": 0, "candidates": 0}
    had = books["accepted"], books["candidates"]
    wanted, limit = more or bound.accepted, bound.candidates
    earlier = _earlier(before, bound, had[1]) if before else {}
    return Goal(before, had, wanted and had[0] + wanted, limit and had[1] + limit, earlier)


def _earlier(before: Path, recipe: Recipe, drawn: int) -> dict[str, int]:
    """The versions whose rows tonight's draws are not to repeat, and from which draw on: the draws that were made
    stand as they are, so what counted for them counts on, and what came besides counts from tonight's first."""
    there = {folder.name: folder for folder in versions(before.parent)}
    old = tomllib.loads((before / "recipe.toml").read_text(encoding="utf-8")).get("earlier", [])
    told = [*old, *recipe.value.get("earlier", [])]
    earlier = {each["version"]: each.get("since", 0) for each in told if each["version"] in there}
    known = accepted_ids(before).union(*(accepted_ids(there[version]) for version in earlier))
    for version, folder in reversed(there.items()):  # the newest hold what those before them do
        if version != before.name and version not in earlier and not (ids := accepted_ids(folder)) <= known:
            earlier[version] = drawn
            known |= ids
    return earlier


def _continued(recipe: Recipe) -> Path | None:
    """The newest version that the recipe continues; None for the first night. Raises BadRecipe where it is none.

    Versions that somebody rolled back may be passed over: the file of rows may be as it was before them.
    """
    home = data_folder() / "datasets" / recipe.name
    there = versions(home)
    if not there:
        return None
    asked = [folder for folder in reversed(there) if not _asks_else(folder, recipe)]
    if not asked:
        newest = there[-1]
        raise BadRecipe(f"the recipe does not ask what {newest.name} asked ({_asks_else(newest, recipe)}): {WAY_OUT}")
    meant = there.index(current(home))
    found = next((each for each in asked if there.index(each) <= meant or _rows_continue(recipe, each)), asked[-1])
    if not (_seeds_continue(recipe) and _rows_continue(recipe, found)):
        raise BadRecipe(f"the seeds do not begin with those of {found.name}: append new ones at the end; {WAY_OUT}")
    return found


def _seeds_continue(recipe: Recipe) -> bool:
    """Whether the seeds begin with those of earlier runs, so that the draws that were made stand."""
    state = data_folder() / "runs" / recipe.name / "state.json"
    if recipe.seeds is None or not state.is_file():
        return True
    known = orjson.loads(state.read_bytes())["batches"]
    recipe.seeds.settle(known, drawn=0)
    return recipe.seeds.batches[: len(known)] == known


def _rows_continue(recipe: Recipe, version: Path) -> bool:
    """Whether the rows that are brought begin with those that the version was made of."""
    rows = next((each for each in recipe.steps[0].parameters.values() if isinstance(each, Rows)), None)
    if rows is None:
        return True
    with connect([version / "facts"]) as connection:
        found = connection.execute(
            "select draw, question from problems where draw is not null and len(parents) = 0 order by draw"
        )
        while some := found.fetchmany(1000):
            for draw, question in some:
                if draw >= len(rows) or Seeds.problem_of(rows, draw).question != question:
                    return False
    return True


def _asks_else(version: Path, recipe: Recipe) -> str:
    """The first thing that the recipe asks otherwise than the one of a version did; empty where it asks the same."""
    old = tomllib.loads((version / "recipe.toml").read_text(encoding="utf-8"))
    paths = {name: version / "prompts" / f"{name}.md" for name in recipe.prompts}
    prompts = {name: path.read_text(encoding="utf-8") if path.is_file() else None for name, path in paths.items()}
    try:
        before = _asked(old)
    except BadModel as error:
        return str(error)
    for each in changed(before, _asked(recipe.value)):
        return f"{each.key}: {each.old!r} is {each.new!r} now"
    return next((f"prompt {name}" for name, text in recipe.prompts.items() if text != prompts[name]), "")


def _asked(value: Mapping[str, Any]) -> dict[str, Any]:
    """What decides the draws of a recipe and their requests, but for the words of prompts and seeds.

    Rules may change, as may the limit on tokens: most that was answered within one limit serves under another.
    """
    models = {role: parse_model(role, spec) for role, spec in value.get("models", {}).items()}
    told = {role: {**model.identity(), "sampling": model.sampling.given()} for role, model in models.items()}
    stages = [
        {key: each for key, each in stage.items() if key not in {"rules", *FILES}}
        for stage in value["stages"]
        if stage["use"] not in SILENT
    ]
    asked = {"seed": value.get("seed", 0), "models": told, "stages": stages}
    return {key: each for key, each in flat(asked) if not key.endswith("max_tokens")}
