"""Rules as recipes and the command line name them, checked against their signatures and bound to their parameters."""

from __future__ import annotations

import inspect
import tomllib
import typing
from collections.abc import Collection
from pathlib import Path
from typing import Any

from filters.artifact import Artifact, artifact
from filters.rule import Case
from filters.table import RULES
from filters.verifiers.outcome import of_comparison
from pipelines.hub import fetch as hub
from pipelines.recipe import BadRecipe, checked, find_file, known, nearest, toml_value
from pipelines.records import problem
from pipelines.stage import BoundRule


def bind_rule(given: Any, where: str, folder: Path) -> BoundRule:
    """A rule by its name, or by a table of its name and parameters. Raises BadRecipe.

    A file or folder among the parameters is looked for here, in `folder`, and in the project.
    """
    table = {"rule": given} if isinstance(given, str) else dict(checked(given, dict, where))
    name = table.pop("rule", None)
    if name is None:
        raise BadRecipe(f'{where}: which rule? Write its name as rule = "NAME", beside its parameters')
    if name not in RULES:
        raise BadRecipe(f"{where}: no rule {name!r}{nearest(str(name), RULES)}; there are: {', '.join(RULES)}")
    rule = RULES[name]
    hints = parameters_of(rule.run)
    where_in = f"{where}: rule {name!r}"
    known(table, hints, where_in)
    try:
        bound = {key: _value(value, hints[key], f"{where_in}, {key}", folder) for key, value in table.items()}
        whole = {**_defaults(rule.run), **bound}
        if name in FILES and whole[FILES[name]] is None:
            raise BadRecipe(f"{where_in} needs {FILES[name]} = PATH")
        return _tried(BoundRule(name, rule, whole))
    except ValueError as error:
        raise error if isinstance(error, BadRecipe) else BadRecipe(f"{where}: {error}") from error


NAMING = ("by", "difficulty", "strategies")  # parameters that name a rule
# Rules that always read one.
READING = {"rip": "worst_reward", "worst_reward": "reward", "label": "answer_matches", "agreed": "runs"}
READING |= {"thought_picks": "thought_class"}
OWN = {"domain", "source", "format", "verifier"}  # what a problem says by itself
FILES = {"contamination": "against", "s2l": "losses"}  # without which a rule can tell nothing


def check_said(each: BoundRule, said: Collection[str], where: str) -> None:
    """Raises BadRecipe for a rule that reads what another says, where nothing before it says that."""
    named = [each.parameters[name] for name in NAMING if each.parameters.get(name)]
    named += [*(each.parameters.get("weights") or {}), *([READING[each.name]] if each.name in READING else [])]
    for name in named:
        if name not in OWN and name not in said:
            there = f"before it there are: {', '.join(sorted(said))}" if said else "nothing is said before it"
            near = nearest(name, said)
            raise BadRecipe(f"{where}: {each.name} reads what {name!r} says, and nothing does{near}; {there}")


def parse_rule(text: str) -> dict[str, Any]:
    """`NAME` or `NAME:key=value,key=value`, as it stands on a command line; values are TOML, or else text."""
    name, _, parameters = text.partition(":")
    return {"rule": name, **_inline(parameters, text)}


def _inline(parameters: str, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(f"given = {{{parameters}}}")["given"]
    except tomllib.TOMLDecodeError:
        pairs = [each.partition("=") for each in parameters.split(",")]
    if any(not (key.strip() and equals) for key, equals, _ in pairs):
        raise BadRecipe(f"{text!r} should be NAME:key=value,key=value")
    return {key.strip(): toml_value(value.strip()) for key, _, value in pairs}


def parameters_of(run: Any) -> dict[str, Any]:
    """The parameters that a rule may be given, with their types."""
    hints = typing.get_type_hints(run)
    kinds = inspect.signature(run).parameters.values()
    return {each.name: hints[each.name] for each in kinds if each.kind is inspect.Parameter.KEYWORD_ONLY}


def _defaults(run: Any) -> dict[str, Any]:
    """A rule's own values for what is left out: they count, so they are written down too."""
    return {name: inspect.signature(run).parameters[name].default for name in parameters_of(run)}


def _value(given: Any, hint: Any, where: str, folder: Path) -> Any:
    """A value as the rule takes it; a file is known by its content."""
    if Artifact in typing.get_args(hint):
        return artifact_of(given, where, folder)
    return checked(given, hint, where)


def artifact_of(given: Any, where: str, folder: Path) -> Artifact:
    """What a path or `hub:NAME` stands for, known by its content. Raises BadRecipe."""
    name = checked(given, str, where)
    try:
        return artifact(hub.fetch(name).folder if hub.is_hub(name) else find_file(name, where, folder))
    except ValueError as error:
        raise error if isinstance(error, BadRecipe) else BadRecipe(f"{where}: {error}") from error


def _tried(bound: BoundRule) -> BoundRule:
    """Let a rule refuse its parameters, on next to nothing. Raises its ValueError."""
    match bound.rule.kind:
        case "ordered":
            bound.rule.run(**bound.parameters)
        case "snapshot":
            bound.rule.run([], **bound.parameters)
        case "row":
            list(bound.rule.run(Case(_BARE), lambda *_: of_comparison(None), **bound.parameters))
    return bound


_BARE = problem(parents=(), stage="bind@1", draw=None, kind="task", question="")
