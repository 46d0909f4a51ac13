"""On data that nobody on this project wrote. It is not part of the project: these tests skip where it is absent."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterable
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

WRONGLY_SCORED = 3
"""The `idx` of the problem whose answer is "4:30 p.m.": its scorer cut that to "4:30" and refused all eight right
responses."""


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


def scored(each: Attempt, told: dict[str, dict[str, Verdict]]) -> tuple[bool, bool]:
    """Whether a response is right, by our verdict and by the one that came with it."""
    return told["answer_matches"][each.id].status == "pass", told["given"][each.id].status == "pass"


def test_our_verdicts_agree_with_the_scores_of_real_responses(brought: Made):
    told, tasks = by_rule(brought), {each.id: each for each in problems(brought)}
    responses = attempts(brought)
    assert (len(tasks), len(responses)) == (60, 480)
    different: dict[int, list[Any]] = defaultdict(list)
    for each in responses:
        ours, theirs = scored(each, told)
        if ours != theirs:
            task, verdict = tasks[each.problem], told["answer_matches"][each.id]
            different[index(task)].append((each.sample, task.answer, verdict.value, verdict.status))
    known = different.pop(WRONGLY_SCORED)
    assert [status for *_, status in known] == ["pass"] * 8
    assert sum(map(len, different.values())) <= 0.01 * (480 - 8), dict(different)  # lists every disagreement


def test_a_rate_is_the_share_of_right_responses(brought: Made):
    told = by_rule(brought)
    right: dict[str, list[bool]] = defaultdict(list)
    for each in attempts(brought):
        right[each.problem].append(scored(each, told)[0])
    assert len(right) == 60
    for id, outcomes in right.items():
        assert told["pass_rate"][id].score == sum(outcomes) / 8
    assert len({told["pass_rate"][id].score for id in right}) >= 5  # from all wrong to all right


def test_the_majority_of_real_responses_is_right_more_often_than_one(brought: Made):
    told = by_rule(brought)
    alone = sum(each.score or 0 for each in told["pass_rate"].values()) / 60
    majority = Counter(each.status for each in told["answer_consistency"].values())
    assert majority["unsure"] <= 0.05 * 60  # ties decide nothing
    assert 0.9 < alone < majority["pass"] / (majority["pass"] + majority["fail"])


def test_agreement_of_real_responses_tells_right_from_wrong(brought: Made):
    """Without any reference, self-consistency keeps the problems whose majority is right."""
    told = by_rule(brought)
    kept = [id for id, each in told["self_consistency"].items() if each.status == "pass"]
    assert 50 <= len(kept) < 60
    assert sum(told["answer_consistency"][id].status == "pass" for id in kept) >= 0.96 * len(kept)
    weak = told["self_consistency"].keys() - set(kept)
    assert {told["answer_consistency"][id].status for id in weak} & {"fail", "unsure"}
    assert all((told["self_consistency"][id].score or 0) <= 0.5 for id in weak)


def test_rip_takes_out_the_lowest_worst_rewards(brought: Made):
    told = by_rule(brought)
    rewards: dict[str, list[float]] = defaultdict(list)
    for each in attempts(brought):
        rewards[each.problem].append(told["reward"][each.id].score or 0)
    worst = {id: told["worst_reward"][id].score or 0 for id in rewards}
    assert worst == {id: pytest.approx(min(scores)) for id, scores in rewards.items()}
    kept = [worst[id] for id, each in told["rip"].items() if each.status == "pass"]
    gone = [worst[id] for id, each in told["rip"].items() if each.status == "fail"]
    assert len(gone) == len(told["rip"]) // 4
    assert max(gone) <= min(kept)
    rate = {id: told["pass_rate"][id].score or 0 for id in told["rip"]}
    mean = {status: average(rate[id] for id, each in told["rip"].items() if each.status == status)
            for status in ("pass", "fail")}  # fmt: skip
    assert mean["pass"] > mean["fail"]  # what a reward model likes least is what solvers get wrong most


def average(numbers: Iterable[float]) -> float:
    listed = list(numbers)
    return sum(listed) / len(listed)


def test_the_books_of_brought_rows_balance(brought: Made):
    ledger = brought.ledger
    assert ledger["candidates"] == 60 == ledger["accepted"] + sum(ledger["not_accepted"].values())
    assert loaded(brought, "rl") == ledger["accepted"]
    assert unresolved(problems(brought), attempts(brought), verdicts(brought)) == []


GRADE_SCHOOL = """
name = "grade-school"
[[stages]]
use = "bring"
rows = { path = "rows.jsonl", columns = { answer = "ground_truth" } }
[[stages]]
use = "sift"
rules = ["answer_matches"]
"""


@pytest.mark.slow
@pytest.mark.usefixtures("data")
def test_our_verdicts_agree_with_the_scores_of_grade_school_solutions(tmp_path: Path):
    """Two solutions for each of 1,319 problems; answers are written as `A: 18`."""
    models = ("6b_finetuning", "6b_verification")
    with (tmp_path / "rows.jsonl").open("wb") as file:
        for row in rows(given("gsm8k/model_solutions_6b.jsonl")):
            solutions = [row[model] for model in models]
            answer = row["ground_truth"].rpartition("A:")[2].strip()
            more = {"responses": [s["solution"] for s in solutions], "correct": [s["is_correct"] for s in solutions]}
            file.write(orjson.dumps({"question": row["question"], "ground_truth": answer, **more}) + b"\n")
    (tmp_path / "recipe.toml").write_text(GRADE_SCHOOL)
    made = asyncio.run(make.make(str(tmp_path / "recipe.toml")))
    told = by_rule(made)
    different = [each.turns for each in attempts(made) if len(set(scored(each, told))) == 2]
    assert len(attempts(made)) == 2 * 1319
    assert different == []
