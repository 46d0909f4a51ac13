"""A small Hugging Face Hub for tests: datasets in memory, served as `huggingface_hub` asks for them, with faults.

    hub = Hub()
    first = hub.commit("ada/sums", {"data/test-00000-of-00001.parquet": parquet})
    with serving(hub):
        ...  # give hub.url as the endpoint

It speaks, of datasets, `GET /api/datasets/{repo}[/revision/{revision}]`, `GET .../refs`, `GET .../tree/{revision}` in
pages, `POST .../paths-info/{revision}`, and `HEAD` and `GET /datasets/{repo}/resolve/{revision}/{file}`. Parquet and
gzip lie in LFS, as on the real Hub: they are redirected to another origin, which must not see the token. A commit is
a dict of files. `tests/hub_writing.py` has a Hub that can be written to.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha1, sha256
from threading import Thread
from typing import Any, NamedTuple, TypeVar
from urllib.parse import unquote

import orjson
from aiohttp import web

from tests.hub_files import LFS, blob, is_in, listing

BAD_TOKEN = "Invalid credentials in Authorization header"  # the real Hub's words, which its client looks for


class Commit(NamedTuple):
    sha: str
    files: Mapping[str, bytes]


class Content(NamedTuple):
    """A file to be sent."""

    body: bytes
    headers: Mapping[str, str]


Answer = web.Response | Content


@dataclass
class Repo:
    """A dataset: its files by commit, in their order, and which commit a branch or refs/..., or a tag, is at."""

    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    private: bool = False
    gated: bool = False


class Seen(NamedTuple):
    """A request that came."""

    kind: str  # info, refs, tree, paths, head (of a file), file or cdn; else its path
    token: str | None


@dataclass
class Hub:
    """Datasets by owner/name, and what befalls requests for them.

    token         opens private and gated datasets; any other is refused
    readers       tokens that open what is public or gated, and may not write
    moved         names that were others before
    schedule      by kind (see `Seen`) what befalls the first, second, ... request: a name of FAULTS, "cut", "lost"
                  or "ok"
    trouble       the same by the number of the request, from 0, and its kind
    retry_after   seconds, told with 429
    page          files in a page of a listing
    """

    repos: dict[str, Repo] = field(default_factory=dict)
    token: str = "hf_right"
    readers: tuple[str, ...] = ()
    moved: dict[str, str] = field(default_factory=dict)
    schedule: dict[str, list[str]] = field(default_factory=dict)
    trouble: Callable[[int, str], str] = lambda number, kind: "ok"
    retry_after: int = 0
    page: int = 1000
    seen: list[Seen] = field(default_factory=list)
    sent: int = 0  # bytes of files
    url: str = ""
    cdn: str = ""

    def commit(self, repo: str, files: Mapping[str, bytes | None], *, ref: str = "main") -> str:
        """Add files to what is at `ref`, or take away those that are None, and give the new commit's sha."""
        there = self.repos.setdefault(repo, Repo())
        parent = there.refs.get(ref, "")
        tree = {**there.commits.get(parent, {}), **files}
        kept = {name: content for name, content in sorted(tree.items()) if content is not None}
        sha = sha1(orjson.dumps([repo, parent, [[name, blob(kept[name])] for name in kept]])).hexdigest()
        there.commits[sha] = kept
        there.refs[ref] = sha
        return sha

    def count(self, *kinds: str) -> int:
        return sum(seen.kind in kinds for seen in self.seen)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        body = await request.content.read()
        kind, answer = self.route(request, body)
        self.seen.append(Seen(kind, token_of(request)))
        fault = self.fault(kind)
        if fault in FAULTS:
            return FAULTS[fault](self)
        found = failure(503, "nobody gets this") if fault == "lost" else answer()
        if isinstance(found, Content):
            return await self.send(request, found, cut=fault == "cut")
        if fault in ("cut", "lost"):
            hang_up(request)  # so that nobody gets the answer
        return found

    def fault(self, kind: str) -> str:
        """What befalls this request, the last in `seen`."""
        planned = self.schedule.get(kind)
        return planned.pop(0) if planned else self.trouble(len(self.seen) - 1, kind)

    def route(self, request: web.BaseRequest, body: bytes) -> tuple[str, Callable[[], Answer]]:
        """What kind of request it is, and what answers it."""
        match request.method, parts_of(request):
            case "GET", ["api", "datasets", owner, name]:
                return "info", partial(self.info, request, f"{owner}/{name}", "main")
            case "GET", ["api", "datasets", owner, name, "revision", revision]:
                return "info", partial(self.info, request, f"{owner}/{name}", revision)
            case "GET", ["api", "datasets", owner, name, "refs"]:
                return "refs", partial(self.refs, request, f"{owner}/{name}")
            case "GET", ["api", "datasets", owner, name, "tree", revision, *folder]:
                return "tree", partial(self.tree, request, f"{owner}/{name}", revision, "/".join(folder))
            case "POST", ["api", "datasets", owner, name, "paths-info", revision]:
                return "paths", partial(self.paths, request, f"{owner}/{name}", revision, body)
            case "GET" | "HEAD" as method, ["datasets", owner, name, "resolve", revision, *path]:
                kind = "head" if method == "HEAD" else "file"
                return kind, partial(self.file, request, f"{owner}/{name}", revision, "/".join(path))
            case "GET", ["cdn", oid]:
                return "cdn", partial(self.large, oid)
        return request.path, partial(failure, 404, "no such route")

    async def send(self, request: web.BaseRequest, found: Content, *, cut: bool) -> web.StreamResponse:
        """A file from where the client wants it, or half of that and then nothing."""
        wanted = re.fullmatch(r"bytes=(\d+)-", request.headers.get("Range", ""))
        start, size = int(wanted[1]) if wanted else 0, len(found.body)
        response = web.StreamResponse(status=206 if wanted else 200, headers=found.headers)
        response.content_length = size - start
        if wanted:
            response.headers["Content-Range"] = f"bytes {start}-{size - 1}/{size}"
        await response.prepare(request)
        if request.method == "GET":
            part = found.body[start : (start + size) // 2 if cut else size]
            self.sent += len(part)
            await response.write(part)
        if cut:
            hang_up(request)
        return response

    # Answers

    def info(self, request: web.BaseRequest, repo: str, revision: str) -> Answer:
        found = self.look_up(request, repo, revision)
        if isinstance(found, web.Response):
            return found
        siblings = [{"rfilename": name} for name in found.files]
        flags = {"private": self.repos[repo].private, "gated": self.repos[repo].gated}
        return reply({"id": repo, "sha": found.sha, "siblings": siblings, **flags})

    def refs(self, request: web.BaseRequest, repo: str) -> Answer:
        found = self.look_up(request, repo, "main")
        if isinstance(found, web.Response):
            return found
        there = self.repos[repo]
        kinds = {"branches": ("heads", there.refs), "tags": ("tags", there.tags)}
        told = {
            kind: [{"name": name, "ref": f"refs/{folder}/{name}", "targetCommit": refs[name]} for name in refs]
            for kind, (folder, refs) in kinds.items()
        }
        return reply({**told, "converts": []})

    def paths(self, request: web.BaseRequest, repo: str, revision: str, body: bytes) -> Answer:
        found = self.look_up(request, repo, revision)
        if isinstance(found, web.Response):
            return found
        wanted = orjson.loads(body)["paths"]
        return reply([each for each in listing(found.files) if each["path"] in wanted])

    def tree(self, request: web.BaseRequest, repo: str, revision: str, folder: str) -> Answer:
        found = self.look_up(request, repo, revision)
        if isinstance(found, web.Response):
            return found
        deep = request.query.get("recursive")
        entries = [each for each in listing(found.files) if is_in(each["path"], folder, deep)]
        if folder and not entries:
            return failure(404, "Entry not found", code="EntryNotFound")
        start, headers = int(request.query.get("cursor", 0)), {}
        if start + self.page < len(entries):
            following = request.url.update_query(cursor=start + self.page)
            headers["Link"] = f'<{following}>; rel="next"'
        return reply(entries[start : start + self.page], headers=headers)

    def file(self, request: web.BaseRequest, repo: str, revision: str, path: str) -> Answer:
        found = self.look_up(request, repo, revision, gate=True)
        if isinstance(found, web.Response):
            return found
        headers, content = {"X-Repo-Commit": found.sha}, found.files.get(path)
        if content is None:
            return failure(404, "Entry not found", code="EntryNotFound", headers=headers)
        if not path.endswith(LFS):
            return Content(content, headers | {"ETag": f'"{blob(content)}"'})
        oid = sha256(content).hexdigest()
        headers |= {"X-Linked-ETag": f'"{oid}"', "X-Linked-Size": str(len(content))}
        return web.Response(status=302, headers=headers | {"Location": f"{self.cdn}/cdn/{oid}"})

    def large(self, oid: str) -> Answer:
        trees = (files for repo in self.repos.values() for files in repo.commits.values())
        for content in (content for files in trees for content in files.values()):
            if sha256(content).hexdigest() == oid:
                return Content(content, {"ETag": f'"{oid}"'})
        return failure(404, "no such object")

    def look_up(
        self, request: web.BaseRequest, repo: str, revision: str, *, gate: bool = False
    ) -> Commit | web.Response:
        """The commit, or why not. As on the real Hub, what one may not see is not there, and nobody hears 401."""
        token = token_of(request)
        if repo in self.moved:
            location = request.raw_path.replace(repo, self.moved[repo], 1)
            return web.Response(status=307, headers={"Location": location})
        if token not in (None, self.token, *self.readers):
            return failure(401, BAD_TOKEN)
        there = self.repos.get(repo)
        if there is None or (there.private and token != self.token):
            return failure(404 if token else 401, "Repository not found", code="RepoNotFound")
        if gate and there.gated and token is None:
            return failure(401, "Access is restricted", code="GatedRepo")
        sha = there.refs.get(revision) or there.tags.get(revision, revision)
        if sha not in there.commits:
            return failure(404, f"Invalid rev id: {revision}", code="RevisionNotFound")
        return Commit(sha, there.commits[sha])


H = TypeVar("H", bound=Hub)

FAULTS: dict[str, Callable[[Hub], web.Response]] = {
    "401": lambda hub: failure(401, BAD_TOKEN),
    "403": lambda hub: failure(403, "Forbidden"),
    "gated": lambda hub: failure(403, "Access is restricted", code="GatedRepo"),
    "429": lambda hub: failure(429, "slow down", headers={"Retry-After": str(hub.retry_after)}),
    "500": lambda hub: failure(500, "broken"),
    "503": lambda hub: failure(503, "busy"),
    "html": lambda hub: web.Response(text="<html>Log in to this network first</html>", content_type="text/html"),
}  # and "cut", which hangs up, of a file within it; "lost", which hangs up before anything is done


def parts_of(request: web.BaseRequest) -> list[str]:
    """The parts of the path."""
    return [unquote(part) for part in request.raw_path.partition("?")[0].strip("/").split("/")]


def token_of(request: web.BaseRequest) -> str | None:
    given = request.headers.get("Authorization")
    return given and given.removeprefix("Bearer ")


def reply(content: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.Response(body=orjson.dumps(content), status=status, content_type="application/json", headers=headers)


def failure(
    status: int, message: str, *, code: str | None = None, headers: Mapping[str, str] | None = None
) -> web.Response:
    """An error as the Hub tells it, in headers and in the body."""
    told = {"X-Error-Message": message, **({"X-Error-Code": code} if code else {}), **(headers or {})}
    return reply({"error": message}, status=status, headers=told)


def hang_up(request: web.BaseRequest) -> None:
    if request.transport is not None:  # None: the client was faster
        request.transport.close()


@asynccontextmanager
async def open_ports(hub: Hub) -> AsyncIterator[None]:
    """Serve at two origins: the Hub's and the one where large files lie."""
    runner = web.ServerRunner(web.Server(hub.handle, access_log=None), shutdown_timeout=0.1)
    await runner.setup()
    try:
        for _ in range(2):
            await web.TCPSite(runner, "127.0.0.1", 0).start()
        hub.url, hub.cdn = (f"http://127.0.0.1:{port}" for _, port in sorted(runner.addresses))
        yield
    finally:
        await runner.cleanup()


@contextmanager
def serving(hub: H) -> Iterator[H]:
    """The Hub in a thread of its own, because its client waits without an event loop. It ends with the block."""
    opened: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def serve() -> None:
        try:
            async with open_ports(hub):
                ended = asyncio.Event()
                opened.set_result((asyncio.get_running_loop(), ended))
                await ended.wait()
        except OSError as error:  # no port to be had
            opened.set_exception(error)

    thread = Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    loop, ended = opened.result()
    try:
        yield hub
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join()
