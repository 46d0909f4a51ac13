"""Asking until a rate is settled: no ruling changes, and fewer samples are asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.answers import pass_rate
from filters.rule import Case
from filters.verifiers import verifier
from pipelines.records import Problem
from pipelines.stages.budget import budget
from pipelines.stages.expand import check_expand
from pipelines.store import Output
from tests.pipelines.stages.bench import Bench, Instantly, posed


def expanded(tmp_path: Path, answers: list[str], problems: list[Problem], **parameters: Any) -> tuple[Bench, Output]:
    bench = Bench(tmp_path, checks=Instantly())
    output = bench.run(
        "expand",
        problems=problems,
        prompt="solve/boxed",
        n=len(answers),
        says=lambda _, sample: answers[sample],
        **parameters,
    )
    return bench, output


RIGHT, WRONG, SILENT = r"\boxed{4}", r"\boxed{5}", "I do not know."


@pytest.mark.parametrize(
    ("answers", "samples"),
    [([RIGHT] * 16, 13), ([WRONG] * 16, 13), ([RIGHT, WRONG] * 8, 8), ([RIGHT] * 8 + [WRONG] * 8, 16)],
    ids=["always", "never", "half", "turning"],
)
def test_what_is_settled_is_asked_no_further(tmp_path: Path, answers: list[str], samples: int):
    until = {"at_least": 0.25, "at_most": 0.75, "first": 1}
    bench, output = expanded(tmp_path, answers, [posed(0, "2 + 2?", answer="4", verifier="math")], until=until)
    asked = next(look for look in budget(until, 16).looks if look >= samples)
    assert len(bench.client.asked) == len(output.facts.attempts) == asked
    [told] = output.facts.verdicts
    assert (told.rule, told.status, told.score) == ("budget@1", "pass", asked)
    assert orjson.loads(told.context)["until"] == until


@given(
    states=st.lists(st.sampled_from([RIGHT, WRONG, "cut"]), min_size=12, max_size=12),
    low=st.sampled_from([0.0, 0.1, 0.25, 0.5]),
    high=st.sampled_from([0.5, 0.75, 0.9, 1.0]),
    first=st.integers(1, 12),
)
def test_surely_settled_gives_the_ruling_of_all_samples(
    tmp_path_factory: pytest.TempPathFactory, states: list[str], low: float, high: float, first: int
):
    task = posed(0, "2 + 2?", answer="4", verifier="math")
    cut = {"choices": [{"message": {"content": "so"}, "finish_reason": "length"}]}
    answers = cast(list[str], [cut if state == "cut" else state for state in states])
    folder = tmp_path_factory.getbasetemp()
    some = expanded(folder, answers, [task], until={"at_least": low, "at_most": high, "first": first})[1]
    whole = expanded(folder, answers, [task])[1]
    assert some.facts.attempts == whole.facts.attempts[: len(some.facts.attempts)]
    rulings = [
        pass_rate(Case(task, None, each.facts.attempts), verifier_check, at_least=low, at_most=high)[0].status
        for each in (some, whole)
    ]
    assert rulings[0] == rulings[1]


def verifier_check(name: str, reference: str, answer: str) -> Any:
    return verifier(name).check_quickly(reference, answer)


def test_what_cannot_be_decided_gets_all_samples(tmp_path: Path):
    until = {"at_least": 0.25, "at_most": 0.75}
    bench, output = expanded(tmp_path, [RIGHT] * 16, [posed(0, "2 + 2?")], until=until)
    assert len(bench.client.asked) == 16
    assert output.facts.verdicts[0].value == "all samples"


def test_a_narrow_interval_is_enough(tmp_path: Path):
    task = posed(0, "2 + 2?", answer="4", verifier="math")
    bench, _ = expanded(tmp_path, [RIGHT] * 32, [task], until={"width": 0.35})
    assert len(bench.client.asked) == 8


def test_likely_takes_fewer_samples_than_surely(tmp_path: Path):
    task = posed(0, "2 + 2?", answer="4", verifier="math")
    spent = [
        len(expanded(tmp_path, [WRONG] * 64, [task], until={"at_least": 0.5, "how": how})[0].client.asked)
        for how in ("likely", "surely")
    ]
    assert spent == [4, 64]


@pytest.mark.parametrize(
    ("until", "complaint"),
    [
        ({"atleast": 0.5}, "no key 'atleast'"),
        ({"first": 0}, "from 1 to n = 8"),
        ({"first": 9}, "from 1 to n = 8"),
        ({"at_least": 0.8, "at_most": 0.2}, "a band within 0 and 1"),
        ({"at_least": "a"}, "a band within 0 and 1"),
        ({"how": "surly"}, "'surely' or 'likely'"),
        ({"width": 2.0}, "between 0 and 1"),
        ({"width": 0.2, "at_least": 0.5}, "goes with no band"),
    ],
)
def test_what_settles_nothing_is_refused(until: dict[str, Any], complaint: str):
    with pytest.raises(ValueError, match=complaint):
        check_expand({"n": 8, "together": False, "until": until})


def test_all_at_once_and_some_at_a_time_exclude_each_other():
    with pytest.raises(ValueError, match="choose one"):
        check_expand({"n": 8, "together": True, "until": {}})
