"""Near-duplicates by MinHash: the rule, the same over a stream, and the index that stays on disk."""

import errno
import random
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters import lsh_table, signature_files
from filters import near_duplicates as near
from filters.near_duplicates import (
    Duplicate,
    Index,
    Questions,
    Scheme,
    near_duplicates,
    not_near_duplicate,
    open_index,
)
from filters.rule import Case, Memory, Ruling
from tests.filters.cases import task

EARLIER = (
    "A baker sells 12 loaves of bread on Monday and 15 on Tuesday, and each loaf costs 3 dollars. "
    "How many dollars does he earn on both days, if he pays 2 dollars for the flour of every loaf?"
)

vocabulary = ["the", "a", "of", "how", "many", "apples", "bread", "1", "2"]
sentences = st.lists(st.sampled_from(vocabulary), max_size=9).map(" ".join)
streams = st.lists(sentences | st.text(max_size=12), max_size=40)


def templated(count: int, seed: int = 1) -> list[str]:
    """Texts of which many are alike: some sentences out of few, with numbers."""
    chance = random.Random(seed)
    parts = [
        f"Person {i} buys some of the {i} apples that shop number {i * 7} sells on day {i % 5}." for i in range(12)
    ]
    return [
        " ".join([*chance.choices(parts, k=3), f"How many are left of {chance.randrange(5)}?"]) for _ in range(count)
    ]


def in_turn(texts: Sequence[str], **parameters: Any) -> list[Ruling]:
    """What the rule says of each, when those that pass stay."""
    return judged(not_near_duplicate(**parameters), texts)


def judged(memory: Memory, texts: Sequence[str]) -> list[Ruling]:
    said = []
    for text in texts:
        said.append(memory.judge(Case(task(text))))
        if said[-1].status == "pass":
            memory.remember(text)
    return said


# --- The rule -------------------------------------------------------------------------------------------------


def test_a_changed_number_is_a_near_duplicate():
    memory = not_near_duplicate()
    memory.remember("Something else entirely, about trains and how late they are.")
    memory.remember(EARLIER)
    ruling = memory.judge(Case(task(EARLIER.replace("12", "13"))))
    assert ruling.status == "fail"
    assert ruling.score == 34 / 40  # of 37 three-word groups in each text, 3 differ
    assert ruling.context == {"pool": 2}
    assert ruling.evidence["nearest"] == EARLIER
    assert ruling.evidence["row"] == 1
    assert abs(ruling.evidence["estimated"] - ruling.score) < 0.15


def test_sentences_may_stand_elsewhere():
    first, second = EARLIER.split(". ")
    memory = not_near_duplicate()
    memory.remember(EARLIER)
    assert memory.judge(Case(task(f"{second} {first}."))).status == "fail"


@pytest.mark.parametrize("other", ["", "?", "How many dollars does he earn?", EARLIER[:60], "A baker sells nothing."])
def test_what_shares_little_passes(other: str):
    memory = not_near_duplicate()
    memory.remember(EARLIER)
    assert memory.judge(Case(task(other))).status == "pass"


def test_texts_without_words_are_not_alike():
    memory = not_near_duplicate()
    memory.remember("$+$")
    assert memory.judge(Case(task("$+$"))) == Ruling("pass", score=0.0, context={"pool": 1})


def test_the_threshold_itself_is_different_enough():
    memory = not_near_duplicate(at_most=0.5, ngram=1)
    memory.remember("a b c d")
    assert memory.judge(Case(task("a b c d e f g h"))).score == 0.5
    assert memory.judge(Case(task("a b c d e f g h"))).status == "pass"
    assert memory.judge(Case(task("a b c d e f g"))).status == "fail"


@pytest.mark.parametrize("wrong", [{"at_most": 0}, {"at_most": 1.0}, {"ngram": 0}, {"permutations": 4}])
def test_parameters_that_cannot_be(wrong: dict[str, Any]):
    with pytest.raises(ValueError, match="not_near_duplicate"):
        not_near_duplicate(**wrong)


def test_of_alike_texts_the_earliest_is_named():
    memory = not_near_duplicate()
    memory.remember(EARLIER)
    memory.remember(EARLIER)
    assert memory.judge(Case(task(EARLIER))).evidence["row"] == 0


# --- A stream -------------------------------------------------------------------------------------------------


def as_duplicates(rulings: Sequence[Ruling]) -> list[tuple[int, int, float | None]]:
    stayed = [place for place, ruling in enumerate(rulings) if ruling.status == "pass"]
    failed = [(place, ruling) for place, ruling in enumerate(rulings) if ruling.status == "fail"]
    return [(place, stayed[ruling.evidence["row"]], ruling.score) for place, ruling in failed]


def found_in(texts: Sequence[str], **parameters: Any) -> list[tuple[int, int, float]]:
    return [(each.place, each.earlier, each.exact) for each in near_duplicates(texts, processes=1, **parameters)]


@given(streams)
@settings(deadline=None, max_examples=25)
def test_a_stream_is_judged_as_the_rule_judges_in_turn(texts: list[str]):
    assert found_in(texts, ngram=2) == as_duplicates(in_turn(texts, ngram=2))


@pytest.mark.parametrize(
    ("depth", "closest"),
    [(1, 8), *(pytest.param(*each, marks=pytest.mark.slow) for each in [(2, 1), (64, 2), (64, 8)])],
)
def test_so_it_is_however_it_is_cut_and_however_crowded_a_band_is(
    monkeypatch: pytest.MonkeyPatch, depth: int, closest: int
):
    monkeypatch.setattr(lsh_table, "FIRST_SIZE", 8)
    monkeypatch.setattr(lsh_table, "DEPTH", depth)
    monkeypatch.setattr(lsh_table, "CLOSEST", closest)
    texts = templated(200)
    expected = as_duplicates(in_turn(texts, at_most=0.7))
    assert 20 < len(expected) < 180
    for piece in (1, 7, 512):
        monkeypatch.setattr(near, "SIGNED", 5 * piece)
        monkeypatch.setattr(near, "PIECE", piece)
        assert found_in(texts, at_most=0.7) == expected


def test_so_it_is_where_all_are_copies_and_more_than_can_be_looked_at(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(lsh_table, "DEPTH", 4)
    texts = [f"{EARLIER} {i % 3}" for i in range(60)]
    assert found_in(texts) == as_duplicates(in_turn(texts))


def test_long_texts_are_signed_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(near, "CHARACTERS", 10)
    assert list(near._batches(["a" * 20, "b", "c" * 10, "d"])) == [["a" * 20], ["b", "c" * 10], ["d"]]


@pytest.mark.slow
def test_processes_change_nothing():
    texts = templated(1_200)
    assert list(near_duplicates(texts, processes=2)) == list(near_duplicates(texts, processes=1))


def test_copies_cost_no_memory_and_name_the_first():
    found = list(near_duplicates([EARLIER] * 1_000, processes=1))
    assert found == [Duplicate(place, 0, 1.0, 1.0) for place in range(1, 1_000)]


def test_nearly_all_edited_copies_are_found_and_nothing_else():
    """Texts of 60 random words; a copy has one word changed, so shares 55 of 61 three-word groups."""
    chance = random.Random(5)
    originals = [[f"w{chance.randrange(5_000)}" for _ in range(60)] for _ in range(500)]
    copies = [[*words[:30], "changed", *words[31:]] for words in originals]
    found = near_duplicates([" ".join(words) for words in originals + copies], processes=1)
    pairs = [(each.place, each.earlier) for each in found]
    assert pairs == [(500 + i, i) for i in range(500)]


# --- On disk --------------------------------------------------------------------------------------------------


@pytest.mark.slow
@given(st.lists(streams, max_size=4), streams)
@settings(deadline=None, max_examples=8)
def test_an_index_that_grew_in_parts_is_that_of_all_at_once(parts: list[list[str]], asked: list[str]):
    import tempfile

    at_once = Index(Scheme(ngram=2), 0.6)
    with tempfile.TemporaryDirectory() as folder:
        for part in parts:
            growing = open_index(folder, scheme=Scheme(ngram=2))
            for text in part:
                at_once.add(text, name=text)
                growing.add(text, name=text)
            assert [growing.query(text) for text in asked] == [at_once.query(text) for text in asked]
            growing.save(folder)
            assert [growing.query(text) for text in asked] == [at_once.query(text) for text in asked]
        loaded = open_index(folder, scheme=Scheme(ngram=2))
        assert len(loaded) == len(at_once)
        assert [loaded.query(text) for text in asked] == [at_once.query(text) for text in asked]


def saved(folder: Path) -> list[Path]:
    """The files of an index that was added to twice."""
    for number in range(2):
        index = open_index(folder)
        for text in templated(20, seed=number):
            index.add(text, f"row {number}")
        index.save(folder)
    return sorted(folder.iterdir())


def test_files_are_named_by_their_content_and_only_added(tmp_path: Path):
    first, second = saved(tmp_path / "a")
    assert [path.name for path in saved(tmp_path / "b")] == [first.name, second.name]
    assert first.name.startswith("000000000000-")
    assert second.name.startswith("000000000020-")
    assert open_index(tmp_path / "a").save(tmp_path / "a") is None


def test_names_come_back(tmp_path: Path):
    saved(tmp_path)
    found = open_index(tmp_path).query(templated(20, seed=1)[3])
    assert found is not None
    assert (found.number, found.name, found.exact) == (23, "row 1", 1.0)


def test_a_missing_file_is_noticed(tmp_path: Path):
    saved(tmp_path)[0].unlink()
    with pytest.raises(ValueError, match="no file goes on from row 0"):
        open_index(tmp_path)


def test_a_damaged_file_is_noticed(tmp_path: Path):
    path = saved(tmp_path)[1]
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match="is damaged"):
        open_index(tmp_path)


@pytest.mark.parametrize("scheme", [Scheme(ngram=2), Scheme(permutations=64)])
def test_another_scheme_is_refused(tmp_path: Path, scheme: Scheme):
    saved(tmp_path)
    with pytest.raises(ValueError, match="but asked for as"):
        open_index(tmp_path, scheme=scheme)


def test_a_name_may_be_any_string(tmp_path: Path):
    index = Index(Scheme(), 0.6)
    names = ["", "\0", "plain", "\ud800 half a pair", "\U0001f600"]
    for number, name in enumerate(names):
        index.add(f"{EARLIER} {number}", name)
    index.save(tmp_path)
    assert sorted(open_index(tmp_path).candidates(EARLIER)) == sorted(index.candidates(EARLIER)) == sorted(names)


# --- Saving ---------------------------------------------------------------------------------------------------


def with_more(folder: Path) -> Index:
    """The index of a folder, and one text that is not saved yet."""
    index = open_index(folder)
    index.add(EARLIER, "new")
    return index


def test_a_half_written_file_does_not_count_and_goes_with_the_next_save(tmp_path: Path):
    files = saved(tmp_path)
    (tmp_path / signature_files.PART).write_bytes(b"half")
    (tmp_path / "other.part").write_bytes(b"half")
    assert len(open_index(tmp_path)) == 40
    assert len(signature_files.read(files[0]).signatures) == 20
    with_more(tmp_path).save(tmp_path)
    assert [path.name for path in sorted(tmp_path.iterdir())] == signature_files.files(tmp_path)
    assert len(open_index(tmp_path)) == 41


class Killed(BaseException):
    """Ends a save where it stands."""


@pytest.mark.parametrize("call", ["pathlib.Path.unlink", "os.fsync", "pathlib.Path.replace"])
def test_a_save_that_is_stopped_can_be_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str):
    saved(tmp_path)
    (tmp_path / "stray.part").write_bytes(b"half")
    index = with_more(tmp_path)

    def stop(*_: object, **__: object) -> None:
        raise Killed

    with monkeypatch.context() as broken:
        broken.setattr(call, stop)
        with pytest.raises(Killed):
            index.save(tmp_path)
    assert len(open_index(tmp_path)) == 40
    index.save(tmp_path)
    assert len(open_index(tmp_path)) == 41


def test_a_killed_process_holds_no_lock_and_leaves_a_whole_folder(tmp_path: Path):
    saved(tmp_path)
    code = (
        "import os, signal, sys; from filters.near_duplicates import open_index\n"
        "index = open_index(sys.argv[1]); index.add('one two three four')\n"
        "os.fsync = lambda file: os.kill(os.getpid(), signal.SIGKILL)\n"
        "index.save(sys.argv[1])"
    )
    ended = subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    assert ended.returncode == -signal.SIGKILL
    assert (tmp_path / signature_files.PART).exists()
    with_more(tmp_path).save(tmp_path)
    assert len(open_index(tmp_path)) == 41
    assert not (tmp_path / signature_files.PART).exists()


def test_of_two_that_save_at_once_the_second_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    saved(tmp_path)
    first, second = with_more(tmp_path), with_more(tmp_path)
    write = signature_files._write

    def slowly(*arguments: Any) -> None:
        with pytest.raises(ValueError, match="another process is saving"):
            second.save(tmp_path)
        write(*arguments)

    monkeypatch.setattr(signature_files, "_write", slowly)
    first.save(tmp_path)
    assert len(open_index(tmp_path)) == 41


def test_of_two_that_were_opened_at_once_the_second_is_told(tmp_path: Path):
    saved(tmp_path)
    first, second = with_more(tmp_path), with_more(tmp_path)
    first.save(tmp_path)
    before = signature_files.files(tmp_path)
    with pytest.raises(ValueError, match="has changed since this index was opened"):
        second.save(tmp_path)
    assert signature_files.files(tmp_path) == before


def test_a_folder_that_the_index_does_not_come_from_is_left_alone(tmp_path: Path):
    saved(tmp_path / "a")
    with pytest.raises(ValueError, match="has changed"):
        with_more(tmp_path / "a").save(tmp_path / "b")
    assert signature_files.files(tmp_path / "b") == []


# --- An index of earlier datasets -----------------------------------------------------------------------------


def test_the_rule_goes_on_from_an_opened_index(tmp_path: Path):
    texts = templated(120)
    at_once = in_turn(texts, at_most=0.7)
    index, said = Index(Scheme(), 0.7), []
    for part in (texts[:50], texts[50:]):
        memory = Questions(0.7, index)
        said += judged(memory, part)
        memory.index.save(tmp_path)
        index = open_index(tmp_path, threshold=0.7)
    assert said == at_once


def test_questions_may_be_remembered_many_at_once(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("filters.near_duplicates.SIGNED", 7)
    texts = templated(60)
    together, one_by_one = (Questions(0.7, Index(Scheme(), 0.7)) for _ in range(2))
    for number, text in enumerate(texts[:40], start=1):
        together.remember(text)
        one_by_one.remember(text)
        assert len(one_by_one.index) == number  # looking enters it
    cases = [Case(task(text)) for text in texts[40:]]
    assert [together.judge(each) for each in cases] == [one_by_one.judge(each) for each in cases]


def test_disk_that_is_full_is_an_error_that_leaves_the_index_as_it_was(monkeypatch: pytest.MonkeyPatch):
    index = Index(Scheme(), 0.6)
    index.add(EARLIER, "first")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr("filters.scratch._reserve", full)
        with pytest.raises(OSError, match="No space left"):
            index.add("word " * 5 + " ".join(map(str, range(20_000))), "too long")
    assert (len(index), index.candidates(EARLIER)) == (1, ["first"])
    index.add(EARLIER, "second")
    assert index.candidates(EARLIER) == ["first", "second"]
