# ruff: noqa: E501 - one case a line
"""Edge cases of who is whom, one a line: what is sent, and who is one person afterwards.

The numbers are those of the list of cases that the product was designed by. Where the contract decides otherwise than that
list, the line says `contract:` and how; the contract holds.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest

from stream.collected import TRUST, collected_by
from stream.domain.event import Event
from stream.domain.ids import lead_id
from stream.domain.log import Erasing, Linking, Unlinking
from stream.domain.ruleset.model import Ruleset
from stream.domain.trust import doubt
from stream.intake import Intake
from stream.lookups import Lookups
from tests.told import BEHAVIOURS, LADDER, MINUTE, START, Log, rules

Step = dict[str, Any] | tuple[str, ...]
USER = {n: lead_id(f"user::{n}") for n in (1, 2, 3)}
MAIL, MAIL_LEAD = "email::x@acme.example", lead_id("email::x@acme.example")


@dataclass(frozen=True)
class Case:
    """One line: steps, and who is one person then, as space separated identities; a person that is no lead is marked `~`."""

    number: str
    name: str
    steps: Sequence[Step]
    people: set[str]
    told: Sequence[str] = ()
    shared: str = ""
    contract: str = ""
    also: Callable[[Log], bool] | None = None
    ruleset: Ruleset = field(default_factory=rules)

    def __str__(self) -> str:
        return f"{self.number} {self.name}" + (f", contract: {self.contract}" if self.contract else "")


def e(user: int | str | None = None, anon: str | None = None, type_: str = "page", **more: Any) -> dict[str, Any]:
    """Return an event by a user, a cookie, or both."""
    return {"type": type_, "userId": user, "anonymousId": anon, **more}


def asked(user: int | None = None, anon: str | None = None, **more: Any) -> dict[str, Any]:
    return e(user, anon, "track", event="Asked", **more)


def identify(user: int | str | None = None, anon: str | None = None, **traits: Any) -> dict[str, Any]:
    return e(user, anon, "identify", traits=traits)


def ids(*external: tuple[str, str] | tuple[str, str, str], **more: Any) -> dict[str, Any]:
    """Return an event by external ids: (type, id) or (type, id, scope)."""
    entries = [dict(zip(("type", "id", "scope"), entry, strict=False)) for entry in external]
    return {"type": "page", "context": {"externalIds": entries}, **more}


def bought(log: Log, lead: str) -> float:
    """Return the points of behaviours of a lead, as of the last step."""
    person = log.people.rows.person(lead)
    assert person is not None
    rows = log.document(person.members[0], person.as_of)["explain"]
    return round(sum(float(row["points"]) for row in rows), 1)


def word(name: str, what: str, one: str, other: str = "") -> Linking | Unlinking | Erasing:
    """Return an operator's word."""
    if what == "erase":
        return Erasing(name, one, b"salt")
    return Linking(name, one, other) if what == "link" else Unlinking(name, one, other)


def happens(steps: Sequence[Step], ruleset: Ruleset) -> Log:
    """Let the steps happen a minute apart."""
    log, intake = Log(ruleset), Intake(Lookups())
    for number, step in enumerate(steps):
        now = START + number * MINUTE
        if isinstance(step, tuple):
            log.tick(now)
            log.append(word(str(number), *step))
            continue
        event = {"messageId": f"m{number}", **step}
        headers = [(TRUST, event.pop("trust").encode())] if "trust" in event else []
        read = intake.read(orjson.dumps({k: v for k, v in event.items() if v is not None}), now, collected_by(headers))
        assert isinstance(read, Event), read
        if read.browser:
            doubt(read, ruleset)
        log.add(read)
    return log


SMALL = rules(BEHAVIOURS + LADDER + "[identity]\nmax_members = 3\n")
TRUSTED = rules(BEHAVIOURS + LADDER + "[identity]\ntrusted_only = true\n")
WEAK = rules(BEHAVIOURS + LADDER + '[identity]\ntyped_email = "C"\n')
CONFLICT, MERGED, UNMERGED, MOVED = "identity.conflict", "lead.merged", "lead.unmerged", "lead.stage_changed"

CASES = [
    # -- 1, 2, 4: two people, one device
    Case("1", "an event of one known person on the other's device joins nobody, it is the registration's, both leads hear of it", [e(1, "a"), e(2, "b"), asked(1, "b")], {"user::1 anon::a", "user::2 anon::b"}, [MOVED, MOVED, CONFLICT, CONFLICT, MOVED], "anon::b", also=lambda log: bought(log, USER[1]) == 90.0),
    Case("1", "an address and a registration that are both known become one", [e(1), ids(("email", "x@acme.example")), identify(1, email="x@acme.example")], {f"user::1 {MAIL}"}, [MOVED, MOVED, MERGED], contract="class B may merge"),
    Case("1", "an address between two registrations is the first one's", [identify(1, email="x@acme.example"), identify(2, email="x@acme.example")], {f"user::1 {MAIL}", "user::2"}, [MOVED, CONFLICT, CONFLICT, MOVED]),
    Case("2", "what is done on a shared device is nobody's", [e(1, "a"), e(2, "a"), asked(anon="a"), asked(anon="a")], {"user::1 anon::a", "user::2"}, [MOVED, CONFLICT, CONFLICT, MOVED], "anon::a", "no third person takes it, it counts for the company alone", lambda log: bought(log, USER[1]) == 10.0),
    Case("2", "a shared device links nobody any more", [e(1, "a"), e(2, "a"), e(3, "a"), identify(anon="a", email="x@acme.example")], {"user::1 anon::a", "user::2", "user::3"}, shared="anon::a"),
    Case("2", "a second conflict of the same two is not told again", [e(1, "a"), e(2, "a"), e(2, "a"), e(2, "a")], {"user::1 anon::a", "user::2"}, [MOVED, CONFLICT, CONFLICT, MOVED], "anon::a"),
    Case("2", "an address is no device, so it is not shared", [identify(1, email="x@acme.example"), identify(2, email="x@acme.example"), e(1)], {f"user::1 {MAIL}", "user::2"}),
    Case("2", "a typed address that counts as weak is shared like a device", [identify(1, email="x@acme.example"), identify(2, email="x@acme.example")], {f"user::1 {MAIL}", "user::2"}, shared=MAIL, ruleset=WEAK),
    Case("3", "what a cookie did before the login comes along", [asked(anon="a"), asked(anon="a"), e(1, "a")], {"user::1 anon::a"}, contract="however long ago, as sums that have decayed", also=lambda log: bought(log, USER[1]) == 170.0),
    Case("4", "another login on a device is a conflict", [asked(1, "a"), e(2, "a"), asked(2, "a")], {"user::1 anon::a", "user::2"}, [MOVED, CONFLICT, CONFLICT, MOVED, MOVED], "anon::a", "its time line is not cut: what it gave stays with the first, what comes is the registration's alone"),
    # -- 5 to 8: links in any order, late, and after a merge
    Case("5", "there and back and to itself is one link", [e(type_="alias", anon="a", previousId="b"), e(type_="alias", anon="b", previousId="a"), e(type_="alias", anon="a", previousId="a")], {"~ anon::a anon::b"}),
    Case("5", "an alias chain is one person, from whichever end somebody identifies", [e(type_="alias", anon="c", previousId="b"), e(type_="alias", anon="b", previousId="a"), identify(1, "a")], {"user::1 anon::a anon::b anon::c"}, [MOVED]),
    Case("5", "a cycle of aliases is one person; another registration on it is a conflict about the device it names alone", [e(type_="alias", anon="a", previousId="b"), e(type_="alias", anon="b", previousId="c"), e(type_="alias", anon="c", previousId="a"), e(2, type_="alias", previousId="c"), e(3, type_="alias", previousId="a")], {"user::2 anon::a anon::b anon::c", "user::3"}, [MOVED, CONFLICT, CONFLICT, MOVED], "anon::a"),
    Case("6", "a link that happened earlier and is heard of late counts from when it is heard of", [asked(anon="a"), e(1), e(1, "a", timestamp="2026-01-04T00:00:00Z")], {"user::1 anon::a"}, [MOVED, MOVED], contract="one stage change at the present clock, reason merge; history is not written again", also=lambda log: log.facts[-1]["time"] > "2026-01-05"),
    Case("7", "what comes late under an id that was merged away is the survivor's", [e(1), ids(("email", "x@acme.example")), identify(1, email="x@acme.example"), ids(("email", "x@acme.example")), ids(("lead", MAIL_LEAD))], {f"user::1 {MAIL} lead::{MAIL_LEAD}"}, also=lambda log: bought(log, MAIL_LEAD) == 40.0),
    Case("7", "a lead id that nobody has yet counts from when somebody has", [ids(("lead", USER[1])), ids(("lead", USER[1])), e(1)], {f"user::1 lead::{USER[1]}"}, also=lambda log: bought(log, USER[1]) == 30.0),
    Case("7", "what names no lead is nobody's, whoever is kept under that inside", [e(type_="alias", anon="a", previousId="b"), ids(("lead", "~anon::a")), identify(1, "a"), ids(("lead", "~anon::a"))], {"user::1 anon::a anon::b"}),
    Case("7", "after an unmerge an old lead id is its own lead's again, also for the CRM", [e(1), ids(("email", "x@acme.example")), identify(1, email="x@acme.example"), ("unlink", "user::1", MAIL), {**ids(("lead", MAIL_LEAD)), "type": "track", "event": "Lead Stage Changed", "properties": {"stage": "customer"}}], {"user::1", f"{MAIL} lead::{MAIL_LEAD}"}, also=lambda log: (log.person(MAIL).stage, log.person("user::1").stage) == ("customer", "lead")),
    Case("8", "a chain of merges names all who ended", [e(1), ids(("email", "x@acme.example")), ids(("crm_lead_id", "9")), ids(("crm_lead_id", "9"), ("email", "x@acme.example")), identify(1, email="x@acme.example")], {f"user::1 {MAIL} crm::9"}, also=lambda log: set(log.person("user::1").previous) == {MAIL_LEAD, lead_id("crm::9")}),
    # -- 9 to 13: what a merge does with what both have
    Case("9", "one messageId under two identities is two events", [e(1, messageId="m"), ids(("email", "x@acme.example"), messageId="m"), identify(1, email="x@acme.example")], {f"user::1 {MAIL}"}, contract="duplicates are known per source identity", also=lambda log: bought(log, USER[1]) == 20.0),
    Case("10", "of two values of a trait the newest by its own time stands, whoever told it", [identify(1, title="old", timestamp="2026-01-03T00:00:00Z"), {**ids(("email", "x@acme.example")), "type": "identify", "traits": {"title": "new"}}, identify(1, title="older", email="x@acme.example") | {"timestamp": "2026-01-04T00:00:00Z"}], {f"user::1 {MAIL}"}, contract="no source goes before another", also=lambda log: log.people.leads.view(log.person("user::1")).profile.trait("title") == "new"),
    Case("11", "the higher stage is taken over, then the joined score is judged", [e(1), asked(2), ids(("email", "x@acme.example")), {**ids(("email", "x@acme.example")), "type": "track", "event": "Asked"}, identify(1, email="x@acme.example")], {f"user::1 {MAIL}", "user::2"}, contract="with when it was entered; stages never sum", also=lambda log: log.moves(USER[1])[-1][1:3] == ("mql", "merge")),
    Case("11", "a stage of the CRM wins over a higher one of the engine", [asked(1), asked(1), {**ids(("email", "x@acme.example")), "type": "track", "event": "Lead Stage Changed", "properties": {"stage": "customer"}}, identify(1, email="x@acme.example")], {f"user::1 {MAIL}"}, contract="no task for anybody", also=lambda log: log.person("user::1").stage == "customer"),
    Case("12", "a merged lead has one account, that of the highest authority", [e(1, type_="group", groupId="g1"), {**ids(("email", "x@acme.example")), "type": "group", "groupId": "g2"}, identify(1, email="x@acme.example")], {f"user::1 {MAIL}"}, contract="the newest among equals, not all of them", also=lambda log: (log.people.leads.view(log.person("user::1")).profile.account() or {})["id"] == "account:group:g2"),
    Case("13", "what was shown to either side stays an event of that time", [e(1, type_="track", event="Met"), {**ids(("email", "x@acme.example")), "type": "track", "event": "Met"}, identify(1, email="x@acme.example")], {f"user::1 {MAIL}"}, also=lambda log: bought(log, USER[1]) == 60.0),
    # -- 14, 15: ids that do not exist, and too many
    *(Case("14", f"{junk!r} is nobody", [{"type": "page", "userId": junk, "anonymousId": "a"}], set()) for junk in ("", "  ", "anonymous", "GUEST", "null", "None", "NaN", "undefined", "true", "false", "0", "-1", "id", "email", "not_authenticated", "[object Object]", "'null'", '"undefined"', "000", "0-0", "---", "x" * 513)),
    Case("14", "a role mailbox may be a key", [ids(("email", "info@acme.example"))], {"email::info@acme.example"}, contract="it is an id, but never links"),
    Case("14", "a role mailbox joins nobody", [identify(1, email="info@acme.example"), identify(2, email="info@acme.example"), e(3)], {"user::1", "user::2", "user::3"}, contract="without a conflict"),
    Case("14", "a telephone number that many share is like any other", [identify(1, phone="+49 30 901820"), identify(anon="a", phone="+49 30 901820")], {"user::1 phone::+4930901820 anon::a"}, contract="no list of shared numbers"),
    Case("15", "a person is full, the link is refused and told, points go on", [e(1, "a"), e(1, "b"), asked(1, "c"), asked(1, "c")], {"user::1 anon::a anon::b" }, [MOVED, CONFLICT, MOVED, MOVED], contract="max_members is the only cap; nothing is shared by it", ruleset=SMALL, also=lambda log: bought(log, USER[1]) == 180.0),
    # -- 16, 17: order, and where ids come from
    Case("16", "the first in the log is the first, whatever the clocks say", [e(2, timestamp="2026-01-04T00:00:00Z"), identify(1, timestamp="2026-01-01T00:00:00Z"), ids(("crm_lead_id", "9")), ids(("user_id", "1"), ("crm_lead_id", "9"))], {"user::2", "user::1 crm::9"}, contract="one ordered log decides, no second look", also=lambda log: log.person("crm::9").id == USER[1]),
    Case("17", "a lead's id follows from what it was made of, wherever that is", [identify(anon="a", email="x@acme.example"), e(1, "a")], {f"anon::a {MAIL} user::1"}, contract="no resolver, so none can be down", also=lambda log: log.person("anon::a").id == MAIL_LEAD),
    # -- 18, 19, 20: whose word counts, and what is undone
    Case("18", "a browser links nobody to a registration where only servers are trusted", [asked(1, "a") | {"trust": "browser"}, e(anon="a", type_="identify", traits={"email": "x@acme.example"}) | {"trust": "browser"}], {"user::1", f"anon::a {MAIL}"}, ruleset=TRUSTED, also=lambda log: bought(log, USER[1]) == 80.0),
    Case("18", "a server does, and so does a signed event", [e(1, "a") | {"trust": "browser"}, e(1, "a") | {"trust": "server"}], {"user::1 anon::a"}, ruleset=TRUSTED),
    Case("18", "what is published to Kafka directly comes from inside", [e(1, "a")], {"user::1 anon::a"}, ruleset=TRUSTED),
    Case("18", "where everybody is trusted a browser links", [e(1, "a") | {"trust": "browser"}], {"user::1 anon::a"}),
    Case("19", "who was erased is not brought back by a link from before", [e(1, "a"), e(2), ("erase", "user::1"), ids(("crm_lead_id", "9"), ("user_id", "1"), timestamp="2026-01-04T00:00:00Z")], {"user::2", "crm::9"} , [MOVED, MOVED, "lead.erased", MOVED]),
    Case("20", "what an operator took apart no event joins again", [e(1, "a"), ("unlink", "user::1", "anon::a"), e(1, "a"), e(1, "b"), e(type_="alias", anon="b", previousId="a")], {"user::1 anon::b", "~ anon::a"}, [MOVED]),
    Case("20", "until an operator joins it", [e(1, "a"), ("unlink", "user::1", "anon::a"), e(1, "a"), ("link", "user::1", "anon::a")], {"user::1 anon::a"}),
    Case("20", "taken apart, joined and taken apart again by lead ids they are two, and no event joins them", [e(1), ids(("email", "x@acme.example")), identify(1, email="x@acme.example"), ("unlink", USER[1], MAIL_LEAD), ("link", MAIL_LEAD, USER[1]), ("unlink", USER[1], MAIL_LEAD), identify(1, email="x@acme.example")], {"user::1", MAIL}, [MOVED, MOVED, MERGED, UNMERGED, MOVED, MERGED, UNMERGED, MOVED]),
    Case("20", "unmerged leads answer under their own ids again", [e(1), ids(("email", "x@acme.example")), identify(1, email="x@acme.example"), ("unlink", "user::1", MAIL), identify(1, email="x@acme.example")], {"user::1", MAIL}, [MOVED, MOVED, MERGED, UNMERGED, MOVED], also=lambda log: log.person(MAIL).id == MAIL_LEAD),
    # -- WeChat, Weibo, WeCom, and what never links
    Case("wechat", "one openid in two apps is two identities", [ids(("wechat_openid", "oX", "wx1")), ids(("wechat_openid", "oX", "wx2"), ("weibo", "w"))], {"~ wechat_openid:wx2:oX weibo::w"}),
    Case("never", "an address, a session or a company is nobody's identity", [ids(("ip", "203.0.113.9"), ("Session", "s-1"), ("COMPANY", "acme"), userId=1), ids(("session", "s-1"), userId=2)], {"user::1", "user::2"}),
    Case("wechat", "an openid without its app does not exist", [ids(("wechat_openid", "oX"), anonymousId="a")], set()),
    Case("wechat", "a unionid joins the openids of its apps", [ids(("wechat_openid", "oA", "wx1"), ("wechat_unionid", "uX")), ids(("wechat_openid", "oB", "wx2"), ("wechat_unionid", "uX"))], {"wechat_unionid::uX wechat_openid:wx1:oA wechat_openid:wx2:oB"}, [MOVED]),
    Case("wechat", "openids of two apps that were one visitor are the person's whose unionid comes later; another's unionid shares the openid it names", [ids(("wechat_openid", "oA", "wx1"), ("wechat_openid", "oB", "wx2")), ids(("wechat_unionid", "u1"), ("wechat_openid", "oA", "wx1")), ids(("wechat_unionid", "u2"), ("wechat_openid", "oB", "wx2"))], {"wechat_unionid::u1 wechat_openid:wx1:oA wechat_openid:wx2:oB", "wechat_unionid::u2"}, [MOVED, CONFLICT, CONFLICT, MOVED], "wechat_openid:wx2:oB"),
    Case("wechat", "two unionids never are one person; the openid is shared", [ids(("wechat_unionid", "u1"), ("wechat_openid", "oA", "wx1")), ids(("wechat_unionid", "u2"), ("wechat_openid", "oA", "wx1"))], {"wechat_unionid::u1 wechat_openid:wx1:oA", "wechat_unionid::u2"}, [MOVED, CONFLICT, CONFLICT, MOVED], "wechat_openid:wx1:oA"),
    Case("wechat", "a unionid has no scope", [ids(("wechat_unionid", "uX", "wx1")), ids(("wechat_unionid", "uX", "wx2"))], {"wechat_unionid::uX"}),
    Case("weibo", "a Weibo uid is a device's word: the first person's, then shared", [ids(("user_id", "1"), ("weibo", "w")), ids(("user_id", "2"), ("weibo", "w"))], {"user::1 weibo::w", "user::2"}, [MOVED, CONFLICT, CONFLICT, MOVED], "weibo::w"),
    Case("wecom", "what WeCom calls somebody is weak, and of its corporation", [ids(("wecom_external_userid", "wm1", "corp1"), ("mobile", "+86 138 0013 8000")), ids(("wecom_external_userid", "wm1", "corp2"), ("weibo", "w"))], {"phone::+8613800138000 wecom_external_userid:corp1:wm1", "~ wecom_external_userid:corp2:wm1 weibo::w"}, [MOVED]),
    Case("kinds", "a registration and a CRM's number may be one person's, two of a kind may not", [ids(("user_id", "1"), ("crm_lead_id", "9")), ids(("user_id", "1"), ("crm_lead_id", "8"))], {"user::1 crm::9" }, [MOVED, CONFLICT]),
    Case("group", "a group call links nobody", [e(1, "a", "group", groupId="g"), e(2, "a", "group", groupId="g")], {"user::1", "user::2"}),
    Case("traits", "an address among traits links on identify alone", [e(1, traits={"email": "x@acme.example"}), e(2, context={"traits": {"email": "x@acme.example"}})], {"user::1", "user::2"}),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=str)
def test_case(case: Case) -> None:
    log = happens(case.steps, case.ruleset)
    persons = [person for person in log.people.rows.persons() if person.members]
    assert {_line(person.members, lead=bool(person.identified)) for person in persons} == {_ordered(line) for line in case.people}
    shared = {node for person in persons for node in person.members if (i := log.people.rows.identity(node)) and i.shared}
    assert shared == set(case.shared.split())
    if case.told:
        assert [fact["type"].removesuffix(".v1") for fact in log.facts] == list(case.told)
    assert case.also is None or case.also(log)


def test_every_case_of_the_list_is_there() -> None:
    assert {case.number for case in CASES} >= {str(number) for number in range(1, 21)}
    assert {case.number for case in CASES if case.contract} >= {str(n) for n in (2, 3, 4, 6, 9, 10, 11, 12, 14, 15, 16, 17)}


def _line(members: Sequence[str], *, lead: bool) -> str:
    return _ordered(" ".join(members if lead else ["~", *members]))


def _ordered(line: str) -> str:
    return " ".join(sorted(line.split()))
