"""OpenTelemetry spans, received by a real HTTP server."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from penstock.runners.layout import new_id, ulid_number
from penstock.runners.tracing import configured
from tests.runners.conftest import Project

PIPELINE = """
@component
def fail(note: Input[Note], more: Output[Note]) -> None:
    raise ValueError("no luck")


@pipeline
def wired():
    made = make()
    fail(note=made.note)
"""


class Collector(BaseHTTPRequestHandler):
    """Keeps what is posted."""

    posted: list[tuple[str, dict[str, str], Any]]

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.posted.append((self.path, dict(self.headers), body))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def collector() -> Iterator[tuple[str, list[tuple[str, dict[str, str], Any]]]]:
    handler = type("Kept", (Collector,), {"posted": []})
    server = HTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", handler.posted
    server.shutdown()
    server.server_close()


def test_run_and_steps_are_spans_of_one_trace(
    project: Project, collector: tuple[str, list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, posted = collector
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "api-key=a%20b")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "pipelines")
    project.write(PIPELINE)

    result = project.run()

    ((path, headers, body),) = posted
    (resource,) = body["resourceSpans"]
    spans = {span["name"]: span for span in resource["scopeSpans"][0]["spans"]}
    root = spans["wired"]
    assert (path, {name.lower(): value for name, value in headers.items()}["api-key"]) == ("/v1/traces", "a b")
    assert resource["resource"]["attributes"] == [{"key": "service.name", "value": {"stringValue": "pipelines"}}]
    assert {span["traceId"] for span in spans.values()} == {f"{ulid_number(result.id):032x}"}
    assert {spans[name]["parentSpanId"] for name in ("make", "fail")} == {root["spanId"]}
    assert [spans[name]["status"]["code"] for name in ("make", "fail", "wired")] == [1, 2, 2]
    assert "no luck" in spans["fail"]["status"]["message"]
    assert all(int(span["startTimeUnixNano"]) <= int(span["endTimeUnixNano"]) for span in spans.values())


def test_collector_that_is_away_ends_no_run(
    project: Project, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    project.write(PIPELINE)

    result = project.run()

    assert result["make"].state == "COMPLETE"
    assert "The run's spans can't be sent to http://127.0.0.1:9/v1/traces" in caplog.text


def test_nothing_is_sent_where_nothing_is_configured() -> None:
    assert configured({}) == ()
    assert configured({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c/t"})[0].url == "http://c/t"


def test_number_of_a_ulid_has_128_bits() -> None:
    assert ulid_number("7" + "Z" * 25) == 2**128 - 1
    assert ulid_number(new_id()).bit_length() <= 128
