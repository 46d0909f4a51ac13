"""Answering an instruction: on topic, of a quality that varies, and poorer where the instruction is defective."""

from random import Random

from .quality import defective, key_words, limits

OPENINGS = ("Here is a proposal", "This is what I would write", "A first version", "Let us begin", "In short")
SENTENCES = (
    "With {a}, it pays to think of {b} early.",
    "{A} comes first, since {b} depends on it.",
    "Many people overlook {b}, and then {a} suffers.",
    "A good example joins {a} and {b} in one small scene.",
    "Nobody regrets the time spent on {a}; {b} follows from it.",
    "When {a} is clear, {b} becomes easy to describe.",
    "Start from {a}, and come back to {b} at the end.",
    "There is a quiet link between {a} and {b}.",
)
EMPTY = (
    "This is an interesting topic with many sides.",
    "There is a lot to say here, and everyone sees it differently.",
    "It depends on many things.",
    "In any case, it is important to keep an open mind.",
)


def answer(instruction: str, *, rng: Random) -> str:
    """A templated text about the instruction's own words; no knowledge stands behind it.

    One draw decides how good it gets: how many of the words it takes up and whether it keeps the limits.
    """
    care = rng.betavariate(2, 4) if defective(instruction) else rng.betavariate(6, 1.6)
    words = key_words(instruction)
    taken = words[: max(1, round(care * len(words)))]
    stated = limits(instruction)
    target = length(rng, care, at_most=stated.at_most, at_least=stated.at_least)
    bullets = stated.bullets if stated.bullets and not stated.no_list else None
    if bullets:
        return bulleted(rng, taken, bullets if rng.random() < care + 0.15 else bullets + rng.choice((-1, 1, 2)))
    return prose(rng, taken, care, target)


def length(rng: Random, care: float, *, at_most: int | None, at_least: int | None) -> int:
    """How many words to write, within the limits if enough care is taken."""
    wanted = int(50 + 60 * care)
    if rng.random() > care + 0.15:
        return rng.choice((12, 320))
    if at_least is not None:
        wanted = max(wanted, at_least + 20)
    return min(wanted, at_most - 15) if at_most is not None else wanted


def sentence(rng: Random, words: list[str], i: int) -> str:
    a, b = words[(2 * i) % len(words)], words[(2 * i + 1) % len(words)]
    return rng.choice(SENTENCES).format(a=a, b=b, A=a.capitalize())


def bulleted(rng: Random, words: list[str], how_many: int) -> str:
    """A list; the words are spread over its points."""
    words = words or ["this"]
    per = max(1, -(-len(words) // (2 * how_many)))
    points = [" ".join(sentence(rng, words, per * i + j) for j in range(per)) for i in range(how_many)]
    return "\n".join(f"- {point}" for point in points)


def prose(rng: Random, words: list[str], care: float, target: int) -> str:
    """Sentences until the length is reached; careless ones say nothing."""
    words = words or ["this"]
    text, i = f"{rng.choice(OPENINGS)}.", 0
    while len(text.split()) < target:
        text += " " + (sentence(rng, words, i) if rng.random() < care + 0.2 else rng.choice(EMPTY))
        i += 1
    return text
