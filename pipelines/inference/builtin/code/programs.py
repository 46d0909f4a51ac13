"""Programs for what was understood, right ones and ones with a fault. They are texts, and run nowhere in here."""

from collections.abc import Callable
from random import Random
from typing import NamedTuple

from .read import Meant

Slip = tuple[str, str]  # what stands in the right program, and what a careless one has in its place


class Program(NamedTuple):
    """The lines of a right program, and the slips that are likely in it."""

    lines: str
    slips: tuple[Slip, ...]


SIGNS = {"greater than": ">", "at least": ">=", "less than": "<", "at most": "<="}
CARELESS = {">": ">=", ">=": ">", "<": "<=", "<=": "<"}


def _chosen(m: Meant) -> Program:
    sign = SIGNS.get(m.how, "% == 0")
    test = f"each % {m.k} == 0" if m.how == "divisible by" else f"each {sign} {m.k}"
    wrong = (
        (f"% {m.k} == 0", f"% {m.k} == 1")
        if m.how == "divisible by"
        else (f"{sign} {m.k}", f"{CARELESS[sign]} {m.k}")
    )
    result = {"number": "len(found)", "sum": "sum(found)"}.get(m.what, "found")
    other = {"number": "sum(found)", "sum": "len(found)"}.get(m.what, "sorted(found)")
    lines = f"found = [each for each in ARG if {test}]\nreturn {result}"
    return Program(lines, (wrong, (f"return {result}", f"return {other}"), ("in ARG if", "in ARG[1:] if")))


def _clipped(m: Meant) -> Program:
    lines = f"return [max({m.k}, min({m.high}, each)) for each in ARG]"
    slips = ((f"min({m.high}", f"min({m.high - 1}"), (f"max({m.k}, min({m.high}, each))", f"min({m.high}, each)"))
    return Program(lines, (*slips, (f"max({m.k},", f"max({m.k + 1},")))


def _ranked(m: Meant) -> Program:
    order = ", reverse=True" if m.what == "largest" else ""
    lines = f"order = sorted(set(ARG){order})\nif len(order) < {m.k}:\n    return None\nreturn order[{m.k - 1}]"
    return Program(
        lines, (("set(ARG)", "ARG"), (f"< {m.k}", f"<= {m.k}"), (f"order[{m.k - 1}]", f"order[{m.k - 2}]"))
    )


def _runs(m: Meant) -> Program:
    lines = (
        'code = ""\nstart = 0\nfor place in range(1, len(ARG) + 1):\n'
        "    if place == len(ARG) or ARG[place] != ARG[start]:\n"
        f"        if place - start >= {m.k}:\n            code += ARG[start] + str(place - start)\n"
        "        start = place\nreturn code"
    )
    return Program(
        lines,
        (("len(ARG) + 1", "len(ARG)"), (f">= {m.k}", f"> {m.k}"), ("str(place - start)", "str(place - start + 1)")),
    )


def _words(m: Meant) -> Program:
    found = f"[each for each in ARG.split() if len(each) >= {m.k}]"
    whole = f"list(dict.fromkeys({found}))" if m.what else found
    other = found if m.what else f"sorted({found})"
    return Program(f"return {whole}", ((f">= {m.k}", f"> {m.k}"), (whole, other), (".split()", ".split()[1:]")))


def _digits(m: Meant) -> Program:
    result = {
        "sum": "sum(digits)",
        "largest": "max(digits, default=0)",
        "number": "sum(each != 0 for each in digits)",
    }
    loop = f"while ARG > 0:\n    digits.append(ARG % {m.k})\n    ARG = ARG // {m.k}"
    lines = f"digits = []\n{loop}\nreturn {result[m.what]}"
    slips = (
        ("while ARG > 0", "while ARG > 1"),
        (f"ARG % {m.k}", f"ARG % {m.k + 1}"),
        (f"ARG // {m.k}", f"ARG // {m.k + 1}"),
    )
    return Program(lines, slips)


def _rotated(m: Meant) -> Program:
    places = f"{m.k} % len(ARG)" if m.what == "left" else f"len(ARG) - {m.k} % len(ARG)"
    lines = f"if not ARG:\n    return []\nplaces = {places}\nreturn ARG[places:] + ARG[:places]"
    return Program(
        lines, (("if not ARG:\n    return []\n", ""), (f"{m.k} % len(ARG)", f"{m.k}"), (f"{m.k} %", f"{m.k + 1} %"))
    )


def _chunks(m: Meant) -> Program:
    stop = "len(ARG)" if m.what.startswith("a") else f"len(ARG) - {m.k - 1}"
    other = f"len(ARG) - {m.k - 1}" if m.what.startswith("a") else "len(ARG)"
    lines = f"return [ARG[at:at + {m.k}] for at in range(0, {stop}, {m.k})]"
    return Program(
        lines, ((f"range(0, {stop}", f"range(0, {other}"), (f"at + {m.k}", f"at + {m.k + 1}"), ("range(0", "range(1"))
    )


def _every(m: Meant) -> Program:
    start = "0" if "first" in m.what else str(m.k - 1)
    lines = f"return ARG[{start}::{m.k}]"
    return Program(
        lines, ((f"[{start}:", f"[{m.k}:"), (f"::{m.k}]", f"::{m.k + 1}]"), ("return ARG[", "return ARG[:-1]["))
    )


def _windows(m: Meant) -> Program:
    what = {"sum": "sum", "largest": "max", "smallest": "min"}[m.what]
    other = {"sum": "max", "max": "min", "min": "max"}[what]
    lines = f"return [{what}(ARG[at:at + {m.k}]) for at in range(len(ARG) - {m.k - 1})]"
    return Program(
        lines, ((f"- {m.k - 1})", f"- {m.k})"), (f"at + {m.k}]", f"at + {m.k - 1}]"), (f"[{what}(", f"[{other}("))
    )


def _shifted(m: Meant) -> Program:
    sign = "+" if m.what == "forward" else "-"
    lines = (
        'moved = ""\nfor each in ARG:\n    if "a" <= each <= "z":\n'
        f"        moved += chr((ord(each) - 97 {sign} {m.k}) % 26 + 97)\n"
        "    else:\n        moved += each\nreturn moved"
    )
    return Program(
        lines,
        (('<= "z"', '< "z"'), ("% 26", "% 25"), (f"97 {sign} {m.k})", f"97 {'-' if sign == '+' else '+'} {m.k})")),
    )


def _stretch(m: Meant) -> Program:
    sign = SIGNS[m.how]
    lines = (
        f"best = length = 0\nfor each in ARG:\n    length = length + 1 if each {sign} {m.k} else 0\n"
        "    best = max(best, length)\nreturn best"
    )
    return Program(
        lines,
        ((f"{sign} {m.k}", f"{CARELESS[sign]} {m.k}"), ("else 0", "else length"), ("return best", "return length")),
    )


def _pairs(m: Meant) -> Program:
    test = f"ARG[i] + ARG[j] == {m.k}" if m.what.startswith("add") else f"abs(ARG[i] - ARG[j]) == {m.k}"
    wrong = test.replace("abs(ARG[i] - ARG[j])", "ARG[j] - ARG[i]").replace(
        f"== {m.k}", f">= {m.k}" if "abs" not in test else f"== {m.k}"
    )
    lines = (
        "count = 0\nfor i in range(len(ARG)):\n    for j in range(i + 1, len(ARG)):\n"
        f"        if {test}:\n            count += 1\nreturn count"
    )
    return Program(
        lines, ((test, wrong), ("range(i + 1,", "range(i,"), ("range(i + 1, len(ARG))", "range(len(ARG))"))
    )


def _divided(m: Meant) -> Program:
    lines = f"count = 0\nwhile ARG % {m.k} == 0:\n    ARG //= {m.k}\n    count += 1\nreturn count"
    return Program(lines, (("while", "if"), ("count = 0", "count = 1"), (f"ARG % {m.k}", f"ARG % {m.k + 1}")))


PROGRAMS: dict[str, Callable[[Meant], Program]] = {
    **{"chosen": _chosen, "clipped": _clipped, "ranked": _ranked, "runs": _runs, "words": _words, "digits": _digits},
    **{"rotated": _rotated, "chunks": _chunks, "every": _every, "windows": _windows, "shifted": _shifted},
    **{"stretch": _stretch, "pairs": _pairs, "divided": _divided},
}


def right(meant: Meant) -> str:
    """The program that does what was understood."""
    return written(meant, PROGRAMS[meant.family](meant).lines)


def wrong(meant: Meant, rng: Random) -> str:
    """The same with one slip."""
    lines, slips = PROGRAMS[meant.family](meant)
    old, new = rng.choice(slips)
    return written(meant, lines.replace(old, new, 1))


def written(meant: Meant, lines: str) -> str:
    body = lines.replace("ARG", meant.argument).replace("\n", "\n    ")
    return f"def {meant.name}({meant.argument}):\n    {body}"
