"""A version on the Hub is one commit and one tag, whole and the same whoever publishes it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from contextlib import contextmanager

import orjson
import pyarrow.parquet as pq
import pytest
import yaml

from pipelines.hub import publish as ours
from pipelines.hub.layout import NoVersion, layout
from pipelines.versions.pin import pin, unpin
from tests.hub_writing import FIRST
from tests.pipelines.publishing.released import REPO, WRITING, commits, main, refused, tagged

# huggingface_hub still uploads to LFS in the old way of its client.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")


# --- One commit, one tag --------------------------------------------------------------------------------------


def test_a_version_is_one_commit_and_one_tag(hub, publish, versions, tmp_path):
    done = publish(versions[0])
    laid = layout(versions[0], tmp_path / "laid")
    expected = {file.path: file.source.read_bytes() for file in laid.files}
    written = {"README.md": main(hub)["README.md"], "report/card.md": main(hub)["README.md"]}
    assert tagged(hub, "v1") == main(hub) == {**FIRST, **expected, **written}
    assert commits(hub) == 1
    assert done[:4] == (REPO, "v1", hub.repos[REPO].tags["v1"], True)
    assert done.bytes == sum(len(content) for name, content in main(hub).items() if name.startswith("data/"))


def test_publishing_again_changes_nothing_and_says_so(hub, publish, versions):
    first = publish(versions[0])
    hub.seen.clear()
    assert publish(versions[0]) == first._replace(is_new=False)
    assert hub.count(*WRITING) == 0


def test_the_same_version_is_the_same_bytes_wherever_it_is_published(hub, publish, versions, tmp_path):
    elsewhere = tmp_path / "small" / "v1"
    shutil.copytree(versions[0], elsewhere)
    publish(versions[0])
    publish(elsewhere, to="grace/sums")
    assert main(hub) == main(hub, "grace/sums")


def test_what_is_large_is_uploaded_in_parts(hub, publish, versions):
    publish(versions[0])
    hub.part = 1000
    hub.objects.clear()
    publish(versions[0], to="grace/sums")
    assert hub.count("complete") > 0
    assert main(hub) == main(hub, "grace/sums")


def test_the_next_version_takes_away_what_it_lacks_and_leaves_what_people_put_there(hub, publish, versions):
    publish(versions[0])
    hub.commit(REPO, {"LICENSE": b"CC", "data/old.parquet": b"?"})
    old = main(hub)
    publish(versions[1])
    gone = old.keys() - main(hub).keys()
    assert gone == {"data/old.parquet", *(name for name in old if name.startswith("data/rl/"))}
    assert main(hub)["LICENSE"] == b"CC"
    assert "data/rl/train-00000-of-00001.parquet" in tagged(hub, "v1")


@contextmanager
def rolled_back(folder):
    """While it lasts, the dataset means this version."""
    pin(folder.parent, folder.name)
    try:
        yield
    finally:
        unpin(folder.parent)


def test_an_older_version_comes_back_under_the_tag_that_it_has(hub, publish, versions):
    publish(versions[0])
    publish(versions[1])
    tags = dict(hub.repos[REPO].tags)
    with rolled_back(versions[0]):
        done = publish(versions[0])
        assert not publish(versions[0]).is_new
    assert done.is_new
    assert hub.repos[REPO].tags == tags
    assert main(hub) == tagged(hub, "v1")


def test_readers_of_main_are_not_taken_back_unasked(hub, publish, versions):
    publish(versions[1])
    newest = main(hub)
    assert "ada/sums has v2 already, which is newer than v1" in refused(lambda: publish(versions[0]))
    assert main(hub) == newest
    with rolled_back(versions[0]):
        publish(versions[0])
    publish(versions[1])
    assert not publish(versions[0]).is_new
    assert main(hub) == newest


def test_a_token_in_a_fact_is_not_published(hub, publish, version, monkeypatch):
    path = version / "facts" / "problems.parquet"
    text = pq.read_table(path).column("question")[0].as_py()
    monkeypatch.setenv("SOME_KEY", text[:30])
    assert "holds SOME_KEY: take it out" in refused(lambda: publish(version))
    assert not hub.seen


def test_what_people_changed_in_the_card_is_in_the_next(hub, publish, versions):
    publish(versions[0])
    text = main(hub)["README.md"].decode()
    hub.commit(REPO, {"README.md": (text + "\n# Contact\n\nada@example.org\n").encode()})
    assert not publish(versions[0]).is_new
    publish(versions[1])
    assert "This is v2." in main(hub)["README.md"].decode()
    assert "ada@example.org" in main(hub)["README.md"].decode()
    assert "ada@example.org" not in main(hub)["report/card.md"].decode()
    publish(versions[0])
    assert "ada@example.org" in main(hub)["README.md"].decode()


CHANGES = {"ledger.json": b"{}", "data/sft/more.parquet": b"PAR1", "recipe.toml": None}


@pytest.mark.parametrize("name", CHANGES)
def test_what_somebody_changed_added_or_took_away_is_made_right_again(hub, publish, versions, name):
    publish(versions[0])
    whole = main(hub)
    hub.commit(REPO, {name: CHANGES[name]})
    assert publish(versions[0]).is_new
    assert main(hub) == tagged(hub, "v1") == whole


def test_what_another_release_of_pyarrow_wrote_stays(hub, publish, versions, monkeypatch):
    publish(versions[0])
    monkeypatch.setattr("pipelines.hub.layout.writer", lambda: "pyarrow 99")
    monkeypatch.setattr("pipelines.hub.there.writer", lambda: "pyarrow 99")
    assert not publish(versions[0]).is_new


# --- What is published ----------------------------------------------------------------------------------------


def test_a_token_in_a_file_is_not_published(hub, publish, version):
    prompt = next(version.glob("prompts/**/*.md"))
    prompt.write_text(prompt.read_text() + f"Authorization: Bearer {hub.token}\n")
    line = len(prompt.read_text().splitlines())
    assert f"{prompt.name}, line {line} holds the token: take it out" in refused(lambda: publish(version))
    assert not hub.seen


def test_nor_is_what_the_environment_calls_a_key(hub, publish, version, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-0123456789abcdef")
    (version / "ledger.json").write_bytes(b'{"note": "sk-0123456789abcdef"}')
    assert "ledger.json, line 1 holds OPENAI_API_KEY" in refused(lambda: publish(version))


def test_other_files_in_the_folder_stay_at_home(hub, publish, version):
    for name in (".env", "notes.md", "report/.secret.json", "sft/notes.txt", "facts/more.parquet"):
        (version / name).write_bytes(b"mine")
    publish(version)
    assert not {name for name, content in main(hub).items() if content == b"mine"}


def test_a_folder_without_a_version_is_refused(hub, publish, version):
    (version / "version.json").unlink()
    with pytest.raises(NoVersion, match=r"no complete version \(there is no version.json\); make it again"):
        publish(version)


def test_damaged_facts_are_not_published(hub, publish, version):
    path = version / "facts" / "verdicts.parquet"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(NoVersion, match=r"verdicts.parquet is not as version.json tells"):
        publish(version)


REAL_CARD = ours._card  # whose header tells where the data lies
FACTS = ("facts-problems", "facts-attempts", "facts-verdicts")
LOADED = """
import datasets, json
names = datasets.get_dataset_config_names("ada/sums", revision="v1")
rows = {name: datasets.load_dataset("ada/sums", name, revision="v1", split="train").num_rows for name in names}
first = datasets.load_dataset("ada/sums", revision="v1", split="train").config_name
print(json.dumps([rows, first]))
"""


def test_a_config_without_rows_cannot_be_loaded_so_the_card_names_none(versions, laid):
    made = laid[versions[0]]
    empty = made._replace(configs=(made.configs[0]._replace(rows=0), *made.configs[1:]))
    for each, names in ((made, [config.name for config in made.configs]), (empty, ["rl", *FACTS])):
        header = yaml.safe_load(REAL_CARD(versions[0], each, REPO).split("---\n")[1])
        assert [config["config_name"] for config in header["configs"]] == names
        assert [config["config_name"] for config in header["configs"] if config.get("default")] == names[:1]


@pytest.mark.slow
def test_datasets_loads_every_config_at_the_tag(hub, publish, versions, monkeypatch, tmp_path):
    monkeypatch.setattr(ours, "_card", REAL_CARD)
    publish(versions[0])
    publish(versions[1])
    home = {"HF_HOME": str(tmp_path / "home"), "HF_TOKEN": hub.token, "HF_ENDPOINT": hub.url, "PATH": ""}
    done = subprocess.run([sys.executable, "-c", LOADED], env=home, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    rows, first = orjson.loads(done.stdout)
    assert rows == orjson.loads(tagged(hub, "v1")["version.json"])["rows"]
    assert set(rows) == {"sft", "rl", *FACTS}
    assert first == "sft"
