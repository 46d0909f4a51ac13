"""The command `estimate`: a pilot whose replies the run then has for free, and what it tells of that run."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from pathlib import Path

import pytest
from click.testing import CliRunner

from flows import estimate as command
from flows.estimate import Piloted, duration, percent, take
from flows.make import OutOfBudget
from tests.each import each_of
from tests.small import Site


@pytest.fixture
def priced(site: Site) -> Site:
    """A small recipe whose teacher costs something."""
    site.value["target"] = {"accepted": 8, "candidates": 200}
    site.value["models"]["teacher"] |= {"use": "builtin", "price": {"input": 1.0, "output": 4.0}}
    return site


def taken(site: Site, *changes: str, rows: int = 10) -> Piloted:
    return asyncio.run(take(site.write(), changes=changes, rows=rows))


def told(site: Site, *arguments: str) -> str:
    result = CliRunner(env={"COLUMNS": "200"}).invoke(command.estimate, [site.write(), *arguments])
    assert result.exception is None, result.stderr
    return result.stdout


def test_the_run_has_the_replies_of_the_pilot_for_free(priced: Site):
    pilot = taken(priced)
    made = priced.embedded()
    assert made.counts["replayed"] == pilot.speed.requests > 0
    assert pilot.pilot.costs[..., 0].sum() == pilot.speed.requests


def test_a_pilot_that_was_taken_before_costs_nothing_and_says_the_same(priced: Site):
    first, again = taken(priced), taken(priced)
    assert (first.there, again.speed.requests, again.there) == (0, 0, first.speed.requests)
    assert again.estimate.hours is None
    assert again.estimate._replace(hours=None) == first.estimate._replace(hours=None)
    assert "nothing is known of the time" in told(priced, "--rows", "10")


def test_the_pilot_counts_what_the_run_counts(priced: Site):
    """A run of as many draws has the pilot's requests, tokens and accepted rows."""
    pilot = taken(priced, "target={candidates=10}").pilot
    made = priced.embedded("target={candidates=10}")
    assert int(pilot.accepted.sum()) == made.ledger["accepted"]
    teacher = made.ledger["models"]["teacher"]
    assert pilot.costs[:, 0].sum(0).tolist() == [
        teacher["attempts"],
        teacher["prompt_tokens"],
        teacher["completion_tokens"],
    ]


def test_a_pilot_of_all_draws_knows_everything(priced: Site):
    known = taken(priced, "target={candidates=10}", rows=50).estimate
    made = priced.embedded("target={candidates=10}")
    assert set(known.draws) == {10}
    assert set(known.accepted) == {made.ledger["accepted"]}
    assert known.total.money.low == known.total.money.high == pytest.approx(made.ledger["models"]["teacher"]["cost"])


def test_a_selection_decides_what_of_a_pilot_is_accepted(priced: Site):
    priced.value["stages"].append({"use": "select", "rules": [{"rule": "top_k", "by": "pass_rate", "k": 1}]})
    pilot = taken(priced)
    assert pilot.pilot.accepted.sum() == 1
    assert "selection" in told(priced)


def test_a_pilot_stays_within_the_budget(priced: Site):
    with pytest.raises(OutOfBudget, match="within a pilot of 10 draws"):
        taken(priced, "budget.tokens=9000")


def test_what_a_person_sees(priced: Site):
    priced.value["budget"] = {"money": 0.1}
    text = told(priced, "--rows", "10", "--set", "target={accepted=100, candidates=2000}")
    assert re.search(r"pilot: \d+ of 10 draws accepted; \d+ requests sent", text)
    for name in ("draws", "accepted", "requests", "tokens in", "tokens out", "money", "time"):
        assert re.search(rf"^ *{name} +\S+ .*\S+$", text, re.MULTILINE), name
    assert "within 2,000 candidates: over 99 %" in text
    assert "within the budget: under 1 %" in text


def test_several_roles_are_told_apart_and_together(priced: Site):
    priced.value["models"]["judge"] = {"use": "builtin"}
    priced.stage("expand")["model"] = "judge"
    text = told(priced, "--rows", "10")
    assert [line.strip() for line in text.splitlines() if re.match(r"(all roles|teacher|judge)\s*$", line)] == [
        "all roles",
        "teacher",
        "judge",
    ]


@each_of([(0.0, "under 1 %"), (0.004, "under 1 %"), (0.5, "50 %"), (0.999, "over 99 %")])
def test_a_chance_is_never_a_certainty(share: float, words: str):
    assert percent(share) == words


@each_of([(90, "90 s"), (600, "10 min"), (9_000, "2.5 h"), (float("inf"), "no end")])
def test_time_in_words(seconds: float, words: str):
    assert duration(seconds) == words


@pytest.mark.slow
def test_real_runs_take_what_was_estimated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Fifty runs on the builtin engine, each over draws of its own, each estimated from its first twelve."""
    monkeypatch.setattr("pipelines.reports.plots.write_plots", lambda told, folder: [])
    held: Counter[str] = Counter()
    for number in range(50):
        folder = tmp_path / str(number)
        folder.mkdir()
        monkeypatch.setenv("THOUGHTMILL_DATA", str(folder / "data"))
        site = Site(folder)
        site.value |= {"seed": number, "shard": 4, "target": {"accepted": 24, "candidates": 400}}
        site.value["models"]["teacher"] |= {"use": "builtin", "in_flight": 8, "slip": 0.2, "malformed": 0.1}
        pilot = taken(site, rows=12)
        made = site.embedded()
        first = pilot.pilot.costs.sum((0, 1))
        truth = {
            "draws": made.ledger["candidates"],
            "requests": first[0] + made.counts["sent"],
            "prompt_tokens": first[1] + made.counts["prompt_tokens"],
            "completion_tokens": first[2] + made.counts["completion_tokens"],
        }
        intervals = {"draws": pilot.estimate.draws, **pilot.estimate.total._asdict()}
        held.update(name for name, value in truth.items() if intervals[name].low <= value <= intervals[name].high)
    print(dict(held))
    assert min(held[name] for name in ("draws", "requests", "prompt_tokens", "completion_tokens")) >= 38
