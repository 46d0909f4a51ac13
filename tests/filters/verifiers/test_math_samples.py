"""Real responses and references. The data is not part of the project: these tests skip where it is absent."""

import ast
import asyncio
import json
from pathlib import Path

import pytest

from filters.verifiers import math
from filters.verifiers.workers import Same, Workers

DATA = Path(__file__).parents[4] / "shared" / "data"

# The score of these problems is wrong: the scorer cut "4:30 \text{ p.m.}" down to "4:30" and refused all
# eight right answers.
WRONGLY_SCORED = {3}


def rows(path):
    if not (DATA / path).exists():
        pytest.skip(f"{path} is not at ../shared/data beside the repository")
    return [json.loads(line) for line in (DATA / path).read_text().splitlines()]


def outcomes(pairs):
    """Outcomes of (reference, response) pairs through the workers; no answer is NO."""

    async def run():
        async with Workers() as pool:
            return await pool.same(
                "math", [(reference, math.final_answer(response) or "") for reference, response in pairs]
            )

    return asyncio.run(run())


def test_agrees_with_the_scores_of_real_responses():
    problems = rows("math_samples/qwen_math_8_samples.jsonl")
    samples = [
        (problem["answer"], response, score or problem["idx"] in WRONGLY_SCORED)
        for problem in problems
        for response, score in zip(problem["response"], problem["score"], strict=True)
    ]
    found = outcomes([(reference, response) for reference, response, _ in samples])
    agreed = [(outcome is Same.YES) == right for outcome, (_, _, right) in zip(found, samples, strict=True)]
    assert len(agreed) == 480
    assert sum(agreed) >= 0.99 * len(agreed)


def test_the_wrongly_scored_responses_are_right():
    problems = [p for p in rows("math_samples/qwen_math_8_samples.jsonl") if p["idx"] in WRONGLY_SCORED]
    assert not any(score for problem in problems for score in problem["score"])
    pairs = [(problem["answer"], response) for problem in problems for response in problem["response"]]
    assert set(outcomes(pairs)) == {Same.YES}


@pytest.mark.parametrize("model", ["6b_finetuning", "6b_verification"])
def test_agrees_with_the_scores_of_grade_school_solutions(model):
    problems = rows("gsm8k/model_solutions_6b.jsonl")
    references = [math.final_answer(problem["ground_truth"]) for problem in problems]
    assert all(references)
    found = outcomes([(r, problem[model]["solution"]) for r, problem in zip(references, problems, strict=True)])
    assert [outcome is Same.YES for outcome in found] == [problem[model]["is_correct"] for problem in problems]


@pytest.mark.parametrize("name", ["aime24", "amc23", "gsm8k_test", "math500", "olympiadbench"])
def test_every_reference_of_a_benchmark_verifies_itself(name):
    answers = [row["answer"] for row in rows(f"benchmarks/{name}.jsonl")]
    if name == "olympiadbench":  # each is written as a Python list of one
        answers = [ast.literal_eval(answer)[0] for answer in answers]
    for answer in answers:
        found = math.final_answer(rf"Therefore \boxed{{{answer}}}.")
        assert found is not None, answer
        assert math.same_quickly(answer, found) is True, answer
