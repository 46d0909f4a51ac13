"""The page about trainers is what the code says, and what it shows runs as it is written."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from docs import trainers
from pipelines.export import export
from pipelines.formats.table import CONSUMERS
from tests.small import Site
from tests.test_docs import Example, examples, run

PAGE = Path(trainers.__file__).with_name("trainers.md")


def test_the_page_is_up_to_date():
    assert PAGE.read_text(encoding="utf-8") == trainers.render(), "make docs writes it"


def test_every_consumer_has_a_section():
    assert re.findall(r"^## (.+)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE) == list(CONSUMERS)


@pytest.mark.slow
def test_what_the_page_begins_with_runs_in_order(tmp_path: Path):
    first = [each for each in examples(trainers.HEAD) if each.language in ("sh", "python")]
    assert [each.language for each in first] == ["sh", "python"]
    assert [run(each, tmp_path) for each in first][-1] == "[1.0]\n"
    assert (tmp_path / "squares" / "README.md").is_file()


@pytest.mark.slow
@pytest.mark.parametrize(("to", "view"), [("openr1", "offline"), ("nemotron", "sft")])
def test_snippets_that_need_no_trainer_run_where_the_data_is(site: Site, tmp_path: Path, to: str, view: str):
    made = site.embedded("expand.n=4")
    told = export(made.folder, tmp_path / "out", view=view, to=to)
    [code] = re.findall(r"```python\n(.*?)```", (told.folder / "README.md").read_text(), re.DOTALL)
    counted = run(Example("python", f"{code}\nprint(len(rows))", ""), told.folder)
    assert int(counted.splitlines()[-1]) == told.rows > 0
