"""Likelihoods and rewards, beside a forward pass by hand: alone, in batches, and a stretch at a time."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipelines.inference.engine import Misconfigured, Refused
from pipelines.inference.model import Message, Model, Request
from pipelines.inference.scoring import Kind, scoring
from tests.scoring.conftest import Had
from tests.scoring.tiny import CHATML, TALKS, WHY

torch = pytest.importorskip("torch", reason=WHY)
transformers = pytest.importorskip("transformers", reason=WHY)

pytestmark = pytest.mark.slow

APPLES, ANSWER = TALKS[0]
CLOSE = 2e-5
TEXTS = ["4", ANSWER, "No.", ANSWER * 6, " and then?\n\n", "Ünïcödé 🍎", "<|im_end|>"]


def asked(question: str) -> list[Message]:
    return [{"role": "user", "content": question}]


def likelihood(of: Model, text: str, messages: list[Message] | None = None) -> Request:
    return scoring(of, "likelihood", asked(APPLES) if messages is None else messages, text)


def by_hand(of: Model, text: str, *, before: str) -> list[float | None]:
    """What each token of the text has after all before it: one pass for each, of one row, without padding."""
    net = transformers.AutoModelForCausalLM.from_pretrained(of.name)
    tokenizer = transformers.AutoTokenizer.from_pretrained(of.name)
    given, tokens = (tokenizer.encode(part, add_special_tokens=False) for part in (before, text))
    found = list[float | None]()
    with torch.inference_mode():
        for k, token in enumerate(tokens):
            seen = [*given, *tokens[:k]]
            found.append(float(net(torch.tensor([seen])).logits[0, -1].log_softmax(0)[token]) if seen else None)
    return found


def test_a_likelihood_is_that_of_a_forward_pass_by_hand(student: Model, had: Had):
    shown = f"<|im_start|>user\n{APPLES}<|im_end|>\n<|im_start|>assistant\n"
    for text, reply in zip(TEXTS, had(student, [likelihood(student, text) for text in TEXTS]), strict=True):
        assert reply["logprobs"] == pytest.approx(by_hand(student, text, before=shown), abs=CLOSE)


def test_it_is_of_what_comes_after_the_beginning_of_the_turn(student: Model, had: Had):
    begun: list[Message] = [*asked(APPLES), {"role": "assistant", "content": "There are four apples"}]
    [reply] = had(student, [likelihood(student, " on the table.", begun)])
    shown = f"<|im_start|>user\n{APPLES}<|im_end|>\n<|im_start|>assistant\nThere are four apples"
    assert reply["logprobs"] == pytest.approx(by_hand(student, " on the table.", before=shown), abs=CLOSE)


def test_where_nothing_is_given_the_first_token_has_no_number(student: Model, had: Had):
    [reply] = had(student, [likelihood(student, ANSWER, [])])
    expected = by_hand(student, ANSWER, before="")
    assert reply["logprobs"][0] is expected[0] is None
    assert reply["logprobs"][1:] == pytest.approx(expected[1:], abs=CLOSE)


def test_a_batch_says_what_each_says_alone(student: Model, had: Had):
    requests = [likelihood(student, text, asked(question)) for question, _ in TALKS for text in TEXTS]
    together = had(replace(student, serving={"rows": len(requests)}), requests)
    apart = had(replace(student, serving={"rows": 1}), requests)
    for one, other in zip(together, apart, strict=True):
        assert one["logprobs"] == pytest.approx(other["logprobs"], abs=CLOSE)
        assert one["usage"] == other["usage"]


@pytest.mark.parametrize("at_once", [1, 7, 40])
def test_a_long_text_is_scored_a_stretch_at_a_time(
    at_once: int, student: Model, had: Had, monkeypatch: pytest.MonkeyPatch
):
    requests = [likelihood(student, text) for text in TEXTS]
    whole = had(student, requests)
    monkeypatch.setattr("pipelines.inference.forward.AT_ONCE", at_once)
    for one, other in zip(had(student, requests), whole, strict=True):
        assert one["logprobs"] == pytest.approx(other["logprobs"], abs=CLOSE)


def test_what_it_has_learnt_is_likelier_than_what_it_has_not(student: Model, had: Had):
    right, wrong = (likelihood(student, told, asked(APPLES)) for _, told in (TALKS[0], TALKS[2]))
    learnt, other = (sum(reply["logprobs"]) / len(reply["logprobs"]) for reply in had(student, [right, wrong]))
    assert learnt > -0.5 > other


def test_a_reward_is_the_number_of_the_model(critic: Model, had: Had):
    net = transformers.AutoModelForSequenceClassification.from_pretrained(critic.name)
    tokenizer = transformers.AutoTokenizer.from_pretrained(critic.name)
    replies = had(critic, [scoring(critic, "reward", asked(APPLES), text) for text in TEXTS])
    for text, reply in zip(TEXTS, replies, strict=True):
        talk = [*asked(APPLES), {"role": "assistant", "content": text}]
        tokens = tokenizer.apply_chat_template(talk, tokenize=True, return_tensors="pt", return_dict=True)
        with torch.inference_mode():
            assert reply["reward"] == pytest.approx(float(net(**tokens).logits[0, 0]), abs=CLOSE)
    assert len({round(reply["reward"], 4) for reply in replies}) == len(TEXTS)


def test_a_base_model_is_shown_plain_text(student: Model, had: Had, tmp_path: Path):
    base = without_template(student, tmp_path)
    [told] = had(base, [likelihood(base, ANSWER)])
    assert isinstance(told, Misconfigured)
    assert "has no chat template; with plain = true" in str(told)
    plainly = replace(base, settings={"plain": True})
    [reply] = had(plainly, [likelihood(plainly, ANSWER)])
    assert reply["logprobs"] == pytest.approx(by_hand(student, ANSWER, before=f"{APPLES}\n\n"), abs=CLOSE)


def without_template(of: Model, folder: Path) -> Model:
    for file in Path(of.name).iterdir():
        if file.name != "chat_template.jinja":
            (folder / file.name).write_bytes(file.read_bytes())
    return replace(of, name=str(folder))


def test_a_template_that_opens_the_thoughts_is_answered_with_the_rest(student: Model, had: Had, tmp_path: Path):
    thinking = without_template(student, tmp_path)
    opens = CHATML.replace("<|im_start|>assistant\n{% endif %}", "<|im_start|>assistant\n<think>\n{% endif %}")
    (tmp_path / "chat_template.jinja").write_text(opens)
    whole, rest = had(thinking, [likelihood(thinking, f"{tag}Hm.</think>4") for tag in ("<think>\n", "")])
    assert whole == rest


# --- What cannot be -------------------------------------------------------------------------------------------


def test_what_is_too_long_or_empty_is_refused_and_the_others_are_scored(student: Model, had: Had):
    long, empty, short = had(student, [likelihood(student, text) for text in ("apples " * 600, "", "4")])
    assert "longer than the 512 tokens" in str(long)
    assert "no text to score" in str(empty)
    assert isinstance(long, Refused)
    assert isinstance(empty, Refused)
    assert len(short["logprobs"]) == 1


WRONG: list[tuple[str, Kind, str]] = [
    ("student", "reward", "lacks the weights score.weight: it is no reward model"),
    ("critic", "likelihood", "lacks the weights lm_head.weight: it is no causal language model"),
]


@pytest.mark.parametrize(("which", "kind", "told"), WRONG)
def test_a_model_of_another_kind_is_not_given_a_random_head(
    which: str, kind: Kind, told: str, had: Had, request: pytest.FixtureRequest
):
    of = request.getfixturevalue(which)
    [error] = had(of, [scoring(of, kind, asked(APPLES), ANSWER)])
    assert isinstance(error, Misconfigured)
    assert told in str(error)


def test_a_model_that_is_not_there_is_told_in_one_line(had: Had):
    nowhere = Model(role="scorer", engine="transformers", name="nobody/nothing")
    [error] = had(nowhere, [likelihood(nowhere, ANSWER)])
    assert isinstance(error, Misconfigured)
    assert str(error).startswith("scorer: transformers cannot load nobody/nothing: ")
    assert "\n" not in str(error)


def test_code_that_comes_with_a_model_is_never_run(student: Model, had: Had, tmp_path: Path):
    mark = tmp_path / "it ran"
    folder = tmp_path / "model"
    folder.mkdir()
    for file in Path(student.name).iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    ran = f"import pathlib; pathlib.Path({os.fspath(mark)!r}).touch()\n"
    (folder / "modeling.py").write_text(ran)
    config: dict[str, Any] = {"model_type": "ours", "auto_map": {"AutoConfig": "modeling.Config"}}
    (folder / "config.json").write_text(str(config).replace("'", '"'))
    foreign = replace(student, name=str(folder))
    [error] = had(foreign, [likelihood(foreign, ANSWER)])
    assert isinstance(error, Misconfigured)
    assert not mark.exists()
