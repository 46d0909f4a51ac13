r"""Does the code do what its tests ask? Python functions and programs, run in `confine`'s sandbox.

A reference is a JSON object with tests of one of four forms:

    {"entry_point": "add", "cases": [{"args": [1, 2], "expected": 3}, {"kwargs": {"a": 1, "b": 2}, "expected": 3}]}
    {"entry_point": "add", "test": "def check(candidate):\n    assert candidate(1, 2) == 3"}       as in HumanEval
    {"asserts": ["assert add(1, 2) == 3"]}                                                         as in MBPP
    {"io": [{"input": "1 2\n", "output": "3\n"}]}                                                  a whole program

and, all optional:

    language     "python", the only one
    entry_point  the function's name; `Solution.add` is a method of a new object. Needed but for `asserts` and `io`
    prompt       what the answer goes on from: Python that runs before it, and before the tests. An indented answer is
                 the rest of its last function
    setup        Python that runs before the tests only: their imports and helpers
    tolerance    how far numbers may be off, times their size if that is above 1. Of `cases` and `io`; else none
    seconds      of wall time for the answer to load, for each call, and for each program; 4 if not said, at most 20
    memory       bytes of address space; 512 MiB if not said, at most 1 GiB
    solution     an answer that passes, for `gold`

**Whoever is judged is nowhere near the verdict.** The tests run in a sandbox of their own. The function they call is
a proxy: its arguments go, by way of this process, to another sandbox where the answer is, and what comes back is
plain data, rebuilt from exact builtin types. So there is no object whose `__eq__` could lie, no `assert` to patch, no
frame in which expected values could be found, and no output to forge: whatever the answer's process says is only ever
what its function returned. Each program (`io`) has a fresh sandbox for each test, and its output is compared here.

Equality is Python's, so 1 == 1.0 == True. `cases` take a tuple for a list, because JSON has only lists; what else
JSON cannot write (sets, keys that are no text) is for `asserts`. Of what a program prints, blanks at the ends of
lines and empty lines at the end do not count.

Every assert that runs is a test, and so is every case and every program; the score is the share that pass. A test
that takes too long is the last. A `test` defines `check(candidate)`, runs its asserts itself, or defines functions
named `test_...`; one that runs none of its asserts is `unsure`. What is missing: objects of the answer's own classes,
coroutines and functions cannot be returned to tests, and tests cannot pass functions (that is `unsure`).

An answer may be several blocks (`BETWEEN_BLOCKS`). What is run is the last that defines the functions under test, or
for `io` the last that reads its input and is no test, after what it uses of the blocks before it.
An answer that fails because the sandbox has no numpy, or another well-known module that it imports, is `unsure`.
"""

from __future__ import annotations

import ast
import builtins
import json
import keyword
import math
import re
import time
from collections.abc import Callable, Mapping
from itertools import chain, zip_longest
from typing import Any, NamedTuple

from filters.verifiers.code import confine
from filters.verifiers.code.confine import Limits, Over, Refused, sandbox
from filters.verifiers.code.inside.plain import pack
from filters.verifiers.outcome import Outcome, broken, failed, passed, unsure
from filters.verifiers.syntax import parse_module

SECONDS = 75.0  # of which `check` itself uses no more than
ALL_TESTS_WITHIN = 60.0
MAX_SECONDS, MAX_MEMORY = 20.0, 2**30
MAX_ANSWER = 200_000  # characters; longer is no answer
MAX_SHOWN = 50  # tests in the evidence
MAX_REASON = 120  # characters

# --- Where is the code? -------------------------------------------------------------------------------

_FENCE = re.compile(r"^([ \t]*)(`{3,}|~{3,})[ \t]*([\w+#.-]*)[^\n]*$", re.MULTILINE)
_TAGS = (("[BEGIN]", "[DONE]"), ("<answer>", "</answer>"), ("<code>", "</code>"))
_DEFINES = re.compile(r"^(?:async def|def|class)[ \t]+\w", re.MULTILINE)
_STATEMENT = re.compile(
    r"^(?:def \w+ ?\(|class \w+ ?[:(]|import \w|from [\w.]+ import |@\w|print ?\("
    r"|for \w[^\n]* in [^\n]*:$|while [^\n]*:$|\w[\w, ]* = )",
    re.MULTILINE,
)
_INDENTED = re.compile(r"(?:[ \t]*\n)*[ \t]+\S")


BETWEEN_BLOCKS = "\n\f\n"  # a form feed is a blank to Python
_PROSE = re.compile(rf"(?!(?:{'|'.join(keyword.kwlist)})\b)(?:\w[\w'’`,*()-]*(?: [\w'’`,*()-]+)+ ?[.:!]?|\w+!)\s*")  # noqa: RUF001
_TOP = re.compile(r"(?:async def|def|class) \w|import \w|from [\w.]+ import |@\w")


def final_answer(text: str) -> str | None:
    """The code in a response, or None.

    All fenced blocks that say they are Python, or else that say no language, with a line of one form feed between
    them: which of them is meant is for `check` to tell, that knows what is asked for. Of blocks in other languages
    only the last that defines something, or else the last. A block that is not closed goes to the end. Without any:
    what is between [BEGIN] and [DONE], <answer> or <code>, or what looks like Python: indented from its start, as a
    completion of a function is, or with statements, without the sentences around it. Never raises; linear.
    """
    if blocks := _blocks(text):
        if ours := _in_python(blocks):
            return BETWEEN_BLOCKS.join(code.rstrip() for code in ours)
        found = [code for _, code in blocks]
        return next((code for code in reversed(found) if _DEFINES.search(code)), found[-1]).rstrip() or None
    tagged = next((inner for tags in _TAGS if (inner := _between(text, *tags)).strip()), None)
    code = (_without_prose(text.partition("[DONE]")[0]) if tagged is None else tagged).strip("\r\n").rstrip()
    return code if code and (tagged or _INDENTED.match(code) or _STATEMENT.search(code)) else None


def _in_python(blocks: list[tuple[str, str]]) -> list[str]:
    """Those that are Python by their label; those without one where no labelled one defines anything, but they do."""
    labelled = [code for language, code in blocks if language.lower() in ("python", "python3", "py", "py3")]
    others = [code for language, code in blocks if not language]
    if any(map(_DEFINES.search, labelled)):
        return labelled
    defining = [code for code in others if _DEFINES.search(code)]
    return [*defining, *labelled] if labelled else others


def _without_prose(text: str) -> str:
    """Code that begins with a definition or an import, without the sentences before and after it."""
    lines = text.split("\n")
    start = next((n for n, line in enumerate(lines) if _TOP.match(line)), None)
    if start is None:
        return text
    start = start if any(map(_PROSE.fullmatch, lines[:start])) else 0
    quotes = 0
    for number, line in enumerate(lines[start:], start):
        if quotes % 2 == 0 and _PROSE.fullmatch(line):
            return "\n".join(lines[start:number])
        quotes += line.count('"""') + line.count("'''")
    return "\n".join(lines[start:])


def _blocks(text: str) -> list[tuple[str, str]]:
    """Language and content of the fenced blocks that are not blank."""
    blocks, opened = [], None
    for fence in _FENCE.finditer(text):
        if opened is None:
            opened = fence
        elif _closes(fence, opened):
            blocks.append((opened[3], _content(opened, text[opened.end() + 1 : fence.start()])))
            opened = None
    if opened is not None:
        blocks.append((opened[3], _content(opened, text[opened.end() + 1 :])))
    return [(language, code) for language, code in blocks if code.strip()]


def _closes(fence: re.Match[str], opened: re.Match[str]) -> bool:
    """As long, without a language, and no further in than Markdown has it: a docstring may hold fences."""
    return fence[2].startswith(opened[2]) and not fence[3] and len(fence[1]) <= len(opened[1]) + 3


def _content(opened: re.Match[str], code: str) -> str:
    """The lines of a block, as far to the left as its fence is: one within a list is indented."""
    indent = len(opened[1])
    lines = code.split("\n")
    return "\n".join(line[min(indent, len(line) - len(line.lstrip(" \t"))) :] for line in lines) if indent else code


def _between(text: str, start: str, end: str) -> str:
    """What follows the last start, up to an end or all."""
    return text.rpartition(start)[2].partition(end)[0] if start in text else ""


# --- The reference ------------------------------------------------------------------------------------


class _Task(NamedTuple):
    """A reference as it is used."""

    form: str
    tests: Any
    names: list[str]  # of functions under test
    entry_point: str | None = None
    prompt: str = ""
    setup: str = ""
    tolerance: float = 0.0
    seconds: float = 4.0
    memory: int = 512 * 2**20

    @property
    def limits(self) -> Limits:
        return Limits(memory=min(self.memory, MAX_MEMORY), seconds=ALL_TESTS_WITHIN)


_NAME = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)?")
_FORMS = ("cases", "test", "asserts", "io")


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _positive(value: Any) -> bool:
    return _number(value) and value > 0


def _case(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and value.keys() <= {"args", "kwargs", "expected"}
        and "expected" in value
        and isinstance(value.get("args", []), list)
        and isinstance(value.get("kwargs", {}), dict)
    )


def _inout(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() == {"input", "output"} and all(map(_text, value.values()))


def _some(kind: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and bool(value) and all(map(kind, value))


_KEYS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "cases": (_some(_case), 'a list of {"args": [...], "kwargs": {...}, "expected": ...}'),
    "test": (lambda value: _text(value) and bool(value.strip()), "a program of asserts"),
    "asserts": (_some(_text), "a list of statements"),
    "io": (_some(_inout), 'a list of {"input": "...", "output": "..."}'),
    "language": (lambda value: value == "python", '"python"'),
    "entry_point": (lambda value: _text(value) and bool(_NAME.fullmatch(value)), 'a name, or "Class.method"'),
    "prompt": (_text, "text"),
    "setup": (_text, "text"),
    "solution": (_text, "text"),
    "tolerance": (lambda value: _number(value) and value >= 0, "a number, 0 or more"),
    "seconds": (_positive, "a number above 0"),
    "memory": (lambda value: isinstance(value, int) and _positive(value), "a number of bytes"),
}


def problem_with(reference: str) -> str | None:
    """What is wrong with a reference, in one line; None when it can be used. Runs nothing."""
    try:
        task = json.loads(reference)
    except (ValueError, RecursionError):
        return "the reference is not JSON"
    if not isinstance(task, dict):
        return "the reference is not a JSON object"
    if unknown := sorted(task.keys() - _KEYS.keys()):
        return f"unknown key {unknown[0][:50]!r} in the reference; there are: {', '.join(_KEYS)}"
    if wrong := [key for key, value in task.items() if not _KEYS[key][0](value)]:
        return f"{wrong[0]} must be {_KEYS[wrong[0]][1]}"
    if len(forms := [form for form in _FORMS if form in task]) != 1:
        return f"a reference has one of {', '.join(_FORMS)}; this has {' and '.join(forms) or 'none'}"
    if forms[0] in ("cases", "test") and "entry_point" not in task:
        return "no entry_point: the name of the function under test"
    return None


def gold(reference: str) -> str | None:
    """The solution that the reference carries."""
    if problem_with(reference) is not None:
        return None
    return json.loads(reference).get("solution")


def _read(reference: str) -> _Task:
    task = json.loads(reference)
    form = next(form for form in _FORMS if form in task)
    optional = {key: task[key] for key in _Task._fields if key in task}
    task_read = _Task(form=form, tests=task[form], names=[], **optional)
    if task_read.seconds > MAX_SECONDS:
        task_read = task_read._replace(seconds=MAX_SECONDS)
    return task_read._replace(names=[task_read.entry_point] if task_read.entry_point else [])


# --- The verdict --------------------------------------------------------------------------------------


class _Ran(NamedTuple):
    """What came of the tests: the reason of each failure, None for a pass; of how many there are at least; and why
    they say nothing, unless one of them failed."""

    tests: list[str | None]
    known: int
    undecided: str | None = None


def check_quickly(reference: str, answer: str) -> Outcome | None:
    """What needs no run: a reference that cannot be used, an answer that is none."""
    if (problem := problem_with(reference)) is not None:
        return unsure(problem)
    if not answer.strip():
        return failed("no code", score=0.0)
    return (
        failed(f"too long: more than {MAX_ANSWER:,} characters of code", score=0.0)
        if len(answer) > MAX_ANSWER
        else None
    )


def check(reference: str, answer: str) -> Outcome:
    """Run the tests: `pass` if every one does, `error` where there is no sandbox to run them in."""
    if (known := check_quickly(reference, answer)) is not None:
        return known
    task = _read(reference)
    run = _run_programs if task.form == "io" else _run_function
    program = _meant(task, answer)
    try:
        outcome = _outcome(run(task, program, time.monotonic() + ALL_TESTS_WITHIN))
    except Refused as refusal:
        return broken(str(refusal))
    absent = _absent(program, outcome)
    return (
        unsure(f"needs {absent}, which the sandbox does not have", evidence=outcome.evidence) if absent else outcome
    )


_KNOWN_MODULES = (
    *("numpy", "scipy", "pandas", "sympy", "networkx", "sklearn", "matplotlib", "numba", "torch"),
    *("sortedcontainers", "more_itertools"),
)
_IMPORTED = re.compile(rf"^[ \t]*(?:import|from)[ \t]+({'|'.join(_KNOWN_MODULES)})\b", re.MULTILINE)


def _absent(program: str, outcome: Outcome) -> str | None:
    """The well-known module that a program imports and that its tests failed for want of."""
    missed = re.search(r"No module named '(\w+)", outcome.reason or "") if outcome.status == "fail" else None
    return missed[1] if missed and missed[1] in _IMPORTED.findall(program) else None


def _outcome(ran: _Ran) -> Outcome:
    good = ran.tests.count(None)
    count = max(ran.known, len(ran.tests))
    evidence = {"passed": good, "tests_in_all": count, "tests": [_shown(each) for each in ran.tests[:MAX_SHOWN]]}
    if ran.undecided is not None and not any(ran.tests):
        return unsure(ran.undecided, evidence=evidence)
    if good == count > 0:
        return passed(score=1.0, evidence=evidence)
    reason = next((each for each in ran.tests if each is not None), "not all tests were run")
    return failed(f"a test fails: {_in_short(reason)}", score=good / count, evidence=evidence)


def _shown(reason: str | None) -> dict[str, str]:
    return {"status": "pass"} if reason is None else {"status": "fail", "reason": _in_short(reason)}


def _in_short(reason: str) -> str:
    """One line without addresses, which differ from run to run."""
    line = re.sub(r"0x[0-9a-f]{6,}", "0x...", reason.replace("\n", " "))
    return line if len(line) <= MAX_REASON else line[: MAX_REASON - 3] + "..."


# --- Which block is meant? ----------------------------------------------------------------------------

_TESTS = re.compile(
    r"^[ \t]*(?:import|from)[ \t]+(?:unittest|pytest|doctest|subprocess)\b|\bStringIO\b", re.MULTILINE
)
_NAMED_TEST = re.compile(r"^(?:def|class)[ \t]+[tT]est", re.MULTILINE)
_READS = re.compile(r"\binput\s?\(|\bstdin\b|\bopen\(0|\bfileinput\b")


def _mere_tests(block: str) -> bool:
    return bool(_TESTS.search(block) or (_NAMED_TEST.search(block) and not _READS.search(block)))


def _meant(task: _Task, answer: str) -> str:
    """The block of an answer that is meant, after what it needs of the definitions in the blocks before it."""
    blocks = [block for block in answer.split(BETWEEN_BLOCKS) if block.strip()]
    if len(blocks) < 2:
        return answer
    at = _meant_program(blocks) if task.form == "io" else _meant_function(task, blocks)
    return BETWEEN_BLOCKS.join(blocks) if at is None else _with_definitions(blocks[:at], blocks[at])


def _meant_program(blocks: list[str]) -> int | None:
    """The last that reads its input and is no test, or the last that is none."""
    programs = [n for n, block in enumerate(blocks) if not _mere_tests(block)]
    return next((n for n in reversed(programs) if _READS.search(blocks[n])), programs[-1] if programs else None)


def _meant_function(task: _Task, blocks: list[str]) -> int | None:
    """The last that defines what the tests call; where none does, the last that goes on from the prompt."""
    names = {name.partition(".")[0] for name in task.names or _tested(task)}
    defines = [
        {*re.findall(r"^(?:async def|def|class)[ \t]+(\w+)|^(\w+)(?:[ \t]?:[^=\n]*)?[ \t]?=(?!=)", block, re.M)}
        for block in blocks
    ]
    for at in reversed(range(len(blocks))):
        if names and names <= {name for pair in defines[at] for name in pair}:
            return at
    indented = [n for n, block in enumerate(blocks) if task.prompt and _INDENTED.match(block)]
    return indented[-1] if indented else None


def _tested(task: _Task) -> list[str]:
    """The functions that asserts call; none if they cannot be read."""
    try:
        return _exam(task)[0]["names"]
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []


def _with_definitions(before: list[str], block: str) -> str:
    """A block after the functions, classes, imports and plain values of those before it, if it uses any of them."""
    tree = _parsed(block)
    known = [part for each in before if not _mere_tests(each) for part in _definitions(each)]
    if tree is None or not known:
        return block
    bound = set[str]().union(*map(_binds, ast.walk(tree)))
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} - bound
    needed = any(used & names for names, _ in known)
    return "\n".join([*(code for _, code in known), block]) if needed else block


def _definitions(block: str) -> list[tuple[set[str], str]]:
    """The names and the lines of what a block defines at its top; nothing that calls a function."""
    tree, lines = _parsed(block), block.split("\n")
    found = []
    for node in tree.body if tree else []:
        plain = isinstance(node, ast.Assign) and not any(isinstance(each, ast.Call) for each in ast.walk(node))
        if plain or isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Import | ast.ImportFrom):
            marks = getattr(node, "decorator_list", [])
            start = min([node.lineno, *(mark.lineno for mark in marks)])
            names = set[str]().union(*map(_binds, [node, *getattr(node, "targets", [])]))
            found.append((names, "\n".join(lines[start - 1 : node.end_lineno])))
    return found


def _parsed(code: str) -> ast.Module | None:
    """The tree of a stranger's code; None if it cannot be read."""
    try:
        return parse_module(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


# --- Programs -----------------------------------------------------------------------------------------


def _run_programs(task: _Task, answer: str, deadline: float) -> _Ran:
    """Run the program on each input, until one run takes too long."""
    tests: list[str | None] = []
    for test in task.tests:
        reason, over = _run_program(task, answer, test, min(task.seconds, deadline - time.monotonic()))
        if (late := _out_of_time(len(tests), deadline)) is not None:
            return _Ran(tests, len(task.tests), late)
        tests.append(reason)
        if over:
            break
    return _Ran(tests, len(task.tests))


def _run_program(task: _Task, answer: str, test: Mapping[str, str], within: float) -> tuple[str | None, bool]:
    """Why the test fails, or None; and whether there is no point in another one."""
    with sandbox("program", answer.encode("utf-8", "surrogatepass"), limits=task.limits) as box:
        try:
            output, end = confine.finish(box, test["input"].encode("utf-8", "surrogatepass"), within=within)
        except Over as over:
            return str(over), True
        if end != "exit 0":
            return f"{end}: {confine.complaint(box)}", False
    return _difference(output.decode("utf-8", "replace"), test["output"], task.tolerance), False


def _difference(output: str, expected: str, tolerance: float) -> str | None:
    """The first line in which they differ, as a reason; None when there is none."""
    for number, (ours, theirs) in enumerate(zip_longest(_lines(output), _lines(expected)), start=1):
        if ours is None:
            return f"line {number} is missing: {theirs[:60]!r}"
        if theirs is None:
            return f"line {number} is too much: {ours[:60]!r}"
        if ours != theirs and not (tolerance and _near(ours.split(), theirs.split(), tolerance)):
            return f"line {number} is {ours[:60]!r}, not {theirs[:60]!r}"
    return None


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.rstrip().split("\n")]


def _near(ours: list[str], theirs: list[str], tolerance: float) -> bool:
    """Token for token the same, or two finite numbers that are near enough."""
    return len(ours) == len(theirs) and all(
        a == b or _near_numbers(a, b, tolerance) for a, b in zip(ours, theirs, strict=True)
    )


def _near_numbers(a: str, b: str, tolerance: float) -> bool:
    try:
        x, y = float(a), float(b)
    except ValueError:
        return False
    return math.isfinite(x) and abs(x - y) <= tolerance * max(1.0, abs(y))


# --- Functions ----------------------------------------------------------------------------------------


class _Relay(NamedTuple):
    """Where the answer is, where the tests are, and how long each may take."""

    judged: confine.Sandbox
    judge: confine.Sandbox
    seconds: float
    deadline: float

    def ask_judged(self, line: bytes) -> bytes:
        return confine.ask(self.judged, line, within=min(self.seconds, self.deadline - time.monotonic()))

    def ask_judge(self, line: bytes) -> tuple[bytes, bytes]:
        """What the tests say next: a word, and what belongs to it."""
        try:
            said = confine.ask(self.judge, line, within=min(MAX_SECONDS, self.deadline - time.monotonic()))
        except Over as over:
            return b"stuck", pack(f"the tests themselves: {over}").encode()
        word, _, rest = said.partition(b" ")
        return word, rest


def _run_function(task: _Task, answer: str, deadline: float) -> _Ran:
    """Put the answer in one sandbox and the tests in another, and carry between them."""
    try:
        exam, known = _exam(task)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as problem:
        return _Ran([], 0, f"the tests cannot be read: {problem}")
    if not exam["names"]:
        return _Ran([], 0, "the tests call no function that is not defined")
    candidate = pack({"prompt": task.prompt, "answer": answer, "names": exam["names"]}).encode()
    with (
        sandbox("candidate", candidate, limits=task.limits) as judged,
        sandbox("examiner", pack(exam).encode(), limits=task.limits) as judge,
    ):
        return _relay(_Relay(judged, judge, task.seconds, deadline), known)


def _relay(between: _Relay, known: int) -> _Ran:
    """Carry calls and replies until the tests are done."""
    if (problem := _problem_at_loading(between)) is not None:
        late = _out_of_time(0, between.deadline)
        return _Ran([] if late else [problem], known, late)
    tests: list[str | None] = []
    reply = b""
    while True:
        word, rest = between.ask_judge(reply)
        reply = b""
        if word == b"call":
            try:
                reply = between.ask_judged(rest)
            except Over as over:
                late = _out_of_time(len(tests), between.deadline)
                return _Ran(tests if late else [*tests, str(over)], known, late)
        elif word in (b"pass", b"fail"):
            tests.append(_text_of(rest) if rest else None)
        elif word == b"done":
            return _Ran(tests, len(tests))
        else:
            return _Ran(tests, known, _text_of(rest))


def _problem_at_loading(between: _Relay) -> str | None:
    try:
        word, _, rest = between.ask_judged(b"").partition(b" ")
    except Over as over:
        return f"while it was loaded: {over}"
    return None if word == b"ready" and not rest else _text_of(rest)


_NONSENSE = "said what makes no sense"


def _text_of(said: bytes) -> str:
    """A reason from inside a sandbox, where it may have been made up."""
    try:
        return bytes.fromhex(said[1:2_001].decode()).decode("utf-8", "replace") or _NONSENSE
    except ValueError:
        return _NONSENSE


def _out_of_time(done: int, deadline: float) -> str | None:
    """What is said when the time for all tests is over; None while it is not."""
    late = time.monotonic() >= deadline
    return f"not all tests were run within {ALL_TESTS_WITHIN:g} s, only {done}" if late else None


# --- Tests as the examiner takes them -----------------------------------------------------------------


def _exam(task: _Task) -> tuple[dict[str, Any], int]:
    """What the examiner needs, and how many tests there are at least. Raises what `parse_module` does."""
    if task.form == "cases":
        return {"names": task.names, "cases": task.tests, "tolerance": task.tolerance}, len(task.tests)
    text = "\n".join(task.tests) if task.form == "asserts" else task.tests
    tree, setup = parse_module(text), parse_module(task.setup)
    unknown = _names_from_elsewhere(tree, setup)
    names = task.names or [name for name in unknown if name in _called(tree)]
    asserts = _Asserts()
    program = ast.unparse(ast.fix_missing_locations(asserts.visit(tree)))
    needed = task.prompt if task.setup or unknown.keys() - {*names} else ""  # to run it takes time
    exam = {"names": names, "prompt": needed, "setup": task.setup, "program": program}
    return {**exam, "asserts": asserts.texts}, len(asserts.texts)


class _Asserts(ast.NodeTransformer):
    """Makes each assert tell how it went, and lets the next one run. Those within a `try` stay what they are."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def visit_Assert(self, node: ast.Assert) -> ast.AST:
        text = f"try: pass\nexcept Exception as __p__: __failed__(__p__, {len(self.texts)})\nelse: __passed__()"
        watched = parse_module(text).body[0]
        assert isinstance(watched, ast.Try)
        watched.body = [node]
        self.texts.append(_in_short(ast.unparse(node.test)))
        return watched

    def visit_Try(self, node: ast.Try) -> ast.AST:
        return node

    def visit_TryStar(self, node: ast.TryStar) -> ast.AST:
        return node


def _names_from_elsewhere(tree: ast.Module, setup: ast.Module) -> dict[str, None]:
    """Names that the tests use and do not define, in order: the functions under test, and what a prompt defines."""
    names = [node.id for node in ast.walk(tree) if isinstance(node, ast.Name)]
    bound = set(dir(builtins)).union(*map(_binds, chain(ast.walk(tree), ast.walk(setup))))
    return {name: None for name in names if name not in bound}


def _called(tree: ast.Module) -> set[str]:
    calls = (node.func for node in ast.walk(tree) if isinstance(node, ast.Call))
    return {function.id for function in calls if isinstance(function, ast.Name)}


def _binds(node: ast.AST) -> set[str]:
    """Names that a definition, an import or an assignment makes."""
    match node:
        case ast.FunctionDef(name=name) | ast.ClassDef(name=name) | ast.Name(id=name, ctx=ast.Store()):
            return {name}
        case ast.Import(names=names) | ast.ImportFrom(names=names):
            return {(each.asname or each.name).partition(".")[0] for each in names}
        case ast.arg(arg=name):
            return {name}
    return set()
