"""Rates: what a key may send at once and for long."""

import pytest

from stream.collector.rates import Rates
from stream.collector.request import Refused
from stream.collector.write_keys import WriteKey

SLOW = WriteKey("slow", rate=10, burst=20)


class Clock:
    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def refused(rates: Rates, key: WriteKey, events: int) -> Refused:
    with pytest.raises(Refused) as told:
        rates.take(key, events)
    return told.value


def test_a_burst_passes_then_the_rate_holds_and_says_when_to_come_again() -> None:
    clock = Clock()
    rates = Rates(clock)
    for _ in range(20):
        rates.take(SLOW, 1)
    no = refused(rates, SLOW, 15)
    assert (no.status, no.retry_after_s) == (429, 2)
    clock.now_s += 1.5
    rates.take(SLOW, 15)
    assert refused(rates, SLOW, 1).retry_after_s == 1


def test_what_is_refused_costs_nothing() -> None:
    rates = Rates(Clock())
    rates.take(SLOW, 19)
    refused(rates, SLOW, 2)
    rates.take(SLOW, 1)


def test_a_batch_larger_than_the_burst_passes_once_the_bucket_is_full_and_is_paid_for_afterwards() -> None:
    clock = Clock()
    rates = Rates(clock)
    rates.take(SLOW, 100)
    assert refused(rates, SLOW, 1).retry_after_s == 9  # (80 + 1) / 10, rounded up
    clock.now_s += 8.2
    rates.take(SLOW, 1)


def test_a_key_without_a_rate_is_never_held_up_and_one_key_does_not_pay_for_another() -> None:
    rates = Rates(Clock())
    rates.take(SLOW, 20)
    rates.take(WriteKey("other", rate=10, burst=20), 20)
    for _ in range(100):
        rates.take(WriteKey("free"), 2500)
    assert len(rates._buckets) == 2
