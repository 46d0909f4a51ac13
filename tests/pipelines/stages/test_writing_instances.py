"""Instances: inputs and outputs of a task stand beside it, and what was asked for them answers no instruction."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from pipelines.stages.instances import check_instances
from pipelines.store import Output
from prompts.template import load
from tests.filters.test_instances import written
from tests.pipelines.stages.bench import Bench, posed

SORT, SING, MUTE = posed(0, "Sort the words."), posed(1, "Sing."), posed(2, "Be quiet.")
SAYS = {
    SORT: written(("b, a", "a, b"), ("d, c", "c, d"), ("f", "")),
    SING: written(("none", "La.")),
    MUTE: written(("a", "b"), ("a", "c")),
}


def made(tmp_path: Path, **given: Any) -> Output:
    def says(message: str, sample: int) -> str | dict[str, Any]:
        return next(text for task, text in SAYS.items() if task.question in message)

    return Bench(tmp_path).run("instances", problems=[*SAYS], prompt="instances/input-first", says=says, **given)


def test_each_instance_is_a_problem_beside_its_task_with_the_output_as_its_answer(tmp_path: Path):
    output = made(tmp_path)
    instances = [each for each in output.facts.problems if each.kind == "instance"]
    assert [(each.draw, each.answer) for each in instances] == [(0, "a, b"), (0, "c, d"), (1, "La.")]
    assert all(SORT.question in each.question for each in instances[:2])
    assert "b, a" in instances[0].question
    assert instances[2].question == "Sing."
    assert orjson.loads(instances[0].details) == {"instruction": SORT.question, "input": "b, a"}
    attempts = {each.id: each for each in output.facts.attempts}
    assert all(each.parents[0] in attempts for each in instances)


def test_what_wrote_them_is_no_attempt_at_the_task(tmp_path: Path):
    """Or views would take the list of instances for an answer to the instruction."""
    asked = {each.problem for each in made(tmp_path).facts.attempts}
    assert not asked & {each.id for each in SAYS}


def test_a_task_without_a_usable_instance_goes_and_says_why(tmp_path: Path):
    output = made(tmp_path)
    sort, sing, mute = output.facts.verdicts
    assert [(each.status, each.score) for each in (sort, sing, mute)] == [("pass", 2.0), ("pass", 1.0), ("fail", 0.0)]
    assert orjson.loads(sort.evidence) == {"dropped": {"no output": 1}}
    assert orjson.loads(mute.evidence)["reason"] == "one input with different outputs"
    assert output.live == [SORT.id, SING.id]
    assert output.out == [(2, mute.id)]


def test_a_reply_cut_before_its_first_instance_was_whole_says_so(tmp_path: Path):
    cut = {"choices": [{"message": {"content": "<instance>\n<input>\nb"}, "finish_reason": "length"}]}
    output = Bench(tmp_path).run("instances", problems=[SORT], prompt="instances/output-first", says=lambda *_: cut)
    assert orjson.loads(output.facts.verdicts[0].evidence)["reason"] == "cut off at the limit"


def test_the_same_facts_come_again(tmp_path: Path):
    assert made(tmp_path) == made(tmp_path)


@pytest.mark.parametrize(
    ("given", "told"),
    [({"at_most": 0}, "at_most = 0"), ({"prompt": load("solve/plain")}, "should name <instance> under replies")],
)
def test_what_cannot_be_is_refused(given: dict[str, Any], told: str):
    with pytest.raises(ValueError, match=told):
        check_instances({"at_most": 5, "prompt": load("instances/input-first"), **given})
