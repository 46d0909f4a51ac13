"""The author: looks at the seeds, plans, poses a problem, and sometimes spoils it."""

import re
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from random import Random
from typing import Literal, NamedTuple

from .ambiguous import ambiguous
from .families import FAMILIES, Family, recognised, steps_wanted
from .stock import STOCK, SYNONYMS
from .surface import Posed, spin

Fault = Literal["none", "wrong_author", "malformed", "truncated", "near_duplicate", "ambiguous", "leak", "refuse"]
Answerer = Callable[[str], str | None]


class Draft(NamedTuple):
    """What the author wrote, part by part, before it is put into the form that was asked for."""

    plan: str
    question: str
    answer: str


def fault_of(rng: Random, odds: Mapping[Fault, float]) -> Fault:
    """At most one fault, each with its own probability."""
    at = rng.random()
    for fault, probability in odds.items():
        if at < probability:
            return fault
        at -= probability
    return "none"


def family_for(rng: Random, seeds: Sequence[str]) -> tuple[Family, str]:
    """A family after the seeds, and in a sentence why it was taken."""
    seen = [family for seed in seeds if (family := recognised(seed)) is not None]
    if not seen:
        return rng.choice(FAMILIES), "I recognise no kind of problem in the seeds, so I pick one at random"
    if rng.random() < 0.6:
        return rng.choice(seen), "I stay with a kind that the seeds show"
    domain = rng.choice(seen).domain
    kin = [family for family in FAMILIES if family.domain == domain]
    return rng.choice(kin), f"I stay in the domain of the seeds, {domain}, with a kind of my own choice"


def described(number: int, seed: str) -> str:
    """What the author sees in one seed."""
    family = recognised(seed)
    size = f"{len(seed.split())} words and {len(re.findall(r'[0-9]+', seed))} numbers in digits"
    if family is None:
        return f"Seed {number} has {size}; I cannot tell its kind."
    return f"Seed {number} has {size}; it looks to me like {family.about} ({family.domain})."


def draft(rng: Random, *, seeds: Sequence[str], fault: Fault, answer_of: Answerer) -> Draft:
    """Plan and pose one problem, with the fault worked in; `answer_of` helps where a seed is copied."""
    family, why = family_for(rng, seeds)
    steps = steps_wanted(seeds, rng)
    saw = " ".join(described(i, seed) for i, seed in enumerate(seeds, 1))
    if fault == "near_duplicate":
        posed = copied(rng, seeds, answer_of)
        plan = f"{saw} I will write something very close to a problem that I know."
        return Draft(plan, posed.question, posed.answer)
    posed = ambiguous(rng, steps) if fault == "ambiguous" else family.pose(rng, steps)
    if fault == "ambiguous":
        plan = f"{saw} I will tell a short story about amounts and leave the reader some freedom."
    else:
        plan = f"{saw} {why}: {family.about}. The new problem takes about {posed.steps} steps."
    if fault == "wrong_author":
        posed = posed._replace(answer=mistaken(rng, posed))
    if fault == "leak":
        posed = posed._replace(question=leaked(rng, posed))
    return Draft(plan, posed.question, posed.answer)


def copied(rng: Random, seeds: Sequence[str], answer_of: Answerer) -> Posed:
    """A seed whose answer the author can work out, or else a stock problem, with hardly a word changed."""
    known = [(seed, answer) for seed in seeds if (answer := answer_of(seed)) is not None]
    question, answer = rng.choice(known if known and rng.random() < 0.5 else STOCK)
    usable = [(old, new) for old, new in SYNONYMS if old in question]
    if usable and rng.random() < 0.5:
        question = question.replace(*rng.choice(usable), 1)
    return Posed(question[0].upper() + question[1:], answer, 1)


def leaked(rng: Random, posed: Posed) -> str:
    """The question with its own answer in it."""
    remark = spin(
        rng,
        f"(The answer is {posed.answer}.)",
        f"Hint: you should get {posed.answer}.",
        f"Note that the correct answer is {posed.answer}.",
        f"(It comes to {posed.answer}.)",
    )
    return f"{posed.question}\n{remark}" if "\n" in posed.question else f"{posed.question} {remark}"


def mistaken(rng: Random, posed: Posed) -> str:
    """A wrong answer of the kind that careless authors give."""
    answer = posed.answer
    if answer in ("yes", "no"):
        return "no" if answer == "yes" else "yes"
    if answer.isalpha():
        return rng.choice([letter for letter in "ABCD" if letter != answer])
    if "/" in answer:
        value = Fraction(answer)
        return str(rng.choice([value + Fraction(1, value.denominator), 1 / value, value + 1]))
    step = rng.choice((1, -1, 2, 10, -10, 5)) if "." not in answer else rng.choice((1, -1, 10))
    whole, dot, rest = answer.partition(".")
    wrong = int(whole) + step
    return f"{abs(wrong) if wrong != 0 and abs(wrong) != int(whole) else int(whole) + 3}{dot}{rest}"


def written(rng: Random, part: Draft, *, tags: Sequence[str], malformed: bool) -> str:
    """The draft in the form that was asked for, or, malformed, in one that is not."""
    inside = {"plan": part.plan, "question": part.question, "answer": f"\\boxed{{{part.answer}}}"}
    if malformed:
        return spoilt(rng, {tag: inside[tag] for tag in tags})
    return "\n".join(block(tag, inside[tag]) for tag in tags)


def block(tag: str, inside: str) -> str:
    return f"<{tag}>\n{inside}\n</{tag}>"


def spoilt(rng: Random, inside: Mapping[str, str]) -> str:
    """The reply with one breach of form; which ones are possible depends on what was asked for."""
    blocks = {tag: block(tag, text) for tag, text in inside.items()}
    question = inside["question"]
    breaches = [
        {**blocks, "question": f"<question>\n{question}"},
        {**blocks, "question": question},
        {**blocks, "question": f"{blocks['question']}\n{block('question', STOCK[0][0])}"},
        {**blocks, "question": '{"question": null}'},
        {**blocks, "question": block("question", "")},
    ]
    if "answer" in inside:
        bare = re.sub(r"\\boxed\{(.*)\}", r"\1", inside["answer"])
        breaches += [
            {**blocks, "answer": block("answer", bare)},
            {**blocks, "answer": block("answer", "\\boxed{}")},
            {**blocks, "answer": block("answer", f"{inside['answer']} or perhaps \\boxed{{{len(question)}}}")},
            {**blocks, "answer": ""},
        ]
    return "\n".join(text for text in rng.choice(breaches).values() if text)
