"""What each verifier checks and how its references are written: the docstrings of their modules."""

from __future__ import annotations

import inspect

from filters.verifiers import VERIFIERS, Verifier
from filters.verifiers.constraints.checks import CHECKS, Check
from filters.verifiers.constraints.ifeval import INSTRUCTIONS

HEAD = """\
# Verifiers

Written by `make docs` from the docstrings of `filters/verifiers/`; do not edit it by hand.

A verifier checks an answer against a reference and says `pass`, `fail`, `unsure` (could not be decided) or `error`
(the check itself broke); the last two never count as wrong. The reference is a text: for simple kinds the answer
itself, for others a JSON object that says what an answer must do. In a file of your own it may be an object as it
stands. What a model thinks aloud between `<think>` and `</think>` holds no answer.
"""


def render() -> str:
    """The text of docs/verifiers.md."""
    return "\n".join([HEAD, *(_section(name, each) for name, each in VERIFIERS.items())])


def _section(name: str, each: Verifier) -> str:
    reference, answer = each.example
    facts = [f"Version {each.version}, at most {each.seconds:g} seconds a check."]
    if each.packages:
        facts.append(f"Decided with: {', '.join(each.packages)}.")
    if each.compares:
        facts.append("Answers are compared with each other as well, as in votes.")
    about = inspect.getdoc(inspect.getmodule(each.check)) or ""
    found = inspect.getdoc(each.final_answer) or ""
    example = f"For example, against the reference\n\n    {reference}\n\nthis answer passes:\n\n{_indented(answer)}"
    parts = [f"## {name}", " ".join(facts), about, f"### Its answer in a response\n\n{found}", _more(name), example]
    return "\n\n".join(filter(None, parts)) + "\n"


def _more(name: str) -> str:
    """The table of constraints, which no docstring tells."""
    if name != "constraints":
        return ""
    rows = [f"| `{each}` | {_taken(check)} | {_cell(check.says)} |" for each, check in CHECKS.items()]
    ids = ", ".join(f"`{each}`" for each in INSTRUCTIONS)
    return "\n".join(["| check | takes | says |", "|---|---|---|", *rows, "", f"Instructions of IFEval: {ids}."])


def _taken(check: Check) -> str:
    counted = ("at_least", "at_most", "exactly") if "{number}" in check.says else ()
    return ", ".join(f"`{each}`" for each in (*check.takes, *check.optional, *counted))


def _cell(text: str) -> str:
    return text.replace("{s}", "s").replace("|", "\\|")


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())
