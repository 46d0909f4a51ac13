r"""Does an assignment keep all constraints, and is it the best? Evaluated exactly; Z3 says what is best or possible.

A reference declares variables with the values they may take, and constraints in the notation of Python:

    {"variables": {"x": [0, 9], "y": [0, 9], "day": ["Mon", "Tue", "Wed"], "paid": [false, true]},
     "constraints": ["x + y == 10", "x < y", "implies(paid, day != 'Mon')"],
     "objective": {"maximize": "3*x + y"},
     "solution": {"x": 4, "y": 6, "day": "Tue", "paid": true}}

Two whole numbers are a range, any other list holds the values. `objective` and `solution` may be left out; a solution
of `null` says that there is none. Expressions have whole numbers, quoted texts, true and false; `+ - *`, `//` and `%`
by a positive number, `**` by a small one; comparisons, also chained, and `in (1, 3)`; `and`, `or`, `not`,
`a if c else b`; `abs`, `min`, `max`, `sum(x, y)`, `count(x > 1, y > 1)` (how many hold), `all_different(x, y)`,
`implies(p, q)`.

The answer is a JSON object, or `x = 3, y = 7`, or `infeasible`. Each constraint is evaluated by itself and those that
are violated are named. Where there is an objective, Z3 has to show that no assignment is better; "infeasible" passes
only where Z3 shows that there is none, with constraints in the evidence that contradict each other. What Z3 finds
instead is evaluated here before it is believed. Z3's effort is counted in its own steps, so verdicts repeat.
"""

import ast
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from typing import Any

from filters.verifiers.assignment_solver import search
from filters.verifiers.math import last_box
from filters.verifiers.outcome import Outcome, broken, failed, passed, unsure
from filters.verifiers.places import fenced, last_block, tagged
from filters.verifiers.syntax import parse_expression

SECONDS = 30.0
MAX_ANSWER = 20_000  # characters
MAX_REFERENCE = 200_000
MAX_VARIABLES = 500
MAX_CONSTRAINTS = 1_000
MAX_EXPRESSION = 2_000  # characters
MAX_DEPTH = 200  # of expressions in expressions: a sum of as many
MAX_BOUND = 10**9  # of a value
MAX_BITS = 4_000  # of a number on the way
MAX_POWER = 8

INFEASIBLE = "infeasible"

Value = int | str | bool
Values = Mapping[str, Value]


class Unusable(ValueError):
    """What is wrong with a reference."""


# --- Where is the assignment? -------------------------------------------------------------------------

_ANNOUNCED = re.compile(r"\b(?:answer|solution|assignment)\b\W{0,4}(?:is|:)[*: \t]{0,9}", re.IGNORECASE)
_PAIR = re.compile(r"[\"']?([A-Za-z_]\w*)[\"']?\s*(?:=|:)\s*(\S.*)")
_INFEASIBLE = re.compile(
    r"(?:the problem is |it is )?(?:infeasible|impossible|unsatisfiable)"
    r"|(?:there is )?no (?:feasible |valid )?solution(?: exists)?",
    re.IGNORECASE,
)
_TEXT = re.compile(r"\\text\{([^{}]*)\}")


def final_answer(text: str) -> str | None:
    r"""The assignment of a response as lines `x = 3`, or "infeasible"; None when there is none.

    Looked for in the last `<answer>...</answer>`, else the last code fence, the last `\boxed{...}`, what follows the
    last "answer:" or "solution is" up to an empty line, the last block of lines. There, it is a JSON object, or else
    pairs between commas, semicolons, "and" and ends of lines. Never raises; linear.
    """
    for find in (tagged, fenced, last_box, _announced, last_block):
        if (found := find(text)) is not None:
            return _canonical(found.strip()) if len(found) <= MAX_ANSWER else None
    return None


def _announced(text: str) -> str | None:
    start = max((found.end() for found in _ANNOUNCED.finditer(text)), default=None)
    return None if start is None else text[start : start + MAX_ANSWER].strip().partition("\n\n")[0]


def _canonical(block: str) -> str | None:
    """Lines of pairs, doubled ones and all; None where something is no pair."""
    block = _TEXT.sub(r"\1", block)
    if _INFEASIBLE.fullmatch(block.strip("*. ")):
        return INFEASIBLE
    pairs = _json_pairs(block) or _written_pairs(block)
    return "\n".join(f"{name} = {value}" for name, value in pairs) if pairs else None


def _json_pairs(block: str) -> list[tuple[str, str]] | None:
    try:
        read = json.loads(block, object_pairs_hook=list) if block.startswith("{") else []
    except (ValueError, RecursionError):
        return None
    if not all(isinstance(value, int | str) for _, value in read):
        return None
    return [(name, value if isinstance(value, str) else json.dumps(value)) for name, value in read]


def _written_pairs(block: str) -> list[tuple[str, str]] | None:
    pieces = [piece.strip("*`$-•{}. \t") for piece in re.split(r"[,;\n]| and ", block)]
    found = [_PAIR.fullmatch(piece) for piece in pieces if piece]
    return [(pair[1], pair[2].strip("\"'* ")) for pair in found if pair] if all(found) else None


# --- References ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Task:
    domains: dict[str, range | tuple[Value, ...]]
    constraints: dict[str, ast.expr]  # by what is written
    objective: ast.expr | None
    sign: int  # 1 where more is better, -1 where less is

    def first(self) -> dict[str, Value]:
        """Some assignment, to try expressions with."""
        return {name: domain[0] for name, domain in self.domains.items()}


def problem_with(reference: str) -> str | None:
    """What is wrong with a reference, in one line: not JSON, an empty domain, an expression that means nothing."""
    try:
        _task(reference)
    except Unusable as problem:
        return str(problem)
    return None


def gold(reference: str) -> str | None:
    """The reference's `solution` as an answer, if it has one; "infeasible" where that is null."""
    if problem_with(reference):
        return None
    read = json.loads(reference)
    if "solution" not in read or read["solution"] is None:
        return INFEASIBLE if "solution" in read else None
    return _canonical(json.dumps(read["solution"], ensure_ascii=False))


def _task(reference: str) -> _Task:
    """Read a reference. Raises Unusable with what is wrong."""
    try:
        read = json.loads(reference) if len(reference) <= MAX_REFERENCE else None
    except (ValueError, RecursionError):
        read = None
    keys = {"variables", "constraints"}
    if not isinstance(read, dict) or not keys <= read.keys() <= keys | {"objective", "solution"}:
        raise Unusable('the reference is no JSON object with "variables", "constraints" and what may go with them')
    constraints, (sign, objective) = _texts(read["constraints"]), _objective(read.get("objective"))
    task = _Task(
        domains=_domains(read["variables"]),
        constraints={text: parse(text) for text in constraints},
        objective=None if objective is None else parse(objective),
        sign=sign,
    )
    _try_out(task)
    return task


def _texts(read: Any) -> list[str]:
    if not (
        isinstance(read, list) and 0 < len(read) <= MAX_CONSTRAINTS and all(isinstance(each, str) for each in read)
    ):
        raise Unusable("constraints is no list of texts, or an empty or very long one")
    return read


def _objective(read: Any) -> tuple[int, str | None]:
    if read is None:
        return 1, None
    match list(read.items()) if isinstance(read, dict) else ():
        case [(("maximize" | "minimize") as direction, str(text))]:
            return (1 if direction == "maximize" else -1), text
    raise Unusable('the objective is not {"maximize": ...} or {"minimize": ...}')


def _domains(read: Any) -> dict[str, range | tuple[Value, ...]]:
    if not isinstance(read, dict) or not 0 < len(read) <= MAX_VARIABLES:
        raise Unusable("variables is no object, or an empty or very large one")
    return {name: _domain(name, values) for name, values in read.items()}


def _domain(name: str, values: Any) -> range | tuple[Value, ...]:
    """The values of a variable, all of one type."""
    if not name.isidentifier() or name in _FUNCTIONS or name in ("true", "false"):
        raise Unusable(f"no variable can be called {name[:80]!r}")
    if not isinstance(values, list) or not values or len({type(value) for value in values}) != 1:
        raise Unusable(f"the values of {name} are no list of one type")
    if type(values[0]) not in (int, str, bool) or any(type(v) is int and abs(v) > MAX_BOUND for v in values):
        raise Unusable(f"the values of {name} are neither whole numbers up to {MAX_BOUND}, texts nor truth values")
    if type(values[0]) is int and len(values) == 2:
        if values[0] > values[1]:
            raise Unusable(f"the range of {name} is empty")
        return range(values[0], values[1] + 1)
    return tuple(values)


def _try_out(task: _Task) -> None:
    """Evaluate everything once: nothing is left out of an evaluation, so what means something once always does."""
    for text, expression in task.constraints.items():
        if not isinstance(_evaluated(text, expression, task.first()), bool):
            raise Unusable(f"the constraint {text[:80]!r} is neither true nor false")
    if task.objective is not None and type(_evaluated("the objective", task.objective, task.first())) is not int:
        raise Unusable("the objective is no number")


def _evaluated(text: str, expression: ast.expr, values: Values) -> Value:
    try:
        return evaluate(expression, values)
    except Unusable as problem:
        raise Unusable(f"{text[:80]!r} cannot be evaluated: {problem}") from None


# --- The language -------------------------------------------------------------------------------------

_FUNCTIONS = {"abs": 1, "min": 0, "max": 0, "sum": 0, "count": 0, "all_different": 0, "implies": 2}  # 0: any number
_NODES = (
    *(ast.Expression, ast.Constant, ast.Name, ast.Load, ast.Tuple, ast.List, ast.Call, ast.IfExp),
    *(ast.BinOp, ast.Add, ast.Sub, ast.Mult, ast.FloorDiv, ast.Mod, ast.Pow, ast.UnaryOp, ast.USub, ast.Not),
    *(
        ast.BoolOp,
        ast.And,
        ast.Or,
        ast.Compare,
        ast.Eq,
        ast.NotEq,
        ast.Lt,
        ast.LtE,
        ast.Gt,
        ast.GtE,
        ast.In,
        ast.NotIn,
    ),
)


def parse(text: str) -> ast.expr:
    """The tree of an expression, of allowed nodes alone. Raises Unusable, whatever the text."""
    if len(text) > MAX_EXPRESSION:
        raise Unusable("an expression is too long")
    try:
        tree = parse_expression(text.strip())
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise Unusable(f"{text[:80]!r} is no expression") from None
    _allowed(tree, depth=0)
    return tree


def _allowed(node: ast.AST, *, depth: int) -> None:
    if depth > MAX_DEPTH or not isinstance(node, _NODES):
        raise Unusable(
            f"{type(node).__name__} is not in the language of expressions" if depth <= MAX_DEPTH else "too deep"
        )
    if isinstance(node, ast.Constant) and not (type(node.value) in (int, str, bool) and len(str(node.value)) <= 400):
        raise Unusable("a value that is neither whole number, text, true nor false")
    if isinstance(node, ast.Call):
        _allowed_call(node)
    for child in ast.iter_child_nodes(node):
        if not (isinstance(node, ast.Call) and child is node.func):
            _allowed(child, depth=depth + 1)


def _allowed_call(node: ast.Call) -> None:
    places = _FUNCTIONS.get(node.func.id) if isinstance(node.func, ast.Name) else None
    if places is None or node.keywords or not node.args or (places and len(node.args) != places):
        raise Unusable(f"no function with these arguments; there are: {', '.join(_FUNCTIONS)}")


# --- Evaluation ---------------------------------------------------------------------------------------


def evaluate(node: ast.AST, values: Values) -> Value:
    """The value of an expression, all of it evaluated. Raises Unusable where types do not fit."""
    at = partial(evaluate, values=values)
    match node:
        case ast.Constant(int(value) | str(value)):
            return value
        case ast.Name(name) if name in values:
            return values[name]
        case ast.Name("true" | "false" as name):
            return name == "true"
        case ast.UnaryOp(ast.Not(), operand):
            return not _truth(at(operand))
        case ast.UnaryOp(ast.USub(), operand):
            return -_number(at(operand))
        case ast.BinOp(left, sign, right):
            return _reckoned(sign, _number(at(left)), _number(at(right)), constant=isinstance(right, ast.Constant))
        case ast.BoolOp(sign, operands):
            truths = [_truth(at(operand)) for operand in operands]
            return all(truths) if isinstance(sign, ast.And) else any(truths)
        case ast.Compare(left, signs, others):
            return _compared([left, *others], signs, at)
        case ast.IfExp(condition, first, second):
            a, b = _alike(at(first), at(second))
            return a if _truth(at(condition)) else b
        case ast.Call(ast.Name(name), arguments):
            return _called(name, [at(argument) for argument in arguments])
        case ast.Name(name):
            raise Unusable(f"no variable is called {name}")
    raise Unusable(f"a {type(node).__name__.lower()} does not belong there")


def _number(value: Value) -> int:
    if type(value) is not int:
        raise Unusable("a number is needed")
    return value


def _truth(value: Value) -> bool:
    if type(value) is not bool:
        raise Unusable("something true or false is needed")
    return value


def _alike(a: Value, b: Value) -> tuple[Value, Value]:
    if type(a) is not type(b):
        raise Unusable("two things of different types")
    return a, b


def _reckoned(sign: ast.operator, a: int, b: int, *, constant: bool) -> int:
    match sign:
        case ast.Add():
            return a + b
        case ast.Sub():
            return a - b
        case ast.Mult() if a.bit_length() + b.bit_length() <= MAX_BITS:
            return a * b
        case ast.FloorDiv() if constant and b > 0:
            return a // b
        case ast.Mod() if constant and b > 0:
            return a % b
        case ast.Pow() if constant and 0 <= b <= MAX_POWER and a.bit_length() * b <= MAX_BITS:
            return a**b
    raise Unusable("a division by what is no positive number, or a power or product that is too large")


def _compared(operands: Sequence[ast.expr], signs: Sequence[ast.cmpop], at: Callable[[ast.AST], Value]) -> bool:
    """Whether a chain of comparisons holds; each is evaluated."""
    holds = []
    for left, sign, right in zip(operands, signs, operands[1:], strict=False):
        if isinstance(sign, ast.In | ast.NotIn):
            if not isinstance(right, ast.Tuple | ast.List):
                raise Unusable("in what is no list")
            among = any(a == b for a, b in (_alike(at(left), at(member)) for member in right.elts))
            holds.append(among == isinstance(sign, ast.In))
        else:
            holds.append(_in_order(sign, at(left), at(right)))
    return all(holds)


def _in_order(sign: ast.cmpop, left: Value, right: Value) -> bool:
    a, b = _alike(left, right)
    if isinstance(sign, ast.Eq | ast.NotEq):
        return (a == b) == isinstance(sign, ast.Eq)
    x, y = _number(a), _number(b)
    match sign:
        case ast.Lt():
            return x < y
        case ast.LtE():
            return x <= y
        case ast.Gt():
            return x > y
    return x >= y


def _called(name: str, values: Sequence[Value]) -> Value:
    match name:
        case "implies":
            condition, consequence = map(_truth, values)
            return not condition or consequence
        case "count":
            return sum(map(_truth, values))
        case "all_different":
            return len({_alike(value, values[0])[0] for value in values}) == len(values)
        case "abs":
            return abs(_number(values[0]))
        case "sum":
            return sum(map(_number, values))
    return (min if name == "min" else max)(map(_number, values))


# --- The verdict --------------------------------------------------------------------------------------


def check_quickly(reference: str, answer: str) -> Outcome | None:
    """All that needs no solver: each constraint is evaluated at once."""
    try:
        task = _task(reference)
        return _judged(task, answer)
    except Unusable as problem:
        return unsure(str(problem))


def _judged(task: _Task, answer: str) -> Outcome | None:
    if not answer.strip():
        return failed("blank answer")
    if answer == INFEASIBLE:
        return None
    if len(answer) > MAX_ANSWER:
        return failed("too long for an answer")
    values = _assignment(task, answer.splitlines())
    return values if isinstance(values, Outcome) else _kept(task, values)


def check(reference: str, answer: str) -> Outcome:
    """Pass what keeps all constraints and cannot be bettered, or "infeasible" where nothing keeps them."""
    if (outcome := check_quickly(reference, answer)) is not None:
        return outcome
    if find_spec("z3") is None:
        return unsure("needs the extra logic: pip install 'thoughtmill[logic]'")
    import z3

    task = _task(reference)
    try:
        if answer == INFEASIBLE:
            return _infeasible(task)
        values = _assignment(task, answer.splitlines())
        return values if isinstance(values, Outcome) else _best(task, values)
    except (z3.Z3Exception, Unusable):
        return unsure("the solver gave up")


def _assignment(task: _Task, lines: Sequence[str]) -> dict[str, Value] | Outcome:
    """The value of each variable, or what is wrong with the answer."""
    pairs = [(name, text) for name, sign, text in (line.partition(" = ") for line in lines) if sign]
    names = [name for name, _ in pairs if not (name == "objective" and task.objective)]
    if len(pairs) != len(lines) or len(set(names)) != len(names):
        return failed("a variable has two values, or a line none")
    if set(names) != task.domains.keys():
        told = {
            "missing": sorted(task.domains.keys() - set(names))[:10],
            "unknown": sorted(set(names) - task.domains.keys())[:10],
        }
        return failed("not a value for each variable", evidence=told)
    values = {name: _value(task.domains[name], text) for name, text in pairs if name in task.domains}
    if strange := sorted(name for name, value in values.items() if value is None):
        return failed("a value that a variable cannot have", evidence={"variables": strange[:10]})
    claimed = [text for name, text in pairs if name not in task.domains]
    found = {name: value for name, value in values.items() if value is not None}
    if task.objective and any(text != str(_evaluated("objective", task.objective, found)) for text in claimed):
        return failed("the objective has another value than is said")
    return found


def _value(domain: range | tuple[Value, ...], text: str) -> Value | None:
    """The value of the domain that is written so."""
    if type(domain[0]) is int:
        number = int(text) if re.fullmatch(r"[-+]?\d{1,12}", text, re.ASCII) else None
        return number if number in domain else None
    return next((value for value in domain if text == (value if isinstance(value, str) else json.dumps(value))), None)


def _kept(task: _Task, values: Values) -> Outcome | None:
    """A failure that names what is violated; None where the objective remains to be judged."""
    if violated := _violated(task, values):
        score = 1 - len(violated) / len(task.constraints)
        evidence = {"violated": [text[:200] for text in violated[:10]]}
        return failed("a constraint is violated", score=score, evidence=evidence)
    return None if task.objective is not None else passed(score=1.0)


def _violated(task: _Task, values: Values) -> list[str]:
    return [text for text, constraint in task.constraints.items() if not evaluate(constraint, values)]


def _best(task: _Task, values: Values) -> Outcome:
    """Pass where no assignment that keeps the constraints has a better objective."""
    assert task.objective is not None
    reached = _number(evaluate(task.objective, values))
    better = search(
        task.domains, task.constraints, objective=task.objective, sign=task.sign, beyond=reached * task.sign
    )
    if better.core is not None:
        return passed(score=1.0, evidence={"objective": reached})
    if better.values is None:
        return unsure("the solver gave up", evidence={"objective": reached})
    instead = _number(evaluate(task.objective, better.values))
    if _violated(task, better.values) or (instead - reached) * task.sign <= 0:
        return broken("the solver's assignment is not what it says", evidence={"by": _told(better.values)})
    evidence = {"objective": reached, "better": instead, "by": _told(better.values)}
    return failed("another assignment is better", evidence=evidence)


def _infeasible(task: _Task) -> Outcome:
    """Pass where the constraints contradict each other; those that do are looked at once more, by themselves."""
    found = search(task.domains, task.constraints)
    if found.values is not None:
        if _violated(task, found.values):
            return broken("the solver's assignment is not what it says", evidence={"by": _told(found.values)})
        return failed("there is an assignment", evidence={"by": _told(found.values)})
    if found.core is None:
        return unsure("the solver gave up")
    if search(task.domains, {text: task.constraints[text] for text in found.core}).core is None:
        return unsure("the solver gave up", evidence={"core": found.core[:20]})
    return passed(score=1.0, evidence={"core": found.core[:20]})


def _told(values: Values) -> dict[str, Value]:
    return dict(sorted(values.items())[:50])
