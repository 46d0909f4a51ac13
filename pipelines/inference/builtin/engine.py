"""From messages to a reply."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import cycle, islice
from random import Random
from typing import Literal

from . import solve, tokens
from .episodes.read import whole
from .faults import Faults
from .instruct import rubric
from .instruct.answer import answer as answer_instruction
from .instruct.pose import instruction
from .instruct.quality import key_words
from .pose import author
from .recognise import Answer, Grade, Pose, Request, Skilled, Solve, recognise
from .skills import SKILLS

UNABLE = (
    "I am the builtin engine, a small program and no language model. I can pose and solve certain kinds of "
    "problems and write simple texts on request; this request I do not understand."
)
DECLINED = "I would rather not take this request."
TRIES = 12  # at a reply without the words that are banned
ENOUGH_TO_GO_ON = 3  # content words; with fewer there is nothing to write about
RUN_ON = ("Let me look at this once more.", "Perhaps another way is better.", "Wait, I should check that again.")


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply, how it ended, and how many tokens (words and punctuation marks) went in and out."""

    text: str
    finish: Literal["stop", "length"]
    prompt_tokens: int
    completion_tokens: int


def reply(
    messages: Sequence[Mapping[str, str]],
    *,
    seed: int,
    temperature: float,
    max_tokens: int,
    faults: Faults = Faults(),  # noqa: B008 (frozen, so shared safely)
    name: str = "",
    stop: Sequence[str] = (),
    bad_words: Sequence[str] = (),
) -> Reply:
    """Answer a chat; a pure function of its arguments.

    Engines of different names answer differently, as models do. At temperature 0 the seed does not count. A last
    assistant message is a beginning that the reply goes on from. It ends before any of `stop`, and has none of
    `bad_words` where it finds a way. Text beyond `max_tokens` is cut (`finish = "length"`). Raises `ValueError` for
    messages without a user's, for a negative temperature, and for `max_tokens` below 1.
    """
    prompt, beginning = read(messages)
    if temperature < 0 or max_tokens < 1:
        raise ValueError(f"temperature {temperature} must be at least 0, max_tokens {max_tokens} at least 1")
    key = [*messages_key(messages, beginning), seed if temperature > 0 else 0, temperature, faults]
    key += [name] if name else []
    forbidden = bad_words if bad_words and Random(digest([*key, "ban"])).random() >= faults.unbanned else ()
    rngs = (Random(digest([*key, again] if again else key)) for again in range(TRIES if forbidden else 1))
    tried = (respond(prompt, beginning, rng=rng, faults=faults, max_tokens=max_tokens) for rng in rngs)
    ended = (min((each.partition(sign)[0] for sign in stop if sign), key=len, default=each) for each in tried)
    full = without(forbidden, ended)
    text = tokens.cut(full, at_most=max_tokens)
    finish = "stop" if text == full else "length"
    asked = sum(tokens.count(message["content"]) for message in messages)
    return Reply(text, finish, asked, tokens.count(text))


def digest(parts: Sequence[object]) -> bytes:
    return blake2b(repr(parts).encode(), digest_size=16).digest()


def without(words: Sequence[str], texts: Iterable[str]) -> str:
    """The first of the texts in which none of the words stands, in any case; the last where there is none."""
    listed = "|".join(map(re.escape, words))
    text = ""
    for text in texts:
        if not words or not re.search(rf"(?<!\w)(?:{listed})(?!\w)", text, re.I):
            break
    return text


def messages_key(messages: Sequence[Mapping[str, str]], beginning: str) -> list[tuple[str, str]]:
    """Roles and contents without the beginning, so that a cut reply is continued as it would have gone on."""
    kept = messages[:-1] if beginning else messages
    return [(message["role"], message["content"]) for message in kept]


def read(messages: Sequence[Mapping[str, str]]) -> tuple[str, str]:
    """The last user message, of an episode all; and the beginning of the answer if the last is the assistant's."""
    if not messages or not any(message["role"] == "user" for message in messages):
        raise ValueError("the messages hold no user message to answer")
    if episode := whole(messages):
        return episode, ""
    prompt = next(message["content"] for message in reversed(messages) if message["role"] == "user")
    return prompt, messages[-1]["content"] if messages[-1]["role"] == "assistant" else ""


def respond(prompt: str, beginning: str, *, rng: Random, faults: Faults, max_tokens: int) -> str:
    """The text that follows the beginning, before it is cut."""
    request = recognise(prompt)
    full = compose(request, "", rng=rng, faults=faults, max_tokens=max_tokens + tokens.count(beginning))
    if full.startswith(beginning):
        return full[len(beginning) :]
    return continued(request, beginning, rng=rng, faults=faults)


def compose(request: Request, given: str, *, rng: Random, faults: Faults, max_tokens: int) -> str:
    """A complete reply to one request."""
    match request:
        case Pose(seeds=seeds, tags=tags, instructions=True):
            return pose_instruction(seeds, tags, rng=rng, faults=faults)
        case Pose():
            return pose_problem(request, rng=rng, faults=faults, max_tokens=max_tokens)
        case Grade(task=task, response=response):
            return graded(task, response, rng=rng)
        case Skilled(skill=skill, request=asked):
            return SKILLS[skill].reply(asked, given, rng=rng, faults=faults)
        case _ if rng.random() < faults.refuse:
            return DECLINED
        case Solve(question=question):
            return solve.solve(question, rng=rng, slip=faults.slip, given=given).text
        case Answer(text=text):
            return answered(text, given, rng=rng, faults=faults)


def pose_problem(request: Pose, *, rng: Random, faults: Faults, max_tokens: int) -> str:
    """Plan, question and answer, as far as they were asked for, with at most one fault."""
    odds: dict[author.Fault, float] = {
        "wrong_author": faults.wrong_author,
        "malformed": faults.malformed,
        "truncated": faults.truncated,
        "near_duplicate": faults.near_duplicate,
        "ambiguous": faults.ambiguous,
        "leak": faults.leak,
        "refuse": faults.refuse,
    }
    fault = author.fault_of(rng, odds)
    if fault == "refuse":
        return DECLINED
    if fault == "truncated":
        return run_on(request, rng=rng, max_tokens=max_tokens)
    part = author.draft(rng, seeds=request.seeds, fault=fault, answer_of=solve.truth)
    return author.written(rng, part, tags=request.tags, malformed=fault == "malformed")


def run_on(request: Pose, *, rng: Random, max_tokens: int) -> str:
    """A first tag that is never closed, and more words than may be written."""
    start = rng.randrange(len(RUN_ON))
    sentences = islice(cycle(RUN_ON), start, start + max_tokens // 6 + 2)
    return f"<{request.tags[0]}>\n" + " ".join(sentences)


def pose_instruction(seeds: Sequence[str], tags: Sequence[str], *, rng: Random, faults: Faults) -> str:
    if rng.random() < faults.refuse:
        return DECLINED
    plan, text = instruction(rng, seeds=seeds, broken=rng.random() < faults.defective)
    part = author.Draft(plan, text, "")
    return author.written(rng, part, tags=tags, malformed=rng.random() < faults.malformed)


def graded(task: str, response: str, *, rng: Random) -> str:
    """A reason and a score, in tags; a problem that can be solved is judged by its answer."""
    right = solve.truth(task)
    grade = rubric.grade(task, response, rng=rng) if right is None else checked(right, response, rng=rng)
    return f"<reason>\n{grade.reason}\n</reason>\n<score>\n{grade.score:g}\n</score>"


def checked(right: str, response: str, *, rng: Random) -> rubric.Grade:
    """Judge a solution by its last box."""
    boxes = re.findall(r"\\boxed\{([^{}]*)\}", response)
    if not boxes:
        return rubric.Grade("The response boxes no final answer.", round(rng.uniform(0.5, 2.0), 1))
    if boxes[-1].strip().lower() == right.lower():
        return rubric.Grade("The final answer agrees with my own solution.", round(rng.uniform(8.5, 10.0), 1))
    return rubric.Grade(f"I find {right}, not {boxes[-1].strip()}.", round(rng.uniform(0.0, 1.5), 1))


def answered(text: str, given: str, *, rng: Random, faults: Faults) -> str:
    """Solve what can be solved, write what can be written, and say so where neither is possible."""
    solution = solve.solve(text, rng=rng, slip=faults.slip, given=given)
    if solution.answer is not None:
        return solution.text
    if len(key_words(text)) >= ENOUGH_TO_GO_ON:
        return answer_instruction(text, rng=rng)
    return UNABLE


def continued(request: Request, beginning: str, *, rng: Random, faults: Faults) -> str:
    """Go on from a beginning that was not this engine's own."""
    if isinstance(request, Pose):
        return continued_posing(request, beginning, rng=rng)
    full = compose(request, beginning, rng=rng, faults=faults, max_tokens=1)
    if isinstance(request, Skilled):
        return full
    if isinstance(request, Grade):
        return "\n" + full
    shared = beginning.rstrip().rsplit("\n", 1)[-1]
    at = full.find(shared) if shared.startswith("Step") else -1
    return full[at + len(shared) :] if at >= 0 else "\n" + full


def continued_posing(request: Pose, beginning: str, *, rng: Random) -> str:
    """Write the parts that the beginning has not finished; a question that stands there gets its own answer."""
    part = author.draft(rng, seeds=request.seeds, fault="none", answer_of=solve.truth)
    posed = re.search(r"<question>\s*(.*?)\s*</question>", beginning, re.S)
    if posed:
        part = part._replace(answer=solve.solve(posed[1], rng=rng, slip=0).answer or "unknown")
    open_tags = [tag for tag in request.tags if f"</{tag}>" not in beginning]
    text = author.written(rng, part, tags=open_tags, malformed=False) if open_tags else ""
    head = f"<{open_tags[0]}>\n" if open_tags else ""
    started = bool(head) and head.strip() in beginning
    return " " + text[len(head) :] if started else "\n" + text
