"""Answering choices about a passage: a short thought, or a longer one that goes on from a cue.

It looks for the sentence that a question is about. Now and then it misreads one, more often in hard questions; a
longer thought looks again, and mostly finds what was wrong.
"""

import re
from collections.abc import Mapping
from hashlib import blake2b
from random import Random
from typing import NamedTuple

from .faults import Faults

ASKED = re.compile(r"(.*?)\n\n(?:Think first|Take as long)\b.*</think>.*</answer>", re.S)
OPTION = re.compile(r"^\(?([A-J])[.)] (.+)$", re.M)
NAMED = re.compile(r"\b[Oo]ption \(?([A-J])\b|\(([A-J])\)")
NUMBERS = ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
ENDED = re.compile(r"<response>\n(.*)\n\nAnswer: (.*?)\n</response>", re.S)
WORDS = {word: n for n, word in enumerate(NUMBERS, start=2)}
CORRECTS, CONFIRMS = 0.65, 0.88  # how often a second look finds a mistake, and lets stand what is right
RUNS_ON = 0.05
MISJUDGES = 0.05
LEAKS = ("The description says it plainly.", "That is what the text states.", "It was mentioned that way.")
LOOKS = ("let me look once more", "I should look at that again", "I had better go over this slowly")
FILLER = "I look from one end to the other, and then back again, to be sure that I miss nothing."


class Seen(NamedTuple):
    """A question with its options, and the sentences before it."""

    passage: str
    question: str
    options: Mapping[str, str]


class End(NamedTuple):
    """The last words of a thought, and the answer that was given."""

    words: str
    answer: str


class Found(NamedTuple):
    """What was found out: the content of the answer, and the sentences that show it."""

    answer: str
    because: str


def question_in(prompt: str) -> Seen | None:
    """A choice to be thought about; None for every other prompt."""
    found = ASKED.match(prompt) if "</think>" in prompt else None
    parts = found[1].split("\n\n") if found else []
    options = dict(OPTION.findall(parts[-1])) if parts else {}
    return Seen("\n\n".join(parts[:-2]), parts[-2].strip(), options) if len(parts) > 2 and len(options) > 1 else None


def thought(seen: Seen, given: str, *, rng: Random, faults: Faults) -> str:
    """A thought and a letter; with a beginning, what follows it."""
    return longer(seen, given, rng=rng, faults=faults) if given else short(seen, rng=rng, faults=faults)


def short(seen: Seen, *, rng: Random, faults: Faults) -> str:
    found = look(seen.passage, seen.question)
    right = letter_of(seen, found)
    if found is None or right is None or rng.random() < min(0.9, faults.misread * hardness(seen)):
        picked = rng.choice([each for each in seen.options if each != right])
        why = f"As far as I can see it is {seen.options[picked]}"
    else:
        picked, why = right, f"I see this: {found.because}"
    closed = "" if rng.random() < faults.malformed / 2 else "\n</think>"
    said = f"I am asked this: {seen.question} {why.rstrip('.')}. So option {picked} fits, {seen.options[picked]}."
    return f"<think>\n{said}{closed}\n\n<answer>{picked}</answer>"


def longer(seen: Seen, given: str, *, rng: Random, faults: Faults) -> str:
    """Look again: take back what is wrong or confirm what is right, mostly, and go over the options."""
    named = [first or second for first, second in NAMED.findall(given)]
    held = named[-1] if named and named[-1] in seen.options else None
    found = look(seen.passage, seen.question)
    right = letter_of(seen, found)
    stays = rng.random() < (CONFIRMS if held == right else 1 - CORRECTS)
    picked = held if stays and held else right if held != right and right else other(seen, right, rng)
    lines = [f"{rng.choice(LOOKS)}."]
    if rng.random() < faults.leak_words:
        lines.append(rng.choice(LEAKS))
    if found and picked == right:
        lines.append(f"What I see is this: {found.because}")
    else:
        lines.append(f"From here it seems to be {seen.options[picked]}.")
    lines += [f"Option {at}, {said}: {verdict(at, picked, rng)}" for at, said in seen.options.items()]
    turned = (
        f"I was right, so it stays option {picked}." if picked == held else f"So I take it back: option {picked}."
    )
    lines += [FILLER] * 20 if rng.random() < RUNS_ON else []
    return f" {' '.join([*lines, turned])}\n</think>\n\n<answer>{picked}</answer>"


def end_in(prompt: str) -> End | None:
    """A request to compare the end of a thought with its answer; None for every other prompt."""
    found = ENDED.search(prompt) if "last words of a thought" in prompt else None
    return End(found[1], found[2]) if found else None


def compared(end: End, given: str, *, rng: Random, faults: Faults) -> str:
    """Whether the option that the words name last is the answer; now and then the reply has no form."""
    named = [first or second for first, second in NAMED.findall(end.words)]
    same = bool(named) and named[-1] in re.findall(r"[A-J]", end.answer)
    if rng.random() < faults.malformed:
        return "They may well agree."
    said = "yes" if same != (rng.random() < MISJUDGES) else "no"
    reason = f"The words end with option {named[-1] if named else '?'}."
    return f"<reason>\n{reason}\n</reason>\n<verdict>\n{said}\n</verdict>"


def verdict(at: str, picked: str, rng: Random) -> str:
    """What is thought of one option."""
    if at == picked:
        return "this is what I see."
    return rng.choice(("no, that does not fit.", "I look for it, and it is not so.", "this cannot be it."))


def other(seen: Seen, right: str | None, rng: Random) -> str:
    return rng.choice([each for each in seen.options if each != right])


def letter_of(seen: Seen, found: Found | None) -> str | None:
    """The option that says what was found."""
    return next((at for at, said in seen.options.items() if found and said.strip(". ") == found.answer), None)


def hardness(seen: Seen) -> float:
    """How much more often this question is misread than others: from 0 to 3, a number of its own text."""
    share = int.from_bytes(blake2b(f"{seen.passage}{seen.question}".encode(), digest_size=6).digest()) / 2**48
    return 3 * share**1.5


def look(passage: str, question: str) -> Found | None:
    """What the passage shows about the question; None where that cannot be told."""
    sentences = [each.strip() for each in re.split(r"(?<=\.)\s+", passage)]
    for asks, answers in READERS:
        if (asked := re.fullmatch(asks, question)) is not None:
            return answers(asked, sentences)
    return None


def _count(asked: re.Match[str], sentences: list[str]) -> Found | None:
    return _one(rf"There are (\w+) {re.escape(f'{asked[1]} {asked[2]}')}\.", sentences)


def _sum(asked: re.Match[str], sentences: list[str]) -> Found | None:
    both = [_one(rf"There are (\w+) {re.escape(each)} .+\.", sentences) for each in asked.groups()]
    if None in both or any(each.answer not in WORDS for each in both if each):
        return None
    first, second = (each for each in both if each)
    n = WORDS[first.answer] + WORDS[second.answer]
    return Found(str(n), f"{first.because} {second.because} Together that makes {n}.")


def _place(asked: re.Match[str], sentences: list[str]) -> Found | None:
    found = _one(rf"The (\w+) \w+ {re.escape(asked[1])}\.", sentences)
    return found and Found(f"the {found.answer}", found.because)


def _colour(asked: re.Match[str], sentences: list[str]) -> Found | None:
    return _one(rf"The {re.escape(asked[1])} are painted (\w+)\.", sentences)


def _why(asked: re.Match[str], sentences: list[str]) -> Found | None:
    return _one(rf"{re.escape(asked[1])} because ([^.]+)\.", sentences)


def _aim(asked: re.Match[str], sentences: list[str]) -> Found | None:
    return _one(rf"{re.escape(asked[1])} in order (to [^.]+)\.", sentences)


def _one(pattern: str, sentences: list[str]) -> Found | None:
    """What the first sentence of this form says."""
    said = next((found for each in sentences if (found := re.fullmatch(pattern, each))), None)
    return said and Found(said[1], said[0])


READERS = (
    (r"How many (\w+ \w+) and (\w+ \w+) are there together\?", _sum),
    (r"How many (\w+ \w+) are there (\w+ the \w+)\?", _count),
    (r"What does one find (.+ the \w+)\?", _place),
    (r"Which colour do the (\w+) have\?", _colour),
    (r"(The .+)\. Why is that so\?", _why),
    (r"(The .+)\. What is that for\?", _aim),
)
