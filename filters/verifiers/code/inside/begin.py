"""First in every sandbox: limits, before anything of a stranger's is seen."""

import builtins
import os
import resource
import sys

TYPE_CHECKING = False  # for pyright it is true; `typing` takes long to import
if TYPE_CHECKING:
    from typing import Any, BinaryIO


def begin() -> str:
    """Set the limits that the command line names, for good, say so, and return what was given."""
    given, memory, seconds, processes, disk = map(int, sys.argv[1:])
    with open("/proc/self/oom_score_adj", "w") as file:
        file.write("1000")  # when the machine runs short of memory, this goes first
    for what, most in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_NPROC, processes),
        (resource.RLIMIT_FSIZE, disk),
        (resource.RLIMIT_STACK, 64 * 2**20),
        (resource.RLIMIT_NOFILE, 64),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_MSGQUEUE, 0),
    ):
        hard = resource.getrlimit(what)[1]  # what we were started with is not ours to raise
        limit = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (limit, limit))
    with os.fdopen(given, "rb") as file:
        text = file.read().decode("utf-8", "surrogatepass")
    sys.argv[:] = [""]
    os.write(1, b"started\n")
    return text


def channels() -> "tuple[BinaryIO, BinaryIO]":
    """What is asked and what is answered, out of the way of code that reads or prints."""
    asked, answered = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nothing, standard)
    return asked, answered


def module(name: str) -> "dict[str, Any]":
    """The names of a fresh module, which is nobody's yet; `exit` is there, as usual."""
    builtins.exit = builtins.quit = sys.exit
    own = sys.modules[name] = type(sys)(name)
    return own.__dict__


def same_chances(source: str) -> None:
    """Seed `random` where it is used at all: to import it takes longer than most programs run."""
    if "random" in source:
        import random

        random.seed(0)
