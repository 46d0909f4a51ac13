"""Does the sandbox hold? A program tries to break out of it, and says what it could do."""

from __future__ import annotations

import re
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

from filters.verifiers.code.confine import Over, Refused
from pipelines.doctor.packages import verifiers_of
from pipelines.doctor.world import Finding, World, broken, note, well

INSTALL = "apt-get install bubblewrap"
ENDED = "tried everything"

STRANGER = """
import os, socket

def tries(what, act):
    try:
        act()
    except BaseException:
        return
    print("could", what)

def sees_others():
    assert len([each for each in os.listdir("/proc") if each.isdigit()]) > 2

def may_write():
    assert os.access("/usr", os.W_OK)

tries("reach the network", lambda: socket.create_connection(("127.0.0.1", {port}), 2).close())
tries("read files of this machine", lambda: os.close(os.open({path!r}, os.O_RDONLY)))
tries("write to its system", may_write)
tries("see other processes", sees_others)
tries("take memory without end", lambda: bytearray(4 << 30))
print({ended!r})
"""


def sandbox(world: World) -> Iterator[Finding]:
    """Is a stranger's code confined here, and not merely run?"""
    try:
        said = _said(world)
    except Refused as refused:
        told, _, way_out = str(refused).partition("; ")
        if "code" in verifiers_of(world) or world.recipe is None:
            yield broken("sandbox", told, mend=way_out or INSTALL)
        else:
            yield note("sandbox", f"{told}; the recipe runs no code")
        return
    except Over as over:
        yield broken("sandbox", f"the sandbox {over}", mend=INSTALL)
        return
    if escaped := re.findall(r"^could (.+)$", said, re.MULTILINE):
        told = f"code under test could {', and '.join(escaped)}"
        yield broken("sandbox", told, mend=f"{INSTALL}, version 0.8 or newer; until then check no code")
    elif ENDED not in said:
        yield broken("sandbox", f"what runs inside ends before its time ({said[-200:].strip()})", mend=INSTALL)
    else:
        yield well("sandbox", "code under test reaches no network, files, processes, and no more memory than it may")


def _said(world: World) -> str:
    """What the stranger says: beside a server that would answer, and a file that anybody may read."""
    with socket.create_server(("127.0.0.1", 0)) as server, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        path = folder / "readable"
        path.write_text("anybody may read this")
        path.chmod(0o644)
        return world.confined(STRANGER.format(port=server.getsockname()[1], path=str(path), ended=ENDED))
