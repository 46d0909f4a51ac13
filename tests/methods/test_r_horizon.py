"""R-Horizon: problems that hang on each other, right when all answers are.

Shown elsewhere:
- what becomes of a draw of seeds: tests/pipelines/stages/test_compose.py
- every wrong, missing, doubled or swapped answer: tests/filters/verifiers/tables/chain.py
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Iterator
from functools import cache
from itertools import islice
from math import sqrt
from pathlib import Path

import duckdb
import pytest

from filters.chains import chained, resolved, whole
from filters.verifiers import VERIFIERS, answer_in
from flows import make
from flows.make import Made
from pipelines.release import read_version
from pipelines.reports import horizon
from pipelines.reports.run import report
from pipelines.stages.compose import candidates
from pipelines.store import connect
from tests.each import each_of
from tests.filters.cases import DATA, needs_data
from tests.methods import lines
from tests.server import Behaviour, Body, Said, number, serving

LENGTHS = range(2, 9)
SEEDS = Path(__file__).parents[2] / "data" / "seeds" / "worded.jsonl"


@cache
def eligible(path: Path, most: int = 400) -> list[tuple[str, str]]:
    """Questions and answers of rows that can be chained, of the first so many."""
    with path.open(encoding="utf-8") as rows:
        known = [json.loads(row) for row in islice(rows, most)]
    found = ((row["question"].strip(), whole(row["answer"].rpartition("####")[2])) for row in known)
    return [(question, str(answer)) for question, answer in found if answer is not None and candidates(question)]


def chains(path: Path, length: int, count: int) -> Iterator[tuple[str, list[str], list[str]]]:
    """The text of chains of that length, with their questions and answers."""
    chance = random.Random(length)
    for _ in range(count):
        questions, answers = map(list, zip(*chance.sample(eligible(path), length), strict=True))
        keys = [None, *(candidates(question)[0] for question in questions[1:])]
        yield chained(questions, answers, keys), questions, answers


def assert_resolved(path: Path, length: int) -> None:
    for text, questions, answers in chains(path, length, 12):
        assert_chained(text, questions, answers)


def assert_chained(text: str, questions: list[str], answers: list[str]) -> None:
    """The answers give every question back; without any one problem only the next stays open."""
    known, there = dict(enumerate(answers, start=1)), dict(enumerate(questions, start=1))
    assert resolved(text, known) == there
    for gone in range(1, len(questions)):
        left = {**there, gone + 1: None}
        del left[gone]
        assert resolved(without(text, gone), known) == left


def without(text: str, place: int) -> str:
    """A chain from which a problem was deleted."""
    start, stop = text.index(f"Problem {place}:\n"), text.index(f"Problem {place + 1}:\n")
    return text[:start] + text[stop:]


@needs_data
@each_of(LENGTHS)
def test_the_gold_answers_give_every_problem_of_gsm8k_back_and_without_one_the_next_stays_open(length: int):
    assert_resolved(DATA / "gsm8k" / "train.jsonl", length)


def test_the_same_of_our_own_seeds():
    for length in LENGTHS:
        assert_resolved(SEEDS, length)


@needs_data
def test_most_of_gsm8k_can_be_chained():
    assert len(eligible(DATA / "gsm8k" / "train.jsonl")) > 0.9 * 400


def listed(answers: list[str]) -> str:
    return "\n".join(["### Final Answers", *(rf"Problem {i}: \boxed{{{a}}}" for i, a in enumerate(answers, start=1))])


def test_the_verifier_tells_of_each_problem_and_of_all():
    reference = json.dumps({"chain": ["3", "4", "5"]})
    told = VERIFIERS["chain"].check_quickly(reference, answer_in("chain", listed(["3", "40", "5"])) or "")
    assert told
    assert (told.status, told.evidence, told.score) == ("fail", {"parts": [True, False, True]}, 2 / 3)
    told = VERIFIERS["chain"].check_quickly(reference, answer_in("chain", listed(["3", "4", "5.0"])) or "")
    assert told
    assert (told.status, told.evidence) == ("pass", {"parts": [True, True, True]})


@needs_data
@each_of([2, 3, 4, 5])
def test_a_solver_that_has_each_right_with_p_has_all_right_within_the_interval_of_p_to_the_k(length: int):
    """Of 150 chains of GSM8K, whose answers are each right with 0.8 whatever the others are."""
    p, n, chance = 0.8, 150, random.Random(7)
    right = 0
    for _, _, answers in chains(DATA / "gsm8k" / "train.jsonl", length, n):
        given = [each if chance.random() < p else f"{each}7" for each in answers]
        answer = answer_in("chain", listed(given))
        told = VERIFIERS["chain"].check_quickly(json.dumps({"chain": answers}), answer or "")
        right += told is not None and told.status == "pass"
    expected = p**length
    assert abs(right / n - expected) <= 2.576 * sqrt(expected * (1 - expected) / n)


def test_a_chain_stands_beside_the_product_of_the_rates_of_its_members_if_all_were_tried() -> None:
    """Two chains of two, of which the second has a member that nobody tried: 1/2 * 3/4, and nothing."""
    with duckdb.connect() as connection:
        connection.execute("create table problems (id text, kind text, parents text[], details text)")
        connection.execute("create table verdicts (rule text, subjects text[], context text)")
        for id, kind, parents, k in [
            ("c", "composed", ["s"], 1), ("d", "composed", ["s"], 3), ("c1", "single", ["c", "s"], 2),
            ("c2", "single", ["c", "t"], 3), ("d1", "single", ["d", "s"], 4), ("d2", "single", ["d", "t"], None),
        ]:  # fmt: skip
            connection.execute("insert into problems values (?, ?, ?, ?)", [id, kind, parents, '{"length": 2}'])
            context = '{"k": 0, "n": 0}' if k is None else json.dumps({"k": k, "n": 4})
            connection.execute("insert into verdicts values (?, ?, ?)", ["pass_rate@1", [id], context])
        found = horizon.horizons(connection)
    assert found == [(2, 2, 4, 8, 0.5, 0.375)]
    assert found[0].row()[-2:] == (0.375, -0.125)


# --- Whole ----------------------------------------------------------------------------------------------------

FEW = ["target.accepted=24", "shard=8", "expand.n=8", "band=false"]


def made_in(folder: Path, *changes: str) -> Made:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("THOUGHTMILL_DATA", str(folder))
        return asyncio.run(make.make("r-horizon", changes=[*FEW, *changes]))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return made_in(tmp_path_factory.mktemp("r-horizon"))


@pytest.mark.slow
def test_the_same_seed_makes_the_same_arrow_files(made: Made, tmp_path: Path):
    again, other = made_in(tmp_path / "again"), made_in(tmp_path / "other", "seed=1")
    files = [(each.folder / "rl" / "data-00000.arrow").read_bytes() for each in (made, again, other)]
    assert files[0] == files[1] != files[2]
    assert read_version(made.folder)["digest"] == read_version(again.folder)["digest"]


@pytest.mark.slow
def test_the_report_prints_the_measured_rate_beside_the_product_of_the_single_ones(made: Made):
    """Over chains of each length; that the measured rate falls with the length is for the 200 run by hand."""
    with connect([made.folder / "facts"]) as connection:
        found = horizon.horizons(connection)
    assert [each.length for each in found] == [2, 3, 4, 5]
    assert sum(each.n for each in found) == 8 * sum(each.chains for each in found)
    assert all(each.expected is not None and 0 <= each.rate <= 1 for each in found)
    page = report(made.folder.parents[2], "r-horizon")
    assert "Chains beside their parts" in page
    assert all(f">{round(each.expected or 0, 3)}<" in page for each in found)


P = 0.8


@cache
def golds() -> dict[str, str]:
    return dict(eligible(DATA / "gsm8k" / "train.jsonl"))


def solver(body: Body, index: int) -> Said:
    """Has each problem of GSM8K right with P, whatever the others are: in a chain, and by itself."""
    asked = body["messages"][-1]["content"]
    question, _, _ = asked.partition("\n\nSolve ")
    known: dict[int, str] = {}
    if question.startswith("Problem 1:\n"):
        while len(known) < len(texts := resolved(question, known)):
            known |= {place: golds()[text] for place, text in texts.items() if text}
    else:
        known[1] = golds()[question]
    lucky = (number(asked.encode(), b"%d/%d" % (body.get("seed") or 0, place)) < P * 2**64 for place in known)
    said = [gold if right else f"{gold}7" for gold, right in zip(known.values(), lucky, strict=True)]
    return Said(listed(said) if len(said) > 1 else rf"\boxed{{{said[0]}}}", False)


@needs_data
@pytest.mark.slow
def test_of_chains_of_gsm8k_a_scripted_solver_has_all_right_within_the_interval_of_p_to_the_k(
    tmp_path: Path,
) -> None:
    """As the recipe composes, asks, verifies and reports them; each composed row is solved again by code."""
    rows = (
        json.dumps({"question": question, "answer": f"so\n#### {answer}"}) for question, answer in golds().items()
    )
    (tmp_path / "gsm8k.jsonl").write_text("\n".join(rows))

    async def scene() -> Made:
        async with serving(Behaviour(author=solver)) as server:
            changes = [f"draw.seeds={tmp_path / 'gsm8k.jsonl'}", f"models.solver=openai:test@{server.url}"]
            changes += ["judged=false", "band=false", "target={candidates=100}", "draw.per_problem=6", "expand.n=8"]
            return await make.make("r-horizon", changes=changes)

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("THOUGHTMILL_DATA", str(tmp_path / "data"))
        made = asyncio.run(scene())
    for row in lines.loaded(made, "rl"):
        answers = json.loads(row["answer"])["chain"]
        questions = [str(text) for text in resolved(row["question"], dict(enumerate(answers, start=1))).values()]
        assert [golds()[question] for question in questions] == answers
        assert_chained(row["question"], questions, answers)
    with connect([made.folder / "facts"]) as connection:
        found = horizon.horizons(connection)
    assert [each.length for each in found] == [2, 3, 4, 5]
    for each in found:
        expected = P**each.length
        assert each.n >= 8 * 20
        assert abs(each.rate - expected) <= 2.576 * sqrt(expected * (1 - expected) / each.n)
        assert each.expected is not None
        assert abs(each.expected - expected) < 0.12


@pytest.mark.slow
def test_the_rows_hold_no_answer_in_their_prompts_and_one_for_each_problem_in_the_reference(made: Made):
    for row in lines.loaded(made, "rl"):
        answers = json.loads(row["answer"])["chain"]
        places = dict(enumerate(answers, start=1))
        assert len(answers) == len(resolved(row["question"], places))
        assert all(rf"\boxed{{{each}}}" not in row["prompt"][0]["content"] for each in answers)
        hidden = resolved(row["question"], {1: places[1]})
        assert all(hidden[place] is None for place in places if place > 2)


@pytest.mark.slow
def test_the_last_answer_alone_can_be_rewarded_and_links_left_out(tmp_path: Path):
    last = lines.loaded(made_in(tmp_path / "last", "all=false", "target.accepted=4"), "rl")
    assert {row["verifier"] for row in last} == {"math"}
    apart = lines.loaded(made_in(tmp_path / "apart", "linked=false", "target.accepted=4"), "rl")
    assert not any("[variable" in row["question"] for row in apart)
