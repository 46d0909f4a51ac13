"""Tasks in an environment, that come with what checks them: sound where their solution passes and mistakes do not.

A challenger writes an instruction, a function that evaluates the environment afterwards, a solution, and cases of
failure (Code-as-Task of Self-Challenging agents, arXiv 2506.01716). Here they become a reference of the verifier
`code`:

* the environment is that of a seed (`filters/environments.py`);
* an answer defines `solve()`, which returns the calls, `[["tool", {"argument": value}], ...]`. They are played on an
  environment in the examiner's sandbox: of what happened nothing is taken from whoever is judged;
* the evaluation defines `evaluate(environment)`, which says True or False of how it was left. It is a text that is
  run when all calls were played, so that it cannot change what they do.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from itertools import islice

import orjson

from filters.answers import label
from filters.rule import Case, Check, Ruling, failed, passed
from filters.verifiers import code
from filters.verifiers.outcome import Outcome
from filters.verifiers.syntax import parse_module
from pipelines.records import Problem, to_json

PARTS = ("evaluation", "solution")
"""What a challenger writes beside the instruction and the cases of failure, by tag."""

BETWEEN = "\n---\n"
"""What stands between the cases of failure in the text that a challenger writes."""

# The steps of an evaluation are counted, so that one that never ends costs no more than others.
_PLAYED = """

import json

def _bounded(function, *given, steps=200_000):
    import sys
    def trace(frame, event, argument):
        nonlocal steps
        steps -= 1
        if steps < 0:
            raise TimeoutError("too many steps")
        return trace
    sys.settrace(trace)
    try:
        return function(*given)
    finally:
        sys.settrace(None)

def _played(calls):
    try:
        world = start()
        for tool, arguments in json.loads(json.dumps(calls, allow_nan=False)):
            world.call(tool, **arguments)
    except Exception:
        return None
    return world

def _evaluated(world):
    exec(EVALUATION, globals())
    return evaluate(world)

def _judged(world):
    try:
        return world is not None and _bounded(_evaluated, world)
    except BaseException:
        raise RuntimeError("the evaluation crashes") from None
"""
_CRASHES = "RuntimeError: the evaluation crashes"
_CHECK = """
def check(candidate):
    world = _played(candidate())
    done = _judged(world)
    assert world is not None
    assert done is True
"""
MAX_CASES = 20  # of failure, each of which is run


def reference_of(environment: str, evaluation: str, solution: str) -> str:
    """What an answer to a task is checked against."""
    setup = f"{environment}\n\nEVALUATION = {_unfenced(evaluation)!r}\n{_PLAYED}"
    return to_json({"entry_point": "solve", "setup": setup, "test": _CHECK, "solution": _unfenced(solution)})


def _unfenced(text: str) -> str:
    """Code without the fence that many models put around it."""
    return (code.final_answer(text) or text) if text.lstrip().startswith("```") else text


def failure_cases(problem: Problem) -> list[str]:
    """The answers that the task's author knows to be wrong: a list, or a text with `BETWEEN` between them."""
    wrong = orjson.loads(problem.details).get("wrong") or []
    cases = wrong.split(BETWEEN) if isinstance(wrong, str) else wrong
    return [_unfenced(each.strip()) for each in cases if each.strip()]


def task_sound(case: Case, check: Check, *, at_least: int = 1) -> list[Ruling]:
    """Pass a task whose evaluation accepts its solution, twice, and rejects each of `at_least` or more failure cases.

    So many of these must hand in calls that can be made: else it is not the evaluation that rejects them. Each way of
    not being sound has a reason of its own. What could not be run is rejected too, and so is an instruction with a
    line of the two programs, or a call of the solution.
    """
    problem = case.problem
    solution = code.gold(problem.answer or "") if problem.verifier == "code" else None
    if solution is None:
        return [failed("no task that could be read")]
    cases = failure_cases(problem)
    context = {"verifier": label("code"), "failure_cases": len(cases)}
    if not at_least <= len(cases) <= MAX_CASES:
        return [failed(f"too {'few' if len(cases) < at_least else 'many'} cases of failure", context=context)]
    own, again, *others = (check("code", reference, answer) for reference, answer in task_sound_compares(case))
    reason = _unread(problem.answer or "") or _broken([own, again, *others])
    reason = reason or _mistaken(own, again, others, problem.answer or "")
    if not reason and sum(_rejected(each, problem.answer or "") for each in others) < at_least:
        reason = "too few cases of failure"
    if not reason and gives_away(problem.question, solution, evaluation_of(problem.answer or "")):
        reason = "the instruction gives the solution away"
    return [failed(reason, context=context) if reason else passed(context=context)]


def task_sound_compares(case: Case) -> Iterable[tuple[str, str]]:
    """The reference with its solution, with the same again, then with each case of failure."""
    reference, cases = case.problem.answer or "", failure_cases(case.problem)
    solution = code.gold(reference) if case.problem.verifier == "code" else None
    if solution is None or len(cases) > MAX_CASES:
        return []
    answers = [solution, f"{solution}\n", *dict.fromkeys(cases)]
    return [(reference, answer) for answer in answers]


def evaluation_of(reference: str) -> str:
    """What an author wrote as the evaluation."""
    nodes = parse_module(orjson.loads(reference).get("setup", "")).body
    told = (node for node in reversed(nodes) if isinstance(node, ast.Assign))
    return next((ast.literal_eval(each.value) for each in told if ast.unparse(each.targets[0]) == "EVALUATION"), "")


def _unread(reference: str) -> str | None:
    """Why the evaluation is no program, if it is none."""
    try:
        parse_module(evaluation_of(reference))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return "the evaluation is no Python"
    return None


def _rejected(outcome: Outcome, reference: str) -> bool:
    """Whether all calls could be made, and it was the evaluation that said no; of other tests, whether they did."""
    went = [each["status"] for each in outcome.evidence.get("tests", [])]
    return outcome.status == "fail" and (went == ["pass", "fail"] or not evaluation_of(reference))


def _broken(outcomes: Iterable[Outcome]) -> str | None:
    """Why the evaluation tells nothing, if it does not."""
    for outcome in outcomes:
        if outcome.status in ("unsure", "error"):
            return "the evaluation could not be run"
        if any(each.get("reason") == _CRASHES for each in outcome.evidence.get("tests", [])):
            return "the evaluation crashes"
    return None


def _mistaken(own: Outcome, again: Outcome, others: list[Outcome], reference: str) -> str | None:
    looks = _looks(evaluation_of(reference))
    if own.status != again.status:
        return "the evaluation does not say the same twice"
    if own.status != "pass":
        return "the solution fails" if looks else "the evaluation rejects everything"
    if any(each.status == "pass" for each in others):
        return "a case of failure passes" if looks else "the evaluation accepts everything"
    return None


def _looks(evaluation: str) -> bool:
    """Whether the evaluation reads what it is given at all."""
    defined = [node for node in parse_module(evaluation).body if isinstance(node, ast.FunctionDef)]
    evaluate = next((each for each in reversed(defined) if each.name == "evaluate"), None)
    if evaluate is None or not evaluate.args.args:
        return False
    names = (node.id for node in ast.walk(evaluate) if isinstance(node, ast.Name))
    return evaluate.args.args[0].arg in names


# --- Is the solution in the instruction? --------------------------------------------------------------------------

_TELLING = 12  # signs of a line that is more than a word
MAX_CALLS = 100  # of a solution that are looked for


def gives_away(question: str, solution: str, evaluation: str) -> bool:
    """Whether an instruction holds a line of program of these, or a call of the solution with what it is given."""
    said = _squeezed(question)
    lines = (_squeezed(line) for line in f"{solution}\n{evaluation}".splitlines() if "(" in line or "=" in line)
    telling = [line for line in lines if len(line) >= _TELLING]
    return any(each in said for each in (*telling, *_calls(solution)))


def _squeezed(text: str) -> str:
    """Without blanks, and with quotes of one kind."""
    return "".join(text.split()).replace('"', "'")


def _calls(solution: str) -> Iterator[str]:
    """The first calls that stand in a solution, as lists and as Python has them; without arguments they tell nothing.

    They are told in the solution's own words: to write a tree anew can go too deep.
    """
    try:
        nodes = ast.walk(parse_module(solution))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    for node in islice((each for each in nodes if isinstance(each, ast.List)), MAX_CALLS):
        match node.elts:
            case [ast.Constant(value=str(tool)), ast.Dict(keys=[_, *_], values=values) as given]:
                names = [key.value if isinstance(key, ast.Constant) else "" for key in given.keys]
                told = [_squeezed(ast.get_source_segment(solution, each) or "") for each in values]
                named = [f"{name}={value}" for name, value in zip(names, told, strict=True)]
                yield from (f"{tool}({','.join(each)}" for each in (told, named))
                yield f"'{tool}',{_squeezed(ast.get_source_segment(solution, given) or '')}"
