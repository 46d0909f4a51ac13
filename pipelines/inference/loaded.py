"""A model in the memory of this process, through Hugging Face transformers, and how it is shown conversations.

Code that comes with a model is never run. What a model sees is its chat template's request for an answer, and behind
it what the assistant has said already; with `plain` it is the messages alone, with an empty line after each.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from pipelines.inference.decoding import Speaks
from pipelines.inference.engine import Misconfigured, Refused
from pipelines.inference.model import Message, Model
from pipelines.inference.scoring import plain, unrepeated
from pipelines.proxy import A_DAY


class Loaded(NamedTuple):
    """A model with its tokenizer."""

    of: Model
    net: Any
    tokenizer: Any
    plain: bool
    defaults: dict[str, Any]  # of sampling, from the model's own generation_config.json
    speaks: Speaks
    context: int | None  # tokens that it can see
    named: str  # as replies name it, with the commit that was loaded

    @property
    def who(self) -> str:
        return f"{self.of.role} ({self.of.name})"


# --- Loading --------------------------------------------------------------------------------------------------


def load(model: Model, *, rewards: bool, dtype: str, device: str, plain: bool) -> Loaded:
    """Load a causal language model, or for rewards a sequence classification model. Raises Misconfigured."""
    with _explained(model), _quietly():
        tokenizer, net = _fetched(model, rewards, dtype)
    if not plain and not tokenizer.chat_template:
        raise Misconfigured(
            f"{model.role}: {model.name} has no chat template; with plain = true it is shown messages as plain text"
        )
    with _explained(model):
        net.to(_place(model, device))
    ends = _ends(net, tokenizer)  # before its generation_config is let go
    return Loaded(
        of=model,
        net=net,
        tokenizer=tokenizer,
        plain=plain,
        defaults={} if rewards else _own_sampling(net),
        speaks=Speaks(lambda tokens: tokenizer.decode(tokens, skip_special_tokens=True), frozenset(ends)),
        context=getattr(net.config.get_text_config(), "max_position_embeddings", None),
        named="@".join([model.name, *filter(None, [getattr(net.config, "_commit_hash", None)])]),
    )


def _fetched(model: Model, rewards: bool, dtype: str) -> tuple[Any, Any]:
    hf = import_module("transformers")  # by its name: a file beside this one has it, too
    which = hf.AutoModelForSequenceClassification if rewards else hf.AutoModelForCausalLM
    where = {"revision": model.revision if _is_on_the_hub(model) else None, "trust_remote_code": False}
    tokenizer = hf.AutoTokenizer.from_pretrained(model.name, **where)
    net, info = which.from_pretrained(model.name, dtype=dtype, output_loading_info=True, **where)
    if missing := sorted(info["missing_keys"]):
        kind = "reward model (for sequence classification)" if rewards else "causal language model"
        raise Misconfigured(f"{model.role}: {model.name} lacks the weights {', '.join(missing[:3])}: it is no {kind}")
    return tokenizer, net.eval()


def _is_on_the_hub(model: Model) -> bool:
    """Of a folder the revision is the digest of its content, and nothing that can be asked for."""
    return not Path(model.name).is_dir()


def _place(model: Model, device: str) -> str:
    import torch  # pyright: ignore[reportMissingImports]

    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if device != "auto" and not there[device]:
        raise Misconfigured(f"{model.role}: device = {device!r}, and torch finds none; leave it out")
    return next(name for name, is_there in there.items() if is_there) if device == "auto" else device


def _ends(net: Any, tokenizer: Any) -> set[int]:
    """The tokens that end an answer."""
    told = getattr(getattr(net, "generation_config", None), "eos_token_id", None)
    told = told if told is not None else net.config.get_text_config().eos_token_id
    told = told if told is not None else tokenizer.eos_token_id
    return set() if told is None else set(told) if isinstance(told, list | tuple) else {told}


def _own_sampling(net: Any) -> dict[str, Any]:
    """What the model's generation_config.json says of sampling; from then on `generate` itself says nothing of it."""
    told = net.generation_config.to_diff_dict()
    net.generation_config = type(net.generation_config)()
    names = ("temperature", "top_p", "top_k", "min_p", "repetition_penalty")
    return {name: told[name] for name in names if told.get(name) is not None}


@contextlib.contextmanager
def _explained(model: Model) -> Iterator[None]:
    """What cannot be loaded, in one line."""
    try:
        yield
    except (OSError, ValueError, KeyError, ImportError, RuntimeError) as error:
        said = " ".join(str(error).split())[:300]
        raise Misconfigured(f"{model.role}: transformers cannot load {model.name}: {said}") from error


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Loading prints bars and advice, in the middle of what a run shows."""
    told = import_module("transformers.utils.logging")
    level, bars = told.get_verbosity(), told.is_progress_bar_enabled()
    told.set_verbosity(logging.ERROR)
    told.disable_progress_bar()
    try:
        yield
    finally:
        told.set_verbosity(level)
        if bars:
            told.enable_progress_bar()


# --- Conversations in tokens ----------------------------------------------------------------------------------


def begun(loaded: Loaded, asked: Sequence[Message], said: str = "") -> list[int]:
    """A conversation in tokens as the model sees it when it is to answer, and behind it what it has said already."""
    text = shown(loaded, asked, asks=True)
    is_bare = loaded.plain or not asked  # then nothing but the tokenizer adds what begins a text
    tokens = loaded.tokenizer.encode(text, add_special_tokens=is_bare)
    return [*tokens, *spelled(loaded, unrepeated(text, said))]


def shown(loaded: Loaded, messages: Sequence[Message], *, asks: bool) -> str:
    """The conversation as text. Raises Refused where the template knows no such conversation."""
    if loaded.plain or not messages:
        return plain(messages)
    from jinja2 import TemplateError

    try:
        return loaded.tokenizer.apply_chat_template(
            [dict(each) for each in messages],
            chat_template=A_DAY + loaded.tokenizer.get_chat_template(),
            tokenize=False,
            add_generation_prompt=asks,
        )
    except (TemplateError, ValueError, TypeError, LookupError) as error:
        raise Refused(f"the model's chat template refuses this conversation: {str(error)[:200]}") from error


def spelled(loaded: Loaded, text: str) -> list[int]:
    """A text in tokens, and nothing else."""
    return loaded.tokenizer.encode(text, add_special_tokens=False)


def check_room(loaded: Loaded, tokens: int, more: int) -> None:
    """Raises Refused where so many tokens, and `more` to come, are more than the model can see."""
    if loaded.context is not None and tokens + more > loaded.context:
        room = f"the {loaded.context:,} tokens that {loaded.of.name} can see"
        if more >= loaded.context:
            raise Misconfigured(f"{loaded.who}: max_tokens = {more} leaves no prompt room in {room}; lower it")
        behind = f", with max_tokens = {more}" if more else ""
        raise Refused(f"the conversation of {tokens:,} tokens{behind} is longer than {room}")
