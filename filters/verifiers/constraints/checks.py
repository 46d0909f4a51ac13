"""The constraints there are: what each looks at in a response, what it takes, and how it is asked for.

`CHECKS` is the table. A check either counts something, and then takes bounds (`at_least`, `at_most`, `exactly`), or
says whether something holds. Texts come without invisible characters. Ideas: IFEval, arXiv 2311.07911.
"""

from __future__ import annotations

import json
import re
import unicodedata
import warnings
from collections.abc import Callable, Mapping
from datetime import date
from functools import lru_cache
from typing import Any, NamedTuple

from filters.verifiers.constraints import language as languages
from filters.verifiers.constraints.text import (
    bullets,
    code_blocks,
    has_list,
    has_table,
    headings,
    lines,
    numbered_items,
    paragraphs,
    says_something,
    sentences,
    words,
)

Measured = int | bool | None  # a count, whether it holds, None for cannot tell


class Check(NamedTuple):
    """`measure` takes the text and the parameters; `{number}` in `says` makes it a check that counts.

    `slowly` is asked where `measure` cannot tell: it may be long, so it runs only in a process that can be killed.
    """

    measure: Callable[..., Measured]
    takes: tuple[str, ...]
    says: str
    slowly: Callable[..., Measured] | None = None
    optional: tuple[str, ...] = ()

    @property
    def counts(self) -> bool:
        return "{number}" in self.says


class Constraint(NamedTuple):
    """One row of a reference, once it is known to be usable."""

    check: str
    bounds: Mapping[str, int]
    parameters: Mapping[str, Any]


class Found(NamedTuple):
    """Whether a constraint holds, and the number that says so."""

    holds: bool | None
    number: int | None = None


def quickly(constraint: Constraint, text: str) -> Found:
    """What can be told in time that is linear in the text."""
    return _within(constraint.bounds, CHECKS[constraint.check].measure(text, **constraint.parameters))


def thoroughly(constraint: Constraint, text: str) -> Found:
    """As `quickly`, and then what the slow function says, if there is one."""
    found, slowly = quickly(constraint, text), CHECKS[constraint.check].slowly
    if found.holds is not None or slowly is None:
        return found
    return _within(constraint.bounds, slowly(text, **constraint.parameters))


def _within(bounds: Mapping[str, int], measured: Measured) -> Found:
    if measured is None or isinstance(measured, bool):
        return Found(measured)
    least = bounds.get("exactly", bounds.get("at_least", 0))
    most = bounds.get("exactly", bounds.get("at_most", measured))
    return Found(least <= measured <= most, measured)


# --- Keywords -----------------------------------------------------------------------------------------

# Cyrillic and Greek letters that look like Latin ones: a forbidden word is not less forbidden in them.
_LOOKALIKES = str.maketrans("аеорсухіјѕԁһԛԝνοικ", "aeopcyxijsdhqwvoik")
_BESIDE_WORDS = re.compile(r"\w")


def keyword_count(text: str, *, keyword: str) -> int:
    """How often a word or phrase stands in a text as a whole, whatever its case."""
    return len(_whole(keyword).findall(text))


def has_keywords(text: str, *, keywords: list[str]) -> bool:
    """Whether each of the words or phrases stands in it as a whole, whatever their case."""
    return all(_whole(keyword).search(text) for keyword in keywords)


def occurrences(text: str, *, text_part: str) -> int:
    """How often a string stands in a text, also within words, whatever its case."""
    return text.lower().count(text_part.lower())


def contains(text: str, *, texts: list[str]) -> bool:
    """Whether each of the strings stands in it, also within words, whatever their case."""
    text = text.lower()
    return all(part.lower() in text for part in texts)


def lacks_words(text: str, *, forbidden: list[str]) -> bool:
    """Whether none of the words is there, not even in full-width or look-alike letters."""
    folded = _folded(text)
    return not any(_whole(_folded(word)).search(folded) for word in forbidden)


def _whole(phrase: str) -> re.Pattern[str]:
    """The phrase where no word goes on before or after it, with any white space between its words."""
    phrase = phrase.strip()
    before = r"(?<!\w)" if _BESIDE_WORDS.match(phrase) else ""
    after = r"(?!\w)" if _BESIDE_WORDS.match(phrase[-1:]) else ""
    return re.compile(before + r"\s+".join(map(re.escape, phrase.split())) + after, re.IGNORECASE)


def _folded(text: str) -> str:
    if text.isascii():
        return text.lower()
    text = "".join([c for c in unicodedata.normalize("NFKC", text) if not unicodedata.combining(c)])
    return text.lower().translate(_LOOKALIKES)


def letter_count(text: str, *, letter: str) -> int:
    """How often a character occurs, whatever its case."""
    return text.lower().count(letter.lower())


# --- Case, punctuation, beginning and end --------------------------------------------------------------

_TOKEN = re.compile(r"\w+(?:['’-]\w+)*")  # noqa: RUF001
_COMMAS = re.compile("[,，،、﹐﹑‚︐]")  # noqa: RUF001
_NUMERAL = re.compile(r"(?<![\w.])\d++(?:[.,]\d++)*+(?![\w])")
_POINT = re.compile(r"\d\.(\d++)(?!\.\d)")


def capital_words(text: str) -> int:
    """Words in capitals alone; those with a hyphen or apostrophe count once."""
    return sum(map(str.isupper, _TOKEN.findall(text)))


def lacks_commas(text: str) -> bool:
    """Whether there is no comma, of whatever script, nor what looks like one."""
    return _COMMAS.search(text) is None


def starts_with(text: str, *, phrase: str) -> bool:
    """Whether it begins with these words, whatever their case; a quotation mark before them does not count."""
    found = _phrase(phrase).match(text.lstrip().lstrip('"').lower())
    return found is not None


def ends_with(text: str, *, phrase: str) -> bool:
    """Whether it ends with these words, whatever their case; a quotation mark after them does not count."""
    text, phrase = text.strip().strip('"').lower(), phrase.strip().lower()
    before = text[: -len(phrase)][-1:]
    return text.endswith(phrase) and not (_is_word(phrase[:1]) and _is_word(before))


def _phrase(phrase: str) -> re.Pattern[str]:
    phrase = phrase.strip().lower()
    return re.compile(re.escape(phrase) + (r"(?!\w)" if _is_word(phrase[-1:]) else ""))


def _is_word(character: str) -> bool:
    return _BESIDE_WORDS.match(character) is not None


def is_quoted(text: str) -> bool:
    """Whether all of it, and something, stands between straight double quotation marks."""
    text = text.strip()
    return len(text) > 2 and text[0] == text[-1] == '"' and says_something(text)


def ends_with_question(text: str) -> bool:
    """Whether its last sentence is a question; marks of quotation or emphasis after it do not count."""
    return bool(sentences(text)) and text.rstrip(" \n\t\"'”’*_)").endswith(("?", "？"))  # noqa: RUF001


def questions(text: str) -> int:
    """How many sentences are questions."""
    return sum(map(ends_with_question, sentences(text)))


def numerals(text: str) -> int:
    """How many numbers are written in digits: "1,250.50" is one, "3rd" and "A4" are none."""
    return len(_NUMERAL.findall(text))


def has_decimals(text: str, *, digits: int) -> bool:
    """Whether there are decimal numbers, each with so many digits after the point."""
    found = _POINT.findall(text)
    return bool(found) and all(len(decimals) == digits for decimals in found)


# --- Lengths ------------------------------------------------------------------------------------------


def how_many(parts_of: Callable[[str], list[str]]) -> Callable[[str], int]:
    """A check that counts the parts that a function finds."""
    return lambda text: len(parts_of(text))


def different_words(text: str) -> int:
    """How many words there are, each counted once, whatever its case."""
    return len({word.lower() for word in words(text)})


def character_count(text: str) -> int:
    """How many characters there are between the white space around it."""
    return len(text.strip())


def longest_line(text: str) -> int:
    """Characters of the longest line."""
    return max(map(len, lines(text)), default=0)


def longest_sentence(text: str) -> int:
    """Words of the longest sentence."""
    return max((len(words(sentence)) for sentence in sentences(text)), default=0)


def longest_paragraph(text: str) -> int:
    """Words of the longest paragraph."""
    return max((len(words(paragraph)) for paragraph in paragraphs(text)), default=0)


def parts(text: str, *, divider: str) -> Measured:
    """How many parts a divider separates; False when there is nothing between two dividers."""
    pieces = _divided(text, divider)
    return len(pieces) if all(map(says_something, pieces)) else False


def _divided(text: str, divider: str) -> list[str]:
    """What a divider separates, without the blanks before a first and after a last one."""
    pieces = text.split(divider)
    return pieces[not pieces[0].strip() : len(pieces) - (not pieces[-1].strip())]


def nth_paragraph_starts(text: str, *, nth: int, word: str, paragraphs_in_all: int | None = None) -> bool:
    """Whether the nth paragraph begins with this word, and there are so many paragraphs if that is asked."""
    found = paragraphs(text)
    if len(found) < nth or paragraphs_in_all not in (None, len(found)):
        return False
    first = found[nth - 1].split(maxsplit=1)[0].lstrip("'\"“")
    return re.split(r"[.,?!:;'\"”]", first, maxsplit=1)[0].lower() == word.lower()


def lines_start(text: str, *, phrase: str) -> bool:
    """Whether every line that is not blank begins with the phrase."""
    return bool(lines(text)) and all(line.startswith(phrase.strip()) for line in lines(text))


# --- Format -------------------------------------------------------------------------------------------

_PLACEHOLDER = re.compile(r"\[([^\[\]\n]+)\]")
_HIGHLIGHT = re.compile(r"(?<![*\\])(\*{1,3})(?![\s*])([^*\n]+)(?<!\s)\1(?!\*)")
_TITLE = re.compile(r"<<([^<>\n]+)>>")
_FENCED = re.compile(r"```(?:json)?[ \t]*\n?(.*)```", re.DOTALL | re.IGNORECASE)


def lacks_lists(text: str) -> bool:
    """Whether no line looks like an item of a list."""
    return not has_list(text)


def placeholders(text: str) -> int:
    """How many square brackets say something."""
    return sum(map(says_something, _PLACEHOLDER.findall(text)))


def highlights(text: str) -> int:
    """Spans in *one*, **two** or ***three*** asterisks that say something."""
    return sum(says_something(span) for _, span in _HIGHLIGHT.findall(text))


def sections(text: str, *, marker: str) -> int:
    """Different numbers after the marker at the beginning of lines, each with something to say before the next."""
    heading = re.compile(rf"^[ \t]*+[#*_>]*+[ \t]*+{re.escape(marker.strip())}[ \t]?(\d{{1,9}})(?!\d)", re.MULTILINE)
    _, *pieces = heading.split(text)
    numbered = zip(pieces[::2], pieces[1::2], strict=True)
    return len({int(number) for number, content in numbered if says_something(content)})


def has_title(text: str) -> bool:
    """Whether double angular brackets say something."""
    return any(map(says_something, _TITLE.findall(text)))


def has_postscript(text: str, *, marker: str) -> bool:
    """Whether the marker begins a word or line somewhere, whatever its case, and something follows it."""
    spaced = r"\s?".join(map(re.escape, re.findall(r".\.?", marker.strip()))) if "." in marker else re.escape(marker)
    found = re.search(rf"(?:^|(?<=[\s*_#>\"(])){spaced}", text, re.IGNORECASE)
    return found is not None and says_something(text[found.end() :])


def is_json(text: str) -> bool:
    """Whether all of it is one JSON object or array, perhaps in a ``` block."""
    text = text.strip()
    fenced = _FENCED.fullmatch(text)
    try:
        value = json.loads(fenced[1] if fenced else text, parse_constant=_no_number)
    except (ValueError, RecursionError):
        return False
    return isinstance(value, dict | list)


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def two_responses(text: str) -> bool:
    """Whether ****** separates exactly two responses that differ in more than punctuation and case."""
    pieces = [[word.lower() for word in words(piece)] for piece in _divided(text, "******")]
    return len(pieces) == 2 and all(pieces) and pieces[0] != pieces[1]


def repeats_prompt(text: str, *, prompt: str) -> bool:
    """Whether it begins with the prompt, whatever its case, and goes on to say something."""
    text, prompt = text.strip().lower(), prompt.strip().lower()
    return text.startswith(prompt) and says_something(text[len(prompt) :])


def is_one_of(text: str, *, options: list[str]) -> bool:
    """Whether it is one of the options and nothing else."""
    return " ".join(text.split()) in {" ".join(option.split()) for option in options}


def names_one_of(text: str, *, options: list[str]) -> bool:
    """Whether exactly one of the options stands in it. Of options that contain each other the longer counts."""
    longest_first = sorted(map(str.strip, options), key=len, reverse=True)
    found = re.findall(rf"(?<!\w)(?:{'|'.join(map(re.escape, longest_first))})(?!\w)", text)
    return len(set(found)) == 1


# --- Dates, languages, patterns -------------------------------------------------------------------------

_MONTHS = ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October"]
_MONTHS += ["November", "December"]
_MONTH = "|".join(_MONTHS)
DATE_FORMATS = {
    "YYYY-MM-DD": r"(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)",
    "DD/MM/YYYY": r"(?P<day>\d\d)/(?P<month>\d\d)/(?P<year>\d{4})",
    "MM/DD/YYYY": r"(?P<month>\d\d)/(?P<day>\d\d)/(?P<year>\d{4})",
    "DD.MM.YYYY": r"(?P<day>\d\d)\.(?P<month>\d\d)\.(?P<year>\d{4})",
    "Month D, YYYY": rf"(?P<month>{_MONTH}) (?P<day>[1-9]\d?), (?P<year>\d{{4}})",
    "D Month YYYY": rf"(?P<day>[1-9]\d?) (?P<month>{_MONTH}) (?P<year>\d{{4}})",
}
_ANY_DATE = re.compile(
    rf"(?<!\d)(?:\d{{4}}[-/.]\d\d?[-/.]\d\d?|\d\d?[-/.]\d\d?[-/.]\d{{4}}|"
    rf"(?:{_MONTH}) \d\d?,? \d{{4}}|\d\d? (?:{_MONTH}) \d{{4}})(?!\d)"
)


def dates(text: str, *, format: str) -> Measured:
    """How many dates there are; False if one of them is in another format, or in no calendar."""
    found = _ANY_DATE.findall(text)
    return len(found) if all(_is_date(each, DATE_FORMATS[format]) for each in found) else False


def _is_date(text: str, pattern: str) -> bool:
    found = re.fullmatch(pattern, text)
    if not found:
        return False
    month = found["month"]
    try:
        date(int(found["year"]), _MONTHS.index(month) + 1 if month in _MONTHS else int(month), int(found["day"]))
    except ValueError:
        return False
    return True


def english_in(case: Callable[[str], bool], is_in: Callable[..., bool | None]) -> Callable[[str], bool | None]:
    """A check that all letters have that case and make English."""
    return lambda text: is_in(text.lower(), language="en") if case(text) else False


def matches(text: str, *, pattern: str) -> bool:
    """Whether the whole response matches a regular expression; slow on some, so never asked quickly."""
    return compiled(pattern).fullmatch(text.strip()) is not None


@lru_cache(maxsize=64)
def compiled(pattern: str) -> re.Pattern[str]:
    """The expression; raises re.error. What Python merely warns of is no concern of who reads the verdict."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return re.compile(pattern)


def untold(text: str, *, pattern: str) -> None:
    """A stranger's pattern may take for ever, so nothing is said quickly."""


# --- The table ------------------------------------------------------------------------------------------

CHECKS: dict[str, Check] = {
    # How long?
    "words": Check(how_many(words), (), "Write {number} word{s}."),
    "different_words": Check(different_words, (), "Use {number} different word{s}."),
    "sentences": Check(how_many(sentences), (), "Write {number} sentence{s}."),
    "paragraphs": Check(how_many(paragraphs), (), "Write {number} paragraph{s}, separated by blank lines."),
    "parts": Check(parts, ("divider",), "Write {number} part{s}, separated by {divider}."),
    "lines": Check(how_many(lines), (), "Write {number} line{s} that are not blank."),
    "characters": Check(character_count, (), "Write {number} character{s}."),
    "longest_line": Check(longest_line, (), "Let the longest line have {number} character{s}."),
    "longest_sentence": Check(longest_sentence, (), "Let the longest sentence have {number} word{s}."),
    "longest_paragraph": Check(longest_paragraph, (), "Let the longest paragraph have {number} word{s}."),
    # Which words and letters?
    "keywords": Check(has_keywords, ("keywords",), "Use each of these words: {keywords}."),
    "keyword_count": Check(keyword_count, ("keyword",), "Use the word {keyword} {number} time{s}."),
    "contains": Check(contains, ("texts",), "Let these strings occur: {texts}."),
    "occurrences": Check(occurrences, ("text_part",), "Let the string {text_part} occur {number} time{s}."),
    "forbidden_words": Check(lacks_words, ("forbidden",), "Do not use any of these words: {forbidden}."),
    "letter_count": Check(letter_count, ("letter",), "Let the letter {letter} occur {number} time{s}."),
    "numerals": Check(numerals, (), "Use {number} number{s} written in digits."),
    "decimals": Check(has_decimals, ("digits",), "Write decimal numbers with {digits} digits after the point."),
    "dates": Check(dates, ("format",), "Write {number} date{s}, all in the format {format}."),
    # Which case and signs?
    "upper_case": Check(str.isupper, (), "Write in capital letters only."),
    "lower_case": Check(str.islower, (), "Write in small letters only."),
    "english_upper_case": Check(
        english_in(str.isupper, languages.is_in),
        (),
        "Write in English, in capital letters only.",
        english_in(str.isupper, languages.is_probably_in),
    ),
    "english_lower_case": Check(
        english_in(str.islower, languages.is_in),
        (),
        "Write in English, in small letters only.",
        english_in(str.islower, languages.is_probably_in),
    ),
    "capital_words": Check(capital_words, (), "Write {number} word{s} in capital letters only."),
    "no_commas": Check(lacks_commas, (), "Do not use commas."),
    "language": Check(languages.is_in, ("language",), "Write in {language} only.", languages.is_probably_in),
    # How does it begin and end?
    "starts_with": Check(starts_with, ("phrase",), "Begin with the words {phrase}."),
    "ends_with": Check(ends_with, ("phrase",), "End with the words {phrase}, and nothing after them."),
    "ends_with_question": Check(ends_with_question, (), "End with a question."),
    "questions": Check(questions, (), "Ask {number} question{s}."),
    "quoted": Check(is_quoted, (), 'Put the whole response between double quotation marks (").'),
    "postscript": Check(has_postscript, ("marker",), "Add a postscript at the end that begins with {marker}."),
    "repeats_prompt": Check(repeats_prompt, ("prompt",), "First repeat this word for word, then answer: {prompt}"),
    "paragraph_starts": Check(
        nth_paragraph_starts,
        ("nth", "word"),
        "Begin paragraph {nth} with the word {word}; separate paragraphs by blank lines.",
        optional=("paragraphs_in_all",),
    ),
    "lines_start": Check(lines_start, ("phrase",), "Begin every line with {phrase}."),
    # In which format?
    "bullets": Check(how_many(bullets), (), 'Write {number} Markdown bullet point{s} ("* ...").'),
    "numbered_items": Check(how_many(numbered_items), (), 'Write {number} numbered item{s} ("1. ...").'),
    "no_lists": Check(lacks_lists, (), "Do not use bullet points or numbered lists."),
    "headings": Check(how_many(headings), (), 'Write {number} Markdown heading{s} ("# ...").'),
    "sections": Check(
        sections, ("marker",), "Write {number} section{s}, each beginning with {marker} and its number."
    ),
    "highlights": Check(highlights, (), "Highlight {number} passage{s} with asterisks, as in *this*."),
    "placeholders": Check(placeholders, (), "Use {number} placeholder{s} in square brackets, as in [address]."),
    "title": Check(has_title, (), "Give it a title in double angular brackets, as in <<poem of joy>>."),
    "json": Check(is_json, (), "Answer with one JSON object or array and nothing else; a ``` block is allowed."),
    "code_blocks": Check(how_many(code_blocks), (), "Write {number} block{s} of code between lines of ```."),
    "table": Check(has_table, (), "Write a Markdown table."),
    "two_responses": Check(two_responses, (), "Give two different responses, separated by ******."),
    "one_of": Check(is_one_of, ("options",), "Answer with one of these and nothing else: {options}."),
    "names_one_of": Check(names_one_of, ("options",), "Answer with exactly one of these: {options}."),
    "matches": Check(untold, ("pattern",), "Let the whole response match the regular expression {pattern}.", matches),
}
