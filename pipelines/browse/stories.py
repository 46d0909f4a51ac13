"""What the page of a row shows: its story in the order a person asks, why first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import orjson

from pipelines.browse.links import Looking, address
from pipelines.browse.marks import Mark, marks_on
from pipelines.browse.source import Source, draw_of, facts_at
from pipelines.records import Attempt
from pipelines.story.story import Posed, Story, Told, Tried, all_posed, best, is_accepted, story, what_it_asks

TITLES = {
    "pose": "The task: pose a problem",
    "posed": "The problem",
    "judge": "The task: judge",
    "task": "The problem",
    "composed": "The chain of problems",
}


class Outcome(NamedTuple):
    """What became of a row, in words."""

    status: str
    title: str
    reason: str
    asks: str  # what the rule that decided passes
    decisive: Told | None
    anchor: str  # where the verdict stands on the page


class Side(NamedTuple):
    """An attempt as the comparison names it."""

    id: str
    name: str
    text: str


def read_story(source: Source, row: int) -> tuple[Story, list[Mark]]:
    """The story of a row, with the marks of people in it. Raises ValueError where there is no such row."""
    marks = marks_on(source, row)
    with facts_at(source, row) as cursor:
        told = story(cursor, draw_of(source, row), views=_views(source), marks=[each.verdict for each in marks])
    return told, marks


def _views(source: Source) -> list[str] | None:
    """The views that were made of a version; of a run, those that its recipe names."""
    if source.kind == "version":
        return list(source.about["version"].get("rows", {}))
    return source.about["recipe"].get("views")


def outcome(told: Story) -> Outcome:
    """Why a row is where it is."""
    if is_accepted(told):
        return Outcome("pass", "Accepted", "it passed every check on its way", "", None, "")
    if told.outcome == "open":
        return Outcome(
            "open", "Still in", "nothing has left it out so far, and no version holds it yet", "", None, ""
        )
    decisive = next((each for each in _verdicts(told) if each.is_decisive), None)
    status = told.decisive.status if told.decisive else "fail"
    rule = told.decisive.rule if told.decisive else told.outcome
    anchor = f"v-{told.decisive.id[:16]}" if told.decisive else ""
    title = f"Left out by {told.outcome}"
    stage = told.decisive.stage.partition("@")[0] if told.decisive else ""
    asks = what_it_asks(rule) or (f"What stage `{stage}` itself says of a reply that it cannot use." if stage else "")
    return Outcome(status, title, told.reason or "no reason was given", asks, decisive, anchor)


def _verdicts(told: Story) -> Iterator[Told]:
    for each in all_posed(told.problems):
        yield from each.verdicts
        for tried in each.attempts:
            yield from tried.verdicts
    yield from told.others


def shown_open(told: Story) -> set[str]:
    """Ids of the attempts that are not folded: what decided, or the best of those that solve the problem."""
    decided = set(told.decisive.subjects) if told.decisive else set()
    found = {tried.attempt.id for each in all_posed(told.problems) for tried in each.attempts} & decided
    if not found:
        tried = best(told.problems[-1].attempts) if told.problems else None
        found = {tried.attempt.id} if tried else set()
    return found


def marked(told: Story) -> list[tuple[str, str]]:
    """What a person can mark: ids, the outcome's subject first, and what they are called."""
    named = []
    for posed in all_posed(told.problems):
        named.append((posed.problem.id, title(posed).lower()))
        named += [(each.attempt.id, f"attempt {attempt_name(each.attempt)}") for each in posed.attempts]
    first = [each for each in named if each[0] in told.subjects]
    return first + [each for each in named if each not in first]


def title(posed: Posed) -> str:
    return TITLES.get(posed.problem.kind, posed.problem.kind.capitalize())


def attempt_name(attempt: Attempt) -> str:
    return f"{attempt.sample + 1} by {attempt.role}"


def summary(told: Story) -> dict[str, Any]:
    """The facts beside a story: counts, models, sources, views."""
    attempts = [tried.attempt for each in all_posed(told.problems) for tried in each.attempts]
    tokens = sum(each.completion_tokens or 0 for each in attempts)
    main = told.problems[-1].problem if told.problems else None
    given = {
        "draw": told.draw,
        "domain": main and main.domain,
        "source": main and main.source,
        "licence": main and main.license,
        "verifier": main and main.verifier,
        "attempts": f"{len(attempts):,}",
        "tokens": f"{tokens:,}" if tokens else None,
        "models": ", ".join(dict.fromkeys(each.model for each in attempts)),
    }
    return {name: value for name, value in given.items() if value not in (None, "")}


# ---------------------------------------------------------------------------------------------------------------
# Two attempts side by side


def sides(told: Story) -> list[Side]:
    """Every attempt of a story, in its order."""
    return [
        Side(each.attempt.id, f"{title(posed)}: attempt {attempt_name(each.attempt)}{_right(each)}", whole(each))
        for posed in all_posed(told.problems)
        for each in posed.attempts
    ]


def pair(told: Story, left: str, right: str) -> tuple[Side, Side]:
    """The two that are asked for; without, one that is right and one that is wrong. Raises ValueError."""
    known = {each.id: each for each in sides(told)}
    for asked in (left, right):
        if asked and asked not in known:
            raise ValueError(f"there is no attempt {asked[:40]!r} in this row")
    if len(known) < 2:
        raise ValueError("this row has fewer than two attempts to compare")
    first = left or _with_status(told, "pass") or next(iter(known))
    others = [id for id in known if id != first]
    second = right or next((id for id in (_with_status(told, "fail"),) if id and id != first), others[0])
    return known[first], known[second]


def _with_status(told: Story, status: str) -> str | None:
    tried = (each for posed in all_posed(told.problems) for each in posed.attempts)
    return next((each.attempt.id for each in tried if each.right == status), None)


def _right(tried: Tried) -> str:
    return {"pass": ", right", "fail": ", wrong"}.get(tried.right or "", "")


def whole(tried: Tried) -> str:
    """Thoughts and answer of an attempt as one text."""
    last = tried.attempt.turns[-1]
    thoughts = f"<think>\n{last.reasoning}\n</think>\n\n" if last.reasoning else ""
    return thoughts + tried.attempt.text


# ---------------------------------------------------------------------------------------------------------------
# Raw facts


def raw(told: Story) -> list[tuple[str, str, dict[str, Any]]]:
    """Every fact of a story as it is stored, JSON texts read: name, id, columns."""
    found: list[tuple[str, Any]] = [("seed", each) for each in told.seeds]
    for posed in all_posed(told.problems):
        found.append(("problem", posed.problem))
        found += [("attempt", each.attempt) for each in posed.attempts]
    verdicts = {each.verdict.id: each.verdict for each in _verdicts(told)}
    found += [("verdict", each) for each in verdicts.values()]
    return [(f"{name} {fact.id[:12]}", fact.id, _columns(fact)) for name, fact in found]


def _columns(fact: Any) -> dict[str, Any]:
    read = {"details", "context", "evidence", "sampling"}
    given = fact._asdict()
    if "turns" in given:
        given["turns"] = [turn._asdict() for turn in given["turns"]]
    return {name: orjson.loads(value) if name in read else value for name, value in given.items()}


def part(told: Story, name: str) -> str:
    """One text of one fact, whole: "ID/question", "ID/plan", "ID/turn/3/reasoning". Raises ValueError."""
    id, _, path = name.partition("/")
    for posed in all_posed(told.problems):
        if posed.problem.id == id and path in ("question", "answer", "plan"):
            return (posed.plan if path == "plan" else getattr(posed.problem, path)) or ""
        for each in posed.attempts:
            if each.attempt.id == id:
                return _turn(each.attempt, path)
    seed = next((each for each in told.seeds if each.id == id), None)
    if seed is not None and path in ("question", "answer"):
        return getattr(seed, path) or ""
    raise ValueError(f"there is no text {name[:80]!r} in this row")


def _turn(attempt: Attempt, path: str) -> str:
    kind, _, rest = path.partition("/")
    place, _, field = rest.partition("/")
    known = kind == "turn" and place.isdigit() and len(place) < 6 and int(place) < len(attempt.turns)
    if not known or field not in ("content", "reasoning", "tool_calls"):
        raise ValueError(f"there is no text {path[:80]!r} in attempt {attempt.id[:12]}")
    return getattr(attempt.turns[int(place)], field) or ""


def text_link(looking: Looking, row: int, name: str) -> str:
    return address("/text", Looking(looking.of), ("row", str(row)), ("part", name))
