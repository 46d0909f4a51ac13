"""How templates are filled: everything is escaped, and whatever would hide is made visible.

Only two things are markup: what a template says, and what `rendering` builds. Every other value, from wherever, is
text; `finalize` sees each of them on its way to the page.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from pipelines.browse.rendering import cut, formula, rendered, visible
from pipelines.story.story import what_it_asks

if TYPE_CHECKING:
    from jinja2 import Environment

FOLDER = Path(__file__).parent


@lru_cache(maxsize=1)
def environment() -> Environment:
    """The templates and their filters. An unknown name in a template is an error."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    made = Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        finalize=_shown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters |= {
        "n": number,
        "percent": lambda share: f"{share:.1%}",
        "score": lambda score: f"{score:.3g}",
        "short": short,
        "plain": plain,
        "cut": cut,
        "rendered": rendered,
        "formula": formula,
        "asks": what_it_asks,
    }
    return made


def fill(template: str, given: dict[str, Any]) -> str:
    """A template, filled."""
    return environment().get_template(template).render(given)


def _shown(value: Any) -> Any:
    """What stands in a page for a value: nothing for none, and no character that hides or turns others around."""
    if value is None:
        return ""
    return visible(value) if type(value) is str else value


def number(value: Any) -> str:
    """A number for people: 12,345 or 0.125."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return plain(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:,.4g}"


def short(text: Any, most: int = 200) -> str:
    """A text on one line, cut."""
    flat = " ".join(str(text)[: most * 4].split())
    return flat if len(flat) <= most else f"{flat[:most]}…"


def plain(value: Any) -> str:
    """Any value as text: words as they are, lists of words and counts as people write them, all else as JSON."""
    match value:
        case str():
            return value
        case [[str(), int()], *_] if all(isinstance(each, list) and len(each) == 2 for each in value):
            return ", ".join(f"{name} ({count})" for name, count in value)
        case [str(), *_] if all(isinstance(each, str) for each in value):
            return ", ".join(value)
    return orjson.dumps(value, default=str).decode()
