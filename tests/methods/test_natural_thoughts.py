"""A2, NaturalThoughts as a recipe: annotations, two arms, and thinking only where it is needed.

What the selector keeps to is shown in tests/methods/test_a02.py and tests/filters/test_selection.py.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from statistics import fmean
from typing import Any

import orjson
import pytest

from filters import annotations
from filters.answers import final_answer
from filters.rule import Ruling
from flows import make
from flows.make import Made
from pipelines.inference.builtin import NONE, Faults, reply
from pipelines.records import Fact, Status, Turn
from prompts.template import load
from tests.each import each_of
from tests.filters.cases import needs_data, rows, run, solved
from tests.methods import lines
from tests.pipelines.stages.bench import Bench, answered, posed
from tests.pipelines.test_views_laws import accepted, asked, rows_of, told, tried
from tests.small import attempts, verdicts

# --- The mixture ----------------------------------------------------------------------------------------------

ALOUD = load("think/aloud")


def thought_about(draw: int, *said: tuple[str, Status, float | None]) -> list[Fact]:
    """A problem that a teacher thought about, and a student answered in words of its own."""
    of = asked(draw, f"What is {draw} plus 1?", answer=str(draw + 1), verifier="math")
    before = [Turn("user", ALOUD.render({"question": of.question})[0]["content"])]
    mine = tried(of, f"\\boxed{{{draw + 1}}}", thought="One more.", before=before, prompt="think/aloud@1")
    other = tried(of, f"\\boxed{{{draw}}}", 1)
    verdicts = [told(of, f"{rule}@1", status, score=score) for rule, status, score in said]
    return [of, accepted(of), mine, other, told(mine, "made_by@1"), told(other, "made_by@1", "fail"), *verdicts]


@pytest.mark.parametrize(
    ("said", "thinking"),
    [
        ([("disagreement", "pass", 1.0)], True),
        ([("disagreement", "pass", 0.0)], False),
        ([("disagreement", "unsure", None)], True),
        ([("disagreement", "pass", 0.0), ("system2", "pass", 0.0)], True),
        ([("disagreement", "pass", 1.0), ("system2_by_chance", "fail", 0.9)], False),
        ([], True),
    ],
)
def test_what_is_hard_is_shown_with_its_thinking_and_what_is_easy_without(said: list[Any], thinking: bool):
    [row] = rows_of(thought_about(4, *said), "mixed")
    target = "\\boxed{5}"
    assert row["messages"][-1]["content"] == (f"<think>\nOne more.\n</think>\n\n{target}" if thinking else target)
    assert (row["thinking"], row["chat_template_kwargs"]) == (thinking, {"enable_thinking": thinking})
    assert [each["content"] for each in row["messages"][:-1]] == ["What is 4 plus 1?\n\nBox it."]


def system2(score: float | None, **given: Any) -> Ruling:
    case = solved(["1"], author="1")
    verdict = told(case.problem, "disagreement@1", score=score)
    [ruling] = run("system2", case._replace(verdicts=[verdict]), **given)
    return ruling


@each_of([(1.0, "pass"), (0.5, "pass"), (0.49, "fail"), (None, "unsure")])
def test_hard_is_what_a_rule_scores_high(case: tuple[float | None, str]):
    assert system2(case[0]).status == case[1]


def test_by_chance_the_part_that_is_asked_for_is_thought_about():
    cases = [solved(["1"])._replace(problem=posed(draw)) for draw in range(400)]
    for part in (0.2, 0.4, 0.6):  # as the paper has it
        told = [run("system2_by_chance", case, part=part)[0].status for case in cases]
        assert abs(told.count("pass") / 400 - part) < 0.08
    assert {run("system2_by_chance", case, part=1.0)[0].status for case in cases} == {"pass"}


def test_only_the_teachers_attempts_are_learnt_from():
    case = solved(["1", "1"])
    assert [each.status for each in run("made_by", case, solver="teacher")] == ["pass", "pass"]
    assert [each.status for each in run("made_by", case, solver="student")] == ["fail", "fail"]


# --- Annotations ----------------------------------------------------------------------------------------------

DOMAINS = annotations.listed(load("annotate/domain").body)


def sorted_into(domain: str, topic: str = "ages") -> str:
    return f"<reason>\nSo.\n</reason>\n<domain>\n{domain}\n</domain>\n<topic>\n{topic}\n</topic>"


def test_there_are_thirteen_domains():
    assert len(DOMAINS) == len(set(DOMAINS)) == 13


def test_the_domain_is_the_one_that_most_votes_name(tmp_path: Path):
    said = [sorted_into("Logic"), sorted_into("mathematics", "sums"), sorted_into("mathematics"), "mathematics"]
    output = Bench(tmp_path).run(
        "domain", problems=[posed(0)], prompt="annotate/domain", votes=4, says=lambda _, vote: said[vote]
    )
    [verdict] = output.facts.verdicts
    assert (verdict.rule, verdict.value) == ("judged_domain@1", "mathematics")
    assert orjson.loads(verdict.evidence) == {"votes": {"logic": 1, "mathematics": 2}, "topics": ["sums", "ages"]}


@each_of(["", "<domain>astrology</domain>", sorted_into("law") + sorted_into("logic"), "<domain>law"])
def test_a_domain_that_cannot_be_read_is_none(said: str):
    assert annotations.domain([said], DOMAINS).status == "unsure"


def test_verbosity_is_the_mean_of_the_votes(tmp_path: Path):
    said = ["<verbosity>\n3\n</verbosity>", "<verbosity>8</verbosity>", "<verbosity>11</verbosity>", "much"]
    of = posed(0)
    output = Bench(tmp_path).run(
        *("verbosity",),
        problems=[of],
        attempts=[answered(of, "One. Two. Three.")],
        prompt="annotate/verbosity",
        votes=4,
        says=lambda _, vote: said[vote],
    )
    [verdict] = output.facts.verdicts
    assert (verdict.rule, verdict.score, orjson.loads(verdict.evidence)) == (
        *("judged_verbosity@1", 5.5, {"votes": [3, 8]}),
    )


def test_what_a_rule_has_passed_over_is_not_annotated(tmp_path: Path):
    of = posed(0)
    tries = [answered(of, f"One. Two. {i}.", sample=i) for i in range(2)]
    against = told(tries[0], "made_by@1", "fail")
    bench = Bench(tmp_path)
    bench.run("strategies", problems=[of], attempts=tries, verdicts=[against], prompt="judge/strategies")
    assert len(bench.client.asked) == 1


def test_the_builtin_engine_thinks_aloud_and_annotates():
    question = "Pavel has 75 badges. Then Pavel buys 14 more badges. How many badges does Pavel have now?"

    def say(prompt: str, seed: int = 0, faults: Faults = NONE, **values: str) -> str:
        messages = load(prompt).render(values)
        return reply(messages, seed=seed, temperature=1.0, max_tokens=4096, faults=faults).text

    said = [say("think/aloud", seed, question=question) for seed in range(12)]
    assert all(text.startswith("<think>\n") and text.count("</think>") == 1 for text in said)
    of = posed(0, question)
    assert {final_answer(answered(of, text.partition("</think>")[2]), "math") for text in said} == {"89"}
    assert len({text.partition("</think>")[0] for text in said}) > 3
    told = say("annotate/domain", material=annotations.problem_alone(question))
    assert (annotations.read_domain(told, DOMAINS), bool(annotations.read_topic(told))) == ("mathematics", True)
    material = annotations.with_trace(question, said[0])
    assert annotations.read_verbosity(say("annotate/verbosity", material=material)) is not None
    assert "</think>" not in say("think/aloud", faults=Faults(malformed=0.8, wrong_author=0), question=question)


# --- The recipe, whole ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("THOUGHTMILL_DATA", str(tmp_path_factory.mktemp("natural")))
        changes = ["target.accepted=20", "target.candidates=200", "shard=16"]
        return asyncio.run(make.make("natural-thoughts", changes=changes))


def scores(made: Made, rule: str) -> dict[str, float]:
    found = (each for each in verdicts(made) if each.rule.partition("@")[0] == rule)
    return {each.subjects[0]: each.score for each in found if each.score is not None}


@pytest.mark.slow
def test_the_recipes_choice_is_harder_and_richer_than_as_many_by_chance(made: Made):
    chosen, chance = lines.loaded(made, "mixed"), lines.loaded(made, "random/mixed")
    assert len(chosen) == len(chance) == 20
    rich = scores(made, "judged_strategies")
    for measure in (lambda row: row["difficulty"], lambda row: rich[row["attempt_id"]]):
        assert fmean(map(measure, chosen)) > fmean(map(measure, chance))


@pytest.mark.slow
def test_all_targets_are_the_teachers_and_go_with_the_disagreement(made: Made):
    there = [*lines.loaded(made, "mixed"), *lines.loaded(made, "random/mixed")]
    assert {row["model"] for row in there} == {"teacher"}
    roles = {each.id: each.role for each in attempts(made)}
    chosen = {(roles[each.subjects[0]], each.status) for each in verdicts(made) if each.rule.startswith("made_by@")}
    assert chosen == {("teacher", "pass"), ("student", "fail")}
    assert {row["thinking"] for row in there} == {True, False}
    assert len(there) == len(lines.loaded(made, "sft")) + len(lines.loaded(made, "random/sft"))
    for row in there:
        assert row["thinking"] == (row["difficulty"] >= 0.5) == ("<think>" in row["messages"][-1]["content"])
        assert row["messages"][:-1] == load("solve/answer").render({"question": row["question"]})


@needs_data
@pytest.mark.slow
def test_of_real_responses_the_chosen_are_harder_and_richer(tmp_path: Path):
    """480 responses to 60 problems of MATH: hard is where they disagree, strategies are told by their words."""
    given = [
        {"question": row["question"], "answer": str(row["answer"]), "responses": row["response"]}
        for row in rows("math_samples/qwen_math_8_samples.jsonl")
    ]
    measure = lines.sift("semantic_entropy", "strategy_count")
    choose = [
        {"rule": "diverse_strategies", "difficulty": "semantic_entropy", "k": 1000},
        {"rule": "quantile_band", "by": "diverse_strategies", "at_least": 0.5, "at_most": 1.0},
    ]
    made = lines.run(tmp_path, given, {**measure, "drop": False}, lines.select(*choose))
    arms = [lines.accepted(made), lines.by_chance(made, "quantile_band")]
    assert len(arms[0]) == len(arms[1]) > 20
    entropy = {question: each.score or 0.0 for question, each in lines.told(made, "semantic_entropy").items()}
    rank = {question: each.score or 0.0 for question, each in lines.told(made, "diverse_strategies").items()}
    for measured in (entropy, rank):
        assert fmean(measured[each] for each in arms[0]) > fmean(measured[each] for each in arms[1])
