"""The surface of posed problems: names, things, scenes, and a small grammar of alternatives."""

import re
from collections.abc import Sequence
from random import Random
from typing import NamedTuple


class Posed(NamedTuple):
    """A problem as its author sees it: the text, the final answer, and how many steps lead there."""

    question: str
    answer: str
    steps: int


def word_list(text: str) -> list[str]:
    """`a b c` as a list."""
    return text.split()


def phrase_list(text: str) -> list[str]:
    """`a b|c d` as a list."""
    return text.split("|")


NAMES = word_list(
    "Amara Bilal Chiara Dmitri Elif Farid Greta Hugo Ines Jonas Kavya Lukas Mirela Nadia Oskar "
    "Priya Quentin Rosa Samir Tove Umar Vera Wanda Xenia Yusuf Zofia Aiko Bruno Carmen Dagny "
    "Emeka Fiona Goran Hana Ivo Jia Kofi Leila Marek Noor Olga Pavel Rania Sven Tariq Uma Viktor "
    "Yara Anton Beate Celia Dario Esther Felix"
)

THINGS = word_list(
    "marbles stamps shells buttons postcards pencils beads coins acorns feathers stickers magnets "
    "ribbons lanterns tulips crayons badges pebbles dice candles spoons kites bottles puppets "
    "keys scarves apples walnuts notebooks balloons seeds plums biscuits envelopes gloves tickets "
    "bookmarks ropes chestnuts lemons"
)

PLACES = phrase_list(
    "the harbour|the old library|a mountain village|the school yard|a small bakery|"
    "the botanical garden|the railway museum|a farm by the lake|the market square|"
    "a workshop in the valley|the community hall|a lighthouse|the town theatre|an orchard|"
    "the river bank|a repair shop|the allotment|the observatory"
)

WORDS = word_list(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen twenty"
)

CHOICE = re.compile(r"\[([^\[\]]*)\]")


def spin(rng: Random, *templates: str) -> str:
    """Choose a template, then one alternative in each of its `[this|that|]` groups, innermost first."""
    text = rng.choice(templates)
    while "[" in text:
        text = CHOICE.sub(lambda group: rng.choice(group[1].split("|")), text)
    return text


def number(rng: Random, n: int) -> str:
    """A number from 2 to 20 as a word now and then, as people write; others in digits."""
    return WORDS[n] if 2 <= n <= 20 and rng.random() < 0.25 else str(n)


def people(rng: Random, how_many: int) -> list[str]:
    """Distinct first names."""
    return rng.sample(NAMES, how_many)


def listed(items: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"


def sentence(text: str) -> str:
    """Collapse spaces, capitalise, and end with a full stop unless it ends with a mark already."""
    text = re.sub(r"\s+", " ", text).replace(" ,", ",").replace(" .", ".").replace(" ?", "?").strip()
    return text[0].upper() + text[1:] + ("" if text[-1] in ".?!:" else ".")


def scene(rng: Random) -> str:
    """An opening that sets a scene and holds no number; empty for about one problem in three."""
    place = rng.choice(PLACES)
    if rng.random() < 0.3:
        return ""
    return sentence(
        spin(
            rng,
            f"on a [rainy|windy|bright|foggy|frosty] [morning|afternoon|evening], [there was much to do|"
            f"people met|everybody was busy] at {place}",
            f"this [happened|took place|was told to us] at {place}",
            f"here is a [puzzle|story|question|task] from {place}",
            f"[nobody|hardly anyone] at {place} could [work this out|settle the matter] [at once|quickly|]",
            f"{rng.choice(NAMES)} [told|described|wrote down] the following at {place}",
            f"think of {place} [in spring|in autumn|long ago|after closing time]",
            f"[a visitor|a curious child|an old teacher|a reporter] at {place} [asked about this|"
            "wanted to know the outcome|took careful notes]",
            f"[work at|life at|a day at] {place} brings up [odd|simple|all sorts of] questions",
        )
    )


def told(*parts: str) -> str:
    """Join the sentences that are there."""
    return " ".join(sentence(part) for part in parts if part.strip())


def lettered(rng: Random, question: str, right: str, wrong: Sequence[str]) -> tuple[str, str]:
    """The question followed by shuffled options A, B, C ..., and the letter of the right one."""
    options = [right, *wrong]
    rng.shuffle(options)
    style = rng.choice(["{}) {}", "({}) {}", "{}. {}"])
    lines = [style.format(letter, option) for letter, option in zip("ABCDEFG", options, strict=False)]
    return "\n".join([question, *lines]), "ABCDEFG"[options.index(right)]
