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

_PICKED = re.compile(
    r"\b(?:answer|choice|option|choose|select|pick)s?\b(?:\*\*)?\s{0,2}(?:(?:is|are)\b)?\s?:?"
    r"\s{0,3}(?:\*\*)?\s?"
    r"(?:(?:option|choice)\s)?(?=\S)|答案(?:是|为|為)?(?:：|:)?\s{0,3}",  # noqa: RUF001
    re.IGNORECASE,
)
_COMMAND = re.compile(r"\\(?:boxed|[A-Za-z]+)")
_ALONE = re.compile(r"[^A-Za-z0-9]*([A-Za-z])[^A-Za-z0-9]*")
_NAMED = re.compile(r"(?<![A-Za-z'\\])([A-Z])(?![A-Za-z'])")
_MARKED = re.compile(r"\(([A-Z])\)|(?<![A-Za-z\\])([A-Z])[.):](?=[\s*$}]|$)")
_BEGINS = re.compile(
    r"[\s*(\[{$\"'`]*(?:option |choice )?\(?([A-Za-z0-9]{1,4})"
    r"(?:\)|\.(?!\d)|:|\*\*|\s*$|(?=\s+(?:because|since|as)\b))",
    re.IGNORECASE,
)
_ARTICLE = re.compile(r"(?<![A-Za-z])[AI](?= (?!or |and )[a-z])")


def final_answer(text: str) -> str | None:
    r"""What a response picks: a capital letter where only that is said, else the words in which it is said, or None.

    Looked for in an <answer> element, the last `\boxed{...}`, after the last "answer is", "answer:" or "option:",
    or in the last line, if that is bold or begins with a label ("(B)", "B.", "B) Paris"). Never raises; linear.
    """
    found = extraction.first_found(text, (_tagged, last_box, extraction.keyed, _announced, _last_line))
    if found is None or len(found) > MAX_ANSWER or not any(map(str.isalnum, found)):
        return None
    alone = _ALONE.fullmatch(_COMMAND.sub("", found))
    return alone[1].upper() if alone else found.strip(" \t\n*.:")


def _tagged(text: str) -> str | None:
    return extraction.tagged(text)


def _announced(text: str) -> str | None:
    picked = [found.end() for found in _PICKED.finditer(text)]
    return text[picked[-1] : picked[-1] + MAX_ANSWER].partition("\n")[0] if picked else None


def _last_line(text: str) -> str | None:
    line = text.rstrip().rpartition("\n")[2][: MAX_ANSWER + 1]
    bold = re.fullmatch(r"\s*\*\*([^*]+)\*\*\W*", line)
    begins = _ALONE.fullmatch(line) or _MARKED.match(line.lstrip("* "))
    return bold[1] if bold else line if begins and len(set(_labels_marked(line))) == 1 else None


def _labels_marked(text: str) -> list[str]:
    return [first or second for first, second in _MARKED.findall(text)] or _NAMED.findall(text)


def letter(text: str) -> str | None:
    """The one letter that a short text names, as a capital; None if it names none or several."""
    named = _letters(text)
    return named.pop() if len(named) == 1 else None


def _letters(text: str) -> set[str]:
    """The letters that a short text names as options."""
    if len(text) > MAX_ANSWER:
        return set()
    text = _COMMAND.sub("", text).strip()
    if alone := _ALONE.fullmatch(text):
        return {alone[1].upper()}
    marked = {first or second for first, second in _MARKED.findall(text)}
    if marked:  # then an A may be an article: "(B) A whale"
        return marked | set(_NAMED.findall(_ARTICLE.sub("", text)))
    return set(_NAMED.findall(text))


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


@lru_cache(maxsize=4_096)
def _plain(text: str) -> str:
    """A content without case, spacing and decoration."""
    return re.sub(r"\s+", " ", flat(normal_notation(text[:MAX_ANSWER]))).lower().strip(" .")


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


def _content_beside(answer: str) -> str:
    """What an answer says after its label."""
    text = re.sub(r"\\(?:text[a-z]*|math[a-z]+|mbox|quad|qquad|left|right)|\\[ ,;]", " ", answer).strip(" *$")
    found = re.match(r"[\s*(\[{$\"'`]*(?:option |choice )?\(?[A-Za-z0-9]{1,4}[)\]}.:*\s]*", text, re.IGNORECASE)
    rest = text[found.end() :] if found else ""
    rest = rest.strip(" *$.,;:-\"'`")
    while rest.endswith(("}", ")")) and rest.count("}") + rest.count(")") > rest.count("{") + rest.count("("):
        rest = rest[:-1].rstrip(" .*$")
    return rest


def _agrees(content: str, label: str, options: Mapping[str, str], compare: Comparison) -> bool | None:
    """Whether what stands beside a label is that option: not another one, nor something else."""
    if re.match(r"(?:because|since|as|for|which|is correct|is right)\b", content, re.IGNORECASE):
        return True
    if _same_content(options[label], content, compare):
        return True
    mine, said = _plain(options[label]), _plain(content)
    longer = said.startswith(mine) and not said[len(mine) : len(mine) + 1].isalnum()
    others = [name for name in options if name != label and _same_content(options[name], content, compare)]
    if longer and not others and not re.search(r"\d", said[len(mine) :]):
        return True
    return False if others or not mine.startswith(said) else None


def _same_content(option: str, answer: str, compare: Comparison) -> bool | None:
    """Whether an answer is the content of an option."""
    x, y = _plain(option), _plain(answer)
    if x == y != "":
        return True
    prose = re.compile(r"[a-z]{3,} [a-z]{2,}")
    return False if prose.search(x) or prose.search(y) else compare(option, answer)


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
    content = re.sub(r"\\q?quad\b|\\\\\s*$", " ", content).strip(" \t\n,;~*\\")
    content = content.removesuffix(" and").removesuffix(" or").rstrip(" ,;")
    if content.count("$") == 1:  # the other one stands before the first label
        content = content.strip("$").strip()
    return re.sub(r"\s+", " ", content)
