"""Logs: one JSON line an event on standard error, without tokens, bodies, record ids or the values of variables.

Each line of a call carries its `trace_id`, each line of an exchange the `exchange` too, whoever writes it.
"""

import logging
import os
import sys
from typing import Any

import structlog
from structlog.typing import EventDict, ExcInfo, Processor

_frames = structlog.tracebacks.ExceptionDictTransformer(show_locals=False, max_frames=20)


def configure(level: int = logging.INFO) -> None:
    """Let structlog and Python's own loggers write JSON lines.

    A traceback names kinds of errors and places in the code, never the values that were there: an error's own text may
    hold a piece of a record.
    """
    # Authlib and httpx print whole tokens and addresses at DEBUG.
    for name in ("authlib", "httpx", "httpcore"):
        logging.getLogger(name).setLevel(max(level, logging.INFO))
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(processors=[_plain, *_lines()], foreign_pre_chain=[]))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(level, logging.WARNING))
    # What holders' systems say of a failure in their own words, which may hold values: for whoever looks for its cause.
    logging.getLogger("connectors").setLevel(logging.DEBUG if level <= logging.DEBUG else logging.NOTSET)
    structlog.configure(
        processors=_lines(),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )


def configure_by_environment() -> None:
    """Log as `IPX_LOG_LEVEL` says: warnings and errors where it says nothing."""
    configure(logging.getLevelNamesMapping()[os.environ.get("IPX_LOG_LEVEL", "warning").upper()])


def _lines() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.ExceptionRenderer(_places),
        structlog.processors.JSONRenderer(ensure_ascii=False),
    ]


def _plain(_logger: Any, _name: str, event: EventDict) -> EventDict:
    """Take over a record of Python's own loggers; how it got here is told by nobody."""
    record: logging.LogRecord = event.pop("_record")
    event.pop("_from_structlog", None)
    event["logger"] = record.name
    if record.exc_info:
        event["exc_info"] = record.exc_info
    return event


def _places(exc_info: ExcInfo) -> list[dict[str, Any]]:
    """Describe an error and what caused it by kind and places, without anything it says itself."""
    return [
        {
            "exc_type": one["exc_type"],
            "frames": [{name: frame[name] for name in ("filename", "lineno", "name")} for frame in one["frames"]],
        }
        for one in _frames(exc_info)
    ]
