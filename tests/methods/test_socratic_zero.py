"""Socratic-Zero: where a solver fails a teacher writes anew, and the solver's weakness becomes the curriculum.

That a loop goes on where it was ended: tests/methods/test_imitate_explore_improve.py.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Sequence
from math import exp
from pathlib import Path
from typing import Any

import orjson
import pytest

from filters.rule import Case
from flows import make, rounds
from flows.make import Made
from pipelines.bind import bind
from pipelines.recipe import BadRecipe, find, read
from pipelines.records import Problem, verdict
from pipelines.store import Output
from tests.filters.cases import rule_on, solved
from tests.methods import lines
from tests.pipelines.stages.bench import Bench, answered, posed
from tests.server import Behaviour, Body, Said, number, serving
from tests.small import attempts, problems, verdicts

SEEDS, WEAK, STRONG = 100, "knots", "tides"
RIGHT = {WEAK: 0.3, STRONG: 0.97}
"""How often the solver is right, by topic."""


def author(body: Body, index: int) -> Said:
    """A solver that is weak in one topic, and a teacher that is never wrong and keeps to the topic."""
    text, seed = body["messages"][-1]["content"], body.get("seed") or 0
    found = re.search(r"Problem (\d+) on (\w+): what follows it\?", text)
    if not found:
        return Said("Yes.", False)
    if "<question>" in text:
        new = 1_000 + 10 * (seed % 100_000)
        asked = f"Problem {new} on {found[2]}: what follows it?"
        return Said(f"<question>\n{asked}\n</question>\n<answer>\n\\boxed{{{new + 1}}}\n</answer>", False)
    sure = 1.0 if body["model"] == "teacher" else RIGHT[found[2]]
    lucky = number(b"%d/%d" % (int(found[1]), seed)) < sure * 2**64
    return Said(f"It is \\boxed{{{int(found[1]) + (1 if lucky else 3)}}}.", False)


async def loop(folder: Path) -> list[Made]:
    topics = [WEAK if i % 2 else STRONG for i in range(SEEDS)]
    rows: list[Any] = [
        {"question": f"Problem {10 * i} on {topic}: what follows it?", "answer": str(10 * i + 1), "domain": topic}
        for i, topic in enumerate(topics, start=1)
    ]
    (folder / "rows.jsonl").write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    async with serving(Behaviour(author=author)) as server:
        solvers = ", ".join([f'"openai:solver@{server.url}"'] * 2)
        changes = [f"bring.rows={folder / 'rows.jsonl'}", "rounds.count=2", f"rounds.models.solver=[{solvers}]"]
        changes += [f"models.teacher=openai:teacher@{server.url}", "escalate.n=1"]

        async def one(recipe: str, changes: Sequence[str], dataset: str | None) -> Made:
            return await make.make(recipe, changes=changes, dataset=dataset)

        return await rounds.turn("socratic-zero", changes, None, run_round=one)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> list[Made]:
    folder = tmp_path_factory.mktemp("socratic")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("THOUGHTMILL_DATA", str(folder / "data"))
        return asyncio.run(loop(folder))


@pytest.mark.slow
def test_each_new_question_has_a_parent_a_failed_attempt_as_its_cause_and_a_round(made: list[Made]) -> None:
    assert made[0].ledger["candidates"] == SEEDS
    for round, each in enumerate(made, start=1):
        by_id = {fact.id: fact for fact in [*problems(each), *attempts(each)]}
        wrong = {
            told.subjects[0]
            for told in verdicts(each)
            if told.rule.startswith("answer_matches@") and told.status == "fail"
        }
        new = [fact for fact in by_id.values() if isinstance(fact, Problem) and fact.kind == "escalated"]
        assert new
        for details in (orjson.loads(fact.details) for fact in new):
            cause = by_id[details["cause"]]
            assert details["cause"] in wrong
            assert not isinstance(cause, Problem)
            assert cause.problem == details["parent"]
            assert details["round"] == round
        assert all(row["round"] == round for row in lines.loaded(each, "curriculum"))


@pytest.mark.slow
def test_each_pair_is_one_right_and_one_wrong_trajectory_of_the_solver_at_one_question(made: list[Made]) -> None:
    for each in made:
        known = {fact.id: fact for fact in attempts(each)}
        status = {told.subjects[0]: told.status for told in verdicts(each) if told.rule.startswith("answer_matches@")}
        pairs = lines.loaded(each, "preference")
        assert pairs
        for row in pairs:
            chosen, rejected = known[row["chosen_id"]], known[row["rejected_id"]]
            assert (status[chosen.id], status[rejected.id]) == ("pass", "fail")
            assert chosen.problem == rejected.problem == row["problem_id"]
            assert {chosen.role, rejected.role} == {"solver"}


@pytest.mark.slow
def test_every_round_has_its_three_exports_and_the_next_begins_with_its_curriculum(made: list[Made]) -> None:
    assert len(made) == 2
    for each in made:
        assert all(lines.loaded(each, view) for view in ("preference", "generator", "curriculum"))
    brought = {each.question for each in problems(made[1]) if each.kind == "task"}
    assert brought == {row["question"] for row in lines.loaded(made[0], "curriculum")}


@pytest.mark.slow
def test_a_writer_learns_most_from_what_the_solver_gets_right_half_of_the_time(made: list[Made]) -> None:
    rows = lines.loaded(made[0], "generator")
    assert {row["zone"] for row in rows} == {"learning", "mastered", "too hard"}
    for row in rows:
        assert row["weight"] == pytest.approx(exp(-((row["pass_rate"] - 0.5) ** 2) / (2 * 0.2**2)))
        shown, said = row["messages"][0]["content"], row["messages"][-1]["content"]
        assert row["question"] in shown
        assert "<attempt>\nIt is" in shown
        assert "<question>" in said
    learning = {row["new_id"] for row in rows if row["zone"] == "learning"}
    assert {row["new_id"] for row in lines.loaded(made[0], "curriculum")} == learning


@pytest.mark.slow
def test_the_share_of_a_weak_topic_rises_from_one_round_to_the_next(made: list[Made]) -> None:
    shares = [Counter(each.domain for each in problems(some) if each.kind == "task") for some in made]
    first, second = (share[WEAK] / share.total() for share in shares)
    assert first == 0.5
    assert second > 0.75


@pytest.mark.slow
def test_no_solver_is_shown_what_the_teacher_was(made: list[Made]) -> None:
    for each in made:
        for attempt in attempts(each):
            asked = attempt.turns[0].content or ""
            assert ("<attempt>" in asked) == (attempt.prompt.startswith("escalate/"))


# --- Its parts --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("right", "zone", "status"),
    [(0, "too hard", "fail"), (1, "learning", "pass"), (2, "learning", "pass"), (4, "mastered", "fail")],
)
def test_between_never_and_always_lies_the_zone_of_learning(right: int, zone: str, status: str) -> None:
    told = rule_on("learnable", solved(["1"] * right + ["2"] * (4 - right), author="1"))
    assert (told.value, told.status) == (zone, status)
    assert told.score == pytest.approx(exp(-((right / 4 - 0.5) ** 2) / 0.08))


def test_a_problem_that_the_solver_never_tried_is_in_no_zone() -> None:
    case: Case = solved(["1", "2"], author="1")
    assert rule_on("learnable", case, solver="nobody").status == "unsure"


def escalated(folder: Path, said: Sequence[str], new: Sequence[str]) -> tuple[Output, Bench]:
    """What becomes of new questions after these attempts at a problem, all of which were found wrong."""
    of = posed(0, "A shop has 12 red kites and 5 green ones. How many has it?")._replace(verifier="math")
    wrong = [answered(of, text, sample=i) for i, text in enumerate(said)]
    told = [
        verdict(subjects=[each.id], stage="marks@1", draw=0, rule="answer_matches@2", status="fail") for each in wrong
    ]

    def says(message: str, sample: int) -> str:
        return f"<question>\n{new[sample]}\n</question>\n<answer>\n\\boxed{{7}}\n</answer>"

    bench, n = Bench(folder), len(new)
    given: dict[str, Any] = {"prompt": "escalate/harder", "n": n, "verifier": "math", "says": says}
    return bench.run("escalate", problems=[of], attempts=wrong, verdicts=told, **given), bench


def test_a_copy_of_the_old_problem_or_of_another_new_one_is_not_new(tmp_path: Path) -> None:
    other = "Ola walks 3 miles and then twice as far again. How far does she walk?"
    new = [
        "A shop has 12 red kites and 5 green ones: how many has it?",
        other,
        f"{other} ",
        "What is left of 9 pears?",
    ]
    output, _ = escalated(tmp_path, ["It is \\boxed{18}."], new)
    assert [each.question for each in output.facts.problems if each.kind == "escalated"] == [other, new[-1]]
    reasons = [orjson.loads(each.evidence).get("reason") for each in output.facts.verdicts]
    assert reasons == ["says the same again", None, "says the same again", None]


@pytest.mark.parametrize(
    ("said", "shown"),
    [(["I cannot help.", "", "So \\boxed{18}."], "So \\boxed{18}."), (["", "I cannot help."], "I cannot help.")],
)
def test_a_refusal_is_shown_to_the_teacher_only_where_no_wrong_attempt_answers(
    said: list[str], shown: str, tmp_path: Path
) -> None:
    _, bench = escalated(tmp_path, said, ["What is left of 9 pears?"])
    assert f"<attempt>\n{shown}\n</attempt>" in bench.client.asked[0][0]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"n": 0}, "at least 1"),
        ({"at_most": 2.0}, "from 0 to 1"),
        ({"verifier": "taste"}, "no verifier"),
        ({"prompt": "solve/boxed"}, "does not use attempt"),
    ],
)
def test_a_stage_that_could_not_escalate_is_told_before_anything_is_asked(change: Any, says: str) -> None:
    value = read(find("socratic-zero"))
    next(each for each in value["stages"] if each["use"] == "escalate").update(change)
    with pytest.raises(BadRecipe, match=says):
        bind(value, folder=Path())
