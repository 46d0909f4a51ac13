"""The page as HTTP: who may ask, what it says of itself, what it shows, and that it can be read without scripts."""

from __future__ import annotations

import re
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from queue import Queue
from typing import Any

import duckdb
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.browse import answers, pages, server
from pipelines.browse.asking import cursor_of
from pipelines.browse.desk import Desk, at
from pipelines.browse.links import Pairs
from pipelines.browse.paper import readable
from pipelines.browse.search import Hit
from pipelines.browse.server import listen, own_names, serve
from pipelines.browse.source import wait
from pipelines.versions.pin import pin
from tests.pipelines.browse.served import DRAWS, MEGABYTE, SCRIPT, Served, serving, write_data

OF = "of=small%40v1"


@pytest.fixture
def _small_parts() -> None:
    """Indexes as they are: the server of this module outlives a test."""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(write_data(tmp_path_factory.mktemp("data"))) as found:
        found.page(f"/dataset?{OF}")
        assert wait(found.desk.opened["small@v1"], 30)
        yield found


# --- Who may ask


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/", 200),
        (f"/dataset?{OF}", 200),
        (f"/table?{OF}", 200),
        (f"/search?{OF}&q=again", 200),
        (f"/compare?{OF}&row=0", 200),
        (f"/raw?{OF}&row=1", 200),
        (f"/facts.json?{OF}&row=1", 200),
        (f"/marks.jsonl?{OF}", 200),
        ("/static/page.css", 200),
        ("/static/page.js", 200),
        ("/nothing", 404),
        ("/static/../server.py", 404),
        ("/dataset?of=other", 404),
        ("/dataset?of=", 404),
        ("/dataset?of=small%40v2", 404),
        ("/dataset?of=/etc/passwd", 404),
        ("/dataset?of=../../etc", 404),
        ("/dataset?of=hub:somebody/something", 404),
        ("/dataset?of=%00%ff%E2%80%AE", 404),
        (f"/row?{OF}&row=70", 404),
        (f"/row?{OF}&row=-1", 404),
        (f"/row?{OF}&row=one", 404),
        (f"/row?{OF}", 404),
        (f"/text?{OF}&row=1&part=nothing/question", 404),
        (f"/compare?{OF}&row=1&left=nothing", 400),
        (f"/table?{OF}&from=minus", 400),
        (f"/table?{OF}&is.nothing=1", 400),
        (f"/table?{OF}&min.tokens=many", 400),
        (f"/table?{OF}&sort=nothing", 400),
        ("/mark", 405),
    ],
)
def test_every_answer_has_its_status_the_headers_and_no_traceback(served: Served, path: str, status: int):
    found = served.ask(path)
    assert found.status == status
    for name, value in answers.HEADERS.items():
        assert found.headers[name.lower()] == value
    assert "Traceback" not in found.body
    if status >= 400:
        assert found.body.count('role="alert"') == 1


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "localhost:1", "127.0.0.1.evil.example:{port}", ""])
def test_a_page_of_a_stranger_whose_name_leads_here_gets_nothing(served: Served, host: str):
    found = served.ask(f"/row?{OF}&row=1", headers={"Host": host.format(port=served.port)})
    assert found.status == 403
    assert "again" not in found.body


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "LOCALHOST"])
def test_its_own_names_are_answered(served: Served, host: str):
    assert served.ask("/", headers={"Host": f"{host}:{served.port}"}).status == 200


def test_a_server_for_other_machines_knows_the_name_of_its_own():
    assert f"{socket.gethostname()}:80" in own_names("0.0.0.0", 80)
    assert "evil.example:80" not in own_names("0.0.0.0", 80)


# --- Marks


@pytest.fixture(scope="module")
def form(served: Served) -> dict[str, str]:
    """The form for a mark, filled in, as it stands on the page of row 5."""
    back = f"/row?{OF}&row=5"
    page = served.page(back).body
    form = page[page.index('action="/mark"') :]
    fields = dict(re.findall(r'name="(token|of|row)" value="([^"]*)"', form))
    subject = re.findall(r'<option value="([0-9a-f]{32})"', form)[0]
    return {**fields, "subject": subject, "status": "fail", "note": f"not so {SCRIPT}", "back": back}


def test_a_mark_becomes_a_verdict_and_can_be_taken_back(served: Served, form: dict[str, str]):
    found = served.ask("/mark", form=form)
    assert (found.status, found.headers["location"]) == (303, form["back"])
    page = served.page(form["back"]).body
    assert "not so &lt;script&gt;" in page
    assert "person@1" in page
    assert served.page(f"/table?{OF}&is.mark=fail").links("/row?") != []
    [line] = served.page(f"/marks.jsonl?{OF}").body.splitlines()
    assert orjson.loads(line)["subjects"] == [form["subject"]]
    assert served.ask("/mark", form={**form, "status": "none"}).status == 303
    assert "not so" not in served.page(form["back"]).body


@pytest.mark.parametrize(
    ("change", "headers", "status"),
    [
        ({"token": ""}, {}, 403),
        ({"token": "guessed"}, {}, 403),
        ({}, {"Origin": "http://evil.example"}, 403),
        ({}, {"Origin": "null", "Sec-Fetch-Site": "cross-site"}, 403),
        ({"status": "perhaps"}, {}, 400),
        ({"subject": "0" * 32}, {}, 400),
        ({"row": "9999"}, {}, 404),
        ({"note": "x" * 70_000}, {}, 413),
    ],
)
def test_no_mark_is_made_but_from_our_own_form(
    served: Served, form: dict[str, str], change: dict[str, str], headers: dict[str, str], status: int
):
    assert served.ask("/mark", form=form | change, headers=headers).status == status
    assert served.page(f"/marks.jsonl?{OF}").body == ""


def test_a_mark_leads_back_to_our_own_pages_only(served: Served, form: dict[str, str]):
    assert served.ask("/mark", form=form | {"back": "//evil.example/row?"}).headers["location"] == "/"
    assert served.ask("/mark", form={**form, "status": "none"}).status == 303


# --- What it shows


def test_why_a_row_was_dropped_is_three_clicks_away(served: Served):
    [dataset, *_] = served.page("/").links("/dataset?")
    loss = next(each for each in served.page(dataset).links("/table?") if "is.outcome=posed" in each)
    [row, *_] = served.page(loss).links("/row?")
    page = served.page(row).body
    assert "Left out by posed: 0 parts &lt;question&gt; where one is asked for" in page
    assert page.index("Left out by posed") < page.index("What was asked")


def test_the_funnel_adds_up_and_every_loss_leads_to_as_many_rows(served: Served):
    page = served.page(f"/dataset?{OF}")
    losses = {each for each in page.links("/table?") if "is.rule" in each and "is.reason" not in each}
    assert {served.page(each).body.count("<tr data-item>") for each in losses} == {1, 2}
    assert "67 of" not in page.body
    assert "rows 1 to 50 of 67" in served.page(f"/table?{OF}&is.outcome=accepted").body


def test_a_table_pages_sorts_and_filters(served: Served):
    first = served.page(f"/table?{OF}&sort=-draw")
    rows = [each for each in first.links("/row?") if "at=" in each]
    assert len(rows) == 50
    assert "row=69&" in rows[0]
    [following] = [each for each in first.links("from=50") if each.startswith("/table")]
    second = served.page(following)
    assert "rows 51 to 70 of 70" in second.body
    assert 'aria-sort="descending"' in second.body
    few = served.page(f"/table?{OF}&has.question=AGAIN&show=question")
    assert len([each for each in few.links("/row?")]) == 1
    assert "<th" in few.body
    assert "pass_rate</a>" not in few.body


def test_previous_and_next_stay_among_the_rows_that_were_looked_at(served: Served):
    [first, second] = served.page(f"/table?{OF}&is.outcome=novelty").links("/row?")
    page = served.page(first)
    assert 'rel="prev"' not in page.body
    assert page.links("at=1") != []
    assert set(page.links("at=1")) <= {second, *served.page(second).links("at=1")}
    assert 'rel="next"' not in served.page(second).body


def test_the_story_has_every_part(served: Served):
    page = served.page(f"/row?{OF}&row=0").body
    parts = ("Accepted", "Seeds", "pose a problem", "The problem", "2 attempts", "answer_matches@1", "Where it went")
    places = [page.index(part) for part in parts]
    assert places == sorted(places)
    assert "<math>" in page
    written = served.page(f"/row?{OF}&row=0&written=1").body
    assert "<math>" not in written
    assert "$2 + 2$" in written


def test_two_attempts_stand_side_by_side(served: Served):
    page = served.page(f"/compare?{OF}&row=0").body
    assert "right</th>" in page
    assert "<del>4</del>" in page
    assert "<ins>5</ins>" in page


def test_the_facts_of_a_row_are_there_as_they_are_stored(served: Served):
    facts = orjson.loads(served.page(f"/facts.json?{OF}&row=1").body)
    [decided] = [each for each in facts if each.get("rule") == "novelty@1"]
    assert decided["evidence"] == {"reason": DRAWS[1].against and DRAWS[1].against[2]}


@pytest.mark.parametrize("path", ["/row?{of}&row=3", "/table?{of}", "/dataset?{of}", "/raw?{of}&row=3"])
def test_what_a_model_wrote_is_text(served: Served, path: str):
    page = served.page(path.format(of=OF))
    assert not any(each in page.body for each in ("<script>window", "<img", "\u202e", " style="))
    assert not any(each.startswith("javascript:") for each in page.links(""))


def test_evidence_reads_as_a_person_writes_it():
    assert readable([["256", 5], ["257", 2]]) == "256 (5), 257 (2)"
    assert readable({"reward": 2.203125, "is_cut": False, "near": ["a", {"b": None}]}) == (
        "reward 2.203, is_cut no, near a, (b none)"
    )


def test_an_override_of_direction_is_seen(served: Served):
    assert "⟨U+202E⟩gnp.exe" in served.page(f"/row?{OF}&row=3&written=1").body


def test_a_search_for_markup_finds_it_as_text(served: Served):
    page = served.page(f"/search?{OF}&q=%3Cscript%3E").body
    assert "<mark>&lt;script&gt;</mark>" in page
    assert "<script>window" not in page


def test_a_long_text_is_cut_and_there_in_full(served: Served):
    page = served.page(f"/row?{OF}&row=4")
    assert len(page.body) < 200_000
    [whole] = page.links("/text?")
    assert MEGABYTE in served.page(whole).body


def test_a_parquet_file_is_a_table_too(tmp_path: Path):
    path = tmp_path / "table.parquet"
    messages = [[{"role": "user", "content": SCRIPT}], None]
    pq.write_table(pa.table({"row": ["a", SCRIPT], "n": [1.5, None], "messages": messages}), path)
    with serving(tmp_path / "data", str(path)) as served:
        of = f"of={path}"
        assert "<script>window" not in served.page(f"/dataset?{of}").body
        assert wait(served.desk.opened[str(path)], 30)
        assert served.page(f"/table?{of}&missing.n=yes").body.count("<tr data-item>") == 1
        page = served.page(f"/row?{of}&row=0").body
        assert "&lt;script&gt;" in page
        assert "<script>window" not in page
        assert served.ask(f"/raw?{of}&row=0").status == 404
        assert served.ask(f"/dataset?of={tmp_path}/other.parquet").status == 404


def test_a_version_shows_its_funnel_before_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Nothing can be read here: what a version's ledger tells is there all the same."""
    write_data(tmp_path)
    with serving(tmp_path) as served:
        whole = served.page(f"/dataset?{OF}").body
    shutil.rmtree(tmp_path / "cache")
    monkeypatch.setattr("pipelines.browse.index._make_all", lambda index: None)
    monkeypatch.setattr(pages, "PATIENCE", 0)
    with serving(tmp_path) as served:
        early = served.page(f"/dataset?{OF}")
        assert "data-progress" in early.body
        assert "What it looks like" not in early.body
        assert early.body.rstrip().endswith("</html>")
        counts = re.compile(r">\S (\d+)</a>")
        assert counts.findall(early.body) == counts.findall(whole) != []


def test_plots_that_cannot_be_counted_leave_the_rest_of_the_page(served: Served, monkeypatch: pytest.MonkeyPatch):
    def broken(source: Any) -> None:
        raise OSError("the disk is gone")

    monkeypatch.setattr(pages, "plots", broken)
    page = served.page(f"/dataset?{OF}").body
    assert "Where the candidates went" in page
    assert page.rstrip().endswith("The rest cannot be shown: the disk is gone</p>")


def test_the_current_version_is_the_one_that_the_name_means(tmp_path: Path):
    home = write_data(tmp_path) / "datasets" / "small"
    shutil.copytree(home / "v1", home / "v2")
    for version in ("v2", "v1"):
        pin(home, version)
        with serving(tmp_path, "small") as served:
            assert at(served.desk, "small").name == f"small@{version}"
            shown = re.findall(r"<tr>.*?</tr>", served.page("/").body, re.DOTALL)
            assert [f">{version}<" in each for each in shown if "current" in each] == [True]


def test_where_there_is_nothing_the_page_says_how_to_begin(tmp_path: Path):
    with serving(tmp_path) as served:
        assert "thoughtmill run" in served.page("/").body


def test_a_damaged_dataset_is_told_of_in_one_line(tmp_path: Path):
    path = write_data(tmp_path, DRAWS[:3]) / "datasets" / "small" / "v1" / "facts" / "attempts.parquet"
    path.write_bytes(path.read_bytes()[:-100] + bytes(100))
    with serving(tmp_path) as served:
        for page in ("dataset", "table", "row"):
            found = served.ask(f"/{page}?{OF}&row=0")
            assert found.body.count('role="alert"') == 1
            assert "Traceback" not in found.body
        assert served.ask("/").status == 200


# --- Those who leave


def test_a_query_is_interrupted_when_nobody_waits_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    began, ended = threading.Event(), Queue[str]()

    def endless(desk: Desk, query: Pairs) -> str:
        with duckdb.connect() as connection, cursor_of(connection) as cursor:
            began.set()
            try:
                cursor.execute("select count(*) from range(1000000000000) a(i) where i * i % 7 = 8")
            except duckdb.InterruptException as error:
                ended.put(type(error).__name__)
                raise
        return ""

    monkeypatch.setitem(server.PAGES, "/endless", (endless, "text/html"))
    with serving(tmp_path) as served:
        with socket.create_connection(("127.0.0.1", served.port), timeout=30) as connection:
            connection.sendall(f"GET /endless HTTP/1.1\r\nHost: localhost:{served.port}\r\n\r\n".encode())
            assert began.wait(30)
        assert ended.get(timeout=30) == "InterruptException"
        assert served.ask("/").status == 200


# --- Search


def test_hits_come_as_they_are_found_and_a_search_ends_when_nobody_waits(
    served: Served, monkeypatch: pytest.MonkeyPatch
):
    ended = threading.Event()

    def endless(source: Any, text: str, *, stop: Any, **how: Any) -> Iterator[Hit]:
        try:
            yield Hit(0, None, "question", None, "", text, "")
            while not stop():  # as one that looks at millions of rows, and finds nothing more
                time.sleep(0.01)
        finally:
            ended.set()

    monkeypatch.setattr(answers, "search", endless)
    with socket.create_connection(("127.0.0.1", served.port), timeout=30) as connection:
        request = f"GET /search?{OF}&q=needle HTTP/1.1\r\nHost: localhost:{served.port}\r\n\r\n"
        connection.sendall(request.encode())
        seen = b""
        while b"<mark>needle</mark>" not in seen:
            seen += connection.recv(4096)
        assert b"</html>" not in seen
    assert ended.wait(30)


def test_a_search_that_breaks_says_so_in_its_last_line(served: Served, monkeypatch: pytest.MonkeyPatch):
    def broken(source: Any, text: str, **how: Any) -> Iterator[Hit]:
        yield Hit(0, 0, "question", None, "", text, "")
        raise OSError("the disk is gone")

    monkeypatch.setattr(answers, "search", broken)
    page = served.page(f"/search?{OF}&q=needle").body
    assert "1 hit, then: the disk is gone" in page
    assert page.rstrip().endswith("</html>")


# --- The server itself


def test_a_taken_port_is_left_to_who_has_it():
    with listen("127.0.0.1", 0) as first, listen("127.0.0.1", first.getsockname()[1]) as second:
        assert first.getsockname()[1] != second.getsockname()[1]


def test_a_host_that_is_none_is_named():
    with pytest.raises(ValueError, match=r"no-such-host\.invalid"):
        listen("no-such-host.invalid", 0)


def test_what_is_not_there_is_told_before_serving(tmp_path: Path):
    with pytest.raises(ValueError, match="other"):
        serve(tmp_path, "other", port=0, ready=lambda url: pytest.fail("it is not ready"))
