"""Expanding: samples are independent, and those that a server did not give are asked for one by one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.pipelines.stages.bench import Bench, posed


def choices(*texts: str) -> dict[str, Any]:
    return {
        "choices": [{"message": {"content": text}, "finish_reason": "stop"} for text in texts],
        "usage": {"prompt_tokens": 10, "completion_tokens": 7},
    }


def test_every_sample_is_a_request_with_a_seed_of_its_own(tmp_path: Path):
    bench, problems = Bench(tmp_path), [posed(0, "one?"), posed(1, "one?"), posed(2, "two?")]
    output = bench.run("expand", problems=problems, prompt="solve/plain", n=4, says=lambda _, k: f"sample {k}")
    assert [(each.problem, each.sample) for each in output.facts.attempts] == [
        (problem.id, sample) for problem in problems for sample in range(4)
    ]
    seeds = [seed for _, seed, _ in bench.client.asked]
    assert len(set(seeds)) == 12  # also where two questions are equal
    assert all(0 <= seed < 2**31 for seed in seeds)
    assert not set(seeds) & {seed + 1 for seed in seeds}
    assert {n for _, _, n in bench.client.asked} == {1}
    assert output.live == [each.id for each in problems]


def test_the_seeds_of_samples_follow_from_the_runs_seed_and_the_problem_alone(tmp_path: Path):
    def seeds(n: int, **more: Any) -> list[int]:
        bench = Bench(tmp_path)
        bench.run("expand", problems=[posed(0)], prompt="solve/plain", n=n, **more)
        return [seed for _, seed, _ in bench.client.asked]

    assert seeds(8)[:3] == seeds(3)
    assert not set(seeds(8)) & set(seeds(8, seed=1))


def test_attempts_say_how_they_were_asked(tmp_path: Path):
    output = Bench(tmp_path).run(
        "expand", problems=[posed(5, "one?")], prompt="solve/boxed", n=1, says=lambda *_: "4"
    )
    [attempt] = output.facts.attempts
    assert attempt.draw == 5
    assert attempt.prompt.startswith("solve/boxed@")
    assert attempt.sampling == '{"max_tokens":4096}'
    assert [turn.role for turn in attempt.turns] == ["user", "assistant"]
    assert "one?" in (attempt.turns[0].content or "")
    assert attempt.text == "4"


@pytest.mark.parametrize("came", [1, 2, 3, 4])
def test_together_counts_the_choices_that_came(tmp_path: Path, came: int):
    bench = Bench(tmp_path)
    group = choices(*(f"choice {i}" for i in range(came)))

    def says(message: str, sample: int) -> str | dict[str, Any]:
        return group if len(bench.client.asked) == 1 else f"alone {sample}"

    output = bench.run("expand", problems=[posed(0)], prompt="solve/plain", n=4, together=True, says=says)
    assert [n for _, _, n in bench.client.asked] == [4] + [1] * (4 - came)
    assert [each.text for each in output.facts.attempts] == [f"choice {i}" for i in range(came)] + [
        f"alone {i}" for i in range(came, 4)
    ]
    assert [each.sample for each in output.facts.attempts] == [0, 1, 2, 3]
    assert len({each.id for each in output.facts.attempts}) == 4
    together = output.facts.attempts[:came]
    assert sum(each.completion_tokens or 0 for each in together) == 7
    assert sum(each.prompt_tokens or 0 for each in together) == 10


def test_equal_answers_stay_two_samples(tmp_path: Path):
    output = Bench(tmp_path).run("expand", problems=[posed(0)], prompt="solve/plain", n=3, says=lambda *_: "42")
    assert len({each.id for each in output.facts.attempts}) == 3


def test_a_refused_sample_costs_its_siblings_nothing(tmp_path: Path):
    def says(message: str, sample: int) -> str | dict[str, Any]:
        return {"refused": "too long"} if sample == 1 else "42"

    output = Bench(tmp_path).run("expand", problems=[posed(0)], prompt="solve/plain", n=3, says=says)
    assert [each.finish for each in output.facts.attempts] == ["stop", "refused", "stop"]
    assert '"too long"' in output.facts.attempts[1].details
    assert output.facts.attempts[1].text == ""


def test_no_problems_no_requests(tmp_path: Path):
    bench = Bench(tmp_path)
    output = bench.run("expand", prompt="solve/plain", n=3)
    assert bench.client.asked == []
    assert not any(output.facts)
