"""Texts of models on a page: no text becomes markup that is not ours, and no text is lost."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.browse.differences import side_by_side
from pipelines.browse.mathematics import ATTRIBUTES, ELEMENTS
from pipelines.browse.pieces import pieces
from pipelines.browse.rendering import as_json, cut, formula, rendered, visible

OWN = {"span": {"class"}, "code": set(), "strong": set(), "semantics": set(), "annotation": {"encoding"}}
ALLOWED = {name: set(ATTRIBUTES) for name in ELEMENTS} | OWN
ALLOWED["math"] = {"display"}
ALLOWED["mrow"] = {"class", *ATTRIBUTES}

SIGNS = (
    *("$", "$$", r"\[", r"\]", r"\(", r"\)", "`", "```", "```python\n", "\n```", "**", "# ", "\n", "\r\n", "\r", " "),
    *(
        r"\frac{",
        r"\text{",
        r"\href{javascript:alert(1)}{",
        r"\style{color:red}{",
        r"\color{red}",
        r"\boxed{",
        "{",
        "}",
    ),
    *(r"\begin{align*}", r"\end{align*}", r"\begin{matrix}", "&", r"\\", "^", "_", r"\left(", r"\right)", r"\class{"),
    *(
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "</math>",
        "</span>",
        "<!--",
        "&lt;b&gt;",
        "&#60;",
    ),
    *(
        "\x00",
        "\x1b[31m",
        "\u202e",
        "\u2066",
        "\ufeff",
        "\u200b",
        "\ud800",
        '"',
        "'",
        "1",
        "x",
        "+",
        "def f():\n    ",
    ),
)
HOSTILE = st.lists(st.one_of(st.sampled_from(SIGNS), st.text(max_size=5)), max_size=40).map("".join)


class Read(HTMLParser):
    """What a browser would make of markup: elements with attributes, and the text; formulas by their annotation."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.found: list[tuple[str, str, str]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(markup)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._open.append(tag)
        self.found += [(tag, name, value or "") for name, value in attrs] or [(tag, "", "")]

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "math" not in self._open or "annotation" in self._open:
            self.text += data

    def handle_comment(self, data: str) -> None:
        raise AssertionError("a comment")


@given(HOSTILE)
def test_no_text_becomes_an_element_or_attribute_that_is_not_on_the_list_and_none_is_lost(text: str):
    read = Read(str(rendered(text)))
    for tag, name, value in read.found:
        assert name in ALLOWED[tag] | {""}
        assert not any(sign in value for sign in "<>&:;\"'(")
    assert read.text == visible(text)


@given(HOSTILE)
def test_the_sources_of_the_pieces_are_the_text(text: str):
    assert "".join(each.source for each in pieces(text)) == text


@given(HOSTILE)
def test_an_answer_is_a_formula_or_a_text_and_never_lost(text: str):
    read = Read(str(formula(text)))
    assert read.text == visible(text)
    assert all(name in ALLOWED[tag] | {""} for tag, name, _ in read.found)


@given(HOSTILE)
def test_json_has_no_elements_but_spans(text: str):
    read = Read(str(as_json({"text": text.encode("utf-8", "replace").decode()})))
    assert {tag for tag, *_ in read.found} == {"span"}


@given(HOSTILE)
def test_nothing_that_hides_stays_hidden(text: str):
    shown = visible(text)
    assert all(sign == "\n" or sign == "\t" or sign.isprintable() or not sign.isascii() for sign in shown)
    assert not set(shown) & set("\u202a\u202b\u202d\u202e\u2066\u2067\u2068\u2069\u200f\u200b\ufeff\r")
    assert visible(shown) == shown


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("It costs $5 and $6.", ["text"]),
        ("So $x = 2$.", ["text", "inline", "text"]),
        ("So \\boxed{\\frac{1}{2}}.", ["text", "boxed", "text"]),
        ("``Are we there yet?'' she asked, ``or not?''", ["text"]),
        ("Use `x < y`.", ["text", "code", "text"]),
        ("```python\nx = 1\n", ["fence"]),
        ("a\n$$x$$\nb", ["text", "display", "text"]),
        ("an open $ and an open \\[ and `", ["text"]),
    ],
)
def test_what_is_mathematics_and_what_is_code(text: str, kinds: list[str]):
    assert [each.kind for each in pieces(text)] == kinds


def test_mathematics_and_code_are_rendered():
    shown = rendered("So $\\frac{1}{2}$:\n```python\ndef f(): pass\n```")
    assert "<mfrac>" in shown
    assert '<span class="k">def</span>' in shown


@pytest.mark.parametrize("latex", [r"\frac{1}", "{" * 3_000 + "}" * 3_000, r"\left(" * 300, "x^" * 40, "x" * 2_001])
def test_what_cannot_be_rendered_is_shown_as_it_was_written(latex: str):
    assert rendered(f"\\[{latex}\\]") == f"\\[{latex}\\]"


def test_no_formula_reaches_out_of_its_place():
    shown = rendered(r"\(\rule{9999em}{9999em} \hspace{-9999em} x\)")
    assert not any("9999em" in value for *_, value in Read(str(shown)).found)


@given(HOSTILE, HOSTILE)
def test_texts_side_by_side_are_whole(left: str, right: str):
    hunks = side_by_side(left, right)
    assert "".join(part.text for hunk in hunks for part in hunk.left) == left
    assert "".join(part.text for hunk in hunks for part in hunk.right) == right
    for hunk in hunks:
        ours, theirs = ("".join(part.text for part in side if part.is_same) for side in (hunk.left, hunk.right))
        assert ours == theirs


@given(st.text(max_size=50), st.integers(1, 40))
def test_a_cut_tells_how_much_is_left(text: str, most: int):
    shown, left = cut(text, most)
    assert len(shown) + left == len(text)
    assert text.startswith(shown)
