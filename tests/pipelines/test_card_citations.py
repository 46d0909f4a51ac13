"""Citations: each method that a version used is named, and no paper is made up."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pipelines.card.citations import PAPERS, bibtex, cited, ids_in, key
from prompts.template import load, names

ROOT = Path(__file__).parents[2]


def test_every_paper_that_the_code_names_is_in_the_table():
    files = [path for part in ("pipelines", "filters", "prompts") for path in (ROOT / part).rglob("*.*")]
    texts = {path: path.read_text(encoding="utf-8") for path in files if path.suffix in (".py", ".toml", ".md")}
    named = {id: path.relative_to(ROOT) for path, text in texts.items() for id in ids_in(text)}
    assert {id: path for id, path in named.items() if id not in PAPERS} == {}


def test_papers_are_in_order_and_have_keys_of_their_own():
    assert list(PAPERS) == sorted(PAPERS)
    keys = [key(id) for id in PAPERS]
    assert len(set(keys)) == len(keys)
    assert all(re.fullmatch(r"[a-z]+20\d\d[a-z0-9]+", each) for each in keys)


@pytest.mark.parametrize("id", PAPERS)
def test_an_entry_is_bibtex(id: str):
    entry = bibtex([id])
    assert entry.count("{") == entry.count("}")
    assert entry.startswith(f"@misc{{{key(id)},\n")
    fields = dict(re.findall(r"^  (\w+) += \{(.*)\},?$", entry, re.MULTILINE))
    assert fields == {
        "title": f"{{{PAPERS[id].title}}}",
        "author": PAPERS[id].authors,
        "year": f"20{id[:2]}",
        "eprint": id,
        "archivePrefix": "arXiv",
    }
    authors = PAPERS[id].authors.split(" and ")
    assert all(len(each.split()) > 1 or each == "others" for each in authors)
    assert "others" not in authors[:-1]
    assert not set("&%$#_~^\\") & set(entry)  # BibTeX would want these escaped


def test_what_was_used_is_cited_once_and_the_recipe_first():
    recipe = {"paper": "arXiv:2501.18578", "stages": [{"use": "draw"}, {"use": "judge"}, {"use": "of your own"}]}
    prompts = {"judge/task": load("judge/task").text, "own/one": "no header, 2504.03380"}
    found = cited(recipe, prompts, ["novelty@1", "rip@1", "of your own@7"], ["procedural", "of your own"])
    assert found[0] == "2501.18578"
    assert len(found) == len(set(found))
    # draw, judge and its prompt, novelty, rip, procedural; not what a prompt says to the model.
    assert {"2507.23751", "2505.10320", "2504.10337", "2212.10560", "2505.24760"} <= set(found)
    assert "2504.03380" not in found


def test_a_paper_that_nobody_knows_gets_no_entry():
    assert cited({"paper": "arXiv:2499.12345 or arXiv:2401.99999."}, {}, [], []) == ["2401.99999"]
    assert bibtex(["2401.99999"]) == ""


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("arXiv:2507.23751.", ["2507.23751"]),
        ("(2507.23751, section 3.1)", ["2507.23751"]),
        ("https://arxiv.org/abs/2507.23751v2", ["2507.23751"]),
        ("1.2507.23751, 2507.237512, 2513.00001, 2507.23751.2", []),
    ],
)
def test_ids_are_found_and_other_numbers_are_not(text: str, ids: list[str]):
    assert ids_in(text) == ids


def test_each_prompt_that_comes_from_a_paper_says_so_in_its_header():
    sources = {name: load(name).header.get("source", "") for name in names()}
    assert all(cited({}, {name: load(name).text}, [], []) == ids_in(source) for name, source in sources.items())
    assert any(map(ids_in, sources.values()))
