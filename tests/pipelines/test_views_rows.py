"""Each view by itself: which rows it has, and that they say what they mean."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.records import Attempt, Fact, Status, Turn, to_json, verdict
from pipelines.views import preference
from tests.pipelines.test_views_laws import (
    CALL,
    Row,
    accepted,
    asked,
    checked,
    posed,
    rows_in,
    rows_of,
    told,
    tried,
)

OF = asked(0, "What is 6 times 7?", answer="42", verifier="math")


def world(*facts: Fact | list[Fact]) -> list[Fact]:
    """An accepted problem, and these."""
    flat = [fact for each in facts for fact in (each if isinstance(each, list) else [each])]
    return [OF, accepted(OF), *flat]


def ids(rows: list[Row], column: str = "attempt_id") -> list[str]:
    return [row[column] for row in rows]


def said(messages: list[Row]) -> str:
    return messages[-1]["content"]


# --- The books of all of them ---------------------------------------------------------------------------------

ENDS = st.sampled_from(["stop", "stop", "stop", "length", "refused", "tool_calls"])
STATUSES = st.sampled_from(["pass", "pass", "fail", "fail", "unsure", "error"])
KIND_OF_ATTEMPT = st.tuples(ENDS, STATUSES, st.sampled_from([True, True, True, False]), st.integers(0, 3))


@settings(max_examples=5, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.lists(KIND_OF_ATTEMPT, max_size=9)), min_size=3, max_size=9))
def test_the_books_balance(kinds: list[tuple[bool, list[tuple[Any, Status, bool, int]]]]):
    """Every right, finished and fit attempt is in `sft` once; `offline` has these and the wrong ones, no other.

    Of the wrong texts as many are in `preference` as there may be of a problem, if there is another that is right.
    """
    facts: list[Fact] = []
    good: dict[str, list[Attempt]] = {"pass": [], "fail": [], "unsure": [], "error": []}
    for draw, (is_accepted, attempts) in enumerate(kinds):
        of = asked(draw, f"What is {draw} times 7?", answer=str(draw * 7), verifier="math")
        facts += [of, told(of, "accepted@1", "pass" if is_accepted else "fail")]
        for sample, (finish, status, fit, text) in enumerate(attempts):
            each = tried(of, f"So {text}.", sample, finish=finish)
            facts += [*checked(each, status), *([] if fit else [told(each, "boundary@1", "fail")])]
            if is_accepted and finish == "stop" and fit:
                good[status].append(each)
    rows = rows_in(facts, "sft", "offline", "preference")
    right, wrong = [each.id for each in good["pass"]], [each.id for each in good["fail"]]
    assert sorted(ids(rows["sft"])) == sorted(right)
    assert sorted(ids(rows["offline"])) == sorted(right + wrong)
    assert sorted(row["attempt_id"] for row in rows["offline"] if row["label"]) == sorted(right)
    assert set(ids(rows["preference"], "chosen_id")) <= set(right)
    assert set(ids(rows["preference"], "rejected_id")) <= set(wrong)
    expected = Counter[str]()
    for bad in {(each.problem, each.text) for each in good["fail"]}:
        expected[bad[0]] += any(each.problem == bad[0] and each.text != bad[1] for each in good["pass"])
    assert Counter(ids(rows["preference"], "problem_id")) == {
        of: min(preference.PAIRS, count) for of, count in expected.items() if count
    }
    assert all(said(row["chosen"]) != said(row["rejected"]) for row in rows["preference"])


# --- What is right --------------------------------------------------------------------------------------------

# What was given with the data, said by the verifier, by the final label, after options moved; in which views it is.
LABELS: list[tuple[Status | None, Status | None, Status | None, Status | None, set[str]]] = [
    ("pass", None, None, None, {"sft", "right"}),
    ("fail", None, None, None, {"wrong"}),
    ("fail", "pass", None, None, {"sft", "right"}),
    (None, "fail", "pass", None, {"sft", "right"}),
    (None, "fail", "unsure", None, set()),
    (None, "pass", None, "fail", set()),  # right by chance: neither to be imitated nor wrong
    (None, "pass", None, "unsure", set()),
    (None, "fail", None, "pass", {"wrong"}),
    (None, "unsure", None, None, set()),
    (None, "error", None, None, set()),
    (None, None, None, None, {"sft"}),
    (None, None, None, "pass", {"sft"}),
    (None, None, None, "fail", set()),
]


def test_the_last_word_counts_and_what_was_given_where_nothing_else_was_said():
    rules = ("given@1", "answer_matches@2", "label@1", "option_consistency@1")
    problems = [asked(draw, f"{draw}?", answer="42", verifier="math") for draw in range(len(LABELS))]
    facts: list[Fact] = []
    for of, (*statuses, _) in zip(problems, LABELS, strict=True):
        at = tried(of, "So 42.")
        verdicts = [told(at, rule, status) for rule, status in zip(rules, statuses, strict=True) if status]
        facts += [of, accepted(of), at, *verdicts]
    rows = rows_in(facts, "sft", "offline")
    found = {of.id: set[str]() for of in problems}
    for row in rows["sft"]:
        found[row["problem_id"]].add("sft")
    for row in rows["offline"]:
        found[row["problem_id"]].add("right" if row["label"] else "wrong")
    assert list(found.values()) == [wanted for *_, wanted in LABELS]


def test_where_answers_are_rated_the_best_is_imitated_and_of_equals_the_first():
    attempts = [tried(OF, f"Song {sample}.", sample) for sample in range(4, -1, -1)]
    rewards = [told(each, "reward@1", score=min(each.sample, 2)) for each in attempts]
    [row] = rows_of(world(*attempts, *rewards), "sft")
    assert (row["sample"], row["reward"]) == (2, 2.0)


def test_where_there_is_no_reference_nothing_was_checked_and_the_best_is_imitated():
    """Though a rule was asked that could only say that it cannot tell."""
    of = asked(0, "Write a song.")
    attempts = [tried(of, f"Song {sample}.", sample) for sample in range(3)]
    undecided = [told(each, "answer_matches@2", "unsure") for each in attempts]
    rewards = [told(each, "reward@1", score=each.sample) for each in attempts]
    rows = rows_in([of, accepted(of), *attempts, *undecided, *rewards], "sft", "preference")
    worst, _, best = (each.id for each in attempts)
    assert ids(rows["sft"]) == [best]
    assert [(row["chosen_id"], row["rejected_id"]) for row in rows["preference"]] == [(best, worst)]


def test_offline_has_what_a_reward_model_gave_beside_the_truth():
    right, wrong = tried(OF, "42"), tried(OF, "41", 1)
    scores = [told(right, "reward@1", score=3.0), told(wrong, "reward@1", score=7.5)]
    rows = rows_of(world(checked(right, "pass"), checked(wrong, "fail"), *scores), "offline")
    assert [(row["label"], row["reward"], row["score"]) for row in rows] == [(True, 1.0, 3.0), (False, 0.0, 7.5)]
    assert [row["completion"] for row in rows] == [[{"role": "assistant", "content": text}] for text in ("42", "41")]


# --- Thinking -------------------------------------------------------------------------------------------------

THOUGHTS = {
    "kept apart": ("Six sevens.", "\\boxed{42}"),
    "in tags": (None, "<think>\nSix sevens.\n</think>\n\n\\boxed{42}"),
    "in tags that a template opened": (None, "Six sevens.\n</think>\n\\boxed{42}"),
}


def test_twins_share_everything_but_the_thinking():
    for thought, text in THOUGHTS.values():
        on, off = rows_of(world(checked(tried(OF, text, thought=thought), "pass")), "twins")
        assert (on["thinking"], off["thinking"]) == (True, False)
        assert [row["chat_template_kwargs"] for row in (on, off)] == [{"enable_thinking": on} for on in (True, False)]
        assert said(on["messages"]) == "<think>\nSix sevens.\n</think>\n\n" + said(off["messages"])
        assert said(off["messages"]) == "\\boxed{42}"
        apart = ("messages", "thinking", "chat_template_kwargs")
        assert on["messages"][:-1] == off["messages"][:-1]
        assert {k: on[k] for k in on if k not in apart} == {k: off[k] for k in off if k not in apart}


def test_there_are_no_twins_of_what_was_not_thought_about_or_not_said():
    attempts = [
        tried(OF, "42"),
        tried(OF, "42", 1, thought=""),
        tried(OF, None, 2, thought="Hm."),
        tried(OF, " \n", 3, thought="Hm."),
    ]
    assert rows_of(world(*(checked(each, "pass") for each in attempts)), "twins") == []


def test_a_posing_is_plan_then_thinking_then_the_rest():
    facts, of = posed(0, "What is 2 plus 5?")
    thinking = facts[1]
    assert isinstance(thinking, Attempt)
    turns = (*thinking.turns[:-1], thinking.turns[-1]._replace(reasoning="They are sums."))
    facts[1] = thinking._replace(turns=turns)
    [row] = rows_of([*facts, accepted(of)], "planned")
    assert row["task"] == "pose"
    assert said(row["messages"]) == (
        "<plan>\nAdd first.\n</plan>\n\n<think>\nThey are sums.\n</think>\n\n"
        "<question>\nWhat is 2 plus 5?\n</question>\n<answer>\n14\n</answer>"
    )
    assert row["messages"][0]["content"] == "Pose one like:\nSeed question 1:\nSeed 0?"


def test_a_posing_that_was_shown_something_private_is_left_out():
    facts, of = posed(0, "What is 2 plus 5?")
    said_so = [
        fact._replace(details='{"private":["answers"]}') if isinstance(fact, Attempt) else fact for fact in facts
    ]
    assert len(rows_of([*facts, accepted(of)], "planned")) == 1
    assert rows_of([*said_so, accepted(of)], "planned") == []


def test_a_solution_with_a_plan_begins_with_it():
    at = tried(OF, "42", thought="Six sevens.", details={"plan": "Multiply."})
    [row] = rows_of(world(checked(at, "pass")), "planned")
    assert row["task"] == "solve"
    assert said(row["messages"]) == "<plan>\nMultiply.\n</plan>\n\n<think>\nSix sevens.\n</think>\n\n42"


# --- Turns ----------------------------------------------------------------------------------------------------

CALLED = [
    Turn("system", "Be brief."),
    Turn("user", "6 * 7?"),
    Turn("assistant", None, "I ask.", CALL),
    Turn("tool", "42"),
]


def test_turns_keep_everything_that_was_said_and_tell_what_to_learn():
    [row] = rows_of(world(checked(tried(OF, "It is 42.", before=CALLED), "pass")), "turns")
    assert [message["role"] for message in row["messages"]] == ["system", "user", "assistant", "tool", "assistant"]
    assert row["train"] == [False, False, True, False, True]
    assert [message["tool_calls"] for message in row["messages"]] == [None, None, CALL, None, None]
    assert [message["content"] for message in row["messages"][2:]] == [
        "<think>\nI ask.\n</think>\n\n",
        "42",
        "It is 42.",
    ]


def test_a_single_answer_is_no_conversation_and_tool_calls_go_only_where_they_can_be_kept():
    single, acting = (
        checked(tried(OF, "42"), "pass"),
        checked(tried(OF, "42", 1, thought="So.", before=CALLED), "pass"),
    )
    wrong = checked(tried(OF, "It is 41.", 2, before=CALLED), "fail")
    rows = rows_in(world(single, acting, wrong), "turns", "twins", "offline", "preference", "step_preference")
    assert {name: len(there) for name, there in rows.items()} == {
        "turns": 1,
        "twins": 0,
        "offline": 1,
        "preference": 0,
        "step_preference": 0,
    }


# --- Preference -----------------------------------------------------------------------------------------------


def pairs(rows: list[Row]) -> list[tuple[str, str]]:
    return [(said(row["chosen"]), said(row["rejected"])) for row in rows]


def test_a_wrong_answer_goes_with_the_right_one_nearest_in_length():
    right = [checked(tried(OF, "r" * size, sample), "pass") for sample, size in enumerate([10, 50, 90])]
    wrong = [checked(tried(OF, "w" * size, 5 + sample), "fail") for sample, size in enumerate([88, 12, 45])]
    found = pairs(rows_of(world(*right, *wrong), "preference"))
    assert [(len(chosen), len(rejected)) for chosen, rejected in found] == [(90, 88), (10, 12), (50, 45)]


def test_no_problem_gives_more_pairs_than_its_share_and_no_answer_is_rejected_twice():
    right = [checked(tried(OF, "right", 0), "pass")]
    wrong = [checked(tried(OF, "w" * (1 + sample // 2), 1 + sample), "fail") for sample in range(20)]
    rows = rows_of(world(*right, *wrong), "preference")
    assert len(rows) == preference.PAIRS
    assert len({said(row["rejected"]) for row in rows}) == preference.PAIRS


def test_both_of_a_pair_were_asked_the_same():
    other = [Turn("user", f"Think hard: {OF.question}")]
    alone = world(checked(tried(OF, "42"), "pass"), checked(tried(OF, "41", 1, before=other), "fail"))
    assert rows_of(alone, "preference") == []
    [row] = rows_of([*alone, *checked(tried(OF, "So 42", 2, before=other), "pass")], "preference")
    assert row["prompt"] == [{"role": "user", "content": other[0].content}]


def test_the_same_text_is_never_chosen_and_rejected():
    """Though one was called right on appeal and the other was not."""
    assert rows_of(world(checked(tried(OF, "42"), "pass"), checked(tried(OF, "42", 1), "fail")), "preference") == []


def test_what_says_nothing_is_neither_chosen_nor_rejected_but_stays_among_all_answers():
    silent = checked(tried(OF, " \n", 1, thought="Hm."), "fail")
    rows = rows_in(world(checked(tried(OF, "42"), "pass"), silent), "preference", "offline")
    assert [len(rows[name]) for name in ("preference", "offline")] == [0, 2]


def test_where_nothing_was_checked_the_best_by_reward_goes_with_the_worst():
    def rated(*scores: tuple[str, float]) -> list[Row]:
        attempts = [tried(OF, text, sample) for sample, (text, _) in enumerate(scores)]
        rewards = [told(at, "reward@1", score=score) for at, (_, score) in zip(attempts, scores, strict=True)]
        return rows_of(world(list[Fact](attempts), list[Fact](rewards)), "preference")

    [row] = rated(("fair", 5), ("poor", 2), ("good", 9), ("good", 8))
    assert pairs([row]) == [("good", "poor")]
    assert (row["how"], row["margin"]) == ("reward", 6.5)  # what is said twice is worth the mean
    assert rated(("one", 5), ("other", 5)) == []
    assert rated(("same", 5), ("same", 6)) == []


def test_rewards_do_not_pair_what_a_verifier_has_looked_at():
    attempts = [tried(OF, text, sample) for sample, text in enumerate(["42", "So 42", "perhaps 42"])]
    looked = [checked(attempts[0], "pass"), checked(attempts[1], "pass"), checked(attempts[2], "unsure")]
    rewards = [told(each, "reward@1", score=each.sample) for each in attempts]
    assert rows_of(world(*looked, *rewards), "preference") == []


def test_a_judge_decides_where_nothing_else_does():
    one, other = tried(OF, "A song."), tried(OF, "A poem.", 1)
    vote = {"stage": "prefer@1", "draw": 0, "rule": "preferred@1", "score": 0.75, "value": other.id}
    preferred = verdict(subjects=[one.id, other.id], status="pass", **vote)
    [row] = rows_of(world(one, other, preferred), "preference")
    assert (pairs([row]), row["how"], row["margin"]) == ([("A poem.", "A song.")], "judge", 0.5)
    undecided = verdict(subjects=[one.id, other.id], status="unsure", **vote)
    assert rows_of(world(one, other, undecided), "preference") == []
    assert rows_of(world(checked(one, "pass"), other, preferred), "preference") == []
    rewards = [told(each, "reward@1", score=score) for each, score in ((one, 9), (other, 3))]
    assert pairs(rows_of(world(one, other, preferred, *rewards), "preference")) == [("A song.", "A poem.")]


def test_tests_leave_without_the_program_that_passes_them():
    tests = {"asserts": ["assert twice(2) == 4"]}
    answers = [to_json({**tests, "solution": "SECRET"}), '{"asserts": ["assert f()"] }', "f"]
    facts: list[Fact] = []
    for draw, answer in enumerate(answers):
        of = asked(draw, f"Write number {draw}.", answer=answer, verifier="code")
        facts += [of, accepted(of), *checked(tried(of, "So."), "pass")]
    for view, there in rows_in(facts, "rl", "sft", "pool").items():
        assert [row["answer"] for row in there] == [to_json(tests), *answers[1:]], view
