"""How a worker logs: one line an entry on stderr, for people or as JSON."""

import logging
from datetime import UTC, datetime
from typing import Any, Literal

import orjson

_CHATTY = ("aiokafka", "asyncio", "faust", "mode")  # tell each start and stop of their parts at `info`


class JsonLines(logging.Formatter):
    """Write an entry as one JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return `{"at", "level", "logger", "message"}`, and `error` with the traceback where there is one."""
        entry = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            entry["error"] = self.formatException(record.exc_info)
        return orjson.dumps(entry).decode()


class WithoutServices(logging.Filter):
    """Drop what mode's services say about their starts and stops below a warning: `[^--App]: Starting...`."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether the entry stays."""
        return record.levelno >= logging.WARNING or not record.getMessage().startswith("[^")


def config(level: str, layout: Literal["console", "json"]) -> dict[str, Any]:
    """Return the configuration for `logging.config.dictConfig` and Faust's `logging_config`.

    Below `debug` the libraries' own parts speak up for warnings only.
    """
    chosen = level.upper()
    calm = chosen if chosen in {"DEBUG", "ERROR"} else "WARNING"
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "console": {"format": "%(asctime)s %(levelname)-7s %(name)s: %(message)s"},
            "json": {"()": "stream.logs.JsonLines"},
        },
        "filters": {"calm": {"()": "stream.logs.WithoutServices"}},
        "handlers": {
            "stderr": {
                "class": "logging.StreamHandler",
                "formatter": layout,
                "level": chosen,
                "filters": [] if chosen == "DEBUG" else ["calm"],
            }
        },
        "loggers": {name: {"level": calm} for name in _CHATTY},
        "root": {"level": chosen, "handlers": ["stderr"]},
    }
