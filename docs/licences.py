"""The licence of everything that an installation brings, from the metadata of the installed distributions."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = Path(__file__).parents[1] / "pyproject.toml"

HEAD = """\
# Licences of dependencies

Written by `make docs` from the metadata of the installed distributions. Thoughtmill itself is under Apache-2.0, and
contains none of them: an installation brings the base, and those extras that are asked for, each with what it needs
in turn. A distribution is listed where it first comes in. Which ones come in differs a little by Python version and
platform.
"""

# Of distributions that say nothing in their metadata, from the file LICENSE that they bring.
READ_IN_ITS_FILES = {"zss": "BSD-3-Clause"}

# What the extra `dev` adds serves those who work on Thoughtmill, and reaches no user.
NOT_SHIPPED = {"dev"}


def render() -> str:
    """The text of docs/licences.md."""
    project = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]
    groups = {"Base": project["dependencies"]}
    for extra, needs in project["optional-dependencies"].items():
        if extra not in NOT_SHIPPED:
            groups[f"Extra `{extra}`"] = needs
    listed: set[str] = set()
    return "\n".join([HEAD, *(_section(title, needs, listed) for title, needs in groups.items())])


def _section(title: str, needs: list[str], listed: set[str]) -> str:
    found, absent = closure([Requirement(need) for need in needs])
    fresh = {name: each for name, each in sorted(found.items()) if name not in listed}
    listed.update(fresh)
    lines = [f"## {title}\n"]
    if fresh:
        lines += ["| distribution | licence |", "|---|---|"]
        lines += [f"| {name} | {licence(each)} |" for name, each in fresh.items()]
    elif not absent:
        lines.append("Nothing beyond what is listed above.")
    if absent:
        names = ", ".join(f"`{name}`" for name in sorted(absent))
        lines.append(f"Not installed where this list was made, so without the licence of what they need: {names}.")
    return "\n".join([*lines, ""])


def closure(needs: list[Requirement]) -> tuple[dict[str, Distribution], set[str]]:
    """The installed distributions that requirements bring in by name, and the names of those that are missing."""
    found: dict[str, Distribution] = {}
    absent: set[str] = set()
    seen: set[tuple[str, frozenset[str]]] = set()
    waiting = list(needs)
    while waiting:
        need = waiting.pop()
        name, extras = canonicalize_name(need.name), frozenset(need.extras)
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        try:
            found[name] = distribution(need.name)
        except PackageNotFoundError:
            absent.add(name)
        else:
            waiting += _needs(found[name], extras)
    return found, absent


def _needs(of: Distribution, extras: frozenset[str]) -> Iterator[Requirement]:
    """What a distribution requires here, with these of its extras."""
    for text in of.requires or ():
        need = Requirement(text)
        if need.marker is None or any(need.marker.evaluate({"extra": extra}) for extra in ("", *extras)):
            yield need


def licence(of: Distribution) -> str:
    """What a distribution says its licence is: an SPDX expression, its classifiers, or a short text."""
    told = of.metadata.json
    if "license_expression" in told:
        return str(told["license_expression"])
    names = [each.split(" :: ")[-1] for each in told.get("classifier", ()) if each.startswith("License ::")]
    text = str(told.get("license", ""))
    short = text if "\n" not in text else ""
    return ", ".join(names) or short or READ_IN_ITS_FILES.get(canonicalize_name(of.name)) or "see its files"
