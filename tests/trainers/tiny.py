"""The smallest things that trainers take for a model: random weights, and a tokenizer that loses nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

WHY = "trainers are not installed here: make test-trainers"

transformers = pytest.importorskip("transformers", reason=WHY)
tokenizers = pytest.importorskip("tokenizers")

END = "<|im_end|>"
START = "<|im_start|>"

QUIET: dict[str, Any] = {
    "use_cpu": True,
    "bf16": False,
    "report_to": "none",
    "logging_steps": 1,
    "save_strategy": "no",
}
"""Settings of every trainer here."""

# Marks what the model is to say, and keeps every word of every message.
CHATML = """{% for message in messages %}<|im_start|>{{ message.role }}
{% if message.role == 'assistant' %}{% generation %}{{ message.content }}<|im_end|>
{% endgeneration %}{% else %}{{ message.content }}<|im_end|>
{% endif %}{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""


def tokenizer(template: str = CHATML) -> Any:
    """One token for every byte, so that any text comes back as it was; `<think>` is one token, as with Qwen3."""
    alphabet = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())
    model = tokenizers.models.BPE({letter: i for i, letter in enumerate(alphabet)}, [])
    bytewise = tokenizers.Tokenizer(model)
    bytewise.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    bytewise.decoder = tokenizers.decoders.ByteLevel()
    bytewise.add_special_tokens(["<|endoftext|>", START, END])
    bytewise.add_tokens(["<think>", "</think>"])
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=bytewise, pad_token="<|endoftext|>", eos_token=END, clean_up_tokenization_spaces=False
    )
    fast.chat_template = template
    return fast


def published(name: str) -> str:
    """A chat template as models are published with it, from the collection that comes with TRL."""
    trl = pytest.importorskip("trl")
    return (Path(trl.__file__).parent / "chat_templates" / f"{name}.jinja").read_text()


def model(speaks: Any) -> Any:
    """One layer of random weights for this tokenizer."""
    transformers.set_seed(0)
    config = transformers.Qwen2Config(**sizes(speaks))
    return transformers.Qwen2ForCausalLM(config)


def critic(speaks: Any) -> Any:
    """The same, giving one number for a conversation: what a reward model is trained from."""
    transformers.set_seed(0)
    config = transformers.Qwen2Config(**sizes(speaks), num_labels=1)
    return transformers.Qwen2ForSequenceClassification(config)


def sizes(speaks: Any) -> dict[str, int]:
    return {
        "vocab_size": len(speaks),
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "max_position_embeddings": 4096,
        "pad_token_id": speaks.pad_token_id,
        "eos_token_id": speaks.eos_token_id,
    }
