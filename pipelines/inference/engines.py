"""The table of engines, and how a role is bound to one: `builtin`, `openai:MODEL@URL`, `vllm:MODEL`, or a table."""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pipelines.inference.engine import Engine
from pipelines.inference.model import BadModel, Model, Sampling


def _openai(model: Model, home: Path) -> Engine:
    if model.batch:
        from pipelines.inference.batches import Batches

        return Batches(model, home)
    from pipelines.inference.openai import OpenAI

    return OpenAI(model)


def _vllm(model: Model, home: Path) -> Engine:
    from pipelines.inference.vllm import VLLM

    return VLLM(model, home)


def _transformers(model: Model, home: Path) -> Engine:
    from pipelines.inference.transformers import Transformers

    return Transformers(model)


def _replay(model: Model, home: Path) -> Engine:
    from pipelines.inference.replay import Replay

    return Replay(model)


def _builtin(model: Model, home: Path) -> Engine:
    from pipelines.inference.symbolic import Builtin

    return Builtin(model)


ENGINES: dict[str, Callable[[Model, Path], Engine]] = {
    "builtin": _builtin,
    "openai": _openai,
    "replay": _replay,
    "transformers": _transformers,
    "vllm": _vllm,
}

# What a `[models.NAME]` table may hold besides `use`, sampling and the engine's own settings.
FIELDS = {each.name for each in dataclasses.fields(Model)} - {
    *("role", "engine", "name", "url", "sampling", "settings", "serving")
}

IN_A_BATCH = 10_000  # requests at once, if nobody says: the more wait together, the fewer batches

# What each of `endpoints` may say; the rest is the model's.
AT_AN_ENDPOINT = {"url", "weight", "key_env", "in_flight", "timeout", "requests_per_minute", "tokens_per_minute"}


def open_engine(model: Model, home: Path) -> Engine:
    """The engine for a model; `home` is the data folder. Raises Misconfigured where it cannot be set up."""
    return ENGINES[model.engine](model, home)


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
    _check_endpoints(role, engine, url, given.get("endpoints", []))
    serving = {key: table.pop(key) for key in list(table) if key in engine_serving(engine)}
    _check_settings(role, engine, table, serving)
    sampling = Sampling().but(changes)
    given = {"revision": _revision(engine, name, url), "settings": table, "serving": serving, **given}
    if given.get("batch"):
        given = {"in_flight": IN_A_BATCH, **given}
    model = Model(role=role, engine=engine, name=name, url=url, sampling=sampling, **given)
    _check_model(model)
    return model


def _revision(engine: str, name: str, url: str | None) -> str | None:
    """What stands for a revision where nobody names one: the builtin's version, the digest of a recording."""
    if engine == "builtin":
        from pipelines.inference.builtin import VERSION

        return VERSION
    if engine == "replay" and Path(name).is_file():
        return hashlib.blake2b(Path(name).read_bytes(), digest_size=8).hexdigest()
    if engine in ("vllm", "transformers") and url is None:
        from pipelines.inference.vllm import local_revision

        return local_revision(name)
    return None


def _check_model(model: Model) -> None:
    """What only the engine's own module knows to be wrong. Raises BadModel."""
    if model.batch and (model.engine != "openai" or model.endpoints):
        raise BadModel(f'[models.{model.role}] batch = true is for use = "openai:MODEL", with one endpoint')
    if model.engine == "vllm":
        from pipelines.inference.vllm import check

        check(model)
    if model.engine == "transformers":
        from pipelines.inference.transformers import check_settings

        try:
            check_settings({**model.settings, **model.serving})
        except ValueError as error:
            raise BadModel(f"[models.{model.role}] {error}") from error


def engine_settings(engine: str) -> dict[str, Any]:
    """The engine's own settings, with what they are when nobody says."""
    if engine == "openai":
        from pipelines.inference.openai import SETTINGS

        return SETTINGS
    if engine == "builtin":
        from pipelines.inference.builtin import Faults

        return dataclasses.asdict(Faults())
    if engine == "vllm":
        from pipelines.inference.vllm import SETTINGS

        return SETTINGS
    if engine == "transformers":
        from pipelines.inference.transformers import SETTINGS

        return SETTINGS
    return {}


def engine_serving(engine: str) -> dict[str, Any]:
    """How a managed engine is started, where that changes no reply, with what it is when nobody says."""
    if engine == "vllm":
        from pipelines.inference.vllm import SERVING

        return SERVING
    if engine == "transformers":
        from pipelines.inference.transformers import SERVING

        return SERVING
    return {}


def _check_settings(role: str, engine: str, table: Mapping[str, Any], serving: Mapping[str, Any]) -> None:
    settings = {**engine_settings(engine), **engine_serving(engine)}
    if unknown := table.keys() - settings.keys():
        known = ", ".join(sorted({"use", "sampling"} | FIELDS | settings.keys()))
        raise BadModel(f"[models.{role}] has no key {', '.join(sorted(unknown))}; it may have: {known}")
    for name, value in {**table, **serving}.items():
        kind = type(settings[name])
        if type(value) is not kind and not (kind is float and type(value) is int):
            raise BadModel(f"[models.{role}] {name} = {value!r} should be of type {kind.__name__}")
    if engine == "builtin":
        _check_faults(role, table)
    if engine == "openai":
        _check_ways(role, table)


def _check_faults(role: str, table: Mapping[str, Any]) -> None:
    from pipelines.inference.builtin import Faults

    try:
        Faults(**table)
    except ValueError as error:
        raise BadModel(f"[models.{role}] {error}") from error


def _check_ways(role: str, table: Mapping[str, Any]) -> None:
    from pipelines.inference.openai import CONTINUATIONS

    for name, ways in (("continuation", tuple(CONTINUATIONS)), ("scoring", ("vllm", "echo"))):
        if (way := table.get(name, "vllm")) not in ways:
            raise BadModel(f"[models.{role}] {name} = {way!r}; there are: {', '.join(ways)}")


def _parse_use(role: str, use: Any) -> tuple[str, str, str | None]:
    if not isinstance(use, str):
        ways = '"builtin", "openai:MODEL@URL", "vllm:MODEL", "transformers:MODEL" or "replay:FILE"'
        raise BadModel(f"[models.{role}] needs use = {ways}")
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
    _check_url(role, url)
    return engine, name, f"http{url}" if url else None


def _check_url(role: str, url: str) -> None:
    if "@" in url.partition("//")[2].partition("/")[0]:
        raise BadModel(f"model {role!r}: the URL holds a user or password; name a variable with key_env instead")
    if "?" in url or "#" in url:
        raise BadModel(
            f"model {role!r}: the URL has more than a path; a key belongs in a variable, which key_env names"
        )


def _check_endpoints(role: str, engine: str, url: str | None, endpoints: Any) -> None:
    if not endpoints:
        return
    if engine != "openai" or url:
        raise BadModel(f'[models.{role}] has endpoints: use = "openai:MODEL", without a URL')
    for each in endpoints:
        if not isinstance(each, dict) or each.keys() - AT_AN_ENDPOINT or "url" not in each:
            known = ", ".join(sorted(AT_AN_ENDPOINT))
            raise BadModel(f"[models.{role}] endpoints: {each!r} should be a table with a url, and of these: {known}")
        if not isinstance(each["url"], str) or not each["url"].startswith(("http://", "https://")):
            raise BadModel(f"[models.{role}] endpoints: url = {each['url']!r} should begin with http:// or https://")
        _check_url(role, each["url"])
        _check_types(role, {key: each[key] for key in each if key not in ("url", "weight")})
        if isinstance(each.get("weight", 1), bool) or not isinstance(each.get("weight", 1), int | float):
            raise BadModel(f"[models.{role}] endpoints: weight = {each['weight']!r} should be a number")
        if each.get("weight", 1) <= 0:
            raise BadModel(f"[models.{role}] endpoints: weight = {each['weight']!r} should be above 0")


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
        "requests_per_minute": (int, float),
        "tokens_per_minute": (int, float),
        "endpoints": (list,),
        "batch": (bool,),
        "reasoning": (bool,),
    }
    for name, value in given.items():
        if not isinstance(value, wanted[name]) or (isinstance(value, bool) and bool not in wanted[name]):
            raise BadModel(f"[models.{role}] {name} = {value!r} should be of type {wanted[name][-1].__name__}")
    for name, value in given.get("price", {}).items():
        if name not in ("input", "output", "batch") or isinstance(value, bool) or not isinstance(value, int | float):
            raise BadModel(
                f"[models.{role}] price.{name} = {value!r}; there are input, output and batch, all numbers"
            )
    if given.get("in_flight", 1) < 1:
        raise BadModel(f"[models.{role}] in_flight = {given['in_flight']} should be at least 1")
    for name in ("requests_per_minute", "tokens_per_minute", "timeout", "outage_limit"):
        if name in given and given[name] <= 0:
            raise BadModel(f"[models.{role}] {name} = {given[name]} should be above 0")
