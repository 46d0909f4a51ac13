"""A9, Retro-Search: right traces, gone on with where they switched their thought, by their author or a smaller model.

Shown elsewhere:
- what is asked, what is lost, and what servers make of a beginning: tests/pipelines/stages/test_retro.py
- where thoughts switch: tests/filters/test_trace.py::test_with_words_a_text_is_cut_where_a_sentence_begins_with_one
- what a revised trace takes the place of: tests/filters/test_thoughts.py::test_what_a_fit_trace_revises_is_replaced
"""

from __future__ import annotations

import asyncio
import shutil
import tomllib
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from statistics import mean
from typing import Any

import orjson
import pytest

from filters.trace_text import size
from filters.verifiers import answer_in, math
from flows import make
from flows.make import Made
from pipelines import recipe as recipes
from pipelines.inference.builtin import Faults
from pipelines.inference.builtin import reply as builtin
from pipelines.records import Attempt, Fact, Turn
from pipelines.store import Output
from prompts.template import load
from tests.each import each_of
from tests.methods import lines
from tests.pipelines.stages.bench import Bench, Instantly, posed
from tests.pipelines.stages.test_retro import (
    ANSWER,
    END,
    OF,
    PARTS,
    THOUGHT,
    begin,
    revised,
    scripted,
    searched,
    thought,
    told,
)
from tests.pipelines.test_views_laws import accepted, checked, rows_in
from tests.pipelines.test_views_laws import told as said
from tests.server import Body, Said
from tests.small import attempts, loaded_bytes

WORDED = Path(__file__).parents[2] / "data" / "seeds" / "worded.jsonl"
WRONG, LONG = "So 7.\n\n</think>\n\n\\boxed{7}", "Slowly.\n\n" * 30 + END


def in_views(output: Output, original: Attempt) -> dict[str, list[dict[str, Any]]]:
    """The rows of both views, after the checks that the recipe makes."""
    facts: list[Fact] = [OF, accepted(OF), *output.facts.problems, *output.facts.verdicts]
    facts += [fact for each in (original, *revised(output)) for fact in checked(each, "pass")]
    replaced = {orjson.loads(each.details)["revises"] for each in revised(output)}
    facts += [said(original, "not_replaced@1", "fail")] if replaced else []
    there = {each.id for each in facts}
    return rows_in([*facts, *(each for each in output.facts.attempts if each.id not in there)], "sft", "revised")


# --- "With a scripted teacher that has a known shortcut at switch k the stage finds it and the output equals the
#     expected trace" --------------------------------------------------------------------------------------------


@each_of([1, 2, 3])
def test_a_shortcut_at_a_switch_gives_exactly_the_expected_trace(k: int) -> None:
    """Before it the teacher goes wrong, behind it the long way."""
    ways = [begin(i) + (WRONG if i < k else END if i == k else LONG) for i in (1, 2, 3)]
    original = thought()
    _, output = searched(scripted(ways), original)
    [new] = revised(output)
    expected = "".join(PARTS[:k]) + "So 5."
    assert new.turns == (new.turns[0], Turn("assistant", ANSWER, expected))
    assert new.parents == (OF.id, original.id)


# --- "No revised trace is kept unless verifier-correct and strictly shorter; otherwise the original passes through
#     with revised=false" ----------------------------------------------------------------------------------------

UNSWITCHED = THOUGHT.replace("Wait", "Well").replace("Hmm", "Hem").replace("Alternatively", "Additionally")
WORSE = {
    "wrong": WRONG,
    "longer": LONG,
    "as long": THOUGHT[len(PARTS[0]) :] + f"\n</think>\n\n{ANSWER}",
    "fewer steps and as many words": UNSWITCHED[len(PARTS[0]) :].replace("\n\n", "\n") + f"\n\n</think>\n\n{ANSWER}",
    "fewer steps and more words": f"{'So it is and so it is ' * 30}5.\n\n</think>\n\n{ANSWER}",
    "a switch at once": "Wait, no.\n\n" + END,
}


@each_of(WORSE)
def test_a_reviser_that_is_always_wrong_or_longer_leaves_the_originals(name: str) -> None:
    original = thought()
    _, output = searched(scripted([begin(k) + WORSE[name] for k in (1, 2, 3)]), original)
    assert revised(output) == []
    verdict, context, evidence = told(output)
    assert (verdict.status, verdict.score, verdict.value) == ("fail", 0.0, original.id)
    reason = "fewer steps, and not shorter" if name.startswith("fewer") else "no better way was found"
    assert evidence["reason"] == reason
    assert context["tokens"][0] == context["tokens"][1]


@pytest.mark.slow
def test_views_show_the_trace_that_goes_on_and_what_it_was() -> None:
    original = thought()
    old, new = f"<think>\n{THOUGHT}\n</think>\n\n{ANSWER}", f"<think>\n{PARTS[0]}So 5.\n</think>\n\n{ANSWER}"
    for end, text in ((WRONG, old), (END, new)):
        _, output = searched(scripted([begin(k) + end for k in (1, 2, 3)]), original)
        there = in_views(output, original)
        [row], [learnt] = there["revised"], there["sft"]
        assert [row["messages"][-1]["content"], learnt["messages"][-1]["content"]] == [text] * 2
        assert (row["original"], row["revised"]) == (old, text == new)
        assert (row["tokens_after"] < row["tokens_before"]) == row["revised"]
        assert [row["thoughts_before"], row["thoughts_after"]] == [4, 1 if text == new else 4]
        assert [row["steps_before"], row["steps_after"]] == [11, 4 if text == new else 11]


def on_builtin(number: int, question: str, answer: str, slip: float) -> tuple[Attempt, Output]:
    """A trace that was thought without a slip, and what a reviser who slips makes of it."""
    of = posed(number, question, answer=answer, verifier="math")
    prompt, bench = load("think/paragraphs").render({"question": question}), Bench(Path("nowhere"), Instantly())
    faults = Faults(slip=slip, refuse=0)

    def says(message: str, sample: int) -> str:
        asked, (_, seed, _) = bench.client.askings[-1], bench.client.asked[-1]
        how = {name: asked.sampling[name] for name in ("stop", "bad_words") if name in asked.sampling}
        return builtin(asked.messages, seed=seed, temperature=0.6, max_tokens=4096, faults=faults, **how).text

    whole = builtin(prompt, seed=number, temperature=0.6, max_tokens=4096, faults=Faults(slip=0, refuse=0)).text
    before, answered = whole.removeprefix("<think>\n").split("\n</think>\n\n")
    original = thought(before, answered, of)
    output = bench.run("retro", says=says, problems=[of], attempts=[original], prompt="think/paragraphs")
    return original, output


def worded() -> Iterator[tuple[str, str]]:
    for line in WORDED.read_bytes().splitlines():
        row = orjson.loads(line)
        if row["verifier"] == "math" and row["answer"].isdigit():
            yield row["question"], row["answer"]


def length(each: Attempt) -> int:
    return size(f"{each.turns[-1].reasoning}\n{each.text}")


def test_none_is_revised_unless_it_is_right_and_strictly_shorter() -> None:
    """By a reviser who often slips; that some rollouts were wrong is why it counts."""
    kept, lost = 0, set[str]()
    for number, (question, answer) in enumerate(islice(worded(), 4)):
        original, output = on_builtin(number, question, answer, slip=0.2)
        new = [each for each in output.facts.attempts if each.problem == original.problem]
        verdict, context, _ = told(output)
        lost |= context["lost"].keys()
        assert len(new) == (verdict.status == "pass")
        for each in new:
            assert math.check(answer, answer_in("math", each.text) or "").status == "pass"
            assert length(each) < length(original)
            assert (each.turns[-1].reasoning or "").startswith((original.turns[-1].reasoning or "")[:40])
            assert verdict.score == pytest.approx(1 - length(each) / length(original))
        kept += len(new)
    assert kept
    assert "not right" in lost


# --- "A run report gives mean length reduction and share revised" -----------------------------------------------


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("retro")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("THOUGHTMILL_DATA", str(folder))
        yield folder


FEW = ["target.accepted=16", "shard=8"]


@pytest.fixture(scope="module")
def made(data: Path) -> Made:
    return asyncio.run(make.make("retro-search", changes=FEW))


@pytest.mark.slow
def test_the_report_gives_the_mean_reduction_and_the_share_that_was_revised(made: Made) -> None:
    of_rule, rows = lines.report(made)["rules"]["revised@1"], lines.loaded(made, "revised")
    assert of_rule["pass"] == sum(row["revised"] for row in rows) > 0
    assert of_rule["pass"] + of_rule["fail"] == len(rows)
    shares = [1 - row["tokens_after"] / row["tokens_before"] for row in rows]
    assert of_rule["scores"]["mean"] == pytest.approx(mean(shares))
    assert all((share > 0) == row["revised"] for share, row in zip(shares, rows, strict=True))
    assert mean(shares) > 0.1


@pytest.mark.slow
def test_what_is_learnt_is_the_revised_trace_and_not_the_one_that_it_replaces(made: Made) -> None:
    learnt = {row["messages"][-1]["content"] for row in lines.loaded(made, "sft")}
    for row in lines.loaded(made, "revised"):
        assert row["messages"][-1]["content"] in learnt
        assert (row["original"] in learnt) == (not row["revised"])
        assert row["messages"][-2]["content"].startswith(row["question"])


@pytest.mark.slow
def test_what_was_searched_is_found_again_without_asking(made: Made, data: Path) -> None:
    """Which switch is next hangs on what was answered at the one before, and on nothing else."""
    before = loaded_bytes(made)
    shutil.rmtree(data / "runs" / "outputs")
    again = asyncio.run(make.make("retro-search", changes=FEW))
    assert again.counts.get("sent", 0) == 0
    assert loaded_bytes(again) == before


@pytest.mark.slow
def test_without_revision_all_originals_pass_through_and_a_part_costs_less(made: Made, data: Path) -> None:
    none = asyncio.run(make.make("retro-search", changes=[*FEW, "revision=false"], dataset="none"))
    assert {row["revised"] for row in lines.loaded(none, "revised")} == {False}
    assert {each.role for each in attempts(none)} == {"teacher"}
    part = asyncio.run(make.make("retro-search", changes=[*FEW, "all=false"], dataset="part"))
    spent = [sum(each.role == "reviser" for each in attempts(which)) for which in (part, made)]
    assert 0 < spent[0] < spent[1]


# --- "Works with a reviser endpoint different from the trace author (weak-to-strong)" -----------------------------


@pytest.mark.slow
def test_a_smaller_model_revises_the_traces_of_a_larger_one(data: Path) -> None:
    made = asyncio.run(make.make("retro-search", changes=[*FEW, "own=false"], dataset="weak"))
    rows = [row for row in lines.loaded(made, "revised") if row["revised"]]
    assert rows
    assert {(row["author"], row["model"]) for row in rows} == {("teacher", "smaller")}
    assert not all(row["revised"] for row in lines.loaded(made, "revised"))


@pytest.mark.slow
@pytest.mark.parametrize("reviser", ["large", "small"])
def test_traces_of_one_endpoint_are_revised_by_it_or_by_another(tmp_path: Path, reviser: str) -> None:
    """Over HTTP; the author thinks the long way, and no server is asked for what the other should say."""
    asked = set[tuple[str, bool]]()

    def author(body: Body, index: int) -> Said:
        message = body["messages"][-1]
        goes_on = message["role"] == "assistant"
        asked.add((body["model"], goes_on))
        if not goes_on:
            return Said(f"<think>\n{THOUGHT}\n</think>\n\n{ANSWER}", False)
        assert body["continue_final_message"]
        rest = (begin(2) + END)[len(message["content"]) :] if (begin(2) + END).startswith(message["content"]) else ""
        return Said(rest.partition("\n\n")[0] if body.get("stop") else rest, False)

    made = lines.run(
        tmp_path,
        [{"question": OF.question, "answer": "5", "verifier": "math"}],
        {"use": "expand", "prompt": "think/paragraphs", "n": 1, "model": "teacher"},
        {"use": "retro", "prompt": "think/paragraphs", "model": "reviser"},
        lines.sift("answer_matches", "not_replaced", "usable"),
        models={"teacher": "large", "reviser": reviser},
        author=author,
        views=["sft", "revised"],
    )
    assert asked == {("large", False), (reviser, True)}
    [row], [learnt] = lines.loaded(made, "revised"), lines.loaded(made, "sft")
    assert (row["revised"], row["author"], row["model"]) == (True, "large", reviser)
    assert learnt["messages"] == row["messages"]
    assert row["messages"][-1]["content"] == f"<think>\n{PARTS[0]}{PARTS[1]}So 5.\n</think>\n\n{ANSWER}"


@pytest.mark.slow
def test_traces_that_are_there_already_are_revised(tmp_path: Path) -> None:
    """Those of a larger model, brought as a dataset has them."""
    given = f"<think>\n{THOUGHT}\n</think>\n\n{ANSWER}"
    made = lines.run(
        tmp_path,
        [{"question": OF.question, "answer": "5", "verifier": "math", "responses": [given]}],
        {"use": "retro", "prompt": "solve/plain", "model": "reviser"},
        lines.sift("answer_matches", "not_replaced", "usable"),
        bring={"model": "larger"},
        models={"reviser": "small"},
        author=lambda body, index: Said(
            scripted([begin(1) + END])(body["messages"][-1]["content"], "stop" not in body), False
        ),
        views=["sft", "revised"],
    )
    [row] = lines.loaded(made, "revised")
    assert (row["revised"], row["author"], row["model"]) == (True, "larger", "small")
    assert row["messages"][:-1] == [{"role": "user", "content": OF.question}]
    assert row["original"] == given


@pytest.mark.slow
def test_a_trace_with_a_tag_in_its_answer_is_learnt_only_if_it_was_mended(tmp_path: Path) -> None:
    """By the checks of the recipe itself."""
    given = f"<think>\n{THOUGHT}\n</think>\n\n</think>\n\n{ANSWER}"
    checks = tomllib.loads(recipes.find("retro-search").read_text())["stages"][-1]
    for end, expected in ((WRONG, []), (END, [f"<think>\n{PARTS[0]}So 5.\n</think>\n\n{ANSWER}"])):
        ways = scripted([begin(k) + end for k in (1, 2, 3)])

        def author(body: Body, index: int, ways: Callable[[str, int], str] = ways) -> Said:
            return Said(ways(body["messages"][-1]["content"], "stop" not in body), False)

        made = lines.run(
            tmp_path / str(len(expected)),
            [{"question": OF.question, "answer": "5", "verifier": "math", "responses": [given]}],
            {"use": "retro", "prompt": "solve/plain", "model": "reviser"},
            {**checks, "drop": False},
            models={"reviser": "small"},
            author=author,
            views=["sft", "revised"],
        )
        for view in ("sft", "revised"):
            assert [row["messages"][-1]["content"] for row in lines.loaded(made, view)] == expected
