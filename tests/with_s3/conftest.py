"""A local S3 server, and a bucket of its own for each test."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

import orjson
import pytest

from pipelines.remote import Remote, remote_at
from pipelines.segment import HEADER, Entry, content_length, is_whole, unpack

WHY = "needs the packages of tests/with_s3/requirements.txt"


@dataclass
class S3:
    """A bucket, and what lies in it."""

    url: str
    remote: Remote

    def objects(self, under: str) -> list[str]:
        return list(self.remote.sizes(under))

    def journaled(self) -> dict[bytes, bytes]:
        """Every model's reply in the journal, by its key."""
        contents = (self.remote.get(name) or b"" for name in self.objects("journal") if not name.endswith(".idx"))
        entries = (entry for content in contents for entry in frames(content))
        return {entry.key: entry.reply for entry in entries if b'"choices"' in entry.reply}

    def let_two_minutes_pass(self, dataset: str) -> None:
        """So that the lease of a run that was killed ends; without it nothing would have to be waited for."""
        for name in self.objects(f"runs/{dataset}/lease"):
            self.remote.put(name, orjson.dumps({"until": 0}))


def frames(content: bytes) -> Iterator[Entry]:
    """The entries in a part or a whole log."""
    at = 0
    while at < len(content):
        header = content[at : at + HEADER.size]
        body = content[at + HEADER.size :][: content_length(header)]
        assert is_whole(header, body)
        yield from unpack(header, body)
        at += len(header) + len(body)


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """The address of the server, which ends with the tests."""
    moto = pytest.importorskip("moto.server", reason=WHY)
    pytest.importorskip("s3fs", reason=WHY)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # a line for each request
    served = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    served.start()
    host, port = served.get_host_and_port()
    yield f"http://{host}:{port}"
    served.stop()


@pytest.fixture
def s3(server: str, monkeypatch: pytest.MonkeyPatch) -> S3:
    """A new bucket, which THOUGHTMILL_STORE names for this process and those that it starts."""
    import fsspec

    bucket = f"bucket-{uuid.uuid4().hex[:12]}"
    for name, value in {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": server,
        "THOUGHTMILL_STORE": f"s3://{bucket}/some/prefix",
    }.items():
        monkeypatch.setenv(name, value)
    fsspec.filesystem("s3").mkdir(bucket)
    url = f"s3://{bucket}/some/prefix"
    return S3(url, remote_at(url))
