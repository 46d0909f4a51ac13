"""In the second sandbox: the tests. The function under test is not here: calls go out, plain data comes back.

Says, one a line: `call REQUEST`, answered by a reply; `pass` or `fail REASON` for each test; `stuck REASON` when the
tests are at fault; and `done`.
"""

import builtins

from filters.verifiers.code.inside.begin import begin, channels, module, same_chances
from filters.verifiers.code.inside.plain import pack, unpack

TYPE_CHECKING = False  # for pyright it is true; `typing` takes long to import
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, BinaryIO

MAX_SHOWN = 80  # characters of a value, in a reason


def main() -> None:
    """Try the cases, or run the test program, and say what came of each."""
    payload = unpack(begin())
    examiner = Examiner(*channels())
    try:
        examiner.try_cases(payload) if "cases" in payload else examiner.run_program(payload)
    except BaseException as problem:  # noqa: BLE001 - SystemExit and what candidates raise, too
        examiner.say("fail", _described(problem))
    examiner.say("done")


class Examiner:
    """The channel to whoever carries calls, and what the last call came to."""

    def __init__(self, replies: "BinaryIO", said: "BinaryIO") -> None:
        self.replies, self.said = replies, said
        self.last = ""
        self.calls = self.tests = 0

    def say(self, word: str, text: str | None = None) -> None:
        """Passes may wait: a loop of asserts says many."""
        self.said.write(f"{word}\n".encode() if text is None else f"{word} {pack(text)}\n".encode())
        if word != "pass":
            self.said.flush()

    def passed(self) -> None:
        self.tests += 1
        self.last = ""
        self.say("pass")

    def failed(self, problem: Exception, test: str) -> None:
        """A failed assert is told by what the function did, another exception by itself."""
        self.tests += 1
        came = self.last if isinstance(problem, AssertionError) and self.last else _described(problem)
        self.last = ""
        self.say("fail", f"{test}: {came}")

    # --- The function under test, from afar

    def proxy(self, name: str) -> "Callable[..., Any]":
        def call(*args: "Any", **kwargs: "Any") -> "Any":
            self.calls += 1
            self.said.write(b"call " + self.request(name, args, kwargs) + b"\n")
            self.said.flush()
            return self.received(unpack(self.replies.readline().decode().rstrip()), args)

        return call

    def request(self, name: str, args: "tuple[Any, ...]", kwargs: "dict[str, Any]") -> bytes:
        """The words of a call; the end of the tests if a function or the like is among its arguments."""
        words = pack((name, list(args), kwargs))
        if " o" in words:
            self.say("stuck", "the tests pass an argument that is no plain data")
            raise SystemExit
        return words.encode()

    def received(self, reply: "tuple[Any, ...]", args: "tuple[Any, ...]") -> "Any":
        """Return or raise what the function did, and change the arguments that it changed."""
        changed, how, what, *message = reply
        for before, after in zip(args, changed or (), strict=False):
            _refill(before, after)
        self.last = f"raised {message[0]}" if how == "raised" else f"returned {_shown(what)}"
        if how == "raised":
            raise _exception(what, str(message[0]))
        return what

    # --- The two forms of tests

    def try_cases(self, payload: "dict[str, Any]") -> None:
        function = self.proxy(payload["names"][0])
        for case in payload["cases"]:
            expected = case["expected"]
            try:
                value = function(*case.get("args", []), **case.get("kwargs", {}))
                good, came = same(value, expected, payload["tolerance"]), f"returned {_shown(value)}"
            except Exception as problem:  # noqa: BLE001 - what the candidate raises
                good, came = False, self.last or _described(problem)
            self.passed() if good else self.say("fail", f"{came}, not {_shown(expected)}")

    def run_program(self, payload: "dict[str, Any]") -> None:
        """Run the tests, in which each assert tells how it went; without any they are one test as a whole."""
        space = module("__main__")
        same_chances(payload["program"] + payload["prompt"] + payload["setup"])
        try:
            self.prepare(space, payload)
            program = compile(payload["program"], "test.py", "exec")
        except Exception as problem:  # noqa: BLE001 - whatever the reference's own code raises
            return self.say("stuck", f"the tests cannot be run: {_described(problem)}")
        exec(program, space)
        self.call_tests(space, payload["names"])
        if not self.tests and (payload["asserts"] or not self.calls):
            return self.say("stuck", "the tests run none of their asserts, and so test nothing")
        return None if self.tests else self.passed()

    def call_tests(self, space: "dict[str, Any]", names: list[str]) -> None:
        """`check(candidate)`; or if nothing was tested so far, the functions that pytest would find."""
        if callable(check := space.get("check")) and "check" not in names:
            check(self.proxy(names[0]))
        if not self.tests:
            for test in [each for name, each in space.items() if name.startswith("test_") and name not in names]:
                test()

    def prepare(self, space: "dict[str, Any]", payload: "dict[str, Any]") -> None:
        """What the prompt and the set-up define, the names under test, and what the asserts report to."""
        try:
            exec(compile(payload["prompt"], "prompt.py", "exec"), space)
        except Exception:  # noqa: BLE001 - a prompt in prose, say
            space.clear()
            space["__name__"] = "__main__"
        exec(compile(payload["setup"], "setup.py", "exec"), space)
        for name in payload["names"]:
            owner, _, method = name.rpartition(".")
            function = self.proxy(name)
            space[owner or name] = type(owner, (), {method: staticmethod(function)}) if owner else function
            space.setdefault("candidate", function)
        texts = payload["asserts"]
        space["__passed__"], space["__failed__"] = (
            self.passed,
            lambda problem, number: self.failed(problem, texts[number]),
        )


def same(value: "Any", expected: "Any", tolerance: float) -> bool:
    """Equal as Python has it, but a tuple is as good as a list, which is all that JSON has."""
    if isinstance(expected, list) and isinstance(value, list | tuple):
        return len(value) == len(expected) and all(map(same, value, expected, [tolerance] * len(value)))
    if isinstance(expected, dict) and isinstance(value, dict):
        return value.keys() == expected.keys() and all(same(value[key], expected[key], tolerance) for key in value)
    if tolerance and isinstance(value, int | float) and isinstance(expected, int | float):
        return value == expected or abs(value - expected) <= tolerance * max(1, abs(expected))
    return bool(value == expected)


def _refill(before: "Any", after: "Any") -> None:
    if type(before) is not type(after):
        return
    if isinstance(before, list):
        before[:] = after
    elif isinstance(before, dict | set):
        before.clear()
        before.update(after)


def _exception(names: list[str], message: str) -> Exception:
    """The nearest builtin exception of those names, so that `except ValueError` in a test catches it."""
    kinds = [getattr(builtins, str(name), None) for name in names]
    known = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Exception)]
    try:
        return known[0](message)
    except (IndexError, TypeError):  # no Exception at all, such as SystemExit; or made of several parts
        return Exception(message)


def _described(problem: BaseException) -> str:
    text, name = str(problem), type(problem).__name__
    return text if text.startswith(name) else f"{name}: {text}" if text else name


def _shown(value: "Any") -> str:
    """A value in short."""
    try:
        text = ascii(value)
    except ValueError:  # integers of more digits than Python likes to write
        return f"a large {type(value).__name__}"
    return text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 3] + "..."


if __name__ == "__main__":
    main()
