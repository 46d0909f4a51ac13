"""Judgements, as judges write them."""

# Reference, a reply that says so, and one that nearly does.
PAIRS = [
    ("yes", "<reason>All steps hold.</reason>\n<verdict>yes</verdict>", "<verdict>no</verdict>"),
    ("no", "<verdict>\nNo\n</verdict>", "<verdict>yes</verdict>"),
    ("A", "<reason>B errs in line 2.</reason>\n<verdict>A</verdict>", "<verdict>B</verdict>"),
    ("b", "<verdict> b </verdict>", "<verdict>tie</verdict>"),
    ("tie", "<verdict>tie</verdict>", "<verdict>A</verdict>"),
    (
        "yes",
        "<think>I lean to <verdict>no</verdict></think><verdict>yes</verdict>",
        "<verdict>yes</verdict> or <verdict>",
    ),
    ("A", "<verdict>A</verdict> as I said: <verdict>A</verdict>", "<verdict>A</verdict> or <verdict>B</verdict>"),
    ("yes", "<VERDICT>yes</VERDICT>", "yes"),
    ("A", "<score_a>7.5</score_a>\n<score_b>\n7.4\n</score_b>", "<score_a>7.4</score_a><score_b>7.5</score_b>"),
    ("tie", "<score_a>3</score_a><score_b>3.0</score_b>", "<score_a>3</score_a><score_b>3.1</score_b>"),
    (
        "B",
        "<score_a>1</score_a><score_b>9</score_b><verdict>B</verdict>",
        "<score_a>1</score_a><score_b>9</score_b><verdict>A</verdict>",
    ),
    ("yes", "<comparison>Right.</comparison><score>5.1</score>", "<score>4.9</score>"),
    ("no", "<think><score>9</score></think><score>0</score>", "<score>5</score>"),
]

HITS = [(reference, hit) for reference, hit, _ in PAIRS]
MISSES = [(reference, miss) for reference, _, miss in PAIRS]

CHEATS = [
    *[("yes", blank) for blank in ["", " ", "\n", "\u200b", "<verdict></verdict>", "verdict: yes", "<verdict>"]],
    ("A", "<verdict>A and B</verdict>"),
    ("A", "<verdict>yes</verdict>"),
    ("yes", "<verdict>A</verdict>"),
    ("yes", "<verdict>yes, no</verdict>"),
    ("no", "<think><verdict>no</verdict></think>"),
    ("yes", "<verdict>yes</verdict><verdict>no</verdict>"),
    ("tie", "<verdict>a tie</verdict>"),
    ("A", "<score_a>9</score_a>"),
    ("A", "<score_a>11</score_a><score_b>2</score_b>"),
    ("A", "<score_a>9</score_a><score_b>2</score_b><score_b>3</score_b>"),
    ("A", "<score_a>9</score_a><score_b>2</score_b><verdict>A or"),
    ("yes", "<score>9</score><score>2</score>"),
    ("yes", "<score>9</score><verdict>no</verdict>"),
    ("yes", "<think><score>9</score></think>"),
]
