"""A delivered batch is applied part by part, so that the loop turns and what a part made is handed on before the next."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from stream.runtime.batches import Batch, Unread
from stream.runtime.flow import Flow
from stream.runtime.work import Part

Take = Callable[[Batch], tuple[Part, Batch | None]]


async def _turn() -> None:
    await asyncio.sleep(0)


async def in_parts(
    flow: Flow,
    delivered: Batch | Unread,
    take: Take,
    limit: int,
    between: Callable[[], Awaitable[Any]] = _turn,
    before: Callable[[Batch], Awaitable[bool]] | None = None,
) -> None:
    """Apply a batch as long as it is this worker's; the rest is read again by who has it.

    Args:
        flow: whose batch it is.
        delivered: the batch as it came.
        take: applies a part, and returns what is left.
        limit: so many rows or cuts may be unwritten before the next part.
        between: what is done between two parts.
        before: is told what is to be applied next; where it says False, the batch is this worker's no more.
    """
    rest = flow.accept(delivered)
    while rest is not None:
        if before is not None and not await before(rest):
            break
        part, rest = take(rest)
        await flow.room(part, limit)
        if rest is not None:
            await between()
            rest = flow.accept(rest) if flow.assigned else None
