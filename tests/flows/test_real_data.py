"""On data that nobody on this project wrote. It is not part of the project: these tests skip where it is absent."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import orjson
import pytest

from flows import make
from flows.make import Made
from pipelines.records import Attempt, Problem, Verdict
from tests.server import running
from tests.small import attempts, problems, verdicts

DATA = Path(__file__).parents[3] / "shared" / "data"
RECIPES = Path(__file__).parents[1] / "recipes"


def given(path: str) -> Path:
    if not (DATA / path).is_file():
        pytest.skip(f"{path} is not at ../shared/data beside the repository")
    return DATA / path


def rows(path: Path) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]


# Real seeds, over a real endpoint


def posed_from_gsm8k(folder: Path, draws: int) -> tuple[Made, list[dict[str, Any]]]:
    """A run over GSM8K's problems as seeds with four samples each, and the log of the server that it asked."""
    log = folder / "requests.jsonl"
    with running("--author", "builtin", "--log", str(log), "--log-digests") as (url, _):
        changes = {
            "draw.seeds": given("gsm8k/train.jsonl"),
            "expand.n": 4,
            "target.accepted": draws,
            "target.candidates": draws,
            "models.teacher": f"openai:test@{url}",
        }
        run = make.make("cot-self-instruct", changes=[f"{place}={value}" for place, value in changes.items()])
        return asyncio.run(run), rows(log)


@pytest.mark.usefixtures("data")
@pytest.mark.parametrize("draws", [60, pytest.param(5000, marks=[pytest.mark.slow, pytest.mark.timeout(900)])])
def test_every_candidate_posed_from_real_seeds_is_accounted_for(tmp_path: Path, draws: int):
    made, log = posed_from_gsm8k(tmp_path, draws)
    ledger, said, found = made.ledger, attempts(made), problems(made)
    assert ledger["candidates"] == draws == ledger["accepted"] + sum(ledger["not_accepted"].values())
    assert ledger["accepted"] > 0.4 * draws
    assert len(ledger["not_accepted"]) >= 4

    solved = Counter(each.problem for each in said if each.stage.startswith("expand"))
    assert set(solved.values()) == {4}
    assert ledger["accepted"] < len(solved) < draws
    assert len(log) == len(said) == draws + 4 * len(solved) == made.counts["sent"]
    assert len({line["digest"] for line in log}) == len(log)
    assert {line["status"] for line in log} == {200}
    assert len({each.request for each in said}) == len(said)

    assert unresolved(found, said, verdicts(made)) == []
    seeds = [each for each in found if each.kind == "seed"]
    assert {each.question for each in seeds} <= {row["question"] for row in rows(given("gsm8k/train.jsonl"))}
    assert len({each.id for each in seeds}) == len(seeds)
    assert loaded(made, "rl") == ledger["accepted"]
    assert loaded(made, "sft") <= 4 * ledger["accepted"]


def unresolved(found: list[Problem], said: list[Attempt], told: list[Verdict]) -> list[str]:
    """Ids that some fact speaks of, and that no fact has."""
    there = {each.id for each in (*found, *said, *told)}
    spoken_of = [id for each in (*found, *said) for id in each.parents] + [each.problem for each in said]
    spoken_of += [id for each in told for id in each.subjects]
    spoken_of += [id for each in told if (id := orjson.loads(each.evidence).get("verdict"))]
    return sorted(set(spoken_of) - there)


def loaded(made: Made, view: str) -> int:
    """The rows that `datasets.load_from_disk` finds in a view."""
    datasets = pytest.importorskip("datasets")
    table = datasets.load_from_disk(str(made.folder / view))
    assert {"messages", "prompt"} & set(table.column_names)
    assert len(list(table)) == len(table)
    return len(table)


# Real responses, which others have scored

P_M = 3  # `idx` of the problem whose answer is "4:30 p.m."
"""Its scorer cut the reference down to "4:30" and refused all eight right responses."""


@pytest.fixture(scope="module")
def brought(tmp_path_factory: pytest.TempPathFactory) -> Made:
    given("math_samples/qwen_math_8_samples.jsonl")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("THOUGHTMILL_DATA", str(tmp_path_factory.mktemp("brought")))
        return asyncio.run(make.make(str(RECIPES / "math-samples.toml")))


def by_rule(made: Made) -> dict[str, dict[str, Verdict]]:
    """For each rule its verdicts, by the fact that they are about."""
    told: dict[str, dict[str, Verdict]] = defaultdict(dict)
    for each in verdicts(made):
        told[each.rule.partition("@")[0]][each.subjects[0]] = each
    return told


def index(problem: Problem) -> int:
    return orjson.loads(problem.details)["id"]


def test_our_verdicts_agree_with_the_scores_of_real_responses(brought: Made):
    told, tasks = by_rule(brought), {each.id: each for each in problems(brought)}
    responses = attempts(brought)
    assert (len(tasks), len(responses)) == (60, 480)
    different = [
        (index(tasks[each.problem]), each.sample, told["answer_matches"][each.id].value)
        for each in responses
        if (told["answer_matches"][each.id].status == "pass") != (told["given"][each.id].status == "pass")
    ]
    assert [each for each in different if each[0] == P_M] == [(P_M, sample, any_) for _, sample, any_ in different[:8]]
    others = [each for each in different if each[0] != P_M]
    assert len(others) <= 0.01 * 472, others
    print(different)


def test_votes_and_rewards_of_real_responses(brought: Made):
    told = by_rule(brought)
    for rule in ("pass_rate", "self_consistency", "answer_consistency", "worst_reward", "rip", "reward", "given"):
        print(rule, len(told[rule]), Counter(v.status for v in told[rule].values()))
    print(brought.ledger)
