"""Verdicts and scores: of one response, of two, against a reference, of two questions, and critiques."""

import re
from random import Random

from ..faults import Faults
from ..instruct.quality import key_words
from .request import Asked, asked, shown
from .worth import BOX, GOOD, own, worth, wrong_step

PAIR = {"task", "response_a", "response_b"}
VERDICTS = {"verdict", "score_a", "score_b"}


def read(prompt: str) -> Asked | None:
    """A request for a verdict or for scores; what is graded in the old form is none."""
    request = asked(prompt)
    if request is None:
        return None
    parts, tags = set(request.parts), set(request.tags)
    of_two = parts == PAIR and bool(tags & VERDICTS)
    of_one = parts in ({"task", "response"}, {"task", "reference", "response"}) and "verdict" in tags
    scored = parts == {"task", "response"} and {"comparison", "score"} <= tags
    same = parts == {"question_a", "question_b"} and "verdict" in tags and "made from A" not in request.prompt
    return request if of_two or of_one or scored or same else None


def reply(request: Asked, given: str, *, rng: Random, faults: Faults) -> str:
    """The parts that were asked for; now and then the last one is not closed."""
    if "response_a" in request.parts:
        said = of_two(request, rng=rng, faults=faults)
    elif "question_a" in request.parts:
        said = of_questions(request, rng=rng, faults=faults)
    elif "critique" in request.tags:
        said = critique(request, rng=rng, faults=faults)
    else:
        said = of_one(request, rng=rng, faults=faults)
    text = shown({tag: said.get(tag, "I have nothing to add.") for tag in request.tags})
    return text.rpartition("</")[0].rstrip() if rng.random() < faults.malformed else text


def of_two(request: Asked, *, rng: Random, faults: Faults) -> dict[str, str]:
    """The better of two, most of the time: some judgements are turned round, and some go to the first place."""
    task, first, second = (request.parts[mark] for mark in ("task", "response_a", "response_b"))
    a, b = worth(task, first, rng=rng), worth(task, second, rng=rng)
    scores, may_tie = [a.score, b.score], "or tie" in request.form
    if rng.random() < faults.misjudge:
        scores.reverse()
    if rng.random() < faults.first_place:
        scores = sorted(scores, reverse=True)
    if scores[0] == scores[1]:
        scores[0] = round(scores[0] + (0.1 if scores[0] < 10 else -0.1), 1)
    near = abs(scores[0] - scores[1]) < 0.2
    winner = "tie" if near and may_tie else "A" if scores[0] > scores[1] else "B"
    reason = f"A: {a.reason} B: {b.reason}"
    return {
        **thought(task, reason),
        "reason": reason,
        "verdict": winner,
        "score_a": f"{scores[0]:g}",
        "score_b": f"{scores[1]:g}",
    }


def of_one(request: Asked, *, rng: Random, faults: Faults) -> dict[str, str]:
    """Whether one response is right, or how good it is; with a reference, whether it arrives there."""
    task, response = request.parts["task"], request.parts["response"]
    grade = worth(task, response, rng=rng)
    good, reason = grade.score > GOOD, grade.reason
    if "reference" in request.parts:
        good = arrives(response, request.parts["reference"])
        reason = f"The response {'settles on' if good else 'does not settle on'} the reference answer."
    if rng.random() < faults.misjudge:
        good = not good
        reason = "Each step looks as it should." if good else "One of its steps does not convince me."
    score = grade.score if good == (grade.score > GOOD) else round(10 - grade.score, 1)
    return {**thought(task, reason), "reason": reason, "verdict": "yes" if good else "no", "score": f"{score:g}"}


def thought(task: str, comparison: str) -> dict[str, str]:
    """The parts in which a judge thinks before it decides."""
    wanted = ", ".join(key_words(task)[:3]) or "what it asks"
    criteria = f"A right and complete result; it should speak of {wanted}, and each step should follow."
    return {"criteria": criteria, "solution": own(task), "comparison": comparison}


def arrives(response: str, reference: str) -> bool:
    """Whether what stands in the last box, or at the end, is the reference, apart from how it is written."""
    boxes = BOX.findall(response)
    said = boxes[-1] if boxes else (response.strip().splitlines() or [""])[-1]
    return plain(said) == plain(reference) or (not boxes and plain(reference) in plain(said))


def plain(text: str) -> str:
    """Letters and digits alone; numbers without what divides their thousands."""
    return re.sub(r"[\s$\\{},()]|text|boxed|\.0+$|\.$", "", text.lower())


def of_questions(request: Asked, *, rng: Random, faults: Faults) -> dict[str, str]:
    """The same question in other words: the same numbers, and mostly the same words."""
    one, other = request.parts["question_a"], request.parts["question_b"]
    numbers = [sorted(re.findall(r"\d+(?:\.\d+)?", text)) for text in (one, other)]
    mine, theirs = ({word[:5] for word in key_words(text)} for text in (one, other))
    shared = len(mine & theirs) / max(1, len(mine | theirs))
    same = numbers[0] == numbers[1] and shared >= 0.4
    if rng.random() < faults.misjudge:
        same = not same
    reason = (
        f"They share {shared:.0%} of their words, and {'the' if numbers[0] == numbers[1] else 'not all'} numbers."
    )
    return {"reason": reason, "verdict": "yes" if same else "no"}


VAGUE = (
    "The solution has a clear beginning, and it carries on from there in an orderly way.",
    "It is written plainly. I looked at each line, and I have a feeling about the whole of it.",
)


def critique(request: Asked, *, rng: Random, faults: Faults) -> dict[str, str]:
    """Step by step what holds and where it breaks, in the words of the response; some critiques say nothing."""
    task, response = request.parts["task"], request.parts["response"]
    good = worth(task, response, rng=rng).score > GOOD
    lines = response.splitlines()
    wrong = wrong_step(task, lines)
    if rng.random() < faults.misjudge:
        good, wrong = not good, None if not good else len(lines) - 1
    if rng.random() < faults.vague:
        return {"critique": rng.choice(VAGUE), "verdict": "yes" if good else "no"}
    said = [f'"{line}": this holds.' for line in lines[:wrong] if line.startswith("Step")]
    if wrong is not None and not good:
        said.append(f'"{lines[wrong]}": this is the first mistake, and what follows rests on it.')
    said += [f"My own way: {own(task)}", "The solution is right." if good else "The solution is wrong."]
    return {"critique": "\n".join(said), "verdict": "yes" if good else "no"}
