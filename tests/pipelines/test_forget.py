"""Forgetting: nothing that is made later holds it, every other row is what it was, and nothing is asked anew."""

from __future__ import annotations

import dataclasses
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from filters import embedding_novelty, near_duplicates, novelty
from flows.cli_house import forget as commands
from flows.make import Made
from pipelines import forget, tombstones
from pipelines.export import export
from pipelines.gc import InUse, alone, using
from pipelines.hub.publish import publish
from pipelines.purge import purge
from pipelines.records import Facts, Problem, problem
from pipelines.release import read_version, versions
from pipelines.segment import Segment
from pipelines.store import Output
from pipelines.tombstones import (
    GONE,
    NOTHING,
    QUOTES,
    Forgotten,
    Tombstone,
    Tombstones,
    append,
    blotted_evidence,
    honoured,
    read_stones,
    refuse_forgotten,
    text_digest,
    text_digests,
)
from tests.each import each_of
from tests.small import Site, attempts, problems, verdicts
from tests.versions import SEED, candidate, together, told, write_version


def rows(made: Made) -> list[Problem]:
    """The accepted problems of a version, in draw order."""
    by_id = {each.id: each for each in problems(made)}
    closing = (each for each in verdicts(made) if each.rule == "accepted@1" and each.status == "pass")
    return [by_id[each.subjects[0]] for each in sorted(closing, key=lambda each: each.draw or 0)]


def outcomes(made: Made) -> dict[int, str | None]:
    return {each.draw or 0: each.value for each in verdicts(made) if each.rule == "accepted@1"}


def texts_in(folder: Path) -> Iterator[tuple[Path, str]]:
    """Every file below a folder as text; the journal's replies, and the rows of Parquet, as they are read."""
    for path in sorted(folder.rglob("*")):
        if path.suffix == ".parquet":
            yield path, orjson.dumps(pq.read_table(path).to_pylist()).decode()
        elif path.suffix == ".log":
            yield path, "".join(entry.reply.decode() for entry in journaled(path))
        elif path.is_file():
            yield path, path.read_bytes().decode("utf-8", "replace")


def journaled(path: Path) -> Iterator[Any]:
    segment = Segment.open(path)
    index = segment._index
    assert index is not None
    for offset in sorted({*index._frames}):
        yield from segment.entries(offset)
    segment.close()


def holding(folder: Path, text: str) -> list[str]:
    """The files below a folder that hold a text."""
    as_json = orjson.dumps(text).decode()[1:-1]
    return [str(path.relative_to(folder)) for path, held in texts_in(folder) if as_json in held or text in held]


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> tuple[Site, Made]:
    """A small dataset with one version, which tests take copies of."""
    folder = tmp_path_factory.mktemp("forget")
    (folder / "recipe").mkdir()
    site = Site(folder / "recipe")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("THOUGHTMILL_DATA", str(folder / "data"))
        patch.setattr("pipelines.reports.plots.write_plots", lambda told, folder: [])
        return site, site.embedded("target.candidates=12")


@pytest.fixture
def site(first: tuple[Site, Made]) -> Site:
    return first[0]


@pytest.fixture
def made(first: tuple[Site, Made], data: Path) -> Made:
    """Its first version, in a data folder of this test's own."""
    old = first[1].folder
    shutil.copytree(old.parents[2], data)
    return dataclasses.replace(first[1], folder=data / "datasets" / "small" / "v1")


def forgotten_seed(made: Made, data: Path) -> Problem:
    """A seed of the first accepted row, forgotten."""
    row = rows(made)[0]
    draws = {each.id: each for each in problems(made) if each.kind == "pose"}
    seeds = {each.id: each for each in problems(made) if each.draw is None}
    posing = next(each for each in attempts(made) if each.id == row.parents[0])
    seed = seeds[draws[posing.problem].parents[0]]
    forget.forget(data, forget.fact_of(data, seed.id, reason="asked for"))
    return seed


def refused_to_be_alone(data: Path) -> None:
    """Whoever wants to remove what a run may read is told to wait."""
    with pytest.raises(InUse), alone(data):
        pass


# Which draws, and what is left of them


def test_a_forgotten_row_leaves_its_draw_and_no_text(site: Site, made: Made, data: Path):
    row = rows(made)[0]
    said = [each.text for each in attempts(made) if each.draw == row.draw]
    forget.forget(data, forget.row_of(made.folder, "0", reason="asked for"))
    after = site.embedded("target.candidates=12", began=lambda mill: refused_to_be_alone(data))
    assert after.counts.get("sent", 0) == 0
    assert outcomes(after) == {**outcomes(made), row.draw: "forgotten"}
    assert after.ledger["not_accepted"]["forgotten"] == 1
    assert after.ledger["candidates"] == sum(after.ledger["not_accepted"].values()) + after.ledger["accepted"]
    for text in (row.question, *said):
        assert holding(made.folder, text)
        assert not holding(after.folder, text)
    assert [each.id for each in rows(after)] == [each.id for each in rows(made)[1:]]


def test_a_forgotten_seed_takes_with_it_what_was_posed_from_it_and_what_will_be(site: Site, made: Made, data: Path):
    seed = forgotten_seed(made, data)
    after = site.embedded("target.candidates=16")
    gone = [draw for draw, outcome in outcomes(after).items() if outcome == "forgotten"]
    drawn = {each.draw for each in problems(made) if seed.id in each.parents}
    assert drawn <= set(gone)
    assert not holding(after.folder, seed.question)
    assert not any(each.draw in gone for each in (*problems(after), *attempts(after)))
    stayed = {draw: value for draw, value in outcomes(made).items() if draw not in drawn}
    assert stayed.items() <= outcomes(after).items()


def test_a_source_is_forgotten_with_all_of_its_rows(tmp_path: Path):
    shown = [
        problem(
            parents=[], stage="bring@1", draw=draw, kind="task", question=f"What is {draw}?", source="abc"[draw % 3]
        )
        for draw in range(6)
    ]
    stone = forget.source_of(tmp_path, "b", reason="licence")
    append(tmp_path, stone)
    left = honoured(Output(Facts(shown, [], []), [each.id for each in shown]), tombstones.tombstones(tmp_path))
    assert [each.source for each in left.facts.problems] == list("acac")
    assert left.live == [each.id for each in shown if each.source != "b"]
    assert [draw for draw, _ in left.out] == [1, 4]


# What goes out


def test_a_version_that_holds_it_is_neither_published_nor_exported(made: Made, data: Path, tmp_path: Path):
    forget.forget(data, forget.row_of(made.folder, "0", reason="asked for"))
    for refused in (
        lambda: publish(made.folder, to="somebody/small", token="a token of nobody"),
        lambda: export(made.folder, tmp_path / "out", view="sft", to="trl"),
    ):
        with pytest.raises(
            Forgotten, match=r"^small@v1 holds \d+ facts that are forgotten or quote what is: make it"
        ):
            refused()
    assert not (tmp_path / "out").exists()


def test_a_quotation_alone_is_refused_too(tmp_path: Path):
    other = candidate(1, question="What is 3 + 1?")
    quoting = told(other.problems[1], "novelty@1", score=0.5, evidence={"nearest": "What is 2 + 2?"})
    version = write_version(tmp_path / "sums" / "v1", together(Facts(other.problems, other.attempts, [quoting])))
    stones = Tombstones(texts=frozenset(text_digests("What is 2 + 2?")))
    with pytest.raises(Forgotten, match="sums@v1 holds 1 facts"):
        refuse_forgotten(version, stones)
    refuse_forgotten(version, NOTHING)


# Purging


@pytest.mark.slow
def test_purging_leaves_the_text_nowhere_and_the_next_run_asks_nothing(site: Site, made: Made, data: Path):
    seed, row = forgotten_seed(made, data), rows(made)[1]
    forget.forget(data, forget.row_of(made.folder, "1", reason="asked for"))
    done = purge(data)
    assert done.outputs > 0
    assert done.replies > 0
    assert done.versions == ["small@v1"]
    assert not holding(data, seed.question)
    assert not holding(data, row.question)
    assert versions(made.folder.parent) == []
    assert sorted(path.name for path in made.folder.iterdir()) == ["forgotten.json", "prompts", "recipe.toml"]
    assert any("seeds.jsonl, line" in told for told in done.beyond)
    after = site.embedded("target.candidates=12")
    assert after.folder.name == "v2"
    assert after.counts.get("sent", 0) == 0
    assert outcomes(after)[row.draw or 0] == "forgotten"
    assert purge(data)[:4] == (0, 0, [], [])  # there is nothing left to do
    shutil.rmtree(data / "runs" / "outputs")  # then what is gone must not be asked for again
    assert site.embedded("target.candidates=12").counts.get("sent", 0) == 0


def test_answers_that_came_of_a_batch_are_purged_with_the_others(tmp_path: Path):
    gone, stays = candidate(0).attempts[1], candidate(1, question="What is 3 + 1?").attempts[1]
    write_version(
        tmp_path / "datasets" / "sums" / "v1", together(candidate(0), candidate(1, question="What is 3 + 1?"))
    )
    lines = [orjson.dumps({"custom_id": f"{each.request}-4096", "response": {}}) + b"\n" for each in (gone, stays)]
    results = tmp_path / "journal" / "batches" / "00ff.results"
    results.parent.mkdir(parents=True)
    results.write_bytes(b"".join(lines))
    append(tmp_path, Tombstone("row", (gone.id,)))
    purge(tmp_path)
    assert results.read_bytes() == lines[1]


def test_nothing_is_purged_while_a_run_is_under_way(made: Made, data: Path):
    forget.forget(data, forget.row_of(made.folder, "0", reason="asked for"))
    with using(data), pytest.raises(InUse, match="a run is under way"):
        purge(data)
    assert read_version(made.folder)["version"] == "v1"


def test_an_index_beside_a_dataset_forgets_too(tmp_path: Path):
    home = tmp_path / "datasets" / "sums"
    write_version(
        home / "v1", together(candidate(0), candidate(1, question="How many legs have seven spiders in all?"))
    )
    index = home / "near_duplicates" / "3-grams-128"
    scheme = near_duplicates.Scheme(3, 128)
    near_duplicates.grow(
        index, ["What is 2 + 2?", "How many legs have seven spiders in all?"], threshold=0.6, scheme=scheme
    )
    append(tmp_path, Tombstone("row", (), text_digests("What is 2 + 2?")))
    write_version(home / "v2", together(candidate(1, question="How many legs have seven spiders in all?")))
    done = purge(tmp_path)
    assert done.versions == ["sums@v1"]
    assert done.indexes == ["sums/near_duplicates/3-grams-128"]
    assert len(near_duplicates.open_index(index, scheme=scheme)) == 1


# The file of tombstones


def test_a_line_holds_no_text_and_is_appended_once(data: Path):
    stone = Tombstone("seed", ("00ff",), text_digests("Who lives at 3 Elm Street?"), reason="asked for")
    assert forget.forget(data, stone).is_new
    assert not forget.forget(data, stone._replace(reason="said again")).is_new
    kept = (data / tombstones.FILE).read_text()
    assert "Elm" not in kept
    assert kept.count("\n") == 1
    assert read_stones(data)[0][:5] == stone[:5]


def test_a_line_that_was_never_finished_counts_for_nothing_and_hides_no_later_one(data: Path):
    append(data, Tombstone("seed", ("aa",)))
    with (data / tombstones.FILE).open("ab") as file:
        file.write(b'{"kind": "seed", "ids": ["b')
    assert [each.ids for each in read_stones(data)] == [("aa",)]
    append(data, Tombstone("seed", ("cc",)))
    assert [each.ids for each in read_stones(data)] == [("aa",), ("cc",)]


def test_a_damaged_line_is_never_taken_for_less(data: Path):
    append(data, Tombstone("seed", ("aa",)))
    path = data / tombstones.FILE
    path.write_bytes(b"{}\n" + path.read_bytes())
    with pytest.raises(ValueError, match="line 1 is damaged"):
        tombstones.tombstones(data)


# Quotations


QUOTING = {"novelty": novelty.QUOTED, "embedding_novelty": embedding_novelty.QUOTED, "near": near_duplicates.QUOTED}


@each_of(QUOTING.items())
def test_what_rules_quote_of_other_rows_is_known_by_its_beginning(name: str, quoted_to: int):
    assert quoted_to in QUOTES, name
    long = "A question that goes on. " * 40
    stones = Tombstones(texts=frozenset(text_digests(long)))
    for quoted in (long, long[:quoted_to]):
        assert GONE in blotted_evidence(orjson.dumps({"nearest": quoted}).decode(), stones)
    apart = '{"nearest":"A question that goes on. "}'
    assert blotted_evidence(apart, stones) is apart


def test_an_output_without_anything_forgotten_is_the_same_one():
    facts = together(candidate(0), candidate(1))
    output = Output(facts, [facts.problems[2].id], [])
    stones = Tombstones(ids=frozenset(["00ff"]), texts=frozenset([text_digest("something else")]))
    assert honoured(output, NOTHING) is output
    assert honoured(output, stones) == output


def test_a_posing_alone_is_enough_to_close_its_draw():
    one, other = candidate(0), candidate(1)
    output = Output(together(one, other), [one.problems[1].id, other.problems[1].id], [])
    left = honoured(output, Tombstones(ids=frozenset([one.attempts[0].id])))
    assert left.live == [other.problems[1].id]
    assert [draw for draw, _ in left.out] == [0]
    assert {each.draw for facts in left.facts for each in facts} == {None, 1, 0}
    assert [each.rule for each in left.facts.verdicts if each.draw == 0] == ["forgotten@1"]


def test_any_fact_of_a_row_means_the_row(tmp_path: Path):
    one, other = candidate(0), candidate(1, question="What is 3 + 1?")
    write_version(tmp_path / "datasets" / "sums" / "v1", together(one, other))
    for fact in (*one.problems, *one.attempts, *one.verdicts):
        stone = forget.fact_of(tmp_path, fact.id[:12], reason="")
        assert {*(each.id for each in one.problems), one.attempts[0].id} <= set(stone.ids)
        assert not {SEED.id, *(each.id for each in (*other.problems, *other.attempts))} & set(stone.ids)
        assert stone.texts == (text_digest("What is 2 + 2?"),)


def test_a_seed_is_known_by_its_id_and_by_its_text(tmp_path: Path):
    write_version(tmp_path / "datasets" / "sums" / "v1", together(candidate(0)))
    by_id = forget.fact_of(tmp_path, SEED.id, reason="")
    assert (by_id.kind, by_id.ids) == ("seed", (SEED.id,))
    assert forget.text_of(tmp_path, text_digest(SEED.question), reason="") == by_id


BAD = {
    "Robert'); drop table": "is nothing that can be forgotten",
    "0" * 32: "no fact's id begins with",
    "0000": "at least 8 digits",
}


@each_of(BAD.items())
def test_what_is_not_there_is_refused_with_what_can_be_said(given: str, why: str):
    with pytest.raises(ValueError, match=why):
        forget.fact_of(Path("no such folder"), given, reason="")


# The commands


def test_the_command_says_what_it_did_and_what_is_beyond_its_reach(made: Made):
    said = CliRunner().invoke(commands, ["small@v1", "0", "--reason", "asked for", "--purge"])
    assert said.exit_code == 0, said.output
    told = " ".join(said.output.split())
    for words in ("forgotten: a row", "small@v1 is gone; thoughtmill run", "what was published", "what was exported"):
        assert words in told


REFUSED = {
    (): "say WHAT to forget, or --purge",
    ("nothing", "0"): "nothing",
    ("text:xyz",): "is no digest of a text",
    ("0000000000",): "no fact's id begins with",
}


@each_of(REFUSED.items())
def test_the_command_refuses_in_one_line(given: tuple[str, ...], why: str):
    with tempfile.TemporaryDirectory() as data:
        said = CliRunner().invoke(commands, list(given), env={"THOUGHTMILL_DATA": data})
        assert said.exit_code == 2
        assert why in said.stderr
        assert not list(Path(data).iterdir())
