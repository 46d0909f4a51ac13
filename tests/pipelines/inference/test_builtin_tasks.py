"""Varied tasks on the builtin engine: added to a list, given instances, made harder, reviewed; with their faults."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from statistics import mean

import prompts.template as template
from filters.instances import choose, read_instances
from filters.verifiers.judging import beside, read_judgement
from pipelines.inference.builtin import NONE, Faults, reply
from pipelines.inference.builtin.instruct.quality import key_words
from pipelines.inference.builtin.skills import SKILLS
from pipelines.inference.builtin.tasks import evolve, listing
from tests.each import each_of

LISTED = "\n\n".join(f"Seed task {i}:\nGive advice on {of}." for i, of in enumerate(["bees", "snow", "tides"], 1))
TASK = "Write an email to a customer about a delayed delivery of garden furniture."
OPERATIONS = tuple(evolve.SIGNS)


loaded = cache(template.load)


def say(name: str, *, seed: int = 1, faults: Faults = NONE, **values: str) -> str:
    return reply(loaded(name).render(values), seed=seed, temperature=1.0, max_tokens=2048, faults=faults).text


def question(text: str) -> str:
    [found] = re.findall(r"<question>\n(.+?)\n</question>", text, re.S)
    return found


def rate(how_often: list[bool]) -> float:
    return mean(how_often)


def test_each_prompt_is_recognised_by_its_own_skill() -> None:
    pair = beside(TASK, f"{TASK} In verse.")
    values = {
        "add a task": [("pose/next-task", {"seeds": LISTED})],
        "instances": [(f"instances/{which}-first", {"question": TASK}) for which in ("input", "output")],
        "evolve": [(f"evolve/{how}", {"seeds": f"Seed task 1:\n{TASK}"}) for how in OPERATIONS],
        "review a task": [
            ("review/gain", {"material": pair}),
            ("review/classification", {"material": f"<task>\n{TASK}\n</task>"}),
        ],
    }
    for skill, prompts in values.items():
        for name, given in prompts:
            [message] = template.load(name).render(given)
            read = [each for each, entry in SKILLS.items() if entry.read(message["content"]) is not None]
            assert read == [skill], name
    for plain in ("solve/plain", "solve/boxed"):
        [message] = template.load(plain).render({"question": TASK})
        assert not [each for each, entry in SKILLS.items() if entry.read(message["content"]) is not None]


def test_a_task_that_is_added_is_new_and_of_several_kinds() -> None:
    made = [question(say("pose/next-task", seed=i, seeds=LISTED)) for i in range(60)]
    assert len(set(made)) > 55
    assert not any(text in LISTED for text in made)
    kinds = [listing.labels_of(text) is not None for text in made], [bool(listing.work_of(text)) for text in made]
    assert all(0.02 < rate(each) < 0.4 for each in kinds)


def test_instances_are_done_right() -> None:
    [*found] = read_instances(say("instances/input-first", question="Count the birds in the input."))
    assert found
    assert all(each.output == str(len(each.input.split(", "))) for each in found)
    task = "Decide whether a sentence is question, command or statement."
    labelled = read_instances(say("instances/output-first", question=task))
    assert [each.output for each in labelled] == ["question", "command", "statement"]
    [free] = read_instances(say("instances/input-first", question=TASK))
    assert free.input == ""


def test_of_a_classification_the_label_comes_first() -> None:
    text = say("instances/output-first", question="Classify an ingredient as sweet, sour or salty.")
    assert text.index("<output>") < text.index("<input>")


@each_of(OPERATIONS)
def test_each_operation_keeps_the_task_and_demands_more(how: str) -> None:
    made = [question(say(f"evolve/{how}", seed=i, seeds=f"Seed task 1:\n{TASK}")) for i in range(10)]
    if how == "broaden":
        assert not any(TASK in text for text in made)
        return
    assert all(text.startswith(TASK) for text in made)
    more = [len(text.split()) - len(TASK.split()) for text in made]
    assert 10 <= mean(more) <= (40 if how == "complicate" else 20)  # a table counts as material
    assert all(len(set(key_words(text)) - set(key_words(TASK))) >= 4 for text in made)


def reviewed(first: str, second: str, faults: Faults = NONE, seed: int = 1) -> bool | None:
    return read_judgement(say("review/gain", seed=seed, faults=faults, material=beside(first, second)))


def test_a_review_says_what_is_so_and_errs_at_its_rate() -> None:
    assert reviewed(TASK, f"Please do this: {TASK}") is False
    assert reviewed(TASK, f"{TASK} Explain the long-term consequences for the company.") is True
    wrong, unread = replace(NONE, review_wrong=0.3), replace(NONE, review_unread=0.3)
    assert abs(rate([reviewed(TASK, TASK, wrong, i) is True for i in range(100)]) - 0.3) < 0.12
    assert abs(rate([reviewed(TASK, TASK, unread, i) is None for i in range(100)]) - 0.3) < 0.12


FAULTS = {
    "task_unusable": lambda f, i: len(question(say("pose/next-task", seed=i, faults=f, seeds=LISTED))) < 60,
    "instance_bad": lambda f, i: bool(
        choose(read_instances(say("instances/input-first", seed=i, faults=f, question=TASK)), at_most=5).dropped
    ),
    "evolve_idle": lambda f, i: not reviewed(TASK, _evolved(f, i)),
    "evolve_leak": lambda f, i: bool(re.search("rewritten|given", _evolved(f, i), re.I)),
    "evolve_beyond": lambda f, i: evolve.read_beyond(_evolved(f, i)) is not None,
}


def _evolved(faults: Faults, i: int) -> str:
    return question(say("evolve/constrain", seed=i, faults=faults, seeds=f"Seed task 1:\n{TASK}"))


@each_of(FAULTS)
def test_each_fault_comes_at_its_rate_and_shows(fault: str) -> None:
    shows = FAULTS[fault]
    without, often = (rate([shows(replace(NONE, **{fault: p}), i) for i in range(24)]) for p in (0.0, 0.6))
    assert often - without > 0.25, (fault, without, often)


def test_what_the_engine_cannot_do_it_apologises_for() -> None:
    task = f"{TASK} Base every statement on what you can see on the live camera."
    said = [say("solve/plain", seed=i, question=task) for i in range(20)]
    assert all(len(each.split()) < 15 for each in said)
    assert sum("sorry" in each.lower() for each in said) >= 5
