"""Which questions give their answer away, and which only happen to contain it."""

from filters.rule import Case
from tests.each import each_of
from tests.filters.cases import needs_data, rows, rule_on, task

LEAKS = [
    ("How many eggs are left? (Answer: 42)", "42", "gives an answer"),
    ("How many eggs are left? Answer: 17", "42", "gives an answer"),
    ("How many eggs are left?\n#### 42", "42", "gives an answer"),
    (r"What is 6 times 7? \boxed{42}", "42", "gives an answer"),
    ("What is 6 times 7?\nSolution: multiply both.", "42", "gives a solution"),
    ("What is 6 times 7? Hint: it is 2 less than 44.", "42", "gives a hint"),
    ("Which is even? (A) 3 (B) 4 (correct) (C) 5", "B", "marks a choice as right"),
    ("Add 40 and 2; the answer is 42. How did we get there?", "42", "states its answer"),
    ("Show that the final answer should be $42$ eggs.", "42", "states its answer"),
    ("Show that the result is 1/2 here.", "0.5", "states its answer"),
    ("What is 6 * 7 = 42?", "42", "states its answer"),
    (r"What is $6 \times 7 = 42$?", "42", "states its answer"),
    ("How many eggs are left? 42", "42", "states its answer"),
    ("How many eggs are left? (42)", "42", "states its answer"),
    ("How many eggs are left? You should get 42 eggs.", "42", "states its answer"),
    ("How many eggs are left? (It comes to 42.)", "42", "states its answer"),
    ("Find the number of eggs that are left. (Check: 42)", "42", "states its answer"),
    ("Which is even?\nA) 3\nB) 4\n(It comes to B.)", "B", "states its answer"),
    ("Is 17 a prime number? Yes, since nothing divides it.", "yes", "states its answer"),
    ("Is 15 a prime number? The answer is no.", "no", "states its answer"),
    ("Which is even? (A) 3 (B) 4. The answer is (B).", "B", "states its answer"),
]

NO_LEAKS = [
    (r"Fill in: $3 - x + \boxed{\phantom{2}} = 5$", "2"),
    (r"What number goes into \boxed{?} here: 3 + \boxed{ } = 5", "2"),
    ("What do you get when you divide 12 by 1?", "12"),
    ("Ann has 5 apples and buys 0 more. How many apples has she?", "5"),
    ("I double a number and add 2; the result is 42. What is the number?", "20"),
    ("Solve 2x - 3 = 3?", "3"),
    ("For which y does y - 3 + 1 = 5 hold; that is, y - 3 + 1 = 5?", "5"),
    ("Is it true that 6 * 7 = 42?", "yes"),
    ("Is 17 prime? Answer yes or no.", "yes"),
    ("Is 17 prime? The answer is yes or no.", "yes"),
    ("Is 17 prime? Answer: yes or no.", "yes"),
    ("Is 15 prime? (yes or no)", "no"),
    ("Which is even? (A) 3 (B) 4 (C) 5 (D) 7", "B"),
    ("Which is even? (A) 4 (B) 3 (C) 5 (D) 7", "A"),
    ("Which is even?\nA. 4\nB. 3\nC. 5", "A"),
    ("How many are there? 1) 12 2) 15 3) 18", "1"),
    ("How far is it? (Use a speed of 5.)", "10"),
    ("Choose a number in (0, 5). How large can it be (between 0 and 4, or 5)", "5 and 6"),
    ("What is 2 / 3? The answer is 2 decimal places long.", "2"),
    ("Give your answer as a fraction. What is 0.5 of 1?", r"\frac{1}{2}"),
    ("How many answers are there if 3 people give 4 each?", "12"),
    ("How many ml of solution are in 3 flasks of 100 ml?", "300"),
    ("What is her age? She is 42 years younger than her mother, who is 84.", "42"),
    ("How many metres? (5 points)", "5"),
    ("Ann hinted: it is even. What is the only even prime?", "2"),
]


@each_of(LEAKS)
def test_leaks_fail(question: str, answer: str, reason: str) -> None:
    ruling = rule_on("no_leak", Case(task(question, answer, verifier=_checked_by(answer))))
    assert (ruling.status, ruling.reason) == ("fail", reason)


@each_of(NO_LEAKS)
def test_near_misses_pass(question: str, answer: str) -> None:
    assert rule_on("no_leak", Case(task(question, answer, verifier=_checked_by(answer)))).reason is None


def test_a_stated_answer_that_cannot_be_compared_is_unsure() -> None:
    question = "Add them; the answer is 42. How?"
    assert rule_on("no_leak", Case(task(question, None))).status == "unsure"
    assert rule_on("no_leak", Case(task(question, "42", verifier=None))).status == "unsure"
    question = r"Write it otherwise; the result is $\cos^2 x$. How?"
    assert rule_on("no_leak", Case(task(question, r"1 - \sin^2 x"))).status == "unsure"


@needs_data
def test_only_questions_with_worked_examples_leak_among_the_benchmarks() -> None:
    names = ("gsm8k_test", "math500", "aime24", "amc23", "olympiadbench")
    ruled = [
        (row["question"], rule_on("no_leak", Case(task(row["question"], row["answer"]))))
        for name in names
        for row in rows(f"benchmarks/{name}.jsonl")
    ]
    assert [question for question, ruling in ruled if ruling.status != "pass"] == []
    worked = [row["question"] for row in rows("benchmarks/minerva_math.jsonl")]
    leaking = [each for each in worked if rule_on("no_leak", Case(task(each, None))).status == "fail"]
    assert all("boxed" in each or "Hint" in each for each in leaking)
    assert len(leaking) >= 70


def _checked_by(answer: str) -> str:
    return "choice" if answer in ("A", "B", "C", "D") else "math"
