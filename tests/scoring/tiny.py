"""The smallest models that answer and score: a tokenizer trained on a few sentences, and weights to go with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

WHY = "torch and transformers are not installed here: make test-trainers"

torch = pytest.importorskip("torch", reason=WHY)
transformers = pytest.importorskip("transformers", reason=WHY)
tokenizers = pytest.importorskip("tokenizers", reason=WHY)

TALKS = [
    ("How many apples?", "There are four apples on the table. The answer is 4."),
    ("How many pears?", "There are seven pears in the basket. The answer is 7."),
    ("Is it raining?", "No, the sun is shining, and it will be warm."),
]
STEPS = 60

CHATML = """{% for message in messages %}{% if message.role == 'tool' %}{{ raise_exception('no tools') }}{% endif %}\
<|im_start|>{{ message.role }}
{{ message.content }}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""


def tokenizer(folder: Path) -> Any:
    """Byte-level BPE, as the models of today have, and as it comes back from the folder that it is written to."""
    bpe = tokenizers.Tokenizer(tokenizers.models.BPE())
    bpe.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
        initial_alphabet=sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    bpe.train_from_iterator([text for talk in TALKS for text in talk] * 10, trainer)
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=bpe, pad_token="<|endoftext|>", eos_token="<|im_end|>", clean_up_tokenization_spaces=False
    )
    fast.chat_template = CHATML
    fast.save_pretrained(folder)
    transformers.Qwen2Config(**sizes(fast)).save_pretrained(folder)  # AutoTokenizer looks whose tokenizer it is
    return transformers.AutoTokenizer.from_pretrained(folder)


def sizes(speaks: Any) -> dict[str, Any]:
    return {
        "vocab_size": len(speaks),
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "max_position_embeddings": 512,
        "pad_token_id": speaks.pad_token_id,
        "eos_token_id": speaks.eos_token_id,
        "initializer_range": 0.1,
    }


def student(folder: Path) -> Path:
    """A model that has read TALKS often enough to say nearly that, and has something else to say now and then."""
    transformers.set_seed(0)
    speaks = tokenizer(folder)
    net = transformers.Qwen2ForCausalLM(transformers.Qwen2Config(**sizes(speaks)))
    texts = [
        speaks.apply_chat_template([_said("user", asked), _said("assistant", told)], tokenize=False)
        for asked, told in TALKS
    ]
    batch = speaks(texts, return_tensors="pt", padding=True)
    labels = batch["input_ids"].masked_fill(batch["attention_mask"] == 0, -100)
    optimizer = torch.optim.AdamW(net.parameters(), lr=5e-3)
    for _ in range(STEPS):
        net(**batch, labels=labels).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    net.save_pretrained(folder)
    return folder


def critic(folder: Path) -> Path:
    """A reward model of random weights."""
    transformers.set_seed(1)
    speaks = tokenizer(folder)
    net = transformers.Qwen2ForSequenceClassification(transformers.Qwen2Config(**sizes(speaks), num_labels=1))
    net.save_pretrained(folder)
    return folder


def _said(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}
