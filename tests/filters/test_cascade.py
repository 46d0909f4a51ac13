"""The final label, and the error rates that a dataset's verdicts tell."""

from __future__ import annotations

from itertools import product

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.cascade import drawn, in_words, verification, wrong_answer
from filters.rule import Case, Ruling
from filters.verifiers import VERIFIERS, verifier
from pipelines.records import Status, Verdict, verdict
from tests.each import each_of
from tests.filters.cases import answered, run, task

JUDGE = {"judge": "m", "revision": "r1", "prompt": "judge/reference@0", "asked": 3, "at_least": 0.5, "at_most": 1.0}
STATUSES: tuple[Status, ...] = ("pass", "fail", "unsure", "error")


def said(
    rule: str, subject: str, status: Status, *, value: str | None = None, votes: int = 3, **who: object
) -> Verdict:
    """What the rule or the judge says of a subject."""
    context = (
        {"verifier": "math@2"} if rule == "answer_matches" else {"verifier": "math@2", **JUDGE, **who, "votes": votes}
    )
    return verdict(
        subjects=[subject],
        stage="appeal@1",
        draw=0,
        rule=f"{rule}@1",
        status=status,
        value=value,
        context=context,
        evidence={} if status == "pass" else {"reason": f"{rule} says {status}"},
    )


def labelled(rule: Status | None, appeal: Status | None) -> Ruling:
    of = task(answer="1/3")
    attempt = answered(of, "a third")
    verdicts = [said("answer_matches", attempt.id, rule)] if rule else []
    verdicts += [said("appeal", attempt.id, appeal)] if appeal else []
    [ruling] = run("label", Case(of, None, [attempt], verdicts))
    assert ruling.about == (attempt.id,)
    return ruling


LABELS: dict[tuple[Status | None, Status | None], Status] = {
    ("pass", None): "pass",
    ("fail", None): "fail",
    ("unsure", None): "unsure",
    ("error", None): "error",
    ("fail", "pass"): "pass",
    ("fail", "fail"): "fail",
    ("fail", "unsure"): "unsure",
    ("unsure", "pass"): "pass",
    ("unsure", "fail"): "fail",
    ("unsure", "unsure"): "unsure",
    ("error", "pass"): "pass",
    (None, None): "unsure",
    (None, "pass"): "unsure",
}


@each_of(LABELS)
def test_rule_and_appeal_make_the_label(rule: Status | None, appeal: Status | None):
    ruling = labelled(rule, appeal)
    assert ruling.status == LABELS[rule, appeal]


def test_what_the_rule_passes_stays_passed():
    for appeal in STATUSES:
        assert labelled("pass", appeal).status == "pass"


def test_the_label_says_who_decided_and_what_each_said():
    ruling = labelled("fail", "pass")
    assert ruling.value == "appeal"
    context = ruling.context
    assert (context["rule_verdict"], context["appeal_verdict"]) == ("fail", "pass")
    assert (context["verifier"], context["judge"], context["revision"]) == ("math@2", "m", "r1")


def test_an_audit_changes_no_label():
    of = task(answer="1/3")
    attempt = answered(of, "1/3")
    verdicts = [said("answer_matches", attempt.id, "pass"), said("audit", attempt.id, "fail")]
    [ruling] = run("label", Case(of, None, [attempt], verdicts))
    assert (ruling.status, ruling.value) == ("pass", "rule")


# What is asked


@pytest.mark.parametrize("name", [name for name in VERIFIERS if VERIFIERS[name].compares])
def test_a_wrong_answer_is_wrong(name: str):
    reference = verifier(name).example[0]
    found = wrong_answer(reference, verifier_name=name, seed="s")
    assert found == wrong_answer(reference, verifier_name=name, seed="s")
    if found is not None:
        outcome = verifier(name).check_quickly(reference, found)
        assert outcome is not None
        assert outcome.status == "fail"


@given(st.integers(-(10**9), 10**9), st.text(max_size=8))
def test_a_number_has_a_wrong_neighbour(number: int, seed: str):
    found = wrong_answer(str(number), verifier_name="math", seed=seed)
    assert found is not None
    assert 1 <= abs(int(found) - number) <= 10


@given(st.text(max_size=40), st.sampled_from(["math", "choice"]))
def test_a_wrong_answer_is_looked_for_to_any_reference(reference: str, name: str):
    found = wrong_answer(reference, verifier_name=name, seed="s")
    assert found is None or found


def test_a_share_is_drawn_by_name():
    names = [str(number) for number in range(4000)]
    for share in (0.0, 0.1, 0.5, 1.0):
        taken = {name for name in names if drawn(share, seed=name)}
        assert len(taken) / len(names) == pytest.approx(share, abs=0.03)
        assert taken == {name for name in names if drawn(share, seed=name)}
    assert {name for name in names if drawn(0.1, seed=name)} <= {name for name in names if drawn(0.5, seed=name)}


# How wrong they are


def facts() -> list[Verdict]:
    """60 passes of which 20 are audited, 40 fails that are all appealed, and 20 controls of each kind."""
    made = [said("answer_matches", f"p{k}", "pass") for k in range(60)]
    made += [said("answer_matches", f"f{k}", "fail") for k in range(40)]
    made += [said("audit", f"p{k}", "fail" if k < 2 else "pass") for k in range(20)]
    made += [said("appeal", f"f{k}", "pass" if k < 10 else "unsure" if k < 12 else "fail") for k in range(40)]
    made += [said("control", f"r{k}", "fail" if k < 4 else "pass", value="right") for k in range(20)]
    made += [said("control", f"w{k}", "pass" if k < 1 else "fail", value="wrong") for k in range(20)]
    return made


def test_verdicts_are_counted_by_what_they_are_about():
    [(by, about)] = verification(facts()).items()
    [judge] = about["judges"]
    assert by == "math@2"
    assert about["rules"] == ["answer_matches@1"]
    assert about["verdicts"] == {"fail": 40, "pass": 60}
    assert judge["said"] == {
        "right": {"no": 4, "yes": 16},
        "wrong": {"no": 19, "yes": 1},
        "failed": {"no": 28, "undecided": 2, "yes": 10},
        "passed": {"no": 2, "yes": 18},
        "unsure": {},
    }
    assert (judge["judge_false_negative"]["k"], judge["judge_false_negative"]["n"]) == (4, 20)
    assert (judge["right_of_failed"]["k"], judge["right_of_failed"]["n"]) == (10, 38)
    assert judge["right_of_failed"]["value"] == pytest.approx((10 / 38 - 0.05) / 0.75, abs=1e-4)
    assert {name: judge[name] for name in JUDGE} == JUDGE


def test_the_order_of_the_facts_does_not_matter_and_the_rates_are_json():
    assert verification(reversed(facts())) == verification(facts())
    assert orjson.loads(orjson.dumps(verification(facts()))) == verification(facts())


def test_two_judges_are_told_apart():
    more = [said("appeal", "f1", "fail", judge="other"), said("appeal", "f1", "fail", revision="r2")]
    [about] = verification([*facts(), *more]).values()
    assert [(each["judge"], each["revision"]) for each in about["judges"]] == [
        ("m", "r1"),
        ("m", "r2"),
        ("other", "r1"),
    ]


def test_gaming_is_counted_apart_and_left_out_of_the_rates():
    gaming = [said("answer_matches", "g", "fail"), said("appeal", "g", "fail", votes=0)]
    [judge] = verification([*facts(), *gaming])["math@2"]["judges"]
    [plain] = verification(facts())["math@2"]["judges"]
    assert judge["said"]["failed"]["refused"] == 1
    assert judge["rule_false_negative"] == plain["rule_false_negative"]


def test_a_rule_without_a_judge_has_counts_and_no_rates():
    made = [said("answer_matches", "a", "pass"), said("answer_matches", "b", "unsure")]
    [about] = verification(made).values()
    assert about == {"rules": ["answer_matches@1"], "verdicts": {"pass": 1, "unsure": 1}, "judges": []}
    assert verification([]) == {}
    assert in_words(verification(made)) == ""


def test_the_card_has_a_line_for_every_rate():
    lines = in_words(verification(facts())).splitlines()
    assert len(lines) == 2 + 6
    assert lines[2] == ("| math@2 | m@r1 | the judge fails a right answer | 20.0% (8.1% to 41.6%; 4 of 20) |")
    assert "not known" in in_words(verification([*facts()[:1], said("appeal", "x", "pass")]))


@settings(max_examples=25)
@given(
    st.lists(
        st.tuples(
            st.sampled_from("abcd"), st.sampled_from(STATUSES), st.sampled_from(["answer_matches", "appeal", "audit"])
        )
    )
)
def test_any_verdicts_make_rates(told: list[tuple[str, Status, str]]):
    made = [said(rule, subject, status) for subject, status, rule in told]
    for about, rate in product(verification(made).values(), ("rule_false_negative", "right_of_failed")):
        assert all(0 <= judge[rate]["low"] <= judge[rate]["high"] <= 1 for judge in about["judges"])
