"""Files that are read again while they are used: the next look comes, whatever the one before has met."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

from stream.agents import reloading
from stream.collector import service, write_keys
from stream.collector.origins import Origins
from stream.collector.request import Refused
from stream.collector.write_keys import WriteKey, WriteKeys

if TYPE_CHECKING:
    from stream.lookups import Lookups


class Looked:
    """Fails at the first look, in a way that nobody has thought of."""

    def __init__(self) -> None:
        self.looks = self.failing()
        self.again = asyncio.Event()
        self.loop = asyncio.get_running_loop()

    def failing(self) -> Iterator[None]:
        yield from ()
        raise ValueError("unheard of")

    def reload(self) -> bool:
        next(self.looks, None)
        self.loop.call_soon_threadsafe(self.again.set)
        return True


async def until(event: asyncio.Event, work: Awaitable[None]) -> None:
    """Let work go on until the event: it has no end of its own."""
    task = asyncio.ensure_future(work)
    waiting = asyncio.ensure_future(event.wait())
    await asyncio.wait([task, waiting], return_when=asyncio.FIRST_COMPLETED, timeout=10)
    assert event.is_set(), "no second look"
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def by_the_collector(looked: Looked) -> None:
    await service._reload("ranges", cast("Lookups", looked))


async def by_the_worker(looked: Looked) -> None:
    looking = reloading.Reloading(cast("Lookups", looked))
    await looking.start()
    try:
        await asyncio.Event().wait()
    finally:
        await looking.stop()


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "RELOAD_S", 0.001)
    monkeypatch.setattr(reloading, "EVERY_S", 0.001)


@pytest.mark.parametrize("who", [by_the_collector, by_the_worker])
async def test_a_look_that_fails_is_a_line_in_the_log_and_not_the_last(
    who: Callable[[Looked], Awaitable[None]], caplog: pytest.LogCaptureFixture
) -> None:
    looked = Looked()
    await until(looked.again, who(looked))
    told = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert told == ["The old ranges stay in force: ValueError('unheard of')"]


async def test_a_key_can_be_taken_back_behind_a_file_that_could_not_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path, taken, loop = tmp_path / "keys.toml", asyncio.Event(), asyncio.get_running_loop()
    read = write_keys._read

    def fails_once(path: Path) -> Mapping[str, WriteKey]:
        if path.read_text() == "unheard of":
            path.write_text("[keys.new]\n")
            raise ValueError
        return read(path)

    class Keys(WriteKeys):
        def reload(self) -> bool:
            if found := super().reload():
                loop.call_soon_threadsafe(taken.set)
            return found

    path.write_text("[keys.leaked]\n")
    keys = Keys(read(path), Origins(), path)
    monkeypatch.setattr(write_keys, "_read", fails_once)
    path.write_text("unheard of")
    await until(taken, service._reload("write keys", keys))
    with pytest.raises(Refused):
        keys.find("leaked")
    assert "The old write keys stay in force: ValueError()" in caplog.text
