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
]
