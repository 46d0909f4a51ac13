"""A run's numbers for whoever collects them: Prometheus reads them on the loopback, OTLP is sent them.

`THOUGHTMILL_METRICS=127.0.0.1:9464` or `--metrics 9464` serves them at /metrics; `OTEL_EXPORTER_OTLP_ENDPOINT` sends
them there, with the extra `metrics`. Both tell the same series. Neither holds a text of a model, a URL or a key.
"""

from __future__ import annotations

import contextlib
import ipaddress
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from flows.exits import BadSetup
from flows.watch import AGAIN, spending
from pipelines.inference import latency

if TYPE_CHECKING:
    from flows.run import Progress
    from flows.watch import Watch

log = logging.getLogger(__name__)

PORT = "9464"
ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT")
FLUSH = 5_000  # milliseconds that a run waits at its end for the last numbers to be sent


@contextlib.contextmanager
def metrics(address: str | None) -> Iterator[Watch]:
    """What a run is to tell its progress to, where metrics are asked for: here, or in the environment.

    `address` is PORT or HOST:PORT. Raises BadSetup for one that is none, is not on the loopback, or is taken.
    """
    latest: list[Progress] = []

    def tell(told: Progress) -> None:
        latest[:] = [told]  # what counts in it is replaced with each step of a run, and never changed

    with contextlib.ExitStack() as stack:
        if address:
            stack.enter_context(serving(*parse(address), lambda: exposition(latest[0]) if latest else ""))
        if any(os.environ.get(name) for name in ENDPOINTS):
            stack.enter_context(exporting(latest))
        yield tell


# ---------------------------------------------------------------------------------------------------------------
# What is counted


class Sample(NamedTuple):
    """One number of a series; `suffix` as histograms have it."""

    labels: Mapping[str, str]
    value: float
    suffix: str = ""


class Series(NamedTuple):
    """Numbers of one name, with a sentence on what they are."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    about: str
    samples: Callable[[Progress], list[Sample]]


def _rows(told: Progress) -> list[Sample]:
    return [Sample({"state": "accepted"}, told.accepted), Sample({"state": "candidates"}, told.candidates)]


def _wanted(told: Progress) -> list[Sample]:
    wanted = {"accepted": told.target, "candidates": told.limit}
    return [Sample({"state": name}, number) for name, number in wanted.items() if number is not None]


def _counted(label: str, **counts: str) -> Callable[[Progress], list[Sample]]:
    """Counts of each role, told apart by the label: its value, and the name of the count."""
    return lambda told: [
        Sample({"role": role, label: value}, counted.get(name, 0))
        for role, counted in told.by_role.items()
        for value, name in counts.items()
    ]


def _again(told: Progress) -> list[Sample]:
    return [
        Sample({"role": role, "reason": name.removeprefix(AGAIN)}, count)
        for role, counts in told.by_role.items()
        for name, count in counts.items()
        if name.startswith(AGAIN)
    ]


def _latency(told: Progress) -> list[Sample]:
    samples: list[Sample] = []
    for role, counts in told.by_role.items():
        buckets = latency.buckets(counts)
        samples += [Sample({"role": role, "le": bound}, number, "_bucket") for bound, number in buckets]
        samples.append(Sample({"role": role}, counts.get(latency.SUM, 0), "_sum"))
        samples.append(Sample({"role": role}, buckets[-1][1], "_count"))
    return samples


def _spent(told: Progress) -> list[Sample]:
    return [Sample({"of": name}, spent) for name, spent, _ in spending(told.budget)]


def _may_be_spent(told: Progress) -> list[Sample]:
    return [Sample({"of": name}, limit) for name, _, limit in spending(told.budget)]


SERIES = [
    Series(
        "thoughtmill_run_seconds",
        "gauge",
        "Seconds since the run began.",
        lambda told: [Sample({}, time.monotonic() - told.started)],
    ),
    Series("thoughtmill_rows", "gauge", "Draws that are finished, and of them accepted.", _rows),
    Series("thoughtmill_rows_limit", "gauge", "How many are to be accepted, and may be drawn.", _wanted),
    Series(
        "thoughtmill_waiting",
        "gauge",
        "1 while it waits for a model.",
        lambda told: [Sample({}, float(bool(told.note)))],
    ),
    Series(
        "thoughtmill_requests_total",
        "counter",
        "Requests by what became of them; replayed ones were in the journal.",
        _counted("outcome", sent="sent", replayed="replayed", refused="refused"),
    ),
    Series(
        "thoughtmill_tokens_total",
        "counter",
        "Tokens of the requests that were sent.",
        _counted("direction", prompt="prompt_tokens", completion="completion_tokens"),
    ),
    Series(
        "thoughtmill_requests_under_way",
        "gauge",
        "Requests that are under way, and how many may be at once.",
        _counted("state", now="under_way", limit="limit"),
    ),
    Series("thoughtmill_again_total", "counter", "Tries that were repeated, by what failed.", _again),
    Series("thoughtmill_request_seconds", "histogram", "How long a request takes.", _latency),
    Series("thoughtmill_budget_spent", "gauge", "What is spent, or may be.", _spent),
    Series("thoughtmill_budget_limit", "gauge", "What may be spent.", _may_be_spent),
]
SUFFIXES = {"histogram": ("_bucket", "_sum", "_count")}


# ---------------------------------------------------------------------------------------------------------------
# Prometheus


def exposition(told: Progress) -> str:
    """The numbers of a run in Prometheus' text format, version 0.0.4."""
    lines: list[str] = []
    for each in SERIES:
        if samples := each.samples(told):
            lines += [f"# HELP {each.name} {each.about}", f"# TYPE {each.name} {each.kind}"]
            lines += [f"{each.name}{one.suffix}{_labels(one.labels)} {one.value:.17g}" for one in samples]
    return "\n".join([*lines, ""])


def _labels(labels: Mapping[str, str]) -> str:
    told = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())
    return f"{{{told}}}" if told else ""


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def parse(address: str) -> tuple[str, int]:
    """Host and port of PORT or HOST:PORT. Raises BadSetup."""
    host, _, port = address.rpartition(":")
    host = host.strip("[]").replace("localhost", "127.0.0.1") or "127.0.0.1"
    wrong = f"metrics at {address!r}: should be a port, or 127.0.0.1 with a port, such as 127.0.0.1:{PORT}"
    if not (port.isascii() and port.isdigit() and int(port) < 1 << 16):
        raise BadSetup(wrong)
    try:
        is_loopback = ipaddress.ip_address(host).is_loopback
    except ValueError as error:
        raise BadSetup(wrong) from error
    if not is_loopback:
        raise BadSetup(f"{wrong}; for other machines set a proxy before it that asks who they are")
    return host, int(port)


@contextlib.contextmanager
def serving(host: str, port: int, told: Callable[[], str]) -> Iterator[int]:
    """Serve the text at /metrics, in a thread of its own; yields the port. Raises BadSetup where it is taken."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = self.path.partition("?")[0] == "/metrics"
            body = told().encode() if found else b"metrics are at /metrics\n"
            self.send_response(200 if found else 404)
            self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Nobody wants a line for each time that the numbers are read."""

    try:
        server = _server(host, port, Handler)
    except OSError as error:
        raise BadSetup(f"no metrics at {host}:{port}: {error.strerror}; say another --metrics PORT") from error
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _server(host: str, port: int, handler: type[BaseHTTPRequestHandler]) -> ThreadingHTTPServer:
    import socket

    class Server(ThreadingHTTPServer):
        address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        daemon_threads = True

    return Server((host, port), handler)


# ---------------------------------------------------------------------------------------------------------------
# OpenTelemetry


@contextlib.contextmanager
def exporting(latest: Sequence[Progress]) -> Iterator[None]:
    """Send the numbers of the latest by OTLP over HTTP, as the environment's OTEL_* say, and once more at the end."""
    try:
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import (  # pyright: ignore[reportMissingImports]
            OTLPMetricExporter,
        )
        from opentelemetry.sdk.metrics import MeterProvider  # pyright: ignore[reportMissingImports]
        from opentelemetry.sdk.metrics.export import (  # pyright: ignore[reportMissingImports]
            PeriodicExportingMetricReader,
        )
    except ModuleNotFoundError as error:
        log.warning("no metrics are sent: there is no module %r; install thoughtmill[metrics]", error.name)
        yield
        return
    provider = MeterProvider([PeriodicExportingMetricReader(OTLPMetricExporter())], shutdown_on_exit=False)
    meter = provider.get_meter("thoughtmill")
    for each in SERIES:  # a histogram that is counted already goes as the counters that it consists of
        make = meter.create_observable_gauge if each.kind == "gauge" else meter.create_observable_counter
        for suffix in SUFFIXES.get(each.kind, ("",)):
            callback = _callback(each, suffix, latest)
            make(each.name + suffix, callbacks=[callback], description=each.about)
    try:
        yield
    finally:
        provider.shutdown(timeout_millis=FLUSH)


def _callback(series: Series, suffix: str, latest: Sequence[Progress]) -> Callable[[Any], Iterator[Any]]:
    from opentelemetry.metrics import Observation

    return lambda options: (
        Observation(one.value, dict(one.labels))
        for told in latest
        for one in series.samples(told)
        if one.suffix == suffix
    )
