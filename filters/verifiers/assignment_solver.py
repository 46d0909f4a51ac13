"""Is there an assignment at all, or a better one? What `assignment` asks Z3.

The encoding shares only the parsed expressions with the evaluation, so each can find the other's mistakes. Texts are
numbered, as Z3 reckons faster with numbers.
"""

import ast
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

Domains = Mapping[str, Sequence[int | str | bool]]

EFFORT = 20_000_000  # Z3's resource units: some seconds


class Found(NamedTuple):
    """An assignment, or the constraints that contradict each other; neither where the solver gave up."""

    values: dict[str, int | str | bool] | None = None
    core: list[str] | None = None


def search(
    domains: Domains,
    constraints: Mapping[str, ast.expr],
    *,
    objective: ast.expr | None = None,
    sign: int = 1,
    beyond: int = 0,
) -> Found:
    """Look for an assignment that keeps the constraints and, if there is one, has sign * objective > beyond."""
    import z3

    context = z3.Context()
    solver = z3.Solver(ctx=context)
    solver.set("random_seed", 0)
    solver.set("rlimit", EFFORT)
    texts = _texts(domains, [*constraints.values(), *([] if objective is None else [objective])])
    names = {name: _variable(name, domain, context) for name, domain in domains.items()}
    encode = partial(_encoded, names=names, texts=texts, context=context)
    for name, domain in domains.items():
        solver.add(_in_domain(names[name], domain, texts))
    labels = {f"constraint {at}": text for at, text in enumerate(constraints)}
    for label, text in labels.items():
        solver.assert_and_track(encode(constraints[text]), z3.Bool(label, context))
    if objective is not None:
        solver.add(encode(objective) * sign > beyond)
    match str(solver.check()):
        case "sat":
            return Found(values=_values(solver.model(), names, domains, texts))
        case "unsat":
            return Found(core=sorted(labels[str(label)] for label in solver.unsat_core()))
    return Found()


def _texts(domains: Domains, expressions: Iterable[ast.expr]) -> dict[str, int]:
    """A number for each text that occurs anywhere."""
    found = {value for domain in domains.values() if isinstance(domain[0], str) for value in domain}
    for expression in expressions:
        found |= {n.value for n in ast.walk(expression) if isinstance(n, ast.Constant) and isinstance(n.value, str)}
    return {text: at for at, text in enumerate(sorted(map(str, found)))}


def _variable(name: str, domain: Sequence[Any], context: Any) -> Any:
    import z3

    return z3.Bool(f"v {name}", context) if isinstance(domain[0], bool) else z3.Int(f"v {name}", context)


def _in_domain(variable: Any, domain: Sequence[Any], texts: Mapping[str, int]) -> Any:
    import z3

    if isinstance(domain, range):
        return z3.And(variable >= domain[0], variable <= domain[-1])
    return z3.Or(
        *(variable == texts.get(value, value) if isinstance(value, str) else variable == value for value in domain)
    )


def _values(model: Any, names: Mapping[str, Any], domains: Domains, texts: Mapping[str, int]) -> dict[str, Any]:
    """A model as the values that it stands for."""
    import z3

    written = {number: text for text, number in texts.items()}
    found: dict[str, Any] = {}
    for name, variable in names.items():
        value = model.eval(variable, model_completion=True)
        plain = z3.is_true(value) if z3.is_bool(value) else int(str(value))
        found[name] = written[plain] if isinstance(domains[name][0], str) else plain
    return found


def _encoded(node: ast.AST, *, names: Mapping[str, Any], texts: Mapping[str, int], context: Any) -> Any:
    """An expression that has been evaluated once, for Z3."""
    import z3

    at = partial(_encoded, names=names, texts=texts, context=context)
    match node:
        case ast.Constant(bool(value)):
            return z3.BoolVal(value, context)
        case ast.Constant(value):
            return z3.IntVal(texts[value] if isinstance(value, str) else value, context)
        case ast.Name(name):
            return names[name] if name in names else z3.BoolVal(name == "true", context)
        case ast.UnaryOp(sign, operand):
            return z3.Not(at(operand)) if isinstance(sign, ast.Not) else -at(operand)
        case ast.BinOp(left, sign, right):
            return _reckoned(sign, at(left), at(right), right)
        case ast.BoolOp(sign, operands):
            return (z3.And if isinstance(sign, ast.And) else z3.Or)(*map(at, operands))
        case ast.Compare(left, signs, others):
            steps = zip([left, *others], signs, others, strict=False)
            return z3.And(*(_compared(at(a), sign, b, at) for a, sign, b in steps))
        case ast.IfExp(condition, first, second):
            return z3.If(at(condition), at(first), at(second))
        case ast.Call(ast.Name(name), arguments):
            return _called(name, [at(argument) for argument in arguments])
    raise TypeError(f"nothing encodes a {type(node).__name__}")


def _reckoned(sign: ast.operator, a: Any, b: Any, written: ast.expr) -> Any:
    match sign, written:
        case ast.Add(), _:
            return a + b
        case ast.Sub(), _:
            return a - b
        case ast.Mult(), _:
            return a * b
        case ast.FloorDiv(), _:  # by a positive number, where Z3 rounds as Python does
            return a / b
        case ast.Mod(), _:
            return a % b
        case ast.Pow(), ast.Constant(int(power)):
            product = 0 * a + 1
            for _ in range(power):
                product = product * a
            return product
    raise TypeError(f"nothing encodes a {type(sign).__name__}")


def _compared(a: Any, sign: ast.cmpop, right: ast.expr, at: Any) -> Any:
    import z3

    if isinstance(sign, ast.In | ast.NotIn):
        assert isinstance(right, ast.Tuple | ast.List)
        among = z3.Or(*(a == at(member) for member in right.elts))
        return among if isinstance(sign, ast.In) else z3.Not(among)
    b = at(right)
    match sign:
        case ast.Eq():
            return a == b
        case ast.NotEq():
            return a != b
        case ast.Lt():
            return a < b
        case ast.LtE():
            return a <= b
        case ast.Gt():
            return a > b
    return a >= b


def _called(name: str, values: Sequence[Any]) -> Any:
    import z3

    match name:
        case "implies":
            return z3.Implies(*values)
        case "count":
            return z3.Sum(*(z3.If(value, 1, 0) for value in values))
        case "all_different":
            return z3.Distinct(*values)
        case "abs":
            return z3.If(values[0] >= 0, values[0], -values[0])
        case "sum":
            return z3.Sum(*values)
    best = values[0]
    for value in values[1:]:
        best = z3.If(value < best if name == "min" else value > best, value, best)
    return best
