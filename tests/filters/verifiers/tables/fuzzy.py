"""Texts that are close enough or not, with responses as models write them."""

import json


def near(*texts: str, at_least: float, by: str = "characters") -> str:
    return json.dumps({"texts": texts, "at_least": at_least, "by": by}, ensure_ascii=False)


ATP = "The mitochondria make most of the cell's ATP."
BITES = "The dog bites the man."
FOX = "The quick brown fox jumps over the lazy dog near the bank of the river."
EVEREST = ("Mount Everest", "Chomolungma", "Sagarmatha")
CHARACTERS = near(ATP, at_least=0.9)
WORDS = near(ATP, at_least=0.75, by="words")
IN_ORDER = near(BITES, at_least=0.8, by="words_in_order")
NAMES = near(*EVEREST, at_least=0.85)
STRICT = near("Paris", at_least=1.0)

# Reference, a response that is close enough, and one that nearly is.
PAIRS = [
    (CHARACTERS, ATP, "The mitochondria make much of it."),
    (CHARACTERS, ATP.upper(), "The chloroplasts make most of the cell's ATP."),
    (CHARACTERS, "The mitochondria make most of a cell's ATP", "Mitochondria make ATP."),
    (CHARACTERS, f"The answer is: {ATP}", f"The answer is: {ATP} And so do chloroplasts, by light."),
    (CHARACTERS, f"<answer>{ATP}</answer>", f"<answer>{ATP[:30]}</answer>"),
    (CHARACTERS, ATP.replace(" ", "\n"), ATP[::-1]),
    (CHARACTERS, rf"\boxed{{\text{{{ATP}}}}}", r"\boxed{\text{ATP}}"),
    (CHARACTERS, "The mitochondria make most of the cells ATP.", "The nucleus makes most of the cell's RNA."),
    (near("naïve café", at_least=0.95), "nai\u0308ve cafe\u0301", "naive cafe"),
    (near("colour", at_least=0.9), "color", "collar"),
    (near("Massachusetts", at_least=0.9), "Massachussetts", "Massachu"),
    (near("photosynthesis", at_least=0.9), "Photosyntesis", "Photolysis"),
    (near("北京大学", at_least=0.7), "北京大", "北大"),
    (STRICT, "paris", "Pari"),
    (STRICT, "The answer is **Paris**.", "The answer is Paris, France."),
    (WORDS, "The mitochondria make ATP, most of the cell's.", "Mitochondria make ATP."),
    (
        WORDS,
        "Most of the cell's ATP is made by the mitochondria",
        "Most of the plant's sugar is made by the chloroplasts",
    ),
    (WORDS, "most -- of the cell's ATP: the mitochondria make", "of the the the of the the"),
    (WORDS, ATP + " Yes.", ATP + " They have two membranes and their own DNA as well."),
    (near("red green blue", at_least=1.0, by="words"), "Blue, green & red!", "red green blue blue"),
    (near("to be or not to be", at_least=0.8, by="words"), "be or not to be", "to be"),
    (near("New York City", at_least=0.8, by="words"), "New York", "York"),
    (IN_ORDER, "The dog bites a man.", "The man bites the dog."),
    (IN_ORDER, "the dog... bites the man!", "the dog"),
    (IN_ORDER, "The big dog bites the man", "A big old dog may bite the man"),
    (
        near(FOX, at_least=0.9, by="words_in_order"),
        FOX.replace("quick ", ""),
        FOX.replace("brown fox", "dog").replace("lazy dog", "fox"),
    ),
    (NAMES, "Chomolungma", "Chomo"),
    (NAMES, "Mount Everst", "Everest"),
    (NAMES, "The answer is Sagarmatha.", "The answer is Sagar."),
    (near(*EVEREST, at_least=0.5, by="words"), "Everest", "K2, not Everest at all, no"),
    (json.dumps({"text": "42 apples", "at_least": 0.9}), "42 apples", "43 pears"),
]

HITS = [(reference, hit) for reference, hit, _ in PAIRS]
MISSES = [(reference, miss) for reference, _, miss in PAIRS]

LOW = near(ATP, at_least=0.1)
CHEATS = [
    *[
        (LOW, blank)
        for blank in ["", " ", "\n", "\u200b" * 50, "\u3164" * 50, "...", "!?!", "<answer></answer>", "\\boxed{}"]
    ],
    (near(ATP, at_least=0.1, by="words"), ". , ; :"),
    (near(ATP, at_least=0.1, by="words_in_order"), "\u200b"),
    (CHARACTERS, f"{ATP} " * 20),
    (CHARACTERS, "the " * 500),
    (CHARACTERS, ATP + " " + FOX),
    (WORDS, f"{ATP} {FOX} {BITES}"),
    (WORDS, " ".join(sorted(set(ATP.split()) | set(FOX.split())))),
    (WORDS, "mitochondria " * 8),
    (IN_ORDER, "dog man bites the " * 5),
    (NAMES, ", ".join(EVEREST)),
    (CHARACTERS, "".join(sorted(ATP))),
    (CHARACTERS, CHARACTERS),
    (STRICT, "Paris Paris"),
    (STRICT, "Paris or Lyon"),
    ("The mitochondria make ATP.", "The mitochondria make ATP."),  # no threshold declared
    (json.dumps({"text": "a", "at_least": 0}), "b"),
    (json.dumps({"text": "...", "at_least": 0.5}), "..."),
]
