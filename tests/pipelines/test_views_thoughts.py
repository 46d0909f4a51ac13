"""Views of long thoughts: what of them is learnt, and which pairs there are."""

from __future__ import annotations

from collections import Counter

from pipelines.records import Attempt, Fact
from tests.pipelines.test_views_laws import rows_in, rows_of, thought_on, told


def test_what_was_wrong_before_it_was_corrected_is_not_learnt_and_the_cue_is() -> None:
    rows = {row["class"]: row for row in rows_of(thought_on(0), "continued")}
    assert rows.keys() == {"O", "OO", "XO"}
    assert [rows[name]["begun"] for name in ("O", "OO")] == [0, 0]
    text, begun = rows["XO"]["messages"][-1]["content"], rows["XO"]["begun"]
    assert text[:begun] == "<think>\nI see A."
    assert text[begun:].startswith(" Wait, I look again")
    assert text.endswith("\n</think>\n\nB")


def test_only_what_was_picked_is_learnt_and_pairs_are_of_all() -> None:
    facts: list[Fact] = thought_on(0)
    picked = [each for each in facts if isinstance(each, Attempt) and each.sample in (0, 4)]
    others = [each for each in facts if isinstance(each, Attempt) and each not in picked]
    facts += [told(each, "thought_picks@1") for each in picked]
    facts += [told(each, "thought_picks@1", "fail") for each in others]
    rows = rows_in(facts, "continued", "thought_preference")
    assert {row["attempt_id"] for row in rows["continued"]} == {each.id for each in picked}
    assert rows["thought_preference"] == rows_of(thought_on(0), "thought_preference")


def test_every_kind_of_pair_is_there_once_for_each_problem() -> None:
    rows = rows_of([*thought_on(0), *thought_on(1)], "thought_preference")
    assert Counter(row["how"] for row in rows) == dict.fromkeys(("O>OX", "XO>XX", "XO>X", "O>X", "O>XX", "O>OO"), 2)
    for row in rows:
        better, worse = (row[side][0]["content"] for side in ("chosen", "rejected"))
        assert better.endswith("B")
        assert worse.endswith("B" if row["how"] == "O>OO" else "A")
        assert [said["content"] for said in row["prompt"]] == [f"{row['question']}\n\nBox it."]


def test_a_short_thought_is_preferred_to_a_much_longer_one_only() -> None:
    """As the margin tells, which is the share that is saved; right over wrong has 1."""
    rows = {row["how"]: row for row in rows_of(thought_on(0), "thought_preference")}
    assert rows["O>X"]["margin"] == 1
    short, long = (rows["O>OO"][side][0]["content"] for side in ("chosen", "rejected"))
    assert rows["O>OO"]["margin"] == 1 - len(short) / len(long) > 1 - 1 / 1.5
    facts = thought_on(0)
    place = next(at for at, each in enumerate(facts) if isinstance(each, Attempt) and each.sample == 2)
    longer = facts[place]
    assert isinstance(longer, Attempt)
    near = longer.turns[-1]._replace(reasoning="I see B. Wait, B.")
    facts[place] = longer._replace(turns=(*longer.turns[:-1], near))
    assert "O>OO" not in {row["how"] for row in rows_of(facts, "thought_preference")}
