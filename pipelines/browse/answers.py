"""HTTP around the pages: who may ask, what an answer says about itself, how hits stream, how an error looks.

Queries run in threads. A search ends when nobody waits for it any more.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import parse_qsl, urlsplit

from pipelines.browse import desk as desks
from pipelines.browse import pages
from pipelines.browse.asking import Asking, begin, break_off
from pipelines.browse.desk import Desk, NotThere
from pipelines.browse.links import Pairs, address, read
from pipelines.browse.paper import fill
from pipelines.browse.search import Hit, search

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = logging.getLogger("uvicorn.error")

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
MOST_HITS = 500
AGAIN = 0.1  # seconds from one interruption of what nobody waits for to the next
MOST_BYTES = 64 << 10  # of a form

Made = TypeVar("Made")
Page = Callable[[Desk, Pairs], str | bytes | Iterator[str]]
"""Makes a page, whole or part by part. An error before the first part is a page of its own."""

TITLES = {400: "That cannot be shown", 403: "Not allowed", 404: "Not there", 405: "Not this way", 413: "Too long"}


# ---------------------------------------------------------------------------------------------------------------
# Around every answer


def guarded(inner: ASGIApp, *, names: frozenset[str]) -> ASGIApp:
    """The application, for requests that call this server by one of its names; every answer has the headers."""
    given = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]

    async def guard(scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), *given]
            await send(message)

        if scope["type"] != "http":
            return
        host = dict(scope["headers"]).get(b"host", b"").decode("latin-1").lower()
        if host in names:
            await inner(scope, receive, with_headers)
        else:
            told = f"this server answers to {', '.join(sorted(names))}, and was asked as {host[:80] or 'nobody'}"
            await _error(403, told)(scope, receive, with_headers)

    return guard


def _error(status: int, told: str) -> Response:
    from starlette.responses import HTMLResponse

    given = {"status": status, "title": TITLES.get(status, "Something went wrong"), "told": told, "crumbs": []}
    return HTMLResponse(fill("error.html", given), status)


async def refusal(request: Request, error: Exception) -> Response:
    """The page for an address that leads nowhere, or a method that it does not take."""
    status = getattr(error, "status_code", 500)
    told = "there is no such page" if status == 404 else str(getattr(error, "detail", error))
    return _error(status, told)


def _trouble(path: str, error: Exception) -> Response:
    """The page for what went wrong: the person's mistakes in their words, ours in one line."""
    if isinstance(error, NotThere):
        return _error(404, str(error))
    if isinstance(error, ValueError):
        return _error(400, str(error))
    log.error("%s: %s: %s", path, type(error).__name__, error)
    return _error(500, f"{type(error).__name__}: {error}".partition("\n")[0])


# ---------------------------------------------------------------------------------------------------------------
# Pages


async def page(desk: Desk, make: Page, kind: str, request: Request) -> Response:
    """A page, made in a thread, and broken off where nobody waits for it any more."""
    from starlette.responses import Response, StreamingResponse

    asking = begin()
    try:
        made = await _made(request, asking, lambda: make(desk, _query(request)))
        if isinstance(made, Iterator):
            head = await _made(request, asking, lambda: next(made))
            return StreamingResponse(_parts(request, asking, head, made), media_type=kind)
    except Exception as error:  # noqa: BLE001 - the layer where every error becomes a page
        return Response(status_code=499) if asking.is_over else _trouble(request.url.path, error)
    return Response(made, media_type=kind)


async def _made(request: Request, asking: Asking, make: Callable[[], Made]) -> Made:
    """What `make` gives, from a thread; its queries are interrupted once nobody waits for it any more."""
    from anyio import to_thread

    watching = asyncio.create_task(_watch(request, asking))
    try:
        return await to_thread.run_sync(make)
    finally:
        watching.cancel()


async def _watch(request: Request, asking: Asking) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
    while True:  # for there may be one query after another
        break_off(asking)
        await asyncio.sleep(AGAIN)


async def _parts(request: Request, asking: Asking, head: str, others: Iterator[str]) -> AsyncIterator[str]:
    yield head
    try:
        while (part := await _made(request, asking, lambda: next(others, None))) is not None:
            yield part
    except Exception as error:  # noqa: BLE001 - half the page is out: the error is its last line
        if not asking.is_over:
            log.error("%s: %s: %s", request.url.path, type(error).__name__, error)
        yield fill("broken.html", {"told": str(error).partition("\n")[0]})


def _query(request: Request) -> Pairs:
    return list(request.query_params.multi_items())


async def mark(desk: Desk, request: Request) -> Response:
    """Take a person's mark, and lead back to where it was made."""
    from anyio import to_thread
    from starlette.responses import RedirectResponse

    body = await _body(request)
    if body is None:
        return _error(413, f"a note may have {MOST_BYTES >> 10} KB")
    form = parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True)
    if not _is_ours(desk, request, dict(form).get("token", "")):
        return _error(403, "this form is not of this page, or the server was started anew: open the page again")
    try:
        await to_thread.run_sync(pages.save_mark, desk, form)
    except Exception as error:  # noqa: BLE001 - the layer where every error becomes a page
        return _trouble(request.url.path, error)
    back = dict(form).get("back", "/")
    return RedirectResponse(back if back.startswith("/row?") else "/", 303)


async def _body(request: Request) -> bytes | None:
    """What was sent; None where it is longer than a form can be."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MOST_BYTES:
            return None
    return body


def _is_ours(desk: Desk, request: Request, token: str) -> bool:
    """Whether a form was sent from one of our own pages."""
    # From pages that send no referrer, browsers call our own origin "null", and say in another header whose it is.
    origin = request.headers.get("origin", "null")
    same = origin == "null" or urlsplit(origin).netloc == request.headers["host"]
    same = same and request.headers.get("sec-fetch-site", "same-origin") == "same-origin"
    return same and secrets.compare_digest(token.encode(), desk.token.encode())


# ---------------------------------------------------------------------------------------------------------------
# Search


async def search_page(desk: Desk, request: Request) -> Response:
    """The page of a search: its head at once, each hit as it is found, and what came of it at the end."""
    from anyio import to_thread
    from starlette.responses import HTMLResponse, StreamingResponse

    query, asking = _query(request), begin()
    try:
        whole = await to_thread.run_sync(pages.search, desk, query)
        head, hits, tail = whole.partition("<!-- hits -->")
        if not hits:
            return HTMLResponse(whole)
        found = _Search(desk, query, asking)
    except Exception as error:  # noqa: BLE001 - the layer where every error becomes a page
        return _trouble(request.url.path, error)
    return StreamingResponse(_streamed(head, found, tail), media_type="text/html")


class _Search:
    """A search under way: its hits as HTML, and the way to end it."""

    def __init__(self, desk: Desk, query: Pairs, asking: Asking) -> None:
        looking = read(query)
        source = desks.at(desk, looking.of)
        self._looking = looking._replace(of=source.name, offset=0)
        self._rows = source.rows
        self._asking = asking
        self._seen = self._count = 0
        self._ended = threading.Event()
        self._hits: Iterator[Hit] = search(
            source,
            dict(query)["q"],
            where=looking.where,
            stop=self._ended.is_set,
            told=self._tell,
            most=MOST_HITS,
        )

    def _tell(self, seen: int) -> None:
        self._seen = seen

    def next(self) -> str | None:
        """The next hit, or None after the last."""
        hit = next(self._hits, None)
        if hit is None:
            return None
        self._count += 1
        aim = f"#{PREFIX[hit.column]}-{hit.fact[:16]}" if hit.fact and hit.column in PREFIX else ""
        link = address("/row", self._looking, ("row", str(hit.row))) + aim
        return fill("hit.html", {"hit": hit, "link": link, "name": f"{hit.row:,}"})

    def end(self, trouble: str = "") -> str:
        """What came of it, in one line."""
        count = f"{self._count:,} {'hit' if self._count == 1 else 'hits'}"
        if self._count >= MOST_HITS:
            told = f"the first {count}: more words, or filters, find fewer"
        else:
            told = f"{count} in {self._rows:,} rows" if not trouble else f"{count}, then: {trouble}"
        return fill("hits_end.html", {"told": told})

    def stop(self) -> None:
        """End it, whether it waits to be asked for more or looks at a batch."""
        self._ended.set()
        break_off(self._asking)
        self._hits = iter(())


PREFIX = {"question": "p", "answer": "p", "attempt": "a", "reasoning": "a", "reason": "v"}


async def _streamed(head: str, found: _Search, tail: str) -> AsyncIterator[str]:
    from anyio import to_thread

    yield head
    try:
        while (hit := await to_thread.run_sync(found.next, abandon_on_cancel=True)) is not None:
            yield hit
        yield found.end()
    except Exception as error:  # noqa: BLE001 - half the page is out: the error is its last line
        log.error("/search: %s: %s", type(error).__name__, error)
        yield found.end(str(error).partition("\n")[0])
    finally:
        found.stop()  # also where nobody listens any more
    yield tail
