"""Texts of models in a card: whatever they are, they come out as code, and as nothing else."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from pipelines.card.about import About, Example, Said
from pipelines.card.examples import examples
from pipelines.card.text import REMOVED, fenced, folded, prose, readable, span

MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])

NASTY = [
    *(
        "`",
        "```",
        "````",
        "~~~",
        "\n",
        "\r",
        "\r\n",
        "\n\n",
        "---",
        "# head",
        "<script>alert(1)</script>",
        "</details>",
    ),
    *(
        "<!--",
        "-->",
        "![x](https://evil.example/x.png)",
        "[a](https://evil.example)",
        "[a]: https://evil.example",
        "|",
    ),
    *(
        "<https://evil.example>",
        "\\",
        "\\|",
        "$$",
        " ",
        "    ",
        "\t",
        "\x00",
        "\x1b[2J",
        "\u202e",
        "\u2028",
        "\ufeff",
    ),
    *(
        "é",
        "中",
        "👩\u200d🔬",
        "1. ",
        "> ",
        "- ",
        "{{x}}",
        "<img src=x onerror=alert(1)>",
        "&lt;",
        "@all",
        "*a*",
        "_b_",
    ),
]
TEXTS = st.one_of(st.lists(st.sampled_from(NASTY), max_size=12).map("".join), st.text(max_size=60))


def of_type(tokens: list[Token], *types: str) -> list[Token]:
    """All tokens of these types, also those inside of others."""
    every = [inner for token in tokens for inner in (token, *(token.children or ()))]
    return [token for token in every if token.type in types]


@settings(max_examples=60, deadline=None)
@given(TEXTS, st.sampled_from([5, 1_000]))
@example("```\n</details>\n````", 1_000)
@example("\n```", 1_000)
def test_a_fence_holds_the_text_and_nothing_leaves_it(text: str, most: int):
    tokens = MARKDOWN.parse(f"before\n\n{folded('Thoughts', text, most)}\n\nafter")
    shown = readable(text, most)
    assert [token.content for token in of_type(tokens, "fence", "code_block")] == ([f"{shown}\n"] if shown else [])
    html = ["<details>\n<summary>Thoughts</summary>\n", "</details>\n"]
    assert [token.content for token in of_type(tokens, "html_block", "html_inline")] == html
    assert not of_type(tokens, "link_open", "image", "heading_open", "table_open")


@settings(max_examples=60, deadline=None)
@given(TEXTS)
@example("a\\")
@example("`")
def test_a_span_is_one_piece_of_code_in_one_cell(text: str):
    tokens = MARKDOWN.parse(f"| a | b |\n|---|---|\n| {span(text)} | end |\n")
    assert len(of_type(tokens, "td_open")) == 2
    assert [token.content for token in of_type(tokens, "text")][-1] == "end"
    assert not of_type(tokens, "html_inline", "html_block", "link_open", "image", "fence")
    assert len(of_type(tokens, "code_inline")) == (span(text) != "(empty)")


@settings(max_examples=60, deadline=None)
@given(TEXTS)
def test_a_sentence_has_no_markup(text: str):
    tokens = MARKDOWN.parse(f"It says {prose(text)}")
    assert {token.type for token in of_type(tokens[1:2], "text", "text_special")} <= {"text", "text_special"}
    kinds = ("html_inline", "html_block", "link_open", "image", "code_inline", "em_open", "strong_open", "s_open")
    assert not of_type(tokens, *kinds, "heading_open")


def test_what_is_readable_stays_and_what_is_not_is_escaped():
    assert readable("x² + ½ = 中\n\ty\u200d", 100) == "x² + ½ = 中\n\ty\u200d"
    assert readable("a\x00\u202eb\r\nc\rd\r\n\n", 100) == "a\\u0000\\u202eb\nc\nd"


def test_a_long_text_says_that_it_goes_on():
    assert fenced("abcdef", 4) == "```text\nabcd\n```\n\nand so on: only the beginning is shown here."
    assert fenced("abcd", 4) == "```text\nabcd\n```"


# Put together here, so that nobody takes them for real ones.
SECRETS = [
    "hf_" + "aB3" * 12,
    "sk-" + "proj-" + "x" * 24,
    "ghp_" + "a1" * 18,
    "AKIA" + "ABCDEFGH12345678",
    "xoxb-" + "1234567890-abc",
    "-----BEGIN RSA PRIVATE KEY-----\nMIIabc\n-----END RSA PRIVATE KEY-----",
    "-----BEGIN PRIVATE KEY-----\nnever ends",
    "eyJ" + "hbGciOiJIUzI1" + ".eyJ" + "zdWIiOiIxMjM0" + ".sig-nature",
    "ada:secret-word@",
]


@pytest.mark.parametrize("secret", SECRETS, ids=lambda secret: secret[:8].strip("-"))
@pytest.mark.parametrize("show", [lambda text: readable(text, 4_000), span, prose], ids=["block", "span", "prose"])
def test_secrets_are_not_shown(secret: str, show):
    shown = show(f"use https://{secret}host here" if secret.endswith("@") else f"use {secret} here")
    kept = secret.replace("\n", " ").rstrip("@")
    assert kept not in shown.replace("\\", "")
    assert REMOVED.strip("[]") in shown.replace("\\", "")


def test_mathematics_is_no_secret():
    text = "The token: 12 sk-1 and 2:3@4, a password is `x = 1234567890`; P(AKIA) = 1/2; \\boxed{hf_1}"
    assert readable(text, 1_000) == text


@settings(max_examples=60, deadline=None)
@given(st.lists(TEXTS, min_size=6, max_size=6), st.sampled_from(["accepted", "novelty"]))
def test_an_example_shows_its_texts_and_no_other_markup(texts: list[str], outcome: str):
    question, reference, reasoning, answer, value, reason = texts
    said = [
        Said("novelty@1", "problem", "fail", 0.5, value, reason),
        Said("form@1", "problem", "pass", None, None, None),
    ]
    row = Example("1f" * 16, outcome, reason, question, reference, "2f" * 16, reasoning, answer, said)
    tokens = MARKDOWN.parse("\n\n".join(examples(about_with(row))))
    wanted = [shown for text in (question, reasoning, answer) if (shown := readable(text, 4_000))]
    assert [token.content for token in of_type(tokens, "fence", "code_block")] == [f"{text}\n" for text in wanted]
    assert len(of_type(tokens, "html_block")) == (2 if reasoning else 0)
    assert len(of_type(tokens, "heading_open")) == 2
    assert not of_type(tokens, "html_inline", "link_open", "image", "table_open")


def about_with(row: Example) -> About:
    empty: dict = {}
    return About("sums", "v1", empty, empty, empty, empty, empty, [], [], [], [], None, [row], [], empty)
