"""Verifiers as reward functions: what gates training data is what rewards in reinforcement learning.

Importable where the base package is installed; needs neither Prefect nor an engine. Checks run in child processes
that can be killed, shared by all rewards of a process.

    GRPOTrainer(..., reward_funcs=verified, train_dataset=rows)       # TRL: rows has the columns answer, verifier
    custom_reward_function.path=.../filters/rewards.py                # verl: name=compute_score
    --reward.remote_url .../filters/rewards.py                        # OpenRLHF: finds reward_func
    reward("math", r"\\frac{1}{3}", response)                           # plain Python: 1.0, 0.0 or None
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from filters.verifiers import VERIFIERS
from filters.verifiers.outcome import Outcome
from filters.verifiers.pool import Item, verify, verify_all
from filters.verifiers.reading import reference_text, response_text

Completion = str | Sequence[Mapping[str, Any]]
"""A response as a text, or as the messages of a conversation."""

# Sources that are known to verl and are mathematics; those of code need tests in the form that we read.
MATH_SOURCES = ("gsm8k", "math", "aime", "amc", "olympiad", "minerva", "numina", "deepscaler", "dapo", "orz")

# What models end a turn with. OpenRLHF hands it to rewards as text; in a short answer it would be part of the answer.
END_OF_TURN = (
    *("<|im_end|>", "<|endoftext|>", "<|eot_id|>", "<|end_of_text|>", "<|end|>", "<|return|>"),
    *("</s>", "<eos>", "<end_of_turn>", "<turn|>", "<\uff5cend\u2581of\u2581sentence\uff5c>"),
)


def reward(verifier: str, reference: Any, response: Completion | None) -> float | None:
    """1.0 for a right response, 0.0 for a wrong one, None where that was not decided.

    Raises KeyError for an unknown verifier.
    """
    return _reward(verify(verifier, reference_text(reference), response_text(response)))


def verified(
    completions: Sequence[Completion],
    answer: Sequence[Any],
    verifier: Sequence[str | None] | None = None,
    **columns: Any,
) -> list[float | None]:
    """A reward function of TRL: 1.0, 0.0 or None for each completion, from the dataset's own columns.

    `answer` has the reference answers, `verifier` the names of what checks them ("math" where the dataset has no
    such column, or nothing in it). TRL leaves out a None: what could not be decided is neither rewarded nor
    punished. Raises KeyError for an unknown verifier.
    """
    return [_reward(outcome) for outcome in _outcomes(completions, answer, verifier)]


def partly_verified(
    completions: Sequence[Completion],
    answer: Sequence[Any],
    verifier: Sequence[str | None] | None = None,
    **columns: Any,
) -> list[float | None]:
    """As `verified`, but what is checked in parts (tests, constraints, steps) gets the share of those that hold."""
    outcomes = _outcomes(completions, answer, verifier)
    return [
        outcome.score if outcome.status == "fail" and outcome.score is not None else _reward(outcome)
        for outcome in outcomes
    ]


def compute_score(
    data_source: str,
    solution_str: str,
    ground_truth: Any,
    extra_info: Mapping[str, Any] | None = None,
    **settings: Any,
) -> dict[str, float]:
    """The reward of one response, for verl's `custom_reward_function`.

    The verifier is `extra_info["verifier"]`, else `data_source` itself where it names one, else "math" for sources
    that are known to be mathematics, as "openai/gsm8k". verl takes no None, so what could not be decided scores 0.0
    with `decided` 0.0: leave such rows out of what is averaged. Raises KeyError for an unknown verifier,
    ValueError for a source that nobody knows.
    """
    told = reward((extra_info or {}).get("verifier") or _verifier_of(data_source), ground_truth, solution_str)
    return {"score": told or 0.0, "acc": told or 0.0, "decided": float(told is not None)}


def reward_func(queries: Sequence[str], prompts: Sequence[str], labels: Sequence[str]) -> dict[str, Any]:
    """The rewards of responses, for OpenRLHF's `--reward.remote_url FILE.py`: tensors of one number for each.

    A query is the prompt as the model saw it, with the response after it. A label is JSON text with `answer` and
    `verifier`, or the reference answer itself where that is mathematics. What could not be decided gets 0.0, with
    `decided` 0.0 in the logs. Raises KeyError for an unknown verifier, ValueError for a query that does not begin
    with its prompt.
    """
    import torch  # pyright: ignore[reportMissingImports]  # OpenRLHF has it; this package need not

    responses = [_response(query, prompt) for query, prompt in zip(queries, prompts, strict=True)]
    meant = [_labelled(label) for label in labels]
    told = verified(responses, [reference for reference, _ in meant], [kind for _, kind in meant])
    rewards = torch.tensor([each or 0.0 for each in told])
    decided = torch.tensor([float(each is not None) for each in told])
    return {"rewards": rewards, "scores": rewards, "extra_logs": {"decided": decided}}


def _response(query: str, prompt: str) -> str:
    """What follows the prompt, without the marks that end a turn."""
    if not query.startswith(prompt):
        raise ValueError(f"a query that does not begin with its prompt (was it cut?): {query[:80]!r}")
    said = query[len(prompt) :].rstrip()
    while mark := next((mark for mark in END_OF_TURN if said.endswith(mark)), None):
        said = said.removesuffix(mark).rstrip()
    return said


def _labelled(label: str) -> tuple[Any, str | None]:
    """The reference of a label, and the verifier that it names, if it does."""
    try:
        told = json.loads(label)
    except json.JSONDecodeError:
        return label, None
    names_both = isinstance(told, dict) and told.keys() == {"answer", "verifier"}
    return (told["answer"], told["verifier"]) if names_both else (label, None)


def _verifier_of(source: str) -> str:
    if source in VERIFIERS:
        return source
    if any(name in source.lower() for name in MATH_SOURCES):
        return "math"
    known = ", ".join(VERIFIERS)
    raise ValueError(f'no verifier for the source {source!r}: name one in extra_info["verifier"]: {known}')


def _outcomes(
    completions: Sequence[Completion], references: Sequence[Any], kinds: Sequence[str | None] | None
) -> list[Outcome]:
    names = kinds or [None] * len(completions)
    items = [
        Item(name or "math", reference_text(reference), response_text(completion))
        for name, reference, completion in zip(names, references, completions, strict=True)
    ]
    return verify_all(items)


def _reward(outcome: Outcome) -> float | None:
    return {"pass": 1.0, "fail": 0.0}.get(outcome.status)
