"""Forgetting, collecting and fetching where the store is S3: what goes is gone there, and nothing is asked anew."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from flows import housekeeping
from flows.show import find_version
from pipelines import forget
from pipelines.gc import collect
from pipelines.merge import entries, frames
from pipelines.purge import purge
from tests.small import Site, problems, tree
from tests.with_s3.conftest import S3

pytestmark = pytest.mark.slow


def on(machine: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """From now on this is the machine, with a data folder of its own."""
    monkeypatch.setenv("THOUGHTMILL_DATA", str(machine))
    return machine


def test_a_row_is_purged_on_a_machine_that_did_not_make_it(
    s3: S3, site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = on(tmp_path / "first", monkeypatch)
    made = site.embedded("target.candidates=12")
    row = next(each for each in problems(made) if each.kind == "posed")

    second = on(tmp_path / "second", monkeypatch)
    housekeeping.pull("small")
    assert tree(find_version("small")) == tree(made.folder)
    forget.forget(second, forget.row_of(find_version("small"), f"draw:{row.draw}", reason="asked for"))
    done = purge(second)
    assert done.versions == ["small@v1"]
    assert done.replies > 0
    assert holding(s3, row.question) == []

    for machine in (first, second, tmp_path / "third"):
        on(machine, monkeypatch)
        again = site.embedded("target.candidates=12")
        assert (again.folder.name, again.counts.get("sent", 0)) == ("v2", 0)
        assert again.ledger["not_accepted"]["forgotten"] == 1
    assert holding(s3, row.question) == []


def test_what_nothing_needs_is_collected_and_nothing_is_asked_anew(
    s3: S3, site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on(tmp_path / "first", monkeypatch)
    site.embedded("target.candidates=12")
    site.stage("screen")["rules"][1]["at_most"] = 0.69  # other outputs
    site.embedded("target.candidates=12")
    before = s3.objects("runs/outputs")
    done = collect(on(tmp_path / "second", monkeypatch), older_than=0, settled=0, replies=True)
    assert len(done.rubbish.unneeded) > 0
    assert len(s3.objects("runs/outputs")) < len(before)
    assert [name.rpartition(".")[2] for name in s3.objects("journal") if not name.endswith(".gone")] == ["idx", "log"]
    for machine in ("first", "second", "third"):
        on(tmp_path / machine, monkeypatch)
        again = site.embedded("target.candidates=12")
        assert (again.is_new, again.counts.get("sent", 0)) == (False, 0)


def holding(s3: S3, text: str) -> list[str]:
    """The objects that hold a text."""
    names = [name for room in ("datasets", "journal", "purged", "runs", "tombstones") for name in s3.objects(room)]
    assert len(names) > 10
    return [name for name in names if text in told(name, s3.remote.get(name) or b"")]


def told(name: str, content: bytes) -> str:
    """An object as text: the replies of a part of the journal, the rows of Parquet."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if name.endswith(".parquet"):
        return str(pq.read_table(pa.BufferReader(content)).to_pylist())
    if name.startswith("journal/") and not name.endswith((".idx", ".gone")):
        with tempfile.NamedTemporaryFile() as file:
            file.write(content)
            file.flush()
            return "".join(entry.reply.decode() for frame in frames(Path(file.name)) for entry in entries(frame))
    return content.decode("utf-8", "replace")
