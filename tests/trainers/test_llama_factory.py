"""LLaMA-Factory: its own loader finds the dataset by our stanza, and marks the tokens that it learns."""

from __future__ import annotations

import json
import sys
from importlib import import_module
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from tests.trainers import tiny
from tests.trainers.conftest import Export
from tests.trainers.views import rows_of

pytest.importorskip("llamafactory", reason=tiny.WHY)
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]


@pytest.fixture(autouse=True)
def beside_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """It wants an older transformers, and torchaudio, which fits one build of torch; its loader needs neither."""
    monkeypatch.setenv("DISABLE_VERSION_CHECK", "1")
    if "torchaudio" not in sys.modules:
        silence = ModuleType("torchaudio")
        silence.__spec__ = ModuleSpec("torchaudio", None)
        monkeypatch.setitem(sys.modules, "torchaudio", silence)


def read(folder: Path, stage: str, out: Path, *, template: str = "chatml") -> tuple[Any, Any]:
    """The tokenized rows of an export, by the name in its `dataset_info.json`, and the tokenizer."""
    factory, speaks = import_module("llamafactory.data"), tiny.tokenizer()
    [name] = json.loads((folder / "dataset_info.json").read_text())
    arguments = import_module("llamafactory.hparams.data_args").DataArguments(
        dataset=name, dataset_dir=str(folder), template=template, cutoff_len=4096, overwrite_cache=True
    )
    training = tiny.transformers.Seq2SeqTrainingArguments(output_dir=str(out), **tiny.QUIET)
    made = factory.get_dataset(
        factory.get_template_and_fix_tokenizer(speaks, arguments),
        SimpleNamespace(cache_dir=None, hf_hub_token=None),
        arguments,
        training,
        stage=stage,
        tokenizer=speaks,
    )
    return made["train_dataset"], speaks


def learned(rows: Any, speaks: Any, column: str = "labels") -> list[str]:
    return [speaks.decode([token for token in labels if token != -100]) for labels in rows[column]]


def ended(text: str) -> str:
    return f"{text}{tiny.END}\n"


@pytest.mark.parametrize("to", ["llama-factory", "llama-factory-alpaca"])
@pytest.mark.parametrize("view", ["sft", "planned", "critique"])
def test_the_loss_is_on_the_answers_alone(exported: Export, version: Path, tmp_path: Path, view: str, to: str):
    rows, speaks = read(exported(view, to), "sft", tmp_path)
    assert learned(rows, speaks) == [ended(row["messages"][-1]["content"]) for row in rows_of(version, view)]


def test_nothing_is_put_before_the_question(exported: Export, version: Path, tmp_path: Path):
    rows, speaks = read(exported("sft", "llama-factory"), "sft", tmp_path)
    talks = [row["messages"] for row in rows_of(version, "sft")]
    assert [speaks.decode(ids) for ids in rows["input_ids"]] == [
        tiny.tokenizer().apply_chat_template(talk, tokenize=False) for talk in talks
    ]


@pytest.mark.parametrize("template", ["chatml", "qwen3"])
def test_every_turn_is_learned_with_its_thought(exported: Export, conversations: Path, tmp_path: Path, template: str):
    rows, speaks = read(exported("turns", "llama-factory"), "sft", tmp_path, template=template)
    assert learned(rows, speaks) == [
        "".join(ended(turn["content"]) for turn in row["messages"][1::2]) for row in rows_of(conversations, "turns")
    ]


@pytest.mark.parametrize("view", ["preference", "judge_preference"])
def test_pairs_are_chosen_and_rejected(exported: Export, version: Path, tmp_path: Path, view: str):
    rows, speaks = read(exported(view, "llama-factory"), "rm", tmp_path)
    told = rows_of(version, view)
    for side in ("chosen", "rejected"):
        assert learned(rows, speaks, f"{side}_labels") == [ended(row[side][0]["content"]) for row in told]


def test_right_and_wrong_answers_keep_their_marks(exported: Export, version: Path, tmp_path: Path):
    rows, speaks = read(exported("offline", "llama-factory"), "kto", tmp_path)
    told = rows_of(version, "offline")
    assert learned(rows, speaks) == [ended(row["completion"][0]["content"]) for row in told]
    assert list(rows["kto_tags"]) == [row["label"] for row in told]
