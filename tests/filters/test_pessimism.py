"""Which answer is most likely right, by votes and by a judge who errs; and is it the reference?"""

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import combinations
from math import log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.pessimism import MAX_WAYS, Judged, choose, classes_of
from filters.rule import Case
from filters.votes import Equal, elect
from tests.each import each_of
from tests.filters.cases import solved
from tests.filters.test_votes import SPELLINGS, Given, blindly, scored

HANGS = "the majority hangs on answers that cannot be compared"


def judged(answers: Sequence[str | None], rates: Given, *, votes: int = 1, author: str | None = None) -> Case:
    """A case whose attempts a judge found right at these rates, of so many votes each."""
    return scored(solved(answers, author=author), rates, votes=votes)


@each_of(
    [
        # a rare answer that is well verified, over a wrong majority
        (["4", "4", "4", "4", "4", "4", "5", "5"], [0.25] * 6 + [1.0] * 2, 8, "5", "verdicts"),
        (["4", "4", "4", "4", "4", "4", "5"], [0.125] * 6 + [1.0], 16, "5", "verdicts"),
        # the majority where the judge tells nothing: always yes, always no, the same of all, or nothing at all
        (["4", "4", "5"], [1.0] * 3, 4, "4", "majority"),
        (["4", "4", "5"], [0.0] * 3, 4, "4", "majority"),
        (["4", "4", "5"], [0.5] * 3, 4, "4", "majority"),
        (["4", "4", "5"], [None] * 3, 4, "4", "majority"),
        (["4", "4", "5"], [0.5, 0.25, 0.5], 4, "4", "majority"),  # no more than chance
        (["4", "4", "5"], [None, None, 1.0], 4, "4", "majority"),  # one class judged tells of no difference
        # one lucky vote loses to many good ones
        (["5"] + ["4"] * 8, [1.0] + [1.0] * 7 + [0.0], 1, "4", "majority"),
        (["5", "6"] + ["4"] * 8, [1.0, 0.0] + [1.0] * 7 + [0.0], 1, "4", "verdicts"),
    ]
)
def test_pessimistic_vote(answers: list[str], rates: Given, votes: int, value: str, by: str) -> None:
    ruling = blindly("pessimistic_vote", judged(answers, rates, votes=votes))
    assert (ruling.status, ruling.value, ruling.context["chosen_by"]) == ("pass", value, by)


def test_it_tells_votes_judgements_and_verdict_rates() -> None:
    case = judged(["4", "4", "4", "5", "5.0", "6"], [0.25, 0.0, 0.25, 1.0, 0.75, None], votes=4)
    ruling = blindly("pessimistic_vote", case)
    assert (ruling.value, ruling.score) == ("5", 0.875)
    assert ruling.evidence == {"classes": [["4", 3, 12, 1 / 6], ["5", 2, 8, 0.875], ["6", 1, 0, None]]}
    assert ruling.context["judgements"] == 20


def test_the_penalty_shrinks_with_the_evidence_and_leads_to_the_majority() -> None:
    case = judged(["4", "4", "4", "4", "5"], [0.5, 0.5, 0.75, 0.5, 1.0], votes=4)
    assert blindly("pessimistic_vote", case, penalty=0.0).value == "5"
    assert blindly("pessimistic_vote", case, penalty=5.0).value == "4"


@pytest.mark.parametrize(
    ("answers", "rates", "reason"),
    [
        (["4", "5"], [None, None], "a tie"),
        (["4", "5", "6"], [1.0, 1.0, 0.0], "a tie"),
        ([None], [1.0], "no answers"),
        (["4"], [7.5], "a score that is not between 0 and 1 is no rate"),
    ],
)
def test_no_choice(answers: list[str | None], rates: Given, reason: str) -> None:
    ruling = blindly("pessimistic_vote", judged(answers, rates, votes=4))
    assert (ruling.status, ruling.reason, ruling.value) == ("unsure", reason, None)


def test_a_choice_that_hangs_on_open_comparisons_is_unsure() -> None:
    # Should x be 5, then 5 is judged worse than 4.
    case = judged(["4", "4", "4", "5", "x", "x", "x"], [0.5, 0.5, 0.5, 1.0, 0.0, 0.0, 0.0], votes=8)
    assert blindly("pessimistic_vote", case).reason == HANGS
    case = judged(["4", "4", "4", "5", "5", "x"], [0.0, 0.0, 0.0, 1.0, 1.0, 0.75], votes=8)
    assert blindly("pessimistic_vote", case).value == "5"  # right whatever x is


def test_a_penalty_below_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="would reward little evidence"):
        blindly("pessimistic_vote", solved(["4"]), penalty=-0.1)


Votes = list[tuple[str | None, int | None]]


@given(st.lists(st.tuples(st.sampled_from(SPELLINGS), st.integers(0, 4) | st.none()), max_size=8), st.randoms())
def test_the_order_of_the_attempts_never_matters(votes: Votes, chance: random.Random) -> None:
    for rule in ("pessimistic_vote", "gold_agrees"):
        rulings = []
        for order in (votes, chance.sample(votes, len(votes))):
            rates = [None if rate is None else rate / 4 for _, rate in order]
            rulings.append(blindly(rule, judged([answer for answer, _ in order], rates, votes=4, author="0.5")))
        assert rulings[0] == rulings[1]


@given(st.lists(st.tuples(st.integers(1, 3), st.integers(0, 8)), min_size=1, max_size=5), st.data())
def test_a_choice_holds_however_open_comparisons_turn_out(
    answers: list[tuple[int, int]], data: st.DataObject
) -> None:
    """Checked against every way in which the pairs that cannot be compared may turn out."""
    votes = Counter({str(i): count for i, (count, _) in enumerate(answers)})
    said = {str(i): Judged(Fraction(right), 8) for i, (_, right) in enumerate(answers)}
    truth = {answer: data.draw(st.integers(0, 2)) for answer in votes}
    blind = data.draw(st.sets(st.sampled_from([frozenset(pair) for pair in combinations("01234", 2)])))
    penalty = data.draw(st.sampled_from([0.0, 0.5, 2.0]))

    def half_blind(a: str, b: str) -> bool | None:
        return None if {a, b} in blind else truth[a] == truth[b]

    choice = choose(classes_of(votes, half_blind, said), half_blind, penalty=penalty)
    seen = [choose(classes_of(votes, known, said), known, penalty=penalty) for known in _possible(votes, half_blind)]
    if choice.doubt is None:
        assert all(each.doubt is None for each in seen)
        assert all(set(choice.chosen.answers) <= set(each.chosen.answers) for each in seen)
    elif choice.doubt == HANGS:
        assert len({each.doubt or each.chosen.answers[0] for each in seen}) > 1


def _possible(votes: Counter[str], equal: Equal) -> list[Equal]:
    """All equalities that agree with what is known."""
    found = []
    for parts in _partitions(sorted(votes)):
        part = {answer: place for place, answers in enumerate(parts) for answer in answers}
        if all(equal(a, b) in (None, part[a] == part[b]) for a, b in combinations(votes, 2)):
            found.append(lambda a, b, part=part: part[a] == part[b])
    return found


def _partitions(answers: list[str]) -> Iterator[list[list[str]]]:
    if not answers:
        yield []
        return
    for parts in _partitions(answers[1:]):
        yield [[answers[0]], *parts]
        for place, part in enumerate(parts):
            yield [*parts[:place], [answers[0], *part], *parts[place + 1 :]]


def test_where_too_many_ways_are_open_nothing_is_chosen() -> None:
    case = judged(["abcdefgh"[i] for i in range(8)] + ["4"] * 9, [0.0] * 8 + [1.0] * 9)
    assert blindly("pessimistic_vote", case).reason == HANGS
    assert MAX_WAYS < 21_147  # the ways of nine classes


def test_many_different_answers_are_one_way() -> None:
    case = judged([str(i) for i in range(40)] + ["7"] * 4, [0.0] * 40 + [1.0] * 4)
    assert blindly("pessimistic_vote", case).value == "7"


def test_nothing_judged_is_a_rate_of_zero() -> None:
    assert Judged().rate == 0


# Simulated solvers and judges


class World:
    """Problems whose right answer is 0, solvers that find it now and then, and a judge with these rates."""

    def __init__(self, seed: int, *, judges: int, right: float, wrong: float) -> None:
        self.chance, self.judges, self.right, self.wrong = random.Random(seed), judges, right, wrong

    def problem(self, *, attempts: int = 8) -> tuple[Counter[str], dict[str, Judged]]:
        skill, liking = self.chance.betavariate(0.8, 1.2), [self.chance.random() ** 2 for _ in range(3)]
        votes, said = Counter[str](), dict[str, Judged]()
        for _ in range(attempts):
            answer = "0" if self.chance.random() < skill else self.chance.choices("123", liking)[0]
            rate = self.right if answer == "0" else self.wrong
            votes[answer] += 1
            said[answer] = said.get(answer, Judged()).plus(Judged(Fraction(self.yes(rate)), self.judges))
        return votes, said

    def yes(self, rate: float) -> int:
        return sum(self.chance.random() < rate for _ in range(self.judges))


def accuracy(world: World, *, penalty: float = 0.5, problems: int = 1000) -> tuple[float, float]:
    """How often the right answer is chosen, by the judge and by the majority."""
    chosen, majority = 0, 0
    for _ in range(problems):
        votes, said = world.problem()
        choice = choose(classes_of(votes, str.__eq__, said), str.__eq__, penalty=penalty)
        majority += elect(votes, str.__eq__).majority == "0"
        chosen += choice.doubt is None and choice.chosen.answers == ["0"]
    return chosen / problems, majority / problems


def test_accuracy_rises_with_the_judgements() -> None:
    rates = [accuracy(World(1, judges=judges, right=0.8, wrong=0.4))[0] for judges in (1, 4, 16)]
    assert rates == sorted(rates)
    assert rates[0] > 0.5
    assert rates[1] > rates[0] + 0.05
    assert rates[2] > rates[1] + 0.05


def test_a_good_judge_beats_the_majority() -> None:
    chosen, majority = accuracy(World(2, judges=4, right=0.95, wrong=0.1))
    assert chosen > majority + 0.25


@pytest.mark.parametrize("rate", [0.5, 0.8, 1.0])
def test_a_judge_who_tells_nothing_costs_little(rate: float) -> None:
    """By chance some problems look as if the judge told something; a penalty of 0 would lose twice as much."""
    chosen, majority = accuracy(World(3, judges=4, right=rate, wrong=rate), problems=2000)
    assert chosen > majority - 0.05
    if rate == 1.0:
        assert chosen == majority


def single_verdicts(*, judges: int, right: float, wrong: float, threshold: float, n: int = 4000) -> float:
    """How often the share of yes against a threshold tells right solutions from wrong ones, half of each."""
    world = World(4, judges=judges, right=right, wrong=wrong)
    found = sum(world.yes(right) > threshold * judges for _ in range(n))
    refused = sum(world.yes(wrong) <= threshold * judges for _ in range(n))
    return (found + refused) / (2 * n)


def between(right: float, wrong: float) -> float:
    """Where the shares of yes of right and of wrong solutions are equally likely."""
    return log((1 - wrong) / (1 - right)) / log(right * (1 - wrong) / (wrong * (1 - right)))


def test_a_threshold_between_the_rates_gains_from_more_votes_and_a_half_may_not() -> None:
    votes = (1, 5, 17, 65)
    half = [single_verdicts(judges=m, right=0.8, wrong=0.4, threshold=0.5) for m in votes]
    assert half == pytest.approx([0.70, 0.81, 0.90, 0.975], abs=0.015)
    blind = [single_verdicts(judges=m, right=0.8, wrong=0.55, threshold=0.5) for m in votes]
    assert blind == pytest.approx([0.63, 0.67, 0.67, 0.61], abs=0.015)
    for wrong in (0.4, 0.55):
        placed = [single_verdicts(judges=m, right=0.8, wrong=wrong, threshold=between(0.8, wrong)) for m in votes]
        assert placed == sorted(placed)
        assert placed[-1] > 0.97


# The reference


@each_of(
    [
        (["4", "4", "5"], [None] * 3, "4.0", "pass", None),
        (["4", "4", "5"], [None] * 3, "5", "fail", "the majority has another answer than the reference"),
        (["4", "4", "5"], [None] * 3, "7", "fail", "the majority has another answer than the reference"),
        (["4", "4", "5"], [0.0, 0.0, 1.0], "5", "pass", None),
        (["4", "4", "5"], [0.0, 0.0, 1.0], "4", "fail", "another answer than the reference was judged right"),
        (["4", "4", "5", "6", "7"], [None] * 5, "5", "unsure", "another answer than the reference has some support"),
        (["4", "4", "4"], [0.25] * 3, "5", "unsure", "another answer than the reference has some support"),
        (["4", "5"], [None] * 2, "5", "unsure", "a tie"),
        (["x+1", "x+1"], [None] * 2, "1+x", "unsure", "the reference cannot be compared with the answer chosen"),
        ([None, None], [None] * 2, "5", "unsure", "no answers"),
        (["4"], [None], None, "unsure", "no reference answer"),
    ]
)
def test_gold_agrees(
    answers: list[str | None], rates: Given, author: str | None, status: str, reason: str | None
) -> None:
    ruling = blindly("gold_agrees", judged(answers, rates, votes=8, author=author))
    assert (ruling.status, ruling.reason) == (status, reason)


def test_what_is_flagged_tells_votes_and_verdict_rates() -> None:
    ruling = blindly("gold_agrees", judged(["4", "4", "5"], [0.0, 0.25, 1.0], votes=4, author="4"))
    assert ruling.evidence == {"classes": [["4", 2, 8, 0.125], ["5", 1, 4, 1.0]], "reference": "4"}
    assert (ruling.value, ruling.score) == ("5", 1.0)


@pytest.mark.parametrize("share", [0.2, 0.5])
def test_planted_wrong_references_are_found(share: float) -> None:
    """Of 400 problems this share has a wrong reference; solvers find the right answer to two fifths."""
    world, flagged, planted = World(5, judges=8, right=0.9, wrong=0.2), set[int](), set[int]()
    for i in range(400):
        votes, said = world.problem()
        if world.chance.random() < share:
            planted.add(i)
        reference = world.chance.choice("123") if i in planted else "0"
        answers = list(votes.elements())
        case = judged(answers, [float(said[answer].rate) for answer in answers], votes=8, author=reference)
        if blindly("gold_agrees", case).status == "fail":
            flagged.add(i)
    recall, precision = len(flagged & planted) / len(planted), len(flagged & planted) / len(flagged)
    assert recall > 0.75
    assert precision > 0.95
