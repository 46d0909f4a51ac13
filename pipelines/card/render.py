"""The dataset card: what a version is, in words that a person can check.

`about` reads a version's folder, `render` writes its README.md. The same facts give the same bytes. Texts of models
stand in it as code that they cannot leave (text.py). The header is in header.py, and what becomes of a card
that people have edited in merge.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePath
from typing import Any

from pipelines.card.about import About, Model, about
from pipelines.card.citations import PAPERS, bibtex, cited
from pipelines.card.examples import examples
from pipelines.card.header import configs, licence, size_category, sources, yaml
from pipelines.card.merge import MARK
from pipelines.card.text import first_line, prose, span, table
from pipelines.card.trust import decontamination, is_builtin, limits, numbers, seeds, trust
from pipelines.records import to_json
from pipelines.stages.table import STAGES
from pipelines.views.table import VIEWS

__all__ = ["About", "about", "render"]

BUILTIN = (
    "**The problems and solutions were written by Thoughtmill's builtin engine. It is a symbolic program with seeded"
    " faults, not a language model: this data shows how the mill works and is no material to train on.**"
)


def render(about: About) -> str:
    """The README.md of a version, here or on the Hub."""
    sections = [
        MARK,
        f"# {prose(about.name)} {prose(about.version)}",
        prose(str(about.recipe.get("about", ""))),
        BUILTIN if is_builtin(about) else "",
        *_what_it_is(about),
        *_loading(about),
        *_how_it_was_made(about),
        *numbers(about),
        *trust(about),
        *examples(about),
        *decontamination(about),
        *seeds(about),
        *limits(about),
        *_again(about),
        *_citations(about),
    ]
    return f"---\n{yaml(header(about))}---\n\n" + "\n\n".join(each for each in sections if each) + "\n"


def header(about: About) -> dict[str, Any]:
    """What stands in the YAML header."""
    told = licence(each.license for each in about.sources)
    is_for_rl = any(view.split("/")[-1] in ("rl", "preference") for view in about.rows)
    return {
        "pretty_name": f"{about.name} {about.version}",
        "language": [about.language] if about.language else [],
        "license": told.id,
        "license_name": told.name,
        "annotations_creators": ["machine-generated"],
        "language_creators": [] if _is_brought(about) else ["machine-generated"],
        "task_categories": ["text-generation", *(["reinforcement-learning"] if is_for_rl else [])],
        "size_categories": [size_category(max(about.rows.values(), default=0))],
        "source_datasets": sources(each.source for each in about.sources),
        "tags": [*([] if _is_brought(about) else ["synthetic"]), "reasoning", "thoughtmill"],
        "configs": configs(about.configs),
    }


def _is_builtin(about: About) -> bool:
    return any(each["model"] == "builtin" for each in about.ledger["models"].values())


# --- What it is, and how to load it ----------------------------------------------------------------------------


def _is_brought(about: About) -> bool:
    return any(stage.get("use") == "bring" for stage in about.recipe.get("stages", ()))


def _who_wrote(about: About) -> str:
    if is_builtin(about):
        return "A symbolic program wrote it"
    if _is_brought(about):
        return "Its rows were brought from elsewhere, and who wrote them is not told here"
    return "Models wrote the answers, and where the recipe poses problems those as well"


def _what_it_is(about: About) -> list[str]:
    accepted, candidates = about.ledger["accepted"], about.ledger["candidates"]
    return [
        "## What it is",
        f"{accepted:,} problems that passed every check of their recipe, of {candidates:,} candidates.",
        f"Data for training models to reason. {_who_wrote(about)}; programs, votes or other models judged it. No"
        " person has read all of it.",
        "Beside what trainers load lie the facts: every candidate, every attempt and every verdict with its reason,"
        " also of what was not accepted. So each row can be traced to the seeds, prompts and models that it came"
        " from, and another choice can be made from the same facts without generating anything twice.",
        "It is no benchmark, and no collection of proved answers: what a verdict means is told below.",
    ]


def _loading(about: About) -> list[str]:
    rows = [[f"`{view}`", f"{count:,}", _of_view(view)] for view, count in about.rows.items()]
    return ["## Load it", table("view | rows: | what a row is", rows), _code_to_load(about)]


def _of_view(view: str) -> str:
    arm, _, name = view.rpartition("/")
    told = VIEWS[name].about if name in VIEWS else ""
    return f"as many by chance, to compare with: {told}" if arm == "random" else told


def _code_to_load(about: About) -> str:
    if about.repo is None:
        lines = [f'rows = load_from_disk("{view}")  # in the folder of this file' for view in about.rows]
        return _python("from datasets import load_from_disk", lines)
    pinned = f', revision="{about.revision}"' if about.revision else ""
    lines = [f'rows = load_dataset("{about.repo}", "{name}", split="train"{pinned})' for name in about.configs]
    return _python("from datasets import load_dataset", lines)


def _python(head: str, lines: Iterable[str]) -> str:
    return "\n".join(["```python", head, "", *lines, "```"])


# --- How it was made -------------------------------------------------------------------------------------------


def _how_it_was_made(about: About) -> list[str]:
    stages = [f"{place}. {_stage(each)}" for place, each in enumerate(about.recipe.get("stages", ()), start=1)]
    prompts = [f"- {span(name)}: {prose(_asks(text))}" for name, text in about.prompts.items()]
    return [
        "## How it was made",
        "The stages of the recipe, one after another:" if stages else "",
        "\n".join(stages),
        "The models, how they were asked, and how often:",
        table("role | model | revision | sampling | attempts:", _models(about.models)),
        table("role | cut off: | refused: | tokens in: | tokens out:", _spent(about.ledger["models"])),
        "The prompts, whose texts lie in `prompts/`:" if prompts else "",
        "\n".join(prompts),
    ]


def _stage(stage: Mapping[str, Any]) -> str:
    """A stage in words: what it does, and with which parameters."""
    use, name = str(stage.get("use")), str(stage.get("name", stage.get("use")))
    does = first_line(STAGES[use].run) if use in STAGES else ""
    rules = [_rule(each) for each in stage.get("rules", ())]
    given = [_given(key, value) for key, value in stage.items() if key not in ("use", "name", "rules")]
    told = "; ".join([*([f"rules {', '.join(rules)}"] if rules else []), *([", ".join(given)] if given else [])])
    return f"**{prose(name)}**: {does} Here: {told}." if told else f"**{prose(name)}**: {does}"


def _rule(rule: str | Mapping[str, Any]) -> str:
    if isinstance(rule, str):
        return span(rule)
    given = [_given(key, value) for key, value in rule.items() if key != "rule"]
    return f"{span(rule.get('rule'))} ({', '.join(given)})"


def _given(key: str, value: Any) -> str:
    """A parameter; of a path from the root only the name, since nobody else has that folder."""
    text = value if isinstance(value, str) else to_json(value)
    return span(f"{key} = {PurePath(text).name if text.startswith('/') else text}")


def _models(models: Sequence[Model]) -> list[list[object]]:
    """One row for each way in which a model was asked, whatever the prompt."""
    attempts: dict[tuple[str, ...], int] = {}
    for each in models:
        way = (each.role, each.model, each.revision or "", each.sampling)
        attempts[way] = attempts.get(way, 0) + each.attempts
    return [[*(span(each) if each else "not told" for each in way), f"{n:,}"] for way, n in attempts.items()]


def _spent(models: Mapping[str, Mapping[str, Any]]) -> list[list[object]]:
    names = ("cut_off", "refused", "prompt_tokens", "completion_tokens")
    return [[span(role), *(f"{each[name]:,}" for name in names)] for role, each in models.items()]


def _asks(prompt: str) -> str:
    """What the header of a prompt says that it asks."""
    lines = (line for line in prompt.split("\n---", 1)[0].split("\n") if line.startswith("asks:"))
    return next(lines, "asks:").removeprefix("asks:").strip()


# --- Again, and where it comes from ----------------------------------------------------------------------------


def _again(about: About) -> list[str]:
    what = "recipe.toml" if about.repo is None else f"--from {about.repo}@{about.revision or about.version}"
    return [
        "## Make it again",
        f"```console\nthoughtmill run {what}\n```",
        "`recipe.toml` is the recipe as it was run. The same recipe over the same replies of the models makes the"
        " same version; models that are asked anew may answer otherwise.",
    ]


def _citations(about: About) -> list[str]:
    ids = cited(about.recipe, about.prompts, about.report["rules"], about.verifiers)
    links = [f"- [{PAPERS[id].title}](https://arxiv.org/abs/{id})" for id in ids if id in PAPERS]
    links += [f"- [arXiv:{id}](https://arxiv.org/abs/{id})" for id in ids if id not in PAPERS]
    entries = bibtex(ids)
    return [
        "## Citation",
        "The methods come from:" if ids else "The recipe names no paper.",
        "\n".join(links),
        f"```bibtex\n{entries}\n```" if entries else "",
    ]
