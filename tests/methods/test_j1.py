"""A4, J1: judges that are rewarded for verdicts which are known, in both orders and response by response.

GSM8K's questions with the solutions of two real models, of which it is given which are right, and a judge who says
the same whatever it is shown.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import orjson
import pytest

from filters.pair_rewards import consistent, ordered
from flows import make
from flows.make import Made
from pipelines.formats import skyrl, trl, verifiers, verl
from pipelines.records import Problem, Verdict
from pipelines.store import Output
from tests.filters.cases import needs_data, rows
from tests.methods import lines
from tests.pipelines.stages.bench import Bench, answered, posed
from tests.pipelines.test_views_laws import accepted, rows_of, told
from tests.server import Behaviour, Body, Said, builtin, number, serving
from tests.small import attempts, verdicts

WORDS: dict[str, Any] = {"prompt": ["judge/pair-verdict"], "single": ["judge/score"]}
ALWAYS_A = "<verdict>\nA\n</verdict>"
ALWAYS_7 = "<score>\n7\n</score>"

# --- By hand --------------------------------------------------------------------------------------------------

TEXTS = [r"It is \boxed{4}.", r"It must be \boxed{4}.", r"It is \boxed{5}.", r"Say \boxed{6}.", r"It is \boxed{5}."]
RIGHT = (True, True, False, False, False)


def contrasted(folder: Path, right: tuple[bool, ...] = RIGHT, **given: Any) -> tuple[Output, list[Any]]:
    """What comes of one problem with these attempts, and the facts before."""
    of = posed(0, "What is 2 + 2?", answer="4", verifier="math")
    tried = [answered(of, text, sample=i) for i, text in enumerate(TEXTS[: len(right)])]
    said = [
        told(each, "answer_matches@2", "pass" if is_right else "fail")
        for each, is_right in zip(tried, right, strict=True)
    ]
    bench = Bench(folder)
    facts = {"problems": [of], "attempts": tried, "verdicts": said}
    output = bench.run("contrast", **facts, **{**WORDS, "forms": ["pair", "single"], **given})
    assert bench.client.asked == []
    return output, [of, *tried, *said]


def tasks(output: Output) -> list[tuple[dict[str, Any], Problem]]:
    return [(orjson.loads(each.details), each) for each in output.facts.problems]


def test_a_pair_gives_both_orders_with_the_answer_turned_and_each_response_alone(tmp_path: Path):
    output, _ = contrasted(tmp_path)
    there = tasks(output)
    assert len({about["pair"] for about, _ in there}) == 1
    (_, ab), (_, ba), (_, better), (_, worse) = there
    assert [each.answer for _, each in there] == ["A", "B", "yes", "no"]
    assert ba.parents == ab.parents[::-1]
    assert (better.parents, worse.parents) == (ab.parents[:1], ab.parents[1:])
    assert {each.verifier for _, each in there} == {"judging"}
    assert ab.question.replace("response_a", "response_b") != ba.question


def test_more_pairs_take_each_response_once_and_none_of_two_that_say_the_same(tmp_path: Path):
    output, _ = contrasted(tmp_path, pairs=9)
    pairs = {frozenset(each.parents) for about, each in tasks(output) if about["form"] == "pair"}
    assert len(pairs) == 2
    assert len(frozenset.union(*pairs)) == 4


@pytest.mark.parametrize("right", [(True, True), (False, False, False), ()])
def test_where_all_are_right_or_all_wrong_there_is_no_pair_and_the_draw_goes(tmp_path: Path, right: tuple[bool, ...]):
    output, _ = contrasted(tmp_path, right)
    [said] = output.facts.verdicts
    assert (output.facts.problems, output.live, output.out) == ([], [], [(0, said.id)])


def test_a_task_that_nobody_was_asked_is_trained_on_as_it_stands_and_shows_no_answer(tmp_path: Path):
    output, before = contrasted(tmp_path)
    facts = [*before, accepted(before[0]), *output.facts.problems, *output.facts.verdicts]
    there = rows_of(facts, "judge")
    assert {row["task_id"]: row["prompt"] for row in there} == {
        each.id: [{"role": "user", "content": each.question}] for _, each in tasks(output)
    }
    assert {(row["form"], row["answer"]) for row in there} == {
        *{("pair", "A"), ("pair", "B"), ("single", "yes"), ("single", "no")}
    }
    assert {(row["order"], row["answer"]) for row in there} == {(0, "A"), (1, "B"), (0, "yes"), (1, "no")}
    assert {row["corruption"] for row in there} == {"wrong_answer"}
    assert not any("wrong_answer" in row["prompt"][0]["content"] for row in there)


def test_trainers_are_told_which_tasks_belong_together(tmp_path: Path):
    output, before = contrasted(tmp_path)
    there = rows_of([*before, accepted(before[0]), *output.facts.problems, *output.facts.verdicts], "judge")
    for row in there:
        info = orjson.loads(verifiers.rl(row)["info"])
        carried = [trl.rl(row), verl.rl(row)["extra_info"], skyrl.rl(row)["extra_info"], info]
        assert {each["pair_id"] for each in carried} == {there[0]["pair_id"]}


def varied(folder: Path, said: str) -> tuple[Output, Problem]:
    of = posed(0, "Write a poem about the sea for children.")
    return Bench(folder).run("vary", problems=[of], prompt="vary/instruction", says=lambda *_: said), of


def test_the_answer_to_a_modified_instruction_is_the_worse_one(tmp_path: Path):
    said = "<question>\nWrite a letter about the sea to a captain.\n</question>"
    output, of = varied(tmp_path, said)
    other = next(each for each in output.facts.problems if each.kind == "varied")
    tried = [answered(of, "Blue and wide."), answered(other, "Dear captain,")]
    bench, facts = Bench(tmp_path), {"problems": [of, *output.facts.problems]}
    made = bench.run("contrast", **facts, attempts=[*tried], of="varied", forms=["pair"], live=[of], **WORDS)
    assert [(each.answer, each.parents) for _, each in tasks(made)] == [
        ("A", (tried[0].id, tried[1].id)),
        ("B", (tried[1].id, tried[0].id)),
    ]
    about, task = tasks(made)[0]
    assert (about["corruption"], about["modified_instruction"]) == ("modified_instruction", other.question)
    assert other.question not in task.question


NO = "I'm sorry, I can't help with that."


def unwilling(body: Body, index: int) -> str | Said:
    """Refuses to answer every other instruction."""
    text = body["messages"][-1]["content"]
    return NO if "<" not in text and number(text.encode()) % 2 else builtin(body, index)


@pytest.mark.slow
def test_a_refusal_is_neither_the_better_response_nor_the_worse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    async def scene() -> Made:
        async with serving(Behaviour(author=unwilling)) as server:
            models = [f"models.{role}=openai:test@{server.url}" for role in ("teacher", "judge")]
            few = ["target.accepted=3", "target.candidates=60", "shard=8", "judging.n=1"]
            return await make.make("j1-chat", changes=[*few, *models])

    monkeypatch.setenv("THOUGHTMILL_DATA", str(tmp_path))
    made = asyncio.run(scene())
    assert made.ledger["not_accepted"]["no_refusal"]
    assert any(each.text == NO for each in attempts(made))
    assert lines.loaded(made, "judge")
    assert not [row for row in lines.loaded(made, "judge") if NO in row["prompt"][0]["content"]]


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("<question>\nWrite a poem about the sea for children!\n</question>", "says the same again"),
        ("Write a letter.", "0 parts <question> where one is asked for"),
    ],
)
def test_what_varies_nothing_or_cannot_be_read_is_no_variation(tmp_path: Path, said: str, reason: str):
    output, _ = varied(tmp_path, said)
    [verdict] = output.facts.verdicts
    assert orjson.loads(verdict.evidence)["reason"] == reason
    assert [each.kind for each in output.facts.problems] == ["vary"]


def test_rewards_over_a_pair_ask_for_both_orders_and_for_the_order_of_scores():
    a, b, seven, three = ALWAYS_A, "<verdict>B</verdict>", ALWAYS_7, "<score>3</score>"
    pairs = {"answer": ["A", "A", "B", "B"], "pair_id": ["p"] * 4}
    assert consistent([a, a, b, a], **pairs) == [1.0, 0.0, 1.0, 0.0]
    assert consistent([a, a, a, a], **pairs) == [0.0] * 4  # a judge who goes by the place
    alone = {"answer": ["yes", "no", "yes"], "pair_id": ["p", "p", "q"]}
    assert ordered([seven, three, seven], **alone) == [1.0, 1.0, None]
    assert ordered([seven, seven, three], **alone) == [0.0, 0.0, None]
    assert ordered(["no score", three, seven], **alone) == [0.0, 0.0, None]


# --- Real solutions -------------------------------------------------------------------------------------------


def gsm8k(most: int) -> list[dict[str, Any]]:
    """Of each kind so many: one right, both right, both wrong."""
    count, chosen = Counter[int](), list[dict[str, Any]]()
    for row in rows("gsm8k/model_solutions_6b.jsonl"):
        solutions = [row["6b_finetuning"], row["6b_verification"]]
        kind = sum(each["is_correct"] for each in solutions)
        count[kind] += 1
        if count[kind] <= most:
            texts = [f"{each['solution']}\n" for each in solutions]
            correct = [each["is_correct"] for each in solutions]
            chosen.append({"question": row["question"], "answer": "1", "responses": texts, "correct": correct})
    return chosen


def fixed(body: Body, index: int) -> str:
    return ALWAYS_A if "<response_a>" in body["messages"][-1]["content"] else ALWAYS_7


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    judging = [
        {"use": "contrast", "by": "given", **WORDS},
        {"use": "expand", "of": "judgement", "model": "judge", "prompt": "solve/plain", "n": 2},
        {"name": "right", **lines.sift("answer_matches", "pass_rate"), "of": "judgement"},
        {"name": "consistent", **lines.sift("both_orders", "score_order"), "drop": False},
    ]
    folder = tmp_path_factory.mktemp("j1")
    return lines.run(folder, gsm8k(20), *judging, models={"judge": "fixed"}, author=fixed, views=["judge"])


def by_pair(made: Made, form: str) -> dict[str, list[dict[str, Any]]]:
    pairs = defaultdict[str, list[dict[str, Any]]](list)
    for row in lines.loaded(made, "judge"):
        if row["form"] == form:
            pairs[row["pair_id"]].append(row)
    return pairs


def said(made: Made, rule: str) -> list[Verdict]:
    return [each for each in verdicts(made) if each.rule.partition("@")[0] == rule]


@needs_data
@pytest.mark.slow
def test_each_source_pair_yields_two_records_with_a_and_b_swapped_and_gold_swapped(made: Made):
    pairs = by_pair(made, "pair")
    assert len(pairs) == 20
    for one, other in pairs.values():
        assert one["judged"] == other["judged"][::-1]
        assert {one["answer"], other["answer"]} == {"A", "B"}
        first, second = (row["prompt"][0]["content"].partition("<response_b>") for row in (one, other))
        texts = [part.partition(f"<response_{mark}>")[2] for part, mark in ((first[0], "a"), (second[0], "a"))]
        assert all(texts)
        assert texts[0] != texts[1]


@needs_data
@pytest.mark.slow
def test_label_frequency_is_exactly_one_half(made: Made):
    counts = Counter(row["answer"] for row in lines.loaded(made, "judge"))
    assert counts == {"A": 20, "B": 20, "yes": 20, "no": 20}


@needs_data
@pytest.mark.slow
def test_a_constant_judge_is_right_half_the_time_and_never_in_both_orders(made: Made):
    """Always A is a judge who goes by the place, and the same score for all puts nobody in front."""
    assert Counter(each.status for each in said(made, "answer_matches")) == {"pass": 80, "fail": 80}
    for rule, counted in (("both_orders", {"by the place": 2}), ("score_order", {"equal": 2})):
        assert [each.score for each in said(made, rule)] == [0.0] * 20
        assert all(orjson.loads(each.context)["counts"] == counted for each in said(made, rule))


@needs_data
@pytest.mark.slow
def test_no_record_has_two_responses_with_the_same_verdict(made: Made):
    """Of the sixty questions, twenty have two right solutions and twenty two wrong ones."""
    right = {each.subjects[0]: each.status for each in said(made, "given")}
    for one, _ in by_pair(made, "pair").values():
        assert {right[id] for id in one["judged"]} == {"pass", "fail"}
        assert right[one["judged"]["AB".index(one["answer"])]] == "pass"


@needs_data
@pytest.mark.slow
def test_pointwise_and_pairwise_records_are_of_the_same_pairs(made: Made):
    assert by_pair(made, "pair").keys() == by_pair(made, "single").keys()
