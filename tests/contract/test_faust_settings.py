"""What Faust asks of its settings, for every value that ours may have."""

import pytest

from stream import app as wiring
from stream.settings import Settings


@pytest.mark.parametrize("session", ["6s", "90s", "5m"])
def test_no_session_is_longer_than_a_request_may_take(session: str) -> None:
    """Faust makes no consumer else, and ends with a traceback."""
    conf = wiring.create(Settings.model_validate({"session_timeout": session, "app": f"session-{session}"})).conf

    assert conf.broker_session_timeout <= conf.broker_request_timeout
