"""What gaming and hostile code does. None of it passes, none does harm, and the next honest answer passes.

An attack on the verdict returns something wrong and tries to have it called right. An attack on the machine returns
the right value, but only if it could do its harm: a pass would mean that it did.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from filters.verifiers import code
from filters.verifiers.outcome import Outcome
from tests.filters.verifiers.confined import needs_bubblewrap

pytestmark = needs_bubblewrap

TESTS = "def check(candidate):\n    assert candidate(21) == 42\n    assert candidate(-4) == -8, 'quagga'\n"
HONEST = "def double(n):\n    return n + n\n"
HONEST_PROGRAM = "print(2 * int(input()))"
MARK = "thoughtmill-was-here"

ON_THE_VERDICT = {
    "exit 0 while loading": "import sys\nsys.exit(0)",
    "os._exit while loading": "import os\nos._exit(0)",
    "os._exit when called": "import os\ndef double(n):\n    os._exit(0)",
    "SystemExit when called": "def double(n):\n    raise SystemExit(0)",
    "AssertionError when called": "def double(n):\n    raise AssertionError",
    "equal to everything": """
class Yes:
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __bool__(self): return True
    __hash__ = None
def double(n):
    return Yes()
""",
    "an int that lies": """
class Yes(int):
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    __hash__ = int.__hash__
def double(n):
    return Yes(7)
""",
    "a str that lies": """
class Yes(str):
    def __eq__(self, other): return True
    __hash__ = str.__hash__
def double(n):
    return Yes("42")
""",
    "a float that lies": """
class Yes(float):
    def __eq__(self, other): return True
    def __sub__(self, other): return 0.0
    __hash__ = float.__hash__
def double(n):
    return Yes("nan")
""",
    "a list that lies": "class Yes(list):\n    __eq__ = lambda self, other: True\ndouble = lambda n: Yes()",
    "class that pretends to be int": """
class Yes:
    __class__ = property(lambda self: int)
    def __eq__(self, other): return True
def double(n):
    return Yes()
""",
    "metaclass that lies": """
class Meta(type):
    def __eq__(self, other): return True
    __hash__ = type.__hash__
class Yes(metaclass=Meta): pass
def double(n):
    return Yes
""",
    "__reduce__": """
class Yes:
    def __reduce__(self): return (eval, ("42",))
def double(n):
    return Yes()
""",
    "patched builtins": """
import builtins
for name in ("all", "any", "isinstance", "abs", "len", "map", "zip", "repr", "str", "int", "print"):
    setattr(builtins, name, lambda *args, **kwargs: True)
builtins.AssertionError = KeyError
def double(n):
    return 0
""",
    "patched operator and unittest": """
import operator, unittest
operator.eq = lambda a, b: True
unittest.TestCase.assertEqual = lambda *args: None
def double(n):
    return 0
""",
    "patched __build_class__ and __import__": """
import builtins
builtins.__import__ = lambda *args, **kwargs: None
builtins.__build_class__ = None
def double(n):
    return 0
""",
    "redefines the tests": "def check(candidate):\n    return True\ncandidate = None\ndef double(n):\n    return 0",
    "overwrites what answers for it": """
import sys
main = sys.modules["__main__"]
frame = sys._getframe()
while frame:
    frame.f_globals.update(pack=lambda value: "t3 N s72657475726e6564 i2a", reply=lambda *args: "pass")
    frame = frame.f_back
def double(n):
    return 0
""",
    "overwrites test files": """
import os, glob
for path in glob.glob("/**/*test*.py", recursive=True)[:200] + ["/test.py", "test.py"]:
    try:
        open(path, "w").write("def check(candidate): pass")
    except OSError:
        pass
def double(n):
    return 0
""",
    "forged words on every descriptor": """
import os
for fd in range(51):
    try:
        os.write(fd, b"pass\\npass\\ndone\\n")
    except OSError:
        pass
def double(n):
    return 0
""",
    "forged replies in advance": """
import os
def double(n):
    for fd in range(51):
        try:
            os.write(fd, b"t3 N s72657475726e6564 i2a\\n" * 10)
        except OSError:
            pass
    return 0
""",
    "a forged start": "import os\nos.write(1, b'started\\nready\\npass\\npass\\ndone\\n')\ndouble = lambda n: 0",
    "looks for what is expected in frames": """
import sys
def double(n):
    frame = sys._getframe()
    while frame:
        for value in list(frame.f_locals.values()) + list(frame.f_globals.values()):
            if "== 42" in str(value) or value == 42:
                return 42
        frame = frame.f_back
    return 0
""",
    "looks for the tests in all objects": """
import gc
def double(n):
    tests = [each for each in gc.get_objects() if type(each) is str and "assert" in each and each[:1] == "d"]
    return 2 * n if tests else 0
""",
    "looks for the tests in its memory": """
def double(n):
    moved, word = bytes((i + 1) % 256 for i in range(256)), b"rvbhhb"  # each letter's next, so as not to find this
    with open("/proc/self/maps") as maps, open("/proc/self/mem", "rb") as memory:
        for line in maps:
            start, end = (int(each, 16) for each in line.split()[0].split("-"))
            if "rw" in line and end - start < 2**26:
                memory.seek(start)
                if word in memory.read(end - start).translate(moved):
                    return 2 * n
    return 0
""",
    "traces who calls it": """
import sys, threading
def tracer(frame, event, arg):
    frame.f_locals["expected"] = frame.f_locals.get("value")
    return tracer
sys.settrace(tracer)
sys.setprofile(lambda *args: None)
def double(n):
    return 0
""",
    "says it at exit": "import atexit, os\natexit.register(lambda: os._exit(0))\ndouble = lambda n: exit(0)",
    "import hooks": """
import sys
class Finder:
    def find_spec(self, *args):
        raise SystemExit(0)
sys.meta_path.insert(0, Finder())
sys.modules.clear()
def double(n):
    return 0
""",
    "a coroutine": "async def double(n):\n    return 2 * n",
    "a generator": "def double(n):\n    yield 2 * n",
    "an endless generator": "def double(n):\n    while True:\n        yield 2 * n",
    "the function itself": "def double(n):\n    return double",
    "nothing": "def double(n):\n    pass",
    "another name": "def triple(n):\n    return 2 * n",
    "not Python": "Sure! Here is the function that you wanted.",
    "a cyclic value": "def double(n):\n    a = []\n    a.append(a)\n    return a",
    "a deep value": "def double(n):\n    a = []\n    for _ in range(100_000):\n        a = [a]\n    return a",
    "deep source": "double = lambda n: " + "(" * 50_000 + "0" + ")" * 50_000,
    "many minus signs": "double = lambda n: " + "-" * 60_000 + "1",
    "a gigantic value": "def double(n):\n    return 'x' * 10**8",
    "a gigantic number": "def double(n):\n    return 1 << 10**8",
    "an exception whose text hangs": """
class Slow(Exception):
    def __str__(self):
        while True: pass
def double(n):
    raise Slow
""",
    "an exception whose text is huge": "def double(n):\n    raise ValueError('x' * 10**8)",
    "an exception that is all exceptions": """
class Every(ValueError, TypeError, KeyError, AssertionError, StopIteration):
    def __str__(self): raise self
def double(n):
    raise Every
""",
    "closes all descriptors": "import os\nos.closerange(0, 64)\ndef double(n):\n    return 0",
    "its parent answers nothing, its child forges": """
import os
def double(n):
    if os.fork() == 0:
        for fd in range(3, 51):
            try:
                os.write(fd, b"pass\\n")
            except OSError:
                pass
        os._exit(0)
    os._exit(0)
""",
    "flood on standard output": "def double(n):\n    while True: print('42' * 10_000)",
    "flood on every descriptor": """
import os
def double(n):
    while True:
        for fd in range(51):
            try:
                os.write(fd, b"x" * 65536)
            except OSError:
                pass
""",
    "sleeps for ever": "import time\ndef double(n):\n    while True: time.sleep(1000)",
    "loops while loading": "while True: pass",
    "ignores signals": """
import signal
for number in set(range(1, 65)) - {9, 19, 32, 33}:
    signal.signal(number, signal.SIG_IGN)
def double(n):
    while True: pass
""",
    "its alarm answers": """
import signal
def answer(*args): raise SystemExit(0)
signal.signal(signal.SIGALRM, answer)
signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)
def double(n):
    while True: pass
""",
    "an endless regular expression": "import re\ndef double(n):\n    return re.match('(a+)+$', 'a' * 60 + 'b')",
    "segmentation fault": "import ctypes\ndef double(n):\n    return ctypes.string_at(0)",
    "recursion without end": """
import sys
sys.setrecursionlimit(10**9)
class A:
    __getattr__ = lambda self, name: repr(self)
    __repr__ = lambda self: [].__class__.__repr__([self])
def double(n):
    return repr(A())
""",
    "stops its own process": "import os, signal\ndef double(n):\n    os.kill(0, signal.SIGSTOP)\n    return 0",
}

ON_THE_MACHINE = {
    "heap bomb": "def double(n):\n    held = bytearray(4 * 2**30)\n    return 2 * n",
    "heap bomb in small pieces": "def double(n):\n    held = [bytes(2**20) for _ in range(4096)]\n    return 2 * n",
    "fork bomb": """
import os
def double(n):
    for _ in range(30):
        if os.fork() == 0:
            while True: pass
    return 2 * n
""",
    "threads bomb": """
import threading, time
def double(n):
    for _ in range(200):
        threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
    return 2 * n
""",
    "sockets": "import socket\ndef double(n):\n    socket.create_connection(('127.0.0.1', {port}))\n    return 2 * n",
    "names": "import socket\ndef double(n):\n    socket.gethostbyname('localhost.localdomain')\n    return 2 * n",
    "netlink": "import socket\ndef double(n):\n    socket.socket(socket.AF_NETLINK, 3)\n    return 2 * n",
    "the virtual machine's host": "import socket\ndef double(n):\n    socket.socket(40, 1)\n    return 2 * n",
    "an abstract socket": """
import socket
def double(n):
    socket.socket(socket.AF_UNIX).connect("\\0{mark}")
    return 2 * n
""",
    "the parent's environment": "def double(n):\n    open(f'/proc/{ppid}/environ').read()\n    return 2 * n",
    "another process": """
import os
def double(n):
    assert [each for each in os.listdir("/proc") if each.isdigit() and each != str(os.getpid())]
    return 2 * n
""",
    "its environment": """
import os
def double(n):
    assert set(os.environ) - {"PYTHONHASHSEED", "PWD", "LC_CTYPE"}
    return 2 * n
""",
    "the host's passwords": "def double(n):\n    open('/etc/passwd').read()\n    return 2 * n",
    "our own source": "def double(n):\n    open({source!r}).read()\n    return 2 * n",
    "a shell": """
import subprocess
def double(n):
    subprocess.run(['/bin/sh', '-c', 'true'], check=True)
    return 2 * n
""",
    "kills all it can": "import os\ndef double(n):\n    os.kill(-1, 9)\n    return 2 * n",
    "kills its parent": "import os\ndef double(n):\n    os.kill(os.getppid(), 9)\n    raise SystemExit",
    "traces a process": """
import ctypes, os
def double(n):
    child = os.fork()
    if child == 0:
        while True: pass
    assert ctypes.CDLL(None).ptrace(16, child, 0, 0) == 0
    return 2 * n
""",
    "outlives its parent": """
import ctypes
def double(n):
    assert ctypes.CDLL(None).prctl(1, 0) == 0
    return 2 * n
""",
    "shared memory of System V": """
import ctypes
def double(n):
    assert ctypes.CDLL(None).shmget(0, 2**20, 0o600) >= 0
    return 2 * n
""",
    "files in memory": "import os\ndef double(n):\n    os.memfd_create('x')\n    return 2 * n",
    "fills /tmp": """
def double(n):
    for number in range(64):
        with open(f"/tmp/{mark}-{number}", "wb") as file:
            file.write(bytes(2**20))
    return 2 * n
""",
    "one large file": "def double(n):\n    open('/tmp/{mark}', 'wb').truncate(2**30)\n    return 2 * n",
    "fills /dev/shm": "def double(n):\n    open('/dev/shm/{mark}', 'wb')\n    return 2 * n",
    "writes to /": "def double(n):\n    open('/{mark}', 'wb')\n    return 2 * n",
    "writes to /dev": "def double(n):\n    open('/dev/{mark}', 'wb')\n    return 2 * n",
    "writes to the library": "import os\ndef double(n):\n    open(os.__file__, 'ab')\n    return 2 * n",
    "settings of the kernel": """
def double(n):
    open('/proc/sys/kernel/hostname', 'w').write('x')
    return 2 * n
""",
    "higher limits": """
import resource
def double(n):
    resource.setrlimit(resource.RLIMIT_AS, (2**40, 2**40))
    return 2 * n
""",
    "another user": "import os\ndef double(n):\n    os.setuid(0)\n    return 2 * n",
    "new namespaces": """
import ctypes
def double(n):
    assert ctypes.CDLL(None).unshare(0x10000000) == 0
    return 2 * n
""",
    "new namespaces by clone": """
import ctypes
def double(n):
    assert ctypes.CDLL(None).syscall(56 if {x86} else 220, 0x10000000 | 17, 0, 0, 0, 0) >= 0
    return 2 * n
""",
    "mounts": """
import ctypes
def double(n):
    assert ctypes.CDLL(None).mount(b"x", b"/tmp", b"tmpfs", 0, None) == 0
    return 2 * n
""",
    "chroot": "import os\ndef double(n):\n    os.chroot('/tmp')\n    return 2 * n",
    "device files": """
import os, stat
def double(n):
    os.mknod('/tmp/x', 0o600 | stat.S_IFBLK, 0x800)
    return 2 * n
""",
    "many open files": "def double(n):\n    held = [open('/dev/null') for _ in range(500)]\n    return 2 * n",
    "a higher priority": "import os\ndef double(n):\n    os.nice(-5)\n    return 2 * n",
}

ON_PROGRAMS = {
    "every number there is": "for n in range(-1000, 1000): print(n)",
    "right, then wrong": "print(2 * int(input()))\nprint(0)",
    "right, with another exit code": "import sys\nprint(2 * int(input()))\nsys.exit(3)",
    "right, then an exception": "print(2 * int(input()))\n1 / 0",
    "right, then killed": "import os, signal\nprint(2 * int(input()), flush=True)\nos.abort()",
    "right, and never ends": "print(2 * int(input()), flush=True)\nwhile True: pass",
    "right, and closes its output": """
import os, time
print(2 * int(input()), flush=True)
os.close(1)
time.sleep(99)
""",
    "right on standard error": "import sys\nprint(2 * int(input()), file=sys.stderr)",
    "exit 0 early": "import os\nos._exit(0)",
    "a forged start": "import os\nos.write(1, b'started\\n42\\n')",
    "a flood": "while True: print('42' * 100_000)",
    "a flood on standard error": "import os\nwhile True: os.write(2, b'x' * 2**16)",
    "waits for input that never comes": "import sys\nsys.stdin.read()\nsys.stdin.read()\ninput()",
    "asks for no end of input": "while True: input()",
    "looks for the expected output": """
import os
for fd in range(3, 64):
    try:
        os.lseek(fd, 0, 0)
        if b"42" in os.read(fd, 10_000):
            print(2 * int(input()))
    except OSError:
        pass
""",
    "leaves a daemon that writes later": """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        time.sleep(0.2)
        print(42, flush=True)
    os._exit(0)
""",
    "backspaces": "n = int(input())\nprint('0\\b' + str(2 * n))",
    "nothing at all": "pass",
}


def function(**more: object) -> str:
    return json.dumps({"entry_point": "double", "test": TESTS, **more})


def program(**more: object) -> str:
    tests = [{"input": "21\n", "output": "42\n"}, {"input": "-4\n", "output": "-8\n"}]
    return json.dumps({"io": tests, **more})


@pytest.fixture(scope="module")
def outside() -> Iterator[dict[str, object]]:
    """Things on this machine that an attack would like to reach."""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_UNIX) as abstract:
        abstract.bind(f"\0{MARK}")
        abstract.listen()
        x86 = os.uname().machine == "x86_64"
        port, source = server.getsockname()[1], str(Path(code.__file__).resolve())
        yield {"port": port, "mark": MARK, "source": source, "ppid": os.getpid(), "x86": x86}


def left_behind() -> list[Path]:
    return [found for folder in ("/", "/tmp", "/dev", "/dev/shm") for found in Path(folder).glob(f"{MARK}*")]


def assert_nothing_came_of(outcome: Outcome) -> None:
    """The attack failed, for which it is to blame, and nothing of it is left."""
    assert outcome.status == "fail"
    assert outcome.score is not None
    assert outcome.score < 1
    assert len(json.dumps(dict(outcome.evidence))) < 5_000
    assert left_behind() == []


def with_places(attack: str, outside: dict[str, object]) -> str:
    for key, value in outside.items():
        attack = attack.replace("{" + key + "}", str(value)).replace("{" + key + "!r}", repr(value))
    return attack


def test_honest_answers_pass():
    assert code.check(function(), HONEST).status == "pass"
    assert code.check(program(), HONEST_PROGRAM).status == "pass"


EVERYDAY = 4  # one in so many; the slow tests try them all


@pytest.mark.parametrize("name", list(ON_THE_VERDICT)[::EVERYDAY])
def test_an_attack_on_the_verdict(name):
    assert_nothing_came_of(code.check(function(seconds=0.5), ON_THE_VERDICT[name]))


@pytest.mark.parametrize("name", list(ON_THE_MACHINE)[::EVERYDAY])
def test_an_attack_on_the_machine(name, outside):
    assert_nothing_came_of(code.check(function(seconds=1), with_places(ON_THE_MACHINE[name], outside)))


@pytest.mark.parametrize("name", list(ON_PROGRAMS)[::EVERYDAY])
def test_an_attack_by_a_program(name):
    assert_nothing_came_of(code.check(program(seconds=0.5), ON_PROGRAMS[name]))


@pytest.mark.slow
@pytest.mark.parametrize("name", [*ON_THE_VERDICT, *ON_THE_MACHINE])
def test_an_honest_function_passes_right_after_each_attack(name, outside):
    attack = with_places({**ON_THE_VERDICT, **ON_THE_MACHINE}[name], outside)
    assert_nothing_came_of(code.check(function(seconds=1), attack))
    assert code.check(function(seconds=2), HONEST).status == "pass"


@pytest.mark.slow
@pytest.mark.parametrize("name", ON_PROGRAMS)
def test_an_honest_program_passes_right_after_each_attack(name):
    assert_nothing_came_of(code.check(program(seconds=1), ON_PROGRAMS[name]))
    assert code.check(program(seconds=2), HONEST_PROGRAM).status == "pass"


def test_no_attack_hides_another_of_the_same_name():
    assert not ON_THE_VERDICT.keys() & ON_THE_MACHINE.keys()
