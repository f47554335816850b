"""Traces of exchanges (OpenTelemetry): one span for each, below it one for each step, named by its stage.

Off unless `IPX_TRACES_URL` names a collector. A span carries the exchange's id and outcome, and nothing of what was
asked or answered. Needs `pip install ipx-gateway[tracing]`.
"""

import time
from typing import Any, Final

from gateway.errors import SettingsError

SPAN: Final = "exchange"


class Tracing:
    """Makes traces; safe to share between threads."""

    def __init__(self, processor: Any) -> None:
        """Take what is done with spans: an `opentelemetry.sdk.trace.SpanProcessor`."""
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415  (an extra)
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415

        self._provider = TracerProvider(resource=Resource.create({"service.name": "ipx-gateway"}))
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("gateway")

    def begin(self) -> "Trace":
        """Begin the trace of one exchange."""
        return Trace(self._tracer)

    def close(self) -> None:
        """Send what was not sent yet."""
        self._provider.shutdown()


class Trace:
    """Of one exchange."""

    def __init__(self, tracer: Any) -> None:
        from opentelemetry.trace import SpanKind, set_span_in_context  # noqa: PLC0415  (an extra)

        self._tracer = tracer
        self._last = time.time_ns()
        self._span = tracer.start_span(SPAN, kind=SpanKind.SERVER, start_time=self._last)
        self._context = set_span_in_context(self._span)

    def reached(self, stage: str, step: str) -> None:
        """What has passed since the step before was the time of this one."""
        now = time.time_ns()
        span = self._tracer.start_span(stage, self._context, start_time=self._last, attributes={"ipx.step": step})
        span.end(now)
        self._last = now

    def end(self, exchange_id: str | None, outcome: str | None) -> None:
        """End it; with neither where nothing was filed."""
        if exchange_id is not None:
            self._span.set_attribute("ipx.exchange", exchange_id)
        self._span.set_attribute("ipx.outcome", outcome or "not_filed")
        self._span.end()


def read(url: str | None) -> Tracing | None:
    """Trace to the collector at this address (OTLP over HTTP); None where there is no address.

    Raises:
        SettingsError: the packages that it needs are not there.
    """
    if url is None:
        return None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415  (an extra)
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
    except ImportError as error:
        raise SettingsError(
            "IPX_TRACES_URL is set, but the packages are missing: pip install ipx-gateway[tracing]"
        ) from error
    return Tracing(BatchSpanProcessor(OTLPSpanExporter(endpoint=url)))
