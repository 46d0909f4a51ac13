"""Constraints on the form of a response: the table, IFEval's rows, and what no text may do."""

import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from filters.verifiers import constraints
from filters.verifiers.constraints import checks, language, text
from filters.verifiers.constraints.checks import CHECKS
from filters.verifiers.constraints.ifeval import INSTRUCTIONS
from filters.verifiers.constraints.reference import PARAMETERS
from filters.verifiers.outcome import Outcome
from tests.each import each_of
from tests.filters.verifiers.tables.constraints import ENGLISH, HITS, MISSES, POEM, SPANISH, asks, row

STATES = {"pass", "fail", "unsure", "error"}
PROBE = {
    "at_least": 1, "digits": 2, "nth": 1, "paragraphs_in_all": 1, "keyword": "tea", "keywords": ["tea"],
    "text_part": "tea", "texts": ["tea"], "forbidden": ["tea"], "options": ["tea", "milk"], "phrase": "tea",
    "word": "tea", "marker": "P.S.", "divider": "***", "prompt": "tea", "letter": "t", "pattern": "t.*",
    "format": "YYYY-MM-DD", "language": "en",
}  # fmt: skip


def outcome(reference: str, response: str) -> Outcome:
    """What a rule would see: the answer found, then checked quickly or thoroughly."""
    answer = constraints.final_answer(response) or ""
    return constraints.check_quickly(reference, answer) or constraints.check(reference, answer)


def probe(name: str) -> dict:
    """A usable constraint of that name."""
    bound = {"at_least": 1} if CHECKS[name].counts else {}
    return {"check": name, **bound, **{each: PROBE[each] for each in CHECKS[name].takes}}


@each_of(HITS)
def test_hits_pass(reference, response):
    found = outcome(reference, response)
    assert found.status == "pass", found
    assert found.score == 1


@each_of(MISSES)
def test_near_misses_fail(reference, response):
    found = outcome(reference, response)
    assert found.status == "fail", found
    assert found.reason
    assert found.score is not None
    assert found.score < 1


def test_the_table_is_as_large_as_promised():
    assert len(HITS) >= 110
    assert len(MISSES) >= 110
    assert len(CHECKS) >= 30


def test_every_check_and_every_instruction_of_ifeval_has_a_hit_and_a_miss():
    for table in (HITS, MISSES):
        read = [json.loads(reference) for reference, _ in table]
        used = {each["check"] for reference in read for each in reference.get("constraints", [])}
        assert used == CHECKS.keys()
        assert {name for each in read for name in each.get("instruction_id_list", [])} == INSTRUCTIONS.keys()
    assert len(INSTRUCTIONS) == 25


# --- References ---------------------------------------------------------------------------------------


@each_of(
    [
        ("", "no JSON"),
        ("Write 100 words.", "no JSON"),
        ("[]", "no object"),
        ("{}", "no list of 1 to 50"),
        ('{"constraints": []}', "no list of 1 to 50"),
        ('{"constraints": ["words"]}', "names no check"),
        (asks("wrods", at_least=1), "unknown constraint 'wrods'"),
        (asks("words"), "words needs at_least, at_most or exactly"),
        (asks("title", at_least=1), "title does not take at_least"),
        (asks("words", at_least="many"), "at_least of words is not a whole number"),
        (asks("words", at_least=True), "at_least of words is not a whole number"),
        (asks("words", at_least=5, at_most=4), "at_least no greater than at_most"),
        (asks("words", exactly=5, at_most=6), "exactly without"),
        (asks("keywords"), "keywords needs keywords"),
        (asks("keywords", keywords=[]), "is not a list of texts"),
        (asks("keywords", keywords=["\u200b"]), "is not a list of texts"),
        (asks("no_commas", keywords=["a"]), "no_commas does not take 'keywords'"),
        (asks("letter_count", letter="ab", at_least=1), "is not one character"),
        (asks("matches", pattern="("), "is not a regular expression"),
        (asks("dates", format="YY", at_least=1), "format of dates is not one of"),
        (asks("language", language="xx"), "language of language is not a known code"),
        (asks("title", mode="lenient"), "unknown mode 'lenient'"),
        (row("keywords:existance", keywords=["a"]), "unknown constraint 'keywords:existance'"),
        (row("length_constraints:number_words", num_words=3), "needs a relation"),
        (row("length_constraints:number_words", relation="less than", num_words=0), "is not a whole number"),
        (row("punctuation:no_comma", num_bullets=3), "punctuation:no_comma does not take 'num_bullets'"),
        ('{"instruction_id_list": ["punctuation:no_comma"], "kwargs": []}', "no lists of the same length"),
        ('{"constraints": [{"check": "title"}], "solution": 5}', "the solution is no text"),
    ]
)
def test_what_is_wrong_with_a_reference_is_said_and_never_the_fault_of_the_answer(reference, problem):
    assert problem in (constraints.problem_with(reference) or "")
    assert outcome(reference, "An answer.").status == "unsure"


def test_a_solution_is_the_gold_answer():
    reference = json.dumps({"constraints": [{"check": "title"}], "solution": "<<One>>"})
    assert constraints.gold(reference) == "<<One>>"
    assert outcome(reference, "<<One>>").status == "pass"
    assert constraints.gold(asks("title")) is None


def test_every_parameter_is_explained_and_used():
    used = {name for check in CHECKS.values() for name in check.takes + check.optional}
    assert used | {"at_least", "at_most", "exactly"} == PARAMETERS.keys()


# --- Descriptions and evidence ------------------------------------------------------------------------


@each_of(CHECKS)
def test_every_check_can_be_asked_for_in_english(name):
    said = constraints.describe(probe(name))
    assert said[0].isupper()
    assert "{" not in said
    for parameter in CHECKS[name].takes:
        shown = "English" if parameter == "language" else PROBE[parameter]
        assert all(str(each) in said for each in (shown if isinstance(shown, list) else [shown]))


@each_of(
    [
        ({"check": "words", "at_least": 3, "at_most": 5}, "Write at least 3 and at most 5 words."),
        ({"check": "sentences", "exactly": 1}, "Write exactly 1 sentence."),
        ({"check": "keywords", "keywords": ["a", "b"]}, 'Use each of these words: "a", "b".'),
        ({"check": "language", "language": "fr"}, "Write in French only."),
        (
            {"check": "length_constraints:number_words", "relation": "less than", "num_words": 3},
            "Write at most 2 words.",
        ),
    ]
)
def test_descriptions(constraint, said):
    assert constraints.describe(constraint) == said


def test_an_unusable_constraint_is_not_described():
    with pytest.raises(ValueError, match="unknown constraint 'wrods'"):
        constraints.describe({"check": "wrods"})


def test_every_result_is_evidence_and_the_score_is_the_share_that_holds():
    reference = json.dumps(
        {"constraints": [{"check": "words", "at_least": 9}, {"check": "no_commas"}, {"check": "title"}]}
    )
    found = outcome(reference, "<<Tea>> is good.")
    assert found.score == pytest.approx(2 / 3)
    assert found.reason == "constraints fail: 1 of 3, words is 3, not at least 9"
    assert found.evidence["constraints"] == [
        {"check": "words", "at_least": 9, "holds": False, "found": 3},
        {"check": "no_commas", "holds": True},
        {"check": "title", "holds": True},
    ]


def test_a_failure_is_a_failure_even_beside_what_cannot_be_told():
    untold = {"check": "language", "language": "en"}
    reference = json.dumps({"constraints": [untold, {"check": "title"}]})
    assert outcome(reference, "Ok").status == "fail"
    assert outcome(reference, "<<Ok>>").status == "unsure"
    assert outcome(reference, "<<Ok>>").score == 0.5


# --- Strict and loose ----------------------------------------------------------------------------------


@each_of(HITS)
def test_what_passes_strictly_passes_loosely(reference, response):
    loosely = json.dumps({**json.loads(reference), "mode": "loose"})
    assert outcome(loosely, response).status == "pass"


@pytest.mark.parametrize("check", ["upper_case", "lower_case"])
def test_loose_looks_past_the_first_and_the_last_line(check):
    body = "ALL IS WELL" if check == "upper_case" else "all is well"
    response = f"Here you are:\n{body}\nI hope this helps!"
    assert outcome(asks(check), response).status == "fail"
    assert outcome(asks(check, mode="loose"), response).status == "pass"


# --- Parts of texts -----------------------------------------------------------------------------------


@each_of(
    [
        ("It rained. We left.", 2),
        ("Mr. and Mrs. Hill met Dr. Who at no. 5, p. 3, on Jan. 6.", 1),
        ("J. R. R. Tolkien wrote it, i.e. all of it.", 1),
        ("Version 3.11.2 is out! Get it at example.com.", 2),
        ("Wait... what? No!", 2),
        ("So am I. Are you?", 2),
        ("“Go!” she said. “Now.” Then she left.", 3),
        ("1. One.\n2. Two.\n3. Three.", 3),
        ("A title\n\nA sentence.", 1),
        ("", 0),
        ("?! ... !!", 0),
    ]
)
def test_sentences(written, pieces):
    assert len(text.sentences(written)) == pieces


@pytest.mark.parametrize("sample", [ENGLISH, SPANISH, POEM])
def test_seen_changes_nothing_that_can_be_seen(sample):
    assert text.seen(sample) == sample
    assert text.seen("\u200b".join(sample)) == sample
    assert text.seen(sample.replace("\n", "\r\n")) == sample


@pytest.mark.parametrize(("code", "written"), [("en", ENGLISH), ("es", SPANISH)])
def test_langdetect_agrees_with_our_own_means(code, written):
    pytest.importorskip("langdetect")
    assert language.told(written) == language.guessed(written) == code
    assert language.guessed(written.upper()) == code


def test_languages_that_only_statistics_know_are_asked_of_them():
    pytest.importorskip("langdetect")
    danish = (
        "Katten er i huset og vil ikke ud på gaden, fordi det er koldt, men børnene leger med den, når de er hjemme."
    )
    assert constraints.check_quickly(asks("language", language="da"), danish) is None
    assert constraints.check(asks("language", language="da"), danish).status == "pass"


def test_without_langdetect_it_cannot_be_told(monkeypatch):
    monkeypatch.setattr(language, "find_spec", lambda name: None)
    assert constraints.check(asks("language", language="da"), "Katten er i huset.").status == "unsure"


def test_a_pattern_is_never_run_quickly():
    assert constraints.check_quickly(asks("matches", pattern="(a*)*b"), "a" * 40) is None


# --- What no text may do ------------------------------------------------------------------------------

ANY_TEXT = st.text(max_size=300)
LIVELY = st.text(
    alphabet="aB1 .!?,\n\r\t*-_#|`<>[](){}\"'«»:;/\\\u200b\u0301\u0327\u3164。é漢カ가कि\ud800\x00", max_size=200
)


@settings(max_examples=150, deadline=None)
@given(response=ANY_TEXT | LIVELY)
@example(response="\ud800")
def test_no_response_makes_any_check_raise(response):
    for name in CHECKS:
        reference = json.dumps({"constraints": [probe(name)], "mode": "loose"})
        found = outcome(reference, response)
        assert found.status in STATES
        json.dumps(found.evidence).encode()
        assert (found.reason or "").encode() is not None


JSON_VALUE = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from([*CHECKS, *INSTRUCTIONS]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["check", "constraints", "mode", "kwargs", *PARAMETERS]) | st.text(max_size=5), inner
        )
    ),
    max_leaves=12,
)


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(
    reference=ANY_TEXT
    | JSON_VALUE.map(json.dumps)
    | st.lists(JSON_VALUE).map(lambda rows: json.dumps({"constraints": rows}))
)
def test_no_reference_makes_anything_raise(reference):
    problem = constraints.problem_with(reference)
    assert problem is None or (problem and "\n" not in problem)
    (problem or "").encode()
    assert constraints.gold(reference) is None or problem is None
    assert constraints.check(reference, "An answer.").status in (
        {"pass", "fail", "unsure"} if problem is None else {"unsure"}
    )


@settings(max_examples=100, deadline=None)
@given(response=LIVELY, mode=st.sampled_from(["strict", "loose"]))
def test_quick_and_thorough_agree(response, mode):
    for name in CHECKS:
        reference = json.dumps({"constraints": [probe(name)], "mode": mode})
        quick = constraints.check_quickly(reference, response)
        assert quick is None or quick == constraints.check(reference, response)


HOSTILE = [
    "*",
    "[",
    "<",
    ".",
    "!",
    '"',
    "\n",
    " ",
    "\t",
    "-",
    "`",
    "|",
    "#",
    "_",
    "a",
    "1",
    "1.",
    "a.",
    "* a\n",
    "<<",
    "```\n",
    "a'",
]
HOSTILE += [
    "\u0301\u0327",
    "\u200b",
    "。",
    "\n\n",
    "P.",
    "*a",
    "[a",
    "\\",
    "'",
    "Section 1\n",
    "1/1/",
    "漢",
    "कि",
    "\n \n",
    "…",
    '?"',
]


@pytest.mark.slow
@pytest.mark.timeout(60)
@pytest.mark.parametrize("unit", HOSTILE)
def test_long_texts_are_gone_through_in_linear_time(unit):
    """Seconds at most; a quadratic step over so many characters takes longer than the test's own time limit."""
    response = unit * (300_000 // len(unit)) + "x"
    for name, check in CHECKS.items():
        checks.quickly(checks.Constraint(name, {}, {each: PROBE[each] for each in check.takes}), text.seen(response))
