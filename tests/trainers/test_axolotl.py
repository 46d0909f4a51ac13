"""axolotl: its own prompt strategies, chosen by the configuration that we write, mark the tokens that it learns."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from tests.trainers import tiny
from tests.trainers.conftest import Export
from tests.trainers.views import load, rows_of

pytest.importorskip("axolotl", reason=tiny.WHY)
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]


def configured(folder: Path) -> Any:
    """The configuration that lies beside the data, with the little that a person adds to it."""
    told = import_module("yaml").safe_load((folder / "axolotl.yaml").read_text())
    defaults = {"sequence_len": 4096, "train_on_inputs": False, "chat_template": "tokenizer_default"}
    return import_module("axolotl.utils.dict").DictDefault({**defaults, **told})


def tokenized(folder: Path, speaks: Any) -> list[Any]:
    """The rows of an export as the strategy of its `type` gives them."""
    conf = configured(folder)
    load_strategy = import_module("axolotl.prompt_strategies").load
    strategy = load_strategy(conf.datasets[0].type, speaks, conf, conf.datasets[0])
    return [strategy.tokenize_prompt(row) for row in load(folder)]


def learned(row: Any, speaks: Any) -> str:
    return speaks.decode([token for token in row["labels"] if token != -100])


@pytest.mark.parametrize("view", ["sft", "planned", "critique"])
def test_the_loss_is_on_the_answers_alone(exported: Export, version: Path, view: str):
    speaks = tiny.tokenizer()
    assert [learned(row, speaks) for row in tokenized(exported(view, "axolotl"), speaks)] == [
        row["messages"][-1]["content"] + tiny.END for row in rows_of(version, view)
    ]


def test_every_turn_that_is_marked_is_learned(exported: Export, conversations: Path):
    speaks = tiny.tokenizer()
    assert [learned(row, speaks) for row in tokenized(exported("turns", "axolotl"), speaks)] == [
        "".join(turn["content"] + tiny.END for turn in row["messages"][1::2])
        for row in rows_of(conversations, "turns")
    ]


def test_each_step_bears_its_label(exported: Export, version: Path):
    speaks = tiny.tokenizer()
    rows = tokenized(exported("process", "axolotl"), speaks)
    for row, told in zip(rows, rows_of(version, "process"), strict=True):
        assert [label for label in row["labels"] if label != -100] == [int(label) for label in told["labels"]]
        assert speaks.decode(row["input_ids"]).endswith("".join(step + "\n\n" for step in told["steps"]))


@pytest.mark.parametrize("view", ["preference", "judge_preference"])
def test_pairs_are_chosen_and_rejected(exported: Export, version: Path, view: str):
    folder, speaks = exported(view, "axolotl"), tiny.tokenizer()
    render, _ = import_module("axolotl.prompt_strategies.dpo.chat_template").default(configured(folder))
    for row, told in zip(load(folder), rows_of(version, view), strict=True):
        made = render(row, tokenizer=speaks)
        assert made["prompt"] == speaks.apply_chat_template(
            told["prompt"], tokenize=False, add_generation_prompt=True
        )
        assert (made["chosen"], made["rejected"]) == (
            told["chosen"][0]["content"] + tiny.END,
            told["rejected"][0]["content"] + tiny.END,
        )
