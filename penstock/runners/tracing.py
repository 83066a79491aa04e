"""OpenTelemetry spans of a run, sent as OTLP over HTTP in JSON when an endpoint is configured; no SDK is needed.

The run is the root span, every step a child. The trace's id is the run's ULID as a number, so that each is found from
the other. Configured as OpenTelemetry has it: OTEL_EXPORTER_OTLP_ENDPOINT (or OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, taken
as it is), OTEL_EXPORTER_OTLP_HEADERS, OTEL_SERVICE_NAME.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from penstock.runners.layout import ulid_number

ENDPOINT, TRACES_ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
ENDPOINTS = frozenset({ENDPOINT, TRACES_ENDPOINT})
PATIENCE_SECONDS = 5.0
OK, ERROR = 1, 2
INTERNAL = 1


@dataclass
class Tracing:
    """Collects the spans of one run and sends them when it is over; a RunObserver.

    A collector that is away is told of in a warning: it ends no run.
    """

    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    service: str = "penstock"
    _run: dict[str, Any] = field(default_factory=dict)
    _started: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    _spans: list[dict[str, Any]] = field(default_factory=list)

    def event(self, event: Mapping[str, Any]) -> None:
        """Take one event in."""
        kind = event["event"]
        if kind == "run_started":
            self._run = dict(event)
        elif kind == "step_started":
            self._started[event["step"]] = event
        elif kind == "step_finished":
            self._spans.append(self._step(event))
        elif kind == "run_finished":
            self._spans.append(self._root(event))
            self._send()

    def _step(self, event: Mapping[str, Any]) -> dict[str, Any]:
        started = self._started.pop(event["step"], None)
        attributes = {
            "penstock.step": event["step"],
            "penstock.state": event["state"],
            "penstock.reason": (started or event).get("reason") or "",
            "penstock.attempt": started["attempt"] if started else 0,
        }
        failure = event.get("failure") or {}
        span = self._span(
            event["step"], started["at"] if started else event["at"] - event["seconds"], event, attributes
        )
        message = {"message": failure["message"]} if failure else {}
        return {**span, "parentSpanId": self._id(""), "status": {"code": _status(event["state"]), **message}}

    def _root(self, event: Mapping[str, Any]) -> dict[str, Any]:
        attributes = {"penstock.run": event["run"], "penstock.state": event["state"]}
        span = self._span("", self._run.get("at", event["at"]), event, attributes)
        return {**span, "name": self._run.get("pipeline", ""), "status": {"code": _status(event["state"])}}

    def _span(self, name: str, start: float, end: Mapping[str, Any], attributes: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "traceId": f"{ulid_number(end['run']):032x}",
            "spanId": self._id(name),
            "name": name,
            "kind": INTERNAL,
            "startTimeUnixNano": str(int(start * 1e9)),
            "endTimeUnixNano": str(int(end["at"] * 1e9)),
            "attributes": _attributes(attributes),
        }

    def _id(self, step: str) -> str:
        return hashlib.sha256(f"{self._run.get('run', '')}/{step}".encode()).hexdigest()[:16]

    def _send(self) -> None:
        import urllib.request  # some thirty modules that only traced runs need

        document = {
            "resourceSpans": [
                {
                    "resource": {"attributes": _attributes({"service.name": self.service})},
                    "scopeSpans": [{"scope": {"name": "penstock"}, "spans": self._spans}],
                }
            ]
        }
        headers = {"Content-Type": "application/json", **self.headers}
        request = urllib.request.Request(self.url, json.dumps(document).encode(), headers)  # noqa: S310 - configured
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS):  # noqa: S310
                self._spans = []
        except OSError as error:
            logging.getLogger(__name__).warning("The run's spans can't be sent to %s: %s", self.url, error)


def configured(environment: Mapping[str, str] = os.environ) -> tuple[Tracing, ...]:
    """Return the observer that sends spans, nothing where no endpoint is configured."""
    import urllib.parse

    whole, base = environment.get(TRACES_ENDPOINT, ""), environment.get(ENDPOINT, "")
    if not whole and not base:
        return ()
    pairs = (pair.partition("=") for pair in environment.get("OTEL_EXPORTER_OTLP_HEADERS", "").split(",") if pair)
    headers = {name.strip(): urllib.parse.unquote(value.strip()) for name, _, value in pairs}
    url = whole or f"{base.rstrip('/')}/v1/traces"
    return (Tracing(url, headers, environment.get("OTEL_SERVICE_NAME") or "penstock"),)


def _status(state: str) -> int:
    return ERROR if state in ("FAILED", "CANCELED") else OK


def _attributes(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {"key": name, "value": {"intValue": str(value)} if isinstance(value, int) else {"stringValue": str(value)}}
        for name, value in values.items()
    ]
