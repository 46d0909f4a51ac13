"""The models of a recipe: do they answer, to this key, as the model that is named, how fast, and what is honoured?

A few small requests are sent, with answers of at most 16 tokens. What a run would start itself (vLLM, transformers)
is not started for this: it is looked whether it could be.
"""

from __future__ import annotations

import asyncio
import dataclasses
import re
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from pipelines.doctor.world import Finding, World, broken, note, well
from pipelines.inference.engine import Again, Engine, Misconfigured, Outage, Refused
from pipelines.inference.model import Model, Request

TOGETHER = 8  # requests at once
ALONE = 3  # requests one after another
TOKENS = 16  # of an answer
PATIENCE = 60.0  # seconds for an answer
REMOTE = ("openai", "vllm")  # engines that may be reached at a URL

Trouble = Again | Misconfigured | Outage | Refused

# What a recipe has to use, by the names of features, so that a server which ignores it spoils something.
USES: dict[str, Callable[[dict[str, Any]], bool]] = {
    "max_tokens": lambda given: True,
    "n": lambda given: bool(given.get("together")),
    "logprobs": lambda given: given["sampling"].logprobs is not None,
    "stop": lambda given: bool(given["sampling"].stop),
    "bad_words": lambda given: bool(given["sampling"].bad_words),
    "seed": lambda given: False,  # another answer for the same seed is an answer all the same
}


def gpu(world: World) -> Iterator[Finding]:
    """Where models are to run on this machine: is there a GPU, with room?"""
    managed = [model for model in world.models.values() if model.engine in ("vllm", "transformers") and not model.url]
    found = world.gpus()
    for each in found:
        yield well("gpu", f"{each.name}, {each.free / 1e9:,.0f} of {each.memory / 1e9:,.0f} GB free")
    if managed and not found:
        role, what = managed[0].role, f"{managed[0].engine}:{managed[0].name}"
        told = f"{role} is to run here ({what}), and the driver tells of no GPU: it will be slow"
        yield note("gpu", f"{told}; --model {role}=openai:MODEL@URL asks a server")
    elif not found:
        yield note(
            "gpu", "none; the recipe needs none" if world.recipe else "none: models are asked over the network"
        )
    share = max((float(model.serving.get("gpu_memory_utilization", 0.9)) for model in managed), default=0.0)
    if managed and found and all(each.free < share * each.memory for each in found):
        told = f"no GPU has {share:.0%} of its memory free, which the server of {managed[0].role} takes"
        yield broken(
            "gpu",
            told,
            mend=f"in the recipe, [models.{managed[0].role}] gpu_memory_utilization = 0.5; or end what runs there",
        )


def models(world: World) -> Iterator[Finding]:
    """Does every endpoint of the recipe answer, and honour what the recipe asks of it?"""
    if world.recipe is None:
        yield note("models", "say a RECIPE, and its models are asked")
        return
    for role, model in world.models.items():
        places = endpoints(model)
        if not places:
            yield note("models", f"{role}: {model.engine} runs within thoughtmill, and is not asked")
        elif not world.asks_models:
            yield note("models", f"{role}: not asked")
        else:
            for place in places:
                yield from asyncio.run(_examined(world, place))


def endpoints(model: Model) -> list[Model]:
    """The model at each of its URLs; none where it is no server's."""
    if model.engine not in REMOTE or (model.engine == "vllm" and model.url is None):
        return []
    plain = dataclasses.replace(model, endpoints=(), batch=False, timeout=min(model.timeout, PATIENCE))
    told = [
        dataclasses.replace(plain, url=each["url"], key_env=each.get("key_env", model.key_env))
        for each in model.endpoints
    ]
    return told or [plain]


async def _examined(world: World, model: Model) -> list[Finding]:
    try:
        engine = world.open_engine(model, world.data)
    except Misconfigured as error:
        return [_trouble(model, error)]
    try:
        alone = [await _timed(engine, model, 1) for _ in range(ALONE)]
        together = await _timed(engine, model, TOGETHER)
        told = [_answers(model, sorted(alone)[ALONE // 2], together), *await _named(engine, model)]
        return [*told, *_features(world, model, await world.features(engine, model))]
    except (Again, Misconfigured, Outage, Refused) as error:
        return [_trouble(model, error)]
    finally:
        await engine.close()


async def _timed(engine: Engine, model: Model, number: int) -> float:
    """The seconds that so many requests take at once. Raises the trouble of any."""
    start = time.perf_counter()
    answers = await asyncio.gather(*(engine.send(_small(model, i)) for i in range(number)), return_exceptions=True)
    for each in answers:
        if isinstance(each, BaseException):
            raise each
    return time.perf_counter() - start


def _small(model: Model, sample: int) -> Request:
    messages = model.conversation([{"role": "user", "content": f"Say {sample}."}])
    return Request(model, messages, {"max_tokens": TOKENS}, seed=sample, sample=sample)


def _answers(model: Model, alone: float, together: float) -> Finding:
    at_once = TOGETHER * alone / max(together, 1e-9)
    told = f"{_where(model)} answers in {alone:.2f} s; {TOGETHER} at once in {together:.2f} s"
    if at_once < 1.5 and model.in_flight > 1:
        return note("models", f"{told}: hardly faster than one by one, so more in flight gains nothing")
    return well("models", told)


async def _named(engine: Engine, model: Model) -> list[Finding]:
    """A server that has one model may answer to any name."""
    served = (await engine.send(_small(model, TOGETHER))).get("model")
    if not served or _plain(model.name) in _plain(served) or _plain(served) in _plain(model.name):
        return []
    told = f"{_where(model)} answers as {served!r}"
    return [broken("models", told, mend=f"--model {model.role}={model.engine}:{served}@{model.url}")]


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "", name.rpartition("/")[2].lower())


def _trouble(model: Model, error: Trouble) -> Finding:
    """What keeps an endpoint from answering, and the way out, by what it is."""
    told, bind = f"{_where(model)}: {error}", f"--model {model.role}={model.engine}:{model.name}@URL"
    if isinstance(error, Misconfigured) and re.search(r"\bkey\b", str(error)):
        return broken("models", told, mend=f"export {model.key_env or 'OPENAI_API_KEY'}=...")
    if isinstance(error, Misconfigured):
        return broken("models", told, mend=f"curl {model.url or 'https://api.openai.com/v1'}/models, and then {bind}")
    if isinstance(error, Again) and error.overloaded:
        return broken("models", told, mend=f"in the recipe, [models.{model.role}] in_flight = 4; or wait")
    return broken("models", told, mend=f"start the server, or {bind}")


def _features(world: World, model: Model, found: Sequence[Any]) -> Iterator[Finding]:
    """What is honoured; where the recipe uses what is not, that is to be mended."""
    honoured = [each.name for each in found if each.honoured]
    if honoured:
        yield well("features", f"{_where(model)} honours {', '.join(honoured)}")
    for each in found:
        told = (
            f"{_where(model)} {'ignores' if each.honoured is False else 'may ignore'} {each.name} ({each.evidence})"
        )
        if each.honoured is False and (steps := _using(world, model, each.name)):
            yield broken("features", f"{told}, which {steps[0]} uses", mend=_without(each.name, steps[0], model))
        elif not each.honoured:
            yield note("features", told)


def _using(world: World, model: Model, feature: str) -> list[str]:
    """The stages that use a feature of the model."""
    uses = USES.get(feature, lambda given: feature in given["sampling"].given().get("extra", {}))
    steps = world.recipe.steps if world.recipe else []
    asking = (each for each in steps if getattr(each.parameters.get("model"), "role", None) == model.role)
    return [each.name for each in asking if "sampling" in each.parameters and uses(each.parameters)]


def _without(feature: str, step: str, model: Model) -> str:
    if feature == "n":
        return f"--set {step}.together=false"
    if feature == "max_tokens":
        return f'in the recipe, [models.{model.role}] limit_field = "max_completion_tokens"; or another server'
    return f"--model {model.role}=vllm:{model.name}, or another server; or take {feature} out of {step}"


def _where(model: Model) -> str:
    return f"{model.role} ({model.name} at {model.url or 'api.openai.com'})"
