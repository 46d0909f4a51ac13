"""TRL itself takes steps on our reward: a tiny random model, the trainer as people use it."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("trl", reason="needs trl and torch")
pytestmark = pytest.mark.slow

QUESTIONS = [
    ("What is 2 + 2?", "4"),
    ("What is 1 + 2?", "3"),
    ("Pick one: (A) 5 (B) 6.", "B"),
    ("No reference", None),
]


@pytest.mark.filterwarnings("default")
def test_grpo_takes_steps_on_verified(tmp_path: Path):
    from datasets import Dataset
    from tokenizers import Tokenizer, models, pre_tokenizers  # pyright: ignore[reportMissingImports]
    from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM  # pyright: ignore[reportMissingImports]
    from trl import GRPOConfig, GRPOTrainer  # pyright: ignore[reportMissingImports]

    from filters.rewards import verified

    words = ["<pad>", "<eos>", "<unk>", *map(str, range(10)), *"ABC", "answer", "is", "the", ".", "\\boxed{4}", "?"]
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="<eos>", unk_token="<unk>"
    )
    config = Qwen2Config(
        vocab_size=len(words),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=2,
        pad_token_id=0,
        eos_token_id=1,
    )
    rows = Dataset.from_list(
        [
            {
                "prompt": question,
                "answer": answer,
                "verifier": "choice" if answer == "B" else "math",
                "problem_id": str(i),
            }
            for i, (question, answer) in enumerate(QUESTIONS * 2)
        ]
    )
    seen: list[float | None] = []

    def watched(**given: object) -> list[float | None]:
        told = verified(**given)  # pyright: ignore[reportArgumentType]
        seen.extend(told)
        return told

    trainer = GRPOTrainer(
        model=Qwen2ForCausalLM(config),
        reward_funcs=[verified, watched],
        train_dataset=rows,
        processing_class=fast,
        args=GRPOConfig(
            output_dir=str(tmp_path),
            max_steps=3,
            per_device_train_batch_size=4,
            num_generations=4,
            max_completion_length=8,
            use_cpu=True,
            bf16=False,
            report_to="none",
            logging_steps=1,
            save_strategy="no",
        ),
    )
    trainer.train()
    assert trainer.state.global_step == 3
    assert any("rewards/verified/mean" in each for each in trainer.state.log_history)
    assert set(seen) <= {0.0, 1.0, None}
    assert seen
