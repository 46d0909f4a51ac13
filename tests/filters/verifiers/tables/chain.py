"""Answers to chains of problems, as solvers list them."""

TWO = '{"chain": ["12", "7/2"]}'
THREE = '{"chain": ["5", "-3", "40"]}'
ONE = '{"chain": ["9"]}'


def listed(*answers: str, heading: str = "### Final Answers") -> str:
    return "\n".join([heading, *(rf"Problem {i}: \boxed{{{each}}}" for i, each in enumerate(answers, start=1))])


# Reference, a response that gives it, and one that nearly does.
PAIRS = [
    (TWO, listed("12", "7/2"), listed("12", "7/3")),
    (TWO, f"I get 12, so the second is 3.5.\n\n{listed('12', '3.5')}", listed("7/2", "12")),
    (TWO, listed("12", r"\frac{7}{2}"), listed("13", r"\frac{7}{2}")),
    (TWO, r"**Problem 1:** $\boxed{12}$" + "\n" + r"**Problem 2:** $\boxed{3.5}$", listed("12", "3", heading="")),
    (TWO, r"First \boxed{12}. With that, \boxed{7/2}.", r"With both of them, \boxed{7/2}."),
    (TWO, r"Problem 1: \boxed{4}" + "\n" + listed("12", "3.5"), listed("12", "3.5") + "\n" + r"Problem 1: \boxed{4}"),
    (TWO, r"<think>Problem 2: \boxed{9}</think>" + listed("12", "7/2"), listed("12", "7/2") + "\n### Final Answers\n"
     + r"Problem 1: \boxed{12}"),
    (THREE, listed("5", "-3", "40"), listed("5", "3", "40")),
    (THREE, listed("5", "-3", "40.0"), listed("5", "-3")),
    (THREE, r"Answer 1: \boxed{5}" + "\n" + r"Answer 2: \boxed{-3}" + "\n" + r"Answer 3: \boxed{40}",
     listed("5", "-3", "40", "40")),
    (ONE, listed("9"), listed("9", "9")),
    (ONE, r"So it is \boxed{9}.", r"So it is \boxed{8}."),
]  # fmt: skip

HITS = [(reference, hit) for reference, hit, _ in PAIRS]
MISSES = [(reference, miss) for reference, _, miss in PAIRS]

CHEATS = [
    *[(TWO, blank) for blank in ["", " ", "\u200b", r"\boxed{}", "### Final Answers", listed("", ""), "[]", "null"]],
    (TWO, r"\boxed{12, 7/2}"),
    (TWO, listed("12 or 13", "7/2")),
    (TWO, "Problem 1: 12\nProblem 2: 7/2"),
    (TWO, r"Problem 2: \boxed{7/2}"),
    (THREE, r"Problem 3: \boxed{40}" + "\n" + r"The others are \boxed{5} and \boxed{-3}."),
    (THREE, "\n".join(rf"Problem 3: \boxed{{{n}}}" for n in range(50))),
    (TWO, listed("[answer1]", "[answer2]")),
    ("{}", "[]"),
    ('{"chain": []}', "[]"),
    ('{"chain": [12]}', "[12]"),
    ('{"chain": ["12", " "]}', listed("12", "")),
    ('{"chain": "12"}', r"\boxed{12}"),
    ('["12"]', r"\boxed{12}"),
]
