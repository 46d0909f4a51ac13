"""Running a recipe: the books balance, N means N, and a version is the shortest prefix of draws that holds it."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from flows import make
from flows.make import Made
from flows.run import Live, widened
from pipelines.inference.engine import Outage
from tests.server import Behaviour
from tests.small import Site, attempts, author, loaded_bytes, problems, verdicts


def accepted_draws(made: Made) -> list[int]:
    """The draws of the accepted rows, in the order in which the version has them."""
    told = [each for each in verdicts(made) if each.rule == "accepted@1" and each.status == "pass"]
    return [each.draw for each in told if each.draw is not None]


def assert_books_balance(made: Made) -> None:
    """Every draw has one outcome, and the ledger counts them all."""
    told = [each for each in verdicts(made) if each.rule == "accepted@1"]
    assert [each.draw for each in told] == list(range(made.ledger["candidates"]))
    outcomes = Counter(each.value for each in told)
    assert outcomes.pop("accepted", 0) == made.ledger["accepted"]
    assert outcomes == made.ledger["not_accepted"]
    assert made.ledger["candidates"] == made.ledger["accepted"] + sum(made.ledger["not_accepted"].values())
    for outcome, count in made.ledger["not_accepted"].items():
        assert sum(made.ledger["reasons"][outcome].values()) == count


def assert_parents_resolve(made: Made) -> None:
    """Every parent and every subject of a fact is in the version, and comes before what it led to."""
    known = {each.id for each in (*problems(made), *attempts(made))}
    for fact in (*problems(made), *attempts(made)):
        assert set(fact.parents) <= known
    all_facts = known | {each.id for each in verdicts(made)}
    for verdict in verdicts(made):
        assert verdict.subjects
        assert set(verdict.subjects) <= all_facts
    draws = [each.draw or 0 for each in verdicts(made)]
    assert draws == sorted(draws)


def random_line(site: Site, chance: random.Random) -> None:
    """Faults, gates, shards and seed of a run, at random."""
    faults = ["wrong_author", "malformed", "truncated", "near_duplicate", "ambiguous", "leak", "refuse"]
    site.value["models"]["teacher"].update({name: round(chance.uniform(0, 0.14), 3) for name in faults})
    site.value["models"]["teacher"]["slip"] = round(chance.uniform(0, 0.2), 3)
    site.value["models"]["teacher"]["sampling"]["max_tokens"] = chance.choice([120, 400, 4096])
    site.value["seed"] = chance.randrange(1 << 30)
    site.value["shard"] = chance.randint(1, 30)
    site.value["target"] = {"candidates": chance.randint(10, 40), "accepted": chance.randint(1, 30)}
    site.stage("expand")["n"] = chance.randint(1, 4)
    site.stage("screen")["rules"] = ["form", "answer_form", "no_leak", "not_duplicate", "novelty"]
    site.stage("verify")["rules"] = chance.choice(
        [["answer_matches", "pass_rate"], ["answer_matches", "answer_consistency"], ["self_consistency"]]
    )


@pytest.mark.parametrize("number", range(6))
def test_the_books_balance_whatever_goes_wrong(site: Site, number: int):
    random_line(site, random.Random(number))
    made = site.embedded()
    assert_books_balance(made)
    assert_parents_resolve(made)
    target = site.value["target"]
    draws = accepted_draws(made)
    assert len(draws) == made.ledger["accepted"] <= target["accepted"]
    if made.ledger["accepted"] < target["accepted"]:
        assert made.ledger["candidates"] == target["candidates"]
    else:
        assert made.ledger["candidates"] == draws[-1] + 1


@pytest.mark.slow
def test_n_means_n_and_a_version_is_the_shortest_prefix_that_holds_it(site: Site):
    everything = accepted_draws(site.embedded("target.candidates=60"))
    assert len(everything) > 12
    for wanted in (1, 2, 7, 12):
        change = f"target={{accepted={wanted}, candidates=60}}"
        made = site.embedded(change)
        assert accepted_draws(made) == everything[:wanted]
        assert made.ledger["candidates"] == everything[wanted - 1] + 1
        assert made.counts.get("sent", 0) == 0  # what was made beyond an earlier version is used
        assert_books_balance(made)
        assert_parents_resolve(made)


def test_a_larger_version_begins_with_the_smaller_one(site: Site):
    small, large = (site.embedded(f"target={{accepted={n}, candidates=60}}") for n in (5, 10))
    assert [small.folder.name, large.folder.name] == ["v1", "v2"]
    assert attempts(large)[: len(attempts(small))] == attempts(small)
    again = site.embedded("target={accepted=5, candidates=60}")
    assert again.folder == small.folder
    assert not again.is_new


def test_the_limit_on_candidates_ends_a_run_that_lacks_rows(site: Site):
    made = site.embedded("target={accepted=1000, candidates=20}")
    assert made.ledger["candidates"] == 20
    assert 0 < made.ledger["accepted"] < 1000
    assert made.wanted == 1000
    assert_books_balance(made)


def test_a_run_that_accepts_nothing_still_tells_why(site: Site):
    site.stage("screen")["rules"] = [{"rule": "form", "at_least_words": 399}]
    made = site.embedded("target={accepted=5, candidates=10}")
    assert made.ledger["accepted"] == 0
    assert made.ledger["candidates"] == sum(made.ledger["not_accepted"].values()) == 10
    assert made.ledger["reasons"]["form"] == {"too few words": made.ledger["not_accepted"]["form"]}
    assert_books_balance(made)


# Failures


def test_one_failed_sample_costs_neither_its_siblings_nor_its_problem(site: Site):
    """The server refuses one request in ten for good; each becomes a fact, and all others are there."""
    refusing = Behaviour(author=author, faults={"context": 0.1})
    turned = site.turn(behaviour=refusing)
    said = attempts(turned.made)
    refused = [each for each in said if each.finish == "refused"]
    assert refused
    assert all("context" in each.details for each in refused)
    groups = Counter(each.problem for each in said if each.stage.startswith("expand"))
    assert set(groups.values()) == {2}
    assert_books_balance(turned.made)
    assert site.turn().requests == 0  # a refusal is an answer too: it is not asked again


PASSING = ["malformed"]
PASSING_TOO = ["429", "close", "500", "503", "error-in-200", "no-choices", "close-within"]


@pytest.mark.parametrize("fault", [*PASSING, *(pytest.param(each, marks=pytest.mark.slow) for each in PASSING_TOO)])
def test_what_passes_is_tried_again_and_leaves_no_trace(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
):
    """Every request fails once in a way that passes; the version is that of a server that never fails."""
    site.value["target"]["candidates"] = 8
    calm = site.turn().made
    monkeypatch.setenv("THOUGHTMILL_DATA", str(tmp_path / "troubled"))
    turned = site.turn(behaviour=Behaviour(author=author, each=[fault], retry_after=0.05))
    assert turned.requests == 2 * len(attempts(turned.made))
    assert loaded_bytes(turned.made) == loaded_bytes(calm)


@pytest.mark.slow
def test_an_outage_keeps_what_was_given_and_becomes_no_fact(site: Site, data: Path):
    """The server answers 12 times and never again; later it is back."""
    site.value["models"]["teacher"]["outage_limit"] = 0.4
    down = Behaviour(author=author, schedule=["ok"] * 12 + ["503"] * 10_000)
    with pytest.raises(Outage, match="has not answered"):
        site.turn(behaviour=down)
    assert not list(data.glob("datasets/*/v*"))
    back = site.turn()
    undisturbed = site.turn(dataset="other")
    assert undisturbed.requests == 0
    assert back.requests == len(attempts(back.made)) - 12
    assert not [each for each in attempts(back.made) if each.finish == "refused"]


def test_a_server_that_answers_differently_each_time_is_believed_once(site: Site):
    first = site.turn(behaviour=Behaviour(author=author, fresh=True))
    second = site.turn(dataset="other", behaviour=Behaviour(author=author, fresh=True))
    assert second.requests == 0
    assert loaded_bytes(second.made) == loaded_bytes(first.made)


# The line of instructions, where a selection over the whole version comes last


def chat(*changes: str, **how: Any) -> Made:
    return asyncio.run(make.make("cot-self-instruct-chat", changes=changes, **how))


@pytest.mark.usefixtures("data")
def test_the_instruction_line_ends_in_a_selection_over_the_version():
    made = chat("target.accepted=20", "expand.n=3")
    assert made.ledger["accepted"] == 20
    assert_books_balance(made)
    assert_parents_resolve(made)
    told = [each for each in verdicts(made) if each.rule == "rip@1"]
    assert len({each.context for each in told if each.status == "pass"}) == 1  # one pool, one threshold
    kept = [each.score for each in told if each.status == "pass"]
    gone = [each.score for each in told if each.status == "fail"]
    assert gone
    assert min(score for score in kept if score is not None) >= max(score for score in gone if score is not None)
    assert len(gone) == len(told) // 2


# One threshold keeps a steady share; all three together may keep fewer of more draws.
SELECTIONS = {
    "worst reward": 'select.rules=[{rule="rip"}]',
    "all three": 'select.rules=[{rule="rip", reward_quantile=0.5, length_quantile=0.5, gap_quantile=0.5}]',
}


@pytest.mark.slow
@pytest.mark.parametrize("selection", ["worst reward", pytest.param("all three", marks=pytest.mark.slow)])
def test_a_selection_depends_neither_on_shards_nor_on_workers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, selection: str
):
    versions = []
    for shard, workers in [(64, 4), (7, 1), (150, 1)]:
        monkeypatch.setenv("THOUGHTMILL_DATA", str(tmp_path / str(shard)))
        changes = ["target.accepted=8", "expand.n=2", f"shard={shard}", SELECTIONS[selection]]
        versions.append(loaded_bytes(chat(*changes, workers=workers)))
    assert versions[0] == versions[1] == versions[2]


@pytest.mark.slow
@pytest.mark.parametrize("recipe", ["cot-self-instruct", "cot-self-instruct-chat"])
@pytest.mark.usefixtures("data")
def test_arms_do_without_a_part_of_the_method(recipe: str):
    def arm(*changes: str) -> Made:
        small = ["target.candidates=24", "target.accepted=24", "expand.n=2"]
        return asyncio.run(make.make(recipe, changes=[*small, *changes]))

    full, planless, unfiltered = arm(), arm("plan=false"), arm("filter=false")
    assert any("plan" in each.prompt for each in attempts(full))
    assert not any("plan" in each.prompt for each in attempts(planless) if each.stage.startswith("pose"))
    rules = {each.rule.partition("@")[0] for each in verdicts(unfiltered)}
    assert not rules & {"answer_consistency", "rip"}
    assert unfiltered.ledger["accepted"] > full.ledger["accepted"]
    assert unfiltered.counts.get("sent", 0) == 0  # the filter stands behind the last call


# Several samples in one request


@pytest.mark.parametrize("honours_n", [True, False])
def test_together_asks_once_and_what_did_not_come_one_by_one(site: Site, honours_n: bool):
    site.stage("expand").update(n=4, together=True)
    turned = site.turn(behaviour=Behaviour(author=author, ignore_n=not honours_n))
    solved = Counter(each.problem for each in attempts(turned.made) if each.stage.startswith("expand"))
    assert set(solved.values()) == {4}
    asked = turned.requests - 24
    assert asked == len(solved) * (1 if honours_n else 4)
    assert_books_balance(turned.made)


def test_the_window_widens_only_when_it_is_full_and_never_beyond_its_limit():
    assert widened(4, 3, widest=16) == 4
    assert widened(4, 4, widest=16) == 5
    assert widened(16, 16, widest=16) == 16
    assert widened(4, 4, widest=4) == 4  # a person said how many


def test_live_draws_are_held_as_they_were_given():
    ids = {7: "0a" * 16, 3: "ff" * 16, 5: "00" * 16}
    live = Live(ids)
    assert list(live.items()) == sorted(ids.items())
    assert len(live) == 3
    assert live.get(4) is None
    assert live.get(8) is None
    assert not Live({})
