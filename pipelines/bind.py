"""Binding: a recipe's value checked against what exists, as steps that can run.

Unknown keys are errors, and so is whatever could not run: everything is told before anything is asked. What a stage
may be given is read off its signature.
"""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from filters.artifact import Artifact
from filters.table import RULES
from pipelines import curriculum as curricula
from pipelines.earlier import Earlier, earlier_of
from pipelines.inference.budget import LIMITS
from pipelines.inference.engines import parse_model
from pipelines.inference.model import BadModel, Model, Sampling
from pipelines.recipe import KEYS, BadRecipe, checked, find_file, known, nearest, positive, stage_name
from pipelines.rounds import loop_of
from pipelines.rows import BadRows, Rows, Seeds
from pipelines.rules import artifact_of, bind_rule, check_said
from pipelines.stage import NOT, BoundRule, Order, Stage, Step, says
from pipelines.stages.table import STAGES
from pipelines.store import data_folder
from pipelines.views.table import VIEWS
from prompts.template import Template, TemplateError, load

PRICES = {"input", "output"}
TARGET_KEYS = {"accepted", "candidates", "tokens"}
RUNNERS = ("here", "ray")  # where shards are run, which changes no fact
SHARD_BYTES = 256 << 20  # what the answers of one shard may come to, at their longest
TOKEN_BYTES = 5  # of text, at the most that is usual
TAKEN = {*RULES, "accepted"}.union(*(stage.says for stage in STAGES.values()))
"""Names that verdicts already go by."""


@dataclass
class Recipe:
    """A recipe that has been checked and bound."""

    name: str
    value: dict[str, Any]  # as it stands after `--set` and the arms
    folder: Path  # where it lies: its own prompts and files are there
    seed: int
    accepted: int | None  # how many accepted rows make a version; None: as many as there are
    candidates: int | None  # how many draws there may be
    tokens: int | None  # a version ends before the draw whose answers would make it more than these
    rows_per_shard: int
    models: dict[str, Model]
    steps: list[Step]  # that run on shards
    selection: Step | None  # over a whole version
    views: list[str] = field(default_factory=list)
    curriculum: list[curricula.Stage] = field(default_factory=list)
    order: curricula.Order = "draw"  # within the stages of the curriculum
    budget: dict[str, float] = field(default_factory=dict)  # what making a version may take, of LIMITS
    runner: str = "here"  # of RUNNERS, if nobody says another
    earlier: list[Earlier] = field(default_factory=list)  # versions whose rows are not to come again

    @property
    def seeds(self) -> Seeds | None:
        return next((value for value in self.steps[0].parameters.values() if isinstance(value, Seeds)), None)

    @property
    def prompts(self) -> dict[str, str]:
        """The text of every template that the recipe uses, by name."""
        given = [value for step in self.steps for value in step.parameters.values()]
        several = [value if isinstance(value, list) else [value] for value in given]
        return {each.name: each.text for some in several for each in some if isinstance(each, Template)}

    @property
    def available(self) -> int | None:
        """How many draws there can be: of brought rows as many as there are, of seeds any number."""
        rows = next((value for value in self.steps[0].parameters.values() if isinstance(value, Rows)), None)
        limits = [limit for limit in (self.candidates, None if rows is None else len(rows)) if limit is not None]
        return min(limits, default=None)


def bind(value: dict[str, Any], *, folder: Path) -> Recipe:
    """Check a recipe's value and bind it to what it names. Raises BadRecipe.

    `folder` is where the recipe lies: its own prompts are in `folder/prompts`, its files beside it.
    """
    try:
        return _bind(value, folder)
    except (BadModel, BadRows, TemplateError) as error:
        raise BadRecipe(str(error)) from error


def _bind(value: dict[str, Any], folder: Path) -> Recipe:
    known(value, KEYS, "the recipe")
    target = value.get("target", {})
    known(target, TARGET_KEYS, "target")
    views = _views(value.get("views", ["sft", "rl"]))
    models = {role: parse_model(role, spec) for role, spec in value.get("models", {}).items()}
    name = _dataset_name(value["name"])
    earlier = earlier_of(value.get("earlier", []), data_folder() / "datasets" / name)
    loop_of(value)
    known(value.get("round", {}), {"number", "parent", "digest"}, "round")
    steps = _steps(value, models, folder, earlier)
    used = {step.parameters["model"].role for step in steps if isinstance(step.parameters.get("model"), Model)}
    if idle := models.keys() - used:
        raise BadRecipe(
            f"no stage asks the model {', '.join(sorted(idle))}; the stages ask: {', '.join(sorted(used))}"
        )
    if not target and any(isinstance(each, Seeds) for each in steps[0].parameters.values()):
        raise BadRecipe("draws from seeds never end: say target.accepted, target.candidates, or both")
    selection = steps.pop() if steps[-1].stage is STAGES["select"] else None
    return Recipe(
        name=name,
        value=value,
        folder=folder,
        seed=checked(value.get("seed", 0), int, "seed"),
        accepted=positive(target.get("accepted"), "target.accepted"),
        candidates=positive(target.get("candidates"), "target.candidates"),
        tokens=_tokens(target),
        rows_per_shard=rows_per_shard(positive(value.get("shard", 64), "shard") or 64, steps),
        models=models,
        steps=steps,
        selection=selection,
        views=views,
        budget=_budget(value.get("budget", {}), models),
        runner=_runner(value.get("run", {})),
        earlier=earlier,
        **_curriculum(value.get("curriculum", {}), views),
    )


def _curriculum(table: Mapping[str, Any], views: Sequence[str]) -> dict[str, Any]:
    """The `[curriculum]` of a recipe: an order, and `[[curriculum.stages]]`."""
    known(table, {"order", "stages"}, "curriculum")
    if not table:
        return {}
    if "rl" not in views:
        raise BadRecipe('a curriculum orders the view "rl", which the recipe leaves out of its views')
    order = table.get("order", "draw")
    if order not in typing.get_args(curricula.Order):
        raise BadRecipe(f"curriculum.order = {order!r}; it may be {' or '.join(typing.get_args(curricula.Order))}")
    return {
        "order": order,
        "curriculum": curricula.stages_of(checked(table.get("stages"), list, "curriculum.stages")),
    }


def _budget(table: Mapping[str, Any], models: Mapping[str, Model]) -> dict[str, float]:
    """The `[budget]` of a recipe. Money needs a price for every model that could cost any."""
    known(table, LIMITS, "budget")
    for name, limit in table.items():
        if checked(limit, float, f"budget.{name}") <= 0:
            raise BadRecipe(f"budget.{name} = {limit} should be above 0")
    priceless = [
        role for role, model in models.items() if model.engine == "openai" and not PRICES & model.price.keys()
    ]
    if "money" in table and priceless:
        raise BadRecipe(
            f"budget.money needs to know what {', '.join(priceless)} costs: say [models.{priceless[0]}]"
            " price = { input = 0.15, output = 0.6 }, for a million tokens"
        )
    return dict(table)


def _runner(table: Mapping[str, Any]) -> str:
    """The runner that `[run]` names."""
    known(table, {"runner"}, "run")
    name = checked(table.get("runner", "here"), str, "run.runner")
    if name not in RUNNERS:
        raise BadRecipe(f"no runner {name!r}{nearest(name, RUNNERS)}; there are: {', '.join(RUNNERS)}")
    return name


def _tokens(target: Mapping[str, Any]) -> int | None:
    """`target.tokens`: a version is the longest prefix of draws whose answers have no more of them together."""
    if "tokens" in target and ("accepted" in target or "candidates" not in target):
        raise BadRecipe(
            "target.tokens stands in place of target.accepted, and needs target.candidates:"
            " draws that cost nothing would never end"
        )
    return positive(target.get("tokens"), "target.tokens")


def _views(given: Any) -> list[str]:
    for name in checked(given, list, "views"):
        if name not in VIEWS:
            raise BadRecipe(f"no view {name!r}; there are: {', '.join(VIEWS)}")
        if given.count(name) > 1:
            raise BadRecipe(f"the view {name!r} is there twice")
    return given


def _dataset_name(given: Any) -> str:
    """A name that is safe as that of a folder."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}", checked(given, str, "name")):
        raise BadRecipe(
            f"name = {given!r} should be letters, digits, '.', '_' and '-', and begin with one of the former"
        )
    return given


def rows_per_shard(wanted: int, steps: Sequence[Step]) -> int:
    """The rows of a shard: as wanted, but never so many that their longest answers pass SHARD_BYTES."""
    tokens = sum(
        step.parameters["sampling"].max_tokens * step.parameters.get("n", 1)
        for step in steps
        if "sampling" in step.parameters
    )
    return max(1, min(wanted, SHARD_BYTES // max(1, tokens * TOKEN_BYTES)))


def _steps(
    value: Mapping[str, Any], models: Mapping[str, Model], folder: Path, earlier: Sequence[Earlier]
) -> list[Step]:
    tables = value.get("stages")
    if not tables:
        raise BadRecipe("the recipe has no [[stages]]")
    steps: list[Step] = []
    for table in tables:
        step = _step(table, models, folder)
        if step.name in {earlier.name for earlier in steps}:
            raise BadRecipe(f'two stages are called {step.name!r}: give one of them another name = "..."')
        if step.stage.is_source == bool(steps):
            raise BadRecipe(f"stage {step.name!r}: the first stage, and no other, makes draws (draw or bring)")
        if steps and steps[-1].stage is STAGES["select"]:
            raise BadRecipe(f"stage {step.name!r}: nothing comes after select")
        steps.append(step)
    _give_order(steps, earlier)
    _check_said(steps)
    return steps


def _check_said(steps: Sequence[Step]) -> None:
    """Rules that read what others say come after them."""
    said: set[str] = set()
    made: set[str] = set()
    for step in steps:
        _check_beside(step, said, made)
        if "" in step.stage.says and step.name in TAKEN:
            raise BadRecipe(
                f"stage {step.name!r} says what it finds under its name, and that is taken: give it another"
            )
        said |= says(step.stage, step.name)
        made |= step.stage.makes
        for each in step.parameters.get("rules", []):
            check_said(each, said, f"stage {step.name!r}")
            said.add(each.name)


def _check_beside(step: Step, said: set[str], made: set[str]) -> None:
    """`of` names a kind of problem that a stage before makes, and `only` a rule that spoke before."""
    of, only = step.parameters.get("of"), step.parameters.get("only")
    if of and step.stage is not STAGES["likelihood"] and of not in made:  # there it says what is scored
        there = f"they make: {', '.join(sorted(made))}" if made else "they make none"
        raise BadRecipe(f"stage {step.name!r}: no stage before puts problems of = {of!r} beside the draws; {there}")
    if only and only.removeprefix(NOT) not in said:
        raise BadRecipe(
            f"stage {step.name!r}: no stage before says only = {only!r}; they say: {', '.join(sorted(said))}"
        )


def _step(table: Mapping[str, Any], models: Mapping[str, Model], folder: Path) -> Step:
    use = table.get("use")
    if use not in STAGES:
        raise BadRecipe(f"no stage {use!r}{nearest(str(use), STAGES)}; there are: {', '.join(STAGES)}")
    stage, name = STAGES[use], stage_name(table)
    hints = stage_parameters(stage)
    given = {key: each for key, each in table.items() if key not in ("use", "name")}
    known(given, hints, f"stage {name!r}")
    given = {**stage.defaults, **given}
    wanted = inspect.signature(stage.run).parameters
    bound: dict[str, Any] = {}
    for key, hint in hints.items():
        if key in given:
            bound[key] = _value(given[key], hint, f"stage {name!r}, {key}", models, folder)
        elif wanted[key].default is inspect.Parameter.empty:
            raise BadRecipe(f"stage {name!r} needs {key}")
        else:
            bound[key] = wanted[key].default
    if "sampling" in bound:
        bound["sampling"] = bound["model"].sampling.but(given["sampling"])
    for prompt in bound["prompt"] if isinstance(bound.get("prompt"), list) else [bound.get("prompt")]:
        if prompt is not None:
            prompt.render(dict.fromkeys(stage.tells, ""))
    _check_rules(name, use, bound.get("rules", []))
    try:
        stage.check(bound)
    except ValueError as error:
        raise BadRecipe(f"stage {name!r}: {error}") from error
    return Step(name, stage, bound)


def stage_parameters(stage: Stage) -> dict[str, Any]:
    """The parameters that a recipe may give a stage, with their types."""
    hints = typing.get_type_hints(stage.run)
    if stage is STAGES["select"]:
        return {"rules": list[BoundRule]}
    kinds = inspect.signature(stage.run).parameters
    return {name: hints[name] for name, each in kinds.items() if each.kind is inspect.Parameter.KEYWORD_ONLY}


def _value(given: Any, hint: Any, where: str, models: Mapping[str, Model], folder: Path) -> Any:
    """A recipe's value as what a stage is called with."""
    if hint is Template:
        return load(checked(given, str, where), beside=folder / "prompts")
    if hint == list[Template]:
        several = given if isinstance(given, list) and given else [given]
        return [load(checked(each, str, where), beside=folder / "prompts") for each in several]
    if hint is Model:
        if given not in models:
            raise BadRecipe(f"{where}: no model {given!r}; the recipe defines: {', '.join(models) or 'none'}")
        return models[given]
    if hint in (Seeds, Seeds | None, Rows):
        rows = _rows(given, where, folder)
        return rows if hint is Rows else Seeds(rows)
    if hint is Artifact:
        return artifact_of(given, where, folder)
    if hint == list[BoundRule]:
        return [bind_rule(each, where, folder) for each in checked(given, list, where)]
    if hint is Sampling:
        return checked(given, dict, where)
    return checked(given, hint, where)


def _rows(given: Any, where: str, folder: Path) -> Rows:
    table = given if isinstance(given, dict) else {"path": given}
    known(table, {"path", "columns"}, where)
    paths = table.get("path")
    paths = [paths] if isinstance(paths, str) else checked(paths, list, f"{where}.path")
    columns = checked(table.get("columns", {}), dict, f"{where}.columns")
    return Rows([find_file(checked(path, str, where), where, folder) for path in paths], columns=columns)


def _check_rules(name: str, use: str, rules: Sequence[BoundRule]) -> None:
    for each in rules:
        if (each.rule.kind == "snapshot") != (use == "select"):
            other = "select" if each.rule.kind == "snapshot" else "sift"
            raise BadRecipe(f"stage {name!r}: the rule {each.name!r} belongs in a stage that uses {other}")
    doubled = {each.name for each in rules if [other.name for other in rules].count(each.name) > 1}
    if doubled:
        raise BadRecipe(f"stage {name!r}: the rule {', '.join(sorted(doubled))} is there twice")


def _give_order(steps: Sequence[Step], earlier: Sequence[Earlier]) -> None:
    """Steps with ordered rules get a turnstile, and know the seeds that the first step draws from, and other rows."""
    seeds, also, *_ = *(each for each in steps[0].parameters.values() if isinstance(each, Seeds)), None, None
    for step in steps:
        ordered = [each for each in step.parameters.get("rules", []) if each.rule.kind == "ordered"]
        if ordered:
            step.order = Order(ordered, seeds, also=also, earlier=earlier)
