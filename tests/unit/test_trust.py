"""Where only servers are trusted, a browser's event makes nobody one with a registration; all else of it counts."""

import pytest

from stream.collected import TRUST, Headers, collected_by
from stream.domain.event import Event, Link
from stream.domain.trust import doubt
from stream.intake import Intake
from stream.lookups import Lookups
from tests.told import BEHAVIOURS, LADDER, START, Log, happened, rules

TRUSTING = rules()
TRUSTED_ONLY = rules(BEHAVIOURS + LADDER + "[identity]\ntrusted_only = true\n")
MAIL = "email::x@acme.example"
EVENT = b'{"type":"page","userId":"42","anonymousId":"9f2c","timestamp":"2026-01-05T00:00:00Z"}'


@pytest.mark.parametrize(
    ("key", "others", "left"),
    [
        pytest.param("user::42", ["anon::9f2c", MAIL], [], id="a registration as key links nobody"),
        pytest.param("anon::9f2c", ["user::42", MAIL], [MAIL], id="a device does not link one"),
        pytest.param(MAIL, ["crm::7", "wechat_unionid::u", "phone::+4930123456"], ["phone::+4930123456"], id="of whatever kind"),
        pytest.param(f"lead::{'lead_0687587883fab020'}", [], [], id="a lead id links nobody anyhow"),
    ],
)
def test_a_browser_links_nothing_to_a_registration(key: str, others: list[str], left: list[str]) -> None:
    event = happened("page", key, START, links=others, browser=True)
    doubt(event, TRUSTED_ONLY)
    assert event.links == tuple(map(Link, left))
    assert event.node == key

    event = happened("page", key, START, links=others, browser=True)
    doubt(event, TRUSTING)
    assert event.links == tuple(map(Link, others))


def test_what_it_says_is_done_counts_for_its_key() -> None:
    log = Log(TRUSTED_ONLY)
    event = happened("Asked", "user::42", START, links=["anon::9f2c"], browser=True)
    doubt(event, TRUSTED_ONLY)
    log.add(event)

    assert log.person("user::42").stage == "mql"
    assert log.person("user::42").members == ["user::42"]


@pytest.mark.parametrize(
    ("headers", "browser"),
    [
        ((), False),
        ([(TRUST, b"server")], False),
        ([(TRUST, b"browser")], True),
        ([(TRUST, b"Server")], True),
        ([(TRUST, b"server"), (TRUST, b"browser")], True),
        ([("leadstream-forwarded-from", b"1:2"), (TRUST, b"browser")], True),
    ],
    ids=["no word on it: from inside", "a server's", "a browser's", "no word we know", "two words", "forwarded"],
)
def test_the_header_says_whose_word_it_is(headers: Headers, browser: bool) -> None:  # noqa: FBT001 - of the table
    event = Intake(Lookups()).read(EVENT, START, collected_by(headers))
    assert isinstance(event, Event)
    assert event.browser is browser
    assert event.links == (Link("anon::9f2c"),), "the ruleset decides"
