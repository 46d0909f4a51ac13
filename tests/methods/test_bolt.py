"""P-A02, BOLT: long thoughts of a plain instruct model, bootstrapped with ten demonstrations.

Shown elsewhere:
- a run with a teacher that reasons is refused, also where only its replies betray it:
  tests/pipelines/stages/test_guided.py::test_a_model_that_reasons_by_itself_ends_the_run
- which texts are no thought with an answer: tests/filters/test_thoughts.py::test_a_row_needs_a_thought_and_an_answer
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from math import comb
from pathlib import Path
from statistics import median
from typing import Any

import orjson
import pytest

from filters.rule import Case
from filters.trace import strategies
from filters.trace_text import longest_copy, no_prompt_words
from filters.words import words
from flows import make
from flows.make import Made
from pipelines.recipe import BadRecipe
from pipelines.stages.guided import read_demonstrations
from tests.filters.cases import task
from tests.filters.trace_cases import ruled, thought
from tests.methods import lines
from tests.small import attempts, problems, verdicts

HERE = Path(__file__).parents[2] / "data"
TEN = read_demonstrations(HERE / "demonstrations" / "bolt.jsonl")
FEW = ["target.accepted=24", "shard=12"]
SIDES = ("chosen_id", "rejected_id")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("bolt")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("THOUGHTMILL_DATA", str(folder))
        yield folder


@pytest.fixture(scope="module")
def made(data: Path) -> Made:
    return asyncio.run(make.make("bolt", changes=FEW))


# --- "Lineage of every row shows demo ids and a teacher tagged non-reasoning; a run with a reasoning teacher is
#     refused" ---------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_every_row_shows_its_demonstrations_and_a_teacher_that_does_not_reason(made: Made) -> None:
    told = {each.id: orjson.loads(each.details) for each in attempts(made)}
    rows = lines.loaded(made, "sft")
    assert len({row["problem_id"] for row in rows}) == 24, "those without a reference, too"
    ids = {each.id for each in TEN}
    pairs = [{"attempt_id": row[side]} for row in lines.loaded(made, "preference") for side in SIDES]
    assert pairs
    for row in [*rows, *pairs]:
        assert len(set(told[row["attempt_id"]]["demonstrations"]) & ids) == 3
        assert told[row["attempt_id"]]["reasoning"] is False


def test_a_run_with_a_teacher_that_reasons_is_refused() -> None:
    with pytest.raises(BadRecipe, match="reasoning = true"):
        make.prepare("bolt", changes=["models.teacher.reasoning=true"])


# --- "Rows not parsing into thought/answer are dropped and counted" --------------------------------------------


@pytest.mark.slow
def test_what_is_no_thought_with_an_answer_is_in_no_view_and_counted(made: Made) -> None:
    said = [each for each in verdicts(made) if each.rule == "thought_and_answer@2"]
    assert len(said) == len([each for each in attempts(made) if each.role == "teacher"])
    lost = {each.subjects[0] for each in said if each.status != "pass"}
    assert lost
    rows = [*lines.loaded(made, "sft"), *lines.loaded(made, "preference")]
    assert not lost & {row.get(name) for row in rows for name in ("attempt_id", *SIDES)}
    told = lines.report(made)["rules"]["thought_and_answer@2"]
    assert told["fail"] + told["unsure"] == len(lost)


# --- "No row shares a long n-gram (e.g. 13 tokens) with a demo (leak check)" -----------------------------------


@pytest.mark.slow
def test_no_row_shares_thirteen_words_with_a_demonstration(made: Made) -> None:
    copied = [each for each in verdicts(made) if each.rule.startswith("no_prompt_words@") and each.status == "fail"]
    assert copied, "nobody copied, so nothing was shown"
    source = "\n\n".join(f"{each.question}\n{each.thought}\n{each.answer}" for each in TEN)
    shown = [(row["question"], row["messages"][-1]["content"]) for row in lines.loaded(made, "sft")]
    pairs = lines.loaded(made, "preference")
    shown += [(row["question"], row[side][0]["content"]) for row in pairs for side in ("chosen", "rejected")]
    for question, text in shown:
        assert len(longest_copy(text, source, besides=question, at_least=13)) == 0


def test_a_copy_of_thirteen_words_is_found_and_one_of_twelve_is_not() -> None:
    of = task("How many?")
    for count, status in ((12, "pass"), (13, "fail")):
        copied = " ".join(TEN[0].thought.split()[:count])
        attempt = thought(of, f"I begin. {copied} Now on.", "2")
        asked = attempt.turns[0]._replace(content=f"{TEN[0].thought}\n\n{of.question}")
        case = Case(of, None, [attempt._replace(turns=(asked, attempt.turns[1]))])
        assert [each.status for each in ruled(no_prompt_words, case, at_most_words=12)] == [status]


@pytest.mark.slow
def test_nothing_of_a_demonstration_is_in_a_prompt(made: Made) -> None:
    for view in ("sft", "rl", "preference"):
        rows = lines.loaded(made, view)
        assert rows
        for row in rows:
            prompt = row["prompt"] if "prompt" in row else row["messages"][:-1]
            assert [said["role"] for said in prompt] == ["user"]
            assert prompt[0]["content"].startswith(row["question"])
            assert not any(each.thought[:40] in prompt[0]["content"] for each in TEN)


# --- [live] "with and without demos: median thought length and acts rise; verified-correct rate is not lower" --


@pytest.mark.slow
def test_with_demonstrations_thoughts_are_longer_and_do_more(made: Made) -> None:
    """The paired comparison that is to be made on a live endpoint, as the arm of the recipe runs it."""
    plain = asyncio.run(make.make("bolt", changes=[*FEW, "demonstrations=false"], dataset="plain"))
    with_them, without = (thoughts(each) for each in (made, plain))
    assert median(map(len, with_them)) > median(map(len, without))
    assert acts(with_them) > acts(without)
    assert lower_by_chance(right_of(made), right_of(plain)) > 0.05


def right_of(made: Made) -> Counter[str]:
    """Of how many samples of each query the answer is verified."""
    asked = {each.id: each.problem for each in attempts(made)}
    queries = {each.id: each.question for each in problems(made)}
    said = [each for each in verdicts(made) if each.rule.startswith("answer_matches@") and each.status == "pass"]
    return Counter(queries[asked[each.subjects[0]]] for each in said)


def lower_by_chance(after: Counter[str], before: Counter[str]) -> float:
    """How likely so many queries or more are answered worse if none is in truth: a sign test over pairs."""
    changes = [after[query] - before[query] for query in after | before if after[query] != before[query]]
    worse = sum(change < 0 for change in changes)
    return sum(comb(len(changes), k) for k in range(worse, len(changes) + 1)) / 2 ** len(changes)


def test_the_paired_test_sees_what_is_lower() -> None:
    many, few = Counter({str(query): 4 for query in range(8)}), Counter({str(query): 3 for query in range(8)})
    assert lower_by_chance(few, many) < 0.05 < lower_by_chance(many, few) == lower_by_chance(many, many) == 1


def thoughts(made: Made) -> list[str]:
    return [each.turns[-1].reasoning or "" for each in attempts(made) if each.role == "teacher"]


def acts(said: list[str]) -> float:
    return sum(len(strategies(each).keys() & {"subgoals", "verification", "backtracking"}) for each in said) / len(
        said
    )


# --- The demonstrations ----------------------------------------------------------------------------------------


def test_ten_demonstrations_of_our_own_plan_check_and_turn_back() -> None:
    rows: list[dict[str, Any]] = [
        orjson.loads(line) for line in (HERE / "demonstrations" / "bolt.jsonl").read_bytes().splitlines()
    ]
    assert len(rows) == len({row["id"] for row in rows}) == 10
    assert len({row["domain"] for row in rows}) == 10
    assert {row["license"] for row in rows} == {"CC0-1.0"}
    for row in rows:
        assert 150 <= len(words(row["thought"])) <= 400
        assert len(words(row["answer"])) < len(words(row["thought"])) / 2
