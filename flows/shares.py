"""What each worker of a run gets: its part of what an endpoint bears, or GPUs for an engine of its own."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from pipelines.bind import Recipe
from pipelines.inference.model import Model

SHARED = ("in_flight", "requests_per_minute", "tokens_per_minute")
"""What a role may take of its endpoint, in all: workers get equal parts."""


def has_own_engine(model: Model) -> bool:
    """Whether every worker starts an engine of its own for it."""
    return model.engine in ("vllm", "transformers") and model.url is None


def at_once(recipe: Recipe, most: int) -> int:
    """How many workers there may be: more than an endpoint may be asked at once would ask more than that."""
    shared = [model for model in recipe.models.values() if not has_own_engine(model)]
    bears = [each.get("in_flight", model.in_flight) for model in shared for each in model.endpoints or [{}]]
    return min([most, *bears])


def part(model: Model, workers: int) -> Model:
    """A model with one worker's part of how much it may be asked, at each of its endpoints."""
    if has_own_engine(model):
        return model
    endpoints = [{**each, **_divided(each, workers)} for each in model.endpoints]
    limits = {name: getattr(model, name) for name in SHARED}
    return dataclasses.replace(model, endpoints=endpoints, **_divided(limits, workers))


def _divided(limits: Mapping[str, Any], workers: int) -> dict[str, Any]:
    """The limits that are given, divided; one request at a time is the least."""
    given = {name: limits[name] for name in SHARED if limits.get(name) is not None}
    return {name: max(1, each // workers) if name == "in_flight" else each / workers for name, each in given.items()}


def gpus_of(recipe: Recipe) -> int:
    """The GPUs that a worker needs for the engines that it starts. Raises ValueError where the recipe says which."""
    from pipelines.inference.vllm import gpus, program

    own = [model for model in recipe.models.values() if has_own_engine(model)]
    for model in own:
        if said := {"devices", "port"} & model.serving.keys():
            why = "every worker starts an engine of its own, on the GPUs that Ray gives it"
            raise ValueError(f"[models.{model.role}] {min(said)}: {why}; leave it out")
    servers = {program(model, {"vllm"}): gpus(model) for model in own if model.engine == "vllm"}
    is_loaded = any(model.engine == "transformers" and model.serving.get("device") != "cpu" for model in own)
    return max(sum(servers.values()), int(is_loaded))
