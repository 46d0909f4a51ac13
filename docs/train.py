"""Trains on a dataset, to see the whole way from nothing to a trainer: `make train`.

The model has one layer of random weights and reads bytes, so that nothing is downloaded and a laptop will do; it
learns nothing of use. `python -m docs.train DATASET --model NAME` takes a real one.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

from datasets import load_dataset
from tokenizers import Tokenizer, decoders, models, pre_tokenizers  # pyright: ignore[reportMissingImports]
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM  # pyright: ignore[reportMissingImports]
from trl import SFTConfig, SFTTrainer  # pyright: ignore[reportMissingImports]

from flows.show import find_version
from pipelines.export import export

TEMPLATE = """{% for message in messages %}<|im_start|>{{ message.role }}
{{ message.content }}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""


def main() -> None:
    given = _arguments()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "sft"
        made = export(find_version(given.dataset), folder, view="sft", to="trl")
        rows = load_dataset("parquet", data_files=str(folder / "train.parquet"), split="train")
        speaks = None if given.model else tokenizer()
        trainer = SFTTrainer(
            model=given.model or tiny(speaks),
            args=SFTConfig(
                output_dir=f"{scratch}/out",
                max_steps=given.steps,
                per_device_train_batch_size=4,
                learning_rate=2e-5 if given.model else 1e-2,
                use_cpu=not given.model,
                bf16=False,
                logging_steps=max(1, given.steps // 5),
                save_strategy="no",
                report_to="none",
            ),
            train_dataset=rows,
            processing_class=speaks,
        )
        trainer.train()
        losses = [each["loss"] for each in trainer.state.log_history if "loss" in each]
        print(
            f"{given.steps} steps on {made.rows:,} rows of {given.dataset}: loss {losses[0]:.2f} -> {losses[-1]:.2f}"
        )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m docs.train", description=__doc__)
    parser.add_argument("dataset", nargs="?", default="cot-self-instruct", help="NAME or NAME@vN")
    parser.add_argument("--model", help="a causal language model: a folder, or a name on the Hub")
    parser.add_argument("--steps", type=int, default=10)
    return parser.parse_args()


def tokenizer() -> Any:
    """A token for every byte."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    bytewise = Tokenizer(models.BPE({letter: i for i, letter in enumerate(letters)}, []))
    bytewise.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bytewise.decoder = decoders.ByteLevel()
    bytewise.add_special_tokens(["<|endoftext|>", "<|im_start|>", "<|im_end|>"])
    fast = PreTrainedTokenizerFast(tokenizer_object=bytewise, pad_token="<|endoftext|>", eos_token="<|im_end|>")
    fast.chat_template = TEMPLATE
    return fast


def tiny(speaks: Any) -> Any:
    """One layer of random weights for this tokenizer."""
    config = Qwen2Config(
        vocab_size=len(speaks),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=1,
        num_attention_heads=4,
        num_key_value_heads=4,
        pad_token_id=speaks.pad_token_id,
        eos_token_id=speaks.eos_token_id,
    )
    return Qwen2ForCausalLM(config)


if __name__ == "__main__":
    main()
