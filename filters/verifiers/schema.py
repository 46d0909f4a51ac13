"""Is the answer JSON that a JSON Schema accepts?

A reference is the schema, as text, or {"schema": {...}, "solution": {...}}. Without `$schema` it is draft 2020-12.
Nothing is ever fetched: a `$ref` to another document is a problem with the reference.

JSON is strict here: a key given twice, NaN and Infinity, numbers beyond all floats, comments, and anything after the
value are faults of the answer. Of formats, `FORMATS` are asserted; the others say nothing, as the standard allows.
A decimal `multipleOf` is exact (0.3 is a multiple of 0.1).
"""

from __future__ import annotations

import json
import math
import re
import warnings
from collections.abc import Iterator
from datetime import datetime
from fractions import Fraction
from functools import lru_cache
from importlib.util import find_spec
from itertools import islice
from typing import Any, NamedTuple

from filters.verifiers.outcome import Outcome, failed, passed, unsure

SECONDS = 5.0
MAX_REFERENCE = 100_000  # characters
MAX_QUICK = 5_000  # characters of a schema that is looked at quickly
MAX_ERRORS = 5  # in the evidence
MAX_MESSAGE = 200  # characters of each

FORMATS = ("date", "date-time", "time", "email", "ipv4", "ipv6", "uuid", "regex")
MISSING = "needs the extra schema: pip install 'thoughtmill[schema]'"

# --- Where is the answer? -----------------------------------------------------------------------------

_FENCE = re.compile(r"```json(?![A-Za-z0-9])", re.IGNORECASE)
_END_OF_FENCE = re.compile(r"\n[^\S\n]*```")
_TOKEN = re.compile(r'[\[\]{}"]')
_STRING = re.compile(r'"(?:[^"\\\n]|\\.)*+"?')  # one that is not closed goes to the end of its line
_PAIRS = {"}": "{", "]": "["}


def final_answer(text: str) -> str | None:
    """The JSON text that a response gives, or None when it is blank.

    The content of the last ```json block; else the whole response if it is JSON; else the last {...} that is in no
    other brackets and is JSON, else the last such [...]; else the whole response, for `check` to say what is wrong
    with it. Linear; never raises.
    """
    if (fenced := _last_fence(text)) is not None:
        return fenced.strip() or None
    if parsed(text) is not None:
        return text.strip()
    spans = [span for span in _spans(text) if parsed(span) is not None]
    objects = [span for span in spans if span.startswith("{")]
    return (objects or spans or [text.strip()])[-1] or None


def _last_fence(text: str) -> str | None:
    """What stands in the last ```json block; one that is not closed goes to the end."""
    start = max((found.end() for found in _FENCE.finditer(text)), default=None)
    if start is None:
        return None
    rest = text[start:]
    end = _END_OF_FENCE.search(rest)
    return rest[: end.start()] if end else rest.rpartition("```")[0] or rest


def _spans(text: str) -> list[str]:
    """What stands in matching brackets, and not in other matching ones, in the order of the text."""
    spans: list[tuple[int, int]] = []
    opened: list[tuple[str, int]] = []
    at = 0
    while token := _TOKEN.search(text, at):
        at = token.end()
        if token[0] in "{[":
            opened.append((token[0], token.start()))
        elif token[0] == '"':
            at = _end_of_string(text, token.start()) if opened else at  # in prose it may mean inches
        elif opened and opened[-1][0] == _PAIRS[token[0]]:
            start = opened.pop()[1]
            while spans and spans[-1][0] > start:
                spans.pop()
            spans.append((start, at))
        else:
            opened.clear()
    return [text[start:end] for start, end in spans]


def _end_of_string(text: str, start: int) -> int:
    found = _STRING.match(text, start)
    return found.end() if found else start + 1


def parsed(text: str) -> tuple[Any] | None:
    """The value of a JSON text, in a tuple because it may be null; None when it is not strictly JSON."""
    try:
        return (_value(text),)
    except (ValueError, RecursionError):
        return None


def _value(text: str) -> Any:
    """The value of a JSON text; ValueError with what is wrong."""
    return json.loads(text, object_pairs_hook=_object, parse_constant=_no_number, parse_float=_finite)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        raise ValueError("a key is given twice")
    return value


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError("a number is too large")
    return number


# --- Checking -----------------------------------------------------------------------------------------


def check_quickly(reference: str, answer: str) -> Outcome | None:
    """The outcome where the schema cannot be used or the answer is no JSON; else a schema's patterns may be slow."""
    if len(reference) > MAX_QUICK:
        return None
    if problem := problem_with(reference):
        return unsure(problem)
    return None if parsed(answer) is not None else check(reference, answer)


def check(reference: str, answer: str) -> Outcome:
    """The outcome, with at most `MAX_ERRORS` errors and their places as evidence."""
    if problem := problem_with(reference):
        return unsure(problem)
    if not answer.strip():
        return failed("blank")
    try:
        value = _value(answer)
    except RecursionError:
        return failed("nested too deeply")
    except ValueError as error:
        return failed(f"not JSON: {_short(str(error))}")
    return _validated(_read(reference), value)


def _validated(task: _Task, value: Any) -> Outcome:
    if not find_spec("jsonschema"):
        return unsure(MISSING)
    try:
        if value == task.schema:
            return failed("the schema itself, not an instance of it")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of patterns
            errors = list(islice(_validator(task.schema).iter_errors(value), MAX_ERRORS))
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - a stranger's schema: endless references, patterns that Python lacks
        return unsure(f"cannot be checked: {type(error).__name__}")
    evidence = {"errors": [{"at": _short(error.json_path), "message": _short(error.message)} for error in errors]}
    return (
        failed(f"not as the schema asks: {evidence['errors'][0]['message']}", evidence=evidence)
        if errors
        else passed()
    )


def _short(text: str) -> str:
    """A message of bounded length that can be written as UTF-8."""
    return text[:MAX_MESSAGE].encode("utf-8", "replace").decode()


def _validator(schema: Any) -> Any:
    """A validator that retrieves nothing: it knows the standard's own metaschemas and this document."""
    from jsonschema import Draft202012Validator
    from jsonschema.validators import extend, validator_for
    from jsonschema_specifications import REGISTRY

    known = validator_for(schema, default=Draft202012Validator)
    exact = {"multipleOf": _is_multiple} if "multipleOf" in known.VALIDATORS else {}
    return extend(known, exact)(schema, registry=REGISTRY, format_checker=_formats())


def _is_multiple(validator: Any, unit: Any, value: Any, schema: Any) -> Iterator[Any]:
    """As the keyword says, on the decimals as they are written."""
    from jsonschema import ValidationError

    if validator.is_type(value, "number") and Fraction(str(value)) % Fraction(str(unit)):
        yield ValidationError(f"{value!r} is not a multiple of {unit}")


@lru_cache(maxsize=1)
def _formats() -> Any:
    """The formats that are asserted, none of which depends on what else is installed."""
    from jsonschema import FormatChecker

    checker = FormatChecker(formats=[name for name in FORMATS if "time" not in name])
    checker.checks("date-time")(lambda value: not isinstance(value, str) or _is_time(value))
    checker.checks("time")(lambda value: not isinstance(value, str) or _is_time(f"2000-01-01T{value}"))
    return checker


_DATE_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d{1,12})?(?:[Zz]|[+-]\d\d:\d\d)", re.ASCII)


def _is_time(text: str) -> bool:
    """RFC 3339, but for its leap second, which Python does not know."""
    if not _DATE_TIME.fullmatch(text):
        return False
    try:
        return bool(datetime.fromisoformat(re.sub(r"\.\d+", "", text.upper())))
    except ValueError:
        return False


# --- Reading references ---------------------------------------------------------------------------------

# Keywords whose values are data, in which a "$ref" refers to nothing.
_DATA = frozenset({"const", "enum", "default", "examples"})


class _Task(NamedTuple):
    schema: Any
    solution: Any = None


def problem_with(reference: str) -> str | None:
    """What is wrong with a reference, in one line: no JSON, no valid schema, one to be fetched, one for anything."""
    return _problem(reference)


def gold(reference: str) -> str | None:
    """The `solution` beside the schema, else the first of the schema's own `examples`."""
    if _problem(reference):
        return None
    schema, solution = _read(reference)
    examples = schema.get("examples")
    if solution is None and isinstance(examples, list) and examples:
        solution = examples[0]
    return None if solution is None else json.dumps(solution)


def _read(reference: str) -> _Task:
    value = _value(reference)
    if isinstance(value, dict) and "schema" in value and value.keys() <= {"schema", "solution"}:
        return _Task(value["schema"], value.get("solution"))
    return _Task(value)


@lru_cache(maxsize=512)
def _problem(reference: str) -> str | None:
    if len(reference) > MAX_REFERENCE:
        return f"the schema is longer than {MAX_REFERENCE} characters"
    try:
        schema = _read(reference).schema
    except RecursionError:
        return "the schema is nested too deeply"
    except ValueError as error:
        return f"the schema is not JSON: {_short(str(error))}"
    if not isinstance(schema, dict) or not schema.keys() - {"$schema", "$id", "title", "description", "examples"}:
        return "the schema demands nothing, or is no object"
    return _problem_of_schema(schema) if find_spec("jsonschema") else None


def _problem_of_schema(schema: dict[str, Any]) -> str | None:
    """Whether the standard's own metaschema accepts it, and all its references lead somewhere."""
    from jsonschema import Draft202012Validator, SchemaError
    from jsonschema.validators import validator_for

    dialect = schema.get("$schema", Draft202012Validator.META_SCHEMA["$schema"])
    nothing: Any = None
    known: Any = validator_for({"$schema": dialect}, default=nothing) if isinstance(dialect, str) else None
    if known is None:
        return f"unknown $schema {_short(repr(dialect))}"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of patterns
            known.check_schema(schema)
            lost = next(_lost_references(schema, dialect), None)
    except SchemaError as error:
        return f"not a valid schema: {_short(error.message)}"
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever regular expressions and references can be
        return f"the schema cannot be read: {type(error).__name__}"
    return None if lost is None else f"$ref {_short(repr(lost))} leads nowhere in the schema, and nothing is fetched"


def _lost_references(schema: Any, dialect: str) -> Iterator[str]:
    """References that neither the document nor the standard's metaschemas hold. Inner $ids are left to `check`."""
    from jsonschema_specifications import REGISTRY
    from referencing.exceptions import Unresolvable
    from referencing.jsonschema import specification_with

    objects = list(_objects(schema))
    if any("$id" in each for each in objects[1:]):
        return
    resolver = REGISTRY.resolver_with_root(specification_with(dialect).create_resource(schema))
    for reference in {each["$ref"] for each in objects if isinstance(each.get("$ref"), str)}:
        try:
            resolver.lookup(reference)
        except Unresolvable:
            yield reference


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    """All objects in a schema that may be schemas, the outermost first."""
    if isinstance(value, dict):
        yield value
    inner = value if isinstance(value, list) else [each for key, each in value.items() if key not in _DATA]
    for each in inner:
        if isinstance(each, dict | list):
            yield from _objects(each)
