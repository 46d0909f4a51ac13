"""The rows that a card shows: a few that were accepted, and one or two that were not."""

from __future__ import annotations

from collections.abc import Iterator

from pipelines.card.about import CHARACTERS, EXAMPLES, About, Example, Said
from pipelines.card.text import fenced, folded, span


def examples(about: About) -> list[str]:
    """Their section, as blocks of Markdown."""
    shown = [*about.examples, *about.refused]
    if not shown:
        return []
    rows = [block for place, each in enumerate(shown, start=1) for block in _example(about, place, each)]
    how = f"Up to {EXAMPLES} that were accepted, drawn by chance from as many domains as there are"
    more = "; then some that were not, each for another reason." if about.refused else "."
    return ["## Examples", how + more, *rows]


def _example(about: About, place: int, row: Example) -> Iterator[str]:
    yield f"### Example {place}: {'accepted' if row.outcome == 'accepted' else 'not accepted'}"
    yield fenced(row.question, CHARACTERS)
    if row.reasoning:
        yield folded("Thoughts", row.reasoning, CHARACTERS)
    if row.answer is not None:
        yield "An answer to it:"
        yield fenced(row.answer, CHARACTERS)
    if row.reference is not None:
        yield f"The reference: {span(row.reference, 200)}"
    yield _why(row)
    yield f"The whole story: `thoughtmill show {about.name}@{about.version} {row.problem}`"


def _why(row: Example) -> str:
    """What decided, in one line, and then all that was said: first what has more to it than that it passed."""
    plainly = [each for each in row.said if each[2:] == ("pass", None, None, None)]
    lines = [f"- {_said(each)}" for each in row.said if each not in plainly]
    if plainly:
        lines.append(f"- passed: {', '.join(dict.fromkeys(span(each.rule) for each in plainly))}")
    return "\n".join([_head(row), *([""] if lines else []), *lines])


def _head(row: Example) -> str:
    if row.outcome != "accepted":
        return f"Not accepted by {span(row.outcome)}" + (f": {span(row.reason, 200)}." if row.reason else ".")
    return "Accepted, since nothing that was asked spoke against it:" if row.said else "Accepted: nothing was asked."


def _said(each: Said) -> str:
    score = "" if each.score is None else f", score {each.score:.3g}"
    value = "" if each.value is None else f", value {span(each.value)}"
    reason = "" if each.reason is None else f", {span(each.reason, 200)}"
    return f"{span(each.rule)} of the {each.about}: {each.status}{score}{value}{reason}"
