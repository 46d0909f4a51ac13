"""Agreeing: the end of a thought is compared with its answer, and what cannot be read counts as a yes."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import orjson
import pytest

from pipelines.inference.model import Model, Sampling
from pipelines.records import Attempt, Facts, Problem, Turn, Verdict, verdict
from pipelines.stage import Run, Shard, Step
from pipelines.stages.agree import agree, check_agree
from pipelines.stages.table import STAGES
from pipelines.store import Output
from prompts.template import load
from tests.pipelines.stages.bench import Scripted, answered, posed

OF = posed(0, "Which is it?\n\n(A) a hen\n(B) a goat", answer="B", verifier="choice")
SAID = "<reason>\nSo.\n</reason>\n<verdict>\n{}\n</verdict>"


def thought(marks: str, sample: int) -> tuple[Attempt, Verdict]:
    turns = (Turn("user", OF.question), Turn("assistant", "<answer>B</answer>", f"I see a {'word ' * 40}goat."))
    attempt = answered(OF, "B", sample=sample)._replace(id=marks, turns=turns)
    told = {"stage": "sift@1", "draw": 0, "rule": "thought_class@1", "status": "pass"}
    return attempt, verdict(subjects=[attempt.id], value=marks, **told)  # pyright: ignore[reportArgumentType]


def asked(folder: Path, says: str, problems: list[Problem], **given: Any) -> tuple[Output, Scripted]:
    facts = [thought(marks, sample) for sample, marks in enumerate(("O", "XO", "XX"))]
    shard, client = Shard(0, 1), Scripted(lambda message, sample: says)
    shard.take(Output(Facts(problems, [a for a, _ in facts], [v for _, v in facts]), [OF.id]), folder)
    model = Model(role="judge", engine="builtin", name="scripted")
    told = {"prompt": load("judge/agrees"), "model": model, "sampling": Sampling(), **given}
    run: Any = Run(folder, 0, client, None)  # pyright: ignore[reportArgumentType]
    return asyncio.run(agree(shard, run, Step("agree", STAGES["agree"], told), **told)), client


@pytest.mark.parametrize(("word", "status"), [("yes", "pass"), ("no", "fail"), ("perhaps", "pass")])
def test_the_thoughts_of_a_class_are_compared_by_their_last_words(tmp_path: Path, word: str, status: str):
    output, client = asked(tmp_path, SAID.format(word), [OF])
    [said] = output.facts.verdicts
    assert (said.subjects, said.rule, said.status) == (("XO",), "thought_leads@1", status)
    assert orjson.loads(said.evidence).get("unread", False) == (word == "perhaps")
    [(message, _, _)] = client.asked
    shown = message.partition("<response>")[2].partition("</response>")[0]
    assert shown.count("word") == 29
    assert shown.endswith("goat.\n\nAnswer: B\n")


def test_of_no_class_nobody_is_asked(tmp_path: Path):
    output, client = asked(tmp_path, "", [OF], classes=[])
    assert (output.facts, client.asked, output.live) == (Facts.none(), [], [OF.id])


def test_no_words_are_refused():
    with pytest.raises(ValueError, match="at least 1"):
        check_agree({"last_words": 0})
