r"""What does a last line say? Only what stands there as a whole: no number is picked out of a formula.

"So $x = 5$", "The length is √2.", "Each of the 4 children gets 8 candies." state an answer. A heading, a question,
a doubt, a plan and a sentence of several values that are not joined state none.
"""

from __future__ import annotations

import re
from itertools import pairwise

from filters.verifiers.math.names import NAMED
from filters.verifiers.math.notation import normal_notation
from filters.verifiers.math.quantities import quantity

MAX_LINE = 1_000  # characters
MAX_WORDS = 3  # of a response that is nothing but its answer

INLINE = re.compile(r"(?<![\\$])\$([^$\n]+)(?<!\\)\$|\\\((.+?)\\\)")
BOLD = re.compile(r"\*\*([^*\n]{1,200})\*\*")
_HEADING = re.compile(r"\W{0,9}(?:step|case|part|question|problem|exercise|example|note|hint)\b", re.IGNORECASE)
_NO_STATEMENT = re.compile(
    r"\b(?:not|cannot|can't|isn't|don't|doesn't|unsure|unclear|unknown|wait|let me|let us|let's|suppose|assume|"
    r"consider|check|where|whether|perhaps|maybe|need to find|we need|more than|less than|at least|at most|or so|"
    r"wrong|incorrect|invalid|rejected|we (?:subtract|add|multiply|divide))\b",
    re.IGNORECASE,
)
_CHATTER = re.compile(r"(?:let me know|i hope|hope (?:this|that)|feel free|please|if you have)\b", re.IGNORECASE)
_LEAD = re.compile(
    r"(?:so|thus|therefore|hence|then|finally|and|now|we (?:get|have|find|obtain))\b,?\s+"
    r"|(?:∴|=>|⇒|→|\[answer\])\s*|(?:ans|result|solution|total|output)(?:[:.]|\s=)\s*",
    re.IGNORECASE,
)
_LINK = re.compile(r"\s(?:is|are|equals|be|was|will be)(?: (?:a|an|equal to|exactly|thus|therefore))?:?\s")
_SEVERAL = re.compile(r"\d\S{0,9} (?:and|or|but) [A-Za-z]{2}")  # "Tom is 5 and Ann is 6"
_WORD = re.compile(r"(?<![A-Za-z\\])(?!(?:sqrt|sin|cos|tan|cot|sec|csc|log|exp|arctan|arcsin|arccos)\b)[A-Za-z]{3,}")
_SMALL_WORD = re.compile(r"(?<![A-Za-z\\])(?:an?|is|we|so|to|of|as|at|be|by|he|if|in|it|me|my|no|on|or|up|us|do)\b")
_FORMULA = re.compile(r"[\d=+^/*\\<>-]|√")
_GIVEN = re.compile(
    r"(?:\b(?:the|these|those|of|each|all|every|per|in|for|after|within|case|step|day)|#)\s+$", re.IGNORECASE
)
_NUMBER = re.compile(r"(?<![\w.,/^\\{:])[-−]?(?:[$€£]\s?)?(?:\d[\d,]*\d|\d)(?:\.\d+)?(?:/\d+)?(?:\s?%)?(?![\w^:/])")  # noqa: RUF001
_BEFORE_NUMBER = re.compile(r"(?:^|[\w)*,:])[ *:]{0,3}$")
_CHANGED_BEFORE = re.compile(
    r"\b(?:minus|negative|ln|log|sqrt|root|than|least|most|times|plus|over|above|below|under|exceeds|to|or|mod|case|"
    r"step|question|problem|equation|number|part|page|the|these|those|[a-z])\s*$",
    re.IGNORECASE,
)
_AFTER_NUMBER = re.compile(
    r"\s*(?:[.,;)*。]|!?$)|[A-Za-z]|\s+(?!(?:million|billion|thousand|hundred|times|plus|minus|more|less|or|and|to|mod|"
    r"percent|of|by|out)\b)[A-Za-z]{2}"
)


def stated(line: str) -> str | None:
    """The answer that a line states, None where it states none or several that are not joined."""
    line = line.strip()
    if not line or len(line) > MAX_LINE or line[0] == "#" or line[-1] in "?:" or _HEADING.match(line):
        return None
    if (bold := _in_bold(line)) is not None:
        return bold
    if _NO_STATEMENT.search(line):
        return None
    line = _without_lead(line)
    links = list(_LINK.finditer(line))
    if links and _SEVERAL.search(line, links[0].end(), links[-1].start()):
        return None
    tails = [line[link.end() :] for link in (*links[:1], *links[-1:])]
    wholes = map(_as_a_whole, (line, *tails))
    return next((found for found in wholes if found is not None), None) or _counted(line)


def bare(text: str) -> str | None:
    """A response that is nothing but its answer: one line with a formula or at most three words."""
    line = text.strip()
    if not line or "\n" in line or len(line) > 100 or line[-1] in "?:" or line[0] in "#<" or _HEADING.match(line):
        return None
    short = len(line.split()) <= MAX_WORDS and not _NO_STATEMENT.search(line) and not _LEAD.match(line)
    return line if short or reads(line) else None


def last_statement(text: str) -> str | None:
    """What the last line states that is no chat with the reader."""
    lines = text.rstrip()[-4 * MAX_LINE :].rsplit("\n", 6)[-6:]
    said = [line.strip() for line in lines if line.strip() and not _CHATTER.match(line.strip())]
    line = said[-1].removeprefix("A:") if said else ""
    return stated(line) or stated(re.split(r"[.?!] +(?=[A-Z])", line)[-1])


def reads(part: str) -> bool:
    """Whether a part of a line is an answer as it stands: a formula, a list of them, a number with its unit."""
    normal = normal_notation(part)
    if "<<" in part or ">>" in part:  # a cut calculator mark of GSM8K
        return False
    if quantity(normal):
        return True
    symbols = re.sub(r"\\text\{[^{}]*\}", "", normal)
    return bool(_FORMULA.search(normal)) and not (_WORD.search(symbols) or _SMALL_WORD.search(symbols) or "?" in part)


def _without_lead(line: str) -> str:
    for _ in range(3):
        line = line[found.end() :] if (found := _LEAD.match(line)) else line
    return line


def _in_bold(line: str) -> str | None:
    """The one bold span of a line, or several that are joined, if it is no title."""
    spans = list(BOLD.finditer(line))
    if not spans or _HEADING.match(spans[-1][1]) or spans[-1][1].rstrip().endswith((":", "?")):
        return None
    between = [line[a.end() : b.start()] for a, b in pairwise(spans)]
    if any(not re.fullmatch(r"\s?(?:,|,?\s?(?:and|or))\s?", gap) for gap in between):
        return None
    ends = not line[spans[-1].end() :].strip(" .!$")
    if not ends and (_NO_STATEMENT.search(line) or not re.search(r"\d", spans[-1][1]) or len(spans) > 1):
        return None
    return ", ".join(_without_lead(span[1].strip()) for span in spans)


def _as_a_whole(part: str) -> str | None:
    """A part that is an answer, or the formulas in it when nothing else there is."""
    part = part.strip().strip("*").strip().removesuffix(".")
    if formulas := list(INLINE.finditer(part)):
        return _only_formulas(part, formulas)
    if reads(part):
        return _last_side(part)
    return _result(part)


_ARITHMETIC = "0123456789 .,$€£%()+*/×÷·-−"  # noqa: RUF001


def _result(part: str) -> str | None:
    """The right side of "Total cost = 5", of "5 + 25 = 30 minutes", of "She makes 9 * 2 = 18 dollars a day"."""
    before, equals, value = part.rpartition("=")
    named = part.partition("=")[0]
    in_words = not re.search(r"[\d+*/^\\]", named) and not _LINK.search(named)
    sum_of_numbers = before[len(before.rstrip(_ARITHMETIC)) :].strip()
    if not equals or not (in_words or reads(before) or sum_of_numbers[:1] in tuple("0123456789$€£(")):
        return None
    if re.search(r"\b(?:and|or)\b", value):
        return None
    return value.strip() if reads(value) else _counted_first(value)


def _counted_first(value: str) -> str | None:
    """The number that begins a text of no other."""
    number = _NUMBER.match(value.strip())
    rest = value.strip()[number.end() :] if number else ""
    return number[0] if number and not re.search(r"\d", rest) and _AFTER_NUMBER.match(rest) else None


def _last_side(formula: str) -> str:
    """The last side of a chain that names nothing, "2(3) + 1 = 6 + 1 = 7"; any other formula as a whole."""
    sides = formula.split("=")
    if len(sides) < 3 or re.search(r"[,;<>≤≥]", formula) or re.fullmatch(NAMED, sides[0].strip()):
        return formula
    return sides[-1].strip()


def _only_formulas(part: str, formulas: list[re.Match[str]]) -> str | None:
    """The formulas of a part that are one answer: no number beside them, nothing that goes on with them."""
    if _NUMBER.search(INLINE.sub("", part)) or continued(part[formulas[-1].end() :]):
        return None
    for one, following in pairwise(formulas):
        if not JOINT.fullmatch(part[one.end() : following.start()]):
            return None
    if len(formulas) == 1:
        unit = re.match(r"\s?(\\?%|percent\b|degrees?\b)", part[formulas[0].end() :])
        return (formulas[0][1] or formulas[0][2]) + (f" {unit[1]}" if unit else "")
    return ", ".join(found[1] or found[2] for found in formulas)


JOINT = re.compile(r"\s*(?:,|,?\s?and|,?\s?or|和|或)\s*")
_CONTINUED = re.compile(
    r"\([\w$\\(]|\s*(?:(?:million|billion|trillion|thousand|hundred|dozen|times|plus|minus|divided|over|mod|or|if|when|to|more|"
    r"less|out of)\b|[-+*/^×·÷√±!²³:;%‰=<>≤≥≠]\s*[\w$\\(√]|[a-z]\b(?!')|\(or\b)",  # noqa: RUF001
    re.IGNORECASE,
)


def continued(rest: str) -> bool:
    """Whether what follows a formula changes it: "$3$ million", "$5$ or $6$", "$5$x"."""
    return _CONTINUED.match(rest) is not None and not re.match(r"\s?\(?(?:since|because|as)\b", rest)


def _counted(line: str) -> str | None:
    """The one number of a sentence that is no formula, beside those that it takes as given ("the 4 children")."""
    if INLINE.search(line) or "=" in line or line[-1] not in ".!*。)":
        return None
    numbers = list(_NUMBER.finditer(line))
    digits = re.findall(r"[\d½⅓¼¾²³⁰¹⁴-⁹]+", line)
    if not 0 < len(numbers) <= 6 or len(digits) > sum(len(re.findall(r"\d+", found[0])) for found in numbers):
        return None
    asked = [found for found in numbers if not _GIVEN.search(line[max(0, found.start() - 12) : found.start()])]
    only = asked if len(numbers) > 1 else numbers
    return only[0][0] if len(only) == 1 and _stands_alone(line, only[0]) else None


def _stands_alone(line: str, number: re.Match[str]) -> bool:
    before, after = line[: number.start()][-20:], line[number.end() :]
    return bool(_BEFORE_NUMBER.search(before) and not _CHANGED_BEFORE.search(before) and _AFTER_NUMBER.match(after))
