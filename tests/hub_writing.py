"""A small Hugging Face Hub that can be written to, as `huggingface_hub` does it: see `tests/hub_server.py`.

It speaks creation, preupload, the LFS batch API with its uploads (whole or in parts) and their verification, commits
with a parent, and tags. Nothing of an upload is seen by readers before the commit that names it.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from typing import Any

import orjson
from aiohttp import web

from tests.hub_files import LFS, blob
from tests.hub_server import Answer, Hub, Repo, failure, parts_of, reply, token_of

FIRST = {".gitattributes": b"*.parquet filter=lfs diff=lfs merge=lfs -text\n"}  # what every new dataset holds


@dataclass
class WritableHub(Hub):
    """Kinds of requests besides those of `Seen`: create, yaml, preupload, batch, put, complete, verify, commit, tag.

    closed      owners under whose name nobody may make or write anything
    part        bytes: larger files are uploaded in parts of that size
    objects     what was uploaded, by its digest; `parts` of what is not yet whole
    """

    closed: tuple[str, ...] = ()
    part: int = 1 << 30
    objects: dict[str, bytes] = field(default_factory=dict)
    parts: dict[tuple[str, int], bytes] = field(default_factory=dict)

    def route(self, request: web.BaseRequest, body: bytes) -> tuple[str, Callable[[], Answer]]:
        match request.method, parts_of(request):
            case "POST", ["api", "repos", "create"]:
                return "create", partial(self.create, request, body)
            case "POST", ["api", "validate-yaml"]:
                return "yaml", partial(reply, {"errors": [], "warnings": []})
            case "POST", ["api", "datasets", owner, name, "preupload", revision]:
                return "preupload", partial(self.preupload, request, f"{owner}/{name}", revision, body)
            case "POST", ["datasets", owner, name, "info", "lfs", "objects", "batch"]:
                repo = f"{owner}/{name.removesuffix('.git')}"
                return "batch", partial(self.batch, request, repo, body)
            case "PUT", ["cdn", oid, *number]:
                return "put", partial(self.put, oid, int(number[0]) if number else None, body)
            case "POST", ["cdn", oid, "complete"]:
                return "complete", partial(self.complete, oid, body)
            case "POST", ["cdn", oid, "verify"]:
                return "verify", partial(self.verify, oid, body)
            case "POST", ["api", "datasets", owner, name, "commit", revision]:
                return "commit", partial(self.committed, request, f"{owner}/{name}", revision, body)
            case "POST", ["api", "datasets", owner, name, "tag", revision]:
                return "tag", partial(self.tag, request, f"{owner}/{name}", revision, body)
        return super().route(request, body)

    def refused(self, request: web.BaseRequest, owner: str) -> web.Response | None:
        """Why the token may not write what is the owner's."""
        token = token_of(request)
        if token not in (self.token, *self.readers):
            return failure(401, "Invalid credentials in Authorization header" if token else "Unauthorized")
        if token != self.token or owner in self.closed:
            return failure(403, "Forbidden: you don't have the rights to write here")
        return None

    def create(self, request: web.BaseRequest, body: bytes) -> Answer:
        told = orjson.loads(body)
        repo = f"{told['organization']}/{told['name']}"
        if no := self.refused(request, told["organization"]):
            return no
        if repo in self.repos:
            return failure(409, "You already created this dataset repo")
        self.repos[repo] = Repo(private=told.get("visibility") == "private")
        self.commit(repo, FIRST)
        return reply({"url": f"{self.url}/datasets/{repo}"})

    def preupload(self, request: web.BaseRequest, repo: str, revision: str, body: bytes) -> Answer:
        found = self.look_up(request, repo, revision)
        if no := self.refused(request, repo.partition("/")[0]):
            return no
        if isinstance(found, web.Response):
            return found
        return reply({"files": [mode(each["path"], found.files) for each in orjson.loads(body)["files"]]})

    def batch(self, request: web.BaseRequest, repo: str, body: bytes) -> Answer:
        if no := self.refused(request, repo.partition("/")[0]):
            return no
        objects = [self.actions(each["oid"], each["size"]) for each in orjson.loads(body)["objects"]]
        return reply({"transfer": "basic", "objects": objects})

    def actions(self, oid: str, size: int) -> dict[str, Any]:
        """Where an object is to be uploaded, if it is not there."""
        told: dict[str, Any] = {"oid": oid, "size": size}
        if oid in self.objects:
            return told
        here = f"{self.cdn}/cdn/{oid}"
        upload: dict[str, Any] = {"href": here}
        if size > self.part:
            places = {str(number + 1): f"{here}/{number}" for number in range(-(-size // self.part))}
            upload = {"href": f"{here}/complete", "header": {"chunk_size": str(self.part), **places}}
        return {**told, "actions": {"upload": upload, "verify": {"href": f"{here}/verify"}}}

    def put(self, oid: str, number: int | None, body: bytes) -> Answer:
        if number is not None:
            self.parts[oid, number] = body
        elif sha256(body).hexdigest() != oid:
            return failure(400, "not what was announced")
        else:
            self.objects[oid] = body
        return web.Response(headers={"ETag": f'"{blob(body)}"'})

    def complete(self, oid: str, body: bytes) -> Answer:
        """Put the parts of an object together, in the order in which they are named."""
        told = orjson.loads(body)
        parts = [self.parts.get((oid, each["partNumber"] - 1)) for each in told["parts"]]
        if None in parts:
            return failure(400, "a part is missing")
        return self.put(oid, None, b"".join(part for part in parts if part is not None))

    def verify(self, oid: str, body: bytes) -> Answer:
        there = self.objects.get(oid)
        fits = there is not None and len(there) == orjson.loads(body)["size"]
        return reply({}) if fits else failure(404, "no such object")

    def committed(self, request: web.BaseRequest, repo: str, revision: str, body: bytes) -> Answer:
        found = self.look_up(request, repo, revision)
        if no := self.refused(request, repo.partition("/")[0]):
            return no
        if isinstance(found, web.Response):
            return found
        header, *operations = [orjson.loads(line) for line in body.splitlines()]
        if header["value"].get("parentCommit") not in (None, found.sha):
            return failure(412, "A commit has happened since. Please refresh and try again.")
        changes: dict[str, bytes | None] = {}
        for each in operations:
            changes |= self.change(each["key"], each["value"])
        if missing := [name for name, content in changes.items() if content is None and name not in found.files]:
            return failure(404, f"no file {missing[0]}", code="EntryNotFound")
        sha = self.commit(repo, changes, ref=revision)
        told = {"commitUrl": f"{self.url}/datasets/{repo}/commit/{sha}", "commitOid": sha}
        return reply({"success": True, **told})

    def change(self, key: str, value: Mapping[str, Any]) -> dict[str, bytes | None]:
        """What an operation of a commit makes of a file; an object must have been uploaded."""
        match key:
            case "file":
                return {value["path"]: b64decode(value["content"])}
            case "lfsFile":
                return {value["path"]: self.objects[value["oid"]]}
            case "deletedFile":
                return {value["path"]: None}
        raise ValueError(key)

    def tag(self, request: web.BaseRequest, repo: str, revision: str, body: bytes) -> Answer:
        found, name = self.look_up(request, repo, revision), orjson.loads(body)["tag"]
        if no := self.refused(request, repo.partition("/")[0]):
            return no
        if isinstance(found, web.Response):
            return found
        if name in self.repos[repo].tags:
            return failure(409, "Tag already exists")
        self.repos[repo].tags[name] = found.sha
        return reply({})


def mode(path: str, files: Mapping[str, bytes]) -> dict[str, Any]:
    """How a file is to be uploaded, and what is there under its name."""
    large, there = path.endswith(LFS), files.get(path)
    oid = None if there is None else sha256(there).hexdigest() if large else blob(there)
    return {"path": path, "uploadMode": "lfs" if large else "regular", "shouldIgnore": False, "oid": oid}
