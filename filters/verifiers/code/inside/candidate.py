"""In the first sandbox: define what an answer defines, then answer calls with plain data, one at a time.

Nothing here decides anything, so nothing is won by breaking it: whatever is said on the channel is what the
function returned.
"""

from filters.verifiers.code.inside.begin import begin, channels, module, same_chances
from filters.verifiers.code.inside.plain import pack, unpack

TYPE_CHECKING = False  # for pyright it is true; `typing` takes long to import
if TYPE_CHECKING:
    from typing import Any

MAX_MESSAGE = 300  # characters of an exception's text


def main() -> None:
    """Say `ready` or `failed REASON`, then a reply for each request."""
    payload = unpack(begin())
    asked, answered = channels()
    space = module("solution")  # not `__main__`, so that a program's own main part is not run
    said = loaded(space, payload)
    while True:
        answered.write(said.encode() + b"\n")
        answered.flush()
        if not (request := asked.readline()):
            return
        said = reply(space, unpack(request.decode().rstrip()))


def loaded(space: "dict[str, Any]", payload: "dict[str, Any]") -> str:
    """Define what the answer defines, and say how that went."""
    try:
        load(space, payload)
        missing = [name for name in payload["names"] if not callable(find(space, name))]
    except BaseException as problem:  # noqa: BLE001 - a stranger's
        return "failed " + pack(described(problem))
    return "failed " + pack(f"defines no function {missing[0]}") if missing else "ready"


def load(space: "dict[str, Any]", payload: "dict[str, Any]") -> None:
    """Run an answer after what its prompt defines. An indented answer is the rest of the prompt's function."""
    prompt, answer = payload["prompt"], payload["answer"]
    same_chances(prompt + answer)
    if prompt and answer.lstrip("\n")[:1] in (" ", "\t"):
        answer = prompt + answer
    elif prompt:
        try:
            exec(compile(prompt, "prompt.py", "exec"), space)
        except Exception:  # noqa: BLE001 - a prompt in prose, say
            space.clear()
            space["__name__"] = "solution"
        for name in payload["names"]:
            space.pop(name, None)  # the prompt's stub is no answer
    exec(compile(answer, "solution.py", "exec"), space)


def find(space: "dict[str, Any]", name: str) -> "Any":
    """The function of that name, or None; of `Solution.method` a new object's."""
    owner, _, method = name.rpartition(".")
    if not owner:
        return space.get(name)
    return getattr(space[owner](), method, None) if owner in space else None


def reply(space: "dict[str, Any]", request: "tuple[str, list[Any], dict[str, Any]]") -> str:
    """What the call returned or raised, and its arguments if they are no longer what they were."""
    name, args, kwargs = request
    before = pack(args)
    try:
        said = ("returned", find(space, name)(*args, **kwargs))
    except BaseException as problem:  # noqa: BLE001 - a stranger's
        said = ("raised", [str(each.__name__) for each in type(problem).__mro__], described(problem))
    try:
        return pack((args if pack(args) != before else None, *said))
    except BaseException as problem:  # noqa: BLE001 - from an iterator that it returned
        return pack((None, "raised", [], described(problem)))


def described(problem: BaseException) -> str:
    """The exception in one short line, also when its text cannot be had."""
    try:
        text = str(problem)
    except BaseException:  # noqa: BLE001 - a stranger's
        text = ""
    name = type(problem).__name__
    return (f"{name}: {text}" if text else name)[:MAX_MESSAGE]


if __name__ == "__main__":
    main()
