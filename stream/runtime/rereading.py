"""Files that are read again while they are used: a look that fails is not the last one."""

import asyncio
import logging
from collections.abc import Callable

logger = logging.getLogger(__name__)


async def look(what: str, read: Callable[[], object]) -> None:
    """Read again in a thread; whatever that raises is a line in the log, since nobody waits for who looks again and again."""
    try:
        await asyncio.to_thread(read)
    except Exception as error:  # noqa: BLE001 - a file is a stranger's
        logger.error("The old %s stay in force: %r", what, error)  # noqa: TRY400 - too deep a file has a thousand frames
