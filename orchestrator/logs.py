"""One event name a line, its facts as fields; who and where come from the context.

Keys, tokens, cookies, passwords and terminal bytes are never logged.
"""

import logging
import sys
from typing import Any

import structlog

_HANDLER = "rootblood"


def configure(*, colours: bool | None = None) -> None:
    """Send structured lines to standard error; calling again changes nothing."""
    if any(handler.get_name() == _HANDLER for handler in logging.root.handlers):
        return
    if colours is None:
        colours = sys.stderr.isatty()
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler()
    handler.set_name(_HANDLER)
    render: Any = (
        structlog.dev.ConsoleRenderer(colors=True)
        if colours
        else structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"])
    )
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                render,
            ],
        )
    )
    logging.root.addHandler(handler)
    logging.root.setLevel(logging.INFO)
    for noisy in ("alembic", "urllib3", "docker"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def log(name: str) -> Any:
    """Return the logger of one module."""
    return structlog.stdlib.get_logger(name)
