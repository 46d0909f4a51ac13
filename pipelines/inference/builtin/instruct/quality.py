"""What an instruction demands and what is wrong with it, read from its text alone."""

import re
from typing import NamedTuple


def word_list(text: str) -> list[str]:
    """`a b c` as a list."""
    return text.split()


MATERIAL = (
    r"(?:text|article|e-?mail|data|table|code|list|paragraph|passage|notes|report|function|"
    r"letter|transcript|figures|draft)"
)
MISSING = re.compile(
    rf"\b(?:the )?{MATERIAL} (?:below|above|that follows|attached|I (?:pasted|attached|sent))\b|"
    rf"\b(?:the )?(?:following|attached|enclosed) {MATERIAL}\b|\bas (?:attached|pasted) (?:below|above)\b",
    re.I,
)
VAGUE = re.compile(
    r"\b(?:stuff|whatever (?:fits|you like|works)|something (?:nice|good|cool|interesting)|you "
    r"know what I mean|and so on|do your thing)\b",
    re.I,
)
AT_MOST = re.compile(
    r"\b(?:at most|no more than|not more than|up to|under|fewer than|maximum of|within) (\d+) words", re.I
)
AT_LEAST = re.compile(r"\b(?:at least|no fewer than|no less than|more than|minimum of) (\d+) words", re.I)
BULLETS = re.compile(
    r"\b(?:exactly |in |as |with |use )?(\d+|three|four|five|six|seven) (?:bullet points?|bullets|points)\b", re.I
)
NO_LIST = re.compile(r"\b(?:no|without|avoid)(?: any)? (?:bullet points?|bullets|lists?)\b", re.I)
COUNTS = {"three": 3, "four": 4, "five": 5, "six": 6, "seven": 7}
STOP = frozenset(
    word_list(
        "the and for with that this from into your you are was were will would about which what when "
        "where how why who whom have has had not its their them they then than but per can could "
        "should must may one two three four five six seven use using write draft give list explain "
        "describe propose suggest plan prepare outline summarise compare most least more words word "
        "bullet points exactly short please step reader readers tone keep make answer text below "
        "above following attached"
    )
)


class Limits(NamedTuple):
    """Limits stated in an instruction; `None` where there is none."""

    at_most: int | None
    at_least: int | None
    bullets: int | None
    no_list: bool


def limits(instruction: str) -> Limits:
    """The limits on words and bullet points that the text states."""
    most, least, bullets = (p.search(instruction) for p in (AT_MOST, AT_LEAST, BULLETS))
    counted = bullets[1].lower() if bullets else None
    return Limits(
        int(most[1]) if most else None,
        int(least[1]) if least else None,
        COUNTS.get(counted) or int(counted) if counted else None,
        bool(NO_LIST.search(instruction)),
    )


def defects(instruction: str) -> list[str]:
    """What makes the instruction impossible to serve well; empty for a sound one."""
    found = []
    reference = MISSING.search(instruction)
    if reference and not material_after(instruction[reference.end() :]):
        found.append("refers to material that is not there")
    stated = limits(instruction)
    if stated.at_most is not None and stated.at_least is not None and stated.at_least > stated.at_most:
        found.append(f"wants at least {stated.at_least} and at most {stated.at_most} words")
    if stated.bullets and stated.no_list:
        found.append("wants bullet points and forbids them")
    if VAGUE.search(instruction) or len(instruction.split()) < 4:
        found.append("does not say what is wanted")
    return found


def defective(instruction: str) -> bool:
    """Whether the instruction has a defect that can be seen in its text."""
    return bool(defects(instruction))


def material_after(rest: str) -> bool:
    """Whether material follows: at least eight words after a colon or a line break, or in quotation marks."""
    blocks = re.findall(r"(?::\s*|\n\s*)(\S[\s\S]*)|[\"“]([^\"”]+)[\"”]", rest)
    return any(len((a or b).split()) >= 8 for a, b in blocks)


def key_words(text: str) -> list[str]:
    """The content words of a text, in order, each once."""
    words = re.findall(r"[^\W\d_]{4,}", text.lower())
    return list(dict.fromkeys(word for word in words if word not in STOP))
