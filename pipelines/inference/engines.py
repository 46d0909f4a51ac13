"""The table of engines, and how a role is bound to one: `builtin`, `openai:MODEL@URL`, `replay:FILE`, or a table."""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pipelines.inference.engine import Engine
from pipelines.inference.model import BadModel, Model, Sampling


def _openai(model: Model) -> Engine:
    from pipelines.inference.openai import OpenAI

    return OpenAI(model)


def _replay(model: Model) -> Engine:
    from pipelines.inference.replay import Replay

    return Replay(model)


def _builtin(model: Model) -> Engine:
    from pipelines.inference.symbolic import Builtin

    return Builtin(model)


ENGINES: dict[str, Callable[[Model], Engine]] = {"builtin": _builtin, "openai": _openai, "replay": _replay}

# What a `[models.NAME]` table may hold besides `use`, sampling and the engine's own settings.
FIELDS = {each.name for each in dataclasses.fields(Model)} - {"role", "engine", "name", "url", "sampling", "settings"}


def open_engine(model: Model) -> Engine:
    """The engine for a model. Raises Misconfigured where it cannot be set up."""
    return ENGINES[model.engine](model)


def parse_model(role: str, spec: str | Mapping[str, Any]) -> Model:
    """A model from its short form, or from a table whose `use` is one. Raises BadModel.

    >>> parse_model("teacher", "openai:Qwen/Qwen3-8B@http://localhost:8000/v1").name
    'Qwen/Qwen3-8B'
    """
    table: dict[str, Any] = dict(spec) if isinstance(spec, Mapping) else {"use": spec}
    engine, name, url = _parse_use(role, table.pop("use", None))
    given: dict[str, Any] = {key: table.pop(key) for key in list(table) if key in FIELDS}
    changes = table.pop("sampling", {})
    _check_types(role, {**given, "sampling": changes})
    _check_settings(role, engine, table)
    sampling = Sampling().but(changes)
    given = {"revision": _revision(engine, name), **given}
    return Model(role=role, engine=engine, name=name, url=url, sampling=sampling, settings=table, **given)


def _revision(engine: str, name: str) -> str | None:
    """What stands for a revision where nobody names one: the builtin's version, the digest of a recording."""
    if engine == "builtin":
        from pipelines.inference.builtin import VERSION

        return VERSION
    if engine == "replay" and Path(name).is_file():
        return hashlib.blake2b(Path(name).read_bytes(), digest_size=8).hexdigest()
    return None


def engine_settings(engine: str) -> dict[str, Any]:
    """The engine's own settings, with what they are when nobody says."""
    if engine == "openai":
        from pipelines.inference.openai import SETTINGS

        return SETTINGS
    if engine == "builtin":
        from pipelines.inference.builtin import Faults

        return dataclasses.asdict(Faults())
    return {}


def _check_settings(role: str, engine: str, table: Mapping[str, Any]) -> None:
    settings = engine_settings(engine)
    if unknown := table.keys() - settings.keys():
        known = ", ".join(sorted({"use", "sampling"} | FIELDS | settings.keys()))
        raise BadModel(f"[models.{role}] has no key {', '.join(sorted(unknown))}; it may have: {known}")
    for name, value in table.items():
        kind = type(settings[name])
        if type(value) is not kind and not (kind is float and type(value) is int):
            raise BadModel(f"[models.{role}] {name} = {value!r} should be of type {kind.__name__}")
    if engine == "builtin":
        _check_faults(role, table)
    if engine == "openai":
        _check_continuation(role, table)


def _check_faults(role: str, table: Mapping[str, Any]) -> None:
    from pipelines.inference.builtin import Faults

    try:
        Faults(**table)
    except ValueError as error:
        raise BadModel(f"[models.{role}] {error}") from error


def _check_continuation(role: str, table: Mapping[str, Any]) -> None:
    from pipelines.inference.openai import CONTINUATIONS

    if (way := table.get("continuation", "vllm")) not in CONTINUATIONS:
        raise BadModel(f"[models.{role}] continuation = {way!r}; there are: {', '.join(CONTINUATIONS)}")


def _parse_use(role: str, use: Any) -> tuple[str, str, str | None]:
    if not isinstance(use, str):
        raise BadModel(f'[models.{role}] needs use = "builtin", "openai:MODEL@URL" or "replay:FILE"')
    engine, _, rest = use.partition(":")
    if engine not in ENGINES:
        raise BadModel(f"no engine {engine!r} for model {role!r}; there are: {', '.join(ENGINES)}")
    if engine == "builtin":
        return engine, rest or "builtin", None
    if not rest:
        raise BadModel(f"model {role!r}: {use!r} names no {'file' if engine == 'replay' else 'model'}")
    if engine == "replay":
        return engine, rest, None
    name, _, url = rest.partition("@http")
    if not name or re.search(r".@[^@]*[:/]", name):  # else it would be asked of OpenAI, under that name
        raise BadModel(f"model {role!r}: {use!r} names no model, or a URL without http:// or https://")
    if "@" in url.partition("//")[2].partition("/")[0]:
        raise BadModel(f"model {role!r}: the URL holds a user or password; name a variable with key_env instead")
    if "?" in url or "#" in url:
        raise BadModel(
            f"model {role!r}: the URL has more than a path; a key belongs in a variable, which key_env names"
        )
    return engine, name, f"http{url}" if url else None


def _check_types(role: str, given: Mapping[str, Any]) -> None:
    wanted: dict[str, tuple[type, ...]] = {
        "revision": (str,),
        "deployment": (str,),
        "system": (str,),
        "key_env": (str,),
        "in_flight": (int,),
        "timeout": (int, float),
        "outage_limit": (int, float),
        "price": (dict,),
        "sampling": (dict,),
    }
    for name, value in given.items():
        if not isinstance(value, wanted[name]) or isinstance(value, bool):
            raise BadModel(f"[models.{role}] {name} = {value!r} should be of type {wanted[name][-1].__name__}")
    for name, value in given.get("price", {}).items():
        if name not in ("input", "output") or isinstance(value, bool) or not isinstance(value, int | float):
            raise BadModel(f"[models.{role}] price.{name} = {value!r}; it may have input and output, as numbers")
    if given.get("in_flight", 1) < 1:
        raise BadModel(f"[models.{role}] in_flight = {given['in_flight']} should be at least 1")
