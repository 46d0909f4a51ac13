"""Copies, and questions too much like earlier ones."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters import similarity
from filters.novelty import normal, not_duplicate, novelty
from filters.rule import Case
from filters.similarity import Index
from filters.words import words
from tests.each import each_of
from tests.filters.cases import needs_data, rows, task

# --- Copies ---------------------------------------------------------------------------------------------------

COPIES = [
    ("What is 2 + 2?", "  what is 2 + 2 "),
    ("Ann\u2019s \u201cbest\u201d cake: how big?", 'Ann\'s "best" cake, how big'),
    ("What is \uff12 + \uff12?", "What is 2 + 2?"),
    ("Is it so?\n\nYes or no.", "Is it so? Yes or no"),
    ("5 \u2212 3 is what?", "5 - 3 is what?"),
]

NO_COPIES = [
    ("What is 2 + 2?", "What is 2 - 2?"),
    ("What is 3.5 times 2?", "What is 35 times 2?"),
    ("What is 3.5 times 2?", "What is 3 5 times 2?"),
    ("What is 5! in full?", "What is 5 in full?"),
    ("Is x < 3?", "Is x > 3?"),
    ("Ann has 3 cats.", "Ann has 4 cats."),
    ("What is 1:20 as a fraction?", "What is 120 as a fraction?"),
]


@each_of(COPIES)
def test_copies_fail(earlier: str, later: str) -> None:
    memory = not_duplicate()
    memory.remember(earlier)
    assert memory.judge(Case(task(later))).reason == "a copy of an earlier question"


@each_of(NO_COPIES)
def test_other_numbers_and_signs_are_no_copies(earlier: str, later: str) -> None:
    memory = not_duplicate()
    memory.remember(earlier)
    assert memory.judge(Case(task(later))).status == "pass"


@given(st.text())
def test_the_normal_form_is_its_own(text: str) -> None:
    assert normal(normal(text)) == normal(text)


# --- Near duplicates ------------------------------------------------------------------------------------------

EARLIER = "A baker sells 12 loaves of bread on Monday and 15 on Tuesday. How many loaves does he sell?"


def test_a_changed_number_is_too_much_alike() -> None:
    memory = novelty()
    memory.remember("Something else entirely, about trains.")
    memory.remember(EARLIER)
    ruling = memory.judge(Case(task(EARLIER.replace("12", "13"))))
    assert (ruling.status, ruling.score) == ("fail", 18 / 19)
    assert (ruling.evidence, ruling.context) == ({"nearest": EARLIER}, {"pool": 2})


def test_the_score_is_told_however_low_it_is() -> None:
    memory = novelty()
    assert memory.judge(Case(task(EARLIER))).score == 0
    memory.remember(EARLIER)
    ruling = memory.judge(Case(task("How many trains leave?")))
    assert (ruling.status, ruling.score) == ("pass", 2 * 2 / 23)


def test_the_threshold_itself_is_novel_enough() -> None:
    memory = novelty(at_most=0.7)
    memory.remember("a b c d e f g h i j")
    assert memory.judge(Case(task("a b c d e f g x y z"))).score == 0.7
    assert memory.judge(Case(task("a b c d e f g x y z"))).status == "pass"
    assert memory.judge(Case(task("a b c d e f g h y z"))).status == "fail"


def test_judging_remembers_nothing() -> None:
    memory = novelty()
    memory.judge(Case(task(EARLIER)))
    assert memory.judge(Case(task(EARLIER))).score == 0


def test_beyond_a_number_of_questions_candidates_are_compared_and_the_context_says_so() -> None:
    memory = novelty(exact_up_to=1)
    memory.remember("Something else entirely, about trains.")
    memory.remember(EARLIER)
    ruling = memory.judge(Case(task(EARLIER.replace("12", "13"))))
    assert (ruling.status, ruling.score, ruling.evidence) == ("fail", 18 / 19, {"nearest": EARLIER})
    assert ruling.context == {"pool": 2, "compared_exactly": 1}
    low = memory.judge(Case(task("Something entirely new.")))
    assert (low.status, low.evidence) == ("pass", {"nearest": "Something else entirely, about trains."})


@pytest.mark.slow
@needs_data
def test_beyond_it_nearly_all_rulings_are_those_of_the_whole_pool() -> None:
    questions = [row["question"] for row in rows("gsm8k/train.jsonl")[:1500]]
    edited = [
        " ".join([*words[: len(words) // 3], "just", *words[len(words) // 3 :]])
        for words in map(str.split, questions)
    ]
    whole, beyond = novelty(), novelty(exact_up_to=200)
    for question in questions:
        whole.remember(question)
        beyond.remember(question)
    same = [whole.judge(Case(task(text))).status == beyond.judge(Case(task(text))).status for text in edited[::5]]
    assert sum(same) >= 0.99 * len(same)


@pytest.mark.parametrize("at_most", [-0.1, 1.5])
def test_a_similarity_lies_between_0_and_1(at_most: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        novelty(at_most=at_most)


def rouge_l(a: list[str], b: list[str]) -> float:
    """ROUGE-L F1 by the textbook's table, for comparison."""
    row = [0] * (len(b) + 1)
    for x in a:
        before = row
        row = [0]
        for j, y in enumerate(b):
            row.append(before[j] + 1 if x == y else max(before[j + 1], row[j]))
    return 2 * row[-1] / (len(a) + len(b)) if a and b else 0.0


vocabulary = ["the", "a", "of", "how", "many", "apples", "bread", "1", "2", "3", "\xfc", "\u6570"]
sentences = st.lists(st.sampled_from(vocabulary), max_size=40)


@given(st.lists(sentences, min_size=1, max_size=12), sentences)
def test_the_nearest_is_what_a_plain_search_finds(pool: list[list[str]], asked: list[str]) -> None:
    index = Index()
    for text in pool:
        index.add(" ".join(text))
    expected = [rouge_l(text, asked) for text in pool]
    number, score = index.nearest(" ".join(asked))
    assert score == max(expected)
    assert (number is None) if score == 0 else expected[number or 0] == score


@given(sentences, sentences)
def test_similarity_is_symmetric(a: list[str], b: list[str]) -> None:
    there, back = Index(), Index()
    there.add(" ".join(a))
    back.add(" ".join(b))
    assert there.nearest(" ".join(b)).score == back.nearest(" ".join(a)).score


@given(st.lists(sentences, min_size=1, max_size=12), sentences)
def test_full_blocks_change_nothing(pool: list[list[str]], asked: list[str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(similarity, "BLOCK", 2)
        index = Index()
        for text in pool:
            index.add(" ".join(text))
        assert index.nearest(" ".join(asked)).score == max(rouge_l(text, asked) for text in pool)


def test_more_words_than_code_points_only_raise_a_similarity(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(similarity, "CODE_POINTS", 3)
    index = Index()
    index.add("a b c d")
    assert index.nearest("a b c d").score == 1
    index.add("e f g h")
    assert index.nearest("e f g h").score == 1
    assert index.nearest("x y z").score == 0


def test_no_word_is_a_surrogate() -> None:
    vocabulary = similarity.Vocabulary()
    text = vocabulary.learn(map(str, range(70_000)))
    assert len(set(text)) == 70_000
    assert text.encode("utf-8")


def test_words_are_runs_of_letters_and_digits_in_lower_case() -> None:
    assert words("It's 3.5 km, \uff21\uff22 x_1!") == ["it", "s", "3", "5", "km", "ab", "x", "1"]
    assert words("三个apples") == ["三", "个", "apples"]


@needs_data
def test_real_questions_agree_with_a_plain_search() -> None:
    questions = [row["question"] for row in rows("gsm8k/train.jsonl")[:300]]
    asked = [row["question"] for row in rows("benchmarks/gsm8k_test.jsonl")[:5]]
    index = Index()
    for question in questions:
        index.add(question)
    for question in asked:
        expected = max(rouge_l(words(each), words(question)) for each in questions)
        assert index.nearest(question).score == expected


@given(st.lists(st.integers(0, 2**70), max_size=40))
def test_counting_in_all_bits_at_once(rows: list[int]) -> None:
    planes = similarity._add_up(rows)
    for bit in range(72):
        count = sum(row >> bit & 1 for row in rows)
        assert sum((plane >> bit & 1) << i for i, plane in enumerate(planes)) == count


@given(st.integers(0, 2**200))
def test_the_places_of_bits(chosen: int) -> None:
    assert list(similarity._places(chosen)) == [i for i in range(201) if chosen >> i & 1]


@needs_data
def test_a_large_pool_is_searched_in_milliseconds() -> None:
    """The limit is far above what it takes (half a millisecond), and far below a search text by text."""
    index = Index()
    for row in rows("gsm8k/train.jsonl"):
        index.add(row["question"])
    asked = rows("benchmarks/gsm8k_test.jsonl")[:200]
    started = time.process_time()
    for row in asked:
        index.nearest(row["question"])
    assert (time.process_time() - started) / 200 < 0.005


@pytest.mark.parametrize(
    ("one", "other"),
    [("5\u00b2 + 1", "52 + 1"), ("10\u2075", "105"), ("1\u00bd cups", "11/2 cups"), ("x\u2081", "x1")],
)
def test_a_power_is_no_digit(one: str, other: str):
    assert normal(f"Compute {one}.") != normal(f"Compute {other}.")
