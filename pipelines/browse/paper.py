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
        "readable": readable,
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
    """Any value as text: words as they are, all else as JSON."""
    return value if isinstance(value, str) else orjson.dumps(value, default=str).decode()


def readable(value: Any) -> str:
    """A value of JSON as a person writes it: no quotes and braces, numbers short, pairs of what and how often."""
    match value:
        case None:
            return "none"
        case bool():
            return "yes" if value else "no"
        case int() | float():
            return number(value)
        case [str() as what, int() as count]:
            return f"{what} ({count:,})"
        case list():
            return ", ".join(f"({readable(each)})" if isinstance(each, dict) else readable(each) for each in value)
        case dict():
            return ", ".join(f"{key} {readable(each)}" for key, each in value.items()) or "none"
        case _:
            return str(value)
