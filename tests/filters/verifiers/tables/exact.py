"""Exact texts, with responses as models write them."""

# ruff: noqa: RUF001

PROOF = "def f(x):\n    return x + 1"
HAIKU = "An old silent pond\nA frog jumps into the pond\nSplash! Silence again."

# Reference, a response that gives it, and one that nearly does.
PAIRS = [
    ("Paris", "Paris", "paris"),
    ("Paris", "The answer is Paris.", "The answer is Paris, France."),
    ("Paris", "The capital is large.\n\nParis", "The capital is large.\n\nIt is Paris"),
    ("Paris", "**Answer:** Paris", "**Answer:** Lyon"),
    ("Paris", "ANSWER: Paris", "Answer: Pari"),
    ("Paris", "Answer: **Paris**.", "Answer: **Paris*"),
    ("Paris", "The final answer is: `Paris`", "The final answer is: `Paris`!"),
    ("Paris", 'The answer is "Paris".', "The answer is 'Paris'."),
    ("Paris", r"So it is \boxed{Paris}.", r"So it is \boxed{Paris.}"),
    ("Paris", r"So it is \boxed{\text{Paris}}, as I said.", r"So it is \boxed{\text{PARIS}}, as I said."),
    ("Paris", "<answer>Paris</answer>", "<answer>Paris.</answer>"),
    (
        "Paris",
        "<answer>Lyon</answer> No: <answer> Paris\n</answer>",
        "<answer>Paris</answer> No: <answer>Lyon</answer>",
    ),
    ("Paris", r"\boxed{Lyon} or rather \boxed{Paris}", r"\boxed{Paris} or rather \boxed{Lyon}"),
    ("Paris", "The answer is Lyon. No, the answer is Paris.", "The answer is Paris. No, the answer is Lyon."),
    ("Paris", "Answer:\nParis", "Answer:\nI think Paris"),
    ("New York", "The answer is New  York", "The answer is NewYork"),
    ("New York", "<answer>New\nYork</answer>", "<answer>New-York</answer>"),
    ("U.S.", "The answer is U.S.", "The answer is U.S"),
    ("etc.", "<answer>etc.</answer>", "The answer is etc."),
    ("café", "The answer is cafe\u0301.", "The answer is cafe."),
    ("Ω", "\u2126", "ω"),
    ("ﬁt", "ﬁt", "fit"),
    ("2²", "2²", "22"),
    (PROOF, f"<answer>\n{PROOF}\n</answer>", f"<answer>\n{PROOF.replace('+', '-')}\n</answer>"),
    (HAIKU, f"Here it is:\n<answer>{HAIKU}</answer>", f"Here it is:\n{HAIKU}"),
    ("(B)", "The answer is (B).", "The answer is B."),
    ("-5", "-5", "−5"),
    ("1,000", "The answer is 1,000.", "The answer is 1000."),
    ("yes", "It floats.\n**yes**", "It floats.\n**Yes**"),
    ("*", "<answer>*</answer>", "<answer>**</answer>"),
    ("No.", r"\boxed{No.}", r"\boxed{No}"),
    ("北京", "答案是：\n北京", "答案是：\n南京"),
]

HITS = [(reference, hit) for reference, hit, _ in PAIRS]
MISSES = [(reference, miss) for reference, _, miss in PAIRS]

CHEATS = [
    *[
        ("Paris", blank)
        for blank in ["", " ", "\n\t", "\u200b", ".", "\\boxed{}", "<answer></answer>", "**", "The answer is"]
    ],
    ("Paris", "Paris, Lyon, Rome"),
    ("Paris", "Paris or Lyon"),
    ("Paris", "Pa\u200bris"),
    ("Paris", "Раris"),  # two Cyrillic letters
    ("Paris", "Ｐａｒｉｓ"),
    ("Paris", "P a r i s"),
    ("Paris", "paris PARIS Paris"),
    ("Paris", "The answer is the reference answer."),
    ("Paris", r"\boxed{Paris} \boxed{}"),
    ("Paris", "<answer>Paris</answer><answer></answer>"),
    ("Paris", "Paris " * 50),
    ("", ""),
    (" ", " "),
    ("\u200b", "\u200b"),
]
