"""A plan: recipes to be compared at an equal budget of tokens, with everything but their way of posing the same.

    name, about, paper   as in a recipe
    tokens, candidates   of each recipe: `target.tokens` and `target.candidates`
    reliability          a rule whose verdict says that the solutions of a problem agree
    [models.ROLE]        in place of the recipes' own, which keep the sampling that a plan does not say
    [[recipes]]          name, use (a recipe), until (the last of its stages that is taken), set (changes, as `--set`)
    [[stages]]           that come after them, the same for all
    [policies]           NAME = changes; what is kept of the same facts

A recipe is named as for `thoughtmill run`, or lies beside the plan. What lies beside either, files and prompts, is
found from there.

Here a plan becomes recipes (FLAMES, arXiv 2508.16514: one setup for all ways of posing).
"""

from __future__ import annotations

import copy
import shutil
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from pipelines.bind import bind
from pipelines.recipe import BadRecipe, anchor, apply, checked, find, known, nearest, positive, read, stage_name
from pipelines.stages.table import STAGES

PLANS = Path(__file__).parent / "plans"
KEYS = {"name", "about", "paper", "tokens", "candidates", "reliability", "models", "recipes", "stages", "policies"}
ENTRY_KEYS = {"name", "use", "until", "set"}
CANDIDATES = 10_000


class Comparison(NamedTuple):
    """A plan that was read."""

    name: str
    tokens: int
    reliability: str
    recipes: dict[str, dict[str, Any]]  # by the name of the entry: the value of a recipe, to be run as it stands
    policies: dict[str, list[str]]  # changes of such a recipe; the first policy is made, the others only choose
    folders: dict[str, list[Path]]  # by the same name: where the plan lies, and where the recipe


def names() -> list[str]:
    return sorted(path.stem for path in PLANS.glob("*.toml"))


def find_plan(name: str) -> Path:
    """The file of a plan, by its path or by the name of one of ours. Raises BadRecipe."""
    path = Path(name) if name.endswith(".toml") or "/" in name else PLANS / f"{name}.toml"
    if not path.is_file():
        raise BadRecipe(f"no plan {name!r}{nearest(name, names())}; there are: {', '.join(names())}")
    return path


def read_plan(path: Path, *, tokens: int | None = None) -> Comparison:
    """The plan in a file, with another budget if one is given. Raises BadRecipe."""
    try:
        plan = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadRecipe(f"{path}: not TOML ({error})") from error
    known(plan, KEYS, "the plan")
    plan = {"name": path.stem, "candidates": CANDIDATES, **plan, **({"tokens": tokens} if tokens else {})}
    if positive(plan.get("tokens"), "tokens") is None:
        raise BadRecipe("the plan has no tokens: say how many the answers of each recipe may have")
    for each in checked(plan.get("stages", []), list, "stages"):
        checked(each, dict, "each of stages")
    anchor(plan, path.parent)
    entries = [_entry(each) for each in checked(plan.get("recipes"), list, "recipes")]
    files = {each["name"]: _found(each["use"], path.parent) for each in entries}
    made = {each["name"]: _composed(each, files[each["name"]], plan) for each in entries}
    if len(made) < max(2, len(entries)):
        raise BadRecipe("a plan compares two recipes or more, each with a name of its own")
    folders = {name: [path.parent, file.parent] for name, file in files.items()}
    return Comparison(plan["name"], plan["tokens"], _reliability(plan), made, _policies(plan), folders)


def check_plan(plan: Comparison, *, models: Sequence[str] = ()) -> None:
    """Check all that a plan will run, under every policy, before any of it runs. Raises BadRecipe."""
    roles = {role for value in plan.recipes.values() for role in value["models"]}
    for role in (each.partition("=")[0] for each in models):
        if role not in roles:
            raise BadRecipe(f"no recipe of the plan asks the model {role!r}; they ask: {', '.join(sorted(roles))}")
    for name, value in plan.recipes.items():
        with TemporaryDirectory() as folder:
            copy_prompts(plan.folders[name], Path(folder))
            for policy, changes in plan.policies.items():
                changed = {**copy.deepcopy(value), "name": f"{value['name']}-{policy}"}
                for change in [*bindings(value, models), *changes]:
                    apply(changed, change)
                bind(changed, folder=Path(folder))


def bindings(value: Mapping[str, Any], models: Sequence[str]) -> list[str]:
    """Those of ROLE=ENGINE that a recipe has a role for, in the words of `--set`."""
    return [f"models.{each}" for each in models if each.partition("=")[0] in value["models"]]


def copy_prompts(folders: Sequence[Path], into: Path) -> None:
    """The prompts that lie in these folders, as one recipe's own; of one name that of the last."""
    shutil.rmtree(into / "prompts", ignore_errors=True)
    for each in folders:
        if (each / "prompts").is_dir():
            shutil.copytree(each / "prompts", into / "prompts", dirs_exist_ok=True)


def _found(use: str, folder: Path) -> Path:
    """The file of a recipe, as the person sees it or beside the plan."""
    beside = folder / use
    return beside if use.endswith(".toml") and not Path(use).is_file() and beside.is_file() else find(use)


def _entry(given: Any) -> dict[str, Any]:
    known(checked(given, dict, "each of recipes"), ENTRY_KEYS, "an entry of recipes")
    use = checked(given.get("use"), str, "use")
    return {"name": use, "set": [], **given}


def _reliability(plan: Mapping[str, Any]) -> str:
    """The rule that tells reliable problems, which must be one of the plan's own, so that it is the same for all."""
    rules = [rule for stage in plan.get("stages", []) for rule in stage.get("rules", [])]
    there = [rule["rule"] if isinstance(rule, dict) else rule for rule in rules]
    name = plan.get("reliability")
    if name not in there:
        raise BadRecipe(f"reliability = {name!r} should be a rule of the plan's [[stages]]: {', '.join(there)}")
    return str(name)


def _policies(plan: Mapping[str, Any]) -> dict[str, list[str]]:
    policies = checked(plan.get("policies", {"all": []}), dict, "policies")
    return {name: checked(changes, list, f"policies.{name}") for name, changes in policies.items()}


def _composed(entry: Mapping[str, Any], file: Path, plan: Mapping[str, Any]) -> dict[str, Any]:
    """A recipe of the plan: the beginning of that which the entry names, and the stages of the plan."""
    value = read(file, changes=entry["set"])
    stages = [*_until(value["stages"], entry), *copy.deepcopy(plan.get("stages", []))]
    return {
        "name": f"{plan['name']}-{entry['name']}",
        "about": value.get("about", ""),
        "target": {"tokens": plan["tokens"], "candidates": plan["candidates"]},
        "models": _models(stages, value.get("models", {}), plan.get("models", {})),
        "stages": stages,
        **({"seed": value["seed"]} if "seed" in value else {}),
    }


def _until(stages: Sequence[dict[str, Any]], entry: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The stages up to that one; all of them where the entry names none."""
    there = [stage_name(each) for each in stages]
    last = entry.get("until", there[-1])
    if last not in there:
        raise BadRecipe(f"{entry['use']} has no stage until = {last!r}; there are: {', '.join(there)}")
    return list(stages[: there.index(last) + 1])


def _models(
    stages: Sequence[Mapping[str, Any]], own: Mapping[str, Any], plans: Mapping[str, Any]
) -> dict[str, dict[str, Any]]:
    """The models that these stages ask: the plan's, with what the recipe says of its own where the plan is silent."""
    asked = (each.get("model", STAGES[each["use"]].defaults.get("model")) for each in stages if each["use"] in STAGES)
    told: dict[str, dict[str, Any]] = {}
    for role in dict.fromkeys(role for role in asked if role):
        mine, theirs = (
            {"use": each} if isinstance(each, str) else each for each in (own.get(role, {}), plans.get(role, {}))
        )
        told[role] = {**mine, **theirs}
    return told
