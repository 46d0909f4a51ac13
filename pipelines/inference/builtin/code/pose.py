"""Posing programming tasks of some families, in words that leave nothing open."""

import re
from collections.abc import Callable, Sequence
from random import Random
from typing import NamedTuple

from ..pose.surface import spin


class Kind(NamedTuple):
    """A family of tasks: names that its function may have, key words of seeds like it, and its text."""

    names: str
    hints: str
    text: Callable[[Random], str]


ORDINALS = ("second", "third", "fourth", "fifth")


def _chosen(rng: Random) -> str:
    result, otherwise = rng.choice(
        [("the number", "0"), ("the sum", "0"), ("the list, in their order,", "an empty list")]
    )
    number = rng.randint(-9, 20)
    which = rng.choice(
        [f"greater than {number}", f"at least {number}", f"less than {number}", f"at most {number}"]
        + [f"divisible by {rng.randint(2, 12)}"] * 2
    )
    none = f"{otherwise} if there are none"
    return f"ARG:values a list of integers and returns {result} of those that are {which}; {none}."


def _clipped(rng: Random) -> str:
    low = rng.randint(-10, 5)
    high = low + rng.randint(2, 15)
    return (
        "ARG:values a list of integers and returns a new list of the same length in which every number below"
        f" {low} is replaced by {low} and every number above {high} by {high}."
    )


def _ranked(rng: Random) -> str:
    place, end = rng.choice(ORDINALS), rng.choice(["largest", "smallest"])
    return (
        f"ARG:values a list of integers and returns the {place} {end} of its distinct values, or None if there are"
        " too few of them."
    )


def _runs(rng: Random) -> str:
    least = rng.randint(1, 4)
    rest = f" Runs of fewer than {least} characters are left out." if least > 1 else ""
    return (
        "ARG:text a text and returns its run-length code: for each run of equal neighbouring characters the"
        f" character and then the length of the run. An empty text gives an empty text.{rest}"
    )


def _words(rng: Random) -> str:
    once = rng.choice(["in their order", "in their order and each only once, where it comes first"])
    return (
        "ARG:text a text of words between blanks and returns the list of those words that have at least"
        f" {rng.randint(2, 7)} characters, {once}; an empty list if there are none."
    )


def _digits(rng: Random) -> str:
    what = rng.choice(
        ["the sum of its digits", "the largest of its digits", "the number of its digits that are not 0"]
    )
    return f"ARG:number an integer, 0 or more, and returns {what} when it is written in base {rng.randint(2, 12)}."


def _rotated(rng: Random) -> str:
    side, other = rng.choice([("left", "end"), ("right", "front")])
    return (
        f"ARG:values a list and returns a new list with its items moved {rng.randint(1, 6)} places to the {side};"
        f" what falls out comes in again at the {other}. An empty list gives an empty list."
    )


def _chunks(rng: Random) -> str:
    rest = rng.choice(["is a shorter list of its own", "is left out"])
    return (
        f"ARG:values a list and returns it cut into lists of {rng.randint(2, 7)} items each, in their order; what"
        f" remains at the end {rest}."
    )


def _every(rng: Random) -> str:
    step = rng.randint(2, 7)
    begin = rng.choice(["its first item", f"the item number {step}, counted from 1"])
    rest = f"then has every {step}th item after it"
    return f"ARG:values a list and returns a new list that begins with {begin} and {rest}."


def _windows(rng: Random) -> str:
    what = rng.choice(["sum", "largest", "smallest"])
    size = rng.randint(2, 6)
    return (
        f"ARG:values a list of integers and returns the list that has, for each {size} neighbouring items, the {what}"
        f" of them; an empty list if there are fewer than {size} items."
    )


def _shifted(rng: Random) -> str:
    return (
        f"ARG:text a text and returns it with every letter from a to z moved {rng.randint(1, 12)} places"
        f" {rng.choice(['forward', 'back'])} in the alphabet, round its end; all other characters stay as they are."
    )


def _stretch(rng: Random) -> str:
    which = rng.choice(["greater than", "at least", "less than"])
    return (
        "ARG:values a list of integers and returns the length of its longest stretch of neighbouring items that are"
        f" all {which} {rng.randint(-5, 15)}; 0 if there is no such item."
    )


def _pairs(rng: Random) -> str:
    how = rng.choice(["add up to", "differ by"])
    return (
        "ARG:values a list of integers and returns how many pairs of items at different places there are that"
        f" {how} {rng.randint(1, 20)}; two items are one pair, whichever comes first."
    )


def _divided(rng: Random) -> str:
    return (
        "ARG:number an integer, 1 or more, and returns how many times in a row it can be divided by"
        f" {rng.randint(2, 12)} without a remainder."
    )


KINDS: tuple[Kind, ...] = (
    Kind("pick select_from filtered chosen of_those", "divisible|greater than|at least|at most|those that", _chosen),
    Kind("clip limited within_bounds clamp_all", "below|above|replaced", _clipped),
    Kind("ranked nth_distinct by_rank", "distinct|largest|smallest", _ranked),
    Kind("encode run_code shorten_runs", "run-length|runs", _runs),
    Kind("long_words wide_words words_of", "words", _words),
    Kind("digits_in digit_value in_base", "digits|base", _digits),
    Kind("rotate moved turned", "moved|places", _rotated),
    Kind("cut chunked split_up portions", "cut into|remains", _chunks),
    Kind("every_nth thin_out stepped", "every", _every),
    Kind("windows over_neighbours sliding", "neighbouring", _windows),
    Kind("shift caesar move_letters", "alphabet|letter", _shifted),
    Kind("longest_stretch streak best_run", "stretch|longest", _stretch),
    Kind("count_pairs pairs_with matches", "pairs", _pairs),
    Kind("times_divided divisions exponent_of", "divided|remainder", _divided),
)


def task(rng: Random, seeds: Sequence[str]) -> str:
    """A new task; more often than not of a family that the seeds show."""
    like = [kind for seed in seeds for kind in KINDS if re.search(kind.hints, seed)]
    kind = rng.choice(like) if like and rng.random() < 0.5 else rng.choice(KINDS)
    argument, _, rest = kind.text(rng).removeprefix("ARG:").partition(" ")
    name = rng.choice(kind.names.split()) + rng.choice(["", "", "_of", "_in", "_now"])
    return spin(
        rng,
        f"Write a [Python |]function `{name}({argument})` that takes {rest}",
        f"The function `{name}({argument})` takes {rest} Write it[ in Python|].",
    )
