"""What holds for every view: over one small world in which there is something of every kind that views look for.

Here are also the helpers by which the tests of single views make facts by hand.
"""

from __future__ import annotations

import atexit
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, get_args

import duckdb
import pytest

from pipelines.records import (
    Attempt,
    Fact,
    Finish,
    Problem,
    Status,
    Turn,
    Verdict,
    attempt,
    problem,
    to_json,
    to_table,
    verdict,
)
from pipelines.store import KINDS, Output, connect
from pipelines.views import table
from pipelines.views.table import PRIVATE, VIEWS, Kind, batches, prepare
from prompts.template import names
from tests.each import each_of
from tests.pipelines.stages.bench import Bench

Row = dict[str, Any]

# --- Facts by hand --------------------------------------------------------------------------------------------


def asked(draw: int, question: str, *, kind: str = "posed", **more: Any) -> Problem:
    return problem(**{"parents": (), "stage": "pose@1", **more}, draw=draw, kind=kind, question=question)


def tried(
    of: Problem,
    said: str | None,
    sample: int = 0,
    *,
    thought: str | None = None,
    finish: Finish = "stop",
    before: Sequence[Turn] = (),
    prompt: str = "solve/boxed@1",
    details: Any = None,
) -> Attempt:
    """An attempt; `before` is what was asked, where it is not just the question."""
    return attempt(
        of=of,
        stage="expand@1",
        sample=sample,
        role="teacher",
        model="scripted",
        revision=None,
        prompt=prompt,
        sampling="{}",
        seed=0,
        request="0",
        turns=[*(before or [Turn("user", f"{of.question}\n\nBox it.")]), Turn("assistant", said, thought)],
        finish=finish,
        details=to_json(details or {}),
    )


def told(about: Problem | Attempt, rule: str, status: Status = "pass", **more: Any) -> Verdict:
    return verdict(subjects=[about.id], stage="sift@1", draw=about.draw, rule=rule, status=status, **more)


def accepted(of: Problem) -> Verdict:
    return told(of, "accepted@1")


def checked(of: Attempt, status: Status) -> list[Fact]:
    return [of, told(of, "answer_matches@2", status)]


def facts_of(output: Output) -> list[Fact]:
    return [fact for facts in output.facts for fact in facts]


@cache
def prepared() -> duckdb.DuckDBPyConnection:
    """One connection for all tests: to prepare one takes as long as to ask it."""
    connection = connect([])
    prepare(connection)
    atexit.register(connection.close)
    return connection


def rows_in(facts: Iterable[Fact], *views: str) -> dict[str, list[Row]]:
    """The rows of these views, or of all."""
    there, connection = list(facts), prepared()
    for name, kind in KINDS.items():
        relation = connection.from_arrow(to_table(kind, [fact for fact in there if isinstance(fact, kind)]))
        connection.execute(f"delete from {name}")
        relation.insert_into(name)
    return {
        name: [row for batch in batches(connection, VIEWS[name]) for row in batch.to_pylist()]
        for name in views or VIEWS
    }


def rows_of(facts: Iterable[Fact], view: str) -> list[Row]:
    return rows_in(facts, view)[view]


def texts_in(value: Any) -> Iterator[str]:
    """Every text in a value, however deep."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from texts_in(each)


# --- The world ------------------------------------------------------------------------------------------------

PLAN = "<plan>\nAdd first.\n</plan>\n<question>\n{question}\n</question>\n<answer>\n14\n</answer>"
STEPS = "First I add.\n2 + 5 is {}.\nThen I double it.\nThat is {}.\n\\boxed{{{}}}"
RIGHT, WRONG = STEPS.format(7, 14, 14), STEPS.format(8, 16, 16)


def posed(draw: int, question: str, **more: Any) -> tuple[list[Fact], Problem]:
    """A problem as it is posed, with what it came from."""
    drawn = asked(draw, f"Seed question 1:\nSeed {draw}?", kind="pose")
    said = tried(drawn, PLAN.format(question=question), before=[Turn("user", f"Pose one like:\n{drawn.question}")])
    of = asked(draw, question, parents=[said.id], **{"details": {"plan": "Add first."}, **more})
    return [drawn, said, told(said, "posed@1"), of], of


def judged(folder: Path, of: Problem, attempts: Sequence[Attempt]) -> list[Fact]:
    """What judges say of these, each asked twice: once as it is, once that everything (or A) is well."""

    def one(message: str, vote: int) -> str:
        return word("yes" if "is 7" in message or vote else "no")

    def two(message: str, vote: int) -> str:
        return word("A" if vote or "is 7" in message.partition("<response_b>")[0] else "B")

    def first(message: str, vote: int) -> str:
        return "<reason>\nSo.\n</reason>\n<step>\n{}\n</step>".format("none" if "is 7" in message else 2)

    bench, given = Bench(folder), {"problems": [of], "attempts": attempts}
    output = [
        bench.run("judge", says=one, prompt="judge/task", votes=2, at_least=0.9, **given),
        bench.run("prefer", says=two, prompt="judge/pair", votes=2, pairs=20, **given),
        bench.run("first_error", says=first, prompt="judge/first-error", **given),
    ]
    return [fact for each in output for fact in facts_of(each)]


def word(said: str) -> str:
    return f"<reason>\nI worked it out.\n</reason>\n<verdict>\n{said}\n</verdict>"


GONE = "MUST-NOT-LEAVE"
"""In what was cut, refused, unfit or not accepted: no text of a view holds it."""

HIDDEN = "MUST-NOT-BE-SHOWN"
"""In what is private: no prompt holds it."""


def solved(draw: int, folder: Path | None = None) -> list[Fact]:
    """A posed problem that was solved, right and wrong; judged, if there is a folder for that."""
    hidden = {"tests": HIDDEN, "plan": f"{HIDDEN} plan"}
    made, of = posed(draw, f"What is 2 plus 5, doubled? ({draw})", answer="14", verifier="math", details=hidden)
    right = [tried(of, RIGHT, 0), tried(of, RIGHT + " ", 1), tried(of, "\\boxed{14}", 2, thought="Seven, twice.")]
    wrong = [tried(of, WRONG, 3, details={"notes": HIDDEN}), tried(of, WRONG + " ", 4)]
    hint = Turn("user", f"{of.question}\n\nHint: {HIDDEN}")
    shown = tried(of, "I see: \\boxed{14}.", 5, before=[hint], details={"private": ["hint"]})
    planned = tried(of, "So \\boxed{14}.", 6, details={"plan": "Add, then double."})
    cut, refused = tried(of, f"{GONE} \\boxed{{14}}", 7, finish="length"), tried(of, None, 8, finish="refused")
    unfit = tried(of, f"{GONE} \\boxed{{14}}", 9)
    undecided = [tried(of, "About 14.", 10), tried(of, "14!", 11)]
    facts: list[Fact] = [
        *made,
        accepted(of),
        cut,
        refused,
        *checked(unfit, "pass"),
        told(unfit, "boundary@1", "fail"),
    ]
    for status, group in (("pass", [*right, shown, planned]), ("fail", wrong)):
        facts += [fact for each in group for fact in checked(each, status)]  # pyright: ignore[reportArgumentType]
    facts += [*checked(undecided[0], "unsure"), *checked(undecided[1], "error")]
    facts.append(told(of, "pass_rate@2", score=0.6, context={"n": 8}, evidence={"notes": HIDDEN}))
    by_judges = judged(folder, of, [*right[:2], *wrong]) if folder else []
    return [*facts, *by_judges, *appealed(of, wrong[0])]


def appealed(of: Problem, about: Attempt) -> list[Fact]:
    """Judges who were shown the reference say no, one asked in our words and one in somebody's own."""
    facts: list[Fact] = [told(about, "appeal@1", "fail"), told(about, "judged@1", "fail")]
    for prompt, answer in (("judge/reference@1", None), ("own/reference@1", HIDDEN)):
        task = asked(of.draw or 0, of.question, kind="judge", stage="sift@1", parents=[about.id], answer=answer)
        material = [Turn("user", f"<reference>\n{HIDDEN}\n</reference>\n{about.text}")]
        facts += [task, tried(task, word("no"), before=material, prompt=prompt)]
    return facts


def rated(draw: int) -> list[Fact]:
    """An instruction whose responses were rated, or preferred by a judge."""
    facts: list[Fact] = []
    for kind in ("reward", "judge"):
        of = asked(draw, f"Tell me something ({kind}).", kind="task")
        attempts = [tried(of, f"Something of {kind}, {sample}.", sample) for sample in range(3)]
        facts += [of, accepted(of), *attempts]
        if kind == "reward":
            facts += [told(each, "reward@1", score=each.sample / 2) for each in attempts]
        else:
            ids = [attempts[2].id, attempts[0].id]
            preferred = {"stage": "prefer@1", "rule": "preferred@1", "status": "pass"}
            facts.append(verdict(subjects=ids, draw=draw, score=0.75, value=ids[0], **preferred))  # pyright: ignore
    return facts


def with_tests(draw: int) -> list[Fact]:
    """A programming task with tests beside it, and with repairs of a wrong program."""
    of = asked(draw, "Write `twice(n)`.", kind="task", verifier="code")
    wrong = tried(of, "def twice(n): return n")
    suite = asked(draw, of.question, kind="tests", parents=[of.id])
    repair = asked(
        draw, f"Mend {wrong.text}", kind="revision", parents=[wrong.id], answer=HIDDEN, details={"round": 1}
    )
    facts: list[Fact] = [of, accepted(of), suite, repair, *checked(wrong, "fail"), told(wrong, "agreed@1", "fail")]
    for task, rule in ((suite, "agreed@1"), (repair, "answer_matches@2")):
        good, bad, unsure = (
            tried(task, f"{word} of {task.kind}", place) for place, word in enumerate(["A", "B", "C"])
        )
        cut = tried(task, GONE, 3, finish="length")
        said = [told(good, rule), told(bad, rule, "fail"), told(unsure, rule, "unsure"), told(cut, rule)]
        facts += [good, bad, unsure, cut, *said, told(good, "reward@1", score=8.0)]
    return facts


CALL = to_json([{"function": {"name": "python", "arguments": '{"code": "2 + 5"}'}}])


def acted(draw: int) -> list[Fact]:
    """A brought trajectory that calls a tool, and one that was shown something private on the way."""
    of = asked(draw, "What does the tool say?", kind="task", answer="7", verifier="math", details={"id": HIDDEN})
    called = [Turn("user", of.question), Turn("assistant", None, "I should ask.", CALL), Turn("tool", "7")]
    right = tried(of, "It is 7.", before=called, prompt="given")
    told_so = [Turn("user", of.question), Turn("assistant", "Hm."), Turn("user", f"{GONE} {HIDDEN}")]
    shown = tried(of, "It is 7.", 1, before=told_so, details={"private": ["reference"]})
    return [of, accepted(of), *checked(right, "pass"), *checked(shown, "pass")]


def failed(draw: int) -> list[Fact]:
    """Where a solver failed, new problems: one that it learns from, one that it never solves, one that is none."""
    facts: list[Fact] = []
    zones: dict[str, Status] = {"learning": "pass", "too hard": "fail", "none": "fail"}
    for zone, status in zones.items():
        task = asked(draw, "What is 2 plus 5?", kind="escalate", parents=["the problem", zone])
        said = tried(task, PLAN.format(question=f"What is 3 plus 4 ({zone})?") if zone != "none" else GONE)
        details = {"parent": "the problem", "cause": zone, "round": 1, "plan": HIDDEN}
        more = {"parents": [said.id], "answer": "7", "verifier": "math", "details": details}
        new = asked(draw, GONE if zone == "none" else f"What is 3 plus 4 ({zone})?", kind="escalated", **more)
        measured = {"score": 0.5, "value": zone, "context": {"k": int(zone == "learning"), "n": 2}}
        facts += [task, said, new, told(new, "learnable@1", status, **measured)]
        facts.append(told(new, "form@1", "fail" if zone == "none" else "pass"))
    return facts


def thought_on(draw: int) -> list[Fact]:
    """Thoughts about one problem, right and wrong, and what others made of them when they went on."""
    of = asked(draw, f"Which is it? ({draw})", answer="B", verifier="choice")
    short = [tried(of, "B", 0, thought="I see B."), tried(of, "A", 1, thought="I see A.")]
    facts: list[Fact] = [of, accepted(of)]
    for each, marks in zip(short, "OX", strict=True):
        facts += classed(each, marks)
        for place, (mark, answer) in enumerate((("O", "B"), ("X", "A"))):
            longer = f"{each.turns[-1].reasoning} Wait, I look again, and go over all that I see: {answer}."
            details = {"begun": len(each.turns[-1].reasoning or ""), "private": ["all"]}
            before = [Turn("system", HIDDEN), Turn("user", of.question)]
            went = tried(of, answer, 2 + 2 * each.sample + place, thought=longer, before=before, details=details)
            facts += classed(went._replace(parents=(of.id, each.id)), marks + mark)
    return facts


def looked_back(draw: int) -> list[Fact]:
    """Traces that were searched for shorter ways: one was revised, one stays, the revision of one is unfit."""
    of = asked(draw, "What is 9 plus 5?", kind="task", answer="14", verifier="math")
    facts: list[Fact] = [of, accepted(of)]
    for sample, (revised, fit) in enumerate([(True, True), (False, True), (True, False)]):
        old = tried(of, "\\boxed{14}", sample, thought=f"{sample}, it was.\n\nWait, 9. So 14.")
        new = tried(of, "\\boxed{14}", sample, thought=f"{sample if fit else GONE} So 14.")
        new = new._replace(id=f"new-{sample}", parents=(of.id, old.id))
        task = asked(draw, of.question, kind="search", stage="retro@1", parents=[old.id], answer=HIDDEN)
        measures = {"tokens": [9, 6 if revised else 9], "steps": [3, 2], "thoughts": [2, 1]}
        status: Status = "pass" if revised else "fail"
        facts += [*checked(old, "pass"), task, tried(task, GONE, thought=HIDDEN)]
        facts.append(told(task, "revised@1", status, value=new.id if revised else old.id, context=measures))
        facts += [*checked(new, "pass"), told(new if fit else old, "not_replaced@1")] if revised else []
        if revised:
            facts.append(told(old, "not_replaced@1", "fail") if fit else told(new, "not_repetitive@2", "fail"))
    return facts


def classed(each: Attempt, marks: str) -> list[Fact]:
    """An attempt, and what its last mark says of it."""
    status = "pass" if marks.endswith("O") else "fail"
    return [*checked(each, status), told(each, "thought_class@1", value=marks)]


def a_world(folder: Path) -> list[Fact]:
    lost, of = posed(1, f"{GONE}?", answer="1", verifier="math")
    dropped = [
        *lost,
        told(of, "accepted@1", "fail"),
        *checked(tried(of, GONE), "pass"),
        *checked(tried(of, GONE, 1), "fail"),
    ]
    twin = asked(0, "Which is it, (A) or (B)?", kind="form", answer="A", verifier="choice")
    details = {"instruction": "Sort it.", "input": "b, a"}
    instance = asked(1, "Sort it.\n\nb, a", kind="instance", answer="a, b", details=details)
    here = [
        *solved(0, folder),
        *acted(0),
        twin,
        instance,
        *failed(0),
        *rated(1),
        *solved(1),
        *thought_on(1),
        *looked_back(2),
    ]
    return [*here, *with_tests(3), *dropped]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> list[Fact]:
    return a_world(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="module")
def rows(world: list[Fact]) -> dict[str, list[Row]]:
    return rows_in(world)


# --- Laws -----------------------------------------------------------------------------------------------------


def test_every_view_has_rows_in_its_schema_about_what_was_accepted(world: list[Fact], rows: dict[str, list[Row]]):
    good = {each.subjects[0] for each in world if isinstance(each, Verdict) and each.rule == "accepted@1"}
    good -= {each.subjects[0] for each in world if isinstance(each, Verdict) and each.status == "fail"}
    for name, there in rows.items():
        assert there, name
        assert all(list(row) == VIEWS[name].schema().names for row in there), name
        assert {row["problem_id"] for row in there} <= good, name


def test_rows_are_in_draw_order_and_none_is_there_twice(world: list[Fact], rows: dict[str, list[Row]]):
    draws = {each.id: each.draw or 0 for each in world if isinstance(each, Problem)}
    for name, there in rows.items():
        order = [draws[row["problem_id"]] for row in there]
        assert order == sorted(order), name
        assert len({to_json(row) for row in there}) == len(there), name


@pytest.mark.slow
def test_neither_windows_nor_the_order_of_stored_facts_change_anything(
    world: list[Fact], rows: dict[str, list[Row]], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(table, "BATCH_BYTES", 1)
    assert rows_in(reversed(world)) == rows


def test_a_view_says_in_a_line_what_a_row_is_and_has_the_columns_of_its_kind():
    needs = {
        "sft": {"messages"},
        "preference": {"prompt", "chosen", "rejected", "margin"},
        "steps": {"prompt", "prefix", "chosen", "rejected"},
        "rl": {"prompt", "answer", "verifier"},
        "process": {"prompt", "steps", "labels"},
        "offline": {"prompt", "completion", "label", "reward"},
    }
    assert needs.keys() == set(get_args(Kind))
    for name, view in VIEWS.items():
        assert view.about, name
        assert "\n" not in view.about, name
        assert needs[view.kind] | {"problem_id", "question", "domain"} <= set(view.schema().names), name


# --- Nothing leaves that should not ---------------------------------------------------------------------------


def prompts_in(view: str, row: Row) -> Iterator[str]:
    """What a row shows to a model that is trained on it, apart from what that is to learn to say."""
    match VIEWS[view].kind:
        case "sft":
            learnt = row.get("train", [*[False] * (len(row["messages"]) - 1), True])
            pairs = zip(row["messages"], learnt, strict=True)
            yield from texts_in([message for message, is_learnt in pairs if not is_learnt])
        case "steps":
            yield from [*texts_in(row["prompt"]), row["prefix"]]
        case _:
            yield from texts_in(row["prompt"])
    yield row["question"]


def test_no_prompt_shows_what_is_private(world: list[Fact], rows: dict[str, list[Row]]):
    """Hints, references shown to judges, hidden tests, plans of the author, notes of checks."""
    assert sum(repr(fact).count(HIDDEN) for fact in world) > 12
    for view, there in rows.items():
        for row in there:
            shown = list(prompts_in(view, row))
            assert len(shown) > 1, view
            assert not [text for text in shown if HIDDEN in text], view


def test_what_was_answered_to_a_hint_is_asked_plainly(rows: dict[str, list[Row]]):
    by_answer = {row["messages"][-1]["content"]: row["messages"][:-1] for row in rows["sft"]}
    assert by_answer["I see: \\boxed{14}."] == by_answer[RIGHT]


def test_what_was_cut_refused_unfit_or_not_accepted_is_nowhere(world: list[Fact], rows: dict[str, list[Row]]):
    """Nor is a conversation of several turns that showed something private on the way."""
    assert sum(GONE in repr(fact) for fact in world) > 5
    for view, there in rows.items():
        assert not [text for text in texts_in(there) if GONE in text], view


def test_what_could_not_be_decided_is_neither_right_nor_wrong(world: list[Fact], rows: dict[str, list[Row]]):
    said = [each for each in world if isinstance(each, Verdict) and each.rule.startswith("answer_matches@")]
    undecided = {each.subjects[0] for each in said if each.status in ("unsure", "error")}
    assert len(undecided) >= 4
    for view, there in rows.items():
        assert not undecided & set(texts_in(there)), view


def test_prompts_that_are_known_as_private_exist():
    assert set(PRIVATE) <= set(names())


# --- Right and wrong, and how they leave ------------------------------------------------------------------------

WRONG_MAY_BE = {
    "preference": "rejected",
    "step_preference": "rejected",
    "thought_preference": "rejected",
    "continued": "messages",  # up to `begun`
    "judge_preference": "prompt",  # judges are shown it
    "judge": "prompt",
    "critique": "messages",
    "generator": "messages",  # whoever writes is shown what was wrong
    "process": "steps",
    "offline": "completion",
    "tests_preference": "rejected",
    "repairs": "messages",  # whoever repairs is shown it
    "repairs_rl": "completion",
}


@each_of(VIEWS)
def test_a_view_is_asked_where_it_may_hold_what_is_wrong(view: str):
    assert WRONG_MAY_BE.get(view, "") in ("", *VIEWS[view].schema().names)


def test_what_is_wrong_is_nowhere_else(rows: dict[str, list[Row]]):
    for view, there in rows.items():
        for row in there:
            elsewhere = {name: value for name, value in row.items() if name != WRONG_MAY_BE.get(view)}
            assert not [text for text in texts_in(elsewhere) if "That is 16" in text], view
    wrong = [row for row in rows["offline"] if "That is 16" in row["completion"][0]["content"]]
    assert wrong
    assert not any(row["label"] or row["reward"] for row in wrong)
