"""Views of long thoughts: what of them is learnt, and which pairs there are."""

from __future__ import annotations

from collections import Counter
from functools import cache

from pipelines.records import Attempt, Fact
from tests.pipelines.test_views_laws import Row, rows_in, texts_in, thought_on, told

KINDS = ("O>OX", "XO>XX", "XO>X", "O>X", "O>XX", "O>OO")


def near(draw: int) -> list[Fact]:
    """The same, but that the right thought which goes on says hardly more than the one before."""
    facts = thought_on(draw)
    place = next(at for at, each in enumerate(facts) if isinstance(each, Attempt) and each.sample == 2)
    longer = facts[place]
    assert isinstance(longer, Attempt)
    turn = longer.turns[-1]._replace(reasoning="I see B. Wait, B.")
    return [*facts[:place], longer._replace(turns=(*longer.turns[:-1], turn)), *facts[place + 1 :]]


def picked(draw: int) -> list[Fact]:
    """The same, of which the first thought is picked and the one that corrected itself."""
    attempts = [each for each in thought_on(draw) if isinstance(each, Attempt)]
    picks = [told(each, "thought_picks@1", "pass" if each.sample in (0, 4) else "fail") for each in attempts]
    return [*thought_on(draw), *picks]


@cache
def rows(view: str, draw: int) -> list[Row]:
    return [row for row in _all()[view] if row["question"] == f"Which is it? ({draw})"]


@cache
def _all() -> dict[str, list[Row]]:
    return rows_in([*thought_on(0), *near(1), *picked(2)])


def test_what_was_wrong_before_it_was_corrected_is_not_learnt_and_the_cue_is() -> None:
    by_class = {row["class"]: row for row in rows("continued", 0)}
    assert by_class.keys() == {"O", "OO", "XO"}
    assert [by_class[name]["begun"] for name in ("O", "OO")] == [0, 0]
    text, begun = by_class["XO"]["messages"][-1]["content"], by_class["XO"]["begun"]
    assert text[:begun] == "<think>\nI see A."
    assert text[begun:].startswith(" Wait, I look again")
    assert text.endswith("\n</think>\n\nB")


def test_what_begins_with_a_wrong_thought_is_whole_in_no_view_but_those_that_mean_it() -> None:
    """Taking `sft` or any other view for `continued` by mistake teaches no wrong beginning."""
    [corrected] = [row["attempt_id"] for row in rows("continued", 0) if row["class"] == "XO"]
    shown = {name for name, each in _all().items() if corrected in texts_in(each)}
    assert shown == {"continued", "thought_preference"}
    kept = {row["attempt_id"] for row in rows("continued", 0)} - {corrected}
    assert {row["attempt_id"] for row in rows("sft", 0)} == kept


def test_only_what_was_picked_is_learnt_and_pairs_are_of_all() -> None:
    assert [row["class"] for row in rows("continued", 2)] == ["O", "XO"]
    assert {row["how"] for row in rows("thought_preference", 2)} == set(KINDS)


def test_every_kind_of_pair_is_there_once_for_each_problem() -> None:
    pairs = [*rows("thought_preference", 0), *rows("thought_preference", 2)]
    assert Counter(row["how"] for row in pairs) == dict.fromkeys(KINDS, 2)
    for row in pairs:
        better, worse = (row[side][0]["content"] for side in ("chosen", "rejected"))
        assert better.endswith("B")
        assert worse.endswith("B" if row["how"] == "O>OO" else "A")
        assert [said["content"] for said in row["prompt"]] == [f"{row['question']}\n\nBox it."]


def test_a_short_thought_is_preferred_to_a_much_longer_one_only() -> None:
    """As the margin tells, which is the share that is saved; right over wrong has 1."""
    by_kind = {row["how"]: row for row in rows("thought_preference", 0)}
    assert by_kind["O>X"]["margin"] == 1
    short, long = (by_kind["O>OO"][side][0]["content"] for side in ("chosen", "rejected"))
    assert by_kind["O>OO"]["margin"] == 1 - len(short) / len(long) > 1 - 1 / 1.5
    assert {row["how"] for row in rows("thought_preference", 1)} == set(KINDS) - {"O>OO"}
