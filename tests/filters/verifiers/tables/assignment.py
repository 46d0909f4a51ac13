"""Assignments that keep their constraints, that nearly do, and that only pretend to."""

import json


def _task(variables: dict, *constraints: str, **more) -> str:
    return json.dumps({"variables": variables, "constraints": constraints, **more}, ensure_ascii=False)


DIGIT = [0, 9]
SUM = _task({"x": DIGIT, "y": DIGIT}, "x + y == 10", "x < y", solution={"x": 3, "y": 7})
NEGATIVE = _task({"a": [-20, 20], "b": [-20, 20]}, "a + b == -7", "a * b == 10", "a < b")
MOST = _task(
    {"x": DIGIT, "y": DIGIT}, "x + y <= 10", "x <= 6", objective={"maximize": "3*x + y"}, solution={"x": 6, "y": 4}
)
LEAST = _task(
    {"fives": [0, 20], "threes": [0, 20]}, "5*fives + 3*threes == 31", objective={"minimize": "fives + threes"}
)
DAYS = _task(
    {name: ["Mon", "Tue", "Wed"] for name in ("ann", "bob", "cid")},
    "all_different(ann, bob, cid)",
    "ann != 'Mon'",
    "bob == 'Tue'",
)
TRUTH = _task({"p": [False, True], "q": [False, True]}, "implies(p, q)", "p or q", "not (p and q)")
COLORS = _task({c: ["red", "green"] for c in "abc"}, "a != b", "b != c", "c != a", solution=None)
PARITY = _task({"n": [1, 100]}, "n % 2 == 1", "2 * n == 40 or n // 7 == 14", "n in (20, 98, 99)")
IMPOSSIBLE = _task({"x": [0, 100], "y": [0, 100]}, "2*x + 4*y == 51", "x <= 90", solution=None)
KNAPSACK = _task(
    {"tent": [False, True], "stove": [False, True], "rope": [False, True]},
    "(5 if tent else 0) + (4 if stove else 0) + (3 if rope else 0) <= 8",
    objective={"maximize": "(10 if tent else 0) + (7 if stove else 0) + (6 if rope else 0)"},
)
MAGIC = _task(
    {f"c{i}": [1, 9] for i in range(4)},
    "all_different(c0, c1, c2, c3)",
    "sum(c0, c1, c2, c3) == 10",
    "max(c0, c1) < min(c2, c3)",
    "c0 > c1",
    "count(c0 > 1, c1 > 1, c2 > 3, c3 > 3) == 2",
    "abs(c2 - c3) == 1",
)

HITS: list[tuple[str, str]] = [
    (SUM, "<answer>x = 3, y = 7</answer>"),
    (SUM, '<answer>{"x": 4, "y": 6}</answer>'),
    (SUM, 'Both hold for 1 and 9:\n\n```json\n{"x": 1, "y": 9}\n```'),
    (SUM, "They add up to 10.\n\nx = 2\ny = 8"),
    (SUM, r"So \boxed{x = 3, y = 7}."),
    (SUM, "The answer is: x = 3 and y = 7."),
    (SUM, "**Solution:**\n- x: 4\n- y: 6"),
    (SUM, "First try x = 5, y = 5, but x < y fails.\n<answer>x = 4; y = 6</answer>"),
    (SUM, "<answer>{'x': 4, 'y': 6}</answer>"),
    (SUM, "The answer is $x = 3$, $y = 7$."),
    (NEGATIVE, "<answer>a = -5, b = -2</answer>"),
    (NEGATIVE, '```json\n{"b": -2, "a": -5}\n```'),
    (NEGATIVE, r"\boxed{a=-5, b=-2}"),
    (MOST, "<answer>x = 6, y = 4</answer>"),
    (MOST, "<answer>x = 6, y = 4, objective = 22</answer>"),
    (MOST, '```json\n{"x": 6, "y": 4}\n```'),
    (LEAST, "Use as many fives as divide well.\n<answer>fives = 5, threes = 2</answer>"),
    (LEAST, '<answer>{"threes": 2, "fives": 5, "objective": 7}</answer>'),
    (DAYS, "<answer>ann = Wed, bob = Tue, cid = Mon</answer>"),
    (DAYS, '<answer>{"ann": "Wed", "bob": "Tue", "cid": "Mon"}</answer>'),
    (DAYS, "Bob has Tuesday.\n\nAnswer:\n* ann: Wed\n* bob: Tue\n* cid: Mon"),
    (DAYS, '<answer>\nann = "Wed"\nbob = "Tue"\ncid = "Mon"\n</answer>'),
    (TRUTH, "<answer>p = false, q = true</answer>"),
    (TRUTH, '```json\n{"p": false, "q": true}\n```'),
    (COLORS, "Three all different with two colors cannot be.\n<answer>infeasible</answer>"),
    (COLORS, r"\boxed{\text{infeasible}}"),
    (COLORS, "The answer is: no solution exists."),
    (PARITY, "<answer>n = 99</answer>"),
    (PARITY, r"Hence \boxed{n = 99}"),
    (IMPOSSIBLE, "The left side is even.\n\nThe problem is infeasible."),
    (IMPOSSIBLE, "**Answer:** Impossible."),
    (KNAPSACK, "<answer>tent = true, stove = false, rope = true</answer>"),
    (KNAPSACK, '<answer>{"tent": true, "stove": false, "rope": true, "objective": 16}</answer>'),
    (MAGIC, "<answer>c0 = 2, c1 = 1, c2 = 3, c3 = 4</answer>"),
    (MAGIC, '```\n{"c0": 2, "c1": 1, "c2": 4, "c3": 3}\n```'),
]

MISSES: list[tuple[str, str]] = [
    (SUM, "<answer>x = 5, y = 5</answer>"),
    (SUM, "<answer>x = 7, y = 3</answer>"),
    (SUM, "<answer>x = 3, y = 6</answer>"),
    (SUM, "<answer>x = 0, y = 10</answer>"),
    (SUM, "<answer>x = 3</answer>"),
    (SUM, "<answer>x = 3, y = 7, x = 4</answer>"),
    (SUM, "<answer>x = 3, y = 7, z = 1</answer>"),
    (SUM, '<answer>{"x": 3, "y": 7, "x": 2}</answer>'),
    (SUM, "<answer>infeasible</answer>"),
    (SUM, '<answer>{"x": "3.0", "y": 7}</answer>'),
    (SUM, r"\boxed{x = 3, y = 8}"),
    (NEGATIVE, "<answer>a = 5, b = 2</answer>"),
    (NEGATIVE, "<answer>a = -2, b = -5</answer>"),
    (MOST, "<answer>x = 6, y = 3</answer>"),
    (MOST, "<answer>x = 7, y = 3</answer>"),
    (MOST, "<answer>x = 5, y = 5</answer>"),
    (MOST, "<answer>x = 6, y = 4, objective = 24</answer>"),
    (MOST, "<answer>infeasible</answer>"),
    (LEAST, "<answer>fives = 2, threes = 7</answer>"),
    (LEAST, "<answer>fives = 6, threes = 0</answer>"),
    (DAYS, "<answer>ann = Mon, bob = Tue, cid = Wed</answer>"),
    (DAYS, "<answer>ann = Wed, bob = Tue, cid = Wed</answer>"),
    (DAYS, "<answer>ann = Wed, bob = Tue, cid = Thu</answer>"),
    (DAYS, "<answer>Ann = Wed, Bob = Tue, Cid = Mon</answer>"),
    (DAYS, "The answer is: there is no solution"),
    (TRUTH, "<answer>p = true, q = true</answer>"),
    (TRUTH, "<answer>p = false, q = false</answer>"),
    (TRUTH, "<answer>p = 0, q = 1</answer>"),
    (COLORS, "<answer>a = red, b = green, c = red</answer>"),
    (COLORS, "<answer>a = red, b = green, c = blue</answer>"),
    (PARITY, "<answer>n = 98</answer>"),
    (PARITY, "<answer>n = 20</answer>"),
    (IMPOSSIBLE, "<answer>x = 1, y = 12</answer>"),
    (KNAPSACK, "<answer>tent = true, stove = true, rope = false</answer>"),
    (KNAPSACK, "<answer>tent = false, stove = true, rope = true</answer>"),
    (MAGIC, "<answer>c0 = 1, c1 = 2, c2 = 3, c3 = 4</answer>"),
    (MAGIC, "<answer>c0 = 2, c1 = 1, c2 = 2, c3 = 5</answer>"),
]

CHEATS: list[tuple[str, str]] = [
    (SUM, "<answer></answer>"),
    (SUM, "<answer>x = y</answer>"),
    (SUM, "<answer>x = 10 - y, y = 7</answer>"),
    (SUM, "<answer>x = 3 or 4, y = 7 or 6</answer>"),
    (SUM, "<answer>x = 3\nx = 4\ny = 7\ny = 6</answer>"),
    (SUM, "<answer>x = [3], y = [7]</answer>"),
    (SUM, "<answer>x + y == 10, x < y</answer>"),
    (SUM, '<answer>{"x": {"y": 3}, "y": 7}</answer>'),
    (SUM, '<answer>{"x": NaN, "y": NaN}</answer>'),
    (SUM, "<answer>x = __import__('os').getpid(), y = 7</answer>"),
    (SUM, "<answer>x = 9" + "9" * 5_000 + ", y = 7</answer>"),
    (MOST, "<answer>x = 6, y = 4, objective = 100</answer>"),
    (MOST, "<answer>optimal</answer>"),
    (DAYS, "<answer>ann = any, bob = any, cid = any</answer>"),
    (DAYS, "Solution:"),
    (TRUTH, "<answer>p = q, q = not p</answer>"),
    (_task({"x": DIGIT}, "__import__('os').getpid() > 0"), "<answer>x = 1</answer>"),
    (_task({"x": DIGIT}, "x ** x ** x >= 0"), "<answer>x = 9</answer>"),
    (_task({"x": DIGIT}, "(lambda: True)()"), "<answer>x = 1</answer>"),
]
