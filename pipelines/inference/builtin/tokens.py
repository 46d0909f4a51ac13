"""A simple count of tokens: words and punctuation marks."""

import re

TOKEN = re.compile(r"\w+|[^\w\s]")


def count(text: str) -> int:
    """How many words and punctuation marks the text has."""
    return sum(1 for _ in TOKEN.finditer(text))


def cut(text: str, *, at_most: int) -> str:
    """The text up to and with token number `at_most`, or all of it if it has no more."""
    for i, token in enumerate(TOKEN.finditer(text)):
        if i == at_most:
            return text[: token.start()].rstrip()
    return text
