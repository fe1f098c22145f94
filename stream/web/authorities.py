"""aiohttp without the certificates of all authorities: it reads them when it is imported, twice, and we speak no https by it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_authorities() -> Iterator[None]:
    """Hide them."""
    hidden = {"SSL_CERT_FILE": os.devnull, "SSL_CERT_DIR": os.devnull}
    before = {name: os.environ.get(name) for name in hidden}
    os.environ.update(hidden)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
