"""Which questions and which authors' answers have a form that can be used."""

from filters.rule import Case
from tests.each import each_of
from tests.filters.cases import needs_data, rows, rule_on, task

GOOD = "A baker sells 12 loaves a day. How many loaves does she sell in 3 days?"

USABLE = [
    GOOD,
    r"Compute $\sin 60^\circ$ exactly.",
    r"Evaluate $x^{{n}}$ for $x = 2$ and $n = 3$.",
    r"Find \frac{{a}}{{b}} when a is 1 and b is 2.",
    "Which is larger? (A) 3 (B) 5 (C) 7",
    "Two facts hold:\n1. Ann is older than Bob.\n2. Bob is older than Cy.\nWho is the youngest?",
    "Is the set {1, 2} a subset of {1, 2, 3}?",
    "A farmer keeps seed in 4 bags of 5 kg. How many kg?",
    "He drew a box. How many corners has it?",
    "Solve 3x + 4 = 10 for x",
    "小明有三个苹果,又买了两个。他现在有几个?",
    "Line one of the text\n\tand line two. How long is it?",
]

UNUSABLE = [
    ("", "too few words"),
    ("Why? -- !!! ...", "too few words"),
    ("word of many " * 200, "too many words"),
    ("How many apples are there \ufffd in all?", "holds replacement or control characters"),
    ("How many apples\x00 are there in all?", "holds replacement or control characters"),
    ("How many \u202eapples are there in all?", "holds replacement or control characters"),
    ("<question> " + GOOD, "holds a tag of the answer format"),
    (GOOD + " </Answer>", "holds a tag of the answer format"),
    ("[New Question Begin] " + GOOD, "holds a tag of the answer format"),
    ("What is {{number}} plus five or so?", "holds an unfilled template variable"),
    ("What is {{ seed_task }} plus five or so?", "holds an unfilled template variable"),
    ("Like seed question 1, how many loaves are there?", "speaks of the seeds"),
    ("Here is the new problem: " + GOOD, None),
    ("New question: " + GOOD, "speaks of the seeds"),
    ("**The new problem** is how many loaves there are.", "speaks of the seeds"),
    (GOOD + r" Put it in \boxed{}.", r"holds a \boxed"),
    ("spam spam SPAM spam spam", "repeats one word"),
    ("There are 12 loaves. Now consider the following:", "ends in the middle of a sentence"),
    ("There are 12 loaves and each of the", "ends in the middle of a sentence"),
    ("1. How many are there?\n2. What do they weigh?", "asks several questions"),
    ("(a) How many are there? (b) What do they weigh?", "asks several questions"),
    ("Problem 1: add 2 to 3.\nProblem 2: add 3 to 4.", "asks several questions"),
]


@each_of(USABLE)
def test_usable_questions_pass(question: str) -> None:
    assert rule_on("form", Case(task(question))).reason is None


@each_of(UNUSABLE)
def test_each_defect_has_its_own_reason(question: str, reason: str | None) -> None:
    assert rule_on("form", Case(task(question))).reason == reason


def test_limits_on_words_are_inclusive() -> None:
    case = Case(task("one two three four five six"))
    assert rule_on("form", case, at_least_words=6, at_most_words=6).status == "pass"
    assert rule_on("form", case, at_least_words=7).reason == "too few words"
    assert rule_on("form", case, at_most_words=5).reason == "too many words"


ONE_VALUE = [
    "42",
    "-3/4",
    r"\frac{1}{2}",
    "1,234,567",
    r"10,\!080",
    "(3, 4)",
    r"\{1, 2, 3\}",
    "[0, 1)",
    r"x^2 + 3x - 1",
    "x = 5",
    r"3\sqrt{2}",
    "yes",
    "B",
    "12 square metres",
    r"5 \text{ cm}",
    r"\text{Tuesday}",
    "3:15",
    "1.5e6",
]

NOT_ONE_VALUE = [
    (None, "no answer"),
    ("  ", "no answer"),
    ("7" * 81, "too long for an answer"),
    ("2 or 3", "more than one answer"),
    ("2, 3", "more than one answer"),
    ("x = 1; y = 2", "more than one answer"),
    (r"1 \pm \sqrt{2}", "more than one answer"),
    ("3 and 4", "more than one answer"),
    ("The answer is 42", "prose instead of a value"),
    ("42 because 6 times 7", "prose instead of a value"),
    ("red apples in every basket of ours", "prose instead of a value"),
    ("1\n2", "prose instead of a value"),
    ("about 5", "not an exact value"),
    ("0.333...", "not an exact value"),
    (r"\approx 3.14", "not an exact value"),
    ("?!", "not an answer that the verifier can read"),
]


@each_of(ONE_VALUE)
def test_one_short_value_passes(answer: str) -> None:
    assert rule_on("answer_form", Case(task(answer=answer))).reason is None


@each_of(NOT_ONE_VALUE)
def test_anything_else_fails_with_its_reason(answer: str | None, reason: str) -> None:
    assert rule_on("answer_form", Case(task(answer=answer))).reason == reason


def test_a_choice_is_a_letter() -> None:
    assert rule_on("answer_form", Case(task(answer="(B)", verifier="choice"))).status == "pass"
    fails = rule_on("answer_form", Case(task(answer="banana", verifier="choice")))
    assert fails.reason == "not an answer that the verifier can read"


def test_a_problem_without_a_verifier_claims_no_checkable_answer() -> None:
    assert rule_on("answer_form", Case(task(answer=None, verifier=None))).status == "pass"


@needs_data
def test_school_problems_have_good_form() -> None:
    """Problems that people wrote and checked: what fails among them is a false alarm."""
    for row in rows("gsm8k/train.jsonl")[:1000]:
        case = Case(task(row["question"], row["answer"].rpartition("####")[2].strip()))
        assert [rule_on(rule, case).reason for rule in ("form", "answer_form", "no_leak")] == [None] * 3, row
