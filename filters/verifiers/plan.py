r"""Does a plan reach the goal? Simulated exactly, as in STRIPS; search decides what is shortest or impossible.

A reference is a planning task:

    {"init": ["at robot kitchen", "door kitchen hall", "door hall bath"],
     "goal": ["at robot bath"],
     "actions": {"go ?from ?to": {"pre": ["at robot ?from", "door ?from ?to"],
                                  "add": ["at robot ?to"], "del": ["at robot ?from"]}}}

and, where wanted, any of these:

    "objects": ["kitchen", ...]      else those of init and goal
    "never": [["at wolf left", "at goat left", "not at farmer left"]]
                                     facts that must not hold together in any state
    "max_steps": 12                  longer plans fail
    "optimal": true                  only a shortest plan passes
    "solution": ["go kitchen hall", ...], or null where there is no plan

`not` before a fact, in `pre`, `goal` and `never`, says that it does not hold; `= ?x ?y` is true of an object and
itself. What is not said to hold does not. An action deletes before it adds. Case, commas and brackets do not matter:
`at(robot, hall)`, `(at robot hall)` and `at robot hall` are one.

The answer is one action a line, or a JSON list of them, or `no plan`, which passes only where a search through every
state that can be reached finds none. The search is bounded by a count of what it tries, so verdicts repeat.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from filters.verifiers.math import last_box
from filters.verifiers.outcome import Outcome, failed, passed, unsure
from filters.verifiers.places import fenced, last_block, tagged

SECONDS = 30.0
MAX_ANSWER = 50_000  # characters
MAX_REFERENCE = 200_000
MAX_STEPS = 1_000
MAX_FACTS = 2_000  # in one list of a reference
MAX_PARAMETERS = 6
MAX_BINDINGS = 200_000  # ways to put objects for parameters
MAX_NEVER = 100
MAX_TRIED = 5_000_000  # actions that a search tries in states: a few seconds
MAX_STATES = 200_000  # that a search remembers: some hundred megabytes

NO_PLAN = "no plan"

Fact = tuple[str, ...]
State = frozenset[Fact]


class Unusable(ValueError):
    """What is wrong with a reference."""


# --- Where is the plan? -------------------------------------------------------------------------------

_ANNOUNCED = re.compile(r"\b(?:answer|plan|solution)\b\W{0,4}(?:is|:)[*: \t]{0,9}", re.IGNORECASE)
_NUMBER = re.compile(r"^(?:[-*•]\s+|\(?\d{1,4}[.):]\s*|\**(?:step|action) \d{1,4}\**\s*[.:)]?\s*\**)", re.IGNORECASE)
_NONE = re.compile(
    r"(?:there (?:is|exists) |it has )?(?:no (?:such |valid |possible )?(?:plan|solution)(?: exists| is possible)?)"
    r"|(?:it is |the task is |the goal is )?(?:infeasible|impossible|unsolvable|unreachable)",
    re.IGNORECASE,
)
_COMMENT = re.compile(r";|#|//")
_WORD = re.compile(r"[^\s(),]+")


def final_answer(text: str) -> str | None:
    r"""The actions of a response, one a line without its number, or "no plan"; None when there are none.

    Looked for in the last `<answer>...</answer>`, else the last code fence, the last `\boxed{...}`, the lines that
    are numbered, what follows the last "plan:" or "the answer is" up to an empty line, the last block of lines.
    Never raises; linear.
    """
    for find in (tagged, fenced, last_box, _numbered, _announced, last_block):
        if (found := find(text)) is not None:
            answer = _bare(found) if len(found) <= MAX_ANSWER else ""
            return answer or None
    return None


def _numbered(text: str) -> str | None:
    return "\n".join(line for line in text.splitlines() if _NUMBER.match(line.lstrip()[:100])) or None


def _announced(text: str) -> str | None:
    start = max((found.end() for found in _ANNOUNCED.finditer(text)), default=None)
    return None if start is None else text[start : start + MAX_ANSWER].strip().partition("\n\n")[0]


def _bare(block: str) -> str:
    """Lines without numbers and decoration; "no plan" in whatever words; an empty JSON list stays one."""
    actions = _json_list(block)
    lines = block.splitlines() if actions is None else actions
    lines = [_COMMENT.split(line, maxsplit=1)[0].strip() for line in lines]
    lines = [_NUMBER.sub("", line, count=1).strip("*`$ \t").rstrip(".,") for line in lines]
    lines = [line for line in lines if line]
    if actions == []:
        return "[]"
    return NO_PLAN if len(lines) == 1 and _NONE.fullmatch(lines[0]) else "\n".join(lines)


def _json_list(block: str) -> list[str] | None:
    try:
        read = json.loads(block) if block.lstrip().startswith("[") else None
    except (ValueError, RecursionError):
        return None
    return read if isinstance(read, list) and all(isinstance(action, str) for action in read) else None


# --- References ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Condition:
    """Facts that must hold, and facts that must not. An equation is a fact, too."""

    holds: frozenset[Fact]
    holds_not: frozenset[Fact]

    def missing(self, state: State) -> list[str]:
        """What of it is not so in a state, in words."""
        return sorted(map(" ".join, self.holds - state)) + sorted(
            f"not {' '.join(f)}" for f in self.holds_not & state
        )

    def met(self, state: State) -> bool:
        return self.holds <= state and not self.holds_not & state


@dataclass(frozen=True, slots=True)
class _Action:
    name: str
    parameters: tuple[str, ...]
    before: _Condition
    adds: frozenset[Fact]
    deletes: frozenset[Fact]


@dataclass(frozen=True, slots=True)
class _Task:
    init: State
    goal: _Condition
    actions: dict[str, _Action]
    objects: tuple[str, ...]
    never: tuple[_Condition, ...]
    max_steps: int | None
    optimal: bool
    solution: list[str] | None


_KEYS = {"init", "goal", "actions", "objects", "never", "max_steps", "optimal", "solution"}


def problem_with(reference: str) -> str | None:
    """What is wrong with a reference, in one line: not JSON, an action whose facts name no parameter, ..."""
    try:
        _task(reference)
    except Unusable as problem:
        return str(problem)
    return None


def gold(reference: str) -> str | None:
    """The reference's `solution`, if it has one; "no plan" where that is null."""
    if problem_with(reference):
        return None
    read = json.loads(reference)
    if "solution" not in read:
        return None
    return NO_PLAN if read["solution"] is None else "\n".join(read["solution"]) or "[]"


def _task(reference: str) -> _Task:
    """Read a reference. Raises Unusable with what is wrong."""
    try:
        read = json.loads(reference) if len(reference) <= MAX_REFERENCE else None
    except (ValueError, RecursionError):
        read = None
    if not isinstance(read, dict) or not {"init", "goal", "actions"} <= read.keys() <= _KEYS:
        raise Unusable('the reference is no JSON object with "init", "goal", "actions" and what may go with them')
    actions, never = read["actions"], read.get("never", [])
    if not (
        isinstance(actions, dict)
        and 0 < len(actions) <= MAX_FACTS
        and isinstance(never, list)
        and len(never) <= MAX_NEVER
    ):
        raise Unusable("actions is no object, or never is no list of at most 100")
    init = _condition(read["init"], "init")
    goal = _condition(read["goal"], "goal")
    if init.holds_not or not (goal.holds or goal.holds_not):
        raise Unusable("init has a fact with not, or goal has none")
    named = {word for fact in init.holds | goal.holds | goal.holds_not for word in fact[1:]}
    groups = tuple(_condition(group, "never") for group in never)
    if any(group.met(init.holds) for group in groups):
        raise Unusable("init is a state that must never be")
    return _Task(
        init=init.holds,
        goal=goal,
        actions={action.name: action for action in (_action(*item) for item in actions.items())},
        objects=tuple(
            sorted({word.lower() for word in _texts(read["objects"], "objects")} if "objects" in read else named)
        ),
        never=groups,
        max_steps=_count(read.get("max_steps")),
        optimal=_truth(read.get("optimal", False)),
        solution=None if read.get("solution") is None else _texts(read["solution"], "solution"),
    )


def _texts(read: Any, where: str) -> list[str]:
    if not (isinstance(read, list) and len(read) <= MAX_FACTS and all(isinstance(text, str) for text in read)):
        raise Unusable(f"{where} is no list of texts, or a very long one")
    return read


def _count(read: Any) -> int | None:
    if not (read is None or (type(read) is int and read >= 0)):
        raise Unusable("max_steps is no whole number")
    return read


def _truth(read: Any) -> bool:
    if not isinstance(read, bool):
        raise Unusable("optimal is neither true nor false")
    return read


def _words(text: str) -> Fact:
    return tuple(_WORD.findall(text.lower()))


def _condition(read: Any, where: str, parameters: Sequence[str] = ()) -> _Condition:
    facts = [_words(text) for text in _texts(read, where)]
    holds = frozenset(fact for fact in facts if fact[:1] != ("not",))
    holds_not = frozenset(fact[1:] for fact in facts if fact[:1] == ("not",))
    for fact in sorted(holds | holds_not):
        if not fact:
            raise Unusable(f"{where} has an empty fact")
        if strange := [word for word in fact if word.startswith("?") and word not in parameters]:
            raise Unusable(f"{where} has {strange[0][:80]}, which is no parameter")
    return _Condition(holds, holds_not)


def _action(head: str, body: Any) -> _Action:
    name, *parameters = _words(head) or ("",)
    if not name or name == "not" or len(set(parameters)) != len(parameters) or len(parameters) > MAX_PARAMETERS:
        raise Unusable(f"no action is called {head[:80]!r}")
    if not all(parameter.startswith("?") for parameter in parameters):
        raise Unusable(f"the parameters of {name[:80]} do not begin with ?")
    if not isinstance(body, dict) or not body.keys() <= {"pre", "add", "del"}:
        raise Unusable(f'the action {name[:80]} has other parts than "pre", "add", "del"')
    before, adds, deletes = (
        _condition(body.get(part, []), f"{name[:80]}: {part}", parameters) for part in ("pre", "add", "del")
    )
    if adds.holds_not or deletes.holds_not:
        raise Unusable(f"the action {name[:80]} adds or deletes with not")
    return _Action(name, tuple(parameters), before, adds.holds, deletes.holds)


# --- Simulation ---------------------------------------------------------------------------------------


def _applied(action: _Action, objects: Sequence[str]) -> _Action:
    """The action with objects for its parameters."""
    meant = dict(zip(action.parameters, objects, strict=True))

    def put(facts: frozenset[Fact]) -> frozenset[Fact]:
        return frozenset(tuple(meant.get(word, word) for word in fact) for fact in facts)

    before = _Condition(put(action.before.holds), put(action.before.holds_not))
    name = " ".join((action.name, *objects))
    return _Action(name, (), _without_equations(before), put(action.adds), put(action.deletes))


def _without_equations(condition: _Condition) -> _Condition:
    """True equations left out; a false one stays, as a fact that never holds."""

    def true(fact: Fact) -> bool:
        return len(fact) == 3 and fact[0] == "=" and fact[1] == fact[2]

    def false(fact: Fact) -> bool:
        return len(fact) == 3 and fact[0] == "=" and fact[1] != fact[2]

    holds = {fact for fact in condition.holds if not true(fact)}
    holds |= {("not", *fact) for fact in condition.holds_not if true(fact)}
    return _Condition(frozenset(holds), frozenset(f for f in condition.holds_not if not (true(f) or false(f))))


def _after(state: State, action: _Action) -> State:
    return (state - action.deletes) | action.adds


def _simulated(task: _Task, lines: Sequence[str]) -> Outcome | None:
    """A failure with the step it is at, or None when the plan reaches the goal."""
    state = task.init
    for at, line in enumerate(lines, start=1):
        name, *objects = _words(line) or ("",)
        told = {"step": at, "action": line[:200]}
        action = task.actions.get(name)
        if action is None or len(objects) != len(action.parameters) or not set(objects) <= set(task.objects):
            return failed("there is no such action", evidence=told)
        action = _applied(action, objects)
        if missing := action.before.missing(state):
            return failed("an action is not possible where it stands", evidence={**told, "missing": missing[:10]})
        state = _after(state, action)
        if any(group.met(state) for group in task.never):
            return failed("a state that must never be", evidence=told)
    if missing := task.goal.missing(state):
        reached = 1 - len(missing) / (len(task.goal.holds) + len(task.goal.holds_not))
        return failed("the goal is not reached", score=reached, evidence={"missing": missing[:10]})
    return None


# --- Search -------------------------------------------------------------------------------------------


class _TooMuch(Exception):
    """The search would try more than it may."""


def _instances(task: _Task) -> Iterator[_Action]:
    """Every action with every choice of objects, without those that facts which never change rule out."""
    changing = {fact[0] for action in task.actions.values() for fact in action.adds | action.deletes}
    for action in task.actions.values():
        if len(task.objects) ** len(action.parameters) > MAX_BINDINGS:
            raise _TooMuch
        for objects in product(task.objects, repeat=len(action.parameters)):
            instance = _applied(action, objects)
            before = instance.before
            fixed = {fact for fact in before.holds if fact[0] not in changing}
            fixed_not = {fact for fact in before.holds_not if fact[0] not in changing}
            if fixed <= task.init and not fixed_not & task.init:
                rest = _Condition(before.holds - fixed, before.holds_not - fixed_not)
                yield _Action(instance.name, (), rest, instance.adds, instance.deletes)


def _shortest(task: _Task, *, at_most: int | None) -> list[str] | None:
    """A shortest plan of at most so many steps, by breadth-first search; None when there is none.

    Raises _TooMuch before it has tried more than it may.
    """
    instances, came_from = list(_instances(task)), {task.init: (task.init, "")}
    layer, depth, tried = [task.init], 0, 0
    while layer:
        for state in layer:
            if task.goal.met(state):
                return _way_to(state, came_from)
        if depth == at_most:
            return None
        tried += len(layer) * len(instances) * (1 + len(task.never))
        if tried > MAX_TRIED:
            raise _TooMuch
        layer, depth = _next(layer, instances, came_from, task.never), depth + 1
    return None


def _next(
    layer: Sequence[State],
    instances: Sequence[_Action],
    came_from: dict[State, tuple[State, str]],
    never: Sequence[_Condition],
) -> list[State]:
    """The new states that one action leads to."""
    found = []
    for state in layer:
        for action in instances:
            if action.before.met(state):
                after = _after(state, action)
                if after not in came_from and not any(group.met(after) for group in never):
                    if len(came_from) >= MAX_STATES:
                        raise _TooMuch
                    came_from[after] = (state, action.name)
                    found.append(after)
    return found


def _way_to(state: State, came_from: Mapping[State, tuple[State, str]]) -> list[str]:
    names = []
    while (step := came_from[state])[1]:
        state = step[0]
        names.append(step[1])
    return names[::-1]


# --- The verdict --------------------------------------------------------------------------------------


def check_quickly(reference: str, answer: str) -> Outcome | None:
    """All that needs no search: a plan is simulated at once, unless it has to be a shortest one."""
    try:
        task = _task(reference)
    except Unusable as problem:
        return unsure(str(problem))
    if not answer.strip():
        return failed("blank answer")
    if answer == NO_PLAN:
        return None
    lines = [] if answer == "[]" else answer.splitlines()
    limit = MAX_STEPS if task.max_steps is None else min(task.max_steps, MAX_STEPS)
    if len(answer) > MAX_ANSWER or len(lines) > limit:
        return failed("more steps than are allowed", evidence={"steps": len(lines), "at most": limit})
    if (outcome := _simulated(task, lines)) is not None:
        return outcome
    return None if task.optimal and lines else passed(score=1.0, evidence={"steps": len(lines)})


def check(reference: str, answer: str) -> Outcome:
    """Pass a plan that reaches the goal, the shortest where that is asked for, or "no plan" where there is none."""
    if (outcome := check_quickly(reference, answer)) is not None:
        return outcome
    task = _task(reference)
    steps = None if answer == NO_PLAN else len(answer.splitlines())
    try:
        best = _shortest(task, at_most=task.max_steps if steps is None else steps - 1)
    except (_TooMuch, MemoryError):
        return unsure("the search would take too long")
    if best is None:
        return passed(score=1.0, evidence={"steps": steps})
    told = {"steps": len(best), "plan": best[:50]}
    if steps is None:
        return failed("there is a plan", evidence=told)
    return failed("there is a shorter plan", score=len(best) / steps, evidence=told)
