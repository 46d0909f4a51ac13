"""Procedural tasks: entries of Reasoning Gym, cut down to what their scorers read."""

import json


def _entry(dataset: str, answer: str | None, **metadata) -> str:
    return json.dumps(
        {"dataset": dataset, "entry": {"question": "...", "answer": answer, "metadata": metadata}}, ensure_ascii=False
    )


COUNTDOWN = _entry("countdown", "53 * 2 - 7", numbers=[53, 7, 2], target=99)
SUM = _entry("chain_sum", "1,044")
LEGS = _entry("leg_counting", "126")
SYLLOGISM = _entry("syllogism", "No")
SUDOKU = _entry("mini_sudoku", "1 2 3 4\n3 4 1 2\n2 1 4 3\n4 3 2 1", solution=[[1, 2, 3, 4], [3, 4, 1, 2], [2, 1, 4, 3], [4, 3, 2, 1]])  # fmt: skip # noqa: E501
HANOI = _entry(
    "tower_of_hanoi",
    "Move disk 1 from Peg 1 to Peg 2\nMove disk 2 from Peg 1 to Peg 3\nMove disk 1 from Peg 2 to Peg 3",
    num_disks=2,
    num_pegs=3,
    start_peg=1,
    target_peg=3,
    solution_length=3,
)
JUGS = _entry("jugs", '["fill B", "pour B->A"]', puzzle={"jug_capacities": [3, 5], "target": 2})
GRAPH = _entry(
    "graph_color", None, puzzle={"vertices": [0, 1, 2], "edges": [[0, 1], [1, 2]], "color_options": [1, 2]}
)
INTEGRAL = _entry("simple_integration", "x**3 + C", integrand="3*x**2", variable="x")
POLYNOMIAL = _entry("polynomial_multiplication", "x**2 + 3*x + 2")
FRACTION = _entry("fraction_simplification", "$2/3$", simplified_numerator=2, simplified_denominator=3, numerator=4, denominator=6)  # fmt: skip # noqa: E501
KNIGHTS = _entry("knights_knaves", "Zoey is a knight, and Riley is a knave.")
FACTORS = _entry("prime_factorization", "2 × 2 × 5")  # noqa: RUF001
QUEENS = _entry("n_queens", "_ Q _ _\n_ _ _ Q\nQ _ _ _\n_ _ Q _", valid_answers=["_ Q _ _\n_ _ _ Q\nQ _ _ _\n_ _ Q _", "_ _ Q _\nQ _ _ _\n_ _ _ Q\n_ Q _ _"])  # fmt: skip # noqa: E501
BITS = _entry("bitwise_arithmetic", "0x1e", problem="((0xf << 0x1))")
PATH = _entry("shortest_path", "right down", matrix=[["*", "O"], ["O", "#"]])
LETTERS = _entry("letter_counting", "4")
WORDS = _entry("word_sorting", "apple, pear, zebra", sorted_words=["apple", "pear", "zebra"])
STORY = _entry("gsm_symbolic", "1754")
COMPLEX = _entry("complex_arithmetic", "-5.0 + 20.0i", result=[-5, 20])
CLOCK = _entry("time_intervals", "67 days, 01:04:00", task_type="datetime")
INSERTED = _entry("string_insertion", "ABCDA")
KAKURASU = _entry("kakurasu", "1 0\n0 1", row_sums=[1, 2], col_sums=[1, 2], n_rows=2, n_cols=2)
PALINDROME = _entry("palindrome_generation", "noon", letters=["n", "o", "o", "n"])
CRYPT = _entry("cryptarithm", "A=1,B=2,C=3", words_letters=["A", "B"], result_letters="C")
QUANTUM = _entry("quantum_lock", "A → B", buttons=[], initial_state="red", initial_value=0, target_value=9)
ANAGRAMS = _entry("group_anagrams", '[["ate", "eat"], ["tan"]]', solution=[["ate", "eat"], ["tan"]])

HITS: list[tuple[str, str]] = [
    (COUNTDOWN, "Try 53 * 2 = 106, then take 7 away.\n<answer>53 * 2 - 7</answer>"),
    (COUNTDOWN, "<answer>\n(53 + 53 * 1) - 7\n</answer> uses 53 twice. So instead\n<answer>2*53 - 7</answer>"),
    (COUNTDOWN, r"The expression is \boxed{2 * 53 - 7}."),
    (SUM, "<answer>1044</answer>"),
    (SUM, "Adding up, we get\n\n**Answer: 1044.0**"),
    (LEGS, "Cows have 4 legs ...\n\nThe final answer is: 126."),
    (LEGS, "<answer>126</answer>"),
    (LEGS, "Let us count the legs of each animal.\n\n126"),
    (SYLLOGISM, "It does not follow.\n\n<answer>No</answer>"),
    (SYLLOGISM, "The answer is **No**."),
    (SUDOKU, "The completed grid:\n\n```\n1 2 3 4\n3 4 1 2\n2 1 4 3\n4 3 2 1\n```"),
    (SUDOKU, "<answer>1 2 3 4\n3 4 1 2\n2 1 4 3\n4 3 2 1</answer>"),
    (SUDOKU, "Answer:\n1 2 3 4\n3 4 1 2\n2 1 4 3\n4 3 2 1\n\nEach row holds each number once."),
    (
        HANOI,
        "<answer>\nMove disk 1 from Peg 1 to Peg 2\nMove disk 2 from Peg 1 to Peg 3\n"
        "Move disk 1 from Peg 2 to Peg 3\n</answer>",
    ),
    (JUGS, '<answer>["fill B", "pour B->A"]</answer>'),
    (JUGS, 'Fill B, then pour.\n\n```json\n["fill A", "empty A", "fill B", "pour B->A"]\n```'),
    (GRAPH, '<answer>{"0": 1, "1": 2, "2": 1}</answer>'),
    (GRAPH, 'Alternate the colors:\n\n```json\n{"0": 2, "1": 1, "2": 2}\n```'),
    (INTEGRAL, "<answer>x**3 + C</answer>"),
    (INTEGRAL, "The answer is: 7 + x*x**2"),
    (POLYNOMIAL, "<answer>2 + 3*x + x**2</answer>"),
    (FRACTION, r"<answer>$\frac{2}{3}$</answer>"),
    (FRACTION, r"Both can be divided by 2: \boxed{2/3}"),
    (KNIGHTS, "<answer>Riley is a knave, and Zoey is a knight.</answer>"),
    (FACTORS, "<answer>5 × 2 × 2</answer>"),  # noqa: RUF001
    (QUEENS, "<answer>_ _ Q _\nQ _ _ _\n_ _ _ Q\n_ Q _ _</answer>"),
    (BITS, "15 shifted by one is 30.\n<answer>0x1E</answer>"),
    (PATH, "<answer>down right</answer>"),
    (LETTERS, "s-t-r-e-s-s-e-s ... <answer>4"),
    (WORDS, "<answer>apple, pear, zebra</answer>"),
    (STORY, "Hence there are 1754 insects.\n\n<answer>1754</answer>"),
    (STORY, "<answer>$1,754.00</answer>"),
    (COMPLEX, "<answer>-5 + 20i</answer>"),
    (CLOCK, "<answer>67 days, 01:04:00</answer>"),
    (INSERTED, "<answer>ABCDA</answer>"),
    (KAKURASU, "<answer>\n1 0\n0 1\n</answer>"),
    (PALINDROME, "<answer>onno</answer>"),
    (CRYPT, "<answer>C=3, B=2, A=1</answer>"),
    (QUANTUM, "Press A, then B.\n<answer>A → B</answer>"),
    (ANAGRAMS, '<answer>[["tan"], ["eat", "ate"]]</answer>'),
]

MISSES: list[tuple[str, str]] = [
    (COUNTDOWN, "<answer>53 * 2 - 6</answer>"),
    (COUNTDOWN, "<answer>53 + 53 - 7</answer>"),
    (COUNTDOWN, "<answer>99</answer>"),
    (COUNTDOWN, "<answer>53 * 2 - 7 = 99</answer>"),
    (COUNTDOWN, "<answer>53 * 2 - 7</answer> or rather <answer>53 * 2</answer>"),
    (SUM, "<answer>1045</answer>"),
    (SUM, "<answer>1044 or 1045</answer>"),
    (LEGS, "<answer>127</answer>"),
    (LEGS, "<answer>126 legs</answer>"),
    (SYLLOGISM, "<answer>Yes</answer>"),
    (SYLLOGISM, "<answer>Yes or No</answer>"),
    (SUDOKU, "<answer>1 2 3 4\n3 4 1 2\n2 1 4 3\n4 3 1 2</answer>"),
    (SUDOKU, "<answer>1234\n3412\n2143\n4321</answer>"),
    (HANOI, "<answer>Move disk 1 from Peg 1 to Peg 2\nMove disk 2 from Peg 1 to Peg 3</answer>"),
    (HANOI, "<answer>Move disk 2 from Peg 1 to Peg 3\nMove disk 1 from Peg 1 to Peg 3</answer>"),
    (JUGS, '<answer>["fill A", "pour A->B"]</answer>'),
    (JUGS, "<answer>fill B, pour B->A</answer>"),
    (GRAPH, '<answer>{"0": 1, "1": 1, "2": 2}</answer>'),
    (GRAPH, '<answer>{"0": 1, "1": 2}</answer>'),
    (GRAPH, '<answer>{"0": 1, "1": 3, "2": 1}</answer>'),
    (INTEGRAL, "<answer>x**3/3 + C</answer>"),
    (INTEGRAL, "<answer>3*x**2</answer>"),
    (POLYNOMIAL, "<answer>x**2 + 3*x + 3</answer>"),
    (POLYNOMIAL, "<answer>(x + 1)*(x + 2)</answer>"),
    (FRACTION, "<answer>4/6</answer>"),
    (FRACTION, r"<answer>$\frac{3}{2}$</answer>"),
    (KNIGHTS, "<answer>Zoey is a knave, and Riley is a knave.</answer>"),
    (KNIGHTS, "<answer>Zoey is a knight.</answer>"),
    (FACTORS, "<answer>4 × 5</answer>"),  # noqa: RUF001
    (QUEENS, "<answer>Q _ _ _\n_ _ _ Q\n_ Q _ _\n_ _ Q _</answer>"),
    (QUEENS, '<answer>[["_","Q","_","_"],["_","_","_","Q"],["Q","_","_","_"],["_","_","Q","_"]]</answer>'),
    (BITS, "<answer>0x1f</answer>"),
    (PATH, "<answer>right right</answer>"),
    (PATH, "<answer>right down left right</answer>"),
    (LETTERS, "There are 4 of them, <answer>5</answer>"),
    (WORDS, "<answer>apple, zebra, pear</answer>"),
    (STORY, "<answer>-1754</answer>"),
    (STORY, "<answer>1755</answer>"),
    (STORY, "<answer>1,755</answer>"),
    (STORY, "<answer>17,54</answer>"),
    (COMPLEX, "<answer>5 + 20i</answer>"),
    (CLOCK, "<answer>67 days, 01:04:01</answer>"),
    (INSERTED, '<answer>["A", "B", "C", "D", "A"]</answer>'),
    (KAKURASU, "<answer>\n0 1\n1 0\n</answer>"),
    (PALINDROME, "<answer>nono</answer>"),
    (CRYPT, "<answer>A=1,B=1,C=2</answer>"),
    (ANAGRAMS, '<answer>[["tan", "eat", "ate"]]</answer>'),
]

CHEATS: list[tuple[str, str]] = [
    (COUNTDOWN, "<answer></answer>"),
    (COUNTDOWN, "<answer> ... </answer>"),
    (COUNTDOWN, "<answer>answer here</answer>"),
    (COUNTDOWN, "<answer>float('99')  # 53 7 2</answer>"),
    (COUNTDOWN, "<answer>__import__('os').system('true') or 99</answer>"),
    (COUNTDOWN, "<answer>9**9**9**9 - 7</answer>"),
    (INTEGRAL, "<answer>__import__('os')._exit(0)</answer>"),
    (INTEGRAL, "<answer>Integral(3*x**2, x)</answer>"),
    (INTEGRAL, "<answer>nan</answer>"),
    (POLYNOMIAL, "<answer>(lambda: 1)()</answer>"),
    (INSERTED, "<answer>exit()</answer>"),
    (QUEENS, "<answer>print</answer>"),
    (COMPLEX, "<answer>nan</answer>"),
    (STORY, "<answer>1754, 1755, 1756</answer>"),
    (SYLLOGISM, "<answer>Yes No</answer>"),
    (KNIGHTS, "<answer>Zoey is a knight, Zoey is a knave, Riley is a knight, Riley is a knave</answer>"),
    (GRAPH, "<answer>{}</answer>"),
    (GRAPH, "<answer>null</answer>"),
    (JUGS, "<answer>[]</answer>"),
    (KAKURASU, "<answer>I think 1 0\n0 1</answer>"),
    (SUDOKU, "<answer>1 2 3 4\n3 4 1 2\n2 1 4 3\n4 3 2 1\n1 2 3 4</answer>"),
    (LEGS, "\\boxed{}"),
    (LEGS, "Solution:"),
    (_entry("puzzle24", "1*9*3 - 3", numbers=[1, 9, 3, 3]), "<answer>4*(9 - 5) + 8</answer>"),
    (_entry("game_of_life_halting", "False"), "<answer>banana</answer>"),
    (_entry("calendar_arithmetic", "-1", task="recurring_event_day"), "<answer>5</answer>"),
    (_entry("coin_flip", "0.109375"), "<answer>0</answer>"),
    (_entry("spell_backward", "ekilxesnu"), "<answer>ekilxesnux</answer>"),
    (_entry("bitwise_arithmetic", "0x1e", problem="__import__('os').getpid() * 0 + 30"), "<answer>30</answer>"),
]
