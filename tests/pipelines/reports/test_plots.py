"""Pictures of reports: the same bytes for the same numbers, whatever the names in them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from pipelines.records import Verdict, verdict
from pipelines.reports import plots
from pipelines.reports.plots import write_plots
from pipelines.reports.tally import Tally


def counted(*names: str) -> dict[str, Any]:
    """A report of thirty rows that has numbers for every picture."""
    tally, names = Tally(), names or ("algebra", "logic")
    for place in range(30):
        name = names[place % len(names)]
        told = [said("pass_rate@2", place % 9 / 8, {}), said("strategy_count@1", 2.0, {name: 1, "recall": place})]
        lengths = [place, 7 * place, 100 * place]
        tally.add(f"row {place}", "How many?", name, told, lengths, place < 10, about="row")
    return tally.told()


def said(rule: str, score: float, strategies: Mapping[str, int]) -> Verdict:
    evidence = {"strategies": strategies}
    return verdict(subjects=["row"], stage="sift@1", draw=0, rule=rule, status="pass", score=score, evidence=evidence)


def test_without_matplotlib_there_are_no_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(plots, "find_spec", lambda name: None)
    assert write_plots(counted(), tmp_path) == []
    assert not list(tmp_path.iterdir())


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The pictures of a report with all numbers, by their names."""
    pytest.importorskip("matplotlib")
    return {path.name: path.read_bytes() for path in write_plots(counted(), tmp_path_factory.mktemp("plots"))}


def test_there_is_a_picture_where_there_are_numbers(drawn: dict[str, bytes], tmp_path: Path):
    assert list(drawn) == ["pass_rates.svg", "lengths.svg", "strategies.svg", "domains.svg"]
    tally = Tally()
    assert write_plots(tally.told(), tmp_path) == []
    tally.add("row", "How many?", None, [], [], True, about="row")
    assert [path.name for path in write_plots(tally.told(), tmp_path)] == ["domains.svg"]


def test_the_same_numbers_are_the_same_bytes_in_any_style(drawn: dict[str, bytes], tmp_path: Path):
    import matplotlib

    with matplotlib.rc_context({"font.size": 30, "svg.hashsalt": None, "axes.facecolor": "black"}):
        again = {path.name: path.read_bytes() for path in write_plots(counted(), tmp_path)}
        assert matplotlib.rcParams["font.size"] == 30
    assert again == drawn
    assert not [name for name, picture in drawn.items() if b"matplotlib.org" in picture or b"dc:date" in picture]


@pytest.mark.parametrize(
    ("picture", "number"),
    [
        ("pass_rates", "How often 30 problems are solved"),
        ("lengths", "How long 90 attempts are: median"),
        ("strategies", ">100%<"),
        ("domains", "5 of 15"),
    ],
)
def test_numbers_stand_on_the_pictures(drawn: dict[str, bytes], picture: str, number: str):
    assert number in drawn[f"{picture}.svg"].decode()


FUNNEL = [{"step": "posed", "lost": 20, "left": 80}, {"step": "pass_rate: unsure", "lost": 30, "left": 50}]


def test_the_yield_is_drawn_where_the_report_is_told_of_the_steps(tmp_path: Path):
    pytest.importorskip("matplotlib")
    [path] = write_plots({**Tally().told(), "funnel": FUNNEL}, tmp_path)
    assert path.name == "funnel.svg"
    texts = path.read_text()
    assert all(f">{told}<" in texts for told in ("50 of 100 candidates were accepted", "80 left, 20 lost", "posed"))


STRANGE = [
    "$x$ and $",
    r"\frac{1}{",
    "<script>alert(1)</script> & co",
    "中文数学",
    "a\x00b\nc\u202ed",
    "word " * 5_000,
]


def test_names_are_drawn_as_they_are(tmp_path: Path):
    pytest.importorskip("matplotlib")
    for path in write_plots(counted(*STRANGE, ""), tmp_path)[2:]:
        told = ElementTree.parse(path)
        assert not [each for each in told.iter() if each.tag.endswith("script")]
        texts = ["".join(each.itertext()).strip() for each in told.iter() if each.tag.endswith("text")]
        assert {"(empty)", *(plots.plain(name, plots.NAME) for name in STRANGE)} <= set(texts)
