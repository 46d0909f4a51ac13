r"""A place where a stranger's Python runs and can do no harm: bubblewrap, limits, and a deadline that holds.

    with sandbox("program", b"print(int(input()) + 1)", limits=Limits()) as box:
        output, code = finish(box, b"41\n", within=4.0)

What runs inside is user 65534 with no capabilities, alone in its own namespaces (processes, network, IPC, users,
host name), and sees the C library, the Python interpreter and its standard library, `/proc` of its own processes,
a bare `/dev`, and an empty `/tmp` of `Limits.disk` bytes, all else read-only or not there. A filter of system calls
keeps it from sockets (AF_VSOCK heeds no namespace), new namespaces, tracing, and memory that no limit counts.
It is process 1 of its namespace: when it ends or is killed, everything that it started is gone. What is not limited
but by the time it has: how many empty files it makes in `/tmp` (each takes the kernel a kilobyte). Memory is counted
for each process, so at most `Limits.memory` times `Limits.processes` in all.

Programs, in `inside/`, set their own limits before anything else and then say so, and only then see the stranger's
code. A sandbox that did not get so far never counts as an answer's fault: that is `Refused`. Nothing is ever run
unconfined instead.
"""

from __future__ import annotations

import errno
import json
import os
import platform
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import NamedTuple

NOBODY = 65534
START_WITHIN = 20.0  # seconds for a sandbox to start on a busy machine; usually 0.02
MAX_OUTPUT = 4 * 2**20  # bytes that are read from a sandbox at once


class Refused(RuntimeError):
    """There is no confinement here, so nothing was run. The message says the way out."""


class Over(Exception):
    """What runs inside is over before its time; the message says how, in the words of a person."""


class Limits(NamedTuple):
    """What a sandbox may take: bytes, seconds of processor time for each process, threads and processes in all."""

    memory: int = 512 * 2**20
    seconds: float = 10.0
    processes: int = 8
    disk: int = 16 * 2**20


@dataclass(slots=True)
class Sandbox:
    """A process that was started, and what it has said but nobody has read."""

    process: subprocess.Popen[bytes]  # bubblewrap, outside
    errors: int  # a file in memory that the process inside writes its standard error to
    inner: int | None = None  # a descriptor of the process inside
    unread: bytearray = field(default_factory=bytearray)


# --- Start and end ------------------------------------------------------------------------------------


@contextmanager
def sandbox(program: str, payload: bytes, *, limits: Limits) -> Iterator[Sandbox]:
    """Start `inside/<program>.py` with what it is to work on; on leaving, everything inside is killed.

    Raises Refused when that cannot be done here.
    """
    with ExitStack() as stack:
        given, rules, born, errors = (
            stack.enter_context(_in_memory(each)) for each in (payload, _filter(), b"", b"")
        )
        command = [*_bubblewrap(limits, rules, born), *_command(program, given, limits)]
        box = Sandbox(_start(command, (given, rules, born), errors), errors)
        stack.callback(_end, box)
        _wait_until_started(box)
        with suppress(ProcessLookupError):  # over already
            box.inner = os.pidfd_open(json.loads(os.pread(born, 1_000, 0))["child-pid"])
        yield box


@cache
def missing() -> str | None:
    """What keeps this machine from running a stranger's code, with the way out; None when nothing does."""
    try:
        with sandbox("program", b"", limits=Limits()):
            return None
    except Refused as refused:
        return str(refused)


def _start(command: list[str], kept: tuple[int, ...], errors: int) -> subprocess.Popen[bytes]:
    """As nobody when we are root, because root's processes are not counted and its files are many."""
    user, groups = (NOBODY, []) if os.geteuid() == 0 else (None, None)
    try:
        process = subprocess.Popen(
            command,
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            pass_fds=kept,
            cwd="/",
            env={},
            user=user,
            group=user,
            extra_groups=groups,
        )
    except OSError as error:
        raise Refused(f"code is only run in bubblewrap, which cannot be started: {error}") from None
    for end in (process.stdin, process.stdout):
        assert end is not None
        os.set_blocking(end.fileno(), False)
    return process


def _wait_until_started(box: Sandbox) -> None:
    try:
        said = ask(box, b"", within=START_WITHIN)
    except Over as over:
        said = str(over).encode()
    if said != b"started":
        raise Refused(_way_out(complaint(box) or said.decode(errors="replace")))


def _way_out(problem: str) -> str:
    """What bubblewrap said, and what to do about it."""
    advice = (
        "allow user namespaces: sysctl -w kernel.unprivileged_userns_clone=1 (Debian), "
        "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0 (Ubuntu), or docker run --security-opt "
        "seccomp=unconfined --security-opt systempaths=unconfined"
    )
    if "nknown option" in problem:
        advice = "it is too old: 0.8 is known to do"
    return f"code is only run in bubblewrap, which failed here ({problem[:200]}); {advice}"


def _end(box: Sandbox) -> None:
    """Kill what is inside, and wait until bubblewrap has seen it gone; it has no say in when that is."""
    if box.inner is None:
        box.process.kill()
    else:
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(box.inner, signal.SIGKILL)
        os.close(box.inner)
    for end in (box.process.stdin, box.process.stdout):
        assert end is not None
        end.close()
    box.process.wait()


def complaint(box: Sandbox) -> str:
    """The last line of its standard error, shortened; empty when it wrote none."""
    size = os.fstat(box.errors).st_size
    text = os.pread(box.errors, 2_000, max(0, size - 2_000)).decode(errors="replace")
    return text.rstrip().rpartition("\n")[2].strip()[:300]


@contextmanager
def _in_memory(content: bytes) -> Iterator[int]:
    """A file that has no name, so that nothing of ours need lie on a disk."""
    descriptor = os.memfd_create("given")
    try:
        os.write(descriptor, content)
        os.lseek(descriptor, 0, os.SEEK_SET)
        yield descriptor
    finally:
        os.close(descriptor)


# --- Talking ------------------------------------------------------------------------------------------


def ask(box: Sandbox, line: bytes, *, within: float) -> bytes:
    """Send a line, if it is not empty, and return the next line that is said, without its end.

    Raises Over when none comes within so many seconds, when it is too long, or when the process ended.
    """
    _exchange(box, line and line + b"\n", until=lambda: b"\n" in box.unread, within=within)
    said, end, rest = bytes(box.unread).partition(b"\n")
    if not end:
        raise Over(_how_it_ended(box))
    box.unread = bytearray(rest)
    return said


def finish(box: Sandbox, given: bytes, *, within: float) -> tuple[bytes, str]:
    """Give a program its whole input; its whole output, and how it ended ("exit 0" when well).

    Raises Over when it does not end within so many seconds, or says too much.
    """
    _exchange(box, given, until=lambda: False, within=within, last=True)
    output, box.unread = bytes(box.unread), bytearray()
    return output, _how_it_ended(box)


def _exchange(box: Sandbox, given: bytes, *, until: Callable[[], bool], within: float, last: bool = False) -> None:
    """Write and read at the same time, until enough is read or the other side has closed."""
    deadline, writing, reading = time.monotonic() + within, box.process.stdin, box.process.stdout
    assert writing is not None
    assert reading is not None
    rest, ready = memoryview(given), select.poll()
    ready.register(reading, select.POLLIN)
    if rest:
        ready.register(writing, select.POLLOUT)
    elif last:
        writing.close()
    while not until():
        for descriptor, _ in _within(ready, deadline, within):
            if descriptor == reading.fileno():
                if not _read(box):
                    return
            elif not (rest := _written(descriptor, rest)):
                ready.unregister(descriptor)
                if last:
                    writing.close()


def _within(ready: select.poll, deadline: float, within: float) -> list[tuple[int, int]]:
    left = deadline - time.monotonic()
    events = ready.poll(left * 1_000) if left > 0 else []
    if not events:
        raise Over(f"ran longer than {within:g} s")
    return events


def _read(box: Sandbox) -> bool:
    """Read what is there; False at the end of it."""
    assert box.process.stdout is not None
    got = os.read(box.process.stdout.fileno(), 2**16)
    box.unread += got
    if len(box.unread) > MAX_OUTPUT:
        raise Over(f"said more than {MAX_OUTPUT:,} bytes")
    return bool(got)


def _written(descriptor: int, rest: memoryview) -> memoryview:
    """What is still to be written; nothing when nobody reads it any more."""
    try:
        return rest[os.write(descriptor, rest[: 2**16]) :]
    except BlockingIOError:
        return rest
    except BrokenPipeError:
        return rest[:0]


def _how_it_ended(box: Sandbox) -> str:
    """The exit code, or the signal; it has closed its output, but may still be there."""
    try:
        code = box.process.wait(timeout=1.0)
    except subprocess.TimeoutExpired:
        return "closed its output without ending"
    if code > 128:  # as bubblewrap and shells have it
        with suppress(ValueError):
            return f"killed by {signal.Signals(code - 128).name}"
    return f"exit {code}"


# --- What is run, and in what -------------------------------------------------------------------------

_INSIDE = Path(__file__).parent / "inside"


def _command(program: str, given: int, limits: Limits) -> list[str]:
    """Not `-I`, which would ignore the hash seed that makes sets come in the same order every time."""
    numbers = (given, limits.memory, round(limits.seconds + 1), limits.processes, limits.disk)
    return [_python()[0], "-s", "-S", "-B", "-X", "utf8", "-c", _source(program), *map(str, numbers)]


@cache
def _source(program: str) -> str:
    """A program of `inside/` and the modules there that it imports, as one text, for no file of ours is inside."""
    own = (_INSIDE / f"{program}.py").read_text("utf-8")
    parts = [(_INSIDE / f"{name}.py").read_text("utf-8") for name in _IMPORTED.findall(own)]
    return "\n".join(_IMPORT.sub("", part) for part in (*parts, own))


_IMPORTED = re.compile(r"^from filters\.verifiers\.code\.inside\.(\w+) import ", re.MULTILINE)
_IMPORT = re.compile(r"^from filters\..*$", re.MULTILINE)


def _bubblewrap(limits: Limits, rules: int, born: int) -> list[str]:
    _, binds = _python()
    return [
        *(_bwrap(), "--unshare-all", "--as-pid-1", "--die-with-parent", "--new-session"),
        *(
            "--uid",
            str(NOBODY),
            "--gid",
            str(NOBODY),
            "--hostname",
            "sandbox",
            "--seccomp",
            str(rules),
            "--info-fd",
            str(born),
        ),
        *("--clearenv", "--setenv", "PYTHONHASHSEED", "0"),
        *(*binds, "--proc", "/proc", "--dev", "/dev", "--size", str(limits.disk), "--tmpfs", "/tmp"),
        *("--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/tmp", "--"),
    ]


@cache
def _bwrap() -> str:
    if not sys.platform.startswith("linux"):
        raise Refused(f"code is only run in bubblewrap, and that is Linux's, not {sys.platform}'s; use a container")
    if (found := shutil.which("bwrap")) is None:
        raise Refused("code is only run in bubblewrap, which is not installed: apt-get install bubblewrap")
    return found


@cache
def _python() -> tuple[str, list[str]]:
    """The interpreter for what runs inside, and the mounts that it needs.

    Ours if the user that it runs as can reach it, else the system's: root's own home is closed to nobody.
    """
    for python in (Path(sys.base_prefix, "bin", f"python3.{sys.version_info[1]}"), Path("/usr/bin/python3")):
        python = python.resolve()
        if python.exists() and (os.geteuid() != 0 or _open_to_all(python)):
            return str(python), _mounts(python)
    raise Refused(
        f"code is run as user {NOBODY}, who cannot reach the interpreter in {sys.base_prefix}; "
        "install the system's: apt-get install python3, or do not run as root"
    )


def _open_to_all(path: Path) -> bool:
    return all(each.stat().st_mode & 0o001 for each in (path, *path.parents))


def _mounts(python: Path) -> list[str]:
    """The interpreter, its library, and the host's libraries, each where it is on the host."""
    own = [str(python.parents[1] / name) for name in ("lib", "lib64")]
    shared = [Path(name) for name in ("/lib", "/lib64", "/usr/lib", "/usr/lib64")]
    links = [part for each in shared if each.is_symlink() for part in ("--symlink", os.readlink(each), str(each))]
    folders = [str(each) for each in shared if each.is_dir() and not each.is_symlink()]
    places = [*folders, *(each for each in own if each not in folders), str(python)]
    return [*(part for place in places for part in ("--ro-bind-try", place, place)), *links]


# --- The filter of system calls -----------------------------------------------------------------------
#
# Namespaces and limits leave gaps: AF_VSOCK reaches a virtual machine's host from any network namespace, shared
# memory of System V counts towards no process, and a process could ask to survive its parent. Numbers are the
# kernel's (asm/unistd.h), which never change. On other machines there is no filter.

_DENIED = {
    "x86_64": {
        **{"socket": 41, "ptrace": 101, "process_vm_readv": 310, "process_vm_writev": 311, "pidfd_getfd": 438},
        **{"shmget": 29, "msgget": 68, "semget": 64, "mq_open": 240, "memfd_create": 319, "memfd_secret": 447},
        **{"unshare": 272, "setns": 308, "chroot": 161, "mount": 165, "umount2": 166, "pivot_root": 155},
        **{"bpf": 321, "perf_event_open": 298, "userfaultfd": 323, "io_uring_setup": 425},
        **{"add_key": 248, "request_key": 249, "keyctl": 250, "fanotify_init": 300, "kcmp": 312},
    },
    "aarch64": {
        **{"socket": 198, "ptrace": 117, "process_vm_readv": 270, "process_vm_writev": 271, "pidfd_getfd": 438},
        **{"shmget": 194, "msgget": 186, "semget": 190, "mq_open": 180, "memfd_create": 279, "memfd_secret": 447},
        **{"unshare": 97, "setns": 268, "chroot": 51, "mount": 40, "umount2": 39, "pivot_root": 41},
        **{"bpf": 280, "perf_event_open": 241, "userfaultfd": 282, "io_uring_setup": 425},
        **{"add_key": 217, "request_key": 218, "keyctl": 219, "fanotify_init": 262, "kcmp": 272},
    },
}
_MOUNTING = range(428, 434)  # open_tree ... fspick, everywhere
_MACHINE = {"x86_64": (0xC000003E, 56, 157), "aarch64": (0xC00000B7, 220, 167)}  # audit's name, clone, prctl
_CLONE3 = 435
_NEW_NAMESPACE = 0x7E020080  # every CLONE_NEW*
_X32 = 0x40000000
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06  # of classic BPF
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16  # offsets in struct seccomp_data
_ALLOW, _KILL, _ERROR = 0x7FFF0000, 0x80000000, 0x00050000


@cache
def _filter() -> bytes:
    """Instructions for the kernel: which system calls fail, as struct sock_filter."""
    machine = platform.machine()
    if machine not in _MACHINE:
        return _packed([(_RETURN, 0, 0, _ALLOW)])
    name, clone, prctl = _MACHINE[machine]
    denied, unknown = _ERROR | errno.EPERM, _ERROR | errno.ENOSYS
    return _packed(
        [
            *((_LOAD, 0, 0, _ARCHITECTURE), (_EQUAL, 1, 0, name), (_RETURN, 0, 0, _KILL)),
            *((_LOAD, 0, 0, _NUMBER), (_AT_LEAST, 0, 1, _X32), (_RETURN, 0, 0, denied)),
            *(_if(_EQUAL, _CLONE3, unknown)),  # its flags lie in memory, unseen; glibc then takes clone
            *(step for each in (*_DENIED[machine].values(), *_MOUNTING, 442) for step in _if(_EQUAL, each, denied)),
            *((_EQUAL, 0, 3, clone), (_LOAD, 0, 0, _FIRST_ARGUMENT), *_if(_ANY_BIT, _NEW_NAMESPACE, denied)),
            *((_LOAD, 0, 0, _NUMBER), (_EQUAL, 0, 3, prctl), (_LOAD, 0, 0, _FIRST_ARGUMENT)),
            *(_if(_EQUAL, 1, denied)),  # PR_SET_PDEATHSIG
            (_RETURN, 0, 0, _ALLOW),
        ]
    )


def _if(test: int, value: int, verdict: int) -> list[tuple[int, int, int, int]]:
    return [(test, 0, 1, value), (_RETURN, 0, 0, verdict)]


def _packed(steps: list[tuple[int, int, int, int]]) -> bytes:
    return b"".join(struct.pack("=HBBI", *step) for step in steps)
