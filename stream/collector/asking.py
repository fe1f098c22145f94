"""The one who asks a worker for the collector: two paths of its API, over kept connections, with a short patience."""

from typing import Any, Final

import aiohttp
from yarl import URL

from stream.settings import Settings
from stream.web.answers import APP, document_in
from stream.web.signin import credentials

PATIENCE_S: Final = 1.0
CONNECTIONS: Final = 32


class Worker:
    """Asks the worker at WORKER_URL, else WEB_HOST:WEB_PORT; made and closed in the running loop."""

    def __init__(self, settings: Settings) -> None:
        """Connect at the first question."""
        self._base = (settings.worker_url or settings.web_url).rstrip("/")
        self._named = URL(self._base).with_user(None)  # what is said of it goes into the log
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=CONNECTIONS),
            timeout=aiohttp.ClientTimeout(total=PATIENCE_S),
            headers=dict(credentials(settings)),
        )

    async def ask(self, path: str) -> dict[str, Any] | None:
        """Return the document at a path; None: there is none. Raises OSError where no worker answers it."""
        try:
            async with self._session.get(URL(f"{self._base}{path}", encoded=True)) as answer:
                body = await answer.read()
        except TimeoutError as error:
            raise OSError(f"{self._named} does not answer in {PATIENCE_S:g} s") from error
        except aiohttp.ClientError as error:
            why = error if isinstance(error, aiohttp.ClientOSError) else type(error).__name__  # others name the path, an id
            raise OSError(f"{self._named}: {why}") from error
        if answer.status == 404 and APP in answer.headers:  # others say 404 as well
            return None
        document = document_in(body) if answer.status == 200 else None
        if document is None:
            raise OSError(f"{self._named} answers {answer.status}")
        return document

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()
