import asyncio
from typing import ClassVar, Self

import pytest

from stream.errors import UnreachableError
from stream.ops.lag import Lag, Report
from stream.settings import Settings
from stream.web import lagging
from stream.web.lagging import Lagging


class Meter:
    """Measures until it is cancelled, and must not be hung up meanwhile."""

    measuring = asyncio.Event()
    ended: ClassVar[list[str]] = []

    def __init__(self, *_: object) -> None: ...

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


async def test_the_last_report_is_told_until_the_next_is_there_and_none_after_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """A scrape that finds nothing lets an alert begin anew."""
    first, measuring, answers = Report([Lag("events", 0, 1, 9, 8, 5.0, "STOP")]), asyncio.Event(), asyncio.Queue[Report | None]()

    class Slow(Meter):
        async def measure(self) -> Report:  # type: ignore[override]  # this one ends
            measuring.set()
            answer = await answers.get()
            if answer is None:
                raise UnreachableError("gone")
            return answer

    monkeypatch.setattr(lagging, "LagMeter", Slow)
    monkeypatch.setattr(lagging, "FRESH_S", 0)
    service = Lagging(Settings())
    answers.put_nowait(first)
    await service.measure()
    measuring.clear()
    again = asyncio.ensure_future(service.measure())
    await measuring.wait()
    assert service.report is first

    answers.put_nowait(None)
    with pytest.raises(UnreachableError):
        await again
    assert service.report == Report()
