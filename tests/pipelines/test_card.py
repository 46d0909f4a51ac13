"""The dataset card: everything that it says is so, and the Hub's own libraries read it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import datasets
import orjson
import pyarrow.parquet as pq
import pytest
from datasets.utils.metadata import MetadataConfigs
from huggingface_hub import DatasetCard, DatasetCardData
from markdown_it import MarkdownIt

from pipelines.card import render as card
from pipelines.card.about import About, Source, funnel, language
from pipelines.records import Attempt, Problem, Turn, Verdict, from_table, to_table
from pipelines.store import KINDS
from tests.pipelines.test_card_text import NASTY, of_type
from tests.small import Site


@pytest.fixture(scope="module")
def version(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a small version."""
    home = tmp_path_factory.mktemp("card")
    (home / "recipe").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("THOUGHTMILL_DATA", str(home / "data"))
        patch.setattr("pipelines.reports.plots.write_plots", lambda *anything: [])
        yield Site(home / "recipe").embedded().folder


@pytest.fixture(scope="module")
def about(version: Path) -> About:
    return card.about(version)


def changed(version: Path, into: Path, kind: type, change) -> About:
    """What a card tells of a version where each fact of this kind is `change(fact)`."""
    shutil.copytree(version, into)
    name = next(name for name, each in KINDS.items() if each is kind)
    facts = from_table(kind, pq.read_table(into / "facts" / f"{name}.parquet"))
    pq.write_table(to_table(kind, [change(fact) for fact in facts]), into / "facts" / f"{name}.parquet")
    return card.about(into)


def read(text: str) -> DatasetCardData:
    """The header as the Hub's library reads it."""
    told = DatasetCard(text).data
    assert isinstance(told, DatasetCardData)
    return told


# The header


def test_the_hub_reads_the_header(about: About):
    told = read(card.render(about))
    assert told.language == ["en"]
    assert told.license == "cc0-1.0"
    assert told.get("tags") == ["synthetic", "reasoning", "thoughtmill"]
    assert told.annotations_creators == ["machine-generated"]
    assert told.size_categories == ["n<1K"]
    assert told.source_datasets == ["original"]
    assert told.pretty_name == "small v1"
    configs = MetadataConfigs.from_dataset_card_data(told)
    assert list(configs) == ["sft", "rl"]
    assert configs.get_default_config_name() == "sft"


def test_the_folder_of_a_version_is_a_dataset_with_a_config_for_each_view(
    version: Path, about: About, tmp_path: Path
):
    home = shutil.copytree(version, tmp_path / "there")
    (home / "README.md").write_text(card.render(about), encoding="utf-8")
    assert datasets.get_dataset_config_names(str(home)) == ["sft", "rl"]
    rows = datasets.load_dataset(str(home), "rl", split="train", cache_dir=str(tmp_path / "cache"))
    assert len(rows) == about.rows["rl"]


def test_a_published_card_names_its_files_and_says_how_to_load_them(about: About):
    files = {"sft": ["sft/train-00000.parquet", "sft/train-00001.parquet"], "random-sft": ["random/*.parquet"]}
    text = card.render(about._replace(repo="ada/sums", revision="v2", configs=files))
    configs = MetadataConfigs.from_dataset_card_data(read(text))
    assert configs["sft"]["data_files"] == [{"split": "train", "path": files["sft"]}]
    assert 'load_dataset("ada/sums", "random-sft", split="train", revision="v2")' in text
    assert "thoughtmill run --from ada/sums@v2" in text
    assert "load_from_disk" not in text


@pytest.mark.parametrize(
    ("licences", "wanted"),
    [
        (["CC0-1.0"], ("cc0-1.0", None)),
        (["CC0-1.0", "MIT", "Apache 2.0"], ("apache-2.0", None)),
        (["CC-BY-4.0", "cc by nc sa 4.0", "CC-BY-NC-4.0"], ("cc-by-nc-sa-4.0", None)),
        (["CC-BY-SA-4.0", "CC-BY-NC-4.0"], ("other", "mixed")),
        (["MIT", None], ("other", "unknown")),
        (["MIT", "ask me"], ("other", "unknown")),
        ([], ("other", "unknown")),
    ],
)
def test_the_licence_is_the_strictest_that_covers_all_sources(
    about: About, licences: list[str | None], wanted: tuple[str, str | None]
):
    text = card.render(about._replace(sources=[Source("them", each, 3) for each in licences]))
    told = read(text)
    assert (told.license, told.get("license_name")) == wanted
    assert ("not known: look before you pass it on" in text) == (wanted[1] == "unknown")


def test_sources_on_the_hub_are_named(about: About):
    sources = [Source(name, "MIT", 1) for name in ("openai/gsm8k", "a: b/c", None)]
    assert card.header(about._replace(sources=sources))["source_datasets"] == ["openai/gsm8k", "original"]
    assert card.header(about._replace(sources=sources[:1]))["source_datasets"] == ["openai/gsm8k"]


def test_nothing_in_the_header_leaves_it(about: About):
    name = 'x"\n---\n# y\x00\u2028\x7f: *a &b \\ 中😀'
    told = read(card.render(about._replace(name=name, configs={name: ["a: b\n- c"]})))
    assert told.pretty_name == f"{name} v1"
    wanted = {"config_name": name, "default": True, "data_files": [{"split": "train", "path": "a: b\n- c"}]}
    assert told.get("configs") == [wanted]


@pytest.mark.parametrize(
    "word", ["null", "true", "No", "12", "1e3", "0x1f", "1:30", "2020-01-01", ".inf", "~", "", "-"]
)
def test_a_word_that_yaml_would_read_as_something_else_stays_a_text(about: About, word: str):
    told = read(card.render(about._replace(configs={word: [word]})))
    assert [each["config_name"] for each in told.to_dict()["configs"]] == [word]


def test_the_language_is_told_only_where_it_is_clear():
    english, german = "What is the sum of two and three?", "Wie viel ist zwei und drei?"
    assert language([english] * 9 + [german]) == "en"
    assert language([english] * 8 + [german] * 2) is None
    assert language([german]) is None
    assert [language([each]) for each in ("二加三等于多少", "二と三の和はいくつですか", "둘 더하기 셋은?")] == [
        "zh",
        "ja",
        "ko",
    ]
    assert language([]) is language([""]) is None


# What it says


def test_the_same_version_is_the_same_card(version: Path, about: About):
    assert card.render(card.about(version)) == card.render(about)


def test_the_numbers_are_those_of_the_books(about: About):
    text, ledger = card.render(about), about.ledger
    assert f"| candidates | {ledger['candidates']} |" in text
    assert f"| accepted | {ledger['accepted']} |" in text
    for step, count in ledger["not_accepted"].items():
        assert f"| `{step}` | {count} |" in text
    unsure = sum(each["unsure"] for each in about.report["rules"].values())
    assert f"{unsure} verdicts are `unsure`" in text


def test_the_funnel_goes_down_in_the_order_of_the_recipe_to_what_was_accepted(about: About):
    steps = funnel(about.recipe, {"candidates": 20, "not_accepted": dict.fromkeys(ORDER[::-1], 2)})
    assert [each["step"] for each in steps] == ORDER
    assert [each["left"] for each in steps] == [18, 16, 14, 12, 10, 8]
    found = funnel(about.recipe, about.ledger)
    assert found[-1]["left"] == about.ledger["accepted"]


ORDER = ["posed", "form", "novelty", "pass_rate", "pass_rate: unsure", "something of yours"]


def test_pictures_that_are_there_are_shown(version: Path, tmp_path: Path):
    home = shutil.copytree(version, tmp_path / "v1")
    assert "![" not in card.render(card.about(home))
    for name in ("domains.svg", "funnel.svg", "strange.svg"):
        (home / "report" / name).touch()
    assert card.about(home).plots == ["report/funnel.svg", "report/domains.svg"]
    assert "![funnel](report/funnel.svg)\n\n![domains](report/domains.svg)" in card.render(card.about(home))


def test_models_and_prompts_are_named(about: About):
    text = card.render(about._replace(models=[each._replace(revision="abc") for each in about.models]))
    assert "| `teacher` | `builtin` | `abc` |" in text
    assert "- `pose/plan-solve`: plan from the seeds, pose one new verifiable problem, solve it" in text
    assert "`novelty` (`at_most = 0.7`)" in text


def test_paths_of_this_machine_are_not_told(about: About):
    stages = [{"use": "draw", "seeds": "/of/ada/private/seeds.jsonl"}, *about.recipe["stages"][1:]]
    text = card.render(about._replace(recipe={**about.recipe, "stages": stages}))
    assert "seeds.jsonl" in text
    assert "/of/ada" not in text


def test_without_a_rule_against_contamination_it_says_that_nothing_was_done(about: About):
    assert "Nothing was done to keep items of benchmarks out" in card.render(about)
    rule = {**about.report["rules"]["form@1"], "seen": 24, "fail": 3, "unsure": 0}
    told = {"file": "math500.jsonl", "rows": 3, "found": 2}
    report = {**about.report, "rules": {"contamination@1": rule}, "contamination": [told]}
    text = card.render(about._replace(report=report))
    assert "compared 24 problems with the items of benchmarks: 3 held one" in text
    assert "| `math500.jsonl` | 3 | 2 |" in text
    assert "Nothing was done" not in text


def test_what_was_not_measured_is_said_so(about: About):
    assert "How often the verifiers are wrong was not measured here." in card.render(about)


# Examples


def test_five_rows_are_shown_and_each_was_accepted(version: Path, about: About):
    verdicts: list[Verdict] = from_table(Verdict, pq.read_table(version / "facts" / "verdicts.parquet"))
    outcome = {each.subjects[0]: each for each in verdicts if each.rule == "accepted@1"}
    assert len({row.problem for row in about.examples}) == len(about.examples) == 5
    assert all(outcome[row.problem].status == "pass" for row in about.examples)
    assert 1 <= len(about.refused) <= 2
    assert [outcome[row.problem].value for row in about.refused] == [row.outcome for row in about.refused]
    right = {each.subjects[0]: each.status for each in verdicts if each.rule.startswith("answer_matches@")}
    assert "pass" in right.values()
    for row in about.examples:
        assert [each.status for each in row.said if each.about == "answer"] == ["pass"]


def test_of_right_answers_one_is_shown_that_no_rule_speaks_against(version: Path, about: About, tmp_path: Path):
    verdicts: list[Verdict] = from_table(Verdict, pq.read_table(version / "facts" / "verdicts.parquet"))
    tries: list[Attempt] = from_table(Attempt, pq.read_table(version / "facts" / "attempts.parquet"))
    right = {
        each.subjects[0] for each in verdicts if each.rule.startswith("answer_matches@") and each.status == "pass"
    }
    of = {row.problem: {each.id for each in tries if each.problem == row.problem} & right for row in about.examples}
    row = next(row for row in about.examples if len(of[row.problem]) == 2)
    draw = next(each.draw for each in tries if each.id == row.attempt)
    said = verdicts[0]._replace(id="f" * 32, subjects=(row.attempt,), draw=draw, rule="coherent@1", status="fail")
    home = shutil.copytree(version, tmp_path / "v1")
    pq.write_table(to_table(Verdict, [*verdicts, said]), home / "facts" / "verdicts.parquet")
    shown = {each.problem: each.attempt for each in card.about(home).examples}
    assert {row.attempt, shown[row.problem]} == of[row.problem]


def test_an_example_is_of_each_domain_while_that_lasts(version: Path, tmp_path: Path):
    def by_draw(problem: Problem) -> Problem:
        return problem._replace(domain=None if problem.draw is None else f"domain {problem.draw % 5}")

    found = changed(version, tmp_path / "v1", Problem, by_draw)
    domains = {each.id: each.domain for each in problems(tmp_path / "v1")}
    accepted = {each.problem for each in found.examples}
    assert len({domains[id] for id in accepted}) == len({domains[id] for id in accepted_of(tmp_path / "v1")})


def problems(version: Path) -> list[Problem]:
    return from_table(Problem, pq.read_table(version / "facts" / "problems.parquet"))


def accepted_of(version: Path) -> list[str]:
    verdicts: list[Verdict] = from_table(Verdict, pq.read_table(version / "facts" / "verdicts.parquet"))
    return [each.subjects[0] for each in verdicts if each.rule == "accepted@1" and each.status == "pass"]


def test_texts_of_models_are_nothing_but_code(version: Path, about: About, tmp_path: Path):
    """The whole card of a version whose models and seeds are hostile has the structure of the honest one."""
    evil = "".join(NASTY)

    def thinking(attempt: Attempt) -> Attempt:
        return attempt._replace(turns=(*attempt.turns[:-1], Turn("assistant", evil * 9, evil * 9)))

    changed(version, tmp_path / "a" / "v1", Attempt, thinking)
    question = {"question": evil, "answer": evil, "domain": evil}
    found = changed(tmp_path / "a" / "v1", tmp_path / "b" / "v1", Problem, lambda each: each._replace(**question))
    seeds = [Source(evil, evil, 1)]
    hostile, honest = (structure(each) for each in (found._replace(name="small", sources=seeds), about))
    thoughts = ["<details>\n<summary>Thoughts</summary>\n", "</details>\n"] * sum(
        row.answer is not None for row in [*about.examples, *about.refused]
    )
    assert hostile["html_block"] == [*honest["html_block"][:1], *thoughts]
    for kind in ("heading_open", "link_open", "image", "html_inline", "bullet_list_open", "table_open", "hr"):
        assert hostile[kind] == honest[kind]


def structure(about: About) -> dict[str, list[str]]:
    """What a card consists of, by type: the contents and targets of its tokens."""
    body = DatasetCard(card.render(about)).text
    tokens = MarkdownIt("commonmark").enable("table").parse(body)
    kinds = (
        "html_block",
        "heading_open",
        "link_open",
        "image",
        "html_inline",
        "bullet_list_open",
        "table_open",
        "hr",
    )
    return {
        kind: [
            token.content + str(token.attrs.get("href", token.attrs.get("src", "")))
            for token in of_type(tokens, kind)
        ]
        for kind in kinds
    }


def test_a_long_text_is_cut(version: Path, tmp_path: Path):
    found = changed(version, tmp_path / "v1", Problem, lambda each: each._replace(question="x" * 20_000))
    text = card.render(found)
    assert "x" * 4_000 in text
    assert "x" * 4_001 not in text
    assert "and so on: only the beginning is shown here." in text


# Strange versions


def test_a_version_without_any_row_has_a_card(version: Path, tmp_path: Path):
    home = shutil.copytree(version, tmp_path / "v1")
    for name, kind in KINDS.items():
        pq.write_table(to_table(kind, []), home / "facts" / f"{name}.parquet")
    books = {"candidates": 0, "accepted": 0, "not_accepted": {}, "reasons": {}, "models": {}}
    (home / "ledger.json").write_bytes(orjson.dumps(books))
    text = card.render(card.about(home))
    assert read(text).license == "other"
    assert "## Examples" not in text


def test_a_version_that_is_being_written_has_no_rows_yet(version: Path, tmp_path: Path):
    home = shutil.copytree(version, tmp_path / "v1")
    (home / "version.json").unlink()
    assert card.about(home).rows == {}
