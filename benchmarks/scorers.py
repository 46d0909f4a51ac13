"""Which scorer ranks right answers above wrong ones? Within one problem, so that its difficulty explains nothing.

    python -m benchmarks.scorers --data ../shared/data

`--data` is a folder with `gsm8k/model_solutions_6b.jsonl` and `math_samples/qwen_math_8_samples.jsonl`. Three tables.
GSM8K: the problems of which one of two real solutions by models of 6B parameters is right. MATH: the problems of
which some of eight real responses are right, with the scores of a reward model. Planted: real right responses beside
the same ones with one thing broken, so that it is known what a scorer should see.

A number is how often the scorer puts a right answer above a wrong one to the same problem, of the pairs that it does
not hold for equal, as the mean over the problems with such a pair; 50 % is no use. The interval is Wilson's at 95 %
with these problems as trials: where a problem has several pairs it is rather too wide, since a share of pairs varies
less than a coin does. Nothing is asserted here.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import product
from math import sqrt
from pathlib import Path
from statistics import NormalDist, fmean
from typing import Any, NamedTuple

import orjson
from rich.console import Console
from rich.table import Table

from filters.rule import Case
from filters.table import rule
from filters.trace import steps
from filters.trace_coherence import broken
from filters.verifiers import math
from filters.verifiers.outcome import Outcome
from filters.votes import elect
from pipelines.records import Turn, attempt, problem

CONSOLE = Console(width=130)

# --- What is compared -----------------------------------------------------------------------------------------


class Response(NamedTuple):
    """A response, whether it is right, and what is known of it besides its text."""

    text: str
    right: bool
    known: Mapping[str, float] = {}


Group = Sequence[Response]
"""The responses to one problem, right ones and wrong ones."""

Scorer = Callable[[Group], Sequence[float | None]]
"""A number for each response of a group, the higher the better; None where it has none."""

RULES = {
    "fewer words": ("trace_length", -1),
    "fewer switches of thought": ("switches", -1),
    "more strategies": ("strategy_count", 1),
    "less review": ("review_ratio", -1),
    "coherence": ("coherent", 1),
    "fewer failed steps": ("failed_steps", -1),
    "less repetition": ("not_repetitive", -1),
}
"""What is held for better, as the rule whose score tells it, and whether more of it is better or less."""


def by_rule(name: str, sign: int) -> Scorer:
    """The scores that a rule gives the attempts at one problem."""
    return partial(_scores, rule(name).run, sign)


def _scores(run: Callable[..., Any], sign: int, group: Group) -> list[float | None]:
    case = _case(group)
    scores = {ruling.about[0]: ruling.score for ruling in run(case, _no_check)}
    return [None if scores[each.id] is None else sign * scores[each.id] for each in case.attempts]


def _case(group: Group) -> Case:
    of = problem(parents=(), stage="benchmark", draw=0, kind="task", question="")
    made = partial(attempt, of=of, stage="benchmark", role="", model="", revision=None, prompt="", sampling="{}")
    told = partial(made, seed=0, request="", finish="stop")
    return Case(of, attempts=[told(sample=i, turns=[Turn("assistant", each.text)]) for i, each in enumerate(group)])


def _no_check(verifier: str, reference: str, answer: str) -> Outcome:
    raise NotImplementedError("no rule here asks a verifier")


SCORERS = {name: by_rule(*what) for name, what in RULES.items()}


def known(name: str) -> Scorer:
    """What came with the responses."""
    return lambda group: [each.known[name] for each in group]


# --- How often it is right ------------------------------------------------------------------------------------


class Ranked(NamedTuple):
    """How often a scorer put right above wrong, of the pairs that are not tied."""

    mean: float
    low: float
    high: float
    decided: int  # problems with a pair that is not tied
    tied: float  # share of the pairs, the mean over all problems

    @property
    def words(self) -> str:
        """What that says."""
        if not self.decided:
            return "cannot tell: never differs"
        if self.low > 0.5:
            return "right above wrong"
        return "wrong above right" if self.high < 0.5 else "cannot tell"


def ranked(groups: Sequence[Group], scorer: Scorer) -> Ranked:
    """A scorer by every pair of a right and a wrong response to the same problem."""
    by_group = [list(_wins(group, scorer(group))) for group in groups]
    tied = fmean(wins.count(None) / len(wins) for wins in by_group)
    decided = [[win for win in wins if win is not None] for wins in by_group]
    shares = [fmean(wins) for wins in decided if wins]
    mean = fmean(shares) if shares else 0.5
    return Ranked(mean, *interval(mean, len(shares)), len(shares), tied)


def _wins(group: Group, scores: Sequence[float | None]) -> list[bool | None]:
    """For each pair whether the right one has the higher score; None where both have the same, or one has none."""
    right, wrong = (
        [score for each, score in zip(group, scores, strict=True) if each.right is wanted] for wanted in (True, False)
    )
    return [None if a is None or b is None or a == b else a > b for a, b in product(right, wrong)]


def interval(mean: float, n: int) -> tuple[float, float]:
    """Wilson's, for the mean of n numbers between 0 and 1, which need not be counts; all of [0, 1] when n is 0."""
    if not n:
        return 0.0, 1.0
    z = NormalDist().inv_cdf(0.975)
    centre, spread = mean + z * z / (2 * n), z * sqrt(mean * (1 - mean) / n + z * z / (4 * n * n))
    return max(0.0, (centre - spread) / (1 + z * z / n)), min(1.0, (centre + spread) / (1 + z * z / n))


# --- Real answers ---------------------------------------------------------------------------------------------

MADE = ("6b_finetuning", "6b_verification")


def gsm8k(data: Path) -> list[Group]:
    """The problems whose two solutions differ in being right. A verifier had chosen the second of each."""
    rows = _rows(data / "gsm8k/model_solutions_6b.jsonl")
    return mixed([[_solution(row[name], chosen=name == MADE[1]) for name in MADE] for row in rows])


def _solution(made: Mapping[str, Any], *, chosen: bool) -> Response:
    return Response(made["solution"], made["is_correct"], {"chosen by a verifier": float(chosen)})


def math_samples(data: Path) -> list[Group]:
    """Eight responses to each problem, with the score of a reward model and how many gave the same answer."""
    return [_responses(row) for row in _rows(data / "math_samples/qwen_math_8_samples.jsonl")]


def _responses(row: Mapping[str, Any]) -> Group:
    votes = _votes(row["response"])
    told = zip(row["response"], row["score"], row["pred_score"], votes, strict=True)
    return [
        Response(text, bool(right), {"reward": reward[0], "consensus": vote}) for text, right, reward, vote in told
    ]


def _votes(texts: Sequence[str]) -> list[float]:
    """How many of the texts give the answer that each gives; 0 for one without."""
    answers = [math.final_answer(text) for text in texts]
    counts = {answer: answers.count(answer) for answer in answers if answer is not None}
    if not counts:
        return [0.0] * len(texts)
    election = elect(counts, _equal)
    groups = zip(election.groups, election.counts, strict=True)
    size = {answer: float(count) for group, count in groups for answer in group}
    return [0.0 if answer is None else size[answer] for answer in answers]


def _equal(a: str, b: str) -> bool | None:
    outcome = math.check_quickly(a, b)
    return None if outcome is None else outcome.same


def mixed(groups: Sequence[Group]) -> list[Group]:
    """Those with right and with wrong responses."""
    return [group for group in groups if len({each.right for each in group}) == 2]


def _rows(path: Path) -> list[Any]:
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]


# --- Planted --------------------------------------------------------------------------------------------------

DETOUR = "Let me try another way.\n\nSuppose we add them first, which gives 12.\n\nThat doesn't work."


def _half(kind: str) -> Callable[[str], str]:
    return lambda text: broken(text, kind, fraction=0.5, key=text)


PLANTED: dict[str, Callable[[str], str]] = {
    "half the steps shuffled": _half("shuffled"),
    "half the steps deleted": _half("deleted"),
    "half the digits changed": _half("digits"),
    "half the catchwords gone": _half("keywords"),
    "a failed branch": lambda text: "\n\n".join([*steps(text)[:2], DETOUR, *steps(text)[2:]]),
    "ends in a loop": lambda text: text + "\n\nWait, let me check this." * 20,
    "cut off in the middle": lambda text: text[: len(text) // 2],
}


def planted(groups: Sequence[Group]) -> dict[str, list[Group]]:
    """By what is broken: the first right response to each problem, beside itself with that broken."""
    right = [next((each.text for each in group if each.right), "") for group in groups]
    whole = [text for text in right if len(steps(text)) >= 4]
    return {
        name: [[Response(text, True), Response(spoil(text), False)] for text in whole]
        for name, spoil in PLANTED.items()
    }


# --- Tables ---------------------------------------------------------------------------------------------------


def measured(groups: Sequence[Group]) -> dict[str, Ranked]:
    """Every scorer that has something to say about these groups."""
    scorers = SCORERS | {name: known(name) for name in groups[0][0].known}
    return {name: ranked(groups, scorer) for name, scorer in scorers.items()}


def show(title: str, groups: Sequence[Group]) -> None:
    table = Table("scorer", title=f"{title}: {len(groups)} problems", box=None, pad_edge=False, title_justify="left")
    for name in ("right above wrong", "95 %", "of problems", "pairs tied"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("in words")
    for name, each in measured(groups).items():
        share, band = (f"{each.mean:.1%}", _band(each)) if each.decided else ("", "")
        table.add_row(name, share, band, f"{each.decided}", f"{each.tied:.0%}", each.words)
    CONSOLE.print(table, "")


def _band(each: Ranked) -> str:
    return f"{100 * each.low:.0f} to {100 * each.high:.0f}"


def show_planted(defects: Mapping[str, Sequence[Group]]) -> None:
    """A line for each scorer, a column for each defect."""
    problems = len(next(iter(defects.values())))
    title = f"Planted: {problems} problems; how often the whole one is above the broken one"
    table = Table("scorer", title=title, box=None, pad_edge=False, title_justify="left")
    found = {defect: measured(groups) for defect, groups in defects.items()}
    for defect in found:
        table.add_column(defect, justify="right", min_width=11)
    for name in SCORERS:
        table.add_row(name, *(_cell(found[defect][name]) for defect in found))
    CONSOLE.print(table, "")


def _cell(each: Ranked) -> str:
    """The share and its interval, or in its place that it tells nothing."""
    if not each.decided:
        return "never\ndiffers"
    share = "cannot tell" if each.words == "cannot tell" else f"{each.mean:.0%}"
    return f"{share}\n{_band(each)}"


def main() -> None:
    parser = argparse.ArgumentParser("benchmarks.scorers", description="Which scorer ranks right above wrong?")
    parser.add_argument("--data", type=Path, required=True)
    data = parser.parse_args().data
    samples = math_samples(data)
    show("GSM8K, two solutions each", gsm8k(data))
    show("MATH, eight responses each", mixed(samples))
    show_planted(planted(samples))


if __name__ == "__main__":
    main()
