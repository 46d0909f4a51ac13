"""Metrics: what a run counts is what is read, in a format that Prometheus' own reader takes, and only from here."""

from __future__ import annotations

import logging
import re
import socket
import urllib.error
import urllib.request
from collections import Counter
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.exits import BadSetup
from flows.metrics import ENDPOINTS, SERIES, exposition, metrics, parse, serving
from flows.run import Progress
from pipelines.inference import latency
from tests.each import each_of


@pytest.fixture(autouse=True)
def no_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ENDPOINTS:
        monkeypatch.delenv(name, raising=False)


def going(**changed: Any) -> Progress:
    teacher = Counter({"sent": 12, "replayed": 3, "prompt_tokens": 400, "completion_tokens": 900, "refused": 1})
    teacher.update({"again: status 429": 2, "again": 2, "under_way": 5, "limit": 8})
    for seconds in (0.2, 0.2, 4.0, 9_999.0):
        latency.add(teacher, seconds)
    budget = {"limits": {"money": 5.0}, "spent": {"money": 1.5}, "unknown": {"money": 0.25}, "before": {"money": 1.0}}
    told = Progress(target=20, limit=100, candidates=40, accepted=10, by_role={"teacher": teacher}, budget=budget)
    for name, value in changed.items():
        setattr(told, name, value)
    return told


def read(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Every number, by name and labels, as Prometheus' own client reads them."""
    parser = pytest.importorskip("prometheus_client.parser")
    families = parser.text_string_to_metric_families(text)
    return {(s.name, tuple(sorted(s.labels.items()))): s.value for family in families for s in family.samples}


def test_every_number_is_the_one_that_the_run_counted():
    numbers = read(exposition(going()))

    def number(name: str, **labels: str) -> float:
        return numbers[f"thoughtmill_{name}", tuple(sorted(labels.items()))]

    assert number("rows", state="accepted") == 10
    assert number("rows_limit", state="candidates") == 100
    assert number("requests_total", role="teacher", outcome="sent") == 12
    assert number("requests_total", role="teacher", outcome="replayed") == 3
    assert number("tokens_total", role="teacher", direction="completion") == 900
    assert number("requests_under_way", role="teacher", state="limit") == 8
    assert number("again_total", role="teacher", reason="status 429") == 2
    assert number("budget_spent", of="money") == 2.75
    assert number("budget_limit", of="money") == 5
    assert number("request_seconds_bucket", role="teacher", le="0.25") == 2
    assert number("request_seconds_bucket", role="teacher", le="1800") == 3
    assert number("request_seconds_bucket", role="teacher", le="+Inf") == 4
    assert number("request_seconds_count", role="teacher") == 4
    assert number("request_seconds_sum", role="teacher") == pytest.approx(10_003.4)
    assert number("waiting") == 0


def test_a_run_that_waits_says_so():
    assert read(exposition(going(note="teacher waits")))["thoughtmill_waiting", ()] == 1


@given(st.text(), st.text(min_size=1))
def test_no_name_of_a_role_or_of_trouble_breaks_the_format(role: str, reason: str):
    lines = re.split("\n", exposition(going(by_role={role: {f"again: {reason}": 1}})))
    assert all(re.match(r'# (HELP|TYPE) |[a-z_]+(\{([a-z]+="(\\.|[^"\\\n])*",?)*\})? \S+$|$', line) for line in lines)


def test_all_names_are_as_prometheus_wants_them():
    for each in SERIES:
        assert re.fullmatch("thoughtmill_[a-z_]+", each.name)
        assert each.name.endswith("_total") == (each.kind == "counter")


# --- Who may read them, and where -----------------------------------------------------------------------------


@each_of(
    [("9464", "127.0.0.1"), ("127.0.0.1:9464", "127.0.0.1"), ("localhost:9464", "127.0.0.1"), ("[::1]:9464", "::1")]
)
def test_metrics_are_on_the_loopback(address: str, host: str):
    assert parse(address) == (host, 9464)


@each_of(["", "x", "127.0.0.1", "0.0.0.0:9464", "10.0.0.1:9464", "example.org:1", "127.0.0.1:99999", "127.0.0.1:²"])
def test_what_is_no_place_on_the_loopback_is_refused(address: str):
    with pytest.raises(BadSetup, match=re.escape(repr(address))):
        parse(address)


def got(port: int, path: str = "/metrics") -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=20) as answer:
        assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        return answer.read().decode()


def test_they_are_served_as_they_stand_now():
    told = ["a 1\n"]
    with serving("127.0.0.1", 0, lambda: told[0]) as port:
        assert got(port) == "a 1\n"
        told[0] = "a 2\n"
        assert got(port, "/metrics?x=1") == "a 2\n"
        with pytest.raises(urllib.error.HTTPError, match="404") as refused:
            got(port, "/other")
        refused.value.close()
    with socket.socket() as free:
        free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        free.bind(("127.0.0.1", port))  # nobody listens there any more


def test_a_port_that_is_taken_is_said_in_one_line():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(BadSetup, match=f"127.0.0.1:{port}"), metrics(str(port)):
            pass


def test_nothing_is_begun_where_nobody_asks():
    with metrics(None) as tell:
        tell(going())


# --- OpenTelemetry --------------------------------------------------------------------------------------------


def test_without_its_packages_a_run_goes_on_and_says_why_nothing_is_sent(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setenv(ENDPOINTS[0], "http://127.0.0.1:9")
    monkeypatch.setitem(__import__("sys").modules, "opentelemetry.exporter.otlp.proto.http.metric_exporter", None)
    with caplog.at_level(logging.WARNING), metrics(None) as tell:
        tell(going())
    assert "thoughtmill[metrics]" in caplog.text


def test_the_same_numbers_are_sent_by_otlp(monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("opentelemetry.exporter.otlp.proto.http.metric_exporter", reason="the extra `metrics`")
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (  # pyright: ignore[reportMissingImports]
        ExportMetricsServiceRequest,
    )

    received: list[bytes] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Collector)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    monkeypatch.setenv(ENDPOINTS[0], f"http://127.0.0.1:{server.server_address[1]}")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "none")
    try:
        with metrics(None) as tell:
            tell(going())
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    request = ExportMetricsServiceRequest.FromString(received[-1])
    sent = {each.name: each for each in request.resource_metrics[0].scope_metrics[0].metrics}
    points = sent["thoughtmill_requests_total"].sum.data_points
    told = {point.attributes[1].value.string_value: point.as_double or point.as_int for point in points}
    assert told == {"sent": 12, "replayed": 3, "refused": 1}
    assert {each.name for each in SERIES if each.kind != "histogram"} <= sent.keys()
    assert len(sent["thoughtmill_request_seconds_bucket"].sum.data_points) == len(latency.LABELS)
