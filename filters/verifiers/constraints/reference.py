"""Reading a reference: which constraints does it ask for, and can they be used?"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from filters.verifiers.constraints.checks import CHECKS, DATE_FORMATS, Constraint, compiled
from filters.verifiers.constraints.ifeval import INSTRUCTIONS, translated
from filters.verifiers.constraints.language import LANGUAGES
from filters.verifiers.constraints.text import seen

MAX_CONSTRAINTS = 50
MAX_REFERENCE = 100_000  # characters
MAX_PATTERN = 2_000  # characters of a regular expression
MODES = ("strict", "loose")
BOUNDS = ("at_least", "at_most", "exactly")


class Task(NamedTuple):
    """What a reference asks for."""

    constraints: tuple[Constraint, ...]
    loose: bool
    solution: str | None


@lru_cache(maxsize=512)
def read(reference: str) -> Task | str:
    """What a reference asks for, or one line that says what is wrong with it."""
    if len(reference) > MAX_REFERENCE:
        return f"the reference is longer than {MAX_REFERENCE} characters"
    try:
        return _task(json.loads(reference))
    except json.JSONDecodeError as error:
        return f"the reference is no JSON: {error}"
    except (ValueError, RecursionError) as error:
        return " ".join(str(error).split())[:300]


def _task(value: Any) -> Task:
    if not isinstance(value, dict):
        raise ValueError('the reference is no object like {"constraints": [...]}')
    rows, mode, solution = _rows(value), value.get("mode", "strict"), value.get("solution")
    if not isinstance(rows, list) or not 0 < len(rows) <= MAX_CONSTRAINTS:
        raise ValueError(f"the reference has no list of 1 to {MAX_CONSTRAINTS} constraints")
    if mode not in MODES:
        raise ValueError(f"unknown mode {mode!r}; there are: {', '.join(MODES)}")
    if not isinstance(solution, str | None):
        raise ValueError("the solution is no text")
    return Task(tuple(map(constraint_of, rows)), mode == "loose", solution)


def _rows(value: dict[str, Any]) -> Any:
    """The constraints of either form."""
    if "instruction_id_list" not in value:
        return value.get("constraints")
    names, arguments = value["instruction_id_list"], value.get("kwargs")
    if not (isinstance(names, list) and isinstance(arguments, list) and len(names) == len(arguments)):
        raise ValueError("instruction_id_list and kwargs are no lists of the same length")
    if not all(isinstance(each, dict | None) for each in arguments):
        raise ValueError("kwargs holds something that is no object")
    return [{"check": name, **(each or {})} for name, each in zip(names, arguments, strict=True)]


def constraint_of(row: Any) -> Constraint:
    """A row, read and checked against the table. Raises ValueError with what is wrong."""
    name = row.get("check") if isinstance(row, Mapping) else None
    if not isinstance(name, str):
        raise ValueError(f"a constraint names no check: {repr(row)[:80]}")
    if name in INSTRUCTIONS:
        return constraint_of(translated(name, {key: value for key, value in row.items() if key != "check"}))
    if name not in CHECKS:
        raise ValueError(f"unknown constraint {name[:80]!r}; there are: {', '.join(CHECKS)}")
    bounds = {key: row[key] for key in BOUNDS if key in row}
    parameters = {key: _seen(value) for key, value in row.items() if key != "check" and key not in BOUNDS}
    _check_parameters(name, bounds, parameters)
    return Constraint(name, bounds, parameters)


def _seen(value: Any) -> Any:
    """Texts as responses are looked at, so that the two can be compared."""
    if isinstance(value, list):
        return [seen(each) if isinstance(each, str) else each for each in value]
    return seen(value) if isinstance(value, str) else value


def _check_parameters(name: str, bounds: dict[str, Any], parameters: dict[str, Any]) -> None:
    takes, optional = CHECKS[name].takes, CHECKS[name].optional
    if missing := [each for each in takes if each not in parameters]:
        raise ValueError(f"{name} needs {', '.join(missing)}")
    if strange := [each for each in parameters if each not in takes + optional]:
        raise ValueError(f"{name} does not take {', '.join(strange)[:80]!r}")
    if bool(bounds) != CHECKS[name].counts:
        raise ValueError(f"{name} {'needs' if CHECKS[name].counts else 'does not take'} at_least, at_most or exactly")
    if "exactly" in bounds and len(bounds) > 1:
        raise ValueError(f"{name} takes exactly without at_least and at_most")
    for each, value in (bounds | parameters).items():
        wanted, is_right = PARAMETERS[each]
        if not is_right(value):
            raise ValueError(f"{each} of {name} is not {wanted}: {str(value)[:80]!r}")
    if bounds.get("at_least", 0) > bounds.get("at_most", bounds.get("at_least", 0)):
        raise ValueError(f"{name} takes at_least no greater than at_most")


# --- What parameters may be -----------------------------------------------------------------------------


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 10**9


def _is_positive(value: object) -> bool:
    return _is_whole(value) and value != 0


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _are_texts(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(map(_is_text, value))


def _is_letter(value: object) -> bool:
    return _is_text(value) and len(str(value)) == 1


def _is_pattern(value: object) -> bool:
    try:
        return _is_text(value) and len(str(value)) <= MAX_PATTERN and bool(compiled(str(value)))
    except (re.error, OverflowError, RecursionError):
        return False


_TEXT = ("a text that is not blank", _is_text)
_TEXTS = ("a list of texts that are not blank", _are_texts)
_WHOLE = ("a whole number", _is_whole)
_POSITIVE = ("a whole number from 1", _is_positive)

PARAMETERS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "at_least": _WHOLE,
    "at_most": _WHOLE,
    "exactly": _WHOLE,
    "digits": _WHOLE,
    "nth": _POSITIVE,
    "paragraphs_in_all": _POSITIVE,
    "keyword": _TEXT,
    "keywords": _TEXTS,
    "text_part": _TEXT,
    "texts": _TEXTS,
    "forbidden": _TEXTS,
    "options": _TEXTS,
    "phrase": _TEXT,
    "word": _TEXT,
    "marker": _TEXT,
    "divider": _TEXT,
    "prompt": _TEXT,
    "letter": ("one character", _is_letter),
    "pattern": ("a regular expression", _is_pattern),
    "format": (f"one of {', '.join(DATE_FORMATS)}", lambda value: isinstance(value, str) and value in DATE_FORMATS),
    "language": ("a known code such as en", lambda value: isinstance(value, str) and value in LANGUAGES),
}
