"""The page, served to a test as it is to a person: a real server, on this machine, in a thread."""

from __future__ import annotations

import http.client
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from html import unescape
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlencode

import uvicorn

from pipelines.browse import desk as desks
from pipelines.browse.desk import Desk
from pipelines.browse.server import QUIETLY, app, listen, new_desk
from tests.pipelines.browse.small_facts import Draw, Try, write_version

SCRIPT = "<script>window.broken = 1</script><img src=x onerror='window.broken = 2'>"
OVERRIDE = "\u202egnp.exe"
MEGABYTE = "word " * 210_000

DRAWS = [
    Draw("What is $2 + 2$?", tries=[Try("So \\boxed{4}."), Try("So \\boxed{5}.", "I am not sure.", is_right=False)]),
    Draw("What is 2 + 2, again?", against=("novelty", "fail", "too much like an earlier question"), domain="algebra"),
    Draw("", against=("posed", "fail", "0 parts <question> where one is asked for")),
    Draw(
        f"{SCRIPT} {OVERRIDE} \\( \\text{{{SCRIPT}}} \\href{{javascript:broken}}{{x}} \\)",
        against=("novelty", "fail", f"like {SCRIPT}"),
        answer=SCRIPT,
        domain=SCRIPT,
    ),
    Draw("Long?", tries=[Try(f"```python\nprint('{SCRIPT}')\n```", MEGABYTE), Try(SCRIPT, SCRIPT)], domain="algebra"),
    *(Draw(f"Question {number}?", tries=[Try("\\boxed{4}")], domain="algebra") for number in range(5, 70)),
]


class Answer(NamedTuple):
    """What came back."""

    status: int
    headers: Mapping[str, str]  # names in lower case
    body: str

    def links(self, having: str) -> list[str]:
        """The addresses of the page's links that have this in them."""
        return [unescape(each) for each in re.findall(r'href="([^"]*)"', self.body) if having in unescape(each)]


class Served(NamedTuple):
    """A server, and how to ask it."""

    port: int
    desk: Desk

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(
        self, path: str, *, headers: Mapping[str, str] | None = None, form: Mapping[str, str] | None = None
    ) -> Answer:
        """The answer to one request: a GET, or a POST of `form`."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            body = None if form is None else urlencode(form)
            connection.request("GET" if form is None else "POST", path, body, dict(headers or {}))
            reply = connection.getresponse()
            told = {name.lower(): value for name, value in reply.getheaders()}
            return Answer(reply.status, told, reply.read().decode())
        finally:
            connection.close()

    def page(self, path: str) -> Answer:
        """The page at this address, which is there."""
        found = self.ask(path)
        assert found.status == 200, (path, found.status, found.body[-3000:])
        return found


@contextmanager
def serving(data: Path, name: str | None = None) -> Iterator[Served]:
    """A server over `data` while the context lasts."""
    listening = listen("127.0.0.1", 0)
    port = listening.getsockname()[1]
    desk = new_desk(data, name)
    server = uvicorn.Server(uvicorn.Config(app(desk, host="127.0.0.1", port=port), **QUIETLY))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        yield Served(port, desk)
    finally:
        server.should_exit = True
        thread.join(30)
        desks.close(desk)
        listening.close()


def write_data(data: Path, draws: Sequence[Draw] = DRAWS) -> Path:
    """A folder of data with the dataset `small`."""
    write_version(data, draws, group=16)
    return data
