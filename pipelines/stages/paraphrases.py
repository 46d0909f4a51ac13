"""Decontamination by a judge: is a question an item of a benchmark in other words?

Where no words in a row are shared, n-grams find nothing. So the items nearest to a question are shown to a judge,
each beside it in both orders, since judges favour a side. As OpenMathInstruct-2 does (arXiv 2410.01560).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from filters.artifact import Artifact
from filters.benchmarks import read
from filters.embedding import Near, Neighbours, version_of
from filters.embedding import embedder as embedder_named
from filters.rule import Ruling, failed, passed, unsure
from filters.verifiers.judging import beside, read_judgement
from pipelines.inference.model import Model, Sampling
from pipelines.records import Attempt, Facts, Problem
from pipelines.stage import Run, Shard, Step
from pipelines.stages.ask import Asker, each_of
from pipelines.stages.judge import check_votes, judging_task, who
from pipelines.stages.sift import as_fact
from pipelines.store import Output
from prompts.template import Template

RULE = "paraphrase@1"  # raise it with the way a judgement is read, or what follows from it
QUOTED = 400  # characters of an item in the evidence


class Judged(NamedTuple):
    """An item near to a question, and the share of yes in either order; None where none could be read."""

    near: Near
    shares: tuple[float | None, float | None]
    facts: Facts

    @property
    def same(self) -> bool | None:
        """Whether one order at least calls them the same; None where no order could be read."""
        told = [share for share in self.shares if share is not None]
        return any(share >= 0.5 for share in told) if told else None


async def paraphrases(
    shard: Shard,
    run: Run,
    step: Step,
    *,
    against: Artifact,
    prompt: Template,
    model: Model,
    sampling: Sampling,
    embedder: str = "words",
    top: int = 5,
    votes: int = 1,
) -> Output:
    """Show the judge each question beside the `top` items of the benchmarks nearest to it, in both orders.

    A question stays when none is called the same in either order by half of the `votes`, and every pair could be
    judged. What is near is told by an embedder: `words`, which needs no model, or `sentence-transformers:NAME`.
    """
    asker = Asker(run, step, prompt, model, sampling)
    nearest = _items(against, embedder).nearest([each.question for each in shard.live], top=top)
    context = {"embedder": version_of(embedder), "top": top, "against": against.digest, **who(asker, votes)}
    facts, live, out = Facts.none(), [], []
    for each, judged in zip(shard.live, await _judged(shard.live, nearest, asker, votes), strict=True):
        for one in judged:
            facts.extend(one.facts)
        ruling = _ruling(judged)
        about = {"about": [each.id], "draw": each.draw, "stage": step.label}
        facts.verdicts.append(as_fact(ruling, **about, rule=RULE, context=context))
        if ruling.status == "pass":
            live.append(each.id)
        else:
            out.append((each.draw, facts.verdicts[-1].id))
    return Output(facts, live, out)


def check_paraphrases(given: Mapping[str, Any]) -> None:
    """Raises ValueError for less than one vote or item, for an unknown embedder, and for what is no benchmark."""
    check_votes(given)
    if given["top"] < 1:
        raise ValueError(f"top = {given['top']} should be at least 1")
    _items(given["against"], given["embedder"])


@lru_cache(maxsize=4)
def _items(against: Artifact, embedder: str) -> Neighbours:
    """The items of a folder, as long as it holds just this."""
    return Neighbours(read(against.path), embedder_named(embedder))


async def _judged(
    asked: Sequence[Problem], nearest: Sequence[Sequence[Near]], asker: Asker, votes: int
) -> list[list[Judged]]:
    """All pairs of all questions at once, then by question again."""
    pairs = [(of, near) for of, items in zip(asked, nearest, strict=True) for near in items]
    judged = iter(await each_of(_judge(of, near, asker, votes) for of, near in pairs))
    return [[next(judged) for _ in items] for items in nearest]


async def _judge(of: Problem, near: Near, asker: Asker, votes: int) -> Judged:
    facts, shares = Facts.none(), []
    for place, texts in enumerate([(of.question, near.item.question), (near.item.question, of.question)]):
        about = f"{near.item.file} #{near.item.number}, {('second', 'first')[place]}"
        task = judging_task(of, asker, parents=[of.id], about=about)
        question = asker.question(task, material=beside(*texts))
        replies = await each_of(question.attempt(vote) for vote in range(votes))
        shares.append(_share(replies))
        facts.extend(Facts([task], list(replies), []))
    return Judged(near, (shares[0], shares[1]), facts)


def _share(replies: Sequence[Attempt]) -> float | None:
    said = [vote for each in replies if (vote := read_judgement(each.text)) is not None]
    return sum(said) / len(said) if said else None


def _ruling(judged: Sequence[Judged]) -> Ruling:
    same = [each for each in judged if each.same]
    if same:
        first, item = same[0], same[0].near.item
        evidence: dict[str, Any] = {"file": item.file, "item": item.number, "question": item.question[:QUOTED]}
        evidence |= {"shares": first.shares, "similarity": first.near.similarity, "method": "judge"}
        evidence |= {"others": [f"{each.near.item.file} #{each.near.item.number}" for each in same[1:]]}
        reason = f"a judge calls it an item of {item.file}"
        return failed(reason, score=max(filter(None, first.shares)), evidence=evidence)
    if unread := sum(each.same is None for each in judged):
        return unsure("no judgement can be read", evidence={"unread": unread, "judged": len(judged)})
    nearest = judged[0].near if judged else None
    return passed(score=0.0, evidence={"nearest": nearest.similarity if nearest else None, "judged": len(judged)})
