"""Nemotron-CrossThink: questions in two forms, verifiable in each, blended by named weights.

Shown elsewhere:
- which questions become open and which do not, word by word: tests/filters/test_forms.py
- blends over any dimensions, sizes and seeds: tests/filters/test_blending.py
- what a choice of forms does to a draw: tests/pipelines/stages/test_both_forms.py
"""

from __future__ import annotations

import asyncio
import tomllib
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from filters.forms import Form, decidable, quickly
from filters.rule import Case
from filters.verifiers import VERIFIERS
from flows import make
from flows.make import Made
from pipelines import recipe as recipes
from pipelines.records import Problem, to_json
from pipelines.stages.forms import KIND
from tests.each import each_of
from tests.filters.cases import needs_data, rows, run, task
from tests.methods import lines
from tests.pipelines.stages.bench import Bench, answered, posed
from tests.small import attempts, verdicts

GSM8K = "gsm8k/model_solutions_6b.jsonl"
SOLVERS = ("6b_finetuning", "6b_verification")


@cache
def tried() -> list[tuple[Problem, list[str]]]:
    """Problems of GSM8K with the answers of two real models, of which one at least is wrong."""
    found = []
    for number, row in enumerate(rows(GSM8K)[:120]):
        gold, *said = (
            text.rpartition("A: ")[2] for text in (row["ground_truth"], *(row[s]["solution"] for s in SOLVERS))
        )
        of = posed(number, row["question"], answer=gold, verifier="math", domain="words")
        if not all(row[solver]["is_correct"] for solver in SOLVERS):
            found.append((of, said))
    return found


def put(tmp_path: Path, **given: Any) -> tuple[list[Problem], dict[str, Problem]]:
    """The problems that draws are about once their forms are chosen, and all that there are by id."""
    problems = [of for of, _ in tried()]
    answers = [answered(of, rf"\boxed{{{each}}}", sample=i) for of, said in tried() for i, each in enumerate(said)]
    output = Bench(tmp_path).run("forms", problems=problems, attempts=answers, draws=(0, 200), **given)
    known = {each.id: each for each in [*problems, *output.facts.problems]}
    return [known[id] for id in output.live], known


@needs_data
def test_of_every_record_the_verifier_takes_its_own_answer_and_refuses_a_wrong_one(tmp_path: Path) -> None:
    """On GSM8K, whose wrong options are what real models really answered."""
    live, _ = put(tmp_path, ask={"choice": 1, "open": 1})
    wrong = {of.id: said for of, said in tried()}
    assert {each.verifier for each in live} == {"choice", "math"}
    for each in live:
        form = Form(
            each.id,
            "choice" if each.verifier == "choice" else "open",
            each.question,
            str(each.answer),
            str(each.verifier),
        )
        others = wrong.get(each.id, [])
        assert decidable(form, quickly, distractors=others).status == "pass"


@needs_data
def test_both_forms_of_an_item_are_its_own_and_its_twin(tmp_path: Path) -> None:
    _, known = put(tmp_path)
    twins = [each for each in known.values() if each.kind == KIND]
    assert len(twins) > 0.9 * len(tried())
    for twin in twins:
        [of] = [known[id] for id in twin.parents]
        key = VERIFIERS["choice"].gold(str(twin.answer))
        assert twin.question.startswith(of.question.strip())
        assert f"({key}) {of.answer}" in twin.question


@needs_data
def test_the_forms_come_in_the_shares_that_are_asked_for(tmp_path: Path) -> None:
    openly, _ = put(tmp_path, ask={"open": 1})
    assert {each.verifier for each in openly} == {"math"}
    chosen, _ = put(tmp_path, ask={"choice": 1})
    assert {each.verifier for each in chosen} == {"choice"}
    mixed, _ = put(tmp_path, ask={"choice": 1, "open": 3})
    share = sum(each.verifier == "choice" for each in mixed) / len(mixed)
    assert 0.1 < share < 0.45


# --- What cannot be verified ----------------------------------------------------------------------------------

CAPITAL = "Which city is it?\n(A) Rome\n(B) Paris"
SHORT: dict[str, tuple[tuple[str, str | None, str | None], str]] = {
    "a key among the options": ((CAPITAL, "B", "choice"), "pass"),
    "a key that is none of them": ((CAPITAL, "D", "choice"), "fail"),
    "no options": (("Which city is it?", "B", "choice"), "fail"),
    "ten words": (("Why?", "one two three four five six seven eight nine ten", "exact"), "pass"),
    "eleven words": (("Why?", "one two three four five six seven eight nine ten eleven", "exact"), "fail"),
    "a value": (("How many?", "12", "math"), "pass"),
    "no answer": (("How many?", " ", "math"), "fail"),
    "no verifier": (("How many?", "12", None), "fail"),
}


@each_of(SHORT)
def test_what_a_rule_can_compare_is_verifiable(name: str) -> None:
    (question, answer, verifier), status = SHORT[name]
    assert [each.status for each in run("short_answer", Case(task(question, answer, verifier=verifier)))] == [status]


VACUOUS = {
    "entry_point": "one",
    "solution": "def one():\n    return 1",
    "test": "def check(candidate):\n    assert True",
}
UNDECIDABLE: list[dict[str, Any]] = [
    {"question": "Write `one()`, which returns 1.", "answer": to_json(VACUOUS), "verifier": "code"},
    {"question": "How many are there in all?", "answer": "proof"},
    {"question": "How many are there in a dozen?", "answer": '{"answer": "12", "tolerance": 100}'},
    {"question": CAPITAL, "answer": "E", "verifier": "choice"},
    {"question": "Why do they all go there?", "answer": " ".join("abcdefghijkl"), "verifier": "exact"},
]
DECIDABLE: list[dict[str, Any]] = [
    {"question": "What is 12 times 12?", "answer": "144", "responses": lines.boxed(144, 124, 24, 142)},
    {
        "question": f"The capital of France: {CAPITAL}",
        "answer": "B",
        "verifier": "choice",
        "responses": lines.boxed("A"),
    },
    {"question": "Which of the following is even?\n(A) 1\n(B) 2", "answer": "B", "verifier": "choice"},
]


def stage(name: str) -> dict[str, Any]:
    """A stage of the recipe as it is shipped."""
    told = tomllib.loads(recipes.find("crossthink").read_text())
    [found] = [each for each in told["stages"] if each.get("name", each["use"]) == name]
    return found


def verifiable() -> lines.Row:
    """Of the recipe's screen what asks whether an answer can be verified, and nothing else that may drop a row."""
    rules = [each for each in stage("screen")["rules"] if each not in ("form", "not_duplicate")]
    return lines.sift(*(each for each in rules if each == str(each) or each["rule"] != "novelty"))


@pytest.mark.slow
@pytest.mark.parametrize("ask", [{}, {"ask": {"choice": 1, "open": 1}}, {"ask": {"open": 1}}])
def test_what_its_verifier_cannot_decide_is_in_no_view_and_both_forms_have_one_item(
    tmp_path: Path, ask: dict[str, Any]
) -> None:
    forms = {key: value for key, value in stage("forms").items() if key != "ask"} | ask
    made = lines.run(tmp_path, [*UNDECIDABLE, *DECIDABLE], verifiable(), forms, views=["rl", "forms"])
    ill_posed = ask.get("ask") == {"open": 1}  # the last of the three has no open form
    assert made.ledger["accepted"] == 3 - ill_posed
    shown = lines.loaded(made, "forms")
    items = Counter(row["item"] for row in shown)
    assert sorted(items.values()) == [2, 2] if ill_posed else [1, 2, 2]
    assert len({(row["item"], row["format"]) for row in shown}) == len(shown)
    known = {row["problem_id"] for row in shown}
    assert {row["problem_id"] for row in lines.loaded(made, "rl")} <= known
    for row in [*shown, *lines.loaded(made, "rl")]:
        kind = VERIFIERS[row["verifier"]]
        own = kind.gold(row["answer"])
        assert own is not None
        assert not any(each["question"] in row["question"] for each in UNDECIDABLE if each["question"] != CAPITAL)
        assert row["format" if "format" in row else "verifier"]
        assert (kind.check_quickly(row["answer"], own) or kind.check(row["answer"], own)).status == "pass"


# --- Blends ---------------------------------------------------------------------------------------------------


def recipe_blend() -> dict[str, Any]:
    [rule] = stage("select")["rules"]
    return {key: value for key, value in rule.items() if key != "rule"}


def blended(counts: dict[str, int], seed: int = 0) -> Counter[str | None]:
    from filters.table import RULES

    cases = [
        Case(task(f"{domain} {place}")._replace(domain=domain))
        for domain, count in counts.items()
        for place in range(count)
    ]
    rulings = RULES["blend"].run(cases, **recipe_blend(), seed=seed)
    return Counter(case.problem.domain for case, told in zip(cases, rulings, strict=True) if told.status == "pass")


def test_the_recipe_blends_general_reasoning_and_mathematics_as_two_to_one_within_a_row() -> None:
    weights = recipe_blend()["weights"]["domain"]
    general = weights["elementary logic"]
    assert general == 2 * (sum(weights.values()) - general)
    for scarce in (7, 20):
        counts = dict.fromkeys(weights, 90) | {"word problems": scarce}
        found = blended(counts)
        size = sum(found.values())
        shares = {name: weight * size / sum(weights.values()) for name, weight in weights.items()}
        assert all(abs(found[name] - share) <= 1 for name, share in shares.items())
        assert blended(counts) == found


BLENDS = {
    "even": '{domain={"elementary logic"=1, "number theory and combinatorics"=1, "word problems"=1}}',
    "open": "{format={choice=1, open=3}}",
}


@pytest.mark.slow
def test_a_grid_of_blends_runs_over_one_pool_and_asks_for_nothing_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THOUGHTMILL_DATA", str(tmp_path))
    few = ["target={candidates=48}", "shard=16"]

    def made(*changes: str) -> Made:
        return asyncio.run(make.make("crossthink", changes=[*few, *changes]))

    assert made().counts["sent"]
    for name, weights in BLENDS.items():
        mixed = made(f'select.rules=[{{rule="blend", k=200, weights={weights}}}]')
        assert not mixed.counts.get("sent"), name
        rl = lines.loaded(mixed, "rl")
        by = Counter(
            row["domain"] if name == "even" else "choice" if row["verifier"] == "choice" else "open" for row in rl
        )
        assert len(rl) > 3
        assert max(by.values()) - min(by.values()) <= 1 if name == "even" else abs(by["open"] - 3 * by["choice"]) <= 4


@pytest.mark.slow
def test_without_easy_ones_only_what_the_solver_gets_wrong_at_its_one_try_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THOUGHTMILL_DATA", str(tmp_path))
    made = asyncio.run(
        make.make("crossthink", changes=["target={candidates=96}", "shard=24", "easy=false", "blend=false"])
    )
    once = {each.problem: each.id for each in attempts(made) if each.role == "solver"}
    assert len(once) == sum(each.role == "solver" for each in attempts(made))
    right = {each.subjects[0]: each.status for each in verdicts(made) if each.rule.startswith("answer_matches@")}
    rows = lines.loaded(made, "rl")
    assert {right[once[row["problem_id"]]] for row in rows} == {"fail"}
    assert {row["verifier"] == "choice" for row in rows} == {True, False}
