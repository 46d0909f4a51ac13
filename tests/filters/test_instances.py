"""Instances are read whole or not at all, and a set that contradicts itself goes."""

from __future__ import annotations

from collections import Counter

from filters.instances import SHAPES, Instance, choose, read_instances
from tests.each import each_of


def written(*pairs: tuple[str, str]) -> str:
    blocks = (f"<instance>\n<input>\n{a}\n</input>\n<output>\n{b}\n</output>\n</instance>" for a, b in pairs)
    return "\n".join(blocks)


READ = [
    (written(("b, a", "a, b")), [Instance("b, a", "a, b")]),
    (written(("None.", "Hello.")), [Instance("", "Hello.")]),
    (
        "Sure:\n<instance><output>yes</output><input>It rains.</input></instance>",
        [Instance("It rains.", "yes")],
    ),
    (written(("a", "b")) + "<instance>\n<input>\nc\n</input>\n<output>\nd", [Instance("a", "b")]),
    ("<instance>\n<input>\nc" + written(("a", "b")), [Instance("a", "b")]),
    ("<instance>" * 50_000, []),
    ("<instance>" + "<input>" * 50_000 + "</instance>", []),
    ("<instance><input>a</input></instance>", []),
    ("<instance><input>a</input><input>b</input><output>c</output></instance>", []),
    ("nothing", []),
]


@each_of(READ)
def test_whole_instances_are_read(reply: str, found: list[Instance]) -> None:
    assert read_instances(reply) == found


DROPPED = [
    ([("a", "")], "no output"),
    ([("a", "a")], "the output is the input"),
    ([("a", "It is:")], "ends in a colon"),
    ([("The text:", "b")], "ends in a colon"),
    ([("a", "b"), ("c", "d"), ("a", "b")], "a copy of another instance"),
]


@each_of(DROPPED)
def test_what_cannot_be_used_goes_by_itself(pairs: list[tuple[str, str]], reason: str) -> None:
    chosen = choose([Instance("x", "y"), *(Instance(*pair) for pair in pairs)], at_most=9)
    assert chosen.dropped == Counter({reason: 1})
    assert len(chosen.kept) == len(pairs)


def test_one_input_with_two_outputs_takes_the_whole_set_along() -> None:
    chosen = choose([Instance("a", "b"), Instance("a", "c"), Instance("d", "e")], at_most=9)
    assert chosen.kept == []
    assert chosen.dropped == Counter({"one input with different outputs": 3})


def test_no_more_are_taken_than_asked_for() -> None:
    chosen = choose([Instance(str(i), f"is {i}") for i in range(7)], at_most=5)
    assert [each.input for each in chosen.kept] == list("01234")
    assert chosen.dropped["beyond the number asked for"] == 2


def test_every_shape_shows_the_task_and_the_input_once() -> None:
    for shape in SHAPES:
        shown = shape.format(instruction="DO THIS {input}", input="{instruction}")
        assert shown.count("DO THIS {input}") == shown.count("{instruction}") == 1
