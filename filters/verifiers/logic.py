r"""Does each step follow? Conclusions checked against premises by Z3, as FoVer labels steps (arXiv 2505.15960).

A reference declares the premises, and maybe the goal to be shown:

    {"premises": ["forall x. Cat(x) -> Animal(x)", "Cat(tom)"], "goal": "Animal(tom)"}
    {"premises": ["x > 3", "y = x + 1"], "declare": {"x": "int", "y": "int"}, "goal": "y >= 5"}

The answer is one formula a line. In order of binding, and with other ways of writing them:

    forall x, y. F   exists x. F     ∀ ∃; they reach as far to the right as they can
    F <-> G          F -> G          iff, implies, => <=> and their arrows
    F xor G          F or G          F and G          | || \/  & && /\ and their signs
    not F            ~ ! ¬           true, false
    s = t   s != t   s < t   s <= t  comparisons may be chained: 0 <= x < 5
    s + t   s - t   2*s   s/2   -s   linear: one factor is a number
    Likes(tom, x)    rain    x       a predicate of individuals or numbers, a proposition, a term

A name that is declared is an `int`, a `real` or a `bool`; without declaration, it is an individual where it stands
in a predicate or an equation, and else a proposition. Individuals with different names may be the same, and there may
be others, unless `"domain": ["tom", "felix"]` lists them all.

A step is `right` when the premises and the right steps before it entail it, `wrong` when they do not (the evidence
has a countermodel), `unknown` when it cannot be read or the solver gives up. To pass, all must be right, and where
there is a goal, the last step by itself must entail it. Limits are counted in the solver's own steps, never in
seconds, so verdicts repeat.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from importlib.util import find_spec
from typing import Any

from filters.verifiers.math import last_box
from filters.verifiers.outcome import Outcome, failed, passed, unsure
from filters.verifiers.places import fenced, tagged

SECONDS = 30.0
MAX_ANSWER = 20_000  # characters
MAX_REFERENCE = 100_000
MAX_STEPS = 100
MAX_FORMULA = 2_000  # characters
MAX_TOKENS = 400
MAX_DEPTH = 60  # of what stands in something else
MAX_DIGITS = 40
QUERY_EFFORT = 3_000_000  # of Z3's resource units: about a second
TOTAL_EFFORT = 30_000_000
MAX_SHOWN = 5  # steps that are not right, told in the evidence

SORTS = ("int", "real", "bool")

Tree = tuple[Any, ...]


class Unreadable(ValueError):
    """This is no formula, or not one of these premises' language."""


# --- Where are the steps? -----------------------------------------------------------------------------

_ANNOUNCED = re.compile(r"\b(?:answer|conclusion)\b\W{0,4}(?:is|:)[*: \t]{0,9}", re.IGNORECASE)
_NUMBERED = re.compile(r"[-*•]\s+|\(?\d{1,3}[.):](?!\d)\s*|\**step \d{1,3}\**\s*[.:)]?\s*\**", re.IGNORECASE)
_THEREFORE = re.compile(r"(?:therefore|thus|hence|so|conclusion|finally)\b\**[,:]?\s*|∴\s*", re.IGNORECASE)
_REASON = re.compile(
    r"(?<!\s)(?:\s*(?:\[[^\[\]]*\]|\((?:by|from|premise|given|since|assumption)\b[^()]*\)|--.*|#.*|//.*))+$",
    re.IGNORECASE,
)
_LATEX = {
    r"\land": "and", r"\wedge": "and", r"\lor": "or", r"\vee": "or", r"\lnot": "not", r"\neg": "not",
    r"\to": "->", r"\rightarrow": "->", r"\Rightarrow": "->", r"\implies": "->", r"\iff": "<->",
    r"\leftrightarrow": "<->", r"\Leftrightarrow": "<->", r"\forall": "forall", r"\exists": "exists",
    r"\leq": "<=", r"\le": "<=", r"\geq": ">=", r"\ge": ">=", r"\neq": "!=", r"\ne": "!=", r"\oplus": "xor",
    r"\cdot": "*", r"\top": "true", r"\bot": "false",
}  # fmt: skip
_COMMAND = re.compile(r"\\[A-Za-z]+")


def final_answer(text: str) -> str | None:
    r"""The steps of a response, one formula a line without its number and reason; None when there are none.

    Looked for in the last `<answer>...</answer>`, else the last code fence, the last `\boxed{...}`, the lines
    that are numbered or bulleted, the rest of the line after "conclusion:" or "the answer is", the last line. A JSON
    list of strings is its members. LaTeX's commands for connectives are read. Never raises; linear.
    """
    for find in (tagged, fenced, last_box, _numbered, _announced, _last_line):
        if (found := find(text)) is not None:
            if len(found) > 2 * MAX_ANSWER:
                return None
            steps = [step for line in _lines(found) if (step := _bare(line))]
            answer = "\n".join(steps)
            return answer if steps and len(answer) <= MAX_ANSWER else None
    return None


def _numbered(text: str) -> str | None:
    lines = [line for line in text.splitlines() if _NUMBERED.match(line.lstrip()[:200])]
    return "\n".join(lines) or None


def _announced(text: str) -> str | None:
    start = max((found.end() for found in _ANNOUNCED.finditer(text)), default=None)
    return None if start is None else text[start : start + MAX_FORMULA].strip().partition("\n")[0]


def _last_line(text: str) -> str | None:
    return text.rstrip().rpartition("\n")[2]


def _lines(block: str) -> list[str]:
    """The lines of a block, or the strings of a JSON list."""
    try:
        read = json.loads(block) if block.lstrip().startswith("[") else None
    except (ValueError, RecursionError):
        read = None
    if isinstance(read, list) and all(isinstance(step, str) for step in read):
        return [line for step in read for line in step.splitlines()]
    return block.splitlines()


def _bare(line: str) -> str:
    """A line without number, "therefore", reason, dollars and final period; its LaTeX in our notation."""
    line = line.strip()[: 2 * MAX_FORMULA]
    for mark in (_NUMBERED, _THEREFORE):
        line = line[found.end() :] if (found := mark.match(line)) else line
    line = _REASON.sub("", line).replace("$", "").strip("*`; \t").removesuffix(".").rstrip(",;")
    return _COMMAND.sub(lambda command: f" {_LATEX.get(command[0], command[0])} ", line).strip()


# --- Reading formulas ---------------------------------------------------------------------------------

_TOKEN = re.compile(r"\s*(\d+(?:\.\d+)?|[A-Za-z_][A-Za-z_0-9']*|<->|<=>|->|=>|<=|>=|==|!=|/\\|\\/|&&|\|\||\S)")
_WRITTEN = {  # other ways of writing
    "not": "¬ ~ !",
    "and": "∧ & && /\\",
    "or": "∨ | || \\/",  # noqa: RUF001
    "xor": "⊕",
    "->": "→ ⇒ => implies",
    "<->": "↔ ⇔ <=> iff",
    "forall": "∀",
    "exists": "∃",
    "=": "==",
    "!=": "≠",
    "<=": "≤",
    ">=": "≥",
    "-": "−",  # noqa: RUF001
}
_SAME = {other: sign for sign, others in _WRITTEN.items() for other in others.split()}
_BINDS = {"<->": 1, "->": 2, "xor": 3, "or": 4, "and": 5} | dict.fromkeys(("=", "!=", "<", "<=", ">", ">="), 7)
_BINDS |= {"+": 8, "-": 8, "*": 9, "/": 9}
_COMPARISONS = frozenset(sign for sign, power in _BINDS.items() if power == 7)
_KEYWORDS = frozenset("not and or xor implies iff forall exists true false".split())  # noqa: SIM905
_NAME = re.compile(r"[A-Za-z_][A-Za-z_0-9']*")


def parse(text: str) -> Tree:
    """The tree of a formula. Raises Unreadable, whatever the text."""
    if len(text) > MAX_FORMULA:
        raise Unreadable("too long")
    tokens = [_SAME.get(found[1], found[1]) for found in _TOKEN.finditer(text)]
    if not tokens or len(tokens) > MAX_TOKENS:
        raise Unreadable("too long" if tokens else "empty")
    tokens.reverse()  # the next one is the last: pop() takes it
    tree = _expression(tokens, above=0, depth=0)
    if tokens:
        raise Unreadable(f"{tokens[-1]!r} does not belong there")
    return tree


def _expression(tokens: list[str], *, above: int, depth: int) -> Tree:
    """What stands here, as long as the signs in it bind more strongly than `above`."""
    if depth > MAX_DEPTH:
        raise Unreadable("too deep")
    left = _first(tokens, depth=depth + 1)
    while tokens and _BINDS.get(tokens[-1], 0) > above:
        sign = tokens.pop()
        # -> groups to the right, all others to the left
        right = _expression(tokens, above=_BINDS[sign] - (sign == "->"), depth=depth + 1)
        left = (sign, left, right)
        while sign in _COMPARISONS and tokens and tokens[-1] in _COMPARISONS:  # 0 <= x < 5 is two of them
            sign, middle = tokens.pop(), right
            right = _expression(tokens, above=_BINDS[sign], depth=depth + 1)
            left = ("and", left, (sign, middle, right))
    return left


def _first(tokens: list[str], *, depth: int) -> Tree:
    """A formula or term with which no sign begins but "not", "-" and the quantifiers."""
    match _taken(tokens):
        case "not":
            return ("not", _expression(tokens, above=_BINDS["and"], depth=depth))
        case "-":
            return ("-", ("number", Fraction(0)), _expression(tokens, above=_BINDS["*"] - 1, depth=depth))
        case "forall" | "exists" as quantifier:
            names = _bound(tokens)
            return (quantifier, names, _expression(tokens, above=0, depth=depth))
        case "(":
            inner = _expression(tokens, above=0, depth=depth)
            _expect(tokens, ")")
            return inner
        case "true" | "false" as constant:
            return (constant,)
        case token if token[0].isdecimal():
            return ("number", _number(token))
        case token if _NAME.fullmatch(token) and token not in _KEYWORDS:
            return ("name", token, _arguments(tokens, depth=depth))
        case token:
            raise Unreadable(f"{token!r} does not belong there")


def _arguments(tokens: list[str], *, depth: int) -> tuple[Tree, ...]:
    """The terms in the brackets after a name; () when there are none."""
    if not (tokens and tokens[-1] == "("):
        return ()
    tokens.pop()
    terms = [_expression(tokens, above=0, depth=depth)]
    while tokens and tokens[-1] == ",":
        tokens.pop()
        terms.append(_expression(tokens, above=0, depth=depth))
    _expect(tokens, ")")
    return tuple(terms)


def _bound(tokens: list[str]) -> tuple[str, ...]:
    """The names after a quantifier, up to a period or colon if there is one."""
    names = [_taken(tokens)]
    while tokens and tokens[-1] == ",":
        tokens.pop()
        names.append(_taken(tokens))
    if tokens and tokens[-1] in (".", ":"):
        tokens.pop()
    if not all(_NAME.fullmatch(name) and name not in _KEYWORDS for name in names):
        raise Unreadable("a quantifier without names")
    return tuple(names)


def _number(token: str) -> Fraction:
    if len(token) > MAX_DIGITS or not token.isascii():
        raise Unreadable("a number that is too long")
    return Fraction(token)


def _taken(tokens: list[str]) -> str:
    if not tokens:
        raise Unreadable("it ends too soon")
    return tokens.pop()


def _expect(tokens: list[str], token: str) -> None:
    if _taken(tokens) != token:
        raise Unreadable(f"no {token!r} where it is needed")


# --- References ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Task:
    premises: list[Tree]
    goal: Tree | None
    declared: dict[str, str]  # the sort of a name
    domain: list[str]  # all individuals; [] when there may be others
    solution: list[str]


def problem_with(reference: str) -> str | None:
    """What is wrong with a reference, in one line: not JSON, no premises, a formula that cannot be read."""
    try:
        _task(reference)
    except Unreadable as problem:
        return str(problem)
    return None


def gold(reference: str) -> str | None:
    """The steps of the reference's `solution`, else its goal."""
    if problem_with(reference):
        return None
    read = json.loads(reference)
    return "\n".join(read.get("solution") or ()) or read.get("goal")


def _task(reference: str) -> _Task:
    """A reference as trees. Raises Unreadable with what is wrong."""
    try:
        read = json.loads(reference) if len(reference) <= MAX_REFERENCE else None
    except (ValueError, RecursionError):
        read = None
    if not isinstance(read, dict):
        raise Unreadable('the reference is no JSON object {"premises": [...], "goal": ...}')
    if unknown := sorted(read.keys() - {"premises", "goal", "declare", "domain", "solution"}):
        raise Unreadable(f"the reference has an unknown key {unknown[0][:80]!r}")
    premises, goal = _texts(read, "premises"), read.get("goal")
    if not premises or not isinstance(goal, str | None):
        raise Unreadable("the reference has no premises, or a goal that is no text")
    return _Task(
        premises=[_read("premise", text) for text in premises],
        goal=None if goal is None else _read("goal", goal),
        declared=_declared(read.get("declare", {})),
        domain=_texts(read, "domain"),
        solution=_texts(read, "solution"),
    )


def _texts(read: Mapping[str, Any], key: str) -> list[str]:
    texts = read.get(key, [])
    if not (isinstance(texts, list) and len(texts) <= MAX_STEPS and all(isinstance(text, str) for text in texts)):
        raise Unreadable(f"{key} is no list of texts, or has more than {MAX_STEPS}")
    return texts


def _read(role: str, text: str) -> Tree:
    try:
        return parse(text)
    except Unreadable as problem:
        raise Unreadable(f"a {role} cannot be read: {text[:80]!r}: {problem}") from None


def _declared(read: Any) -> dict[str, str]:
    if not isinstance(read, dict) or any(sort not in SORTS for sort in read.values()):
        raise Unreadable(f"declare maps names to {', '.join(SORTS)}")
    return read


# --- Formulas for Z3 ----------------------------------------------------------------------------------


@dataclass(slots=True)
class _Language:
    """What the names mean, in a solver's context of their own: nothing is shared between checks."""

    context: Any
    individuals: Any  # the sort
    declared: dict[str, str]
    known: dict[str, Any] = field(default_factory=dict)  # a constant, or a function for a predicate


def _language(task: _Task) -> _Language:
    import z3

    context = z3.Context()
    if not task.domain:
        return _Language(context, z3.DeclareSort("Individual", context), task.declared)
    sort, members = z3.EnumSort("Individual", sorted(set(task.domain)), context)
    return _Language(context, sort, task.declared, dict(zip(sorted(set(task.domain)), members, strict=True)))


def _formula(tree: Tree, language: _Language, bound: Mapping[str, Any]) -> Any:
    """A tree as a truth value. Raises Unreadable where it is none."""
    import z3

    match tree:
        case ("true" | "false",):
            return z3.BoolVal(tree[0] == "true", language.context)
        case ("not", inner):
            return z3.Not(_formula(inner, language, bound))
        case (("and" | "or" | "xor" | "->" | "<->") as sign, left, right):
            return _joined(sign, _formula(left, language, bound), _formula(right, language, bound))
        case (("forall" | "exists") as quantifier, names, inner):
            variables = [z3.Const(name, _sort(name, language, otherwise=language.individuals)) for name in names]
            body = _formula(inner, language, {**bound, **dict(zip(names, variables, strict=True))})
            return (z3.ForAll if quantifier == "forall" else z3.Exists)(variables, body)
        case ("name", name, ()):
            return _named(name, language, bound, otherwise=z3.BoolSort(language.context), wanted="a proposition")
        case ("name", name, arguments):
            return _predicate(name, [_term(each, language, bound) for each in arguments], language)
        case (sign, left, right) if sign in _COMPARISONS:
            return _compared(sign, left, right, language, bound)
    raise Unreadable("a term where a formula is needed")


def _joined(sign: str, left: Any, right: Any) -> Any:
    import z3

    match sign:
        case "and":
            return z3.And(left, right)
        case "or":
            return z3.Or(left, right)
        case "->":
            return z3.Implies(left, right)
        case "xor":
            return z3.Xor(left, right)
    return left == right


def _compared(sign: str, left: Tree, right: Tree, language: _Language, bound: Mapping[str, Any]) -> Any:
    """Equality of anything with its like; an order of numbers."""
    if sign in ("=", "!=") and any(_is_formula(side, language, bound) for side in (left, right)):
        same = _formula(left, language, bound) == _formula(right, language, bound)
        return same if sign == "=" else _negated(same)
    a, b = _term(left, language, bound), _term(right, language, bound)
    if _is_number(a) != _is_number(b):
        raise Unreadable("a number compared with an individual")
    if sign in ("=", "!="):
        return a == b if sign == "=" else a != b
    _numbers(a, b)
    return {"<": a.__lt__, "<=": a.__le__, ">": a.__gt__, ">=": a.__ge__}[sign](b)


def _is_formula(tree: Tree, language: _Language, bound: Mapping[str, Any]) -> bool:
    """Whether a tree can only be a truth value."""
    import z3

    match tree:
        case ("name", name, arguments):
            known = bound.get(name, language.known.get(name))
            return bool(arguments) or language.declared.get(name) == "bool" or z3.is_bool(known)
        case ("number", _) | ("+" | "-" | "*" | "/", _, _):
            return False
    return True


def _negated(formula: Any) -> Any:
    import z3

    return z3.Not(formula)


def _term(tree: Tree, language: _Language, bound: Mapping[str, Any]) -> Any:
    """A tree as a number or an individual. Raises Unreadable where it is neither."""
    import z3

    match tree:
        case ("number", value):
            if value.denominator == 1:
                return z3.IntVal(value.numerator, language.context)
            return z3.RealVal(str(value), language.context)
        case ("name", name, ()):
            return _named(name, language, bound, otherwise=language.individuals, wanted="an individual or a number")
        case (("+" | "-" | "*" | "/") as sign, left, right):
            return _reckoned(sign, left, right, language, bound)
    raise Unreadable("a formula where a term is needed")


def _reckoned(sign: str, left: Tree, right: Tree, language: _Language, bound: Mapping[str, Any]) -> Any:
    """A sum, difference, multiple or part, exactly: 1/2 is a half even of whole numbers."""
    import z3

    a, b = _term(left, language, bound), _term(right, language, bound)
    _numbers(a, b)
    if sign in "+-":
        return a + b if sign == "+" else a - b
    if sign == "*" and (_constant(left) is not None or _constant(right) is not None):
        return a * b
    if sign == "/" and (divisor := _constant(right)):
        return a * z3.RealVal(str(1 / divisor), language.context)
    raise Unreadable("not linear")


def _constant(tree: Tree) -> Fraction | None:
    """The value of a term without names."""
    match tree:
        case ("number", value):
            return value
        case (("+" | "-" | "*" | "/") as sign, left, right):
            a, b = _constant(left), _constant(right)
            if a is None or b is None or (sign == "/" and b == 0):
                return None
            value = {"+": a + b, "-": a - b, "*": a * b, "/": a / (b or 1)}[sign]
            return value if max(abs(value.numerator), value.denominator) < 10**MAX_DIGITS else None
    return None


def _is_number(term: Any) -> bool:
    import z3

    return z3.is_arith(term)


def _numbers(*terms: Any) -> None:
    if not all(map(_is_number, terms)):
        raise Unreadable("a number is needed; declare the names that are numbers")


def _named(name: str, language: _Language, bound: Mapping[str, Any], *, otherwise: Any, wanted: str) -> Any:
    """What a name without arguments means; new ones are of the sort that their place asks for."""
    import z3

    meant = bound.get(name, language.known.get(name))
    if meant is None:
        meant = language.known[name] = z3.Const(name, _sort(name, language, otherwise=otherwise))
    is_formula = z3.is_bool(meant)
    if not z3.is_expr(meant) or is_formula != z3.is_bool(z3.Const("_", otherwise)):
        raise Unreadable(f"{name} is not {wanted}")
    return meant


def _sort(name: str, language: _Language, *, otherwise: Any) -> Any:
    """The sort that is declared for a name, or the other one."""
    import z3

    sorts = {"int": z3.IntSort, "real": z3.RealSort, "bool": z3.BoolSort}
    declared = language.declared.get(name)
    return otherwise if declared is None else sorts[declared](language.context)


def _predicate(name: str, terms: Sequence[Any], language: _Language) -> Any:
    """A predicate of terms; each has one number of places, and numbers or individuals in them."""
    import z3

    sorts = [z3.RealSort(language.context) if _is_number(term) else term.sort() for term in terms]
    if name not in language.known:
        language.known[name] = z3.Function(name, *sorts, z3.BoolSort(language.context))
    meant = language.known[name]
    if not z3.is_func_decl(meant) or [meant.domain(i) for i in range(meant.arity())] != sorts:
        raise Unreadable(f"{name} is used in two ways")
    return meant(*(z3.ToReal(term) if z3.is_int(term) else term for term in terms))


# --- Does it follow? ----------------------------------------------------------------------------------


def check_quickly(reference: str, answer: str) -> Outcome | None:
    """What needs no solver: a reference that cannot be used, a blank answer or one that is too long."""
    if problem := problem_with(reference):
        return unsure(problem)
    if not answer.strip():
        return failed("blank answer")
    if len(answer) > MAX_ANSWER or answer.count("\n") >= MAX_STEPS:
        return unsure("more steps than are checked")
    return None


def check(reference: str, answer: str) -> Outcome:
    """Pass steps that all follow and end with the goal; the score is the share of right ones.

    The evidence lists a verdict for each step, and for the first that are not right what is wrong with them.
    """
    if (outcome := check_quickly(reference, answer)) is not None:
        return outcome
    if find_spec("z3") is None:
        return unsure("needs the extra logic: pip install 'thoughtmill[logic]'")
    import z3

    try:
        return _checked(_task(reference), [line for line in answer.splitlines() if line.strip()])
    except Unreadable as problem:
        return unsure(f"the reference cannot be used: {problem}")
    except z3.Z3Exception:
        return unsure("the solver gave up")


def _checked(task: _Task, lines: Sequence[str]) -> Outcome:
    language = _language(task)
    premises = [_formula(tree, language, {}) for tree in task.premises]
    goal = None if task.goal is None else _formula(task.goal, language, {})
    solver = _solver(premises, language)
    if (consistent := _satisfiable(solver)) is not True:
        return unsure("the premises contradict each other" if consistent is False else "the solver gave up")
    if goal is not None and _satisfiable(_solver([_negated(goal)], language)) is not True:
        return unsure("the goal needs no premises")
    verdicts, last = [], None
    for line in lines:
        verdict, last = _step(line, solver, language)
        verdicts.append(verdict)
    reached = goal is None or (last is not None and _entails(last, goal, language))
    return _outcome(verdicts, lines, reached=reached)


def _step(line: str, solver: Any, language: _Language) -> tuple[dict[str, Any], Any]:
    """The verdict on one step, and its formula; what is right is a premise of the next ones."""
    known = dict(language.known)
    try:
        formula = _formula(parse(line), language, {})
    except Unreadable as problem:
        language.known = known
        return {"verdict": "unknown", "because": f"it cannot be read: {problem}"}, None
    solver.push()
    solver.add(_negated(formula))
    counterexample = _satisfiable(solver)
    model = _shown(solver.model()) if counterexample else None
    solver.pop()
    if counterexample is None:
        return {"verdict": "unknown", "because": "the solver gave up"}, formula
    if counterexample:
        return {"verdict": "wrong", "countermodel": model}, formula
    solver.add(formula)
    return {"verdict": "right"}, formula


def _outcome(verdicts: Sequence[Mapping[str, Any]], lines: Sequence[str], *, reached: bool) -> Outcome:
    said = [verdict["verdict"] for verdict in verdicts]
    others = [
        {"step": at + 1, "text": lines[at][:200], **verdict}
        for at, verdict in enumerate(verdicts)
        if verdict["verdict"] != "right"
    ]
    evidence = {"steps": said, "not_right": others[:MAX_SHOWN]}
    score = said.count("right") / len(said)
    if "wrong" in said:
        return failed("a step does not follow", score=score, evidence=evidence)
    if "unknown" in said:
        return unsure("a step could not be decided", score=score, evidence=evidence)
    if not reached:
        return failed("the last step is not the goal", score=score, evidence=evidence)
    return passed(score=score, evidence=evidence)


def _entails(formula: Any, goal: Any, language: _Language) -> bool:
    """Whether the goal follows from this formula alone."""
    return _satisfiable(_solver([formula, _negated(goal)], language)) is False


def _solver(formulas: Sequence[Any], language: _Language) -> Any:
    import z3

    solver = z3.Solver(ctx=language.context)
    solver.set("random_seed", 0)
    solver.add(*formulas)
    return solver


def _satisfiable(solver: Any) -> bool | None:
    """Whether there is a model; None when it costs too much to know."""
    spent = _spent(solver)
    if spent >= TOTAL_EFFORT:
        return None
    solver.set("rlimit", min(QUERY_EFFORT, TOTAL_EFFORT - spent))
    return {"sat": True, "unsat": False}.get(str(solver.check()))


def _spent(solver: Any) -> int:
    """Resource units that this context has used so far."""
    statistics = solver.statistics()
    return int(statistics.get_key_value("rlimit count")) if "rlimit count" in statistics.keys() else 0  # noqa: SIM118


def _shown(model: Any) -> dict[str, str]:
    """A model as text: what each name means in it, for at most twenty names."""
    meanings = {str(name): re.sub(r"\s+", " ", str(model[name]))[:100] for name in model.decls()}
    return dict(sorted(meanings.items())[:20])
