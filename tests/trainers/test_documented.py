"""Trainers that cannot be installed here: the contract of their loaders, read in their source, field by field."""

from __future__ import annotations

from pathlib import Path

import pytest

from filters.rewards import reward
from tests.trainers.conftest import Export
from tests.trainers.views import load, rows_of

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]

ROLES = {"system", "user", "assistant"}

# open-instruct, `dataset_transformation.py`


def test_open_instruct_finds_prompt_truth_and_verifier(exported: Export, version: Path):
    """`rlvr_tokenize`: messages, of which a last answer is cut off; a column `prompt` would be written over."""
    rows = load(exported("rl", "open-instruct"))
    assert {"messages", "ground_truth", "dataset"} <= set(rows.column_names)
    assert "prompt" not in rows.column_names
    for row, told in zip(rows, rows_of(version, "rl"), strict=True):
        assert row["messages"] == told["prompt"]
        assert row["messages"][-1]["role"] == "user"
        assert row["dataset"] == "math"  # the name of a verifier there, which reads the last box
        assert reward("math", row["ground_truth"], f"\\boxed{{{told['answer']}}}") == 1.0


def test_open_instruct_finds_conversations_and_pairs(exported: Export, version: Path):
    """`sft_tulu_tokenize_and_truncate`: messages; `preference_tulu_...`: two whole conversations."""
    rows = load(exported("sft", "open-instruct"))
    assert list(rows["messages"]) == [row["messages"] for row in rows_of(version, "sft")]
    for row in load(exported("preference", "open-instruct")):
        assert row["chosen"][:-1] == row["rejected"][:-1]
        assert row["chosen"] != row["rejected"]
        assert {row[side][-1]["role"] for side in ("chosen", "rejected")} == {"assistant"}


# NeMo-RL, `data/datasets`


def test_nemo_rl_finds_one_question_with_its_answer(exported: Export, version: Path):
    """`ResponseDataset`: two texts, of which the first becomes one user message."""
    rows = load(exported("rl", "nemo-rl"))
    for row, told in zip(rows, rows_of(version, "rl"), strict=True):
        assert [{"role": "user", "content": row["input"]}] == told["prompt"]
        assert row["output"] == told["answer"]


def test_nemo_rl_finds_conversations_and_ranked_pairs(exported: Export, version: Path):
    """`OpenAIFormatDataset`: messages that end with the assistant; `PreferenceDataset`: a lower rank is better."""
    for row in load(exported("sft", "nemo-rl")):
        assert row["messages"][-1]["role"] == "assistant"
        assert {message["role"] for message in row["messages"]} <= ROLES
    pairs = zip(load(exported("preference", "nemo-rl")), rows_of(version, "preference"), strict=True)
    for row, told in pairs:
        best, worst = sorted(row["completions"], key=lambda each: each["rank"])
        assert row["context"] == told["prompt"]
        assert (best["completion"], worst["completion"]) == (told["chosen"], told["rejected"])
        assert best["rank"] < worst["rank"]


# Datasets of others, whose columns people's scripts read


def test_openr1_has_parallel_lists_for_each_problem(exported: Export, version: Path):
    attempts = {row["attempt_id"] for row in rows_of(version, "offline")}
    rows = load(exported("offline", "openr1"))
    for row in rows:
        lengths = {len(row[name]) for name in ("generations", "correctness_math_verify", "is_reasoning_complete")}
        assert len(lengths) == 1
        assert [reward("math", row["answer"], said) == 1.0 for said in row["generations"]] == row[
            "correctness_math_verify"
        ]
    assert sum(len(row["generations"]) for row in rows) == len(attempts)


def test_process_labels_are_steps_and_truths(exported: Export, version: Path):
    """As the PRM trainer of TRL before 1.0 reads them, and those that came after it."""
    pairs = zip(load(exported("process", "trl")), rows_of(version, "process"), strict=True)
    for row, told in pairs:
        assert isinstance(row["prompt"], str)
        assert (row["completions"], row["labels"]) == (told["steps"], told["labels"])
