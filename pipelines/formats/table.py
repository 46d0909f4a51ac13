"""FORMATS: what exists, by consumer and kind of view."""

from __future__ import annotations

from pipelines.formats import (
    axolotl,
    conversations,
    llama_factory,
    nemo_rl,
    nemotron,
    open_instruct,
    openr1,
    openrlhf,
    skyrl,
    trl,
    verifiers,
    verl,
)
from pipelines.formats.rows import Format

_CONSUMERS: dict[str, dict[str, Format]] = {
    "trl": trl.FORMATS,
    "trl-messages": trl.MESSAGES,
    "verl": verl.FORMATS,
    "openrlhf": openrlhf.FORMATS,
    "open-instruct": open_instruct.FORMATS,
    "nemo-rl": nemo_rl.FORMATS,
    "skyrl": skyrl.FORMATS,
    "llama-factory": llama_factory.FORMATS,
    "llama-factory-alpaca": llama_factory.ALPACA,
    "axolotl": axolotl.FORMATS,
    "openr1": openr1.FORMATS,
    "nemotron": nemotron.FORMATS,
    "verifiers": verifiers.FORMATS,
}

CONSUMERS = {consumer: conversations.from_the_start(kinds) for consumer, kinds in _CONSUMERS.items()}
"""Under the name that `export --to` takes."""

FORMATS: dict[tuple[str, str], Format] = {
    (consumer, kind): entry for consumer, kinds in CONSUMERS.items() for kind, entry in kinds.items()
}
