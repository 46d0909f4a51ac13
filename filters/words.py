"""The words of a text, as novelty and length see them."""

from __future__ import annotations

import re
import unicodedata

# Chinese and Japanese are written without spaces: there each character counts as a word.
_IDEOGRAM = r"\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_WORD = re.compile(rf"[{_IDEOGRAM}]|[^\W_{_IDEOGRAM}]+")


def words(text: str) -> list[str]:
    """Runs of letters and digits, in lower case and in one Unicode form; signs and punctuation are no words."""
    return _WORD.findall(unicodedata.normalize("NFKC", text).lower())
