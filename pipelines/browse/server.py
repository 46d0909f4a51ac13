"""The local server: it listens, says where, and answers until Ctrl-C.

It answers on one address, to its own name, and gives out pages that load nothing from anywhere else and run no script
but ours (`answers`). What the pages say is in `pages`.
"""

from __future__ import annotations

import contextlib
import errno
import getpass
import secrets
import socket
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.browse import answers, pages, row_pages
from pipelines.browse import desk as desks
from pipelines.browse.desk import Desk
from pipelines.browse.links import Looking, address
from pipelines.browse.paper import FOLDER, environment

if TYPE_CHECKING:
    from starlette.types import ASGIApp

PAGES: dict[str, tuple[answers.Page, str]] = {
    "/": (pages.home, "text/html"),
    "/dataset": (pages.dataset, "text/html"),
    "/table": (pages.table, "text/html"),
    "/row": (row_pages.row, "text/html"),
    "/compare": (row_pages.compare, "text/html"),
    "/text": (row_pages.text, "text/html"),
    "/raw": (row_pages.raw, "text/html"),
    "/facts.json": (row_pages.facts_file, "application/json"),
    "/marks.jsonl": (pages.marks_file, "application/jsonl"),
    "/progress": (pages.told_progress, "application/json"),
}


def serve(data: Path, name: str | None, *, host: str = "127.0.0.1", port: int, ready: Callable[[str], None]) -> None:
    """Serve pages about everything under `data`, and about `name`, until Ctrl-C.

    `ready` is told the address once the server listens: that of `name`, where one is given, and with a free port
    where `port` is taken. Raises ValueError where `name` cannot be opened.
    """
    import uvicorn

    listening = listen(host, port)
    place = listening.getsockname()[1]
    desk = new_desk(data, name)
    try:
        first = address("/dataset", Looking(desks.at(desk, name).name)) if name else "/"
        warm_up()
        config = uvicorn.Config(app(desk, host=host, port=place), **QUIETLY)
        ready(f"http://{_in_address(host)}:{place}{first}")
        with contextlib.suppress(KeyboardInterrupt):  # it has stopped by then, and raises the signal again
            uvicorn.Server(config).run(sockets=[listening])
    finally:
        desks.close(desk)
        listening.close()


def warm_up() -> None:
    """Load what the first page needs, before anybody waits for one."""
    import duckdb  # noqa: F401
    import pyarrow.parquet  # noqa: F401

    for template in environment().list_templates():
        environment().get_template(template)


QUIETLY: dict[str, Any] = {
    "log_level": "warning",
    "access_log": False,
    "server_header": False,
    "lifespan": "off",
    "timeout_graceful_shutdown": 2,
}


def new_desk(data: Path, name: str | None) -> Desk:
    """What a new server holds."""
    return Desk(data, name, secrets.token_urlsafe(24), _person(), {}, threading.Lock())


def _person() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return "somebody"


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens on `port`, or on a free one where that is taken. Raises ValueError for a bad host."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
    except socket.gaierror as error:
        raise ValueError(f"no address is known for host {host!r}: 127.0.0.1 is this machine alone") from error
    made = socket.socket(family, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((host, port))
    except OSError as error:
        if error.errno not in (errno.EADDRINUSE, errno.EACCES) or port == 0:
            made.close()
            raise ValueError(f"cannot listen on {host}: {error.strerror}") from error
        made.bind((host, 0))
    made.listen(128)
    return made


def _in_address(host: str) -> str:
    if host in ("0.0.0.0", "::"):
        return "localhost"
    return f"[{host}]" if ":" in host else host


def app(desk: Desk, *, host: str, port: int) -> ASGIApp:
    """The pages as an ASGI application, for those who ask it by its own name."""
    from starlette.applications import Starlette
    from starlette.exceptions import HTTPException
    from starlette.routing import Mount, Route
    from starlette.staticfiles import StaticFiles

    routes = [Route(path, partial(answers.page, desk, *entry)) for path, entry in PAGES.items()]
    routes += [
        Route("/search", partial(answers.search_page, desk)),
        Route("/mark", partial(answers.mark, desk), methods=["POST"]),
        Mount("/static", StaticFiles(directory=FOLDER / "static")),
    ]
    inner = Starlette(routes=routes, exception_handlers={HTTPException: answers.refusal})
    return answers.guarded(inner, names=own_names(host, port))


def own_names(host: str, port: int) -> frozenset[str]:
    """What a request may call this server: a page of a stranger whose name leads here calls it otherwise."""
    named = dict.fromkeys(("localhost", "127.0.0.1", "[::1]", _in_address(host)))
    if host in ("0.0.0.0", "::"):
        named |= dict.fromkeys((socket.gethostname(), *_addresses()))
    return frozenset(f"{name}:{port}" for name in named) | frozenset(named if port == 80 else ())


def _addresses() -> list[str]:
    """The addresses of this machine, where it listens on all of them."""
    try:
        return [_in_address(str(each[4][0])) for each in socket.getaddrinfo(socket.gethostname(), None)]
    except socket.gaierror:
        return []
