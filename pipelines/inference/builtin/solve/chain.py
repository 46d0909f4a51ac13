"""Reading `add 7, double it, take the remainder on division by 12`: a chain of operations on one number."""

import re
from collections.abc import Callable
from fractions import Fraction
from typing import NamedTuple

from .text import NUMBER, sentences, word_list
from .work import Work

N = r"(\d+(?:\.\d+)?)"


class Operation(NamedTuple):
    """How it is said, how it is written down, and what it does to the value; `n` is its number if it has one."""

    pattern: re.Pattern[str]
    sign: str
    apply: Callable[[Fraction, Fraction], Fraction]
    default: int | None = None


def _say(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.I)


def _modulo(value: Fraction, n: Fraction) -> Fraction:
    return value % n


IT = r"(?: (?:it|that|this|the \w+))?"
DIGITS = r"(?:sum of|add(?:ing)?(?: up| together)?|total of)(?: all)?(?: of)? (?:its|the|that number's) digits"

OPERATIONS: tuple[Operation, ...] = (
    Operation(_say(rf"\bremainder\b.*(?:division by|divid\w* (?:\w+ )?by|modulo) {N}"), "mod", _modulo),
    Operation(_say(rf"\b(?:reduc\w+{IT} )?(?:modulo|mod) {N}"), "mod", _modulo),
    Operation(_say(rf"\b{DIGITS}"), "digits", lambda v, _: Fraction(sum(map(int, str(abs(int(v)))))), 0),
    Operation(_say(rf"\b(?:add|adding|plus) {N}"), "+", lambda v, n: v + n),
    Operation(_say(rf"\b(?:increas|rais|enlarg)\w*{IT} by {N}"), "+", lambda v, n: v + n),
    Operation(
        _say(rf"\b(?:subtract|subtracting|minus|deduct|remove|take away|take off) {N}"), "-", lambda v, n: v - n
    ),
    Operation(_say(rf"\b(?:lower|decreas|reduc|diminish)\w*{IT} by {N}"), "-", lambda v, n: v - n),
    Operation(_say(rf"\b(?:take|knock) {N} (?:away|off)"), "-", lambda v, n: v - n),
    Operation(_say(rf"\b(?:multipl\w+{IT} (?:by|with)|times) {N}"), "*", lambda v, n: v * n),
    Operation(_say(rf"\b{N} times{IT}"), "*", lambda v, n: v * n),
    Operation(_say(rf"\b(?:double|doubling){IT}"), "*", lambda v, n: v * n, 2),
    Operation(_say(rf"\b(?:triple|tripling|treble){IT}"), "*", lambda v, n: v * n, 3),
)
CUT = re.compile(r"(?:,|;|\band\b|\bthen\b|\bnext\b|\bafterwards\b|\bafter that\b|\bfinally\b|:)\s*", re.I)
NAMED = re.compile(r"(?<!^)\b[A-Z][a-z]+|^[A-Z][a-z]+(?= (?:is|starts|begins|should))|(?<=[Ll]et )[A-Z]\b")
PASSING = frozenset(
    word_list(
        "a an and answer are as at be begins begin code come comes compute count determine do does "
        "done down drop end ends enter find finally finish for from get gets give given gives go has "
        "have how i in is it its know last leave let like list lock makes name note now number of on "
        "one open opens out please question quiz read result say says score should show so start "
        "starts state take tell that the there then they this to told total up value we what when "
        "which will with work works write writes written you your final next afterwards after left "
        "many outcome exactly calculate evaluate distinct different whole positive about"
    )
)


class Step(NamedTuple):
    operation: Operation
    n: Fraction


def chain(text: str) -> list[Step] | None:
    """The operations of `text` in order; `None` when a piece of it looks like one that cannot be read."""
    steps = []
    for piece in (piece for sentence in sentences(text) for piece in CUT.split(sentence)):
        step = operation(piece)
        if step is not None:
            steps.append(step)
        elif NUMBER.search(piece) or not passing(piece):
            return None
    return steps


def passing(piece: str) -> bool:
    """Whether a piece asks for nothing: it has only names and words that frame a question."""
    return all(word.lower() in PASSING for word in re.findall(r"[A-Za-z]+", NAMED.sub("", piece)))


def operation(piece: str) -> Step | None:
    """The one operation that a piece of a sentence asks for."""
    numbers = NUMBER.findall(piece)
    for candidate in OPERATIONS:
        match = candidate.pattern.search(piece)
        if match and len(numbers) == (candidate.default is None) and nothing_more(piece, match):
            return Step(candidate, Fraction(match[1]) if candidate.default is None else Fraction(candidate.default))
    return None


def nothing_more(piece: str, match: re.Match[str]) -> bool:
    """Whether the words around an operation leave it as it is (`add 5 to it`, but not `add 5 percent`)."""
    rest = f"{piece[: match.start()]} {piece[match.end() :]}"
    return "%" not in rest and not re.search(r"\bfrom\s+\d", rest) and passing(rest)


def used(steps: list[Step]) -> list[Fraction]:
    """The numbers that stood in the text."""
    return [step.n for step in steps if step.operation.default is None]


def follow(work: Work, value: Fraction, steps: list[Step]) -> Fraction:
    """Carry the operations out, one written step each."""
    for op, n in steps:
        if op.sign == "digits":
            value = work.step(f"digit sum of {value}", op.apply(value, n))
        else:
            value = work.step(f"{value} {op.sign} {n or value}", op.apply(value, n))
    return value
