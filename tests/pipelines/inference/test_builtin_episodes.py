"""The builtin engine in environments with tools: it looks around, writes tasks that are sound, and does them.

The environments are our own seeds, so what is written about them is run here without a sandbox.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections import Counter
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import pytest

from filters.environments import calls_in, environment_of, observation
from filters.tasks import BETWEEN
from filters.verifiers import code
from pipelines.inference.builtin import Faults, reply
from pipelines.inference.builtin.episodes import pose, solve
from pipelines.inference.builtin.faults import NONE
from pipelines.inference.builtin.skills import SKILLS
from prompts.template import load
from tests.each import each_of

PATH = Path(__file__).parents[3] / "data" / "seeds" / "environments.jsonl"
SEEDS: dict[str, dict[str, Any]] = {row["id"]: row for row in map(json.loads, PATH.read_text().splitlines())}
ONE_OF_EACH = {row["domain"]: row["id"] for row in SEEDS.values()}


def space(seed: str) -> dict[str, Any]:
    """What the source of one of our environments defines."""
    names: dict[str, Any] = {}
    exec(environment_of(json.dumps(SEEDS[seed]["answer"])) or "", names)
    return names


def results(seed: str, calls: list[str]) -> list[str]:
    world = space(seed)["start"]()
    return [json.dumps(world.call(tool, **given)) for tool, given in map(json.loads, calls)]


def episode(seed: str, prompt: str, question: str, *, number: int = 0, faults: Faults = NONE) -> list[dict[str, str]]:
    """A whole conversation between the engine and an environment."""
    messages, calls = load(prompt).render({"question": question}), list[str]()
    for left in range(5, 0, -1):
        said = reply(messages, seed=number, temperature=0.8, max_tokens=4096, faults=faults).text
        messages.append({"role": "assistant", "content": said})
        if not (new := calls_in(said)):
            break
        calls += new
        messages.append({"role": "user", "content": observation(results(seed, calls)[-len(new) :], left)})
    return messages


@cache
def posed(seed: str, number: int, faults: Faults = NONE) -> dict[str, str]:
    """The parts of a task that the engine writes after a look around."""
    said = SEEDS[seed]["question"]
    found = "\n\n".join(each["content"] for each in episode(seed, "explore/tools", said, number=number)[1:])
    messages = load("pose/in-environment").render({"seeds": f"Seed question 1:\n{said}\n\n{found}"})
    text = reply(messages, seed=number, temperature=0.8, max_tokens=4096, faults=faults).text
    return dict(re.findall(r"<(\w+)>\n(.*?)\n</\1>", text, re.S))


def accepts(seed: str, evaluation: str, answer: str) -> bool:
    names = space(seed)
    exec(evaluation, names)
    exec(answer, names)
    world = names["start"]()
    for tool, given in names["solve"]():
        world.call(tool, **given)
    return names["evaluate"](world) is True


@each_of(ONE_OF_EACH)
def test_it_looks_around_and_comes_to_an_end(domain: str) -> None:
    messages = episode(ONE_OF_EACH[domain], "explore/tools", SEEDS[ONE_OF_EACH[domain]]["question"])
    assert [each["role"] for each in messages] == ["user", "assistant"] * 3
    assert sum("```results" in each["content"] for each in messages) == 2
    assert messages[-1]["role"] == "assistant"


@each_of(ONE_OF_EACH)
def test_without_faults_its_tasks_are_sound_and_it_does_them(domain: str) -> None:
    seed = ONE_OF_EACH[domain]
    for number in range(2):
        task = posed(seed, number)
        assert accepts(seed, task["evaluation"], task["solution"]), task
        wrong = task["wrong"].split(BETWEEN)
        assert wrong
        assert not [each for each in wrong if accepts(seed, task["evaluation"], each)], task
        question = f"{task['question']}\n\n{SEEDS[seed]['question']}"
        handed_in = code.final_answer(episode(seed, "solve/calls", question, number=number)[-1]["content"])
        assert accepts(seed, task["evaluation"], handed_in or ""), task


@pytest.mark.slow
def test_all_kinds_of_tasks_are_understood() -> None:
    kinds = Counter(
        next((does.__name__ for pattern, does in solve.DOING.items() if pattern.search(each["question"])), "none")
        for seed in ONE_OF_EACH.values()
        for each in (posed(seed, number) for number in range(16))
    )
    assert set(kinds) == {does.__name__ for some in pose.KINDS.values() for does in some}


FAULTS = {
    "bad_evaluation": "the evaluation crashes or is no Python",
    "bad_solution": "the solution fails",
    "weak_evaluation": "a wrong answer passes",
}


@each_of(FAULTS)
def test_each_fault_of_a_task_is_what_it_says(fault: str) -> None:
    seed = ONE_OF_EACH["library"]
    for number in range(2):
        task = posed(seed, number, dataclasses.replace(NONE, **{fault: 1.0}))
        try:
            own = accepts(seed, task["evaluation"], task["solution"])
            others = [accepts(seed, task["evaluation"], each) for each in task["wrong"].split(BETWEEN)]
        except (SyntaxError, AttributeError):
            said = "the evaluation crashes or is no Python"
        else:
            said = "the solution fails" if not own else "a wrong answer passes" if any(others) else "sound"
        assert said == FAULTS[fault]


@pytest.mark.slow
def test_an_episode_goes_wrong_more_often_for_some_tasks_than_for_others() -> None:
    seed = ONE_OF_EACH["shop"]
    faults = dataclasses.replace(NONE, bad_episode=0.25)
    rates = []
    for number in range(12):
        task = posed(seed, number)
        question = f"{task['question']}\n\n{SEEDS[seed]['question']}"
        ends = [episode(seed, "solve/calls", question, number=k, faults=faults)[-1]["content"] for k in range(4)]
        rates.append(sum(accepts(seed, task["evaluation"], code.final_answer(each) or "") for each in ends) / 4)
    assert 0.4 < sum(rates) / len(rates) < 0.95
    assert len(set(rates)) > 2


def test_each_prompt_is_recognised_by_its_own_skill() -> None:
    said = SEEDS[ONE_OF_EACH["shop"]]["question"]
    prompts = {
        "explore": ("explore/tools", {"question": said}),
        "task with tools": ("pose/in-environment", {"seeds": f"Seed question 1:\n{said}"}),
        "use tools": ("solve/calls", {"question": f"Cancel something.\n\n{said}"}),
    }
    for skill, (name, given) in prompts.items():
        [message] = load(name).render(given)
        assert [each for each, entry in SKILLS.items() if entry.read(message["content"]) is not None] == [skill]


def test_what_it_cannot_make_sense_of_breaks_nothing() -> None:
    strange = "You have tried out an environment with tools <evaluation>\n```calls\nno\n```\n```results\n{\n```\n"
    found = pose.read(strange)
    assert found is not None
    assert "nothing in there" in pose.reply(found, "", rng=Random(0), faults=NONE)
    asked = solve.read("Sing.\n\nWhat counts is what you hand in")
    assert asked
    assert "return []" in solve.reply(asked, "", rng=Random(0), faults=NONE)
