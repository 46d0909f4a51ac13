"""Rows of other versions do not come again, by whichever ordered rule; no row repeats itself."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.rule import Case, Ruling
from pipelines.earlier import Earlier, OtherRows, accepted_ids, accepted_rows, earlier_of
from pipelines.recipe import BadRecipe
from pipelines.records import Facts, Problem, problem, verdict
from pipelines.rules import bind_rule
from pipelines.stage import BoundRule, Order, Shard
from pipelines.store import Output, as_tables, to_parquet
from tests.each import each_of

RULES = ["not_duplicate", {"rule": "novelty", "at_most": 0.7}, "not_near_duplicate"]


def bound(given: Any) -> BoundRule:
    return bind_rule(given, "here", Path())


def posed(draw: int, question: str) -> Problem:
    return problem(parents=(), stage="pose@1", draw=draw, kind="posed", question=question)


def as_version(folder: Path, accepted: Sequence[Problem], lost: Sequence[Problem] = ()) -> Path:
    """A version of these rows, as far as another looks at it."""
    told = [(each, "pass") for each in accepted] + [(each, "fail") for each in lost]
    closing = [
        verdict(subjects=(each.id,), stage="release@1", draw=each.draw, rule="accepted@1", status=status)  # type: ignore[arg-type]
        for each, status in told
    ]
    (folder / "facts").mkdir(parents=True)
    for name, table in as_tables(Output(Facts([each for each, _ in told], [], closing), [])).items():
        (folder / "facts" / f"{name}.parquet").write_bytes(to_parquet(table))
    (folder / "version.json").write_bytes(orjson.dumps({"digest": folder.name}))
    return folder


def ruled(others: OtherRows, rule: BoundRule, questions: Sequence[Problem]) -> list[Ruling]:
    """What is said of questions that come one after another, where none stays."""
    empty = rule.rule.run(**rule.parameters)
    cases = [Case(each) for each in questions]
    return [others.compared(rule.label, each, empty.judge(each)) for each in cases]


HERS = "A farmer has 12 cows and buys 7 more at the market. How many cows are there now?"
HIS = "What is the area of a circle whose radius is five centimetres, to one decimal?"
ALIKE = HERS.replace("there now", "there today")
COMES = [  # the rule, a question that comes: whether it is new beside HERS
    ("not_duplicate", HERS, False),
    ("not_duplicate", HERS.upper(), False),
    ("not_duplicate", ALIKE, True),
    (RULES[1], ALIKE, False),
    (RULES[1], HIS, True),
    ("not_near_duplicate", ALIKE, False),
    ("not_near_duplicate", HIS, True),
]


def others_of(rule: BoundRule, rows: Sequence[Problem]) -> OtherRows:
    others = OtherRows([rule], [])
    others.remember((each.id, each.question) for each in rows)
    return others


@each_of(COMES)
def test_a_rule_measures_the_rows_of_other_versions_as_it_does_its_own(given: Any, question: str, new: bool):
    rule = bound(given)
    [ruling] = ruled(others_of(rule, [posed(3, HERS)]), rule, [posed(9, question)])
    assert (ruling.status == "pass") == new
    assert new or (ruling.reason or "").endswith("of another version")
    assert ruling.context["rows_of_other_versions"] == 1


@each_of(RULES)
def test_no_row_repeats_itself(given: Any):
    """The row that it is comes again under its id; under another id it is a copy."""
    rule, hers = bound(given), posed(3, HERS)
    said = ruled(others_of(rule, [hers]), rule, [hers, posed(4, HERS)])
    assert [each.status for each in said] == ["pass", "fail"]


def test_only_what_a_version_accepted_counts(tmp_path: Path):
    version = as_version(tmp_path / "v2", [posed(3, HERS), posed(5, ALIKE)], lost=[posed(4, HIS)])
    assert [question for _, question in accepted_rows(version)] == [HERS, ALIKE]
    assert accepted_ids(version) == {posed(3, HERS).id, posed(5, ALIKE).id}


def test_a_version_counts_from_its_draw_on(tmp_path: Path):
    rule = bound("not_duplicate")
    early, late = (as_version(tmp_path / name, [posed(0, name)]) for name in ("v2", "v4"))
    others = OtherRows([rule], [Earlier(late, 32), Earlier(early, 16)])
    comes = [posed(9, "v2"), posed(9, "v4")]
    seen = {}
    for draw in (0, 15, 16, 31, 32, 48):
        digests = others.learn(draw)
        seen[draw] = digests, [each.status for each in ruled(others, rule, comes)]
    nothing, one, both = ([], ["pass"] * 2), (["v2"], ["fail", "pass"]), (["v2", "v4"], ["fail"] * 2)
    assert seen == {0: nothing, 15: nothing, 16: one, 31: one, 32: both, 48: both}


@given(
    theirs=st.lists(st.sampled_from("abcdefgh"), max_size=4),
    ours=st.lists(st.sampled_from("abcdefgh"), max_size=4),
    question=st.sampled_from("abcdefgh"),
)
def test_it_is_as_if_their_rows_had_stayed_before(theirs: list[str], ours: list[str], question: str):
    rule = bound("not_duplicate")
    together = rule.rule.run()
    own = rule.rule.run()
    for each in ours:
        own.remember(each)
    for each in [*theirs, *ours]:
        together.remember(each)
    case = Case(posed(99, question))
    others = others_of(rule, [posed(draw, each) for draw, each in enumerate(theirs)])
    said = others.compared(rule.label, case, own.judge(case))
    assert said.status == together.judge(case).status


def test_what_an_order_has_heard_of_is_in_what_it_tells(tmp_path: Path):
    """So that no output from before another version is taken for one that was made with it."""
    version = as_version(tmp_path / "v2", [posed(0, HERS)])

    async def told(*earlier: Earlier) -> list[Any]:
        return await Order([bound("not_duplicate")], None, earlier=earlier).enter(Shard(0, 8))

    plain, later, now = (asyncio.run(told(*each)) for each in ((), (Earlier(version, 8),), (Earlier(version, 0),)))
    assert plain == later
    assert now == [*plain, ["v2"]]


BAD = [
    ("v2", "earlier = 'v2' should be of type list"),
    (["v2"], "each of earlier = 'v2' should be of type dict"),
    ([{"version": "v2", "from": 3}], "each of earlier has no key 'from'"),
    ([{"version": "v2", "since": -1}], "since = -1 should be 0 or more"),
    ([{"version": "../small/v2"}], "here has no version '../small/v2' here; take it out"),
    ([{"since": 3}], "has no version ''"),
    ([{"version": "v9"}], "has no version 'v9'"),
]


@each_of(BAD)
def test_what_cannot_be_compared_with_is_one_line(given: Any, said: str):
    with pytest.raises(BadRecipe) as refused:
        earlier_of(given, Path("here"))
    assert said in str(refused.value)
