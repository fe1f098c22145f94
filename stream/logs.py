"""How a worker logs: one line an entry on stderr, for people or as JSON."""

import logging
from collections.abc import MutableMapping
from datetime import UTC, datetime
from typing import Any, Literal

import orjson

_CHATTY = ("aiokafka", "asyncio", "faust", "mode")  # tell each start and stop of their parts at `info`


def json_lines() -> logging.Formatter:
    """Make the formatter of one JSON object a line: `at`, `level`, `logger`, `message`, `error`, and what `extra` carries.

    structlog takes a tenth of a second to import, so only who wants JSON pays for it.
    """
    from structlog.stdlib import ExtraAdder, ProcessorFormatter  # noqa: PLC0415 - as said

    return ProcessorFormatter(
        foreign_pre_chain=[_entry, ExtraAdder()], processors=[ProcessorFormatter.remove_processors_meta, _ordered, _line]
    )


def _entry(_logger: object, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Take over what every entry has."""
    record: logging.LogRecord = event["_record"]
    event["at"] = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    event["level"], event["logger"] = record.levelname.lower(), record.name
    if record.exc_info:
        event["error"] = logging.Formatter().formatException(record.exc_info)
    event.pop("exc_info", None)
    return event


def _ordered(_logger: object, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    message = event.pop("event")
    return {name: event.pop(name) for name in ("at", "level", "logger")} | {"message": message} | dict(event)


def _line(_logger: object, _name: str, event: MutableMapping[str, Any]) -> str:
    return orjson.dumps(event, default=str).decode()


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
            "json": {"()": "stream.logs.json_lines"},
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
