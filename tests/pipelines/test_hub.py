"""What comes from the Hub: exactly the files that were named, whatever happened before or happens on the way."""

import errno
import io
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache as once
from functools import partial
from itertools import product
from pathlib import Path

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters import benchmarks
from filters.artifact import artifact
from pipelines.hub import errors as hub_errors
from pipelines.hub import fetch as ours
from pipelines.hub.fetch import Fetched, HubError, is_hub
from tests.each import each_of
from tests.hub_server import Hub, serving

DATA = "data/test-00000-of-00001.parquet"
TRAIN = "data/train-00000-of-00001.parquet"
NOWHERE = "http://127.0.0.1:9"


def rows(name: str, count: int = 3) -> list[dict[str, str]]:
    return [{"problem": f"{name}: what is {i} + {i}?", "answer": str(2 * i)} for i in range(count)]


def parquet(name: str) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    made = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows(name)), made)
    return made.getvalue()


def jsonl(name: str, count: int = 3) -> bytes:
    return b"".join(orjson.dumps(row) + b"\n" for row in rows(name, count))


@once
def sums() -> dict[str, bytes]:
    """The files of a dataset. Made when a test wants them, as with pyarrow comes pandas."""
    return {
        "README.md": b"# Sums",
        ".hidden/notes.jsonl": b"{}",
        DATA: parquet("test"),
        TRAIN: parquet("train"),
        "hard/extra.jsonl": jsonl("hard"),
        "dataset_infos.json": b"{}",
    }


READ = (DATA, TRAIN, "hard/extra.jsonl")


@pytest.fixture(scope="module")
def server() -> Iterator[Hub]:
    import huggingface_hub

    with serving(Hub()) as hub:
        yield hub
        huggingface_hub.close_session()


@pytest.fixture
def hub(server: Hub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Hub:
    """A Hub with one dataset, which nobody has asked for anything, and no token of the machine's own."""
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "token"))
    vars(server).update(vars(Hub(url=server.url, cdn=server.cdn)))
    server.commit("ada/sums", sums())
    return server


@pytest.fixture
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that would have been slept, in this order."""
    taken: list[float] = []
    monkeypatch.setattr(time, "sleep", taken.append)
    return taken


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def fetch(hub: Hub, cache: Path):
    return partial(ours.fetch, cache=cache, endpoint=hub.url, waits=(0.0, 0.0))


@pytest.fixture
def alone(cache: Path):
    """The same without a network."""
    return partial(ours.fetch, cache=cache, endpoint=NOWHERE, waits=(0.0, 0.0))


def contents(fetched: Fetched) -> dict[str, bytes]:
    """All files that are really in the folder."""
    files = (path for path in fetched.folder.rglob("*") if path.is_file())
    return {path.relative_to(fetched.folder).as_posix(): path.read_bytes() for path in files}


def read(*files: str) -> dict[str, bytes]:
    return {file: sums()[file] for file in files}


# --- Names ----------------------------------------------------------------------------------------------------


@each_of(["hub:ada/sums", "hub:", "hub:ada/sums@main:data"])
def test_what_begins_with_hub_is_on_the_hub(name):
    assert is_hub(name)


@each_of(["", "ada/sums", "./hub:ada/sums", "data/seeds", "HUB:ada/sums", " hub:ada/sums"])
def test_all_else_is_a_local_path(name):
    assert not is_hub(name)


@each_of(
    [
        *("ada/sums", "hub:", "hub:sums", "hub:ada/sums/data", "hub:datasets/ada/sums", "hub:ädä/sums"),
        *("hub:ada//sums", "hub:ada/sums@", "hub:ada/sums:", "hub:ada/sums:/", "hub:ada/sums@a b"),
        "hub:ada/sums@v1:a\nb",
    ]
)
def test_a_name_that_is_none_says_how_names_are_written(name):
    with pytest.raises(HubError, match="write hub:OWNER/NAME"):
        ours.fetch(name, endpoint=NOWHERE)


@settings(max_examples=20, deadline=None)
@given(st.one_of(st.text(), st.from_regex(r"\A[\w.-]{1,120}/[\w.-]{1,120}(@[^\s:]{1,9})?(:.{1,9})?\Z")))
def test_whatever_the_name_the_error_is_one_line(tmp_path_factory, text):
    cache = tmp_path_factory.getbasetemp() / "never"
    with pytest.raises(HubError) as error:
        ours.fetch(f"hub:{text}", cache=cache, endpoint=NOWHERE, waits=())
    assert len(str(error.value).splitlines()) == 1


# --- Files ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "files"),
    [
        ("", READ),
        (":data", (DATA, TRAIN)),
        (":data/", (DATA, TRAIN)),
        (":data/test-*", (DATA,)),
        (":*/test-*", (DATA,)),
        (f":{DATA}", (DATA,)),
        (":hard/extra", ("hard/extra.jsonl",)),
        (":hard", ("hard/extra.jsonl",)),
        (":*.jsonl", ("hard/extra.jsonl",)),
    ],
)
def test_a_name_means_these_files_and_the_folder_holds_no_others(fetch, path, files):
    fetched = fetch(f"hub:ada/sums{path}")
    assert fetched.files == files
    assert contents(fetched) == read(*files)


@pytest.mark.parametrize("revision", ["main", "v1.0", "refs/pr/3", "feature/a@b", "sha"])
def test_revisions_are_branches_tags_references_and_commits(hub, fetch, revision):
    old = hub.commit("ada/sums", {}, ref="v1.0")
    sha = hub.commit("ada/sums", {"hard/extra.jsonl": jsonl(revision)}, ref="x" if revision == "sha" else revision)
    fetched = fetch(f"hub:ada/sums@{sha if revision == 'sha' else revision}:hard")
    assert fetched.revision == sha != old
    assert contents(fetched) == {"hard/extra.jsonl": jsonl(revision)}


def test_a_second_time_nothing_is_downloaded(hub, fetch):
    first = fetch("hub:ada/sums")
    before = hub.count("tree", "head", "file", "cdn")
    assert fetch("hub:ada/sums") == first
    assert hub.count("tree", "head", "file", "cdn") == before == 1 + 3 + 1 + 2


def test_a_new_commit_gives_a_new_folder_and_leaves_the_old(hub, fetch):
    old = fetch("hub:ada/sums:hard")
    hub.commit("ada/sums", {"hard/extra.jsonl": jsonl("harder")})
    new = fetch("hub:ada/sums:hard")
    assert contents(old) == read("hard/extra.jsonl")
    assert contents(new) == {"hard/extra.jsonl": jsonl("harder")}


def test_the_digest_of_the_folder_does_not_tell_what_else_was_fetched(hub, fetch, tmp_path):
    fetched = fetch("hub:ada/sums:data/test-*")
    digest = artifact(fetched.folder).digest
    fetch("hub:ada/sums")
    assert fetch("hub:ada/sums:data/test-*") == fetched
    elsewhere = fetch("hub:ada/sums:data/test-*", cache=tmp_path / "other")
    assert artifact(fetched.folder).digest == artifact(elsewhere.folder).digest == digest


def test_where_no_cache_is_given_downloads_stay_in_the_librarys_own(hub, monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "blobs"))
    fetched = ours.fetch("hub:ada/sums", endpoint=hub.url)
    assert contents(fetched) == read(*READ)
    assert fetched.folder.is_relative_to(tmp_path / "home" / "thoughtmill")
    assert (tmp_path / "blobs" / "datasets--ada--sums").is_dir()


def test_long_lists_come_in_pages(hub, fetch):
    hub.page = 2
    assert fetch("hub:ada/sums").files == READ


def test_a_dataset_that_moved_is_found(hub, fetch):
    hub.moved["sums/old"] = "ada/sums"
    assert contents(fetch("hub:sums/old")) == read(*READ)


def test_compressed_json_lines_stay_as_they_are(hub, fetch):
    hub.commit("ada/zipped", {"a.jsonl.gz": b"\x1f\x8b..."})
    assert contents(fetch("hub:ada/zipped")) == {"a.jsonl.gz": b"\x1f\x8b..."}


def test_what_is_left_out_is_told(hub, fetch):
    hub.commit("ada/sums", {"data/rest.csv": b"problem\n"})
    assert fetch("hub:ada/sums:data").notes == ("left out, being neither Parquet nor JSON lines: data/rest.csv",)
    assert fetch("hub:ada/sums:hard").notes == ()


def test_a_folder_that_lost_files_is_mended(fetch):
    fetched = fetch("hub:ada/sums")
    (fetched.folder / DATA).unlink()
    assert contents(fetch("hub:ada/sums")) == read(*READ)


def test_several_at_once_do_not_disturb_each_other(fetch):
    with ThreadPoolExecutor(4) as threads:
        fetched = [*threads.map(fetch, ["hub:ada/sums"] * 4)]
    assert len(set(fetched)) == 1
    assert contents(fetched[0]) == read(*READ)


# --- As others read it ----------------------------------------------------------------------------------------


def test_benchmarks_are_read_with_their_splits_as_names(fetch):
    items = benchmarks.read(fetch("hub:ada/sums").folder)
    assert [(item.file, item.number) for item in items] == [(file, number) for file in READ for number in range(3)]
    assert [item.question for item in items[:3]] == [row["problem"] for row in rows("test")]


def test_the_datasets_library_reads_the_same_rows(fetch, tmp_path):
    from datasets import load_dataset

    loaded = load_dataset(str(fetch("hub:ada/sums:data").folder), cache_dir=str(tmp_path / "loaded"))
    assert {split: list(loaded[split]) for split in loaded} == {"test": rows("test"), "train": rows("train")}


# --- Other formats --------------------------------------------------------------------------------------------


@pytest.fixture
def converted(hub: Hub) -> str:
    """A dataset in CSV, and the sha of what the Hub made of it."""
    hub.commit("ada/csv", {"README.md": b"", "test.csv": b"problem\n"})
    made = {"default/test/0000.parquet": sums()[DATA], "default/partial-train/0000.parquet": sums()[TRAIN]}
    return hub.commit("ada/csv", made, ref="refs/convert/parquet")


def test_where_nothing_can_be_read_the_converted_branch_is(fetch, converted):
    fetched = fetch("hub:ada/csv")
    assert fetched.revision == converted
    assert contents(fetched) == {
        "default/partial-train/0000.parquet": sums()[TRAIN],
        "default/test/0000.parquet": sums()[DATA],
    }
    assert fetched.notes == (
        "converted to Parquet by the Hub (refs/convert/parquet) from test.csv",
        "the Hub converted only the first part of: default/partial-train/0000.parquet",
    )


def test_a_path_then_is_one_of_the_converted_branch(fetch, converted):
    assert fetch("hub:ada/csv:default/test").files == ("default/test/0000.parquet",)
    with pytest.raises(
        HubError, match=r"no .* in hub:ada/csv@refs/convert/parquet:dev; it has default/partial-train"
    ):
        fetch("hub:ada/csv:dev")


def test_the_converted_branch_is_not_taken_for_another_revision(hub, fetch, converted):
    sha = hub.repos["ada/csv"].refs["main"]
    with pytest.raises(HubError, match="converts only `main`: leave out the revision"):
        fetch(f"hub:ada/csv@{sha}")


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({"README.md": b""}, "it has README.md. Nor has the Hub converted it to Parquet"),
        ({"all.json": b"[]"}, "it has all.json. Nor has"),
        ({"code.py": b""}, r"loading script \(code.py\) cannot be read"),
        ({}, "it has no files"),
        ({".a/b.jsonl": b"{}"}, "it has .a/b.jsonl"),
        ({f"{number:02}.txt": b"" for number in range(20)}, "06.txt, 07.txt and 12 more"),
    ],
)
def test_a_dataset_without_data_says_what_it_has(hub, fetch, files, told):
    hub.commit("ada/code", files)
    with pytest.raises(HubError, match=told):
        fetch("hub:ada/code")


def test_a_path_without_data_says_where_there_are_some(fetch):
    with pytest.raises(HubError, match=r"in hub:ada/sums@main:dat; it has data/test.*, hard/extra.jsonl$"):
        fetch("hub:ada/sums:dat")


# --- Faults ---------------------------------------------------------------------------------------------------


KINDS = ("info", "tree", "head", "cdn", "file")


@pytest.mark.parametrize(("kind", "fault"), [*product(KINDS, ("429", "cut")), ("info", "500"), ("tree", "503")])
def test_a_fault_that_passes_changes_nothing(hub, fetch, naps, kind, fault):
    hub.commit("ada/long", {"long.jsonl": jsonl("long", 3_000), "large.parquet": sums()[DATA]})
    hub.schedule[kind] = [fault, fault]
    fetched = fetch("hub:ada/long")
    assert not hub.schedule[kind]
    assert contents(fetched) == hub.repos["ada/long"].commits[fetched.revision]
    assert fetched.notes == ()


def test_of_a_file_that_was_cut_only_the_rest_is_sent_again(hub, fetch, naps, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 1_000)
    whole = jsonl("long", 3_000)
    hub.commit("ada/long", {"long.jsonl": whole})
    hub.schedule["file"] = ["cut"]
    assert contents(fetch("hub:ada/long")) == {"long.jsonl": whole}
    assert hub.count("file") == 2
    assert len(whole) <= hub.sent < 1.1 * len(whole)


STAYS = {
    "401": r"refuses the token for hub:ada/sums@main \(401\): set HF_TOKEN",
    "403": r"refuses the token for hub:ada/sums@main \(403\): set HF_TOKEN",
    "429": r"the Hub answers 429 for hub:ada/sums@main: try again later",
    "500": r"the Hub answers 500 for hub:ada/sums@main: try again later",
    "cut": r"no Hub can be reached for hub:ada/sums@main",
}


@pytest.mark.parametrize(
    ("kind", "fault"), [*product(("info", "cdn"), STAYS), ("tree", "500"), ("head", "429"), ("file", "cut")]
)
def test_a_fault_that_stays_is_told_in_one_line(hub, fetch, naps, kind, fault):
    hub.schedule[kind] = [fault] * 100
    with pytest.raises(HubError, match=f"^.*{STAYS[fault]}.*$"):
        fetch("hub:ada/sums")


def test_a_page_that_wants_a_login_is_no_hub(hub, fetch):
    hub.schedule["info"] = ["html"]
    with pytest.raises(HubError, match="does this network want a login"):
        fetch("hub:ada/sums")


@pytest.mark.parametrize(("told", "waited"), [(0, 2.0), (7, 7.0), (100_000, hub_errors.LONGEST)])
def test_the_hub_says_how_long_to_wait_up_to_a_limit(hub, fetch, naps, told, waited):
    hub.retry_after, hub.schedule["info"] = told, ["429"]
    fetch("hub:ada/sums", waits=(2.0,))
    assert naps == [waited]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        (
            "hub:ada/none",
            "no dataset ada/none on the Hub, or a private one: mend the name, or set HF_TOKEN",
        ),
        ("hub:ada/none@v1:data", "no dataset ada/none"),
        ("hub:ada/sums@v9", "no revision 'v9' of ada/sums: give a branch, a tag or the whole sha"),
        (f"hub:ada/sums@{'0' * 40}", "no revision '0000"),
        ("hub:ada/a--b", "'ada/a--b' is no name of a dataset"),
    ],
)
def test_what_is_not_there_is_told_in_one_line(fetch, name, told):
    with pytest.raises(HubError, match=f"^{told}.*$"):
        fetch(name)


@pytest.mark.parametrize("name", ["/tmp/out.jsonl", "a\\..\\..\\out.jsonl", "C:\\out.jsonl"])
def test_a_file_may_not_lead_out_of_the_folder(hub, fetch, name):
    hub.commit("ada/evil", {name: b"{}\n"})
    with pytest.raises(HubError):
        fetch("hub:ada/evil")


def test_a_file_above_the_dataset_is_nobodys_data(hub, fetch, cache):
    hub.commit("ada/evil", {"../../out.jsonl": b"{}\n", "in\n.jsonl": b"{}\n"})
    assert fetch("hub:ada/evil").files == ("in\n.jsonl",)
    assert not list(cache.rglob("out.jsonl"))


def test_a_full_disk_is_told(fetch, monkeypatch):
    def full(*given: object, **more: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("huggingface_hub.file_download.http_get", full)
    with pytest.raises(HubError, match=r"^no space left for hub:ada/sums@main in .*cache/hub: free some"):
        fetch("hub:ada/sums")


def test_a_cache_that_cannot_be_written_is_told(fetch, cache):
    cache.write_text("a file")
    with pytest.raises(HubError, match=r"^hub:ada/sums@main .* in .*cache/hub"):
        fetch("hub:ada/sums")


def test_without_the_library_the_way_out_is_told(fetch, monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(HubError, match=r"pip install 'thoughtmill\[datasets\]'"):
        fetch("hub:ada/sums")


# --- Tokens ---------------------------------------------------------------------------------------------------


@pytest.fixture
def private(hub: Hub) -> str:
    hub.commit("ada/secret", sums())
    hub.repos["ada/secret"].private = True
    return "hub:ada/secret"


def test_the_token_of_the_environment_opens_a_private_dataset(hub, fetch, private, monkeypatch):
    with pytest.raises(HubError, match="or a private one"):
        fetch(private)
    monkeypatch.setenv("HF_TOKEN", hub.token)
    assert contents(fetch(private)) == read(*READ)


def test_the_token_of_a_login_does_too(hub, fetch, private, tmp_path):
    (tmp_path / "token").write_text(hub.token)
    assert fetch(private).files == READ


def test_the_token_goes_nowhere_else(hub, fetch, private, monkeypatch, cache):
    monkeypatch.setenv("HF_TOKEN", hub.token)
    fetched = fetch(private)
    assert {seen.token for seen in hub.seen if seen.kind == "cdn"} == {None}
    assert hub.token not in repr(fetched)
    assert not [path for path in cache.rglob("*") if path.is_file() and hub.token.encode() in path.read_bytes()]


@pytest.mark.parametrize("token", ["hf_wrong", "hf_wröng", "hf_\x01wrong"])
def test_a_wrong_token_is_refused_and_not_shown(fetch, private, monkeypatch, token, capfd, naps):
    monkeypatch.setenv("HF_TOKEN", token)
    with pytest.raises(HubError) as error:
        fetch(private)
    assert token not in f"{error.value}{capfd.readouterr()}"


def test_a_gated_dataset_says_where_to_ask(hub, fetch, monkeypatch):
    hub.repos["ada/sums"].gated = True
    with pytest.raises(HubError, match="is gated: ask for access on its page, then set HF_TOKEN"):
        fetch("hub:ada/sums")
    monkeypatch.setenv("HF_TOKEN", hub.token)
    assert fetch("hub:ada/sums").files == READ


# --- Without a network ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["hub:ada/sums", "hub:ada/sums:data", "hub:ada/csv"])
def test_what_was_fetched_is_found_again_and_told_to_be_old(fetch, alone, converted, name):
    fetched = fetch(name)
    again = alone(name)
    stale, *notes = again.notes
    assert stale == "the Hub could not be asked (ConnectError): this is the commit that it had when last asked"
    assert again._replace(notes=tuple(notes)) == fetched


def test_a_whole_sha_is_never_old(fetch, alone):
    sha = fetch("hub:ada/sums").revision
    assert alone(f"hub:ada/sums@{sha}").notes == fetch("hub:ada/sums").notes


def test_offline_mode_is_no_network(fetch, monkeypatch):
    fetched = fetch("hub:ada/sums")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert fetch("hub:ada/sums")[:3] == fetched[:3]
    with pytest.raises(HubError, match=r"no Hub can be reached for hub:ada/csv@main .OfflineModeIsEnabled."):
        fetch("hub:ada/csv")


def test_a_broken_hub_is_no_network_either(hub, fetch, naps):
    fetched = fetch("hub:ada/sums")
    hub.schedule["info"] = ["503"] * 3
    again = fetch("hub:ada/sums")
    assert again[:3] == fetched[:3]
    assert "it answers 503" in again.notes[0]


def test_a_refused_token_is_not_answered_from_the_cache(hub, fetch):
    fetch("hub:ada/sums")
    hub.schedule["info"] = ["401"]
    with pytest.raises(HubError, match="refuses the token"):
        fetch("hub:ada/sums")


def test_what_was_never_fetched_is_not_to_be_had(alone):
    with pytest.raises(HubError, match=r"no Hub can be reached .*ConnectError.* holds no whole copy"):
        alone("hub:ada/sums")


def test_a_part_is_not_taken_for_the_whole(fetch, alone, naps):
    fetch("hub:ada/sums:data")
    assert alone("hub:ada/sums:data/test-*").files == (DATA,)
    with pytest.raises(HubError, match="holds no whole copy"):
        alone("hub:ada/sums")


def test_files_that_others_put_into_the_cache_are_not_taken_for_all(hub, fetch, alone, cache):
    from huggingface_hub import hf_hub_download

    hf_hub_download("ada/sums", DATA, repo_type="dataset", endpoint=hub.url, cache_dir=cache / "hub")
    with pytest.raises(HubError, match="holds no whole copy"):
        alone("hub:ada/sums")
    assert contents(fetch("hub:ada/sums")) == read(*READ)


# --- The server itself ----------------------------------------------------------------------------------------


def test_the_server_keeps_old_commits_and_takes_files_away(hub):
    from huggingface_hub import HfApi

    first, second = hub.repos["ada/sums"].refs["main"], hub.commit("ada/sums", {TRAIN: None})
    api = HfApi(endpoint=hub.url)
    listed = partial(api.list_repo_files, "ada/sums", repo_type="dataset")
    assert sorted(listed(revision=first)) == sorted(sums())
    assert sorted(listed()) == sorted(listed(revision=second)) == sorted(set(sums()) - {TRAIN})


def test_the_server_gives_the_same_commits_for_the_same_files():
    made = [Hub().commit("ada/sums", sums()), Hub().commit("ada/sums", dict(reversed(sums().items())))]
    other = [Hub().commit("ada/sums", {**sums(), DATA: b""}), Hub().commit("ada/other", sums())]
    assert len(set(made)) == 1
    assert len({*made, *other}) == 3
