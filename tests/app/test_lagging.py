import asyncio
from typing import ClassVar, Self

import pytest

from stream.settings import Settings
from stream.web import lagging
from stream.web.lagging import Lagging


class Meter:
    """Measures until it is cancelled, and must not be hung up meanwhile."""

    measuring = asyncio.Event()
    ended: ClassVar[list[str]] = []

    def __init__(self, _: Settings) -> None: ...

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.ended.append("hung up")

    async def measure(self) -> None:
        self.measuring.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.ended.append("measured")


async def test_a_stop_hangs_up_when_nobody_measures_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lagging, "LagMeter", Meter)
    service = Lagging(Settings())
    await service.start()
    await Meter.measuring.wait()

    await service.stop()

    assert Meter.ended == ["measured", "hung up"]
