"""A world of squares: who poses, solves and judges does so well and badly in turn, so that every view has rows."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from pathlib import Path
from typing import Any

from flows import make
from pipelines.views.table import VIEWS
from tests.server import Behaviour, Body, Said
from tests.small import Site

POSED = """<plan>
Two steps.
</plan>
<question>
Number {n}: what is {n}², plus one?
</question>
<answer>
{answer}
</answer>"""

# After a thought, wrong after the same first step, without a thought, wrong, and cut off. With letters that are no
# ASCII, and with blanks where chat templates like to strip them.
SOLUTIONS = [
    "<think>\n{n}² is {n}·{n}.\n\n  Then — one more.\n</think>\n\nSo it is \\boxed{{{right}}}.",
    "<think>\n{n}² is {n}·{n}.\n\nThat is all.\n</think>\n\n\\boxed{{{wrong}}}",
    "I multiply.\n\n    {n} * {n}\n\n\\boxed{{{right}}}",
    "I guess.\n\n\\boxed{{{wrong}}}",
]
CUT = Said("<think>\nOn and on and", True)


class Scene:
    """Answers as solvers and judges do. A judge says the truth every other time that it is asked the same."""

    def __init__(self) -> None:
        self._asked: Counter[str] = Counter()

    def __call__(self, body: Body, index: int) -> Said:
        text = body["messages"][-1]["content"]
        if "Seed question" in text:
            n = body["seed"] % 90 + 2
            return Said(POSED.format(n=n, answer=n * n + 1), False)
        self._asked[text] += 1
        times, n = self._asked[text], int(re.search(r"Number (\d+):", text)[1])  # pyright: ignore
        if "You decide" in text or "You look for" in text:
            return Said(judged(text, n, is_honest=times % 2 == 1), False)
        told = [*SOLUTIONS, CUT][(times - 1) % 5]
        return told if isinstance(told, Said) else Said(told.format(n=n, right=n * n + 1, wrong=n * n), False)


def judged(text: str, n: int, *, is_honest: bool) -> str:
    """A judge's reply to whether an answer is right, which of two is better, or where the first error is."""
    if "first wrong step" in text:
        return (
            f"<reason>\nI read.\n</reason>\n<step>\n{'none' if re.search('one more|multiply', text) else 2}\n</step>"
        )
    right = [boxed == str(n * n + 1) for boxed in re.findall(r"\\boxed\{(\d+)\}", text)]
    yes, no = ("A", "B") if "which of two responses" in text else ("yes", "no")
    return f"<reason>\nI check.\n</reason>\n<verdict>\n{yes if right[0] == is_honest else no}\n</verdict>"


def squares(folder: Path) -> Path:
    """The folder of a version with every view, and a curriculum of two stages."""
    site = Site(folder)
    site.value["target"]["candidates"] = 6
    site.value["views"] = list(VIEWS)
    site.value["curriculum"] = {
        "stages": [{"name": name, "rows": 3, "max_response_tokens": 8192} for name in ("short", "long")]
    }
    site.stage("screen")["rules"] = ["form"]
    site.stage("expand")["n"] = 5
    asked = {"model": "teacher", "sampling": {"temperature": 0.6, "max_tokens": 4096}, "votes": 2}
    site.value["stages"] += [
        {"use": "judge", "at_least": 0.5, **asked},
        {"use": "prefer", "pairs": 3, **asked},
        {"use": "first_error", **asked, "votes": 1},
    ]
    return site.turn(behaviour=Behaviour(author=Scene())).made.folder


def talks(folder: Path) -> Path:
    """The folder of a version of conversations in which the assistant speaks twice."""
    site = Site(folder)
    site.value["name"] = "talks"
    rows: list[dict[str, Any]] = [
        {"question": f"Number {n}: what is {n}²?", "answer": str(n * n), "responses": [[*talk(n)]]}
        for n in range(2, 6)
    ]
    site.write_seeds(*rows)
    site.value["views"] = list(VIEWS)
    del site.value["models"]
    site.value["stages"] = [{"use": "bring", "rows": "seeds.jsonl"}, {"use": "sift", "rules": ["answer_matches"]}]
    return asyncio.run(make.make(site.write())).folder


def talk(n: int) -> list[dict[str, str]]:
    return [
        {"role": "user", "content": f"Number {n}: what is {n}²?"},
        {"role": "assistant", "content": f"<think>\nHow often {n}?\n</think>\n\nDo you mean {n} times {n}?"},
        {"role": "user", "content": "Yes."},
        {"role": "assistant", "content": f"<think>\nTimes itself.\n</think>\n\n\\boxed{{{n * n}}}"},
    ]
