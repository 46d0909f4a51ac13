"""Scoring: how likely a model finds what was answered, and how good a reward model finds it. No judge, no words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from filters.answers import LEFT_OUT
from filters.rewards import END_OF_TURN
from pipelines.inference.model import Message, Model
from pipelines.inference.scoring import Likelihood, paired, scoring, summed
from pipelines.records import Attempt, Facts, Problem, Verdict, verdict
from pipelines.stage import Run, Shard, Step
from pipelines.stages.ask import each_of
from pipelines.stages.judge import gathered
from pipelines.store import Output
from prompts.template import Template

# Raise them with what is shown to the scorer, and with what is made of its numbers.
REWARD, LIKELIHOOD, GAIN = "reward@1", "likelihood@1", "likelihood_gain@1"

# What may be scored → after what.
AFTER = {
    "response": ("question", "nothing"),
    "answer": ("question", "trace", "nothing"),
    "reference": ("question", "trace", "response", "nothing"),
}


async def reward(shard: Shard, run: Run, step: Step, *, prompt: Template, model: Model) -> Output:
    """Have a reward model score every finished attempt, as the answer to its question; thoughts are not shown.

    The score is the number that the model gives the conversation, on a scale of its own. `worst_reward`, `rip` and
    `best_of_n` read it, as RIP (arXiv 2501.18578) takes a reward model's. A text that ends its turn itself is unsure:
    it could go on in the name of the user.
    """
    asked = [(each, attempt) for each in shard.live for attempt in shard.case(each).attempts]
    scorer = Scorer(run, step, prompt, model)
    return gathered(await each_of(_reward(problem, attempt, scorer) for problem, attempt in asked), shard)


async def likelihood(
    shard: Shard,
    run: Run,
    step: Step,
    *,
    prompt: Template,
    model: Model,
    of: str = "response",
    given: str = "question",
    against: str = "",
) -> Output:
    """Measure how likely the model finds each finished attempt: the mean log-probability of a token, in nats.

    `of`: the "response" with its thoughts, its "answer" alone, or the problem's "reference" answer; `given` the
    "question" in the words of the prompt, that and the attempt's "trace" or whole "response", or "nothing".

    With `against`, another of these, `likelihood_gain` tells by how much the mean is higher with what is given, over
    the same tokens. A response given its question against nothing is instruction-following difficulty (IFD): there
    `loss_ratio` (arXiv 2308.12032), later `perplexity_ratio` (arXiv 2402.00530). The reference given the trace
    against the question shows what an explanation is good for (ExPO).
    """
    asked = [(each, attempt) for each in shard.live for attempt in shard.case(each).attempts]
    scorer = Scorer(run, step, prompt, model)
    of_what = Measure(of, given, against)
    return gathered(
        await each_of(_likelihood(problem, attempt, scorer, of_what) for problem, attempt in asked), shard
    )


def check_likelihood(given: Mapping[str, Any]) -> None:
    """Raises ValueError for what cannot be scored, or not after that."""
    if given["of"] not in AFTER:
        raise ValueError(f"of = {given['of']!r}; it may be {' or '.join(map(repr, AFTER))}")
    after = AFTER[given["of"]]
    for name in ("given", "against"):
        if given[name] not in (*after, *[""] * (name == "against")):
            raise ValueError(
                f"{name} = {given[name]!r}; of the {given['of']} it may be {' or '.join(map(repr, after))}"
            )
    if given["against"] == given["given"]:
        raise ValueError(f"against = {given['against']!r} is what is given; name another, or leave it out")


class Scorer(NamedTuple):
    """Who scores: a step of a run, with the words that questions are put in, and its model."""

    run: Run
    step: Step
    prompt: Template
    model: Model

    def verdict(self, about: Attempt, rule: str, score: float | None, context: Any, evidence: Any) -> Verdict:
        """What was said of an attempt; unsure where that is no number."""
        told = {"scorer": self.model.name, "revision": self.model.revision, "prompt": str(self.prompt)}
        return verdict(
            subjects=[about.id],
            stage=self.step.label,
            draw=about.draw,
            rule=rule,
            status="unsure" if score is None else "pass",
            score=score,
            context={**told, **context},
            evidence=evidence,
        )


async def _reward(asked: Problem, attempt: Attempt, scorer: Scorer) -> Facts:
    if why := _unscored(attempt, attempt.text) or _forges(attempt.text):
        return _only(scorer.verdict(attempt, REWARD, None, {}, {"reason": why}))
    messages = scorer.prompt.render({"question": asked.question})
    request = scoring(scorer.model, "reward", messages, attempt.text, draw=attempt.draw or 0)
    reply = await scorer.run.client.score(request)
    evidence = {"reason": reply["refused"]} if "refused" in reply else {}
    return _only(scorer.verdict(attempt, REWARD, reply.get("reward"), {}, evidence))


def _unscored(attempt: Attempt, text: str) -> str | None:
    """Why there is nothing to score."""
    if attempt.finish != "stop":
        return LEFT_OUT[attempt.finish]
    return None if text.strip() else "no text to score"


def _forges(text: str) -> str | None:
    """Whether a text ends its turn itself: what follows would be read as somebody else's words about it."""
    return "holds a mark that ends a turn" if any(mark in text for mark in END_OF_TURN) else None


# --- Likelihoods ----------------------------------------------------------------------------------------------


class Measure(NamedTuple):
    """What is measured, after what, and against what."""

    of: str
    given: str
    against: str


async def _likelihood(asked: Problem, attempt: Attempt, scorer: Scorer, measure: Measure) -> Facts:
    text = {"response": _response(attempt), "answer": attempt.text, "reference": asked.answer or ""}[measure.of]
    context = {"of": measure.of, "given": measure.given}
    if why := _lacks(asked, attempt, measure) or _unscored(attempt, text):
        return _only(scorer.verdict(attempt, LIKELIHOOD, None, context, {"reason": why}))
    conditions = [measure.given, *filter(None, [measure.against])]
    requests = [
        scoring(scorer.model, "likelihood", _shown(asked, attempt, scorer, after), text, draw=attempt.draw or 0)
        for after in conditions
    ]
    replies = await each_of(scorer.run.client.score(request) for request in requests)
    told = [_told(attempt, scorer, context, replies[0])]
    if measure.against:
        told.append(_gain(attempt, scorer, {**context, "against": measure.against}, *replies))
    return Facts([], [], told)


def _lacks(asked: Problem, attempt: Attempt, measure: Measure) -> str | None:
    if measure.of == "reference" and not asked.answer:
        return "no reference answer"
    needs_thoughts = "trace" in (measure.given, measure.against)
    return "no thoughts kept apart" if needs_thoughts and not attempt.turns[-1].reasoning else None


def _shown(asked: Problem, attempt: Attempt, scorer: Scorer, after: str) -> list[Message]:
    """What comes before the text that is scored: perhaps a question, perhaps the beginning of the answer."""
    if after == "nothing":
        return []
    question = scorer.prompt.render({"question": asked.question})
    said = {"question": "", "trace": _thoughts(attempt), "response": _response(attempt) + "\n\n"}[after]
    return [*question, *([{"role": "assistant", "content": said}] if said else [])]


def _thoughts(attempt: Attempt) -> str:
    """The reasoning that was kept apart, as models write it before an answer."""
    reasoning = attempt.turns[-1].reasoning
    return f"<think>\n{reasoning.strip()}\n</think>\n\n" if reasoning else ""


def _response(attempt: Attempt) -> str:
    return _thoughts(attempt) + attempt.text


def _told(attempt: Attempt, scorer: Scorer, context: Any, reply: Mapping[str, Any]) -> Verdict:
    told = summed(reply.get("logprobs", ()))
    if told is None:
        return scorer.verdict(attempt, LIKELIHOOD, None, context, {"reason": _why_not(reply)})
    evidence = {"sum": told.sum, "tokens": told.tokens, "perplexity": told.perplexity}
    return scorer.verdict(attempt, LIKELIHOOD, told.mean, context, evidence)


def _gain(
    attempt: Attempt, scorer: Scorer, context: Any, one: Mapping[str, Any], other: Mapping[str, Any]
) -> Verdict:
    """What the text gains by what is given, over the tokens that both replies know."""
    given, against = map(summed, paired(one.get("logprobs", ()), other.get("logprobs", ())))
    if given is None or against is None:
        return scorer.verdict(attempt, GAIN, None, context, {"reason": _why_not(one, other)})
    gain = Likelihood(given.sum - against.sum, given.mean - against.mean, given.tokens)
    ratio = given.mean / against.mean if against.mean else None
    evidence = {"sum": gain.sum, "tokens": gain.tokens, "loss_ratio": ratio, "perplexity_ratio": gain.perplexity}
    return scorer.verdict(attempt, GAIN, gain.mean, context, evidence)


def _why_not(*replies: Mapping[str, Any]) -> str:
    return next((reply["refused"] for reply in replies if "refused" in reply), "no token that anything comes before")


def _only(told: Verdict) -> Facts:
    return Facts([], [], [told])
