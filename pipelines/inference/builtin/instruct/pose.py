"""Posing an instruction from two seeds of one category."""

from collections.abc import Sequence
from random import Random

from .categories import CATEGORIES, Category, category_of, phrase_list
from .quality import limits

READERS = phrase_list(
    "readers who are new to the subject|busy parents|people over seventy|a local newspaper|"
    "new colleagues|visitors from abroad|teenagers|the members of a club|a town council|"
    "a class of adults|volunteers"
)
TONES = ["warm", "matter-of-fact", "playful", "calm", "encouraging", "formal", "plain", "lively", "dry", "respectful"]
FOCUS = phrase_list(
    "put the greatest weight on cost|mention one thing that often goes wrong|"
    "include a concrete example|say what to do first|name one surprising detail|"
    "end with a question to the reader|consider people with little time|"
    "explain every technical term|stay honest about the drawbacks|take the season into account"
)


def instruction(rng: Random, *, seeds: Sequence[str], broken: bool) -> tuple[str, str]:
    """A plan and a new instruction; `broken` gives it a defect that its text shows."""
    category = category_of(*seeds) or rng.choice(CATEGORIES)
    request = requested(rng, category, seeds)
    subject = rng.choice([s for s in category.subjects if all(s not in seed for seed in seeds)])
    sentences = [
        request.format(subject) + rng.choice([" for ", ", meant for "]) + rng.choice(READERS) + ".",
        f"{rng.choice(['Keep the tone', 'Let the tone be', 'The tone should be'])} {rng.choice(TONES)}.",
        f"{rng.choice(['Please also', 'Also', 'In addition,'])} {rng.choice(FOCUS)}.",
    ]
    rng.shuffle(sentences[1:])
    stated = [limits(seed) for seed in seeds]
    wants_limit = any(limit.at_most or limit.at_least for limit in stated) or rng.random() < 0.5
    if wants_limit:
        sentences.append(limit_sentence(rng))
    text = spoilt(rng, sentences) if broken else " ".join(sentences)
    return planned(seeds, category, subject, limited=wants_limit), text


def requested(rng: Random, category: Category, seeds: Sequence[str]) -> str:
    """A kind of request that shares a word with the first seed where there is one."""
    first = set(seeds[0].lower().split()) if seeds else set()
    alike = [r for r in category.requests if first & set(r.lower().split()) - {"a", "the", "of", "for", "{}"}]
    return rng.choice(alike if alike and rng.random() < 0.5 else category.requests)


def planned(seeds: Sequence[str], category: Category, subject: str, *, limited: bool) -> str:
    sizes = ", ".join(str(len(seed.split())) for seed in seeds) or "no"
    limit = "with a limit on its length" if limited else "without a limit on its length"
    return (
        f"The seeds have {sizes} words and look to me like {category.name}. "
        f"The new task stays in that category, takes another subject ({subject}), and comes {limit}."
    )


def limit_sentence(rng: Random) -> str:
    n = rng.choice((80, 100, 120, 150, 180, 200))
    k = rng.choice(("three", "four", "five"))
    return rng.choice(
        [
            f"Use at most {n} words.",
            f"Stay under {n} words.",
            f"Give exactly {k} bullet points.",
            f"Write at least {n // 2} words.",
        ]
    )


def spoilt(rng: Random, sentences: list[str]) -> str:
    """One of three defects: missing material, contradictory limits, or nothing definite."""
    kind = rng.choice(["material", "limits", "vague"])
    if kind == "material":
        noun = rng.choice(["notes", "draft", "article", "data", "letter"])
        base = rng.choice([f"Base it on the {noun} below.", f"Use only what the attached {noun} says."])
        return " ".join([sentences[0], base, *sentences[1:2]])
    if kind == "limits":
        n = rng.choice((40, 50, 60))
        return " ".join([*sentences[:2], f"Write at least {n * 4} words, but use at most {n} words."])
    return (
        f"{sentences[0].split(' ')[0]} "
        f"{rng.choice(['something nice', 'some stuff', 'whatever fits', 'something interesting'])} "
        f"{rng.choice(['for me', 'for later', 'for the team', 'again'])}, you know what I mean."
    )
