"""TRL's SFTTrainer on the exported views: it takes steps, and learns the assistant's words and no others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from tests.trainers import tiny
from tests.trainers.conftest import Export
from tests.trainers.views import load, rows_of

trl = pytest.importorskip("trl", reason=tiny.WHY)
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]

NO_THOUGHT = "<think>\n\n</think>\n\n"
"""What Qwen3's template writes before an answer without reasoning."""


def trainer(rows: Any, speaks: Any, folder: Path, **settings: Any) -> Any:
    config = trl.SFTConfig(
        output_dir=str(folder), max_length=None, max_steps=2, per_device_train_batch_size=4, **settings, **tiny.QUIET
    )
    return trl.SFTTrainer(model=tiny.model(speaks), args=config, train_dataset=rows, processing_class=speaks)


def learned(made: Any, speaks: Any) -> Counter[str]:
    """The texts that bear loss in the batches that the trainer itself makes, one for each row."""
    batches = made.get_train_dataloader()
    return Counter(speaks.decode(labels[labels != -100]) for batch in batches for labels in batch["labels"])


def takes_steps(made: Any) -> bool:
    before = [weight.detach().clone() for weight in made.model.parameters()]
    made.train()
    moved = (not weight.equal(old) for weight, old in zip(made.model.parameters(), before, strict=True))
    return made.state.global_step == 2 and any(moved)


def said(answers: Iterable[str], end: str = tiny.END + "\n") -> Counter[str]:
    return Counter(answer + end for answer in answers)


def answers(version: Path, view: str) -> list[str]:
    return [row["messages"][-1]["content"] for row in rows_of(version, view)]


# One answer


@pytest.mark.parametrize("view", ["sft", "twins", "planned", "critique"])
def test_completions_are_learned_whole_and_nothing_else_is(
    exported: Export, version: Path, tmp_path: Path, view: str
):
    speaks = tiny.tokenizer()
    made = trainer(load(exported(view, "trl")), speaks, tmp_path)
    assert learned(made, speaks) == said(answers(version, view))
    assert takes_steps(made)


def test_thoughts_survive_the_template_of_qwen3(exported: Export, version: Path, tmp_path: Path):
    speaks = tiny.tokenizer(tiny.published("qwen3"))
    made = trainer(load(exported("sft", "trl")), speaks, tmp_path)
    told = answers(version, "sft")
    assert any("<think>" in answer for answer in told)
    assert learned(made, speaks) == said(each if "<think>" in each else NO_THOUGHT + each for each in told)


def test_with_thinking_off_the_empty_thought_belongs_to_the_question(exported: Export, version: Path, tmp_path: Path):
    speaks = tiny.tokenizer(tiny.published("qwen3"))
    made = trainer(load(exported("twins", "trl")), speaks, tmp_path)
    assert learned(made, speaks) == said(answers(version, "twins"))


# Whole conversations


@pytest.mark.parametrize(
    ("template", "begin", "end"),
    [
        (None, "", "<|im_end|>\n"),
        ("qwen2_5", "\n", "<|im_end|>\n"),
        ("deepseek_r1_distill", "<\uff5cAssistant\uff5c>", "<\uff5cend\u2581of\u2581sentence\uff5c>"),
    ],
)
def test_of_conversations_the_answers_are_learned(
    exported: Export, version: Path, tmp_path: Path, template: str | None, begin: str, end: str
):
    speaks = tiny.tokenizer(tiny.published(template) if template else tiny.CHATML)
    made = trainer(load(exported("sft", "trl-messages")), speaks, tmp_path, assistant_only_loss=True)
    assert learned(made, speaks) == said((begin + answer for answer in answers(version, "sft")), end)
    assert takes_steps(made)


@pytest.mark.parametrize("template", [None, "qwen3"])
def test_every_turn_of_a_conversation_is_learned_with_its_thought(
    exported: Export, conversations: Path, tmp_path: Path, template: str | None
):
    speaks = tiny.tokenizer(tiny.published(template) if template else tiny.CHATML)
    made = trainer(load(exported("turns", "trl")), speaks, tmp_path, assistant_only_loss=True)
    turns = [[turn["content"] for turn in row["messages"][1::2]] for row in rows_of(conversations, "turns")]
    assert all("<think>" in turn for row in turns for turn in row)
    assert learned(made, speaks) == Counter("".join(f"{turn}<|im_end|>\n" for turn in row) for row in turns)
    assert takes_steps(made)


# What people meet, and docs/trainers.md tells them


def test_without_a_setting_whole_conversations_are_learned(exported: Export, tmp_path: Path):
    speaks = tiny.tokenizer()
    rows = load(exported("sft", "trl-messages"))
    made = trainer(rows, speaks, tmp_path)
    assert learned(made, speaks) == Counter(
        speaks.apply_chat_template(row["messages"], tokenize=False) for row in rows
    )


def test_the_template_of_qwen3_drops_a_plan_that_stands_before_the_thought():
    speaks = tiny.tokenizer(tiny.published("qwen3"))
    answer = "<plan>\nTwo steps.\n</plan>\n\n<think>\nHow?\n</think>\n\n4"
    talk = [{"role": "user", "content": "2 + 2?"}, {"role": "assistant", "content": answer}]
    assert "plan" not in speaks.apply_chat_template(talk, tokenize=False)
