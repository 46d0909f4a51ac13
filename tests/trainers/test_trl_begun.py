"""TRL's SFTTrainer on thoughts that corrected themselves: what was wrong is read, and bears no loss."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flows import make
from pipelines.export import export
from tests.trainers import tiny
from tests.trainers.test_trl_sft import learned, takes_steps, trainer
from tests.trainers.views import load, rows_of

pytest.importorskip("trl", reason=tiny.WHY)
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]


@pytest.fixture(scope="module")
def thoughts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a version of long thoughts."""
    folder = tmp_path_factory.mktemp("thoughts")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("THOUGHTMILL_DATA", str(folder))
        patch.setattr("pipelines.reports.plots.write_plots", lambda told, folder: [])
        yield asyncio.run(make.make("long-thoughts", changes=["target.accepted=4", "shard=4"])).folder


def rendered_as_told(readme: str, rows: Any, speaks: Any) -> Any:
    """The rows as the folder's own README has them rendered, with this tokenizer."""
    code = re.findall(r"^def rendered.*?\n\n\n", readme, re.DOTALL | re.MULTILINE)[0]
    names: dict[str, Any] = {"speaks": speaks}
    exec(code, names)
    return rows.map(names["rendered"], remove_columns=rows.column_names)


def test_what_was_wrong_is_read_and_bears_no_loss(thoughts: Path, tmp_path: Path):
    out, speaks = tmp_path / "out", tiny.tokenizer()
    assert export(thoughts, out, view="continued", to="trl").left_out == {}
    rows = rendered_as_told((out / "README.md").read_text(), load(out), speaks)
    made = trainer(rows, speaks, tmp_path)
    told = rows_of(thoughts, "continued")
    texts = [(row["messages"][-1]["content"], row["begun"]) for row in told]
    assert any(begun for _, begun in texts)
    assert learned(made, speaks) == Counter(text[begun:] + tiny.END for text, begun in texts)
    wholes = {speaks.decode(row["input_ids"]) for row in made.train_dataset}
    for text, begun in texts:
        assert any(text in whole for whole in wholes), begun
    assert takes_steps(made)
