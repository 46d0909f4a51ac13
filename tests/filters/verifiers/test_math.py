"""Finding and comparing mathematical answers."""

import sys
import time
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.verifiers import math
from tests.each import each_of
from tests.filters.verifiers.tables.math import HITS, MISSES

FOUND = [
    (r"So it is \boxed{5}.", "5"),
    (r"\boxed{4} no, wait: \boxed{\frac{1}{\sqrt{2}}}", r"\frac{1}{\sqrt{2}}"),
    (r"\boxed{\boxed{5}}", "5"),
    (r"\boxed 12 is the answer", "12"),
    (r"\fbox{x^{2}}", "x^{2}"),
    (r"\boxed{\left\{1, 2\right\}}", r"\left\{1, 2\right\}"),
    (r"\boxed{7} and then, cut off, \boxed{8", "7"),
    ("3 + 4 = 7\n#### 7", "7"),
    ("#### 1\n#### 2", "2"),
    ("The answer is 12. I am sure.", "12"),
    ("The answer is 1, or no, the final answer is: $\\frac12$.", r"\frac12"),
    ("**Answer:** 3.5", "3.5"),
    ("The final answer is:\n\\[\n x^2 \n\\]", "x^2"),
    ("She pays 18 in all.\nA: 18", "18"),
    ("Thus\n42 apples", "42 apples"),
    (r"\boxed{1} and \boxed{2}", "1, 2"),
    (r"$x = \boxed{1}$ or $x = \boxed{2}$", "1, 2"),
    (r"\boxed{1}, so \boxed{2}", "2"),
    (r"\boxed{2} and again \boxed{2}", "2"),
    ("<answer>12</answer>", "12"),
    ("<answer>12</answer> or \\boxed{13}", "13"),
    ("Final Answer: The largest $n$ is 34.", "34"),
    ("The answers are $1$ and $3$.", "1, 3"),
    ("答案是 42。", "42"),
    ("Six rows of seven.\nSo there are 42 chairs.", "42 chairs"),
    ('{"steps": 3, "answer": "42"}', "42"),
    (r"\boxed{5} The answer is 6.", "5"),
]
NOT_FOUND = [
    "",
    "   ",
    r"\boxed{}",
    r"\boxed{5}, or rather \boxed{ }",
    r"\boxed{\text{}}",
    r"\boxed{.}",
    "####",
    "I do not know.",
    "She had 20 apples and gave 8 away.",
    "<answer></answer>",
    r"\boxed{" + "9" * 5_000 + "}",
]

# Reference and answer; what is said at once, and what with algebra.
SAME_AT_ONCE = [
    ("0.5", "1/2"),
    ("0.5", r"\frac12"),
    (r"\dfrac{1}{2}", ".5"),
    (r"\frac 34", "0.75"),
    ("7/2", r"3\frac{1}{2}"),
    ("3 1/2", "3.5"),
    ("-3\\frac12", "-7/2"),
    ("1,234", "1234"),
    (r"900,\!000,\!000", "900000000"),
    (r"10\,000", "10{,}000"),
    ("10^5", "100000"),
    ("3e5", r"3\times 10^5"),
    (r"3 \cdot 10^{5}", "300000"),
    ("2.50", "2.5"),
    ("27.0", "27"),
    ("-0", "0"),
    (r"198\%", "198"),
    (r"12\%", "12 percent"),
    (r"12\%", "0.12"),
    (r"50\%", r"\frac12"),
    ("5 m", "500 cm"),
    ("5", "5 m"),
    ("1 234", "1234"),
    ("(1,2)", "1,2"),
    ("(1, 2)", "x = 1, y = 2"),
    (r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}", "(1,2)"),
    ("3:4", "6:8"),
    (r"3 \pmod 5", r"x \equiv 8 \pmod{5}"),
    (r"48^\circ", "48"),
    (r"48^{\circ}", "48 degrees"),
    (r"\$18.90", "18.9"),
    (r"\$6", "6 dollars"),
    (r"100\text{ square units}", "100"),
    (r"15\mbox{ cm}^2", r"15 \text{ cm}^2"),
    ("12 inches", "12"),
    ("204_5", "204_{5}"),
    ("204_5", "204"),
    ("5 million", "5000000"),
    ("two", "2"),
    ("−7", "-7"),  # noqa: RUF001
    ("x=5", "5"),
    (r"x \in [-2,7]", "[-2,7]"),
    ("(1, 2)", r"\left(1,2\right)"),
    ("1, 3", "3 and 1"),
    ("1,2", r"\{2, 1\}"),
    (r"1 \pm \sqrt{19}", r"1-\sqrt{19}, 1+\sqrt{19}"),
    ("(0.5, 2)", "(1/2, 2)"),
    (r"\langle 1, 2 \rangle", "(1,2)"),
    ("(1,2),(3,4)", "(3,4),(1,2)"),
    (r"\text{Evelyn}", "evelyn"),
    (r"\text{(B)}", "B"),
    ("yes", "True"),
    (r"\text{4:30 p.m.}", r"4:30 \text{ p.m.}"),
    ("4:30 PM", "4:30 p.m."),
]
DIFFERENT_AT_ONCE = [
    ("100", "101"),
    ("1/3", "0.33"),
    ("1/3", "0.3333333333333333"),
    ("7/2", "31/2"),
    ("0.1234567", "0.1234566"),
    (r"12\%", "13"),
    ("48^\\circ", "49"),
    (r"\$6", "7"),
    ("204_5", "205"),
    ("204_5", "204_6"),
    (r"5\text{ cm}", r"5\text{ m}"),
    ("2", r"\pm 2"),
    ("3", r"3 \text{ million}"),
    ("two", "3"),
    ("(1,2)", r"\{1,2\}"),
    ("(1,2)", "(2,1)"),
    ("(0,1)", "[0,1]"),
    ("(0,1]", "[0,1)"),
    ("(1,2)", "(1,2,3)"),
    ("1,2", "1,2,3"),
    ("2", "2,3"),
    (r"\langle 1, 2 \rangle", "(2,1)"),
    ("x=5", "x=6"),
    (r"\{1,2\}", r"\{1,3\}"),
    ("east", "west"),
    ("yes", "no"),
    ("4:30 p.m.", "4:30 a.m."),
    ("10^{-20}", "2e-20"),
    (r"10^{-20}", r"2\cdot 10^{-20}"),
    ("1", ""),
    ("1", "$$"),
    ("", ""),
]
NOT_TOLD_AT_ALL = [
    ("204_5", "54"),
    ("3", "3 squared"),
    ("4:30 p.m.", "4:30"),
    ("2:15", "4:30"),
    ("5 boys", "5 girls"),
    ("all real numbers", "every number"),
    (r"\frac{1}{", "x"),
    ("1/xy", "y/x"),
    ("f(x)", "fx"),
    ("c", "C"),
]
SAME_BY_FORMULA = [  # at once, too
    ("2x+1", "1+2x"),
    (r"\sqrt{8}", r"2\sqrt2"),
    ("sqrt(8)", r"2\sqrt{2}"),
    ("(a+5)(b+2)", "ab+2a+5b+10"),
    ("0.5x", "x/2"),
    (r"12\pi\text{ cm}^2", "12 pi"),
    ("2^{100}", "1267650600228229401496703205376"),
    (r"\log_2 8", "3"),
    ("6+9i", "9i + 6"),
    ("i^2", "-1"),
    ("y = 2x + 3", "3+2x"),
    ("5x - 7y + 11z + 4 = 0", "5x-7y+11z=-4"),
    ("[-2,7]", r"-2 \leq x \leq 7"),
    (r"(-\infty, 2) \cup (3, \infty)", r"(3,\infty)\cup(-\infty,2)"),
    ("(\\sqrt 8, 1)", "(2\\sqrt2, 1)"),
    (r"\begin{pmatrix} -1/3 \\ 2 \end{pmatrix}", r"\begin{bmatrix} -\frac13 \\ 2 \end{bmatrix}"),
    (r"\frac{1}{1+\sqrt2}", r"\sqrt2-1"),
    (r"\frac{x^2-1}{x-1}", "x+1"),
    (r"e^{i\pi/3}", r"\frac{1+i\sqrt3}{2}"),
    ("4^n", "2^{2n}"),
]
DIFFERENT_BY_FORMULA = [
    ("2x+1", "2x-1"),
    (r"\pi", "3.14159265"),
    ("x + 10^{-20}", "x"),
    (r"\sqrt2", "1.41421356"),
    ("2^{100}", "1267650600228229401496703205377"),
    ("3R^2", "3r^2"),
    ("p - q", "q - p"),
    ("6+9i", "6-9i"),
    ("2", "2 sin x"),
    (r"(-\infty, 2) \cup (3, \infty)", r"(-\infty, 2) \cup [3, \infty)"),
    ("x = y + 1", "y = x + 1"),
    (r"\infty", r"-\infty"),
    (r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}", r"\begin{pmatrix} 1 & 2 \end{pmatrix}"),
    ("|x|", "x+1"),
    (r"\binom{2n}{n}", "7"),
    ("n!", "(n+1)!"),
    (r"\pi", "3.1415926535897932384626"),
]
SAME_BY_ALGEBRA = [
    (r"\cos^2 x", r"1-\sin^2 x"),
    (r"\sqrt{3+2\sqrt2}", r"1+\sqrt2"),
    (r"\arctan 1", r"\frac{\pi}{4}"),
    (r"\ln x^2", r"2\ln x"),
    (r"\sum_{k=1}^{n} k", r"\frac{n(n+1)}{2}"),
]
DIFFERENT_BY_ALGEBRA = [
    (r"\sqrt2", "1.414213562373095048801688"),
    ("|x|", "x"),
    (r"\frac{1}{2004!}", r"\frac{1}{2006!}"),
]


@each_of(FOUND)
def test_the_final_answer_is_found(response, answer):
    assert math.final_answer(response) == answer


@each_of(NOT_FOUND)
def test_no_answer_is_none(response):
    assert math.final_answer(response) is None


@each_of(
    [(*pair, True) for pair in SAME_AT_ONCE + SAME_BY_FORMULA]
    + [(*pair, False) for pair in DIFFERENT_AT_ONCE + DIFFERENT_BY_FORMULA]
    + [(*pair, None) for pair in NOT_TOLD_AT_ALL + SAME_BY_ALGEBRA + DIFFERENT_BY_ALGEBRA]
)
def test_what_is_told_at_once(a, b, told):
    assert math.same_quickly(a, b) is told
    assert math.same_quickly(b, a) is told


@each_of(
    [(*pair, True) for pair in SAME_AT_ONCE + SAME_BY_FORMULA + SAME_BY_ALGEBRA]
    + [(*pair, False) for pair in DIFFERENT_AT_ONCE + DIFFERENT_BY_FORMULA + DIFFERENT_BY_ALGEBRA]
    + [(*pair, None) for pair in NOT_TOLD_AT_ALL]
)
def test_what_is_told_with_algebra(a, b, told):
    pytest.importorskip("math_verify", reason="needs the extra math")
    assert math.same(a, b) is told
    assert math.same(b, a) is told


def test_without_math_verify_algebra_is_not_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "math_verify", None)
    assert math.same(r"\cos^2 x", r"1-\sin^2 x") is None
    assert math.same("2x+1", "1+2x") is True


answers = st.one_of(
    st.text(max_size=60),
    st.lists(
        st.sampled_from(
            [
                *"12,()[]{}/-x= $%^e_.:",
                "0.5",
                "and",
                "million",
                "pm",
                "s",
                r"\{",
                r"\}",
                r"\frac",
                r"\sqrt",
                r"\text{cm}",
            ]
        ),
        max_size=12,
    ).map("".join),
)


@given(answers, answers)
@settings(max_examples=400, deadline=None)
def test_quick_comparison_is_symmetric(a, b):
    assert math.same_quickly(a, b) is math.same_quickly(b, a)


@given(answers)
@settings(max_examples=400, deadline=None)
def test_what_is_found_is_the_same_as_itself(answer):
    found = math.final_answer(rf"\boxed{{{answer}}}")
    assert found is None or math.same_quickly(found, found) is True


@given(st.fractions(), st.fractions())
def test_fractions_are_compared_exactly(x, y):
    a, b = f"{x.numerator}/{x.denominator}", rf"\frac{{{y.numerator}}}{{{y.denominator}}}"
    assert math.same_quickly(a, b) is (x == y)
    assert math.same_quickly(rf"\frac{{{x.numerator}}}{{{x.denominator}}}", a) is True


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**12), max_value=10**12, places=6))
def test_decimals_are_their_fractions(decimal):
    x = Fraction(decimal)
    assert math.same_quickly(f"{decimal:f}", f"{x.numerator}/{x.denominator}") is True
    assert math.same_quickly(f"{decimal:,f}", f"{decimal:f}") is True
    assert math.same_quickly(f"{decimal:f}", f"{decimal:f}1") is False


@given(st.integers(), st.integers(min_value=1, max_value=10**9))
def test_neighbours_are_different(n, step):
    assert math.same_quickly(str(n), str(n + step)) is False


@given(st.text())
def test_the_last_box_is_found_after_any_text(text):
    assert math.final_answer(text.replace("\\", "") + r" so \boxed{\frac{1}{2}} is it") == r"\frac{1}{2}"


@each_of(
    [
        r"\boxed{",
        r"\boxed",
        "{",
        "}",
        "####",
        "answer is ",
        r"answer: \( ",
        "$",
        " ",
        "\n",
        "1",
        "1,",
        "\\",
        r"\text{",
        "(A) ",
    ]
)
def test_extraction_takes_linear_time_on_hostile_text(piece):
    started = time.process_time()
    math.final_answer(piece * (100_000 // len(piece)))
    assert time.process_time() - started < 1


@each_of(
    [
        "(",
        "{",
        r"\frac",
        r"\{1,",
        "(1,",
        "9^{9^",
        "1e9",
        "a ",
        r"\text{a",
        "-$",
        "one ",
        "million ",
        "1,000",
        "x=",
        r"\pm",
    ]
)
def test_quick_comparison_is_quick_on_hostile_text(piece):
    started = time.process_time()
    for a, b in [
        (piece * 2_000, piece * 1_999),
        ((piece * 1_000)[:999], (piece * 1_000)[:998] + "z"),
        ((piece * 1_000)[:999], "5"),
    ]:
        math.same_quickly(a, b)
    assert time.process_time() - started < 1


# --- Against references -------------------------------------------------------------------------------


def quickly(reference, answer):
    """The status of a quick check; "open" where only algebra can tell."""
    said = math.check_quickly(reference, answer)
    return "open" if said is None else said.status


def test_the_table_is_large_enough():
    assert len(set(HITS)) >= 250
    assert len(set(MISSES)) >= 180
    assert not set(HITS) & set(MISSES)


@each_of(dict.fromkeys(reference for reference, _ in HITS))
def test_a_reference_of_the_table_verifies_itself(reference):
    assert math.problem_with(reference) is None
    gold = math.gold(reference)
    assert gold is not None
    assert quickly(reference, gold) == "pass"


@each_of(
    [
        ("", "blank"),
        ("$$", "blank"),
        ("9" * 2_000, "longer"),
        ('{"answer": ""}', "blank"),
        ('{"answers": []}', "no answer"),
        ('{"answer": ["5"]}', "no answer"),
        ('{"answer": "5", "tolerence": 1}', "tolerence"),
        ('{"answer": "5", "tolerance": -1}', "tolerance"),
        ('{"answer": "5", "tolerance": NaN}', "tolerance"),
        ('{"answer": "5", "relative": "0.1"}', "tolerance"),
    ]
)
def test_a_reference_that_cannot_be_used_is_never_the_answers_fault(reference, reason):
    assert reason in math.problem_with(reference)
    assert math.gold(reference) is None
    assert math.check(reference, "5").status == "unsure"
    assert quickly(reference, "5") == "unsure"


def test_a_declared_tolerance_is_exact_at_its_edge():
    reference = '{"answer": "3.14", "tolerance": 0.01}'
    assert math.check(reference, "3.15").status == "pass"
    assert math.check(reference, "3.13").status == "pass"
    assert math.check(reference, "3.1500000000000000001").status == "fail"
    assert math.check('{"answer": "-200", "relative": 0.01}', "-202").status == "pass"
    assert math.check('{"answer": "-200", "relative": 0.01}', "-202.1").status == "fail"


def test_a_tolerance_is_in_the_unit_of_the_reference():
    reference = '{"answer": "5 m", "tolerance": 0.1}'
    assert math.check(reference, "5.05").status == "pass"
    assert math.check(reference, "505 cm").status == "pass"
    assert math.check(reference, r"5.05\text{ cm}").status == "fail"
    assert math.check(reference, r"5\text{ kg}").status == "fail"


def test_a_tolerance_does_not_reach_what_is_no_number():
    assert math.check('{"answer": "x", "tolerance": 100}', "y").status == "fail"
    assert math.check('{"answer": "5", "tolerance": 100}', "x").status == "fail"


@given(st.one_of(st.text(max_size=60), answers), answers)
@settings(max_examples=300, deadline=None)
def test_a_quick_check_has_four_outcomes_and_never_raises(reference, answer):
    assert quickly(reference, answer) in ("pass", "fail", "unsure", "open")
    gold = math.gold(reference)
    assert gold is None or quickly(reference, gold) == "pass"
    assert (gold is None) is (math.problem_with(reference) is not None)


@given(st.fractions(max_denominator=50), st.integers(1, 40), st.fractions(max_denominator=50), st.integers(1, 40))
def test_sums_of_roots_are_compared_exactly(p, a, q, b):
    one = rf"\frac{{{p.numerator}}}{{{p.denominator}}}\sqrt{{{a}}}+({q})\sqrt{{{b}}}"
    other = rf"({q})\sqrt{{{4 * b}}}/2+\frac{{{2 * p.numerator}}}{{{p.denominator}}}\cdot\frac{{\sqrt{{{a}}}}}{{2}}"
    assert math.same_quickly(one, other) is True
    assert math.same_quickly(one, other + "+10^{-6}") is False


@given(st.lists(st.integers(-9, 9), min_size=1, max_size=4), st.integers(-9, 9).filter(bool))
def test_expanded_polynomials_are_their_products(roots, step):
    product = "".join(f"(x-({root}))" for root in roots)
    coefficients = [1]
    for root in roots:
        shifted = [*coefficients, 0]
        coefficients = [c - root * d for c, d in zip(shifted, [0, *coefficients], strict=True)]
    expanded = "+".join(f"({c})x^{{{len(roots) - i}}}" for i, c in enumerate(coefficients))
    assert math.same_quickly(product, expanded) is True
    assert math.same_quickly(product, f"{expanded}+({step})") is False
