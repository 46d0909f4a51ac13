"""Tokens a second of a whole recipe on a managed vLLM, beside vLLM's own offline `LLM.chat`, in one run.

    python -m benchmarks.gpu                                   # an 8B model on one GPU: about half an hour
    python -m benchmarks.gpu --architecture tiny --questions 8 --max-tokens 64 --rounds 1    # on a processor

Both sides ask the same questions of the same architecture with random weights, made on the spot: nothing is fetched.
Answers end at one of many tokens, so that their lengths are spread as real ones are, with stragglers. Each side runs
in a process of its own, in turn. Loading is left out on both: the clock starts when the engine is ready, and ends for
one side with its last answer, and for the recipe with the finished version: journal, votes, views and files included.
Needs an environment with vLLM and this package: `make test-vllm` makes one for a machine without a GPU.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import subprocess
import sys
import tempfile
import time
from itertools import product
from pathlib import Path
from statistics import median
from string import ascii_lowercase
from typing import Any

import orjson
import tomli_w

from benchmarks.throughput import write_seeds

LETTERS = [*ascii_lowercase]
ARCHITECTURES: dict[str, dict[str, Any]] = {
    # Llama 3.1 8B's own numbers, and Qwen2.5 7B's.
    "llama-8b": {
        "model_type": "llama",
        "architectures": ["LlamaForCausalLM"],
        "vocab_size": 128_256,
        "hidden_size": 4096,
        "intermediate_size": 14_336,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "rope_theta": 500_000.0,
        "rms_norm_eps": 1e-5,
    },
    "qwen-7b": {
        "model_type": "qwen2",
        "architectures": ["Qwen2ForCausalLM"],
        "vocab_size": 152_064,
        "hidden_size": 3584,
        "intermediate_size": 18_944,
        "num_hidden_layers": 28,
        "num_attention_heads": 28,
        "num_key_value_heads": 4,
        "rope_theta": 1_000_000.0,
        "rms_norm_eps": 1e-6,
    },
    "tiny": {
        "model_type": "qwen2",
        "architectures": ["Qwen2ForCausalLM"],
        "vocab_size": 2048,
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
    },
}
COMMON = {"max_position_embeddings": 8192, "torch_dtype": "bfloat16", "tie_word_embeddings": False}
TEMPLATE = """{% for message in messages %}<|start|>{{ message.role }}
{{ message.content }}<|end|>
{% endfor %}{% if add_generation_prompt %}<|start|>assistant
{% endif %}"""


# What both sides are given


def write_model(folder: Path, architecture: str) -> None:
    """A configuration without weights, and a tokenizer that has a text for every token of the vocabulary."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers  # pyright: ignore[reportMissingImports]
    from transformers import PreTrainedTokenizerFast  # pyright: ignore[reportMissingImports]

    config = {**COMMON, **ARCHITECTURES[architecture]}
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    pairs = [a + b for a, b in product(LETTERS, repeat=2)]
    fours = [a + b for a, b in product(pairs, repeat=2)]
    whole = config["vocab_size"] - 3  # the last three are special
    words = [*alphabet, *pairs, *fours][:whole]
    merges = [(word[: len(word) // 2], word[len(word) // 2 :]) for word in words[len(alphabet) :]]
    speaks = Tokenizer(models.BPE({word: i for i, word in enumerate(words)}, merges))
    speaks.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    speaks.decoder = decoders.ByteLevel()
    speaks.add_special_tokens(["<|pad|>", "<|start|>", "<|end|>"])
    fast = PreTrainedTokenizerFast(tokenizer_object=speaks, pad_token="<|pad|>", eos_token="<|end|>")
    fast.chat_template = TEMPLATE
    fast.save_pretrained(folder)
    ids = {"pad_token_id": fast.pad_token_id, "bos_token_id": None, "eos_token_id": fast.eos_token_id}
    (folder / "config.json").write_bytes(orjson.dumps({**config, **ids}))


def sampling(given: argparse.Namespace) -> dict[str, Any]:
    """Answers end at a token of so many that their mean length is a third of the limit, and some reach it."""
    vocabulary = ARCHITECTURES[given.architecture]["vocab_size"]
    ends = random.Random(0).sample(range(256, vocabulary - 3), max(1, 3 * vocabulary // given.max_tokens))
    extra = {"stop_token_ids": ends}
    return {"temperature": 1.0, "max_tokens": given.max_tokens, "extra": extra}


def recipe(given: argparse.Namespace, folder: Path) -> Path:
    """Every question is asked several times, and the answers vote; as benchmarks/vote.toml has it."""
    from pipelines import recipe as recipes

    value = recipes.read(Path(__file__).with_name("vote.toml"), changes=[])
    value["models"]["teacher"] = {
        "use": f"vllm:{folder / 'model'}",
        "in_flight": 2 * given.seqs,  # its own queue is never empty
        "arguments": ["--load-format", "dummy"],
        "max_num_seqs": given.seqs,
        "sampling": sampling(given),
    }
    stages = {each["use"]: each for each in value["stages"]}
    stages["bring"]["rows"] = str(folder / "questions.jsonl")
    stages["expand"]["n"] = given.samples
    path = folder / "recipe.toml"
    path.write_text(tomli_w.dumps(value))
    return path


# The two sides


def offline(given: argparse.Namespace, folder: Path) -> dict[str, float]:
    """vLLM in this process, with everything at once."""
    from pipelines.inference.vllm import FOR_A_PROCESSOR, on_a_processor, packages
    from prompts.template import load

    here: dict[str, Any] = {}
    if on_a_processor(packages(sys.executable)):
        os.environ.update(FOR_A_PROCESSOR)
        here = {"dtype": "float32", "enforce_eager": True, "enable_chunked_prefill": False}
    from vllm import LLM, SamplingParams  # pyright: ignore[reportMissingImports]

    prompt = load("solve/boxed")
    questions = [orjson.loads(line)["question"] for line in (folder / "questions.jsonl").read_bytes().splitlines()]
    engine = LLM(model=str(folder / "model"), load_format="dummy", max_num_seqs=given.seqs, **here)
    how = sampling(given)
    messages, parameters = [], []
    for number, question in enumerate(questions):
        asked = prompt.render({"question": question})
        for sample in range(given.samples):
            messages.append(asked)
            seed = number * given.samples + sample
            parameters.append(SamplingParams(temperature=1.0, max_tokens=given.max_tokens, seed=seed, **how["extra"]))
    began = time.perf_counter()
    outputs = engine.chat(messages, parameters, use_tqdm=False)
    seconds = time.perf_counter() - began
    return {"seconds": seconds, "tokens": sum(len(each.outputs[0].token_ids) for each in outputs)}


def pipeline(given: argparse.Namespace, folder: Path) -> dict[str, float]:
    """The recipe, on a server that is ready."""
    from flows import make
    from pipelines.inference import vllm
    from pipelines.inference.managed import dismiss, hire

    path = recipe(given, folder)
    teacher = make.prepare(str(path)).models["teacher"]

    async def scene() -> dict[str, float]:
        server = hire(vllm.program(teacher, vllm.packages(sys.executable)), folder / "engines")
        try:
            await server.ready()
            began = time.perf_counter()
            made = await make.make(str(path))
            return {"seconds": time.perf_counter() - began, "tokens": made.counts["completion_tokens"]}
        finally:
            await dismiss(server)

    return asyncio.run(scene())


SIDES = {"offline": offline, "pipeline": pipeline}


# One run


def measured(side: str, folder: Path, number: int) -> dict[str, float]:
    """One side in a process of its own, with a data folder of its own."""
    report = folder / f"{side}-{number}.json"
    command = [sys.executable, "-m", "benchmarks.gpu", *sys.argv[1:], "--side", side, "--folder", str(folder)]
    environment = {**os.environ, "THOUGHTMILL_DATA": str(folder / f"data-{number}"), "HF_HUB_OFFLINE": "1"}
    with (folder / f"{side}-{number}.log").open("wb") as log:
        done = subprocess.run(
            [*command, "--report", str(report)], env=environment, stdout=log, stderr=log, check=False
        )
    if done.returncode:
        sys.exit(f"{side} failed; its log ends:\n{Path(log.name).read_text(errors='replace')[-3000:]}")
    return orjson.loads(report.read_bytes())


def main() -> None:
    given = arguments()
    if given.side:
        given.report.write_bytes(orjson.dumps(SIDES[given.side](given, given.folder)))
        return
    with tempfile.TemporaryDirectory(prefix="thoughtmill-") as temporary:
        folder = Path(temporary)
        (folder / "model").mkdir()
        write_model(folder / "model", given.architecture)
        write_seeds(folder / "questions.jsonl", given.questions)
        rates: dict[str, list[float]] = {side: [] for side in SIDES}
        for number in range(given.rounds):
            for side in SIDES:
                told = measured(side, folder, number)
                rates[side].append(told["tokens"] / told["seconds"])
                print(
                    f"{side:9} {told['tokens']:10.0f} tokens {told['seconds']:8.1f} s {rates[side][-1]:9.0f} a second"
                )
        share = median(rates["pipeline"]) / median(rates["offline"])
        print(f"pipeline / offline: {share:.3f} (medians of {given.rounds})")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Tokens a second, beside vLLM's own offline chat.")
    parser.add_argument("--architecture", choices=ARCHITECTURES, default="llama-8b")
    parser.add_argument("--questions", type=int, default=2000)
    parser.add_argument("--samples", type=int, default=4)
    parser.add_argument("--max-tokens", type=int, default=1024)
    parser.add_argument("--seqs", type=int, default=512, help="requests that the engine works on at once")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--report", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
