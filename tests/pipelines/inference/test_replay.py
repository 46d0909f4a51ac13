"""Recorded responses as an engine."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import orjson
import pytest

from pipelines.inference.engine import Misconfigured, Refused, read
from pipelines.inference.engines import open_engine, parse_model
from pipelines.inference.model import asking
from tests.small import Site, attempts


def recorded(path: Path, *lines: Any) -> Path:
    path.write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in lines))
    return path


def ask(path: Path, question: str, *, sample: int = 0, n: int = 1, system: str | None = None) -> list[Any]:
    model = parse_model("teacher", {"use": f"replay:{path}", **({"system": system} if system else {})})
    asked = asking(model, model.sampling, [{"role": "user", "content": question}])

    async def once() -> list[Any]:
        engine = open_engine(model, Path())
        try:
            return read(await engine.send(asked.request(seed=1, sample=sample, draw=0, n=n)[1]))
        finally:
            await engine.close()

    return asyncio.run(once())


def test_responses_to_a_prompt_serve_its_samples_in_their_order(tmp_path: Path):
    path = recorded(
        tmp_path / "r.jsonl",
        {"prompt": "6 x 6?", "content": "36"},
        {"prompt": "other", "content": "no"},
        {"messages": [{"role": "user", "content": "6 x 6?"}], "content": "thirty-six"},
    )
    assert [ask(path, "6 x 6?", sample=k)[0].turn.content for k in (0, 1)] == ["36", "thirty-six"]
    assert [each.turn.content for each in ask(path, "6 x 6?", n=2)] == ["36", "thirty-six"]
    assert ask(path, "6 x 6?", system="Be brief.")[0].turn.content == "36"


def test_reasoning_finish_and_usage_are_as_they_were_recorded(tmp_path: Path):
    usage = {"prompt_tokens": 4, "completion_tokens": 9}
    line = {"prompt": "?", "content": "36", "reasoning": "12 x 3", "finish_reason": "length", "usage": usage}
    [answer] = ask(recorded(tmp_path / "r.jsonl", line), "?")
    assert (answer.turn.content, answer.turn.reasoning, answer.finish) == ("36", "12 x 3", "length")
    assert (answer.prompt_tokens, answer.completion_tokens) == (4, 9)


def test_what_was_not_recorded_is_refused(tmp_path: Path):
    path = recorded(tmp_path / "r.jsonl", {"prompt": "6 x 6?", "content": "36"})
    for question, sample in (("7 x 7?", 0), ("6 x 6?", 1)):
        with pytest.raises(Refused, match=f"has no response {sample} to"):
            ask(path, question, sample=sample)


@pytest.mark.parametrize(
    "line", [[], 36, {}, {"prompt": "?"}, {"content": "36"}, {"messages": [], "content": "36"}], ids=str
)
def test_a_line_that_is_no_response_is_told_with_its_number(tmp_path: Path, line: Any):
    path = recorded(tmp_path / "r.jsonl", {"prompt": "?", "content": "36"}, line)
    with pytest.raises(Misconfigured, match=r"r\.jsonl, line 2: not a recorded response"):
        ask(path, "?")


def test_a_line_that_is_not_json_is_told_with_its_number(tmp_path: Path):
    path = tmp_path / "r.jsonl"
    path.write_text('{"prompt": "?", "content": "36"}\n{"prompt\n')
    with pytest.raises(Misconfigured, match=r"line 2: not a recorded response"):
        ask(path, "?")


def test_a_file_that_is_not_there_is_told(tmp_path: Path):
    with pytest.raises(Misconfigured, match="teacher: cannot read"):
        ask(tmp_path / "none.jsonl", "?")


def test_a_run_on_recorded_responses_is_the_run_that_was_recorded(site: Site, monkeypatch: pytest.MonkeyPatch):
    site.append_seeds(60)  # so many that no two draws are the same prompt
    first = attempts(site.turn("target.candidates=8").made)
    lines = [
        {
            "messages": [turn._asdict() for turn in each.turns[:-1]],
            "content": each.turns[-1].content,
            "finish_reason": each.finish,
            "usage": {"prompt_tokens": each.prompt_tokens, "completion_tokens": each.completion_tokens},
        }
        for each in first
    ]
    path = recorded(site.folder / "recorded.jsonl", *lines)
    monkeypatch.setenv("THOUGHTMILL_DATA", str(site.folder / "other"))
    again = attempts(replayed(site, path))
    said = [
        [(each.sample, each.turns, each.finish, each.completion_tokens) for each in run] for run in (first, again)
    ]
    assert said[0] == said[1]


def replayed(site: Site, path: Path) -> Any:
    from flows import make

    site.value["models"]["teacher"]["use"] = f"replay:{path}"
    return asyncio.run(make.make(site.write(), changes=["target.candidates=8"]))
