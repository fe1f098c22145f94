"""The examples of the page on identities do what the page says of them."""

import hashlib
import hmac
import re
from pathlib import Path
from typing import Any

from stream.collector.signatures import signature
from stream.domain.ids import lead_id
from stream.domain.ruleset.load import load
from stream.intake import Intake
from stream.lookups import Lookups
from stream.rulesets import default_text
from stream.simulation import simulate

PAGE = (Path(__file__).parents[2] / "docs" / "identity.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def simulated(block: str) -> dict[str, Any]:
    """Simulate a block as `leadstream simulate` reads it from a file: nothing added, nothing refused."""
    seen = simulate(block.encode().splitlines(), load(default_text()), Intake(Lookups()))
    assert seen["deadLetters"] == []
    return seen


def test_a_device_a_registration_and_an_address_become_one_lead() -> None:
    (lead,) = simulated(blocks("json")[0])["leads"]
    assert lead["id"] == lead_id("user::42")
    assert lead["members"] == ["anon::77aa", "anon::9f2c", "email::buyer@acme.example", "user::42"]


def test_a_kiosk_is_shared() -> None:
    seen = simulated(blocks("json")[1])
    assert [lead["members"] for lead in seen["leads"]] == [["anon::kiosk", "user::42"], ["user::43"]]
    conflicts = [change["subject"] for change in seen["stageChanges"] if change["type"] == "identity.conflict.v1"]
    assert set(conflicts) == {lead_id("user::42"), lead_id("user::43")}
    (kiosk,) = (visitor for visitor in seen["visitors"] if visitor["id"] == "anon::kiosk")
    assert kiosk["lead"] is None


def test_wechat_ids_of_one_event_are_one_lead() -> None:
    (lead,) = simulated(blocks("json")[2])["leads"]
    assert lead["members"] == ["phone::+8613800138000", "wechat_openid:wx1:oX", "wechat_unionid::o6A"]


def test_the_ruleset_shown_is_one_with_what_holds_when_it_is_left_out() -> None:
    shown, empty = load(blocks("toml")[0].encode()), load(b"")
    assert (shown.max_members, shown.typed_email, shown.trusted_only) == (
        empty.max_members,
        empty.typed_email,
        empty.trusted_only,
    )


def test_a_signature_is_made_as_the_page_says() -> None:
    assert "hexadecimal HMAC-SHA256 (secret, userId)" in PAGE
    assert signature(b"secret", "42") == hmac.new(b"secret", b"42", hashlib.sha256).hexdigest()
