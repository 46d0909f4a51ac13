r"""Was the right option picked? For questions with options (A), (B), (C) ...

A reference is the letter of the key, or a JSON object with the options, as they were shown to the model:

    {"key": "B", "options": {"A": "12", "B": "13"}}
    {"key": "B", "options": ["12", "13"]}           in a list they are A, B, C ...; a number counts from 0

With options, an answer may name the label, give the content of the option, or both: then they have to agree.
Contents are the same if they are the same text but for case, spacing and decoration, or the same mathematics.
An answer that names several options is wrong, whichever they are.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from itertools import combinations
from string import ascii_uppercase
from typing import NamedTuple

from filters.verifiers import math
from filters.verifiers.math import extraction
from filters.verifiers.math.extraction import MAX_ANSWER, last_box
from filters.verifiers.math.notation import flat, normal_notation
from filters.verifiers.outcome import Outcome, failed, passed, unsure

SECONDS = 5.0
MAX_OPTIONS = 26

Comparison = Callable[[str, str], bool | None]

# --- What was picked? ---------------------------------------------------------------------------------

_LABEL = r"(?:option\s|choice\s)?[(\[*$\"']{0,4}[A-Z](?![\w'])"
_ANNOUNCED = re.compile(
    r"\b(?:answers?|(?:correct|right|best|final|my)\s(?:option|choice|one))(?:\*\*)?"
    rf"(?:\s?(?:is|are|would be|must be|should be)\b\s?:?|\s?[:=–-]|\s{{0,3}}(?=(?-i:(?!I\s[a-z]){_LABEL})))"  # noqa: RUF001
    r"[\s*]{0,4}(?:(?:option|choice)\s)?(?=\S)"
    rf"|(?<!not\s)(?<!n't\s)\b(?:choose|select|pick|go with)\s(?=(?-i:{_LABEL}))(?:(?:option|choice)\s)?"
    r"|\b(?:respuesta|resposta|risposta|réponse|antwort|ответ)(?:\s\w{1,12})?\s?(?:es|é|è|est|ist|:|—)\s?:?[\s*]{0,4}(?=\S)"
    r"|答案(?:是|为|為)?(?:：|:)?\s{0,3}",  # noqa: RUF001
    re.IGNORECASE,
)
_NO_ANNOUNCEMENT = re.compile(r"\W{0,3}(?:in)?correct\b|\W{0,3}wrong\b", re.IGNORECASE)
_NEGATED = re.compile(rf"\bnot\s(?:{_LABEL})", re.DOTALL)
_SAID_CORRECT = re.compile(
    r"(?<![\w'])\(?([A-Z]\)?(?:\s\([^()\n]{1,60}\))?)(?:\*\*)?\s(?:is|must be)\s(?:the\s)?(?:only\s)?"
    r"(?:(?:correct|right|best)(?:\s(?:answer|option|choice|one))?|answer)(?=[\s)*]{0,3}(?:$|[.;!]|,?\s?(?:because|since)\b))",
    re.MULTILINE,
)
_NOT_OF_ITS_OWN = re.compile(
    r"\b(?:nor|neither|and|or|if|not|whether|that|why)\s(?:option\s|choice\s)?\W*$", re.IGNORECASE
)
_EXPLAINS = re.compile(
    r"[.!*)]\s{1,3}(?:(?:the|all|both|none of the)\s)?(?:other\s|remaining\s)?"
    r"(?:options?|choices?|answers?|others|I hope|I think|this is|that is|if you|let me|here)\b.*",
    re.IGNORECASE,
)
_OPTION = re.compile(r"\b(?:option|choice)\s\(?([A-Z])(?=\)|[.:*]|\s*$)", re.IGNORECASE | re.MULTILINE)
_COMMAND = re.compile(r"\\(?:boxed|[A-Za-z]+)")
_ALONE = re.compile(r"[^A-Za-z0-9]*([A-Za-z])[^A-Za-z0-9]*")
_NAMED = re.compile(r"(?<![A-Za-z'\\])([A-Z])(?![A-Za-z'])")
_MARKED = re.compile(r"\(([A-Z])\)|(?<![A-Za-z\\])([A-Z])[.):](?=[\s*$}]|$)")
_BEGINS = re.compile(
    r"[\s*(\[{$\"'`]*(?:option |choice )?\(?([A-Za-z0-9]{1,4})[}\]$]{0,2}"
    r"(?:\)|\.(?!\d)|:|\*\*|\s*$|(?=\s+\()|(?=,\s)|(?=\s+(?:because|since|as)\b))",
    re.IGNORECASE,
)
_WRONG = re.compile(r"[A-Z]\W{1,6}(?:is\s)?(?:wrong|incorrect|false|not)\b", re.IGNORECASE)
_LINE_LABEL = re.compile(r"^[\s*-]{0,4}(?:option\s|choice\s)?\(?[A-Z][.):]", re.IGNORECASE | re.MULTILINE)
_EXPLICIT = re.compile(
    r"[\s*(\[{$\"'`]*(?:(?:option|choice)\s)?\(?([A-Z])[}*\]$]*"
    r"(?:[.):](?=[\s.,:*}$\\A-Z({)]|$)|(?=\s\()|(?=,?\s(?:because|since|as|which|due)\b))[\s*})\]$.:]*",
)
_NEXT_LABEL = re.compile(
    r"\W*(?:\([A-Z]\)|[A-Z][.):](?=\s|$))|[\s*}$)]*(?:[,/&+;|-]|and\b|or\b)[\s*({$]*(?:option\s|choice\s)?\(?[A-Z](?![\w'])"
)
_TAKES_BACK = re.compile(
    r"\b(?:wait|no,|actually|rather(?!\sthan)|instead(?!\sof)|maybe|perhaps|possibly|alternatively|correction|I mean"
    r"|but|however)",
    re.IGNORECASE,
)
_OF_SEVERAL = re.compile(
    r"\W*(?:both|neither|either)\s\W?[A-Z]\W{1,3}(?:and|or|nor)\s\W?[A-Z](?![\w'])", re.IGNORECASE
)
_OTHER_LABEL = re.compile(
    r"\([A-Z]\)|(?<![\w'])(?<!\bof\s)(?<!\bto\s)[A-Z][.):](?=[\s*]|$)|\b(?:or|also)\s[\s*({\"]{0,3}(?:option\s|choice\s)?[A-Z](?![\w'])"
)
_ARTICLE = re.compile(r"(?<![A-Za-z])[AI](?= (?!or |and )[a-z])")


def final_answer(text: str) -> str | None:
    r"""What a response picks: a capital letter where only that is said, else the words in which it is said, or None.

    Looked for in an <answer> element, the last `\boxed{...}`, after the last "answer is", "answer:" or "I choose",
    or before the last "is correct"; in the last line, if that is bold or begins with a label ("(B)", "B.",
    "B) Paris"); in the only "option B"; in such a first line; in a response of a few words. What explains the other
    options does not count. Never raises; linear.
    """
    finds = (_tagged, last_box, extraction.keyed, _announced, _last_line, _only_option, _first_line, _few_words)
    found = extraction.first_found(text, finds)
    if found is None or len(found) > MAX_ANSWER or not any(map(str.isalnum, found)):
        return None
    alone = _ALONE.fullmatch(_COMMAND.sub("", found))
    return alone[1].upper() if alone else found.strip(" \t\n*.:")


def _tagged(text: str) -> str | None:
    return extraction.tagged(text)


def _announced(text: str) -> str | None:
    """What the last announcement says; "" if that is what the answer is not."""
    starts = [found.end() for found in _ANNOUNCED.finditer(text) if not _NO_ANNOUNCEMENT.match(text, found.end())]
    called = [found for found in _SAID_CORRECT.finditer(text) if not _shared(text, found.start())]
    if called and (not starts or _TAKES_BACK.search(text[starts[-1] : called[-1].start()])):
        return called[-1][1]
    if not starts:
        return None
    line = text[starts[-1] : starts[-1] + MAX_ANSWER].partition("\n")[0]
    return "" if _NEGATED.match(line) else _EXPLAINS.sub("", line)


def _shared(text: str, start: int) -> bool:
    """Whether words before a label take it back, or share it with another: "neither B nor C is correct"."""
    return _NOT_OF_ITS_OWN.search(text[max(0, start - 20) : start]) is not None


def _last_line(text: str) -> str | None:
    line = text.rstrip().rpartition("\n")[2][: MAX_ANSWER + 1]
    bold = re.fullmatch(r"\s*\*\*([^*]+)\*\*\W*", line)
    begins = _ALONE.fullmatch(line) or _MARKED.match(line.lstrip("* "))
    return bold[1] if bold else line if begins and len(set(_labels_marked(line))) == 1 else None


def _only_option(text: str) -> str | None:
    """What follows "option" in "option B: Paris", if no other option is named so, and it is not called wrong."""
    found = list(_OPTION.finditer(text))
    if len({each[1].upper() for each in found}) != 1:
        return None
    line = text[found[-1].start(1) : found[-1].start(1) + MAX_ANSWER].partition("\n")[0]
    return None if _WRONG.match(line) else line


def _first_line(text: str) -> str | None:
    """A first line that states a label, if no other line begins with another one."""
    line, _, rest = text.lstrip()[: 4 * MAX_ANSWER].partition("\n")
    found = _last_line(line) if _MARKED.match(line.lstrip("* ")) or _ALONE.fullmatch(line) else None
    return None if found is None or _LINE_LABEL.search(rest) else found


def _few_words(text: str) -> str | None:
    """All of a response of up to five words that names no letter."""
    said = text.strip() if len(text) <= MAX_ANSWER else ""
    short = "\n" not in said and len(said.split()) <= 5 and not said.endswith(("?", ":"))
    return said if said and short and not _NAMED.search(said) else None


def _labels_marked(text: str) -> list[str]:
    return [first or second for first, second in _MARKED.findall(text)] or _NAMED.findall(text)


def letter(text: str) -> str | None:
    """The one letter that a short text names, as a capital; None if it names none or several."""
    named = _letters(text)
    return named.pop() if len(named) == 1 else None


def _letters(text: str) -> set[str]:
    """The letters that a short text names as options: the label with which it begins, if there is one."""
    if len(text) > MAX_ANSWER:
        return set()
    text = _NEGATED.sub("", _COMMAND.sub("", text)).strip()
    if alone := _ALONE.fullmatch(text):
        return {alone[1].upper()}
    begins = _EXPLICIT.match(text)
    if begins and not _goes_on(text[begins.end() :]):
        return {begins[1]}
    marked = {first or second for first, second in _MARKED.findall(text)}
    if marked:  # then an A may be an article: "(B) A whale"
        return marked | set(_NAMED.findall(_ARTICLE.sub("", text)))
    return set(_NAMED.findall(text))


def _goes_on(rest: str) -> bool:
    """Whether what follows a label may name another one. Capitals in a content do not: "(C) both A and B"."""
    words = re.findall(r"\w+", rest)
    listed = all(len(word) == 1 or word in ("and", "or") for word in words)
    if _NEXT_LABEL.match(rest) or (words and listed and words[0] in "ABCDEFGH"):
        return True
    if _TAKES_BACK.search(rest) and _NAMED.search(_ARTICLE.sub("", rest)):
        return True
    own = _OF_SEVERAL.match(rest)
    return _OTHER_LABEL.search(rest, own.end() if own else 0) is not None


# --- Two answers --------------------------------------------------------------------------------------


def same_quickly(a: str, b: str) -> bool | None:
    """Whether two answers pick the same: the letters they name, or else the same text; None if that is open."""
    if not (a.strip() and b.strip()):
        return False
    x, y = letter(a), letter(b)
    if x and y:
        return x == y
    return True if _plain(a) == _plain(b) != "" else None


def same(a: str, b: str) -> bool | None:
    """As `same_quickly`."""
    return same_quickly(a, b)


_LEADING_ARTICLE = re.compile(r"(?:the|an?) (?=[a-z]{3})")
_PROSE = re.compile(r"[a-z]{3,} [a-z]{2,}")
_CAPITALS = re.compile(r"[A-Z]{2,}")
_NEGATIVE_POWER = re.compile(r"\^\{?-(\d{1,9})\}?")


_YES_OR_NO = re.compile(r"(\W*(?:yes|no)),", re.IGNORECASE)  # what follows is content here, no mere explanation


@lru_cache(maxsize=4_096)
def _plain(text: str) -> str:
    """A content without case, spacing and decoration."""
    text = _YES_OR_NO.sub(r"\1;", _NEGATIVE_POWER.sub(r"^(-\1)", text[:MAX_ANSWER]), count=1)
    return re.sub(r"\s+", " ", flat(normal_notation(text))).lower().strip(" .")


# --- Against a reference ------------------------------------------------------------------------------


class _Reference(NamedTuple):
    key: str
    options: Mapping[str, str]
    problem: str | None = None


@lru_cache(maxsize=1_024)
def _reference(text: str) -> _Reference:
    if not text.lstrip().startswith("{") or '"' not in text:
        key = letter(text)
        return _Reference(key or "", {}, None if key else "the reference names no option, or several")
    try:
        declared = json.loads(text)
    except (ValueError, RecursionError):
        return _Reference("", {}, "the reference is no JSON")
    if not isinstance(declared, dict) or not declared.keys() <= {"key", "options"}:
        return _Reference("", {}, 'the reference is no object of "key" and "options"')
    return _with_options(declared.get("key"), declared.get("options"))


def _with_options(key: object, listed: object) -> _Reference:
    if isinstance(listed, list) and len(listed) <= MAX_OPTIONS:
        listed = dict(zip(ascii_uppercase, listed, strict=False))
        if isinstance(key, int) and not isinstance(key, bool) and 0 <= key < len(listed):
            key = ascii_uppercase[key]
    if not isinstance(listed, dict) or not 2 <= len(listed) <= MAX_OPTIONS:
        return _Reference("", {}, f"the options are no list or object of 2 to {MAX_OPTIONS}")
    options = {_label(str(name)): str(content) for name, content in listed.items()}
    if len(options) != len(listed):
        return _Reference("", {}, "two options have the same label")
    if isinstance(key, bool) or not isinstance(key, str | int) or _label(str(key)) not in options:
        return _Reference("", {}, f"the key {key!r} is none of the options"[:200])
    return _Reference(_label(str(key)), options, _problem_of(options))


def _problem_of(options: Mapping[str, str]) -> str | None:
    if any(len(content) > MAX_ANSWER or not content.strip() for content in options.values()):
        return "an option is blank or too long"
    for (x, one), (y, other) in combinations(options.items(), 2):
        if _same_content(one, other, math.same_quickly):
            return f"options {x} and {y} have the same content"
    return None


def _label(text: str) -> str:
    """A label as it is compared: "(b)." is "B"."""
    return text.strip(" ().:").upper()


def problem_with(reference: str) -> str | None:
    """What is wrong with a reference, in one line; None when answers can be compared with it."""
    return _reference(reference).problem


def gold(reference: str) -> str | None:
    """The label of the key."""
    read = _reference(reference)
    return None if read.problem else read.key


def check_quickly(reference: str, answer: str) -> Outcome | None:
    """Whether the key was picked; None if comparing a content takes algebra."""
    return _checked(reference, answer, math.same_quickly, open=None)


def check(reference: str, answer: str) -> Outcome:
    """Whether the key was picked. Only for a process that can be killed."""
    outcome = _checked(reference, answer, math.same, open=unsure("cannot be told which option this is"))
    assert outcome is not None
    return outcome


def _checked(reference: str, answer: str, compare: Comparison, *, open: Outcome | None) -> Outcome | None:
    read = _reference(reference)
    if read.problem:
        return unsure(read.problem)
    if not answer.strip() or len(answer) > MAX_ANSWER:
        return failed("no option")
    if not read.options:
        return _by_letter(read.key, answer)
    return _by_options(read, answer, compare, open)


def _by_letter(key: str, answer: str) -> Outcome:
    named = _letters(answer)
    if len(named) > 1:
        return failed("names several options")
    if not named:
        return unsure("names no option by its letter")
    return passed() if named == {key} else failed("wrong answer")


def _by_options(read: _Reference, answer: str, compare: Comparison, open: Outcome | None) -> Outcome | None:
    labels = _labels_in(answer, read.options)
    if len(labels) > 1:
        return failed("names several options")
    if labels:
        label, content = labels.pop(), _content_beside(answer)
        if label != read.key:
            return failed("wrong answer")
        agrees = not content or _agrees(content, label, read.options, compare)
        return passed() if agrees else open if agrees is None else failed("the label and the content disagree")
    picked = {name: _same_content(content, answer, compare) for name, content in read.options.items()}
    if not any(picked.values()) and (said := _without_reason(answer)) != answer:
        picked = {name: _same_content(content, said, compare) for name, content in read.options.items()}
    same = [name for name, verdict in picked.items() if verdict]
    if len(same) == 1:
        return passed() if same == [read.key] else failed("wrong answer")
    if same or _mentions_several(answer, read.options):
        return failed("names several options")
    return failed("none of the options") if set(picked.values()) == {False} else open


def _labels_in(answer: str, options: Mapping[str, str]) -> set[str]:
    """The labels of options that an answer names; none if it is the content of an option, as "A" may be."""
    text = re.sub(r"\s+", " ", _COMMAND.sub(" ", answer)).strip()
    if _label(text) in options:
        return {_label(text)}
    begins = _BEGINS.match(text)
    first = {_label(begins[1])} & options.keys() if begins else set[str]()
    if any(_plain(content) == _plain(answer) for content in options.values()):
        return set()
    if first and _plain(options[next(iter(first))]) == _plain(_content_beside(answer)):
        return first
    bracketed = {_label(each) for each in re.findall(r"\((\w{1,4})\)", text)} & options.keys()
    if first or bracketed:
        return first | bracketed | _listed(text, options)
    named = {each for each in _letters(answer) if each in options}
    return (
        named
        if len(named) > 1 or re.search(r"\b(?:option|choice)\s\(?[A-Z]", text, re.IGNORECASE)
        else _only(named, text)
    )


def _only(named: set[str], text: str) -> set[str]:
    """A single capital counts as a label where few other words stand beside it."""
    return named if len(re.findall(r"[A-Za-z]{2,}", text)) <= 3 and not re.search(r"[=+*/^\d]", text) else set()


def _listed(text: str, options: Mapping[str, str]) -> set[str]:
    """Labels that follow one another: "A, B, C", "A and C"."""
    found = re.findall(r"(?:,|\band\b|\bor\b|&|/)\s*\(?([A-Za-z0-9]{1,4})\b\)?(?=\s*(?:[,.)&/]|$|and\b|or\b))", text)
    return {_label(each) for each in found} & options.keys()


_WRAPPED = re.compile(r"\\(?:text[a-z]*|math[a-z]+|mbox)\s*\{([^{}]*)\}")
_SPACING = re.compile(r"\\(?:text[a-z]*|math[a-z]+|mbox|quad|qquad|left|right)|\\[ ,;]")
_BEGINS_WITH_LABEL = re.compile(
    r"[\s*(\[{$\"'`]*(?:option |choice )?\(?[A-Za-z0-9]{1,4}(?![A-Za-z0-9])[)\]}.:*\s]*", re.IGNORECASE
)
_ENDS_WITH_LABEL = re.compile(
    r"(.*?)[\s*,]*(?:\([A-Z]\)|(?:which is|that is|i\.e\.)?\s?(?:option|choice)\s\(?[A-Z]\)?)[\s*.]*", re.DOTALL
)
_REASON = re.compile(r"(?:because|since|as|for|which|is correct|is right)\b|not\s\(?[A-Z]\)?$", re.IGNORECASE)
_EXPLANATION = re.compile(r"[\s,;*]+(?:because|since|as|which|who|due to|where|so|not)\b.*|\s[-–—]\s.*", re.DOTALL)  # noqa: RUF001
_IN_BRACKETS = re.compile(r"\(([^()]{1,200})\)(?=\W*(?:$|\s?(?:because|since|as|which)\b))")


def _content_beside(answer: str) -> str:
    """What an answer says after its label, or before one at its end."""
    text = _SPACING.sub(" ", _WRAPPED.sub(r" \1 ", answer)).strip(" *")
    ends = None if _BEGINS.match(text) else _ENDS_WITH_LABEL.fullmatch(text)
    found = _BEGINS_WITH_LABEL.match(text)
    rest = ends[1] if ends else text[found.end() :] if found else ""
    rest = rest.strip(" *.,;:-\"'`")
    while rest.endswith(("}", ")")) and rest.count("}") + rest.count(")") > rest.count("{") + rest.count("("):
        rest = rest[:-1].rstrip(" .*")
    return rest.strip("$ ") if rest.count("$") == 1 and not re.match(r"\$\d", rest) else rest


def _without_reason(content: str) -> str:
    """What is said before an explanation, or in the brackets before it."""
    if bracketed := _IN_BRACKETS.match(content):
        return bracketed[1]
    said = _EXPLANATION.sub("", content)
    return content if _TAKES_BACK.search(content[len(said) :]) else said


def _agrees(content: str, label: str, options: Mapping[str, str], compare: Comparison) -> bool | None:
    """Whether what stands beside a label is that option: not another one, nor something else."""
    mine = options[label]
    if _same_content(mine, content, compare) or _same_content(mine, _without_reason(content), compare):
        return True
    if any(name != label and _same_content(other, content, compare) for name, other in options.items()):
        return False
    own, said = _plain(mine), _plain(content)
    named = any(_plain(other) in said for name, other in options.items() if name != label)
    if _REASON.match(content) or (said.startswith(("it ", "this ")) and not named):
        return True
    longer = said.startswith(own) and not said[len(own) : len(own) + 1].isalnum()
    if longer and not re.search(r"\d", said[len(own) :]):
        return True
    if not own.startswith(said):
        return False
    begin_so = [name for name, other in options.items() if _plain(other).startswith(said)]
    return True if len(said.split()) >= 3 and begin_so == [label] else None


def _same_content(option: str, answer: str, compare: Comparison) -> bool | None:
    """Whether an answer is the content of an option. The order of a list counts: "true, false"."""
    x, y = (_LEADING_ARTICLE.sub("", _plain(each)) for each in (option, answer))
    if x == y != "":
        return True
    if _PROSE.search(x) or _PROSE.search(y) or (_CAPITALS.fullmatch(option) and _CAPITALS.fullmatch(answer)):
        return False
    ours, theirs = option.split(","), answer.split(",")
    if min(len(ours), len(theirs)) == 1 or re.search(r"[(\[{]", option + answer):
        return compare(option, answer)
    if len(ours) != len(theirs):
        return False
    verdicts = {compare(one.strip(), other.strip()) for one, other in zip(ours, theirs, strict=True)}
    return False if False in verdicts else None if None in verdicts else True


def _mentions_several(answer: str, options: Mapping[str, str]) -> bool:
    said = f" {_plain(answer)} "
    found = [c for c in map(_plain, options.values()) if re.search(rf"(?<!\w){re.escape(c)}(?!\w)", said)]
    return len(found) > 1


# --- Options in a question ----------------------------------------------------------------------------

_LAYOUTS = [
    re.compile(pattern, re.MULTILINE)
    for pattern in (
        r"\\text(?:bf|rm)?\s?\{\s?\(([A-Z])\)[\s~\\]*\}(?:\\ |\\quad|~)?",  # \textbf{(A)}\ 12
        r"(?<![\w)])\(([A-Z])\)(?=\s|\S)",  # (A) 12
        r"(?:^|(?<=\s{2})|(?<=[;,]\s))\s{0,8}(?:\*\*)?([A-Z])[.):](?:\*\*)?(?=\s)",  # A. 12 on lines of their own
        r"(?:^|(?<=\s))([A-Z])[.)](?=\s)",  # A. 12 B. 13
        r"(?:^|(?<=\s))\(([1-9]|[ivx]{1,4})\)(?=\s)",
        r"^\s{0,8}([1-9])[.)](?=\s)",
        r"^\s{0,8}\(?([a-z])[.)](?=\s)",
    )
]
_ROMAN = ["i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x"]
_ORDERS = (list(ascii_uppercase), list(ascii_uppercase.lower()), [str(n) for n in range(1, 10)], _ROMAN)


def options_in(question: str) -> dict[str, str]:
    r"""The options of a question, from label to content, in their order; {} if it has no two.

    Reads "(A) 12 (B) 13", "A. 12" or "A) 12" on lines or in a row, `\textbf{(A)}\ 12 \qquad \textbf{(B)}\ 13`,
    "(1) ... (2) ...", "(i) ... (ii) ...". The labels have to follow one another from the first; of several
    such runs the last counts. An option ends at the next one, the last at the end of its paragraph.
    """
    for layout in _LAYOUTS:
        marks = [(found.start(), found.end(), found[1]) for found in layout.finditer(question)]
        run = _last_run(marks)
        if len(run) >= 2:
            ends = [start for start, _, _ in run[1:]] + [_end_of_paragraph(question, run[-1][1])]
            return {label: _tidy(question[begin:end]) for (_, begin, label), end in zip(run, ends, strict=True)}
    return {}


def shuffled(options: Mapping[str, str], *, seed: int) -> dict[str, str]:
    """The same labels in their order, over the contents in another one."""
    contents = list(options.values())
    random.Random(seed).shuffle(contents)
    return dict(zip(options, contents, strict=True))


def _last_run(marks: list[tuple[int, int, str]]) -> list[tuple[int, int, str]]:
    """The last marks that follow one another from the first label on."""
    best: list[tuple[int, int, str]] = []
    for order in _ORDERS:
        run: list[tuple[int, int, str]] = []
        for mark in marks:
            if mark[2] == order[0]:
                run = [mark]
            elif run and len(run) < len(order) and mark[2] == order[len(run)]:
                run.append(mark)
            best = run if len(run) >= 2 and (not best or run[0] >= best[0]) else best
    return best


def _end_of_paragraph(text: str, start: int) -> int:
    ends = [found.start() for found in [re.compile(r"\n\s*\n").search(text, start)] if found]
    return min([*ends, len(text)])


def _tidy(content: str) -> str:
    r"""Without the \qquad, commas and dollar signs that only set it apart."""
    content = re.sub(r"\\q?quad\b|\\\\\s*$|^[\s~*,;]*\\(?![A-Za-z])", " ", content).strip(" \t\n,;~*")
    content = content.rstrip(" \t\n,;~*\\")
    content = content.removesuffix(" and").removesuffix(" or").rstrip(" ,;")
    if content.count("$") == 1:  # the other one stands before the first label
        content = content.strip("$").strip()
    return re.sub(r"\s+", " ", content)
