"""S2L whole: the pool, a proxy that is trained on it, and the subset, as the head of the recipe says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.trainers import tiny

pytestmark = pytest.mark.slow


def test_the_three_commands_give_a_subset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from click.testing import CliRunner

    from flows.cli import main

    monkeypatch.setenv("THOUGHTMILL_DATA", str(tmp_path / "data"))
    speaks = tiny.tokenizer()
    for part in (speaks, tiny.model(speaks)):
        part.save_pretrained(tmp_path / "proxy")
    rows = [
        {"question": f"{n} + {n}?", "responses": [f"It is {2 * n}."], "source": "ab"[n % 3 == 0]} for n in range(24)
    ]
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    losses, run = str(tmp_path / "losses.parquet"), ["run", "s2l", "--quiet", "--set", f"bring.rows={file}"]
    for command in (
        [*run, "--set", "select.rules=[]"],
        ["losses", "s2l", "--model", str(tmp_path / "proxy"), "--every", "2", "--out", losses, "--quiet"],
        [*run, "--set", f'select.rules=[{{rule="s2l", losses="{losses}", share=0.5, by="source", clusters=4}}]'],
    ):
        told = CliRunner().invoke(main, command)
        assert told.exit_code == 0, told.output
    books = json.loads((tmp_path / "data" / "datasets" / "s2l" / "v2" / "ledger.json").read_bytes())
    assert (books["candidates"], books["accepted"]) == (24, 12)
