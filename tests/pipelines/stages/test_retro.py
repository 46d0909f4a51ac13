"""Looking back: what is asked at each switch, what is lost and why, and what a server makes of a beginning."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest

from filters.trace import SWITCH_WORDS
from pipelines.records import Attempt, Problem, Turn, Verdict
from pipelines.stages import retro
from pipelines.stages.retro import check_retro
from pipelines.stages.rollout import switches_in
from pipelines.store import Output
from tests.each import each_of
from tests.pipelines.stages.bench import Bench, Instantly, answered, posed

OF = posed(0, "What is 2 plus 3?", answer="5", verifier="math")
PARTS = (
    "There are 2.\n\nAnd there are 3.\n\n",
    "Wait, is that so?\n\nI read it again.\n\nIt is.\n\n",
    "Hmm, what else?\n\nI count backwards.\n\nIt is the same.\n\n",
    "Alternatively, I add them up.\n\nThat makes 5.",
)
THOUGHT, ANSWER = "".join(PARTS), r"It is \boxed{5}."
END = f"So 5.\n\n</think>\n\n{ANSWER}"


def thought(said: str = THOUGHT, answer: str = ANSWER, of: Problem = OF, sample: int = 0, **changed: Any) -> Attempt:
    """A trace by somebody; its id is its own, as that of a stored one."""
    made = answered(of, answer, sample=sample)
    return made._replace(turns=(made.turns[0], Turn("assistant", answer, said)), **changed)


def begin(k: int) -> str:
    """The beginning that is sent at switch `k`, counted from 1."""
    return "<think>\n" + "".join(PARTS[:k])


def scripted(paths: Sequence[str], *, stops: bool = True) -> Callable[[str, int], str]:
    """A model that goes the first of these ways, from where it stands; of a first step it says no more than that."""

    def says(message: str, sample: int) -> str:
        rest = next((path[len(message) :] for path in paths if path.startswith(message)), "")
        return rest.partition("\n\n")[0] if stops and sample % 2 == 0 else rest

    return says


def searched(says: Any, *traces: Attempt, of: Problem = OF, **given: Any) -> tuple[Bench, Output]:
    bench = Bench(Path("nowhere"), Instantly())
    output = bench.run(
        "retro",
        says=says,
        problems=[of],
        attempts=traces or [thought()],
        prompt="think/paragraphs",
        **given,
    )
    assert output.live == [of.id]
    return bench, output


def revised(output: Output, of: Problem = OF) -> list[Attempt]:
    return [each for each in output.facts.attempts if each.problem == of.id]


def told(output: Output) -> tuple[Verdict, dict[str, Any], dict[str, Any]]:
    [said] = output.facts.verdicts
    return said, orjson.loads(said.context), orjson.loads(said.evidence)


# --- What is asked --------------------------------------------------------------------------------------------


def test_a_first_step_is_under_a_ban_and_ends_at_a_blank_line_and_the_rest_is_free() -> None:
    bench, _ = searched(scripted([begin(1) + END]), points=1, words=["Wait"], forbid=["Wait", "Hmm"])
    first, then = bench.client.askings
    assert (first.sampling["bad_words"], first.sampling["stop"]) == (["Wait", "Hmm"], ["\n\n"])
    assert not {"bad_words", "stop"} & then.sampling.keys()
    assert [each.messages[-1]["content"] for each in (first, then)] == [begin(1), begin(1) + "So 5.\n\n"]
    assert {each.messages[-1]["role"] for each in (first, then)} == {"assistant"}
    bench, _ = searched(scripted([begin(1) + END]), points=1, forbid=[])
    assert not any("bad_words" in each.sampling for each in bench.client.askings)


def test_it_goes_from_left_to_right_through_so_many_switches_so_often_each() -> None:
    for points, n in ((0, 1), (2, 3), (8, 1)):
        bench, output = searched(scripted([]), points=points, n=n)
        begins = [asked for asked, _, _ in bench.client.asked]
        expected = [begin(k) for k in range(1, 1 + min(points, 3)) for _ in range(2 * n)]  # once more without a stop
        assert begins == expected
        said, context, _ = told(output)
        assert (context["points"], context["rollouts"]) == (min(points, 3), min(points, 3) * n)
        assert context["lost"] == ({"nothing was said": context["rollouts"]} if points else {})
        assert len(set(seed for _, seed, _ in bench.client.asked)) == context["rollouts"]
        assert said.status == "fail"


def test_a_thought_of_many_switches_is_read_once_and_not_at_each(monkeypatch: pytest.MonkeyPatch) -> None:
    read = list[str]()
    monkeypatch.setattr(retro, "switches_in", lambda text, words: read.append(text) or switches_in(text, words))
    many = thought("Well.\n\n" + "Wait, no.\n\n" * 40)
    _, output = searched(scripted([]), many, points=40)
    assert told(output)[1]["points"] == 40
    assert len(read) == 3  # two are for what is told


def test_the_search_goes_on_in_what_it_has_taken() -> None:
    """The new end may switch again, behind its first step, and is looked at there."""
    one = begin(1) + f"Both are read.\n\nHmm, and now?\n\nI add.\n\n</think>\n\n{ANSWER}"
    two = begin(1) + f"Both are read.\n\nIt is 5.\n\n</think>\n\n{ANSWER}"
    bench, output = searched(scripted([one, two][:1]))
    assert "Hmm, and now?" in (revised(output)[0].turns[-1].reasoning or "")
    asked = [message for message, _, _ in bench.client.asked]
    assert begin(1) + "Both are read.\n\n" in asked[2:]
    assert not any("Wait" in message for message in asked)
    says = scripted([one])
    later = scripted([two])
    _, output = searched(lambda message, sample: later(message, sample) if sample >= 2 else says(message, sample))
    [new] = revised(output)
    assert new.turns[-1] == Turn("assistant", ANSWER, PARTS[0] + "Both are read.\n\nIt is 5.")
    assert len(told(output)[2]["revisions"]) == 2
    assert orjson.loads(new.details)["begun"] == len(PARTS[0])


def test_of_several_rollouts_the_right_one_of_fewest_steps_is_taken() -> None:
    ends = ["So 7.\n\n</think>\n\n\\boxed{7}", f"I add.\n\nSo 5.\n\n</think>\n\n{ANSWER}", END, f"Slowly.\n\n{END}"]

    def says(message: str, sample: int) -> str:
        return scripted([begin(1) + ends[sample // 2]])(message, sample)

    [new] = revised(searched(says, n=4, points=1)[1])
    assert new.turns[-1].reasoning == f"{PARTS[0]}So 5."


def test_as_many_steps_are_no_better_however_short() -> None:
    short = "So.\n\n" * 8 + f"</think>\n\n{ANSWER}"
    _, output = searched(scripted([begin(1) + short]), points=1)
    assert (revised(output), told(output)[1]["lost"]) == ([], {})
    _, output = searched(scripted([begin(1) + short.removeprefix("So.\n\n")]), points=1)
    [new] = revised(output)
    assert (new.sample, new.completion_tokens) == (0, 0)  # its tokens are those of what was tried


def test_a_partial_search_begins_anywhere_and_the_same_again() -> None:
    seen = set[int]()
    for sample in range(12):
        one = thought(sample=sample)
        asked = [searched(scripted([]), one, begin_within=1.0)[0].client.asked for _ in range(1 + (sample == 0))]
        assert asked[0] == asked[-1]
        seen.add([begin(k) for k in (1, 2, 3)].index(asked[0][0][0]) + 1)
    assert seen == {1, 2, 3}


def test_all_that_was_tried_is_at_a_problem_of_its_own_without_the_beginning() -> None:
    _, output = searched(scripted([begin(1) + "So 7.\n\n</think>\n\n\\boxed{7}"]), points=1)
    [task] = output.facts.problems
    assert (task.kind, task.parents, task.draw) == ("search", (thought().id,), 0)
    assert {each.problem for each in output.facts.attempts} == {task.id}
    assert [[turn.role for turn in each.turns] for each in output.facts.attempts] == [["user", "assistant"]] * 2
    assert [each.text for each in output.facts.attempts] == ["So 7.", "\\boxed{7}"]


# --- Which traces ---------------------------------------------------------------------------------------------

NOT_SEARCHED = {
    "wrong": thought(answer="\\boxed{7}"),
    "cut": thought(finish="length"),
    "no thought": thought(""),
    "no answer": thought(answer="I do not know."),
    "of another as well": thought(details='{"begun":5}'),
    "of several turns": thought()._replace(turns=(*thought().turns, *thought().turns)),
}


@each_of(NOT_SEARCHED)
def test_only_right_traces_of_ones_own_are_searched(name: str) -> None:
    bench, output = searched(scripted([begin(1) + END]), NOT_SEARCHED[name])
    assert (bench.client.asked, output.facts.verdicts) == ([], [])


def test_without_a_reference_nothing_is_searched_and_without_a_switch_nobody_asked() -> None:
    open_ended = posed(0, OF.question)
    assert searched(scripted([]), thought(of=open_ended), of=open_ended)[1].facts.verdicts == []
    bench, output = searched(scripted([]), thought("I add them.\n\nThat makes 5."))
    assert bench.client.asked == []
    assert told(output)[2]["reason"] == "no switch was looked at"


def test_a_trace_that_was_brought_as_one_text_is_searched_too() -> None:
    given = answered(OF, f"<think>\n{THOUGHT}\n</think>\n\n{ANSWER}")
    [new] = revised(searched(scripted([begin(1) + END]), given)[1])
    assert new.turns[-1] == Turn("assistant", ANSWER, PARTS[0] + "So 5.")


# --- Servers of all sorts -------------------------------------------------------------------------------------


def reply(content: str | None, reasoning: str | None = None, finish: str = "stop") -> dict[str, Any]:
    message = {"content": content, "reasoning_content": reasoning}
    return {"choices": [{"message": message, "finish_reason": finish}]}


FIRST_AND_THEN = {
    "plain": ("So 5.", f"</think>\n\n{ANSWER}"),
    "with blanks": ("\nSo 5.", f"\n\n</think>\n\n{ANSWER}"),
    "ended in the first step": (f"So 5.\n</think>\n\n{ANSWER}", "never"),
    "the thought ended, and stopped there": ("So 5.\n</think>", f"</think>\n\n{ANSWER}"),
    "knows no stop": (f"So 5.\n\nHmm, well.\n\n</think>\n\n{ANSWER}", "never"),
    "knows no stop, no end": ("So 5.\n\nHmm, well.", f"</think>\n\n{ANSWER}"),
    "reasoning apart": (reply(None, "So 5."), f"</think>\n\n{ANSWER}"),
    "reasoning apart, all of it": (reply(ANSWER, "So 5."), "never"),
}


@each_of(FIRST_AND_THEN)
def test_wherever_a_server_puts_what_follows_the_trace_is_whole(name: str) -> None:
    first, then = FIRST_AND_THEN[name]
    _, output = searched(lambda message, sample: then if sample % 2 else first, points=1)
    [new] = revised(output)
    more = "\n\nHmm, well." if name == "knows no stop" else ""
    assert new.turns[-1] == Turn("assistant", ANSWER, f"{PARTS[0]}So 5.{more}")


def test_a_thought_that_ends_right_at_the_switch_is_answered() -> None:
    """Of what followed nothing is left: the answer alone is asked for."""
    bench, output = searched(lambda message, sample: ANSWER if sample % 2 else "\n</think>", points=1)
    assert bench.client.asked[-1][0] == begin(1).rstrip() + "\n</think>\n\n"
    assert revised(output)[0].turns[-1] == Turn("assistant", ANSWER, PARTS[0].rstrip())


def test_a_blank_line_that_a_template_has_eaten_costs_one_more_request() -> None:
    """Then the model begins with it, and would be stopped there."""

    def says(message: str, sample: int) -> str:
        stopped = "stop" in bench_of[0].client.askings[-1].sampling
        return f"</think>\n\n{ANSWER}" if sample % 2 else "" if stopped else "\n\nSo 5.\n\nHmm, and so on."

    bench_of = [Bench(Path("nowhere"), Instantly())]
    output = bench_of[0].run(
        "retro", says=says, problems=[OF], attempts=[thought()], prompt="think/paragraphs", points=1
    )
    assert revised(output)[0].turns[-1].reasoning == f"{PARTS[0]}So 5."
    assert ["bad_words" in each.sampling for each in bench_of[0].client.askings] == [True, True, False]


LOST = {
    "switches at once": ("Wait, no.", END),
    "within the step": ("So 5. But is it?", END),
    "nothing was said": ("", END),
    "cut or refused": (reply("So", finish="length"), END),
    "cut later": ("So 5.", reply("Well", finish="length")),
    "refused": ({"refused": "no"}, END),
    "no answer": ("So 5.", "</think>"),
    "never ends": ("So 5.", ANSWER),
    "not right": ("So 7.", "</think>\n\n\\boxed{7}"),
    "thinks anew behind the end": ("\n</think>", f"<think>\nIt is 5.\n</think>\n\n{ANSWER}"),
    "begins anew": ("<think>\nSo 5.", f"</think>\n\n{ANSWER}"),
}
REASONS = {"within the step": "switches at once", "cut later": "cut or refused", "refused": "cut or refused"}
REASONS["never ends"] = "no answer"
REASONS["thinks anew behind the end"] = "a tag of the thinking stands in the answer"
REASONS["begins anew"] = "a tag of the thinking stands inside it"


@each_of(LOST)
def test_what_is_lost_is_counted_with_its_reason_and_never_used(name: str) -> None:
    """A switch in the first step is one: that endpoint knows of no ban."""
    first, then = LOST[name]
    _, output = searched(lambda message, sample: then if sample % 2 else first)
    said, context, evidence = told(output)
    assert context["lost"] == {REASONS.get(name, name): 3}
    assert (revised(output), said.status, said.score) == ([], "fail", 0.0)
    assert evidence["reason"] == "no better way was found"


@each_of(
    [
        {"n": 0},
        {"points": -1},
        {"gamma": 1.0},
        {"gamma": 0},
        {"begin_within": 1.1},
        {"words": []},
        {"forbid": [" "]},
    ]
)
def test_what_cannot_be_searched_with_is_refused(wrong: dict[str, Any]) -> None:
    good = {"n": 1, "points": 0, "gamma": 0.9, "begin_within": 0.0, "words": SWITCH_WORDS, "forbid": []}
    check_retro(good)
    with pytest.raises(ValueError, match="should"):
        check_retro({**good, **wrong})
