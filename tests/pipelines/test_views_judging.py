"""Views about steps and about judges: what a judge said is read as the stages read it, and set against the truth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from filters.trace import steps, trace
from pipelines.records import Attempt, Fact, Finish, Problem, Status
from pipelines.views import step_preference
from pipelines.views.functions import judgement, shared_steps, step_ends
from tests.each import each_of
from tests.pipelines.stages.bench import Bench
from tests.pipelines.test_views_laws import (
    accepted,
    asked,
    checked,
    facts_of,
    rows_in,
    rows_of,
    told,
    tried,
    word,
)

OF = asked(0, "What is 6 times 7?", answer="42", verifier="math")
RIGHT, WRONG = tried(OF, "It is 42."), tried(OF, "It is 41.", 1)
TRUTH: list[Fact] = [OF, accepted(OF), *checked(RIGHT, "pass"), *checked(WRONG, "fail")]

# --- Steps ----------------------------------------------------------------------------------------------------

TEXTS = st.lists(
    st.sampled_from(
        ["a", "b", ". ", "!", "\n", "\n\n", " \n", "\\[", "\\]", "$$", "```", "\u2028", "\r\n", " Then", "é"]
    ),
    max_size=14,
).map("".join)


@given(TEXTS)
def test_a_step_ends_where_its_text_ends(text: str):
    ends = step_ends(text, stop=len(text))
    assert ends == sorted(set(ends))
    cut = ["".join(text[start:end].split()) for start, end in pairwise([0, *ends])]
    assert cut == ["".join(step.split()) for step in steps(text)]


@given(TEXTS, TEXTS, TEXTS)
def test_what_two_texts_share_begins_both_and_ends_with_a_step_of_both(begin: str, one: str, other: str):
    one, other = begin + one, begin + other
    shared = shared_steps(one, other)
    text, count = shared["text"], shared["steps"]
    assert one.startswith(text)
    assert other.startswith(text)
    ends, theirs = (step_ends(each, stop=len(each)) for each in (one, other))
    both = [end for end in ends if end in theirs and one[:end] == other[:end]]
    assert len(text.rstrip()) == (both[-1] if both else 0)
    assert count == (ends.index(both[-1]) + 1 if both else 0)


SHARED = {
    "the first lines": ("a\nb\nc", "a\nb\nd", "a\nb\n"),
    "no line": ("a\nb\nc", "d\nb\nc", ""),
    "a line of which one goes on": ("a\nb\nc", "a\nbb\nc", "a\n"),
    "sentences": ("I add. It is 7. So 14.", "I add. It is 8. So 16.", "I add. "),
    "other blanks": ("a\n\nb\nc\nd", "a\nb\nc\ne", "a\n"),
    "the mark of a thought alone": ("<think>\na\nb", "<think>\nc\nd", ""),
    "a thought": ("<think>\na\nb", "<think>\na\nd", "<think>\na\n"),
    "nothing": ("", "", ""),
}


@each_of(SHARED)
def test_what_is_shared(name: str):
    one, other, text = SHARED[name]
    assert shared_steps(one, other)["text"] == shared_steps(other, one)["text"] == text


Text = tuple[str, str | None, Status]


def solved(*texts: Text) -> list[Fact]:
    """Attempts at the problem, each a text, the reasoning that was kept apart, and whether it is right."""
    facts: list[Fact] = [OF, accepted(OF)]
    for sample, (text, thought, status) in enumerate(texts):
        facts += checked(tried(OF, text, sample, thought=thought), status)
    return facts


def test_step_pairs_are_whole_answers_that_part_after_the_same_steps():
    facts = solved(
        ("One.\nTwo.\nThree.\n42", None, "pass"),
        ("One.\nTwo.\nFour.\nFive.\n41", None, "fail"),
        ("One.\nTwo.\nFour.\nSix.\n42", None, "pass"),
        ("Else.\nTwo.\nFour.\n40", None, "fail"),
        ("\\boxed{42}", "One.\nTwo.\nNine.", "pass"),
        ("\\boxed{39}", "One.\nTwo.\nTen.", "fail"),
    )
    answers = {fact.id: fact.turns[-1] for fact in facts if isinstance(fact, Attempt)}
    first, second = rows_of(facts, "step_preference")
    assert (first["prefix"], first["chosen"], first["rejected"]) == (
        *("One.\nTwo.\nFour.\n", "Six.\n42", "Five.\n41"),
    )  # of two right ones that which shares the most
    assert first["prefix"] + first["chosen"] == answers[first["chosen_id"]].content
    assert first["prefix"] + first["rejected"] == answers[first["rejected_id"]].content
    assert second["prefix"] == "<think>\nOne.\nTwo.\n"
    assert (second["chosen"], second["rejected"]) == (
        *("Nine.\n</think>\n\n\\boxed{42}", "Ten.\n</think>\n\n\\boxed{39}"),
    )
    assert [row["shared"] for row in (first, second)] == [3, 2]


def test_step_pairs_of_a_problem_are_few_and_no_text_is_there_twice():
    wrong: list[Text] = [(f"One.\nTwo.\nThree.\n{50 + each // 2}", None, "fail") for each in range(20)]
    rows = rows_of(solved(("One.\nTwo.\nFour.\n42", None, "pass"), *wrong), "step_preference")
    assert len(rows) == len({row["rejected"] for row in rows}) == step_preference.PAIRS


# --- Process labels -------------------------------------------------------------------------------------------

LINES = "Six sevens.\nThat is 41.\nOr 42.\nI say 41."


# Whether the answer is right, how it ended, which step judges called the first wrong one, and the labels.
FIRST_ERRORS: list[tuple[Status, Finish, list[str], list[bool] | None]] = [
    ("fail", "stop", ["2"], [True, False, False, False]),
    ("pass", "stop", ["none"], [True] * 4),
    ("pass", "stop", ["1"], [False] * 4),  # an error all the same
    ("fail", "stop", ["2", "2"], [True, False, False, False]),
    ("fail", "stop", ["2", "3"], None),  # two judges disagree
    ("fail", "stop", ["none"], None),  # some step must be wrong
    ("fail", "stop", ["9"], None),  # there is no such step
    ("unsure", "stop", ["4"], [True, True, True, False]),
    ("unsure", "length", ["2"], None),
]


def first_errors(folder: Path, at: Attempt, of: Problem, numbers: list[str]) -> list[Fact]:
    """What judges, one after another, say is the first wrong step."""
    facts: list[Fact] = []
    for number in numbers:
        reply = f"<reason>\nSo.\n</reason>\n<step>\n{number}\n</step>"
        asked_about = {"problems": [of], "attempts": [at], "prompt": "judge/first-error"}
        facts += facts_of(Bench(folder).run("first_error", says=lambda *_, reply=reply: reply, **asked_about))
    return facts


def test_labels_are_true_up_to_the_first_error_where_it_is_known(tmp_path: Path):
    facts, wanted = list[Fact](), dict[str, list[bool]]()
    for draw, (status, finish, numbers, labels) in enumerate(FIRST_ERRORS):
        of = asked(draw, f"What is {draw} times 7?")
        at = tried(of, LINES, finish=finish)
        facts += [of, accepted(of), *checked(at, status), *first_errors(tmp_path, at, of, numbers)]
        wanted |= {at.id: labels} if labels else {}
    rows = rows_of(facts, "process")
    assert {row["attempt_id"]: row["labels"] for row in rows} == wanted
    assert [row["is_right"] for row in rows] == [False, True, True, False, None]
    for row in rows:
        assert row["labels"] == [row["first_error"] is None or number < row["first_error"] for number in range(1, 5)]
        assert len(row["steps"]) == 4


def test_labels_are_about_the_steps_that_the_judge_numbered(tmp_path: Path):
    attempts = [tried(OF, LINES), tried(OF, "\\boxed{41}", 1, thought=LINES + "\nSo."), tried(OF, "One. Two.", 2)]
    facts = [fact for at in attempts for fact in (*checked(at, "fail"), *first_errors(tmp_path, at, OF, ["2"]))]
    rows = rows_of([OF, accepted(OF), *facts], "process")
    assert [row["steps"] for row in rows] == [steps(trace(at)) for at in attempts]
    assert [len(row["steps"]) for row in rows] == [4, 5, 2]
    assert rows[0]["prompt"] == [{"role": "user", "content": attempts[0].turns[0].content}]


def test_labels_of_a_trace_that_is_now_cut_otherwise_are_left_out():
    at = tried(OF, LINES)
    for count, there in ((4, 1), (5, 0)):
        said = told(at, "first_error@1", "fail", value="2", evidence={"steps": count})
        assert len(rows_of([OF, accepted(OF), *checked(at, "fail"), said], "process")) == there


# --- Judges ---------------------------------------------------------------------------------------------------

READ = {
    word("yes"): "yes",
    word("Incorrect"): "no",
    word("B"): "B",
    word("response a"): "A",
    word("tie"): "tie",
    f"<think>\n{word('no')}\n</think>\n{word('yes')}": "yes",
    "I say yes.": "",
    word("yes") + word("no"): "",
    "": "",
}


@each_of(READ)
def test_a_judgement_is_read_as_stages_read_it(reply: str):
    assert judgement(reply) == READ[reply]


Says = Callable[[str, int], str]


def fond_of(place: str) -> Says:
    return lambda message, vote: word(place)


def honest(message: str, vote: int) -> str:
    """Knows that it is 42."""
    if "<response_a>" not in message:
        return word("yes" if "is 42" in message else "no")
    return word("A" if "is 42" in message.partition("<response_b>")[0] else "B")


def by_turns(message: str, vote: int) -> str:
    """Honest at first, then the opposite, then silent."""
    said = judgement(honest(message, 0))
    opposite = {"yes": "no", "no": "yes", "A": "B", "B": "A"}
    return ["I cannot say.", word(opposite[said]), honest(message, 0)][vote % 3]


def judges(
    folder: Path,
    says: Says,
    *,
    votes: int = 1,
    stage: str = "",
    of: Problem = OF,
    attempts: Sequence[Attempt] = (RIGHT, WRONG),
) -> list[Fact]:
    """What a judge says of the right and the wrong answer: of each alone, and of both in both orders."""
    bench, given = Bench(folder), {"says": says, "problems": [of], "attempts": attempts, "votes": votes}
    outputs = [] if stage == "prefer" else [bench.run("judge", prompt="judge/task", at_least=0.5, **given)]
    outputs += [] if stage == "judge" else [bench.run("prefer", prompt="judge/pair", pairs=9, **given)]
    return [fact for each in outputs for fact in facts_of(each)]


def test_judge_training_has_both_orders_with_the_answer_turned(tmp_path: Path):
    """Whatever the judge said: here that all is well, and that A is better."""
    rows = rows_of([*TRUTH, *judges(tmp_path, fond_of("A"), stage="prefer")], "judge")
    assert sorted((row["answer"], row["judged"]) for row in rows) == [
        ("A", [RIGHT.id, WRONG.id]),
        ("B", [WRONG.id, RIGHT.id]),
    ]
    for row in rows:
        there = row["prompt"][-1]["content"]
        first, second = ("42", "41") if row["answer"] == "A" else ("41", "42")
        assert there.index(f"It is {first}.") < there.index(f"It is {second}.")
        assert (row["form"], row["verifier"]) == ("pair", "judging")


def test_a_pair_of_which_one_order_is_missing_is_left_out(tmp_path: Path):
    facts = judges(tmp_path, fond_of("A"), stage="prefer")
    missing = next(fact for fact in facts if isinstance(fact, Problem))
    assert rows_of([*TRUTH, *(fact for fact in facts if fact is not missing)], "judge") == []


def test_judge_training_asks_of_one_attempt_whether_it_is_right(tmp_path: Path):
    rows = rows_of([*TRUTH, *judges(tmp_path, fond_of("yes"), stage="judge")], "judge")
    assert {(row["answer"], *row["judged"]) for row in rows} == {("yes", RIGHT.id), ("no", WRONG.id)}


# What is said of two attempts, and of the problem.
UNKNOWN: dict[str, tuple[list[tuple[str, Status]], list[tuple[str, Status]], Status]] = {
    "not checked": ([], [], "pass"),
    "cannot tell": ([("answer_matches@2", "unsure")], [("answer_matches@2", "error")], "pass"),
    "both right": ([("answer_matches@2", "pass")], [("answer_matches@2", "pass")], "pass"),
    "overturned by a judge": (
        [("answer_matches@2", "fail"), ("label@1", "pass")],
        [("answer_matches@2", "fail")],
        "pass",
    ),
    "not accepted": ([("answer_matches@2", "pass")], [("answer_matches@2", "fail")], "fail"),
}


def test_without_a_verifier_who_knows_nothing_of_a_pair_is_learnt(tmp_path: Path):
    facts: list[Fact] = []
    for draw, (one, other, status) in enumerate(UNKNOWN.values()):
        of = asked(draw, "What is 6 times 7?")
        attempts = [tried(of, "It is 42."), tried(of, "It is 41.", 1)]
        about = zip(attempts, (one, other), strict=True)
        said = [told(at, rule, ruling) for at, rulings in about for rule, ruling in rulings]
        facts += [of, told(of, "accepted@1", status), *attempts, *said]
        facts += judges(tmp_path, by_turns, votes=3, stage="prefer", of=of, attempts=attempts)
    assert rows_in(facts, "judge", "critique", "judge_preference") == {
        "judge": [],
        "critique": [],
        "judge_preference": [],
    }


def test_what_judges_were_told_the_answer_to_is_no_task_of_judging(tmp_path: Path):
    """Nor is what they were asked besides: a score, a level, the first error."""
    facts = judges(tmp_path, honest)
    shown = [
        fact._replace(details='{"private":["material"]}') if isinstance(fact, Attempt) else fact for fact in facts
    ]
    rows = rows_in([*TRUTH, *shown], "judge", "critique", "judge_preference")
    assert rows == {"judge": [], "critique": [], "judge_preference": []}
    bench = Bench(tmp_path)
    others = [
        bench.run("grade", prompt="grade/response", problems=[OF], attempts=[RIGHT, WRONG], says=honest),
        bench.run("first_error", prompt="judge/first-error", problems=[OF], attempts=[RIGHT, WRONG], says=honest),
        bench.run("strategies", prompt="judge/strategies", problems=[OF], attempts=[RIGHT, WRONG], says=honest),
    ]
    assert rows_of([*TRUTH, *facts, *(fact for each in others for fact in facts_of(each))], "judge") == rows_of(
        [*TRUTH, *facts], "judge"
    )


def test_only_judgements_that_agree_with_the_verifier_are_imitated(tmp_path: Path):
    rows = rows_of(
        [*TRUTH, *judges(tmp_path, lambda message, vote: word("A" if "response_a" in message else "yes"))], "critique"
    )
    assert [(row["form"], row["verdict"], row["judged"][0]) for row in rows] == [
        ("pair", "A", RIGHT.id),
        ("single", "yes", RIGHT.id),
    ]
    for row in rows:
        assert [message["role"] for message in row["messages"]] == ["user", "assistant"]
        assert judgement(row["messages"][-1]["content"]) == row["verdict"]
    assert len(rows_of([*TRUTH, *judges(tmp_path, honest)], "critique")) == 4


def test_judgements_are_preferred_in_both_orders_or_not_at_all(tmp_path: Path):
    rows = rows_of([*TRUTH, *judges(tmp_path, by_turns, votes=6)], "judge_preference")
    said = [tuple(judgement(row[side][0]["content"]) for side in ("chosen", "rejected")) for row in rows]
    assert Counter(said) == {("A", "B"): 1, ("B", "A"): 1, ("yes", "no"): 1, ("no", "yes"): 1}
    # One who always says A contradicts itself in no prompt, and one who wavers in one order alone gives no pair.
    for says in (fond_of("A"), lambda message, vote: word("A") if vote else honest(message, vote)):
        assert rows_of([*TRUTH, *judges(tmp_path, says, votes=2, stage="prefer")], "judge_preference") == []


def test_what_a_judge_said_unreadably_or_unfinished_is_not_rejected(tmp_path: Path):
    facts = judges(tmp_path, lambda message, vote: honest(message, vote) if vote else "Who knows?", votes=2)
    assert rows_of([*TRUTH, *facts], "judge_preference") == []
    wavering = judges(tmp_path, by_turns, votes=3, stage="judge")
    assert len(rows_of([*TRUTH, *wavering], "judge_preference")) == 2
    cut = [fact._replace(finish="length") if isinstance(fact, Attempt) else fact for fact in wavering]
    assert rows_in([*TRUTH, *cut], "judge_preference", "critique") == {"judge_preference": [], "critique": []}
