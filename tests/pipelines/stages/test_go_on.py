"""Going on: a thought of another is taken up from a cue, and the whole becomes one attempt."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from pipelines.records import Attempt, Turn
from pipelines.stages.go_on import CUES, Beginning, check_go_on, whole
from tests.each import each_of
from tests.pipelines.stages.bench import Bench, answered, posed

OF = posed(0, "Which is it?\n\n(A) a hen\n(B) a goat", answer="B", verifier="choice")
END = " I look again, and it is a goat.\n</think>\n\n<answer>B</answer>"


def thought(said: str, sample: int = 0, **changed: Any) -> Attempt:
    turns = (Turn("user", OF.question), Turn("assistant", "A", said))
    return answered(OF, "A", sample=sample)._replace(id=f"short-{sample}", turns=turns, **changed)


def went_on(bench: Bench, *attempts: Attempt, says: Any = END, **given: Any) -> list[Attempt]:
    output = bench.run(
        "go_on",
        says=lambda message, sample: says,
        problems=[OF],
        attempts=attempts,
        prompt="think/longer",
        **{"n": 3, **given},
    )
    assert output.live == [OF.id]
    return output.facts.attempts


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_each_thought_is_continued_so_often_from_a_cue(bench: Bench):
    longer = went_on(bench, thought("I see a hen"), thought("A goat.", 1), opening="Well.")
    assert [each.sample for each in longer] == [*range(6)]
    assert [each.parents for each in longer] == [(OF.id, f"short-{i}") for i in (0, 0, 0, 1, 1, 1)]
    assert len({each.id for each in longer}) == 6
    for each, asked in zip(longer, bench.client.askings, strict=True):
        beginning = asked.messages[-1]
        assert beginning["role"] == "assistant"
        told = orjson.loads(each.details)
        before = "Well. I see a hen." if each.sample < 3 else "Well. A goat."
        assert each.turns[-1].content == "<answer>B</answer>"
        assert (each.turns[-1].reasoning or "")[: told["begun"]] == before
        rest = (each.turns[-1].reasoning or "")[told["begun"] :]
        assert rest[0] in "\n "
        assert rest.strip() == f"{told['cue']} I look again, and it is a goat."
        assert beginning["content"] == f"<think>\n{before}{rest[0]}{told['cue']}"


def test_the_same_run_takes_the_same_cues_and_all_come_up(bench: Bench):
    shorts = [thought("I see a hen.", i) for i in range(12)]
    cues = [orjson.loads(each.details)["cue"] for each in went_on(bench, *shorts)]
    assert cues == [orjson.loads(each.details)["cue"] for each in went_on(bench, *shorts)]
    assert set(cues) == set(CUES)


def test_what_it_was_told_is_private_and_the_beginning_is_no_turn_of_its_own(bench: Bench):
    [longer] = went_on(bench, thought("I see a hen."), n=1)
    assert orjson.loads(longer.details)["private"] == ["all"]
    assert [turn.role for turn in longer.turns] == ["system", "user", "assistant"]


def test_only_finished_thoughts_that_continue_nothing_go_on(bench: Bench):
    cut, mute = thought("I see", 1, finish="length"), thought("", 2)
    again = thought("I see.", 3, details='{"begun":5}')
    assert [each.parents[1] for each in went_on(bench, thought("I see."), cut, mute, again, n=1)] == ["short-0"]
    assert went_on(bench, thought("I see."), n=0) == []


BEGUN = Beginning("I see a hen.", " Wait,")


@each_of(
    [
        (Turn("assistant", "B", "no, a goat."), "I see a hen. Wait, no, a goat.", "B"),
        (Turn("assistant", " no, a goat. B", None), "I see a hen. Wait, no, a goat. B", None),
        (Turn("assistant", None, None), "I see a hen. Wait,", None),
        (Turn("assistant", "B", ""), "I see a hen. Wait,", "B"),
    ]
)
def test_wherever_a_server_puts_the_rest_the_thought_is_whole(came: Turn, thinking: str, answer: str | None):
    assert whole(BEGUN, came) == Turn("assistant", answer, thinking)


def test_what_is_cut_stays_cut(bench: Bench):
    cut = {"choices": [{"message": {"content": " I look"}, "finish_reason": "length"}]}
    [longer] = went_on(bench, thought("I see a hen."), says=cut, n=1)
    assert longer.finish == "length"
    assert longer.text == ""
    assert (longer.turns[-1].reasoning or "").endswith("I look")


@each_of([{"n": -1}, {"cues": []}, {"cues": [" "]}, {"joins": []}])
def test_nothing_to_begin_with_is_refused(wrong: dict[str, Any]):
    with pytest.raises(ValueError, match="should"):
        check_go_on({"n": 1, "cues": ["Wait,"], "joins": [" "], **wrong})
