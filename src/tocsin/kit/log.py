"""Structured logs: one JSON object a line, or readable lines when a person watches."""

import logging
import re
import sys
from typing import Any

import structlog

_SECRETS = re.compile(
    r"(sk_(?:live|test)_|is_(?:live|test)_|whsec_|rt_|lk_)[0-9A-Za-z_+/=-]{4,}"
    r"|(Bearer\s+)[\w.+/=-]{8,}"
    r"|(bot\d+:)[\w-]{30,}"
    r"|\beyJ[\w-]{8,}\.[\w-]+\.[\w-]+"
)


def masked(text: str) -> str:
    """The text with everything that looks like a credential replaced, its kind kept."""
    return _SECRETS.sub(lambda m: next((g for g in m.groups() if g), "") + "***", text)


def configure(*, as_json: bool, level: str = "INFO") -> None:
    """Send all logging of this process, ours and the libraries', through one masked renderer to stderr."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _mask,
    ]
    renderer: Any = structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer()
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level)),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for noisy in ("uvicorn.access", "asyncio"):
        logging.getLogger(noisy).setLevel("WARNING")


def _mask(_logger: Any, _name: str, event: dict[str, Any]) -> dict[str, Any]:
    return {key: masked(value) if isinstance(value, str) else value for key, value in event.items()}
