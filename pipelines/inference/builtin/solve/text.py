"""Reading aids: numbers in any spelling, sentences and clauses, lettered options, vague words."""

import re
from fractions import Fraction

UNITS = {w: i for i, w in enumerate(["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"])}
TEENS = {
    w: i + 10
    for i, w in enumerate(
        ["ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"]
    )
}
TENS = {
    w: 10 * i for i, w in enumerate(["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"], 2)
}
ORDINALS = {
    w: i
    for i, w in enumerate(
        ["third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth", "eleventh", "twelfth"], 3
    )
}
PARTS = {"half": 2, "halves": 2, "third": 3, "quarter": 4, "fourth": 4, "fifth": 5, "sixth": 6, "tenth": 10}

_unit, _teen, _tens = "|".join(UNITS), "|".join(TEENS), "|".join(TENS)
_small = rf"(?:(?:{_tens})(?:[- ](?:{_unit}))?|{_teen}|{_unit})"
SPELLED = re.compile(rf"\b(?:(?:(?:{_unit}|a) hundred)(?:(?: and)? {_small})?|{_small})\b", re.I)
PART = re.compile(rf"\b(?:(an?|one|\d+) )?({'|'.join(PARTS)})s?\b(?= (?:of|as)\b)", re.I)
ORDINAL = re.compile(rf"\b({'|'.join(ORDINALS)})(?= (?:term|number|element|member|entry))", re.I)
NUMBER = re.compile(r"\d+/\d+|\d+(?:\.\d+)?")
OPTION = re.compile(r"(?:^|\s)\(?([A-G])(?:\)|\.|:)\s+(.+?)(?=\s+\(?[A-G](?:\)|\.|:)\s|\s*$)", re.S)
VAGUE = re.compile(r"\b(?:several|a few|a handful of|a number of|quite a few|a small pile of)\b", re.I)
HEDGED = re.compile(
    r"\b(?:not|never|almost|nearly|instead|unless|wants?|wanted|would|could|wish\w*|plan(?:s|ned)?|about|"
    r"approximately|roughly|except|if|ago|yesterday|tomorrow)\b|n't\b",
    re.I,
)
REMARK = re.compile(r"\b(?:answer|result|comes to|solution|hint)\b", re.I)
GIVEN_AWAY = re.compile(
    r"\s*(?:\([^()]*\b(?:answer|result|comes to|solution)\b[^()]*\)|[^.!?]*\bhint\b[^!?\n]*?(?:[.!](?=\s|$)|$)|"
    r"(?:Note that|Remember that|Of course,)?\s*the (?:correct |right )?(?:answer|solution) is "
    r"(?:yes|no|[A-G]|[\d/.]*\d)\.)",
    re.I,
)


def word_list(text: str) -> list[str]:
    """`a b c` as a list."""
    return text.split()


def spelled(match: re.Match[str]) -> str:
    """Digits for a number word; `one` and `of the two` stay, for they count nothing new."""
    words = re.split(r"[- ]", match[0].lower())
    back = match.string[: match.start()].lower().endswith("of the ") and words[0] in ("two", "three", "four")
    if words == ["one"] or back:
        return match[0]
    hundreds = 0
    if "hundred" in words:
        hundreds, words = 100 * UNITS.get(words[0], 1), words[2:]
    return str(hundreds + sum((UNITS | TEENS | TENS).get(word, 0) for word in words))


def plain(text: str) -> str:
    """Every number in digits: `twenty-five` 25, `1,200` 1200, `a third of` 1/3 of, `twice` 2 times."""
    text = text.replace("\u2019", "'").replace("\u00d7", "*").replace("$", "")
    text = re.sub(r"(?<=\d),(?=\d{3}\b)", "", text)
    text = re.sub(r"\btwice\b|\bdouble (?=the|that|what|as)", "2 times ", text, flags=re.I)
    text = re.sub(r"\bthrice\b|\btriple (?=that|what|as)", "3 times ", text, flags=re.I)
    text = ORDINAL.sub(lambda m: f"{ORDINALS[m[1].lower()]}th", text)
    text = SPELLED.sub(spelled, text)
    text = PART.sub(lambda m: f"{m[1] if (m[1] or '').isdigit() else 1}/{PARTS[m[2].lower()]}", text)
    text = re.sub(r"\b(\d+|a) dozen\b", lambda m: str(12 * int(m[1]) if m[1] != "a" else 12), text)
    return re.sub(r"[ \t]+", " ", text).strip()


def numbers(text: str) -> list[Fraction]:
    """Every number in digits, in order."""
    return [Fraction(found) for found in NUMBER.findall(text) if not found.endswith("/0")]


def sentences(text: str) -> list[str]:
    """Pieces between full stops, question marks, semicolons and line ends; decimals stay whole."""
    return [s.strip() for s in re.split(r"(?<=[?!;])|\.(?!\d)|\n", text) if s.strip(" ;.")]


def clauses(text: str) -> list[str]:
    """Sentences cut further at `, and`, `and then`, `, then`, `but`, and at commas between words."""
    pieces = [
        re.split(r",\s+and\s+(?:then\s+)?|\s+and\s+then\s+|,\s+(?:then\s+)?|\s+but\s+", s) for s in sentences(text)
    ]
    return [clause.strip() for group in pieces for clause in group if clause.strip()]


def options(text: str) -> tuple[str, dict[str, str]]:
    """The question without its lettered options, and these by letter; none unless they are A, B, C ... in order."""
    start = re.search(r"(?:^|\s)\(?A(?:\)|\.|:)\s+\S", text)
    if not start:
        return text, {}
    found = {letter: option.strip().rstrip(".,;") for letter, option in OPTION.findall(text[start.start() :])}
    if len(found) < 2 or list(found) != list("ABCDEFG"[: len(found)]):
        return text, {}
    return text[: start.start()].strip(), found


def without_gift(text: str) -> str:
    """The question without a remark that gives its answer away."""
    return GIVEN_AWAY.sub("", text) if REMARK.search(text) else text


ASK = re.compile(r"\?|^\s*(?:find|determine|work out|give|compute|calculate|state|what|how)\b", re.I)


def asked(text: str) -> tuple[str, str]:
    """The story and the question, the latter from the first asking sentence on."""
    parts = sentences(text)
    at = next((i for i, part in enumerate(parts) if ASK.search(part)), len(parts))
    return ". ".join(parts[:at]), " ".join(parts[at:])
