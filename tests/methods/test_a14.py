"""A14, SimpleTIR: trajectories with a void turn, one that has neither code nor an answer, are filtered out.

Shown elsewhere:
- each kind of turn is told exactly (code, answer, both, neither, a fence that is never closed, nothing at all):
  tests/filters/test_trace.py::test_a_turn_without_code_or_answer_is_void
- an answer in what a tool says does not count:
  tests/filters/test_trace.py::test_what_others_say_is_no_turn_and_no_answer
- one void turn among many fails the attempt:
  tests/filters/test_trace.py::test_one_void_turn_among_many_fails_the_attempt_and_is_named

Runs have only single turns as yet, so the facts of trajectories are made here, and judged by the rules themselves.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from filters.rule import Case
from filters.verifiers import verifier
from pipelines.records import Attempt, Fact, Turn, Verdict, from_table, to_table, verdict
from pipelines.reports.version import report_of_version
from pipelines.rules import bind_rule
from pipelines.stages.sift import to_verdict
from pipelines.store import KINDS, connect, from_parquet, to_parquet
from pipelines.views.table import VIEWS, batches, prepare
from tests.filters.cases import answered, task

if TYPE_CHECKING:
    import duckdb

OF = task("What is 6 times 7?", "42")
CODE, SEEN, ANSWER = "```python\nprint(6 * 7)\n```", "42", "The answer is 42."
VOID = "Hm, let me think about that."


def trajectory(sample: int, *said: str) -> Attempt:
    """Turns of the model, with what the tool showed after each but the last."""
    turns = [Turn("user", OF.question)]
    for each in said:
        turns += [Turn("assistant", each), Turn("tool", SEEN)]
    return answered(OF, ANSWER, sample)._replace(turns=tuple(turns[:-1]), id=f"{sample:032x}")


WITH_VOID, WHOLE = trajectory(0, CODE, CODE, VOID, CODE, ANSWER), trajectory(1, CODE, CODE, ANSWER)


def ruled(name: str, case: Case) -> list[Verdict]:
    """What a rule says of the case, as the facts that `sift` makes of it."""
    bound = bind_rule(name, "here", Path())
    rulings = bound.rule.run(case, lambda name, *pair: verifier(name).check(*pair), **bound.parameters)
    return [to_verdict(each, case, bound, "sift@1") for each in rulings]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The facts of a version with two trajectories, both right in the end."""
    case = Case(OF, None, [WITH_VOID, WHOLE])
    accepted = verdict(
        subjects=[OF.id], stage="release@1", draw=0, rule="accepted@1", status="pass", value="accepted"
    )
    rulings = [*ruled("answer_matches", case), *ruled("pass_rate", case), *ruled("no_void_turns", case)]
    facts: list[Fact] = [OF, *case.attempts, *rulings, accepted]
    folder = tmp_path_factory.mktemp("a14")
    for name, kind in KINDS.items():
        table = to_table(kind, [fact for fact in facts if isinstance(fact, kind)])
        (folder / f"{name}.parquet").write_bytes(to_parquet(table))
    return folder


@contextmanager
def facts_of(folder: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with connect([folder]) as connection:
        prepare(connection)
        yield connection


def exported(folder: Path, view: str) -> list[dict[str, Any]]:
    with facts_of(folder) as connection:
        return [row for batch in batches(connection, VIEWS[view]) for row in batch.to_pylist()]


def test_it_is_kept_in_the_raw_table_with_the_number_of_its_void_turn(folder: Path) -> None:
    """All turns of it, and beside it a verdict that says `void_turns`: [2]."""
    kept = from_table(Attempt, from_parquet((folder / "attempts.parquet").read_bytes()))
    assert kept == [WITH_VOID, WHOLE]
    said = from_table(Verdict, from_parquet((folder / "verdicts.parquet").read_bytes()))
    told = {each.subjects[0]: each for each in said if each.rule.startswith("no_void_turns@")}
    assert (told[WITH_VOID.id].status, told[WHOLE.id].status) == ("fail", "pass")
    assert orjson.loads(told[WITH_VOID.id].evidence)["void_turns"] == [2]


def test_it_is_counted_in_the_report(folder: Path) -> None:
    """One seen that failed, with its reason and an example."""
    with facts_of(folder) as connection:
        rules = report_of_version(connection)["rules"]
    [told] = [each for rule, each in rules.items() if rule.startswith("no_void_turns@")]
    assert (told["seen"], told["pass"], told["fail"]) == (2, 1, 1)
    assert told["reasons"] == [{"status": "fail", "reason": "a turn neither acts nor answers", "count": 1}]
    assert len(told["examples"]["fail"]) == 1


def test_it_is_not_among_what_is_imitated(folder: Path) -> None:
    """Though its answer is right; the other trajectory leaves whole."""
    [row] = exported(folder, "sft")
    assert row["attempt_id"] == WHOLE.id
    assert [said["content"] for said in row["messages"]] == [turn.content for turn in WHOLE.turns]


def test_it_is_in_no_prompt_for_reinforcement_learning(folder: Path) -> None:
    """The problem is exported, with what its solvers were asked and nothing of what they did."""
    [row] = exported(folder, "rl")
    assert row["prompt"] == [{"role": "user", "content": OF.question}]
