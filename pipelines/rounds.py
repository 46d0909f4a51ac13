"""The `[rounds]` of a recipe: how often it is run, and what each round takes from the one before."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from pipelines.inference.engines import parse_model
from pipelines.inference.model import BadModel
from pipelines.recipe import BadRecipe, checked, known, positive, stage_name

KEYS = {"count", "into", "view", "models", "train"}
TRAIN = {"role", "command", "use"}


class Train(NamedTuple):
    """A command that makes the next round's model of a version, and how that model is then asked."""

    role: str
    # With {version}, a folder to read, {out}, one to write to, and {before}, the model of the round before: the
    # folder of its weights, or the name of the one to begin with.
    command: Sequence[str]
    use: str  # with {out}: "vllm:{out}"


class Loop(NamedTuple):
    """So many rounds. From round 1 on, `view` of the version before stands at the place `into`."""

    number: int
    into: str
    view: str
    models: Mapping[str, Sequence[Any]] = {}  # by role: one for each round
    train: Train | None = None


def loop_of(value: Mapping[str, Any]) -> Loop | None:
    """The loop that a recipe's value asks for; None where it has none, or is itself one round. Raises BadRecipe."""
    if "rounds" not in value:
        return None
    table = checked(value["rounds"], dict, "rounds")
    known(table, KEYS, "rounds")
    count = positive(table.get("count"), "rounds.count")
    if count is None or not {"into", "view"} <= table.keys():
        raise BadRecipe('rounds needs count, into = "STAGE.PARAMETER" (where rows go in) and view (where from)')
    view = checked(table["view"], str, "rounds.view")
    if view not in value.get("views", ["sft", "rl"]):
        raise BadRecipe(f"rounds.view = {view!r} is none of the recipe's views")
    models = checked(table.get("models", {}), dict, "rounds.models")
    for role, each in models.items():
        if len(checked(each, list, f"rounds.models.{role}")) < count:
            raise BadRecipe(f"rounds.models.{role} names {len(each)} models for {count} rounds")
    loop = Loop(count, checked(table["into"], str, "rounds.into"), view, models, _train(table.get("train")))
    for role in [*models, *([loop.train.role] if loop.train else [])]:
        if role not in value.get("models", {}):
            raise BadRecipe(f"rounds: no model {role!r}; the recipe defines: {', '.join(value.get('models', {}))}")
    _check(loop, value)
    return None if "round" in value else loop


def _check(loop: Loop, value: Mapping[str, Any]) -> None:
    """Raises BadRecipe where a later round could not be bound: who is told then has paid for those before."""
    stage, _, key = loop.into.partition(".")
    if not any(stage_name(each) == stage and key in each for each in value.get("stages", [])):
        raise BadRecipe(f"rounds.into = {loop.into!r} should be a stage and what it now reads, as bring.rows")
    try:
        for role, some in loop.models.items():
            for each in some:
                parse_model(role, binding(value["models"][role], each))
        if loop.train:
            trained = {"use": loop.train.use, "revision": "unborn"}
            parse_model(loop.train.role, succeeding(value["models"][loop.train.role], trained))
    except BadModel as error:
        raise BadRecipe(f"rounds: {error}") from error


def _train(table: Any) -> Train | None:
    if table is None:
        return None
    known(checked(table, dict, "rounds.train"), TRAIN, "rounds.train")
    if table.keys() != TRAIN or not isinstance(table["command"], list):
        raise BadRecipe('rounds.train needs role, use = "ENGINE:{out}", and command, a list of words')
    return Train(table["role"], [str(word) for word in table["command"]], table["use"])


def inline(value: Any) -> str:
    """A value as TOML on one line, as `--set` takes it."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{inline(str(key))} = {inline(each)}" for key, each in value.items()) + " }"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(inline, value))}]"
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return orjson.dumps(value).decode()


def binding(base: Any, model: Any) -> Any:
    """A model of `rounds.models` in the place of the recipe's own, asked in the same way if it says no other."""
    sampling = base.get("sampling", {}) if isinstance(base, Mapping) else {}
    given = dict(model) if isinstance(model, Mapping) else {"use": model}
    return {**given, "sampling": {**sampling, **given.get("sampling", {})}}


def succeeding(base: Any, trained: Mapping[str, str]) -> dict[str, Any]:
    """A model that was trained, in the place of the recipe's own: all that is said of that one goes for it as well.

    Of one that another engine asks only how it samples.
    """
    own = dict(base) if isinstance(base, Mapping) else {"use": base}
    is_alike = own["use"].partition(":")[0] == trained["use"].partition(":")[0]
    return {**own, **trained} if is_alike else binding(base, trained)
