"""Logs: one JSON line an event on standard error, without tokens, bodies, record ids or the values of variables."""

import logging
import sys

import structlog


def configure(level: int = logging.INFO) -> None:
    """Let structlog write JSON lines. A traceback names places in the code and never the values that were there."""
    # Authlib and httpx print whole tokens and addresses at DEBUG.
    for name in ("authlib", "httpx", "httpcore"):
        logging.getLogger(name).setLevel(max(level, logging.INFO))
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.ExceptionRenderer(
                structlog.tracebacks.ExceptionDictTransformer(show_locals=False, max_frames=20)
            ),
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
