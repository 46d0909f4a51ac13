"""Requests for scores, and how endpoints are asked for them: a small server that knows what it should say."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import exp, log
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.inference.client import Client
from pipelines.inference.engine import Again, Misconfigured, Refused
from pipelines.inference.model import Model, Request
from pipelines.inference.scoring import (
    paired,
    pieces,
    put,
    score_by_echo,
    score_by_vllm,
    scoring,
    summed,
    unrepeated,
)
from pipelines.journal import Journal
from tests.each import each_of

SCORER = Model(role="scorer", engine="openai", name="letters", url="http://127.0.0.1:9/v1")
QUESTION = [{"role": "user", "content": "why?"}]


def likelihood_of(text: str, messages: Sequence[Any] = QUESTION, model: Model = SCORER) -> Request:
    return scoring(model, "likelihood", messages, text)


# --- Requests -------------------------------------------------------------------------------------------------

OTHER = {
    "text": likelihood_of("because!"),
    "question": likelihood_of("because", [{"role": "user", "content": "why not?"}]),
    "how it begins": likelihood_of("because", [*QUESTION, {"role": "assistant", "content": "Well, "}]),
    "kind": scoring(SCORER, "reward", QUESTION, "because"),
    "model": likelihood_of("because", model=replace(SCORER, name="other")),
    "revision": likelihood_of("because", model=replace(SCORER, revision="abc")),
    "engine": likelihood_of("because", model=replace(SCORER, engine="vllm")),
    "deployment": likelihood_of("because", model=replace(SCORER, deployment="fp8")),
    "system": likelihood_of("because", model=replace(SCORER, system="Be brief.")),
    "settings": likelihood_of("because", model=replace(SCORER, settings={"scoring": "echo"})),
}


@each_of(OTHER.values())
def test_whatever_may_change_a_score_is_part_of_its_key(request: Request):
    assert request.key != likelihood_of("because").key
    assert len(request.key) == 16


def test_where_and_when_it_is_asked_is_no_part_of_its_key():
    elsewhere = replace(SCORER, url="http://elsewhere/v1", in_flight=1, role="judge")
    asked = scoring(elsewhere, "likelihood", QUESTION, "because", draw=7)
    assert asked.key == likelihood_of("because").key
    assert asked.draw == 7


def test_what_the_assistant_has_said_already_is_given():
    begun = {"role": "assistant", "content": "Well, "}
    assert pieces(likelihood_of("because")) == (QUESTION, "", "because")
    assert pieces(likelihood_of("because", [*QUESTION, begun])) == (QUESTION, "Well, ", "because")
    assert pieces(likelihood_of("because", [])) == ([], "", "because")


def test_a_template_that_begins_the_thoughts_is_not_answered_with_their_beginning():
    assert unrepeated("<bot><think>\n", "<think>\nHm.</think>") == "Hm.</think>"
    assert unrepeated("<bot>", "<think>\nHm.</think>") == "<think>\nHm.</think>"
    assert unrepeated("<bot><think>\n", "Hm.") == "Hm."


# --- Numbers --------------------------------------------------------------------------------------------------

LOGPROBS = st.lists(st.none() | st.floats(-50, 0), max_size=20)


@given(LOGPROBS)
def test_a_likelihood_is_over_the_tokens_that_have_one(logprobs: list[float | None]):
    known = [each for each in logprobs if each is not None]
    told = summed(logprobs)
    if not known:
        assert told is None
        return
    assert told is not None
    assert (told.tokens, told.sum) == (len(known), pytest.approx(sum(known)))
    assert told.mean * told.tokens == pytest.approx(told.sum)
    assert told.perplexity == pytest.approx(exp(-told.mean))


@given(LOGPROBS, LOGPROBS)
def test_pairs_are_of_the_same_tokens_from_the_end(some: list[float | None], others: list[float | None]):
    one, other = paired(some, others)
    assert len(one) == len(other) <= min(len(some), len(others))
    assert None not in one
    assert None not in other
    if some and others and some[-1] is not None and others[-1] is not None:
        assert (one[0], other[0]) == (some[-1], others[-1])


# --- Endpoints ------------------------------------------------------------------------------------------------


def falling(token: str, before: str) -> float:
    """How a model of letters finds a token after what came before."""
    return -(ord(token[-1]) % 7) - len(before) / 100


@dataclass
class Letters:
    """A server whose tokens are letters, and those in `words`. Its template is `[role:content]`, then what opens."""

    opens: str = ">"
    words: tuple[str, ...] = ()
    ignores: tuple[str, ...] = ()
    says: dict[str, Any] = field(default_factory=dict)  # by path, instead of what is right
    asked: list[tuple[str, Any]] = field(default_factory=list)

    async def ask(self, path: str, body: dict[str, Any]) -> Any:
        self.asked.append((path, body))
        if path in self.says:
            return self.says[path]
        return {"tokenize": self._tokenize, "v1/completions": self._complete, "classify": self._classify}[path](body)

    def shown(self, messages: Sequence[Any]) -> str:
        return "".join(f"[{each['role']}:{each['content']}]" for each in messages) + self.opens

    def _cut(self, text: str) -> list[str]:
        tokens = list[str]()
        while text:
            tokens.append(next((word for word in self.words if text.startswith(word)), text[0]))
            text = text[len(tokens[-1]) :]
        return tokens

    def _id(self, token: str) -> int:
        return 1000 + self.words.index(token) if token in self.words else ord(token)

    def _token(self, id: int) -> str:
        return self.words[id - 1000] if id >= 1000 else chr(id)

    def _tokenize(self, body: dict[str, Any]) -> dict[str, Any]:
        tokens = self._cut(self.shown(body["messages"]) if "messages" in body else body["prompt"])
        return {
            "tokens": [self._id(each) for each in tokens],
            "token_strs": [each.replace("\n", "Ċ") for each in tokens],
        }

    def _complete(self, body: dict[str, Any]) -> dict[str, Any]:
        prompt = body["prompt"]
        ids = prompt if isinstance(prompt, list) else [self._id(each) for each in self._cut(prompt)]
        tokens = [self._token(id) for id in ids]
        told = [falling(each, "".join(tokens[:i])) for i, each in enumerate(tokens)]
        choice: dict[str, Any] = {"text": "!", "prompt_logprobs": None, "logprobs": None}
        if "prompt_logprobs" in body and "prompt_logprobs" not in self.ignores:
            listed = [{str(id): {"logprob": p, "rank": 1}} for id, p in zip(ids, told, strict=True)]
            choice["prompt_logprobs"] = [None, *listed[1:]]
        if body.get("echo") and "echo" not in self.ignores:
            starts = [sum(map(len, tokens[:i])) for i in range(len(tokens) + 1)]
            choice["logprobs"] = {
                "tokens": [*tokens, "!"],
                "token_logprobs": [None, *told[1:], -1.0],
                "text_offset": starts,
            }
        elif "logprobs" in body:  # of what it says itself, as where echo is not known
            choice["logprobs"] = {"tokens": ["!"], "token_logprobs": [-1.0], "text_offset": [len(prompt)]}
        return {"choices": [choice], "usage": {"prompt_tokens": len(tokens), "completion_tokens": 1}, "model": "l"}

    def _classify(self, body: dict[str, Any]) -> dict[str, Any]:
        assert body["use_activation"] is False
        return {"data": [{"probs": [float(len(body["messages"][-1]["content"]))]}], "usage": {"prompt_tokens": 9}}


def asked_of(server: Letters, request: Request, way: Any = score_by_vllm) -> Any:
    return asyncio.run(way(request, server.ask))


def expected(given: str, text: str) -> list[float]:
    return [round(falling(each, given + text[:i]), 6) for i, each in enumerate(text)]


def test_vllm_tells_the_tokens_of_the_text_after_the_conversation_as_its_template_shows_it():
    server = Letters()
    reply = asked_of(server, likelihood_of("because"))
    assert reply["logprobs"] == expected("[user:why?]>", "because")
    assert reply["usage"]["prompt_tokens"] == len("[user:why?]>because")


def test_what_the_turn_begins_with_comes_before_the_text():
    begun = [*QUESTION, {"role": "assistant", "content": "Well, "}]
    reply = asked_of(Letters(), likelihood_of("because", begun))
    assert reply["logprobs"] == expected("[user:why?]>Well, ", "because")


def test_a_template_that_opens_the_thoughts_is_noticed():
    server = Letters(opens="><think>\n", words=("<think>",))
    reply = asked_of(server, likelihood_of("<think>\nHm.</think>yes"))
    assert reply["logprobs"] == expected("[user:why?]><think>\n", "Hm.</think>yes")


def test_with_nothing_given_the_first_token_has_no_number():
    reply = asked_of(Letters(), likelihood_of("because", []))
    assert reply["logprobs"] == [None, *expected("", "because")[1:]]


def test_echo_tells_the_tokens_behind_a_plain_prompt():
    reply = asked_of(Letters(), likelihood_of("because"), score_by_echo)
    assert reply["logprobs"] == expected("why?\n\n", "because")


def test_a_token_of_prompt_and_text_counts_for_the_text():
    server = Letters(words=("\nb",))
    reply = asked_of(server, likelihood_of("because"), score_by_echo)
    assert reply["logprobs"][0] == round(falling("\nb", "why?\n"), 6)
    assert len(reply["logprobs"]) == len("because")


def test_a_reward_is_the_one_number_of_the_conversation():
    assert asked_of(Letters(), scoring(SCORER, "reward", QUESTION, "because"))["reward"] == 7


IGNORED = {
    "prompt_logprobs": (score_by_vllm, '"echo"'),
    "echo": (score_by_echo, '"vllm"'),
}


@each_of(IGNORED.values())
def test_a_server_that_ignores_what_it_is_asked_for_is_noticed(way: Any, other: str):
    server = Letters(ignores=("prompt_logprobs", "echo"))
    with pytest.raises(Misconfigured, match=f"ignores .*scoring = {other}"):
        asked_of(server, likelihood_of("because"), way)


NO_REPLY: dict[str, tuple[str, Any, str]] = {
    "no tokens": ("tokenize", {"count": 3}, "likelihood"),
    "a list": ("tokenize", [], "likelihood"),
    "no choices": ("v1/completions", {"choices": []}, "likelihood"),
    "null": ("v1/completions", None, "likelihood"),
    "no data": ("classify", {"data": []}, "reward"),
    "data of nulls": ("classify", {"data": [None]}, "reward"),
}


@each_of(NO_REPLY.values())
def test_what_is_no_score_may_come_out_right_again(path: str, said: Any, kind: Any):
    with pytest.raises(Again, match="no score") as caught:
        asked_of(Letters(says={path: said}), scoring(SCORER, kind, QUESTION, "because"))
    assert caught.value.by_row


def test_numbers_that_are_none_are_refused():
    with pytest.raises(Refused, match="no number"):
        asked_of(
            Letters(says={"classify": {"data": [{"probs": [float("nan")]}]}}),
            scoring(SCORER, "reward", QUESTION, "because"),
        )


def test_a_classifier_of_several_labels_is_no_reward_model():
    with pytest.raises(Misconfigured, match="2 numbers"):
        asked_of(
            Letters(says={"classify": {"data": [{"probs": [0.1, 0.9]}]}}),
            scoring(SCORER, "reward", QUESTION, "because"),
        )


def test_echo_tells_no_rewards():
    with pytest.raises(Misconfigured, match="no rewards"):
        asked_of(Letters(), scoring(SCORER, "reward", QUESTION, "because"), score_by_echo)


# --- Behind the journal ---------------------------------------------------------------------------------------


USAGE = {"prompt_tokens": 5, "completion_tokens": 0}


class Measuring:
    """An engine that scores a text by its length, and counts."""

    def __init__(self) -> None:
        self.calls = 0

    async def send(self, request: Request) -> dict[str, Any]:
        return {"choices": [{"message": {"content": "sent"}, "finish_reason": "stop"}]}

    async def score(self, request: Request) -> dict[str, Any]:
        self.calls += 1
        if request.messages[-1]["content"] == "too long":
            raise Refused("longer than the model can see")
        return {"reward": log(len(request.messages[-1]["content"]) * self.calls), "usage": USAGE}

    async def answers_others(self) -> bool:
        return True

    async def close(self) -> None:
        """Nothing is held."""


def test_an_engine_that_scores_nothing_says_so_and_which_do():
    class Speaking:
        send = Measuring.send
        answers_others = Measuring.answers_others
        close = Measuring.close

    with pytest.raises(Misconfigured, match='tells no reward; use "transformers:MODEL"'):
        asyncio.run(put(Speaking(), scoring(SCORER, "reward", QUESTION, "because")))


async def scored(folder: Path, engine: Measuring, *texts: str) -> tuple[list[Any], Counter[str]]:
    """The replies to requests that are sent at once, by a client and a journal of their own; and its counts."""
    journal = Journal(folder)
    client = Client({"scorer": SCORER}, journal)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pipelines.inference.client.open_engine", lambda model, home: engine)
        requests = [scoring(SCORER, "reward", QUESTION, text) for text in texts]
        replies = await asyncio.gather(*map(client.score, requests))
    await client.close()
    await journal.close()
    return replies, client.counts


def test_a_score_is_journaled_and_never_had_twice(tmp_path: Path):
    engine = Measuring()
    first, counts = asyncio.run(scored(tmp_path, engine, "because", "because"))
    assert first == [{"reward": log(7), "usage": USAGE}] * 2
    assert (counts["sent"], counts["prompt_tokens"]) == (1, 5)
    again, counts = asyncio.run(scored(tmp_path, engine, "because", "because"))
    assert (again, counts["sent"], counts["replayed"], engine.calls) == (first, 0, 2, 1)


def test_a_refusal_is_a_reply(tmp_path: Path):
    replies, counts = asyncio.run(scored(tmp_path, Measuring(), "too long"))
    assert replies == [{"refused": "longer than the model can see"}]
    assert counts["refused"] == 1
