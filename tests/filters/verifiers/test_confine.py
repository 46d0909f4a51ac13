"""The sandbox: what gets in and out, what is not there, and that it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from filters.verifiers import code
from filters.verifiers.code import confine
from filters.verifiers.code.confine import Limits, Over, Refused, ask, finish, sandbox
from tests.filters.verifiers.confined import needs_bubblewrap

DEFAULT = Limits()


def run(source: str, given: bytes = b"", *, limits: Limits = DEFAULT, within: float = 5.0) -> tuple[str, str]:
    """Output and end of a program."""
    with sandbox("program", textwrap.dedent(source).encode(), limits=limits) as box:
        output, end = finish(box, given, within=within)
        return output.decode(), end


@needs_bubblewrap
class TestInside:
    def test_input_goes_in_and_output_comes_out(self):
        assert run("print(int(input()) + 1)", b"41\n") == ("42\n", "exit 0")

    def test_more_than_a_pipe_holds_goes_both_ways_at_once(self):
        size = 3 * 2**20
        copy = "import sys\nwhile part := sys.stdin.buffer.read1(): sys.stdout.buffer.write(part)"
        output, end = run(copy, b"x" * size)
        assert (len(output), end) == (size, "exit 0")

    @pytest.mark.parametrize(
        ("source", "end"),
        [
            ("raise SystemExit(3)", "exit 3"),
            ("1 / 0", "exit 1"),
            ("exit()", "exit 0"),
            ("import ctypes\nctypes.string_at(0)", "killed by SIGSEGV"),
            ("while True: pass", "killed by SIGKILL"),
        ],
    )
    def test_how_it_ends_is_told(self, source, end):
        assert run(source, limits=Limits(seconds=0))[1] == end

    def test_its_last_complaint_is_kept(self):
        with sandbox("program", b"print('x' * 5000)\n1 / 0", limits=Limits()) as box:
            finish(box, b"", within=5.0)
            assert confine.complaint(box) == "ZeroDivisionError: division by zero"

    def test_a_deadline_is_kept(self):
        with pytest.raises(Over, match=r"ran longer than 0\.2 s"):
            run("import time\ntime.sleep(60)", within=0.2)

    def test_too_much_output_is_cut_off(self):
        with pytest.raises(Over, match="said more than"):
            run("while True: print('x' * 100_000)")

    def test_only_these_places_can_be_written_to(self):
        source = """
            import os
            print(sorted(each for each, *_ in os.walk("/") if os.access(each, os.W_OK) and "/proc/1/" not in each))
        """
        places, _ = run(source)
        assert set(eval(places)) <= {"/tmp", "/dev/pts", "/proc/1", "/proc/self", "/proc/thread-self"}

    def test_nothing_of_this_machine_is_to_be_seen(self):
        """But libraries and the interpreter."""
        listing, _ = run("import os\nprint(sorted(os.listdir('/')), os.listdir('/tmp'), os.listdir('/usr'))")
        top, tmp, usr = eval(listing.strip().replace("] [", "], ["))
        assert set(top) <= {"bin", "dev", "lib", "lib64", "proc", "tmp", "usr", *Path(sys.base_prefix).parts}
        assert (tmp, "share" in usr, "home" in top) == ([], False, False)

    def test_descriptors_and_environment_of_the_parent_are_not_there(self, monkeypatch):
        monkeypatch.setenv("SECRET", "s3cret")
        with open(__file__) as held:
            os.set_inheritable(held.fileno(), True)
            output, _ = run("import os\nprint(len(os.listdir('/proc/self/fd')), 'SECRET' in os.environ)")
        assert output == "4 False\n"  # one is the listing's own

    def test_the_order_of_sets_and_chance_are_always_the_same(self):
        source = "import random\nprint(hash('x'), {'a', 'b', 'c', 'd'}, random.random())"
        assert len({run(source) for _ in range(3)}) == 1

    def test_nothing_survives(self):
        """Not even what leaves its session, ignores signals and has lost its parent."""
        source = """
            import os, signal, time
            for number in (1, 2, 13, 15):
                signal.signal(number, signal.SIG_IGN)
            for _ in range(2):
                if os.fork() == 0:
                    os.setsid()
                    if os.fork() == 0:
                        time.sleep(1000)
                    os._exit(0)
                os.wait()
            print("born", flush=True)
            time.sleep(1000)
        """
        with sandbox("program", textwrap.dedent(source).encode(), limits=Limits()) as box:
            assert ask(box, b"", within=5.0) == b"born"
            inside = _descendants(box.process.pid)
            assert len(inside) == 3
        assert [pid for pid in inside if Path(f"/proc/{pid}").exists()] == []

    def test_it_dies_with_its_parent(self):
        source = """
            import time
            from filters.verifiers.code.confine import *
            with sandbox("program", b"import time\\nprint(flush=True)\\ntime.sleep(1000)", limits=Limits()) as box:
                ask(box, b"", within=5.0)
                print(box.process.pid, flush=True)
                time.sleep(1000)
        """
        command = [sys.executable, "-c", textwrap.dedent(source)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as parent:
            assert parent.stdout is not None
            outer = int(parent.stdout.readline())
            everyone = [outer, *_descendants(outer)]
            parent.send_signal(signal.SIGKILL)
        deadline = time.monotonic() + 10
        while (alive := [pid for pid in everyone if _alive(pid)]) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert alive == []

    def test_it_starts_under_limits_that_are_lower_than_its_own(self):
        source = """
            import resource
            from filters.verifiers.code.confine import *
            for what in (resource.RLIMIT_CPU, resource.RLIMIT_NOFILE):
                resource.setrlimit(what, (30, 30))
            with sandbox("program", b"print(1)", limits=Limits(seconds=100)) as box:
                print(finish(box, b"", within=5.0))
        """
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(source)], capture_output=True, text=True, check=True
        )
        assert done.stdout == "(b'1\\n', 'exit 0')\n"

    def test_descriptors_do_not_pile_up(self):
        run("pass")
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(3):
            run("pass")
        with pytest.raises(Over):
            run("while True: pass", within=0.1)
        assert len(os.listdir("/proc/self/fd")) == before


def _descendants(pid: int) -> list[int]:
    """All processes below one, as the kernel lists them."""
    children = [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return [each for child in children for each in (child, *_descendants(child))]


def _alive(pid: int) -> bool:
    """There, and no zombie that only waits for its parent."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


class TestRefusal:
    """Where there is no confinement nothing is run, and the way out is told."""

    REFERENCE = json.dumps({"io": [{"input": "", "output": ""}]})

    def refusal(self) -> str:
        with pytest.raises(Refused) as refused:
            run("pass")
        outcome = code.check(self.REFERENCE, "open('/tmp/never', 'w')")
        assert (outcome.status, outcome.reason) == ("error", str(refused.value))
        return str(refused.value)

    def test_bubblewrap_is_not_installed(self, monkeypatch):
        monkeypatch.setattr(confine.shutil, "which", lambda name: None)
        confine._bwrap.cache_clear()
        try:
            assert "apt-get install bubblewrap" in self.refusal()
        finally:
            confine._bwrap.cache_clear()

    def test_another_system(self, monkeypatch):
        monkeypatch.setattr(confine.sys, "platform", "darwin")
        confine._bwrap.cache_clear()
        try:
            assert "darwin" in self.refusal()
        finally:
            confine._bwrap.cache_clear()

    @pytest.mark.parametrize(
        ("complaint", "advice"),
        [
            ("bwrap: No permissions to create new namespace", "sysctl"),
            ("bwrap: Unknown option --as-pid-1", "too old"),
            ("", "exit 1"),
        ],
    )
    def test_bubblewrap_refuses(self, monkeypatch, tmp_path, complaint, advice):
        fake = tmp_path / "bwrap"
        fake.write_text(f"#!/bin/sh\necho '{complaint}' >&2\nexit 1\n")
        fake.chmod(0o755)
        for folder in (tmp_path, *tmp_path.parents):
            if folder.stat().st_uid == os.geteuid() and folder != Path("/"):
                folder.chmod(folder.stat().st_mode | 0o055)
        monkeypatch.setattr(confine, "_bwrap", lambda: str(fake))
        refusal = self.refusal()
        assert advice in refusal
        assert "\n" not in refusal
