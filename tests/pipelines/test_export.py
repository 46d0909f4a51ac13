"""An export is what a trainer loads: complete or not there, always the same, and honest about what it left out."""

from __future__ import annotations

import errno
import runpy
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import datasets
import orjson
import pyarrow.parquet as pq
import pytest

from pipelines import export as exports
from pipelines.export import Exported, export, share
from pipelines.formats import files
from pipelines.formats.rows import kind_of
from pipelines.formats.table import CONSUMERS, FORMATS
from pipelines.records import Fact, to_table
from pipelines.store import KINDS, DiskFull, to_parquet
from pipelines.views.table import VIEWS
from tests.each import each_of
from tests.pipelines.test_views_laws import HIDDEN, a_world, accepted, asked, checked, rows_in, told, tried
from tests.small import tree

KIND_OF = {name: kind_of(view.schema().names) for name, view in VIEWS.items()}
PAIRS = [(to, view) for to, kinds in CONSUMERS.items() for view in VIEWS if KIND_OF[view] in kinds]
"""Every consumer with every view that it takes."""


SOME = [
    *[("trl", "judge"), ("trl-messages", "sft"), ("verl", "twins"), ("openrlhf", "step_preference")],
    *[("open-instruct", "preference"), ("nemo-rl", "judge_preference"), ("skyrl", "rl"), ("llama-factory", "turns")],
    *[("llama-factory-alpaca", "planned"), ("axolotl", "process"), ("openr1", "offline"), ("nemotron", "critique")],
    ("verl", "mixed"),
    *[("verifiers", "forms"), ("trl", "instances"), ("trl", "continued"), ("llama-factory", "continued")],
    *[("axolotl", "thought_preference"), ("llama-factory", "revised")],
    *[("verl", "pool"), ("axolotl", "generator"), ("verl", "curriculum")],
    *[("nemotron", "tests"), ("trl", "tests_preference"), ("axolotl", "repairs"), ("llama-factory", "repairs_rl")],
]
"""Each consumer and each view, most of them once."""


def write_version(folder: Path, facts: Iterable[Fact]) -> Path:
    """A version that holds these facts, and nothing else that a release would write."""
    there = list(facts)
    (folder / "facts").mkdir(parents=True)
    for name, kind in KINDS.items():
        table = to_table(kind, [fact for fact in there if isinstance(fact, kind)])
        (folder / "facts" / f"{name}.parquet").write_bytes(to_parquet(table))
    return folder


@pytest.fixture(scope="module")
def facts(tmp_path_factory: pytest.TempPathFactory) -> list[Fact]:
    """Something of every kind that views look for."""
    return a_world(tmp_path_factory.mktemp("facts"))


@pytest.fixture(scope="module")
def world(facts: list[Fact], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_version(tmp_path_factory.mktemp("world") / "world" / "v2", facts)


@pytest.fixture(scope="module")
def rows(facts: list[Fact]) -> dict[str, list[dict[str, Any]]]:
    """What the views give."""
    return rows_in(facts)


def solved(draw: int, question: str) -> list[Fact]:
    """A problem that was solved right and wrong."""
    of = asked(draw, question, answer="4", verifier="math")
    attempts = [tried(of, f"So \\boxed{{{said}}}.", sample) for sample, said in enumerate((4, 5, 4))]
    verdicts = [
        fact for each, right in zip(attempts, (1, 0, 1), strict=True) for fact in checked(each, _status(right))
    ]
    return [of, accepted(of), *verdicts, told(of, "pass_rate@2", score=0.5, context={"n": 3})]


def _status(right: int) -> Any:
    return "pass" if right else "fail"


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty problems, of which every third asks the same as the one before."""
    questions = [f"What is 2 plus 2? ({n - (n % 3 == 2)})" for n in range(60)]
    facts = [fact for draw, question in enumerate(questions) for fact in solved(draw, question)]
    return write_version(tmp_path_factory.mktemp("many") / "many" / "v1", facts)


# --- Everything that can be exported --------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("pairs", [SOME, pytest.param(PAIRS, marks=pytest.mark.slow)], ids=["some", "all"])
def test_every_row_of_a_view_is_in_a_file_or_counted(
    world: Path, rows: dict[str, Any], tmp_path: Path, pairs: list[tuple[str, str]]
):
    for to, view in pairs:
        told = export(world, tmp_path / to / view, view=view, to=to)
        into = sum(len(row["generations"]) for row in read(told.folder)) if to == "openr1" else told.rows
        assert into + sum(told.left_out.values()) == len(rows[view]) > 0, (to, view)
        assert sorted(path.name for path in told.folder.iterdir()) == told.files
        says_how_to_train(told, f"# world@v2: `{view}` for {to}\n")
        if view != "planned":  # its answers are the plans that are hidden elsewhere
            assert HIDDEN not in str(read(told.folder)), (to, view)


def says_how_to_train(told: Exported, title: str) -> None:
    text = (told.folder / "README.md").read_text()
    assert text.startswith(title)
    assert "## Train" in text
    assert all(reason in text for reason in told.left_out)
    assert f"{told.longest_prompt:,} characters" in text


def read(out: Path, split: str = "train") -> list[dict[str, Any]]:
    path = next(out.glob(f"{split}.*"))
    if path.suffix == ".jsonl":
        return [orjson.loads(line) for line in path.read_bytes().splitlines()]
    return pq.read_table(path).to_pylist()


def test_some_pairs_are_all_consumers_and_all_views():
    assert {to for to, _ in SOME} == CONSUMERS.keys()
    assert {view for _, view in SOME} == VIEWS.keys()
    assert set(SOME) <= set(PAIRS)


@pytest.mark.parametrize("to", ["verl", "openrlhf"])
def test_the_library_that_trainers_use_reads_what_was_written(many: Path, tmp_path: Path, to: str):
    told = export(many, tmp_path / "out", view="rl", to=to, split=0.5)
    for split, count in told.splits.items():
        path = next(told.folder.glob(f"{split}.*"))
        kind = {".parquet": "parquet", ".jsonl": "json"}[path.suffix]
        loaded = datasets.load_dataset(kind, data_files=str(path), split="train", cache_dir=str(tmp_path / "cache"))
        assert isinstance(loaded, datasets.Dataset)
        assert loaded.column_names == FORMATS[to, "rl"].schema().names
        assert loaded.to_list() == read(told.folder, split)
        assert loaded.num_rows == count > 0


def test_parquet_is_as_plain_as_its_schema_says(many: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(files, "GROUP_BYTES", 20_000)
    monkeypatch.setattr(files, "ROWS_AT_ONCE", 7)
    export(many, tmp_path / "out", view="sft", to="trl")
    file = pq.ParquetFile(tmp_path / "out" / "train.parquet")
    assert file.schema_arrow == FORMATS["trl", "messages"].schema()
    assert b"huggingface" not in (file.metadata.metadata or {})
    assert file.metadata.num_row_groups > 1
    groups = [file.metadata.row_group(n).num_rows for n in range(file.metadata.num_row_groups)]
    monkeypatch.setattr(files, "ROWS_AT_ONCE", 50)
    export(many, tmp_path / "again", view="sft", to="trl")
    again = pq.ParquetFile(tmp_path / "again" / "train.parquet").metadata
    assert [again.row_group(n).num_rows for n in range(again.num_row_groups)] == groups  # however rows were gathered


def test_the_same_version_is_the_same_bytes(many: Path, tmp_path: Path):
    for to, view in [("trl", "sft"), ("openrlhf", "rl")]:
        first, second = tmp_path / to / "1", tmp_path / to / "2"
        export(many, first, view=view, to=to, split=0.2)
        export(many, second, view=view, to=to, split=0.2)
        assert tree(first) == tree(second)


def test_rows_keep_their_split_and_place(many: Path, tmp_path: Path):
    made = export(many, tmp_path / "out", view="rl", to="verl", split=0.4)
    for split in ("train", "test"):
        told = [row["extra_info"] for row in read(made.folder, split)]
        assert [each["index"] for each in told] == list(range(len(told)))
        assert {each["split"] for each in told} == {split}
    prompts = [row["prompt"] for split in made.splits for row in read(made.folder, split)]
    assert made.longest_prompt == max(sum(len(said["content"]) for said in prompt) for prompt in prompts) > 0


def test_the_rewards_beside_the_data_reward_its_own_answers(many: Path, tmp_path: Path):
    export(many, tmp_path / "out", view="rl", to="verl")
    score = runpy.run_path(str(tmp_path / "out" / "reward.py"))["compute_score"]
    row = read(tmp_path / "out")[0]
    truth = row["reward_model"]["ground_truth"]
    for response, reward in ((f"\\boxed{{{truth}}}", 1.0), ("\\boxed{77}", 0.0)):
        assert score(row["data_source"], response, truth, row["extra_info"])["score"] == reward


def test_what_a_consumer_cannot_check_is_counted_and_told(many: Path, tmp_path: Path):
    """The prompts here ask for a box in words, which nobody's scorer could rely on."""
    told = export(many, tmp_path / "out", view="rl", to="nemo-rl")
    reason = "NeMo-RL reads the answer in a box, and the prompt asks for none"
    assert (told.rows, told.left_out) == (0, {reason: 60})
    assert f"| {reason} | 60 |" in (told.folder / "README.md").read_text()


# --- The split ------------------------------------------------------------------------------------------------


def problems_of(out: Path, split: str) -> set[str]:
    return {row["problem_id"] for row in read(out, split)}


def test_no_problem_is_on_both_sides_and_all_views_agree(many: Path, tmp_path: Path):
    """By problem, so that attempts stay together; and a question that was asked twice is one problem."""
    sides: list[list[set[str]]] = []
    for to, view in [("trl", "sft"), ("trl", "offline"), ("trl", "rl")]:
        export(many, tmp_path / view, view=view, to=to, split=0.3)
        sides.append([problems_of(tmp_path / view, split) for split in ("train", "test")])
    train, test = sides[0]
    assert all(each == [train, test] for each in sides)
    assert not train & test
    assert 6 < len(test) < 30
    asked_in = [{row["prompt"][0]["content"] for row in read(tmp_path / "rl", split)} for split in ("train", "test")]
    assert not asked_in[0] & asked_in[1]


def test_a_later_version_holds_out_what_an_earlier_one_did(many: Path, tmp_path: Path):
    later = [fact for draw in range(60, 70) for fact in solved(draw, f"What is 1 plus 3? ({draw})")]
    earlier = [fact for draw in range(5) for fact in solved(draw, f"What is 0 plus 4? ({draw})")]
    held: list[set[str]] = []
    for name, facts in (("v1", earlier), ("v2", [*earlier, *later])):
        version = write_version(tmp_path / "data" / name, facts)
        export(version, tmp_path / name, view="rl", to="trl", split=0.5)
        held.append(problems_of(tmp_path / name, "test"))
    first = {fact.id for fact in earlier}
    assert held[1] & first == held[0]


def test_both_forms_of_an_item_stay_together(tmp_path: Path):
    facts: list[Fact] = []
    for draw in range(30):
        item = asked(draw, f"Which? ({draw})", answer="4", verifier="math")
        more = {"details": {"item": item.id, "format": "choice"}, "answer": "A", "verifier": "choice"}
        facts += [item, accepted(item), asked(draw, f"(A) or (B)? ({draw})", kind="form", **more)]
    version = write_version(tmp_path / "forms" / "v1", facts)
    export(version, tmp_path / "out", view="forms", to="trl", split=0.4)
    sides = [Counter(number_in(row) for row in read(tmp_path / "out", split)) for split in ("train", "test")]
    assert not sides[0].keys() & sides[1].keys()
    assert all(set(side.values()) == {2} for side in sides)


def number_in(row: dict[str, Any]) -> str:
    """What stands in brackets at the end of a question."""
    return row["prompt"][0]["content"].rpartition("(")[2]


def test_another_seed_holds_out_others_and_the_share_is_about_right():
    problems = [f"{n:032x}" for n in range(2_000)]
    held = [{problem for problem in problems if share(problem, seed) < 0.2} for seed in (0, 1)]
    assert held[0] != held[1]
    assert all(300 < len(each) < 500 for each in held)


# --- Bad parameters, and faults -------------------------------------------------------------------------------


@each_of(
    [
        ({"view": "stf"}, "no view 'stf'; there are: sft"),
        ({"to": "vrel"}, "no consumer 'vrel'; there are: trl"),
        ({"to": "skyrl"}, "skyrl has no use for sft; it takes: rl, pool, curriculum, forms, judge"),
        ({"split": 1.0}, "split is the share of problems to test on, at least 0 and below 1, not 1.0"),
        ({"split": -0.1}, "not -0.1"),
    ]
)
def test_a_bad_parameter_is_one_clear_line(change: dict[str, Any], message: str):
    asked = {"view": "sft", "to": "trl", **change}
    with pytest.raises(ValueError) as caught:
        export(Path("nowhere"), Path("nowhere/out"), **asked)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not Path("nowhere").exists()


def test_a_folder_with_something_in_it_is_left_alone(many: Path, tmp_path: Path):
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "notes.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    before = tree(tmp_path)
    for name in ("there", "file"):
        with pytest.raises(ValueError, match="exists already; name a new folder"):
            export(many, tmp_path / name, view="rl", to="trl")
    assert tree(tmp_path) == before


def test_an_empty_folder_will_do(many: Path, tmp_path: Path):
    (tmp_path / "out").mkdir()
    assert export(many, tmp_path / "out", view="rl", to="trl").rows == 60


@pytest.mark.parametrize("fails", ["write", "_readme"])
def test_what_fails_leaves_nothing_behind(many: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: str):
    def full(*parts: Any, **named: Any) -> Any:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(exports, fails, full)
    with pytest.raises(DiskFull, match="no space left"):
        export(many, tmp_path / "out", view="rl", to="trl", split=0.5)
    assert list(tmp_path.iterdir()) == []


def test_a_view_without_rows_is_said_to_have_none(tmp_path: Path):
    version = write_version(tmp_path / "none" / "v1", [])
    told = export(version, tmp_path / "out", view="sft", to="verl", split=0.5)
    assert told == Exported(tmp_path / "out", 0, {"train": 0, "test": 0}, {}, told.files, 0)
    assert pq.read_table(tmp_path / "out" / "test.parquet").schema == FORMATS["verl", "messages"].schema()


def test_texts_of_any_kind_arrive_as_they_are(tmp_path: Path):
    strange = '\u0000\u2028\U0001f600e\u0301 <|im_end|> \t\r\n{{x}} {% raw %} ""' + "long " * 50_000
    of = asked(0, strange, answer="4", verifier="math")
    version = write_version(tmp_path / "d" / "v1", [of, accepted(of), *checked(tried(of, strange), "pass")])
    for to, column in (("trl", "completion"), ("openrlhf", "messages")):
        export(version, tmp_path / to, view="sft", to=to)
        assert [row[column][-1]["content"] for row in read(tmp_path / to)] == [strange]
