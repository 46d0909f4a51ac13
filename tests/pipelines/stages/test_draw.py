"""Sources: draws are a function of the run's seed, their index and the seeds; rows that are brought become facts."""

from __future__ import annotations

import itertools
from collections import Counter
from pathlib import Path
from typing import Any

import orjson
import pytest

from pipelines.rows import BadRows, Rows, Seeds
from pipelines.stages.draw import check_draw, choose, turn
from tests.pipelines.stages.bench import Bench


def seeds_file(folder: Path, number: int) -> Path:
    path = folder / "seeds.jsonl"
    rows = [{"question": f"Question {i}?", "answer": i, "domain": "abc"[i % 3]} for i in range(number)]
    path.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    return path


def seeds_of(folder: Path, number: int) -> Seeds:
    return Seeds(Rows([seeds_file(folder, number)], columns={}))


def draws(seeds: Seeds, count: int, **how: Any) -> list[list[int]]:
    return [
        choose(seeds, i, how.get("seed", 0), per_problem=how.get("k", 2), within=how.get("within", ""))
        for i in range(count)
    ]


# Drawing


def test_a_draw_is_a_function_of_seed_and_index(tmp_path: Path):
    seeds = seeds_of(tmp_path, 30)
    assert draws(seeds, 50) == draws(seeds, 50)
    assert draws(seeds, 50) != draws(seeds, 50, seed=1)


def test_a_draw_has_different_seeds_and_every_seed_has_its_turn(tmp_path: Path):
    drawn = draws(seeds_of(tmp_path, 30), 3000)
    assert all(len(set(each)) == 2 for each in drawn)
    turns = Counter(index for each in drawn for index in each)
    assert len(turns) == 30
    assert max(turns.values()) < 1.5 * min(turns.values())


def test_within_a_domain_all_seeds_are_of_one(tmp_path: Path):
    drawn = draws(seeds_of(tmp_path, 30), 600, within="domain", k=3)
    assert all(len({i % 3 for i in each}) == 1 and len(set(each)) == 3 for each in drawn)
    assert len({each[0] % 3 for each in drawn}) == 3


def test_appended_seeds_change_no_draw_before_them_and_take_part_after(tmp_path: Path):
    few = seeds_of(tmp_path, 30)
    before = draws(few, 200)
    many = seeds_of(tmp_path, 60)
    many.settle(few.batches, drawn=100)
    after = draws(many, 200)
    assert after[:100] == before[:100]
    assert max(index for each in after[100:] for index in each) >= 30


def test_the_draws_of_a_shard_are_problems_whose_parents_are_their_seeds(tmp_path: Path):
    seeds = seeds_of(tmp_path, 30)
    output = Bench(tmp_path).run("draw", seeds=seeds, per_problem=2, within="", draws=(8, 16))
    poses = [each for each in output.facts.problems if each.kind == "pose"]
    given = {each.id: each for each in output.facts.problems if each.kind == "seed"}
    assert [each.draw for each in poses] == list(range(8, 16))
    assert output.live == [each.id for each in poses]
    for pose in poses:
        first, second = (given[parent].question for parent in pose.parents)
        assert pose.question == f"Seed question 1:\n{first}\n\nSeed question 2:\n{second}"
    assert len(output.facts.problems) == len({each.id for each in output.facts.problems})


def test_how_draws_are_cut_into_shards_changes_none(tmp_path: Path):
    seeds, bench = seeds_of(tmp_path, 30), Bench(tmp_path)

    def poses(*cuts: int) -> list[str]:
        parts = itertools.pairwise(cuts)
        return [
            id for part in parts for id in bench.run("draw", seeds=seeds, per_problem=2, within="", draws=part).live
        ]

    assert poses(0, 24) == poses(0, 1, 7, 24)


# Bringing


def brought(folder: Path, *rows: dict[str, Any], columns: dict[str, str] | None = None, **how: Any):
    path = folder / "rows.jsonl"
    path.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    table = Rows([path], columns=columns or {})
    return Bench(folder).run("bring", rows=table, draws=(0, len(rows)), **{"model": "", "verifier": "math", **how})


FULL = {
    "question": "What is 2 + 2?",
    "answer": "4",
    "responses": ["It is 4.", "It is 5."],
    "correct": [True, False],
    "rewards": [0.75, [-1.5]],
    "domain": "arithmetic",
    "source": "a book",
    "license": "CC0-1.0",
    "id": "p1",
}


def test_a_row_becomes_a_problem_with_its_responses_and_scores(tmp_path: Path):
    output = brought(tmp_path, FULL, {"question": "How many?"}, model="someone/model")
    [task, bare] = output.facts.problems
    assert (task.kind, task.draw, task.answer, task.verifier) == ("task", 0, "4", "math")
    assert (task.domain, task.source, task.license) == ("arithmetic", "a book", "CC0-1.0")
    assert orjson.loads(task.details) == {"id": "p1"}
    assert (bare.draw, bare.answer) == (1, None)
    assert [(each.sample, each.text, each.model, each.finish) for each in output.facts.attempts] == [
        (0, "It is 4.", "someone/model", "stop"),
        (1, "It is 5.", "someone/model", "stop"),
    ]
    told = [(each.rule, each.status, each.score) for each in output.facts.verdicts]
    assert told == [
        ("given@1", "pass", 1.0),
        ("given@1", "fail", 0.0),
        ("reward@1", "pass", 0.75),
        ("reward@1", "pass", -1.5),
    ]
    assert [each.subjects for each in output.facts.verdicts] == [(each.id,) for each in output.facts.attempts * 2]


def test_a_single_response_needs_no_list(tmp_path: Path):
    output = brought(tmp_path, {"question": "How?", "responses": "So.", "correct": True, "rewards": 2})
    assert [each.text for each in output.facts.attempts] == ["So."]
    assert [each.score for each in output.facts.verdicts] == [1.0, 2.0]


def test_a_row_may_name_its_verifier(tmp_path: Path):
    output = brought(tmp_path, {"question": "Which?", "answer": "B", "verifier": "choice"}, verifier="math")
    assert output.facts.problems[0].verifier == "choice"


def test_columns_are_found_under_other_names(tmp_path: Path):
    columns = {"question": "prompt", "responses": "outputs", "correct": "is_right"}
    output = brought(tmp_path, {"prompt": "How?", "outputs": ["So."], "is_right": [1]}, columns=columns)
    assert output.facts.problems[0].question == "How?"
    assert [each.status for each in output.facts.verdicts] == ["pass"]


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (
            {"responses": ["a", 5]},
            "response 1 should be text, or messages of which the last is the assistant's, not int",
        ),
        (
            {"responses": [None]},
            "response 0 should be text, or messages of which the last is the assistant's, not NoneType",
        ),
        ({"responses": ["a"], "correct": [True, False]}, "2 correct for 1 responses"),
        ({"responses": ["a", "b"], "rewards": [0.5]}, "1 rewards for 2 responses"),
        ({"responses": ["a"], "correct": ["maybe"]}, "correct"),
        ({"responses": ["a"], "rewards": [None]}, "rewards"),
        ({"responses": ["a"], "rewards": [[]]}, "rewards"),
        ({"responses": ["a"], "rewards": [{"helpful": 1}]}, "rewards"),
        ({"answer": ["4"]}, "'answer' should be text, not list"),
        ({"verifier": "nothing"}, "'nothing'"),
    ],
)
def test_a_row_that_cannot_be_used_is_named(tmp_path: Path, row: dict[str, Any], told: str):
    with pytest.raises(BadRows) as caught:
        brought(tmp_path, {"question": "fine?"}, {"question": "How?", **row})
    assert str(caught.value).startswith(f"{tmp_path / 'rows.jsonl'}, line 2: ")
    assert told in str(caught.value)


def test_equal_rows_stay_two(tmp_path: Path):
    output = brought(tmp_path, FULL, FULL)
    assert len({each.id for each in output.facts.problems}) == 2
    assert len({each.id for each in output.facts.attempts}) == 4


# In turn, and from an earlier round


def test_in_turn_every_seed_is_drawn_once_before_any_is_drawn_again(tmp_path: Path):
    seeds = seeds_of(tmp_path, 30)
    drawn = [turn(seeds, i, 0) for i in range(90)]
    assert all(sorted(drawn[at : at + 30]) == list(range(30)) for at in (0, 30, 60))
    assert drawn[:30] != drawn[30:60]
    assert [turn(seeds, i, 1) for i in range(30)] != drawn[:30]


def test_appended_seeds_change_no_turn_before_them_and_begin_a_pass_over_all(tmp_path: Path):
    few = seeds_of(tmp_path, 10)
    before = [turn(few, i, 0) for i in range(25)]
    more = seeds_of(tmp_path, 14)
    more.settle(few.batches, drawn=25)
    assert [turn(more, i, 0) for i in range(25)] == before
    assert sorted(turn(more, i, 0) for i in range(25, 39)) == list(range(14))


def machine_made(folder: Path) -> Seeds:
    """Five tasks of an earlier version, of which the first has several rows."""
    path = folder / "also.jsonl"
    rows = [{"question": f"Machine task {max(0, i - 4)}."} for i in range(9)]
    path.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    return Seeds(Rows([path], columns={}))


def test_of_eight_seeds_two_come_from_the_earlier_round_and_stand_anywhere(tmp_path: Path):
    given = {"seeds": seeds_of(tmp_path, 30), "per_problem": 8, "also": machine_made(tmp_path)}
    output = Bench(tmp_path).run("draw", draws=(0, 40), **given)
    listed = [each.question for each in output.facts.problems if each.kind == "pose"]
    assert {(each.count("Machine task"), each.count("Question ")) for each in listed} == {(2, 6)}
    firsts = [each.partition("\n")[2].startswith("Machine") for each in listed]
    assert 0 < sum(firsts) < 30
    shares = Counter(each for text in listed for each in text.splitlines() if each.startswith("Machine"))
    assert max(shares.values()) < 3 * min(shares.values())  # not by their rows


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"in_turn": True}, "in_turn draws one seed at a time"),
        ({"in_turn": True, "per_problem": 1, "within": "domain"}, "in_turn draws one seed at a time"),
        ({"also": True, "also_per_problem": 2}, "also_per_problem = 2 of per_problem = 2"),
        ({"also": True, "also_per_problem": 7, "per_problem": 8}, "there are 5 in also"),
        ({"also": True, "per_problem": 8, "within": "domain"}, "also knows no domain"),
    ],
)
def test_what_cannot_go_together_is_refused(given: dict[str, Any], told: str, tmp_path: Path):
    whole = {"seeds": seeds_of(tmp_path, 30), "per_problem": 2, "within": "", "in_turn": False, "also_per_problem": 2}
    also = machine_made(tmp_path) if given.get("also") else None
    with pytest.raises(ValueError, match=told):
        check_draw({**whole, **given, "also": also})
