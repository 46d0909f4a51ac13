"""LaTeX as MathML, from elements and attributes that are on a list; what cannot be rendered stays as it was written.

Formulas come from models, so nothing of a converter's output is trusted: its tree is written anew, element by
element, and one that is not on the list gives up the whole formula.
"""

from __future__ import annotations

import html
import re
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

    from markupsafe import Markup

# Of presentation MathML; `menclose`, which browsers do not draw, is written as a row with a class.
ELEMENTS = frozenset(
    (
        *("math", "mrow", "mi", "mn", "mo", "ms", "mtext", "mspace", "mfrac", "msqrt", "mroot", "mstyle", "mpadded"),
        *("msub", "msup", "msubsup", "munder", "mover", "munderover", "mtable", "mtr", "mtd", "mphantom", "none"),
        "menclose",
    )
)
ATTRIBUTES = frozenset(
    (
        *(
            "displaystyle",
            "scriptlevel",
            "mathvariant",
            "stretchy",
            "fence",
            "separator",
            "form",
            "largeop",
            "accent",
        ),
        *("movablelimits", "lspace", "rspace", "linethickness", "columnalign", "columnspacing", "rowspacing"),
        *("minsize", "maxsize", "width", "height", "depth", "voffset"),
    )
)
# Words, or lengths too small to reach out of the formula's place on the page.
VALUE = re.compile(r"[a-z -]{1,60}|[+-]?\d{0,2}(\.\d{1,4})?(em|ex|pt|px|mu|cm|mm|in|%)?")

LONGEST = 2_000  # characters: longer formulas are long computations, more readable as they stand
DEEPEST = 40  # braces in braces: the converter recurses

CLASSES = {"box": "boxed", "roundedbox": "boxed"}


ARITY = {
    **dict.fromkeys(("mfrac", "mroot", "msub", "msup", "munder", "mover"), 2),
    **dict.fromkeys(("msubsup", "munderover"), 3),
}


class Unwanted(ValueError):
    """An element that is not on the list, or lacks a part."""


def mathml(latex: str, *, display: bool, source: str) -> Markup | None:
    """The formula as MathML, with `source` as its annotation; None where it cannot be rendered."""
    from markupsafe import Markup, escape

    inner = _inner(latex)
    if inner is None:
        return None
    kind = Markup('<math display="block">') if display else Markup("<math>")
    annotation = Markup('<annotation encoding="application/x-tex">{}</annotation>').format(escape(source))
    return kind + Markup("<semantics>") + Markup(inner) + annotation + Markup("</semantics></math>")


@lru_cache(maxsize=8192)
def _inner(latex: str) -> str | None:
    """What stands inside the element `math`."""
    from latex2mathml.converter import convert_to_element

    if len(latex) > LONGEST or not latex.strip() or _depth(latex) > DEEPEST:
        return None
    try:
        return "".join(_written(child) for child in convert_to_element(latex))
    except Exception:  # noqa: BLE001 - a hundred ways to be no LaTeX, and one result: it is shown as it was written
        return None


def _depth(latex: str) -> int:
    deepest = depth = 0
    for sign in latex:
        depth += (sign in "{(") - (sign in "})")
        deepest = max(deepest, depth)
    return max(deepest, latex.count(r"\begin"), latex.count(r"\left"))


def _written(element: Element) -> str:
    """An element of the converter's tree as markup of our own. Raises Unwanted."""
    if element.tag not in ELEMENTS or len(element) != ARITY.get(element.tag, len(element)):
        raise Unwanted(element.tag)
    inner = _text(element.text) + "".join(_written(child) + _text(child.tail) for child in element)
    if element.tag == "none":
        return "<mrow></mrow>"
    if element.tag == "menclose":
        return f'<mrow class="{CLASSES.get(element.get("notation", ""), "enclosed")}">{inner}</mrow>'
    given = ((name, value) for name, value in element.attrib.items() if name in ATTRIBUTES)
    kept = "".join(f' {name}="{value}"' for name, value in given if VALUE.fullmatch(value))
    return f"<{element.tag}{kept}>{inner}</{element.tag}>"


def _text(text: str | None) -> str:
    """The converter writes signs as character references, in what is already text."""
    return html.escape(html.unescape(text or ""))
