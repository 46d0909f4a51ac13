"""Answers of a model in this process: the own seed and parameters of each, and what transformers itself would say."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from pipelines.inference.decoding import How, Row, Speaks, distribution
from pipelines.inference.engine import Misconfigured, Refused
from pipelines.inference.model import Model, Request, Sampling, asking
from pipelines.inference.places import Stopping
from pipelines.inference.scoring import scoring
from pipelines.inference.transformers import Transformers
from tests.scoring.conftest import Had
from tests.scoring.tiny import TALKS, WHY

torch = pytest.importorskip("torch", reason=WHY)
transformers = pytest.importorskip("transformers", reason=WHY)

pytestmark = pytest.mark.slow

APPLES, ANSWER = TALKS[0]


def request(of: Model, question: str = APPLES, *, seed: int = 0, n: int = 1, begun: str = "", **how: Any) -> Request:
    messages = [{"role": "user", "content": question}]
    if begun:
        messages.append({"role": "assistant", "content": begun})
    asked = asking(of, Sampling(**{"max_tokens": 40, **how}), messages)
    return asked.request(seed=seed, sample=0, draw=0, n=n)[1]


def said(reply: Any) -> str:
    [choice] = reply["choices"]
    return choice["message"]["content"]


def loaded(of: Model) -> tuple[Any, Any]:
    """The model and its tokenizer, without any code of ours."""
    return (
        transformers.AutoModelForCausalLM.from_pretrained(of.name),
        transformers.AutoTokenizer.from_pretrained(of.name),
    )


def prompt(tokenizer: Any, question: str = APPLES) -> str:
    messages = [{"role": "user", "content": question}]
    return tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)


# --- What is said ---------------------------------------------------------------------------------------------


def test_without_chance_it_says_what_transformers_says(student: Model, had: Had):
    net, tokenizer = loaded(student)
    questions = [question for question, _ in TALKS]
    replies = had(student, [request(student, each, temperature=0.0) for each in questions])
    for question, reply in zip(questions, replies, strict=True):
        tokens = tokenizer(prompt(tokenizer, question), return_tensors="pt", add_special_tokens=False)
        found = net.generate(**tokens, do_sample=False, max_new_tokens=40)[0, tokens["input_ids"].shape[1] :]
        assert said(reply) == tokenizer.decode(found, skip_special_tokens=True)
        assert reply["usage"] == {
            "prompt_tokens": tokens["input_ids"].shape[1],
            "completion_tokens": len(found),
        }
    assert said(replies[0]) == ANSWER  # it has learnt something, so this is no comparison of noise
    assert replies[0]["choices"][0]["finish_reason"] == "stop"


def test_a_sample_is_its_own_whoever_shares_the_batch(student: Model, had: Had):
    how = [
        {"temperature": 1.0},
        {"temperature": 1.5, "top_p": 0.9},
        {"temperature": 2.0, "top_k": 20},
        {"min_p": 0.1},
    ]
    requests = [request(student, TALKS[i % 3][0] * (1 + i % 5), seed=i, **how[i % 4]) for i in range(24)]
    together = had(replace(student, serving={"rows": 24}), requests)
    apart = had(replace(student, serving={"rows": 1}), requests)
    assert [each["choices"] for each in together] == [each["choices"] for each in apart]
    assert len({said(each) for each in together}) > 12  # they are not all one


def test_the_same_seed_says_the_same_and_others_say_something_else(student: Model, had: Had):
    again = had(student, [request(student, seed=seed, temperature=2.0) for seed in (1, 2, 1)])
    assert said(again[0]) == said(again[2]) != said(again[1])


def test_choices_of_one_request_are_samples_of_their_own(student: Model, had: Had):
    [reply] = had(student, [request(student, n=4, temperature=2.0)])
    texts = {choice["message"]["content"] for choice in reply["choices"]}
    assert len(reply["choices"]) == len(texts) == 4


def test_the_limit_cuts_and_says_so(student: Model, had: Had):
    [reply] = had(student, [request(student, temperature=0.0, max_tokens=5)])
    assert reply["choices"][0]["finish_reason"] == "length"
    assert reply["usage"]["completion_tokens"] == 5
    assert ANSWER.startswith(said(reply))


def test_a_stop_ends_the_answer_before_it(student: Model, had: Had):
    [reply] = had(student, [request(student, temperature=0.0, stop=["on the tab", "never"])])
    assert (said(reply), reply["choices"][0]["finish_reason"]) == ("There are four apples ", "stop")


def test_a_bad_word_is_never_said(student: Model, had: Had):
    free, bound = had(
        student,
        [request(student, temperature=0.0), request(student, temperature=0.0, bad_words=["four", " answer"])],
    )
    assert "four" in said(free)
    assert "answer" in said(free)
    assert "four" not in said(bound)
    assert "answer" not in said(bound)


def test_an_answer_goes_on_where_its_prefix_ends(student: Model, had: Had):
    _, tokenizer = loaded(student)
    begun = "There are four"
    [reply] = had(student, [request(student, temperature=0.0, begun=begun)])
    assert begun + said(reply) == ANSWER
    expected = tokenizer(prompt(tokenizer) + begun, add_special_tokens=False)["input_ids"]
    assert reply["usage"]["prompt_tokens"] == len(expected)


def test_what_an_answer_tells_of_its_tokens_is_what_scoring_says_of_them(student: Model, had: Had):
    [reply] = had(student, [request(student, temperature=0.0, logprobs=3)])
    told = reply["choices"][0]["logprobs"]["content"]
    assert "".join(each["token"] for each in told) == ANSWER  # the mark that ends it says nothing
    assert [each["top_logprobs"][0]["token"] for each in told] == [each["token"] for each in told]
    assert all(len(each["top_logprobs"]) == 3 for each in told)
    [score] = had(student, [scoring(student, "likelihood", [{"role": "user", "content": APPLES}], ANSWER)])
    assert [each["logprob"] for each in told[:-1]] == pytest.approx(score["logprobs"], abs=1e-4)


# --- Parameters -----------------------------------------------------------------------------------------------

LOGITS = torch.linspace(-3, 3, 50).double()[torch.randperm(50, generator=torch.Generator().manual_seed(0))]


def warped(*processors: Any) -> Any:
    scores = LOGITS[None]
    for each in processors:
        scores = each(None, scores)
    return scores[0].softmax(0)


PARAMETERS = {
    "temperature": (How(1, temperature=0.7), lambda t: [t.TemperatureLogitsWarper(0.7)]),
    "top_k": (How(1, top_k=7), lambda t: [t.TopKLogitsWarper(7)]),
    "top_p": (How(1, top_p=0.6), lambda t: [t.TopPLogitsWarper(0.6)]),
    "min_p": (How(1, min_p=0.2), lambda t: [t.MinPLogitsWarper(0.2)]),
    "both": (How(1, top_k=20, top_p=0.5), lambda t: [t.TopKLogitsWarper(20), t.TopPLogitsWarper(0.5)]),
    "nothing": (How(1), lambda t: []),
}


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters_mean_what_they_mean_in_transformers(name: str):
    how, theirs = PARAMETERS[name]
    assert torch.allclose(distribution(LOGITS, how), warped(*theirs(transformers)))


@pytest.mark.parametrize("few", [1, 3, 50])
def test_the_likeliest_tokens_are_found_however_many_are_looked_at(few: int, monkeypatch: pytest.MonkeyPatch):
    how = How(1, top_p=0.8)
    expected = distribution(LOGITS, how)
    monkeypatch.setattr("pipelines.inference.decoding.FEW", few)
    assert torch.allclose(distribution(LOGITS, how), expected)


def row(how: How, *, seed: int = 0, prompt: tuple[int, ...] = (), banned: Any = ()) -> Row:
    return Row(prompt, how, seed, Speaks(lambda tokens: " ".join(map(str, tokens)), {49}), banned)


def test_a_token_comes_as_often_as_it_is_likely():
    how = How(4000, temperature=1.3)
    sampled = row(how)
    counts = Counter(sampled.step(LOGITS) for _ in range(4000))
    for token, likely in enumerate(distribution(LOGITS, how).tolist()):
        spread = (4000 * likely * (1 - likely)) ** 0.5
        assert abs(counts[token] - 4000 * likely) < 4.5 * spread + 1


def test_a_repeated_token_is_penalised_as_transformers_does_it():
    said_before = (3, 4, 3)
    penalty = transformers.RepetitionPenaltyLogitsProcessor(1.7)
    expected = int(penalty(torch.tensor([said_before]), LOGITS[None].clone())[0].argmax())
    likeliest = int(LOGITS.argmax())
    assert row(How(1, temperature=0, repetition_penalty=1.7), prompt=said_before).step(LOGITS) == expected
    penalised = row(How(1, temperature=0, repetition_penalty=100.0), prompt=(likeliest,))
    assert penalised.step(LOGITS) != likeliest


def test_presence_and_frequency_count_what_was_answered_and_not_what_was_asked():
    likeliest = int(LOGITS.argmax())
    asked = row(How(9, temperature=0, presence_penalty=2, frequency_penalty=2), prompt=(likeliest,))
    assert [asked.step(LOGITS), asked.step(LOGITS)][0] == likeliest
    assert asked.tokens[1] != likeliest


def test_a_word_of_several_tokens_is_banned_at_its_last():
    first, second = LOGITS.topk(2).indices.tolist()
    spoken = row(How(9, temperature=0), banned=[[first, first]])
    assert [spoken.step(LOGITS) for _ in range(3)] == [first, second, first]


# --- What cannot be -------------------------------------------------------------------------------------------


def test_a_conversation_that_is_too_long_is_refused_and_the_others_are_answered(student: Model, had: Had):
    long, short = had(student, [request(student, "apples " * 600), request(student, temperature=0.0)])
    assert isinstance(long, Refused)
    assert "longer than the 512 tokens" in str(long)
    assert said(short) == ANSWER


def test_what_the_template_refuses_is_refused(student: Model, had: Had):
    asked = asking(student, Sampling(max_tokens=5), [{"role": "tool", "content": "4"}])
    [told] = had(student, [asked.request(seed=0, sample=0, draw=0)[1]])
    assert isinstance(told, Refused)
    assert "no tools" in str(told)


MISCONFIGURED = {
    "extra": ({"extra": {"guided": 1}}, "no sampling parameter extra"),
    "top_p": ({"top_p": 1.5}, "top_p = 1.5 should lie between"),
    "no room": ({"max_tokens": 512}, "max_tokens = 512 leaves no prompt room"),
    "empty stop": ({"stop": [""]}, "stop holds an empty text"),
}


@pytest.mark.parametrize("name", MISCONFIGURED)
def test_a_parameter_that_cannot_be_is_told(name: str, student: Model, had: Had):
    how, told = MISCONFIGURED[name]
    [error] = had(student, [request(student, **how)])
    assert isinstance(error, Misconfigured)
    assert told in str(error)


def test_an_answer_is_broken_off_when_the_engine_closes(student: Model, monkeypatch: pytest.MonkeyPatch):
    engine, begun, step = Transformers(student), threading.Event(), Row.step

    def slowly(row: Row, logits: Any) -> int:
        begun.set()
        engine._closing.wait(60)
        return step(row, logits)

    async def run() -> Any:
        long = asyncio.gather(engine.send(request(student, max_tokens=400)), return_exceptions=True)
        await asyncio.to_thread(begun.wait, 60)
        await engine.close()
        return await long

    monkeypatch.setattr(Row, "step", slowly)
    [told] = asyncio.run(run())
    assert isinstance(told, Stopping)
