"""What Faust asks of its settings, for every value that ours may have."""

import pytest

from stream import app as wiring
from stream.settings import Settings


@pytest.mark.parametrize("session", ["6s", "90s", "5m"])
def test_no_session_is_longer_than_a_request_may_take(session: str) -> None:
    """Faust makes no consumer else, and ends with a traceback."""
    conf = wiring.create(Settings.model_validate({"session_timeout": session, "app": f"session-{session}"})).conf

    assert conf.broker_session_timeout <= conf.broker_request_timeout


def test_a_worker_at_any_free_port_tells_the_group_the_one_it_listens_at() -> None:
    app = wiring.create(Settings(app="anywhere", web_port=0))

    assert app.leadstream.settings.web_port > 0
    assert str(app.conf.canonical_url) == app.leadstream.settings.member_url == app.leadstream.settings.web_url
