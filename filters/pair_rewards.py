"""Rewards for judges that are learnt from both tasks of a pair at once, as J1 does (arXiv 2505.10320).

A trainer hands over a batch with the columns of the view `judge`. Rows of one `pair_id` should be in one batch; a
completion is compared with the one at the same place among those of the other task. Where the other task is not in
the batch, the reward is None: neither rewarded nor punished.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from filters.rewards import Completion
from filters.verifiers import judgement
from filters.verifiers.judging import read_score, spoken
from filters.verifiers.reading import response_text

OTHER = {"A": "B", "B": "A", "yes": "no", "no": "yes"}


def consistent(
    completions: Sequence[Completion], answer: Sequence[str], pair_id: Sequence[str], **columns: Any
) -> list[float | None]:
    """1.0 for a right verdict about a pair whose verdict in the other order is right too, else 0.0."""

    def both_right(mine: str, reference: str, theirs: str) -> bool:
        return _right(reference, mine) and _right(OTHER[reference], theirs)

    return _rewards(completions, answer, pair_id, ("A", "B"), both_right)


def ordered(
    completions: Sequence[Completion], answer: Sequence[str], pair_id: Sequence[str], **columns: Any
) -> list[float | None]:
    """1.0 for a score of one response that is on the right side of the score of the other response, else 0.0."""

    def in_order(mine: str, reference: str, theirs: str) -> bool:
        better, worse = (
            read_score(spoken(text)) for text in ((mine, theirs) if reference == "yes" else (theirs, mine))
        )
        return better is not None and worse is not None and better > worse

    return _rewards(completions, answer, pair_id, ("yes", "no"), in_order)


def _right(reference: str, text: str) -> bool:
    said = judgement.final_answer(text)
    return said is not None and judgement.check_quickly(reference, said).status == "pass"


def _rewards(
    completions: Sequence[Completion],
    answers: Sequence[str],
    pair_ids: Sequence[str],
    tasks: tuple[str, str],
    good: Callable[[str, str, str], bool],
) -> list[float | None]:
    """One reward for each completion of one of these tasks whose partner is there, else None."""
    texts = [response_text(each) or "" for each in completions]
    places = defaultdict[tuple[str, str], list[int]](list)
    for place, key in enumerate(zip(pair_ids, answers, strict=True)):
        places[key].append(place)
    rewards: list[float | None] = [None] * len(texts)
    for (pair, answer), mine in places.items():
        theirs = places.get((pair, OTHER.get(answer, "")), []) if answer in tasks else []
        for place, other in zip(mine, theirs, strict=False):
            rewards[place] = float(good(texts[place], answer, texts[other]))
    return rewards
