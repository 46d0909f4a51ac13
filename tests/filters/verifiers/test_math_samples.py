"""Real responses and references. The data is not part of the project: these tests skip where it is absent."""

import ast
import asyncio
import json
from pathlib import Path

import pytest

from filters.verifiers import math
from filters.verifiers.workers import Workers

DATA = Path(__file__).parents[4] / "shared" / "data"

# Problem 3 asks for a time of the day. The scorer cut "4:30 \text{ p.m.}" down to "4:30" (its column `pred`) and
# refused that, so that the scores of all eight right responses are False.
CUT_SHORT = 3


def rows(path):
    if not (DATA / path).exists():
        pytest.skip(f"{path} is not at ../shared/data beside the repository")
    return [json.loads(line) for line in (DATA / path).read_text().splitlines()]


def states(pairs):
    """The states of (reference, answer) pairs through the workers."""

    async def run():
        async with Workers() as pool:
            return await pool.check("math", [(reference, answer or "") for reference, answer in pairs])

    return [outcome.status for outcome in asyncio.run(run())]


def samples(column):
    """Of each MATH sample: its problem's index, the reference, that column's text, the score."""
    return [
        (problem["idx"], problem["answer"], text, score)
        for problem in rows("math_samples/qwen_math_8_samples.jsonl")
        for text, score in zip(problem[column], problem["score"], strict=True)
    ]


@pytest.mark.slow
def test_agrees_with_the_score_of_every_prediction():
    """What was scored is the column `pred`, so that its scores can be compared with nothing left out."""
    scored = samples("pred")
    found = states([(reference, prediction) for _, reference, prediction, _ in scored])
    assert [state == "pass" for state in found] == [score for *_, score in scored]
    assert len(scored) == 480


def test_agrees_with_the_scores_of_real_responses_but_those_cut_short():
    scored = samples("response")
    found = states([(reference, math.final_answer(response)) for _, reference, response, _ in scored])
    disagreed = {
        index: state for (index, _, _, score), state in zip(scored, found, strict=True) if (state == "pass") != score
    }
    assert disagreed == {CUT_SHORT: "pass"}
    assert set(found) == {"pass", "fail"}


@pytest.mark.parametrize("model", ["6b_finetuning", "6b_verification"])
def test_agrees_with_the_scores_of_grade_school_solutions(model):
    problems = rows("gsm8k/model_solutions_6b.jsonl")
    references = [math.final_answer(problem["ground_truth"]) for problem in problems]
    assert all(references)
    answers = [math.final_answer(problem[model]["solution"]) for problem in problems]
    found = states(zip(references, answers, strict=True))
    assert [state == "pass" for state in found] == [problem[model]["is_correct"] for problem in problems]
    assert set(found) == {"pass", "fail"}


@pytest.mark.parametrize("name", ["aime24", "amc23", "gsm8k_test", "math500", "olympiadbench"])
def test_every_reference_of_a_benchmark_verifies_itself(name):
    answers = [row["answer"] for row in rows(f"benchmarks/{name}.jsonl")]
    if name == "olympiadbench":  # each is written as a Python list of one
        answers = [ast.literal_eval(answer)[0] for answer in answers]
    for answer in answers:
        found = math.final_answer(rf"Therefore \boxed{{{answer}}}.")
        assert found is not None, answer
        assert math.same_quickly(answer, found) is True, answer
