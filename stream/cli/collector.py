"""`leadstream collector`: events in by HTTP."""

import logging.config

import click

from stream.settings import load


@click.command()
def collector() -> None:
    r"""Take events by HTTP: unmodified Segment, RudderStack and Snowplow clients, a plain fetch, an image.

    A request is answered 200 when Kafka has acknowledged all its events, else 503: the client sends it again, and an
    event is counted once however often it comes. SIGTERM or Ctrl-C ends it when everything that came in is answered.
    Start several behind a balancer, or one a core; they share nothing.

    \b
    leadstream collector
    curl -d '{"messageId": "1", "anonymousId": "9f2c"}' http://127.0.0.1:8080/v1/page

    It listens on LEADSTREAM_COLLECTOR_HOST and _PORT. LEADSTREAM_WRITE_KEYS names the file of write keys (none: any key),
    LEADSTREAM_TRUSTED_PROXIES the proxies whose word on a visitor's address counts.
    """  # fmt: skip
    import uvloop

    from stream import logs
    from stream.collector.service import serve

    settings = load()
    logging.config.dictConfig(logs.config(settings.log_level, settings.log_format))
    logging.getLogger("uvicorn").setLevel(logging.ERROR)
    uvloop.run(serve(settings))
