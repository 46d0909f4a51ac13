"""What each recipe is of: a page of docs/methods.md, from the recipe itself and from its text in docs/methods/."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipelines import comparison
from pipelines import recipe as recipes
from pipelines.stages.table import STAGES

TEXTS = Path(__file__).parent / "methods"

HEAD = """\
# Methods

Written by `make docs` from the recipes and from `docs/methods/`; do not edit it by hand.

Each published method is a recipe, its prompts, and what it shares with the others. All run on the builtin engine,
which shows that they work and says nothing of what a model gives; `--set models.teacher=openai:MODEL@URL` has them
run on any endpoint. Numbers are those of the papers, or of their code where a text says so.
"""


def render() -> str:
    """The text of docs/methods.md."""
    told = {name: tomllib.loads(recipes.find(name).read_text(encoding="utf-8")) for name in recipes.names()}
    plans = {
        name: tomllib.loads(comparison.find_plan(name).read_text(encoding="utf-8")) for name in comparison.names()
    }
    pages = [_method(name, each) for name, each in told.items()] + [_plan(name, each) for name, each in plans.items()]
    return "\n".join([HEAD, *_overview({**told, **plans}), *_sharing(told), *pages])


def text(name: str) -> str:
    """What is written by hand about a recipe: what it is, its numbers beside ours, and what its tests show."""
    return (TEXTS / f"{name}.md").read_text(encoding="utf-8")


def _overview(told: dict[str, dict[str, Any]]) -> Iterator[str]:
    yield "| recipe | makes | paper |\n|---|---|---|"
    for name, each in told.items():
        yield f"| [{name}](#{name}) | {each['about']} | {each.get('paper', '')} |"


def _sharing(told: dict[str, dict[str, Any]]) -> Iterator[str]:
    """Which stages each recipe uses, so that one sees what a new method shares."""
    uses = {name: [stage["use"] for stage in each["stages"]] for name, each in told.items()}
    shown = [stage for stage in STAGES if any(stage in used for used in uses.values())]
    yield "\n## Stages by method\n"
    yield f"| recipe | {' | '.join(shown)} |\n|---|{'---|' * len(shown)}"
    for name, used in uses.items():
        yield f"| {name} | {' | '.join(str(used.count(stage) or '') for stage in shown)} |"


def _method(name: str, told: dict[str, Any]) -> str:
    line = " → ".join(each.get("name", each["use"]) for each in told["stages"])
    asked = dict.fromkeys(prompt for stage in told["stages"] for prompt in _prompts(stage))
    said = re.sub(r"^#", "###", text(name).strip(), flags=re.M)
    parts = [
        f"\n## {name}\n",
        f"{told.get('paper', '')}\n" if told.get("paper") else "",
        f"```sh\nthoughtmill run {name}\n```\n",
        f"Stages: {line}.\n",
        f"Prompts: {', '.join(f'`{each}`' for each in asked)}.\n" if asked else "",
        f"{said}\n",
    ]
    return "\n".join(part for part in parts if part)


def _plan(name: str, told: dict[str, Any]) -> str:
    """The page of recipes that are compared."""
    taken = "; ".join(f"{each['name']}: `{each['use']}` up to {each['until']}" for each in told["recipes"])
    line = " → ".join(each.get("name", each["use"]) for each in told["stages"])
    said = re.sub(r"^#", "###", text(name).strip(), flags=re.M)
    parts = [
        f"\n## {name}\n",
        f"{told['paper']}\n",
        f"```sh\nthoughtmill compare {name}\n```\n",
        f"A plan of recipes: {taken}. After each: {line}.\n",
        f"{said}\n",
    ]
    return "\n".join(parts)


def _prompts(stage: dict[str, Any]) -> list[str]:
    given = {**STAGES[stage["use"]].defaults, **stage}.get("prompt", [])
    return [given] if isinstance(given, str) else given
