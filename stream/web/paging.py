"""How commands read pages of documents from a worker to their end."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from stream.settings import Settings
from stream.web.client import get

LIMIT = 500


def pages(settings: Settings, kind: str, url: str | None) -> Iterator[list[dict[str, Any]]]:
    """Yield pages of all documents of a kind (`leads`, `accounts`) by id; raises as `client.get` does."""
    after: str | None = ""
    while after is not None:
        query = f"?limit={LIMIT}" + (f"&after={quote(after, safe='')}" if after else "")
        page = get(settings, f"/v1/{kind}{query}", url)
        yield page[kind]
        after = page["next"]
