r"""Did an answer solve a procedural task? The scorers of Reasoning Gym (arXiv 2505.24760), those that can be trusted.

A reference names the generator and carries the entry as the generator gave it:

    {"dataset": "countdown", "entry": {"question": "...", "answer": "44 - 10 + 5", "metadata": {...}}}

`to_reference` writes one. JSON knows no tuples and no keys but strings, and two scorers compare with tuples, so what
JSON would lose is marked: `{"!tuple": [1, 2]}`. Entries that were dumped without marks are read as they are.

An answer passes at the full score of 1.0. Half of the scorers are lenient somewhere, so each was measured on its own
answers, on nonsense and on near misses (`tests/filters/verifiers/test_procedural.py` does it again): `LEFT_OUT` says
which are not used and why. Some are sound as long as an answer is written in the form that the question asks for;
beyond it they read past what they do not know, or, worse, run it: `FORMS` keeps such answers away from them.
"""

import json
import re
import warnings
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from datetime import date, datetime
from functools import lru_cache
from importlib.util import find_spec
from io import StringIO
from typing import Any, cast

from filters.verifiers.math import last_box
from filters.verifiers.outcome import Outcome, failed, passed, unsure
from filters.verifiers.places import tagged

SECONDS = 20.0  # some simplify integrals; the first import takes seconds of its own
MAX_ANSWER = 20_000  # characters; the largest grids have a few thousand
MAX_REFERENCE = 1_000_000  # characters

ALLOWED = tuple(
    "ab acre advanced_geometry aiw arc_1d arc_agi base_conversion basic_arithmetic bf binary_alternation "  # noqa: SIM905 - one name for each word
    "binary_matrix bitwise_arithmetic caesar_cipher chain_sum circuit_logic color_cube_rotation "
    "complex_arithmetic count_bits count_primes countdown course_schedule cryptarithm decimal_chain_sum dice "
    "emoji_mystery family_relationships fraction_simplification futoshiki gcd graph_color group_anagrams "
    "gsm_symbolic intermediate_integration isomorphic_strings jugs kakurasu knight_swap knights_knaves "
    "largest_island lcm leg_counting letter_counting list_functions mahjong_puzzle manipulate_matrix maze "
    "mini_sudoku modulo_grid n_queens needle_haystack number_filtering number_sequence palindrome_generation "
    "palindrome_partitioning path_star polynomial_multiplication power_function prime_factorization products "
    "quantum_lock ransom_note rearc rectangle_count rotate_matrix rotten_oranges rubiks_cube self_reference "
    "sentence_reordering shortest_path simple_equations simple_geometry simple_integration sokoban spiral_matrix "
    "string_insertion string_manipulation string_splitting string_synthesis sudoku survo syllogism "
    "time_intervals tower_of_hanoi tsumego word_ladder word_sequence_reversal word_sorting zebra_puzzles".split()
)

LEFT_OUT = {  # measured on release 0.1.25
    "boxnet": "has no answer of its own, and raises for JSON that is no list",
    "calendar_arithmetic": "where the answer is -1, any positive number scores above 1",
    "codeio": "5 passes for '5', and the programs behind it do not repeat",
    "coin_flip": "the beginning of the right number scores 1.0: 0 for 0.109375",
    "composite": "its entries are those of other datasets",
    "decimal_arithmetic": "accepts a wrong last digit, by a tolerance that is not in the entry",
    "figlet_font": "ten right letters score 1.0, whatever follows",
    "game_of_life": "a larger grid passes, and an object raises",
    "game_of_life_halting": "every text scores 1.0",
    "letter_jumble": "the right words pass with any words after them",
    "number_format": "another number within 0.01 passes",
    "number_sorting": "numbers that are off by one pass",
    "polynomial_equations": "an equation without solutions accepts everything",
    "pool_matrix": "numbers that are off by one percent pass",
    "propositional_logic": "has no answer of its own, and a premise said again passes",
    "puzzle24": "any four numbers that make 24 pass, not only those given",
    "rush_hour": "has no answer of its own to measure with",
    "spell_backward": "for words of some lengths the right letters pass with any letters after them",
}

# --- Forms: a scorer sees only answers that look as its question asks --------------------------------

_SUM = r"(?:[-+/() \d]|\*(?!\s*\*))+"  # no powers: 9**9**9 would never end
_FUNCTIONS = "sin|cos|tan|sec|csc|cot|asin|acos|atan|sinh|cosh|tanh|exp|log|ln|sqrt|Abs|pi"
_FORMULA = rf"(?:\d|(?<=\d)\.(?=\d)|[-+*/() \t]|(?<![A-Za-z\d])(?:{_FUNCTIONS}|[A-Za-z])(?![A-Za-z\d]))+"
_NUMBERS = r"[-\d\s]+"
_CLOCK = r"-?\d{1,2}:[0-5]\d(?::[0-5]\d(?:\.\d{1,3})?)?"
FORMS = {
    name: re.compile(form)
    for name, form in {
        "advanced_geometry": r"-?\d[\d.]*\s*°?|\(?\s*-?\d[\d.]*\s*,\s*-?\d[\d.]*\s*\)?",
        "binary_matrix": _NUMBERS,
        "bitwise_arithmetic": r"[-+]?(?:0[xX][\da-fA-F]+|\d+)",
        "complex_arithmetic": r"[-+\d.ij ]+",
        "countdown": _SUM,
        "fraction_simplification": r"\$?\s*(?:\d+\s*/\s*\d+|\\d?frac\s*\{\s*\d+\s*\}\s*\{\s*\d+\s*\})\s*\$?",
        "graph_color": r"\{[^{}]*\}",
        "gsm_symbolic": r"\$?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?",
        "intermediate_integration": _FORMULA,
        "kakurasu": r"[01\s]+",
        "knights_knaves": r"\w+ is an? \w+(?:(?:, and|,| and) \w+ is an? \w+)*\.?",
        "n_queens": r"[Q_ \n]+",
        "polynomial_multiplication": _FORMULA,
        "prime_factorization": r"\d+(?:\s*×\s*\d+)*",  # noqa: RUF001 - the sign that the question asks for
        "quantum_lock": r"[A-Ca-c\s,>→-]*[A-Ca-c]",
        "simple_integration": _FORMULA,
        "sokoban": r"[UDLR]+",
        "spiral_matrix": _NUMBERS,
        "string_insertion": r"[A-Z]+",
        "survo": _NUMBERS,
        "time_intervals": rf"-?\d+ days?(?:, {_CLOCK})?|{_CLOCK}",
        "tower_of_hanoi": r"(?:\s*Move disk \d+ from Peg \d+ to Peg \d+)+\s*",
    }.items()
}
_PRICE = str.maketrans("", "", "$,")  # the scorer of gsm_symbolic reads 1 in 1,754
MAX_FORMED = 2_000  # characters of an answer that has to have a form, except moves on a board
# What scorers run as code although it comes with the entry: it has to have a form, too.
_RUN = {
    "bitwise_arithmetic": ("problem", re.compile(r"[-+*<>() \da-fA-Fx]{1,1000}")),
    "intermediate_integration": ("integrand", re.compile(rf"{_FORMULA[:-1]}{{1,1000}}")),
    "simple_integration": ("integrand", re.compile(rf"{_FORMULA[:-1]}{{1,1000}}")),
}


# --- Where is the answer? -----------------------------------------------------------------------------

_ANNOUNCED = re.compile(r"\banswer\b\W{0,4}(?:is|:)[*: \t]{0,9}", re.IGNORECASE)
_FENCE = re.compile(r"\A```\w*\n(.*?)\n?```\Z", re.DOTALL)


def final_answer(text: str) -> str | None:
    r"""The answer of a response, several lines where it is a grid; None when there is none.

    What stands in the last `<answer>...</answer>` (its end may be missing: engines stop there), else in the last
    `\boxed{...}`, else after the last "answer is" or "answer:" (the rest of that line, or else the lines up to the
    next empty one), else the last block of lines. Without a code fence around it. Never raises; linear.
    """
    for find in (tagged, last_box, _announced, _last_block):
        if (found := find(text)) is not None:
            found = found.strip()
            fenced = _FENCE.match(found)
            found = fenced[1].strip("\n") if fenced else found
            return found if found.strip() and len(found) <= MAX_ANSWER else None
    return None


def _announced(text: str) -> str | None:
    start = max((found.end() for found in _ANNOUNCED.finditer(text)), default=None)
    if start is None:
        return None
    line, _, rest = text[start : start + MAX_ANSWER].partition("\n")
    if line.strip():
        return line.strip("* ").removesuffix(".").strip("* ")
    return re.split(r"\n[ \t]*\n", rest.strip("\n"), maxsplit=1)[0]


def _last_block(text: str) -> str | None:
    """The lines after the last empty one; of a text that ends with a code fence, the fence."""
    text = text.rstrip()
    if text.endswith("\n```"):
        return text[text.rfind("```", 0, -3) :]
    return text[text.rfind("\n\n") + 1 :]


# --- Is it right? -------------------------------------------------------------------------------------


def check_quickly(reference: str, answer: str) -> Outcome | None:
    """What needs no scorer: a reference that cannot be used, an answer that is blank or in no form."""
    if problem := problem_with(reference):
        return unsure(problem)
    if not answer.strip():
        return failed("blank answer", score=0.0)
    dataset, _ = _read(reference)
    limit = MAX_FORMED if dataset in FORMS and dataset not in ("sokoban", "tower_of_hanoi") else MAX_ANSWER
    if len(answer) > limit:
        return failed("too long for an answer", score=0.0)
    if dataset in FORMS and not FORMS[dataset].fullmatch(answer.strip()):
        return failed("not written as the question asks", score=0.0)
    return None


def check(reference: str, answer: str) -> Outcome:
    """Pass an answer to which the dataset's own scorer gives 1.0; the score tells how near another one came."""
    if (outcome := check_quickly(reference, answer)) is not None:
        return outcome
    if find_spec("reasoning_gym") is None:
        return unsure("needs the extra procedural: pip install 'thoughtmill[procedural]'")
    dataset, entry = _read(reference)
    try:
        with redirect_stdout(StringIO()), warnings.catch_warnings(action="ignore"):  # some tell what they do not like
            plain = answer.translate(_PRICE) if dataset == "gsm_symbolic" else answer
            score = float(_scorer(dataset)(plain, entry))
    except MemoryError:
        raise
    except Exception as trouble:  # noqa: BLE001 - a hundred authors' code: whatever they trip over
        return unsure("the scorer raised an exception", evidence={"exception": type(trouble).__name__})
    if not 0.0 <= score <= 1.0:
        return unsure("the scorer gave no score between 0 and 1", evidence={"score": repr(score)})
    return passed(score=score) if score == 1.0 else failed("not a full score", score=score)


def problem_with(reference: str) -> str | None:
    """What is wrong with a reference, in one line: not JSON, an unknown dataset, an entry that lacks something."""
    try:
        dataset, entry = _read(reference)
    except (ValueError, TypeError, KeyError, RecursionError):
        return 'the reference is no JSON object {"dataset": ..., "entry": {...}}'
    if dataset in LEFT_OUT:
        return f"the dataset {dataset} is left out: {LEFT_OUT[dataset]}"
    if dataset not in ALLOWED:
        return f"no dataset {dataset[:80]!r} with a trusted scorer"
    if not ("answer" in entry and isinstance(entry.get("metadata"), Mapping)):
        return "the entry has no answer or no metadata"
    field, form = _RUN.get(dataset, ("", None))
    if form and not form.fullmatch(str(entry["metadata"].get(field))):
        return f"the entry's {field} is no formula"
    if dataset in FORMS and not (entry["answer"] is None or FORMS[dataset].fullmatch(str(entry["answer"]))):
        return "the entry's own answer is not written as its question asks"  # an integral that stayed one
    return None


def gold(reference: str) -> str | None:
    """The entry's own answer, if it has one; of a cube and a graph the example in its metadata."""
    if problem_with(reference):
        return None
    dataset, entry = _read(reference)
    if isinstance(entry["answer"], str):
        return entry["answer"].strip("\n") or None
    if dataset == "rubiks_cube" and (moves := entry["metadata"].get("example_correct_answer")):
        return str(moves).strip()
    if dataset == "graph_color" and isinstance(colors := entry["metadata"].get("possible_answer"), Mapping):
        return json.dumps({str(vertex): color for vertex, color in colors.items()})
    return None


@lru_cache(maxsize=256)
def _scorer(dataset: str) -> Callable[[str, dict[str, Any]], float]:
    """The dataset's own scorer, with its default configuration."""
    with warnings.catch_warnings(action="ignore"):  # a dependency warns about its own syntax when it is compiled
        from reasoning_gym import get_score_answer_fn
    return cast(Callable[[str, dict[str, Any]], float], get_score_answer_fn(dataset))


# --- Entries as JSON ----------------------------------------------------------------------------------


def to_reference(dataset: str, entry: Mapping[str, Any]) -> str:
    """A reference for an entry of a generator. Raises ValueError where the entry could not be read back as it is."""
    reference = json.dumps({"dataset": dataset, "entry": _marked(dict(entry))}, ensure_ascii=False)
    if problem := problem_with(reference):
        raise ValueError(problem)
    if _read(reference)[1] != entry:
        raise ValueError(f"an entry of {dataset} does not come back from JSON as it was")
    return reference


def _marked(value: Any) -> Any:
    """As JSON can hold it, with marks for what JSON would change."""
    match value:
        case None | bool() | int() | float() | str():
            return value
        case list():
            return [_marked(member) for member in value]
        case tuple():
            return {"!tuple": [_marked(member) for member in value]}
        case set() | frozenset():
            return {"!set": sorted((_marked(member) for member in value), key=repr)}
        case datetime():
            return {"!datetime": value.isoformat()}
        case date():
            return {"!date": value.isoformat()}
        case dict() if all(isinstance(key, str) and not key.startswith("!") for key in value):
            return {key: _marked(member) for key, member in value.items()}
        case dict():
            return {"!dict": [[_marked(key), _marked(member)] for key, member in value.items()]}
    raise ValueError(f"JSON cannot hold a {type(value).__name__}")


_UNMARKED: dict[str, Callable[[Any], Any]] = {
    "!tuple": tuple,
    "!set": set,
    "!dict": dict,
    "!date": date.fromisoformat,
    "!datetime": datetime.fromisoformat,
}


def _unmarked(value: dict[str, Any]) -> Any:
    if len(value) == 1:
        (mark, content), *_ = value.items()
        if mark in _UNMARKED:
            return _UNMARKED[mark](content)
    return value


def _read(reference: str) -> tuple[str, dict[str, Any]]:
    """The dataset and the entry, new ones each time, because some scorers write into theirs."""
    if len(reference) > MAX_REFERENCE:
        raise ValueError("too long")
    read = json.loads(reference, object_hook=_unmarked)
    dataset, entry = read["dataset"], read["entry"]
    if not (isinstance(dataset, str) and isinstance(entry, dict)):
        raise TypeError("no entry")
    return dataset, entry
