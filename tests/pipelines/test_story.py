"""The story of a draw holds all of its facts, each once, says why, and agrees with what the version holds."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pytest
import tomli_w

from flows import make
from pipelines.records import Facts, problem, verdict
from pipelines.release import read_version
from pipelines.store import connect
from pipelines.story.exported import curriculum_stage
from pipelines.story.find_draw import find_draw
from pipelines.story.story import (
    Story,
    Tried,
    all_posed,
    best,
    is_accepted,
    numbered,
    story,
    story_of,
    story_of_facts,
    what_it_asks,
)
from tests.each import each_of
from tests.small import Site, attempts, problems, verdicts
from tests.versions import SEED, candidate, closed, said, together, told, write_version

NEW, COPY, HARD = candidate(0), candidate(1, similarity=0.9), candidate(2, given=("5", "5"))


@pytest.fixture(scope="module")
def version(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_version(tmp_path_factory.mktemp("sums") / "v1", together(NEW, COPY, HARD))


def all_told(found: Story) -> list[Any]:
    tries = [tried for posed in all_posed(found.problems) for tried in posed.attempts]
    about = [*all_posed(found.problems), *tries]
    return [*(each for one in about for each in one.verdicts), *found.others]


# What is in it


def test_a_story_holds_every_fact_of_its_draw_once_and_the_views_what_it_says(site: Site):
    made = site.embedded("target.candidates=6", 'views=["sft", "rl"]')
    rows = read_version(made.folder)["rows"]
    with connect([made.folder / "facts"]) as connection:
        stories = [story(connection, draw, views=list(rows)) for draw in range(6)]
    for found in stories:
        posed = [each.problem for each in all_posed(found.problems)]
        assert posed == [each for each in problems(made) if each.draw == found.draw]
        assert tuple(seed.id for seed in found.seeds) == posed[0].parents
        tried = [each.attempt for each in numbered(found).values()]
        assert Counter(tried) == Counter(each for each in attempts(made) if each.draw == found.draw)
        assert {each.verdict for each in all_told(found)} == {
            each for each in verdicts(made) if each.draw == found.draw
        }
    outcomes = Counter(found.outcome for found in stories)
    assert outcomes == {"accepted": made.ledger["accepted"], **made.ledger["not_accepted"]}
    assert sum((Counter(found.exported) for found in stories), Counter()) == rows
    with pa.ipc.open_stream(made.folder / "sft" / "data-00000.arrow") as reader:
        trained = set(reader.read_all().column("attempt_id").to_pylist())
    assert {each.attempt.id for found in stories for each in numbered(found).values() if each.exported} == trained


def test_what_was_left_out_says_by_which_verdict(version: Path):
    found = story_of(version, "draw:1").story
    assert (found.outcome, found.reason) == ("novelty", "too much like an earlier question")
    [decisive] = [each for each in all_told(found) if each.is_decisive]
    assert decisive.verdict == found.decisive == COPY.verdicts[1]
    assert decisive.evidence == {"nearest": SEED.question}
    assert decisive.context == {"at_most": 0.7}
    assert found.exported == {}


def test_what_was_accepted_has_no_decisive_verdict(version: Path):
    found = story_of(version, "draw:0").story
    assert is_accepted(found)
    assert found.decisive is None
    assert not any(each.is_decisive for each in all_told(found))
    assert found.exported == {"sft": 1, "rl": 1}
    assert found.subjects == (NEW.problems[1].id,)


def test_an_attempt_says_its_answer_whether_it_is_right_and_where_it_went(version: Path):
    posing, right, wrong = numbered(story_of(version, "0").story).values()
    assert (posing.right, posing.exported) == (None, [])
    assert (right.answer, right.right, right.exported) == ("4", "pass", ["sft"])
    assert (wrong.answer, wrong.right, wrong.exported) == ("5", "fail", [])


def test_seeds_plan_and_exact_prompt_are_told(version: Path):
    found = story_of(version, "0").story
    assert found.seeds == [SEED]
    task, posed = found.problems
    assert posed.plan == "Add."
    [posing] = task.attempts
    assert [turn.content for turn in posing.attempt.turns[:-1]] == [f"Seed question:\n{SEED.question}"]


TASK = problem(parents=[], stage="bring@1", draw=0, kind="task", question="2 + 2?", answer="4", verifier="math")
FIRST, SECOND = said(TASK, r"\boxed{4}"), said(TASK, r"\boxed{5}", sample=1)


def judged(*parents: str) -> Any:
    return problem(parents=parents, stage="judge@1", draw=0, kind="judge", question=TASK.question)


def test_tasks_of_judging_stand_under_what_they_judge():
    of_task, of_pair = judged(TASK.id), judged(SECOND.id, FIRST.id)
    votes = [said(each, "<verdict>yes</verdict>", stage="judge@1") for each in (of_task, of_pair)]
    said_of_both = verdict(
        subjects=[FIRST.id, SECOND.id], stage="judge@1", draw=0, rule="preferred@1", status="pass", value=FIRST.id
    )
    found = story_of_facts(Facts([TASK, of_task, of_pair], [FIRST, SECOND, *votes], [said_of_both]), 0)
    [posed] = found.problems
    assert [each.problem for each in posed.judged] == [of_task]
    first, second = posed.attempts
    assert (first.judged, [each.problem for each in second.judged]) == ([], [of_pair])
    assert [each.verdict for each in first.verdicts] == [each.verdict for each in second.verdicts] == [said_of_both]
    assert [each.attempt for each in numbered(found).values()] == [FIRST, SECOND, votes[1], votes[0]]


def test_what_nothing_has_decided_yet_is_open():
    found = story_of_facts(Facts([TASK], [FIRST], [told(FIRST, "answer_matches@2")]), 0)
    assert (found.outcome, found.decisive, found.subjects) == ("open", None, ())


def test_a_verdict_about_another_draw_is_not_lost():
    stranger = verdict(subjects=["ff" * 16], stage="judge@1", draw=0, rule="preferred@1", status="unsure")
    assert [each.verdict for each in story_of_facts(Facts([TASK], [], [stranger]), 0).others] == [stranger]


def test_marks_of_a_person_are_told_with_the_rest(version: Path):
    mark = told(NEW.attempts[1], "person@1", "unsure", evidence={"reason": "too short"})
    with connect([version / "facts"]) as connection:
        tried = numbered(story(connection, 0, views=[], marks=[mark]))[2]
    assert (tried.verdicts[-1].verdict, tried.verdicts[-1].reason) == (mark, "too short")


@each_of(
    [
        ([], None),
        ([("answer_matches@2", "pass")], "pass"),
        ([("answer_matches@2", "fail"), ("label@1", "pass")], "pass"),
        ([("answer_matches@2", "pass"), ("option_consistency@1", "fail")], "fail"),
        ([("answer_matches@2", "fail"), ("option_consistency@1", "pass")], "fail"),
        ([("given@1", "fail")], "fail"),
        ([("given@1", "fail"), ("answer_matches@2", "pass")], "pass"),
        ([("reward@1", "pass")], None),
    ]
)
def test_the_last_word_on_right_is_the_one_that_views_go_by(verdicts: list[tuple[str, Any]], right: str | None):
    facts = Facts([TASK], [FIRST], [told(FIRST, rule, status) for rule, status in verdicts])
    assert numbered(story_of_facts(facts, 0))[1].right == right


def test_the_attempt_to_look_at_is_right_whole_and_of_the_highest_reward():
    cut = said(TASK, "on and on", sample=2, finish="length")
    rated = [told(each, "reward@1", score=score) for each, score in ((FIRST, 0.1), (SECOND, 0.9))]

    def first(*verdicts: Any) -> Tried | None:
        [posed] = story_of_facts(Facts([TASK], [cut, FIRST, SECOND], [*verdicts]), 0).problems
        return best(posed.attempts)

    assert [each and each.attempt for each in (first(), first(*rated))] == [FIRST, SECOND]
    right = told(FIRST, "answer_matches@2")
    assert [each and each.attempt for each in [first(*rated, right)]] == [FIRST]
    assert best([]) is None


def test_a_rule_says_what_it_asks_and_a_stage_says_nothing():
    assert what_it_asks("answer_matches@2").startswith("Pass each attempt")
    assert what_it_asks("posed@1") == ""


# Where it went


@pytest.mark.slow
def test_the_random_arm_and_the_stage_of_a_curriculum_are_told(data: Path, tmp_path: Path):
    rows = [{"question": f"What is {n} + 1?", "answer": str(n + 1), "responses": [str(n)]} for n in range(6)]
    (tmp_path / "rows.jsonl").write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    stages = [{"use": "bring", "rows": "rows.jsonl"}, {"use": "select", "rules": [{"rule": "random_k", "k": 3}]}]
    value = {
        "name": "chosen",
        "stages": stages,
        "curriculum": {"stages": [{"name": "easy", "max_response_tokens": 9}]},
    }
    (tmp_path / "chosen.toml").write_bytes(tomli_w.dumps(value).encode())
    made = asyncio.run(make.make(str(tmp_path / "chosen.toml")))
    rows = read_version(made.folder)["rows"]
    found = [story_of(made.folder, f"draw:{draw}") for draw in range(6)]
    assert sum((Counter(each.story.exported) for each in found), Counter()) == rows
    assert {(is_accepted(each.story), each.stage) for each in found} == {(True, "easy"), (False, None)}
    assert curriculum_stage(made.folder, []) is None


# Which draw


def test_a_row_is_named_by_its_number_by_its_draw_or_by_the_beginning_of_any_id(version: Path):
    with connect([version / "facts"]) as connection:
        assert find_draw(connection, "0") == 0
        assert find_draw(connection, "draw:2") == 2
        for draw, facts in enumerate((NEW, COPY, HARD)):
            for fact in (fact for kind in facts for fact in kind):
                assert find_draw(connection, fact.id) == find_draw(connection, fact.id[:12]) == draw


def test_rows_are_counted_among_the_accepted(tmp_path: Path):
    folder = write_version(tmp_path / "v1", together(candidate(0, similarity=0.9), candidate(1), candidate(2)))
    with connect([folder / "facts"]) as connection:
        assert [find_draw(connection, row) for row in ("0", "1")] == [1, 2]


def test_a_seed_of_one_draw_is_that_draw_and_of_several_names_them(tmp_path: Path, version: Path):
    alone = write_version(tmp_path / "alone", together(NEW))
    with connect([alone / "facts"]) as connection:
        assert find_draw(connection, SEED.id) == 0
    with connect([version / "facts"]) as connection, pytest.raises(ValueError, match="say which: draw:0, draw:1"):
        find_draw(connection, SEED.id[:10])


def test_the_beginning_of_several_ids_names_them(tmp_path: Path):
    twins = [NEW.problems[1]._replace(id=f"{'ab' * 6}{n:020x}", draw=n) for n in range(2)]
    closing = [closed(each) for each in twins]
    folder = write_version(tmp_path / "v1", Facts(twins, [], closing))
    with connect([folder / "facts"]) as connection:
        with pytest.raises(ValueError, match=f"{twins[0].id} .problem., {twins[1].id} .problem."):
            find_draw(connection, "ab" * 6)
        assert find_draw(connection, twins[1].id) == 1


MISSING = {
    "1": "there is no row 1: rows 0 to 0 are accepted, and draw:0 to draw:2 show every candidate",
    "99999999999999": "'99999999999999' is no row|no fact's id begins with 99999999999999",
    "draw:9": "there is no draw 9; rows 0 to 0 are accepted",
    "deadbeef00": "no fact's id begins with deadbeef00; rows",
    "abc": "'abc' is no row; say its number among the accepted, draw:N, or at least 8 digits",
    "-1": "'-1' is no row",
    "": "'' is no row",
    "\u0665": "is no row",
    "'; drop table verdicts; --": "is no row",
}


def test_a_row_that_is_not_there_is_answered_with_those_that_are(version: Path):
    with connect([version / "facts"]) as connection:
        for row, answer in MISSING.items():
            with pytest.raises(ValueError, match=answer) as failed:
                find_draw(connection, row)
            assert "\n" not in str(failed.value)


def test_where_nothing_was_accepted_the_draws_are_still_told(tmp_path: Path):
    folder = write_version(tmp_path / "v1", together(COPY))
    with pytest.raises(ValueError, match="no row 0: no row was accepted, and draw:0 to draw:1 show"):
        story_of(folder, "0")
    assert story_of(folder, "draw:1").story.outcome == "novelty"


def test_of_facts_that_nothing_has_decided_it_is_said(tmp_path: Path):
    folder = write_version(tmp_path / "v1", Facts([TASK], [FIRST], []))
    with connect([folder / "facts"]) as connection:
        with pytest.raises(ValueError, match="nothing has been decided here yet"):
            story(connection, 7)
        assert story(connection, 0).outcome == "open"
