"""The reference tables, from the code: recipes, stages, rules, verifiers, models, views and prompts."""

from __future__ import annotations

import dataclasses
import inspect
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import prompts.template
from filters.table import RULES
from filters.verifiers import VERIFIERS
from pipelines import recipe as recipes
from pipelines.bind import stage_parameters
from pipelines.inference.engines import ENGINES, engine_serving, engine_settings
from pipelines.inference.model import Model, Sampling
from pipelines.stage import Stage
from pipelines.stages.table import STAGES
from pipelines.views.table import VIEWS

HEAD = """\
# Reference

Written by `make docs` from the tables and docstrings of the code; do not edit it by hand.
"""

FORMS = {
    "builtin": ("`builtin`", "the embedded symbolic program, which is not a language model"),
    "openai": ("`openai:MODEL@URL`", "any endpoint with chat completions like OpenAI's"),
    "replay": ("`replay:FILE`", "recorded responses, for tests"),
    "transformers": (
        "`transformers:MODEL`",
        "Hugging Face transformers in this process: laptops, scores",
    ),
    "vllm": ("`vllm:MODEL`", "a vLLM that the run starts, or with `@URL` one that runs"),
}


EXAMPLE = """\
Here a judge looks again at what the rule failed, at a tenth of what it passed, and at planted controls:

```toml
[models.judge]
use = "openai:Qwen/Qwen3-8B@http://localhost:8000/v1"

[[stages]]
name = "check"
use = "sift"
rules = ["gold", "answer_matches"]

[[stages]]
use = "appeal"
at_least = 0.5
votes = 3
audit = 0.1
controls = 0.1

[[stages]]
name = "decide"
use = "sift"
rules = ["label"]
```
"""


def render() -> str:
    """The text of docs/reference.md."""
    sections = [_recipes(), _stages(), _rules(), _verifiers(), _models(), _views(), _prompts()]
    return "\n".join([HEAD, *sections])


# ---------------------------------------------------------------------------------------------------------------
# One section for each table


def _recipes() -> str:
    rows = []
    for name in recipes.names():
        told = tomllib.loads(recipes.find(name).read_text(encoding="utf-8"))
        line = " → ".join(each.get("name", each["use"]) for each in told["stages"])
        arms = ", ".join(f"`{arm}`" for arm in told.get("arms", {}))
        rows.append([f"`{name}`", told["about"], line, arms, told.get("paper", "")])
    return _section("Recipes", "", ["recipe", "makes", "stages", "arms", "method"], rows)


def _stages() -> str:
    rows = [
        [f"`{name}`", str(stage.version), _summary(stage.run), _parameters(_stage_parameters(stage))]
        for name, stage in STAGES.items()
    ]
    about = "A `[[stages]]` table names one with `use`, may give it a `name`, and holds its parameters.\n\n" + EXAMPLE
    return _section("Stages", about, ["stage", "version", "what it does", "parameters"], rows)


def _rules() -> str:
    rows = [
        [f"`{name}`", str(each.version), each.kind, _summary(each.run), _parameters(_keyword_only(each.run))]
        for name, each in RULES.items()
    ]
    about = (
        "Facts name a rule with its version, as `novelty@1`. A *row* rule looks at one problem, an *ordered* rule\n"
        "also at all that stayed before it, a *snapshot* rule (in `select`) at the whole version.\n"
    )
    return _section("Rules", about, ["rule", "version", "kind", "passes", "parameters"], rows)


def _verifiers() -> str:
    rows = [
        [f"`{name}`", str(each.version), _first_sentence(inspect.getdoc(inspect.getmodule(each.check)) or "")]
        for name, each in VERIFIERS.items()
    ]
    return _section("Verifiers", "", ["verifier", "version", "checks"], rows)


def _models() -> str:
    engines = [
        [f"`{name}`", *FORMS[name], _parameters(engine_settings(name)), _parameters(engine_serving(name))]
        for name in ENGINES
    ]
    fixed = {"role", "engine", "name", "url", "sampling", "settings", "serving"}
    fields = [each for each in dataclasses.fields(Model) if each.name not in fixed]
    about = "A role is bound in `[models.ROLE]`, or with `--model ROLE=FORM`.\n"
    keys = f"Other keys of a `[models.ROLE]` table: {_fields(fields)}.\n"
    sampling = f"Sampling parameters, in `sampling`: {_fields(dataclasses.fields(Sampling))}.\n"
    return "\n".join(
        [_section("Models", about, ["engine", "form", "is", "settings", "starting it"], engines), keys, sampling]
    )


def _views() -> str:
    rows = [
        [
            f"`{name}`",
            str(view.version),
            view.kind,
            view.about,
            ", ".join(f"`{each}`" for each in view.schema().names),
        ]
        for name, view in VIEWS.items()
    ]
    return _section("Views", "", ["view", "version", "for", "a row is", "columns"], rows)


def _prompts() -> str:
    rows = []
    for name in prompts.template.names():
        template = prompts.template.load(name)
        variables = ", ".join(f"`{each}`" for each in sorted(template.variables))
        rows.append([f"`{name}`", template.header["asks"], template.header["replies"], variables])
    return _section("Prompts", "", ["prompt", "asks to", "expects", "variables"], rows)


# ---------------------------------------------------------------------------------------------------------------
# Parameters and docstrings


def _stage_parameters(stage: Stage) -> dict[str, Any]:
    """Names and defaults, of which a table's own come before those of the function."""
    wanted = stage_parameters(stage)
    own = inspect.signature(stage.run).parameters
    return {
        name: stage.defaults.get(name, own[name].default if name in own else inspect.Parameter.empty)
        for name in wanted
    }


def _keyword_only(run: Callable[..., Any]) -> dict[str, Any]:
    parameters = inspect.signature(run).parameters.values()
    return {each.name: each.default for each in parameters if each.kind is inspect.Parameter.KEYWORD_ONLY}


def _parameters(defaults: dict[str, Any]) -> str:
    return ", ".join(_parameter(name, default) for name, default in defaults.items())


def _parameter(name: str, default: Any) -> str:
    if default is inspect.Parameter.empty or default in (None, "", {}):
        return f"`{name}`"
    return f"`{name} = {_toml(default)}`"


def _toml(value: Any) -> str:
    """A plain value as a recipe writes it."""
    return str(value).lower() if isinstance(value, bool) else f'"{value}"' if isinstance(value, str) else str(value)


def _fields(fields: Iterable[dataclasses.Field[Any]]) -> str:
    defaults = {each.name: None if each.default is dataclasses.MISSING else each.default for each in fields}
    return _parameters(defaults)


def _summary(run: Callable[..., Any]) -> str:
    return _first_sentence(inspect.getdoc(run) or "")


def _first_sentence(text: str) -> str:
    """The first paragraph on one line, up to the end of its first sentence."""
    paragraph = " ".join(text.split("\n\n")[0].split())
    return re.split(r"(?<=\.)\s", paragraph)[0]


def _section(title: str, about: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return "\n".join([f"## {title}\n", *([about] if about else []), *_table(head, rows), ""])


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield "|" + "---|" * len(head)
    for row in rows:
        cells = (cell.replace("|", "\\|").replace("<", "&lt;") for cell in row)
        yield f"| {' | '.join(cells)} |"
