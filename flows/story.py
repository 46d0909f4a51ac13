"""The story of a row in the terminal: what became of it and why, then the way from the seeds to where it went.

Texts of models are printed as they are, never as markup or control codes; long ones are folded to their first and
last lines. Nothing is told by colour alone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

from rich.console import Console, RenderableType
from rich.rule import Rule
from rich.text import Text

from flows.attempts import ID, Look, attempts_of, evidence, inside, judging_of, labelled, verdicts
from flows.beside import beside
from flows.readable import LITTLE, SOME, folded, is_long, one_line
from flows.show import plain, screen
from pipelines.records import Problem
from pipelines.story.find_draw import CLOSING
from pipelines.story.story import (
    Posed,
    Story,
    Told,
    Where,
    all_posed,
    is_accepted,
    numbered,
    story_of,
    what_it_asks,
)

TITLES = {
    "seed": "Seed",
    "pose": "Task of posing",
    "posed": "Posed question",
    "task": "Question",
    "form": "The same in another form",
    "composed": "Chain of problems",
    "single": "One of them by itself",
    "judge": "Task of judging",
    "judgement": "Task of judging, with a known answer",
    "vary": "Task of varying",
    "varied": "Another question, close to it",
}


def show(
    folder: Path,
    row: str,
    *,
    full: bool = False,
    attempts: Collection[int] = (),
    diff: tuple[int, int] | None = None,
    console: Console = screen,
) -> None:
    """Print the story of a row of the version in `folder`, or with `diff` two of its attempts side by side.

    `attempts` are the numbers of those to print whole beside the best at each problem; `full` folds nothing. Raises
    ValueError for a row or an attempt that is not there.
    """
    where = story_of(folder, row)
    known = numbered(where.story)
    for number in (*attempts, *(diff or ())):
        if number not in known:
            there = f"its attempts are 1 to {len(known)}" if known else "it has none"
            raise ValueError(f"there is no attempt {number} in the story of {row}; {there}")
    if diff:
        console.print(beside(*((number, known[number]) for number in diff)))
        return
    tell(where.story, title=_title(folder, where), full=full, attempts=attempts, console=console)
    if hint := _hint(where.story, full or bool(attempts)):
        console.print("", Text(hint, style="dim"), sep="\n")


def tell(
    story: Story, *, title: str, full: bool = False, attempts: Collection[int] = (), console: Console = screen
) -> None:
    """Print a story from top to bottom."""
    numbers = {tried.attempt.id: number for number, tried in numbered(story).items()}
    said = [tried.attempt.text for tried in numbered(story).values()]
    plans = {each.plan for each in story.problems if each.plan and not any(each.plan in text for text in said)}
    look = Look(numbers, attempts, plans, None if full else SOME, None if full else LITTLE)
    for part in _parts(story, title, look):
        console.print(part)


def _parts(story: Story, title: str, look: Look) -> Iterator[RenderableType]:
    yield from _headline(story, title, look)
    for seed in story.seeds:
        yield from ("", _section(TITLES["seed"], seed), *_question(seed, look))
    for posed in story.problems:
        yield from _posed(posed, look)
    if story.others:
        yield from ("", Rule("Verdicts about other facts", align="left"), verdicts(story.others, look))


def _title(folder: Path, where: Where) -> str:
    stage = f" · curriculum stage {where.stage}" if where.stage else ""
    return f"{folder.parent.name}@{folder.name} · draw {where.story.draw}{stage}"


def _hint(story: Story, is_chosen: bool) -> str:
    """How to see what is not printed, to who has not asked for more already."""
    hints = []
    if len(numbered(story)) > 1:
        hints.append("--attempt N prints another attempt whole, --diff A,B two side by side")
    if any(is_long(text, SOME) for text in _texts(story)):
        hints.append("--full unfolds everything")
    return "" if is_chosen else "; ".join(hints)


def _texts(story: Story) -> Iterator[str]:
    for posed in all_posed(story.problems):
        yield posed.problem.question
        for tried in posed.attempts:
            yield from (text for turn in tried.attempt.turns for text in (turn.content, turn.reasoning) if text)


# --- What became of it -----------------------------------------------------------------------------------------


def _headline(story: Story, title: str, look: Look) -> Iterator[RenderableType]:
    yield plain(title, style="dim")
    if is_accepted(story):
        yield Text.assemble(("ACCEPTED", "bold green"), f"  {_passed(story)}")
        yield plain(f"  {_went(story)}")
    elif story.outcome == "open":
        failed = ", ".join(told.verdict.rule for told in _of_the_line(story) if told.verdict.status != "pass")
        yield Text.assemble(("NOT DECIDED YET", "bold yellow"), plain(f"  did not pass {failed}" if failed else ""))
    else:
        rule = story.decisive.rule if story.decisive else story.outcome
        why = f"{rule}: {story.reason or 'did not pass'}"
        yield Text.assemble(("NOT ACCEPTED", "bold red"), "  ", plain(why, style="bold"))
        if asks := what_it_asks(rule):
            yield inside(plain(f"the rule: {asks}", style="dim"))
        decisive = next((told for told in _all_told(story) if told.is_decisive), None)
        if decisive:
            score = decisive.verdict.score
            yield from [] if score is None else [inside(plain(f"score: {score:.4g}", style="dim"))]
            yield inside(evidence(decisive, look))


def _passed(story: Story) -> str:
    """How many checks an accepted problem passed, and how many attempts at it are right."""
    about = next((each for each in all_posed(story.problems) if each.problem.id in story.subjects), None)
    if about is None:
        return ""
    checks = sum(told.verdict.status == "pass" and told.verdict.rule != CLOSING for told in about.verdicts)
    checked = [each.right for each in about.attempts if each.right is not None]
    right = f"; {checked.count('pass')} of {_count(len(checked), 'attempt')} right" if checked else ""
    return f"{_count(checks, 'check')} passed{right}" if checks else right.removeprefix("; ")


def _went(story: Story) -> str:
    rows = [f"{view} ({_count(count, 'row')})" for view, count in story.exported.items()]
    return f"in {', '.join(rows)}" if rows else "no view has a row of it"


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _of_the_line(story: Story) -> Iterator[Told]:
    """The verdicts that can leave a draw out: on its questions, and on how they were posed."""
    for posed in story.problems:
        yield from posed.verdicts
        if posed.problem.kind == "pose":
            yield from (told for tried in posed.attempts for told in tried.verdicts)


def _all_told(story: Story) -> Iterator[Told]:
    for posed in all_posed(story.problems):
        yield from posed.verdicts
        yield from (told for tried in posed.attempts for told in tried.verdicts)
    yield from story.others


# --- Problems --------------------------------------------------------------------------------------------------


def _posed(posed: Posed, look: Look) -> Iterator[RenderableType]:
    """A problem, its verdicts, its attempts in a table and the best of them whole; what judges it stands below."""
    yield from ("", _section(TITLES.get(posed.problem.kind, posed.problem.kind), posed.problem))
    yield from (*_about(posed, look), *attempts_of(posed, look), *judging_of(posed, look))


def _section(title: str, problem: Problem) -> Rule:
    told = [title, *filter(None, (problem.domain, problem.source, problem.license)), problem.id[:ID]]
    return Rule(plain(one_line(" · ".join(told)), style="bold"), align="left", style="dim")


def _about(posed: Posed, look: Look) -> Iterator[RenderableType]:
    """What is asked, the plan and the verdicts; a task that was put to a model is told by its attempts' prompt."""
    if posed.problem.kind not in ("pose", "judge", "judgement", "vary") or not posed.attempts:
        yield from _question(posed.problem, look)
    if posed.plan in look.plans:
        yield from labelled("plan", posed.plan or "", look.prompt)
    yield verdicts(posed.verdicts, look)


def _question(problem: Problem, look: Look) -> Iterator[RenderableType]:
    yield folded(problem.question, look.text)
    if problem.answer is not None:
        yield Text.assemble(("answer ", "bold"), folded(problem.answer, look.text))
