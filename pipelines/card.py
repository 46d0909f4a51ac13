"""The dataset card: what a version is, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from filters import cascade

BUILTIN = (
    "**The problems and solutions were written by Thoughtmill's builtin engine. It is a symbolic program with seeded"
    " faults, not a language model: this data shows how the mill works and is no material to train on.**"
)


def render(
    name: str, version: str, recipe: Mapping[str, Any], ledger: Mapping[str, Any], rows: Mapping[str, int]
) -> str:
    """The README.md of a version."""
    models = ledger["models"]
    builtin = any(each["model"] == "builtin" for each in models.values())
    sections = [
        f"# {name} {version}",
        str(recipe.get("about", "")),
        BUILTIN if builtin else "",
        _loading(rows),
        _outcomes(ledger),
        _models(models),
        _verification(ledger),
        _seeds(ledger),
        "`report/report.md` tells what every rule said, with examples.",
        _method(recipe),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _method(recipe: Mapping[str, Any]) -> str:
    paper = f"Method: {recipe['paper']}. " if "paper" in recipe else ""
    return f"{paper}`recipe.toml` makes the same version again."


def _loading(rows: Mapping[str, int]) -> str:
    views = "\n".join(f"| `{view}` | {count:,} |" for view, count in rows.items())
    example = next(iter(rows), "sft")
    return (
        f"| view | rows |\n|---|---:|\n{views}\n\n"
        f'```python\nfrom datasets import load_from_disk\nrows = load_from_disk("{example}")\n```\n\n'
        "`facts/` holds every candidate, every attempt and every verdict with its reason, also of what was not"
        " accepted."
    )


def _outcomes(ledger: Mapping[str, Any]) -> str:
    lines = [f"| accepted | {ledger['accepted']:,} |"]
    lines += [f"| {outcome} | {count:,} |" for outcome, count in ledger["not_accepted"].items()]
    return f"| of {ledger['candidates']:,} candidates | |\n|---|---:|\n" + "\n".join(lines)


def _models(models: Mapping[str, Mapping[str, Any]]) -> str:
    lines = [
        f"| {role} | {_cell(each['model'])} | {each['attempts']:,} | {each['cut_off']:,} |"
        f" {each['prompt_tokens']:,} | {each['completion_tokens']:,} |"
        for role, each in models.items()
    ]
    head = "| role | model | attempts | cut off | tokens in | tokens out |\n|---|---|---:|---:|---:|---:|"
    return "\n".join([head, *lines])


def _verification(ledger: Mapping[str, Any]) -> str:
    """How often verifiers and judge are wrong, where that was measured."""
    told = cascade.in_words(ledger.get("verification", {}))
    return f"How far the verdicts can be trusted:\n\n{told}" if told else ""


def _seeds(ledger: Mapping[str, Any]) -> str:
    """Which benchmarks the seeds hold items of, where that was looked at."""
    told = ledger.get("seeds_in_benchmarks", {})
    lines = [
        f"| `{_cell(file)}` | {each['found']:,} of {each['items']:,} | {'yes' if each['is_source'] else 'no'} |"
        for file, each in told.items()
    ]
    head = [
        "What it is made from holds items of benchmarks:\n",
        "| benchmark | items | a source of it |",
        "|---|---:|---|",
    ]
    return "\n".join([*head, *lines]) if lines else ""


def _cell(text: str) -> str:
    """Text from outside, as it may stand in a table."""
    return "".join(char for char in text if char.isprintable()).replace("|", "\\|").replace("<", "&lt;")
