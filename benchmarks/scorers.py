"""Which scorer ranks right answers above wrong ones? Within one problem, so that its difficulty explains nothing.

    python -m benchmarks.scorers

Three tables. GSM8K: the problems of which one of two real solutions by models of 6B parameters is right. MATH: the
problems of which some of eight real responses are right, with the scores of a reward model. Planted: real right
responses beside the same ones with one thing broken. The first two need the public data in ../shared/data.

A number is the chance that the scorer puts a right answer above a wrong one to the same problem, equals counting
half, as the mean over problems; 50 % is no use. The interval is Wilson's at 95 % with the problems as trials, which
is rather too wide, since numbers between 0 and 1 vary less than coins do. Nothing is asserted here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import product
from math import sqrt
from pathlib import Path
from statistics import NormalDist, fmean
from typing import Any, NamedTuple

import orjson
from rich.console import Console
from rich.table import Table

from filters.trace import STRATEGIES, steps, strategies, thoughts
from filters.trace_coherence import broken, coherence
from filters.trace_graph import failed_step_fraction, graph
from filters.trace_text import repeated_share, tail_loop
from filters.verifiers import math
from filters.votes import elect
from filters.words import words

DATA = Path(__file__).parents[2] / "shared" / "data"

# --- What is compared -----------------------------------------------------------------------------------------


class Response(NamedTuple):
    """A response, whether it is right, and what is known of it besides its text."""

    text: str
    right: bool
    known: Mapping[str, float] = {}


Group = Sequence[Response]
"""The responses to one problem."""


def review_share(text: str) -> float:
    """How many of the steps verify or backtrack."""
    each = steps(text.lower())
    reviews = [
        step for step in each if any(STRATEGIES[name].search(step) for name in ("verification", "backtracking"))
    ]
    return len(reviews) / max(1, len(each))


SCORERS: dict[str, Callable[[str], float]] = {
    "fewer words": lambda text: -len(words(text)),
    "fewer steps": lambda text: -len(steps(text)),
    "coherence": lambda text: coherence(text).score,
    "fewer failed steps": lambda text: -failed_step_fraction(graph(text)),
    "less review": lambda text: -review_share(text),
    "fewer switches": lambda text: -len(thoughts(text)),
    "more strategies": lambda text: len(strategies(text)),
    "less repetition": lambda text: -repeated_share(text) - (tail_loop(text) is not None),
}


class Ranked(NamedTuple):
    """How often a scorer put right above wrong, over so many problems; `tied` is the share of equal pairs."""

    mean: float
    low: float
    high: float
    problems: int
    tied: float

    @property
    def words(self) -> str:
        """What that says."""
        if self.low > 0.5:
            return "right above wrong"
        if self.high < 0.5:
            return "wrong above right"
        return "cannot tell: never differs" if self.tied == 1 else "cannot tell"


def ranked(groups: Sequence[Group], score: Callable[[Response], float]) -> Ranked:
    """A scorer by every pair of a right and a wrong response to the same problem."""
    shares, ties = [], []
    for group in groups:
        known = [(each.right, score(each)) for each in group]
        pairs = product([value for right, value in known if right], [value for right, value in known if not right])
        wins = [(a > b) + 0.5 * (a == b) for a, b in pairs]
        shares.append(fmean(wins))
        ties.append(wins.count(0.5) / len(wins))
    low, high = interval(fmean(shares), len(shares))
    return Ranked(fmean(shares), low, high, len(shares), fmean(ties))


def interval(mean: float, n: int) -> tuple[float, float]:
    """Wilson's, for the mean of n numbers between 0 and 1."""
    z = NormalDist().inv_cdf(0.975)
    centre, spread = mean + z * z / (2 * n), z * sqrt(mean * (1 - mean) / n + z * z / (4 * n * n))
    return max(0.0, (centre - spread) / (1 + z * z / n)), min(1.0, (centre + spread) / (1 + z * z / n))


# --- Real answers ---------------------------------------------------------------------------------------------


def gsm8k() -> list[Group]:
    """The problems whose two solutions differ in being right. A verifier had chosen the second of each."""
    rows = _rows("gsm8k/model_solutions_6b.jsonl")
    groups = [
        [
            Response(
                row[name]["solution"], row[name]["is_correct"], {"chosen by a verifier": name == "6b_verification"}
            )
            for name in ("6b_finetuning", "6b_verification")
        ]
        for row in rows
    ]
    return [group for group in groups if group[0].right != group[1].right]


def mixed_math() -> list[Group]:
    """The problems that are neither always solved nor never, of 60, with reward and consensus."""
    return [group for group in map(_responses, _rows(MATH)) if 0 < sum(each.right for each in group) < len(group)]


MATH = "math_samples/qwen_math_8_samples.jsonl"


def _responses(row: Mapping[str, Any]) -> Group:
    votes = _votes(row["response"])
    told = zip(row["response"], row["score"], row["pred_score"], votes, strict=True)
    return [Response(text, right, {"reward": reward[0], "consensus": vote}) for text, right, reward, vote in told]


def _votes(texts: Sequence[str]) -> list[float]:
    """How many of the texts give the answer that each gives; 0 for one without."""
    answers = [math.final_answer(text) for text in texts]
    counts = {answer: answers.count(answer) for answer in answers if answer is not None}
    if not counts:
        return [0.0] * len(texts)
    election = elect(counts, _equal)
    size = {
        each: float(count) for group, count in zip(election.groups, election.counts, strict=True) for each in group
    }
    return [0.0 if answer is None else size[answer] for answer in answers]


def _equal(a: str, b: str) -> bool | None:
    outcome = math.check_quickly(a, b)
    return None if outcome is None else outcome.same


def _rows(path: str) -> list[Any]:
    return [orjson.loads(line) for line in (DATA / path).read_bytes().splitlines()]


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


def planted() -> dict[str, list[Group]]:
    """By what is broken: the first right response to each problem, beside itself with that broken."""
    right = [next((each.text for each in map_ if each.right), None) for map_ in map(_responses, _rows(MATH))]
    whole = [text for text in right if text is not None and len(steps(text)) >= 4]
    return {
        name: [[Response(text, True), Response(spoil(text), False)] for text in whole]
        for name, spoil in PLANTED.items()
    }


# --- Tables ---------------------------------------------------------------------------------------------------


def measured(groups: Sequence[Group]) -> dict[str, Ranked]:
    """Every scorer that has something to say about these groups."""
    found = {name: ranked(groups, lambda each, score=score: score(each.text)) for name, score in SCORERS.items()}
    known = groups[0][0].known
    return found | {name: ranked(groups, lambda each, name=name: each.known[name]) for name in known}


def show(title: str, found: Mapping[str, Ranked]) -> None:
    problems = next(iter(found.values())).problems
    table = Table("scorer", title=f"{title}: {problems} problems", box=None, pad_edge=False, title_justify="left")
    for name in ("right above wrong", "95 %", "ties"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("in words")
    for name, each in found.items():
        table.add_row(name, f"{each.mean:.1%}", f"{each.low:.0%} to {each.high:.0%}", f"{each.tied:.0%}", each.words)
    Console(width=110).print(table, "")


def show_planted(found: Mapping[str, Mapping[str, Ranked]]) -> None:
    """A line for each scorer, a column for each defect; a star where the interval excludes chance."""
    problems = next(iter(next(iter(found.values())).values())).problems
    table = Table("scorer", title=f"Planted: {problems} problems", box=None, pad_edge=False, title_justify="left")
    for defect in found:
        table.add_column(defect, justify="right")
    for name in SCORERS:
        cells = [found[defect][name] for defect in found]
        table.add_row(
            name, *(f"{each.mean:.0%}{'*' if each.low > 0.5 or each.high < 0.5 else ' '}" for each in cells)
        )
    Console(width=130).print(table, "* not by chance alone (95 %)")


def main() -> None:
    if not DATA.is_dir():
        raise SystemExit(f"benchmarks.scorers needs the public data in {DATA}")
    show("GSM8K, two solutions each", measured(gsm8k()))
    show("MATH, eight responses each", measured(mixed_math()))
    show_planted({defect: measured(groups) for defect, groups in planted().items()})


if __name__ == "__main__":
    main()
