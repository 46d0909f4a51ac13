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


OPERATIONS: tuple[Operation, ...] = (
    Operation(
        _say(rf"\b(?:remainder|remains|is left)\b.*(?:division by|divid\w* (?:\w+ )?by|modulo) {N}"), "mod", _modulo
    ),
    Operation(_say(rf"\b(?:modulo|mod) {N}"), "mod", _modulo),
    Operation(
        _say(
            r"\b(?:sum of|add(?:ing)?(?: up| together)?|total of)\b(?: \w+)? ?(?:its|the|all|all its|"
            r"that number's)? ?digits"
        ),
        "digits",
        lambda v, _: Fraction(sum(map(int, str(abs(int(v)))))),
        0,
    ),
    Operation(_say(rf"\b(?:add|plus|increas\w+|rais\w+|enlarg\w+|put)\b[^\d]*{N}"), "+", lambda v, n: v + n),
    Operation(
        _say(
            rf"\b(?:subtract\w*|minus|take (?:away|off)|lower|decreas\w+|reduc\w+|diminish\w*|deduct\w*|"
            rf"remove|less)\b[^\d]*{N}"
        ),
        "-",
        lambda v, n: v - n,
    ),
    Operation(_say(rf"\b(?:take|knock) {N} (?:away|off)"), "-", lambda v, n: v - n),
    Operation(_say(rf"\b(?:multipl\w+|times|the product)\b[^\d]*{N}"), "*", lambda v, n: v * n),
    Operation(_say(rf"{N} times (?:the|that|it|this|what)"), "*", lambda v, n: v * n),
    Operation(_say(r"\b(?:double|doubling|doubled)\b"), "*", lambda v, n: v * n, 2),
    Operation(_say(r"\b(?:triple|tripling|tripled|treble)\b"), "*", lambda v, n: v * n, 3),
    Operation(_say(r"\bsquare(?! root)"), "*", lambda v, _: v * v, 0),
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
        "many exactly calculate evaluate distinct different whole positive about"
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
        if match and len(numbers) == (candidate.default is None):
            return Step(candidate, Fraction(match[1]) if candidate.default is None else Fraction(candidate.default))
    return None


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
