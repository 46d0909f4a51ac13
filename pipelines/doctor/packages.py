"""Python, and what is installed: of which extras, in which versions, and what a recipe needs of it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import zip_longest
from typing import Any

from filters.verifiers import VERIFIERS
from pipelines.doctor.world import Finding, World, broken, note, well
from pipelines.stage import BoundRule

OLDEST, TOO_NEW = (3, 11), (3, 14)
OF_ENGINES = {"vllm": "vllm", "transformers": "transformers"}
OF_RULES = {"embedding": "embeddings"}  # by the beginning of a rule's name
OF_PEOPLE = {"dev", "verifiers"}  # extras that are made of others

Wanted = Mapping[str, list[tuple[str, str]]]  # extra → packages, each with the versions that will do


def python(world: World) -> Iterator[Finding]:
    """Is this a Python, and a system, that thoughtmill runs on?"""
    version = ".".join(map(str, world.python))
    if not OLDEST <= world.python < TOO_NEW:
        yield broken("python", f"Python {version}, where 3.11 to 3.13 are supported", mend="uv venv --python 3.12")
    else:
        yield well("python", f"Python {version}")
    if not world.platform.startswith("linux"):
        yield note("python", f"on {world.platform} code under test cannot be confined, so none is run: use Linux")


def extras(world: World) -> Iterator[Finding]:
    """Which extras are there, and which does the recipe lack?"""
    wanted = of_extras(world.requirements)
    needed = needed_extras(world, wanted)
    present = [name for name in wanted if name not in OF_PEOPLE and not lacking(world, wanted[name])]
    yield well("extras", f"installed: {', '.join(present) or 'none'}")
    for name, why in needed.items():
        if missing := lacking(world, wanted.get(name, [])):
            told = f"{why} needs the extra {name}: {', '.join(missing)}"
            yield broken("extras", told, mend=f"pip install 'thoughtmill[{name}]'")
        else:
            yield well("extras", f"{why} needs the extra {name}, which is installed")


def prefect(world: World) -> Iterator[Finding]:
    """Is Prefect installed with what works beside it? Other sets crash, or never start what is scheduled."""
    pins = of_extras(world.requirements).get("flows", [])
    url = world.environ.get("PREFECT_API_URL")
    if world.installed("prefect") is None:
        if url:
            told = "PREFECT_API_URL is set, and Prefect is not installed"
            yield broken("prefect", told, mend="pip install 'thoughtmill[flows]', or unset PREFECT_API_URL")
        else:
            yield note("prefect", "not installed: runs need it for schedules and for the UI alone")
        return
    if wrong := lacking(world, pins):
        told = f"a set that is not known to work: {', '.join(wrong)}"
        yield broken("prefect", told, mend="pip install 'thoughtmill[flows]'")
    else:
        yield well("prefect", f"Prefect {world.installed('prefect')}, with what is known to work beside it")
    if url and not world.reached(f"{url.rstrip('/')}/health"):
        told = f"no Prefect server answers at {url.partition('//')[2].rpartition('@')[2]}"
        yield broken("prefect", told, mend="prefect server start, or unset PREFECT_API_URL")


# --- What an extra is -----------------------------------------------------------------------------------------


def of_extras(requirements: Any) -> Wanted:
    """The packages of each extra, from lines such as `prefect==3.7.7; extra == 'flows'`."""
    found: dict[str, list[tuple[str, str]]] = {}
    for line in requirements:
        asked, _, marker = line.partition(";")
        named = re.match(r"([A-Za-z0-9._-]+)(?:\[[^]]*\])?\s*(.*)", asked.strip())
        if named and (extra := re.search(r"extra == ['\"]([\w-]+)['\"]", marker)):
            found.setdefault(extra[1], []).append((named[1], named[2].strip()))
    return found


def lacking(world: World, packages: list[tuple[str, str]]) -> list[str]:
    """The packages that are not installed, or in another version than is wanted."""
    found = []
    for name, versions in packages:
        version = world.installed(name)
        if version is None:
            found.append(f"{name} is not installed")
        elif not satisfies(version, versions):
            found.append(f"{name} {version}, where {versions} is wanted")
    return found


def satisfies(version: str, wanted: str) -> bool:
    """Whether a version is one of those that `==3.7.7` or `<2.1,>=2.0` allow; letters behind numbers do not count.

    >>> satisfies("2.0.46", "<2.1"), satisfies("3.8.0", "==3.7.7")
    (True, False)
    """
    compares = {"==": [0], ">=": [0, 1], "<=": [-1, 0], ">": [1], "<": [-1], "!=": [-1, 1]}
    for part in filter(None, (each.strip() for each in wanted.split(","))):
        found = re.fullmatch(r"(==|>=|<=|!=|<|>)\s*([0-9][\w.+]*)", part)
        if found and _order(version, found[2]) not in compares[found[1]]:
            return False
    return True


def _order(one: str, other: str) -> int:
    """-1, 0 or 1, as the first version is lower, the same or higher."""
    pairs = zip_longest(_numbers(one), _numbers(other), fillvalue=0)
    return next(((a > b) - (a < b) for a, b in pairs if a != b), 0)


def _numbers(version: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", version.partition("+")[0])]


# --- What a recipe needs --------------------------------------------------------------------------------------


def needed_extras(world: World, wanted: Wanted) -> dict[str, str]:
    """The extras that the recipe needs, each with what of it needs them."""
    if world.recipe is None:
        return {}
    managed = (model for model in world.models.values() if model.url is None)
    needed = {OF_ENGINES[each.engine]: f"the model {each.role}" for each in managed if each.engine in OF_ENGINES}
    for step in world.recipe.steps:
        for rule in step.parameters.get("rules", []):
            assert isinstance(rule, BoundRule)
            needed |= {
                extra: f"the rule {rule.name}" for name, extra in OF_RULES.items() if rule.name.startswith(name)
            }
    for verifier in verifiers_of(world):
        for package in VERIFIERS[verifier].packages:
            providers = (name for name in wanted if name not in OF_PEOPLE and package in dict(wanted[name]))
            if extra := next(providers, None):
                needed[extra] = f"the verifier {verifier}"
    return needed


def verifiers_of(world: World) -> list[str]:
    """The verifiers that the recipe names; mathematics where it poses, brings or checks and names none."""
    if world.recipe is None:
        return []
    named = [step.parameters.get("verifier") for step in world.recipe.steps if "verifier" in step.parameters]
    return list(dict.fromkeys(name or "math" for name in named))
