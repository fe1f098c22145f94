"""What an event is worth: first touch point, first behaviour, every tag once; the same as a walk through all rules."""

from fnmatch import fnmatchcase
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.domain.event import Company, Event
from stream.domain.ruleset import Ruleset, columns, load, matcher
from stream.domain.ruleset.model import Topic

DAY = 86_400_000
ACME = Company("Acme", "acme.example", "business", 0.9, "ranges", "192.0.2.0/24", "", {"industry": "Oil", "size": ""})


def read(text: str) -> Ruleset:
    return load(text.encode())


def event(**members: Any) -> Event:
    given: dict[str, Any] = {"node": "anon::1", "type": "page", "t": 0, "r": 0, "message": b"", **members}
    return Event(**given)


def topics(*names: str, days: float = 14) -> tuple[Topic, ...]:
    return tuple(Topic(name, days * DAY) for name in names)


VIEWED = "[behaviours.viewed]\nmatch = {}\n"
KEYS: list[tuple[str, str, dict[str, Any], bool]] = [
    ("type", 'type = "page"', {}, True),
    ("another type", 'type = "track"', {}, False),
    ("several types", 'type = ["track", "page"]', {}, True),
    ("event", 'event = "trial *"', {"event": "Trial Started"}, True),
    ("title", 'title = "*price*"', {"title": "Our prices"}, True),
    ("search", 'search = "*q=crm*"', {"search": "?Q=CRM"}, True),
    ("url stays as it was sent", 'url = "*/für/*"', {"url": "shop.example/f%C3%BCr"}, False),
    ("url", 'url = "*/products/*"', {"url": "shop.example/products"}, True),
    ("channel", 'channel = "email"', {"channel": "Email"}, True),
    ("referrer", 'referrer = "*google.*"', {"referrer": "https://www.google.com/"}, True),
    ("no referrer", 'referrer = "*"', {}, False),
    ("e-mail kind", 'email_kind = "free"', {"email_kind": "free"}, True),
    ("phone kind", 'phone_kind = "mobile"', {"phone_kind": "mobile"}, True),
    ("campaign", '"campaign.source" = "newsletter"', {"campaign": {"source": "Newsletter"}}, True),
    ("a property", '"properties.plan" = "pro"', {"properties": {"plan": "Pro"}}, True),
    ("a property by element", '"properties.plans" = "pro"', {"properties": {"plans": ["basic", "pro"]}}, True),
    ("a number", '"properties.seats" = { gte = 10 }', {"properties": {"seats": 10}}, True),
    ("a number as text", '"properties.seats" = { gte = 10 }', {"properties": {"seats": "10"}}, False),
    ("true for 1", '"properties.seats" = 1', {"properties": {"seats": True}}, False),
    ("1 for 1.0", '"properties.seats" = 1', {"properties": {"seats": 1.0}}, True),
    ("true", '"properties.won" = true', {"properties": {"won": True}}, True),
    ("1 for true", '"properties.won" = true', {"properties": {"won": 1}}, False),
    ("a null", '"properties.won" = true', {"properties": {"won": None}}, False),
    ("a property in a property", '"properties.product.kind" = "crm"', {"properties": {"product": {"kind": "CRM"}}}, True),
    ("a property with a dot", '"properties.product.kind" = "crm"', {"properties": {"product.kind": "CRM"}}, True),
    ("no such property", '"properties.product.kind" = "crm"', {"properties": {"product": "CRM"}}, False),
    ("a whole object", '"properties.product" = "*"', {"properties": {"product": {"kind": "CRM"}}}, False),
    ("two keys of a property", "properties = { a = 1, b = 2 }", {"properties": {"a": 1, "b": 2}}, True),
    ("one key of two", "properties = { a = 1, b = 2 }", {"properties": {"a": 1}}, False),
    ("a trait by its leaf path", '"traits.company.size" = 5', {"traits": {"company.size": 5}}, True),
    ("company", '"company.name" = "acme"', {"company": ACME}, True),
    ("a column of the ranges file", '"company.industry" = "oil"', {"company": ACME}, True),
    ("an empty column", '"company.size" = "*"', {"company": ACME}, False),
    ("confidence", '"company.confidence" = { gte = 0.9 }', {"company": ACME}, True),
    ("no company", '"company.name" = "*"', {}, False),
    ("a known company", '"company.known" = true', {"company": ACME}, True),
    ("an unknown company", '"company.known" = false', {}, True),
    ("an unknown company is not known", '"company.known" = true', {}, False),
]  # fmt: skip


@pytest.mark.parametrize(("name", "match", "members", "holds"), KEYS, ids=[row[0] for row in KEYS])
def test_a_key_finds_its_value(name: str, match: str, members: dict[str, Any], *, holds: bool) -> None:
    ruleset = read(f"[behaviours.it]\nmatch = {{ {match} }}")

    for _ in range(2):  # the second answer is remembered
        assert (ruleset.match(event(**members)).behaviour is not None) is holds, name


def test_the_first_touch_point_and_the_first_behaviour_of_the_file_count() -> None:
    ruleset = read(
        '[where.a]\nmatch = { url = "*/a*" }\nweight = 2\n[where.b]\nmatch = { url = "x/*" }\nweight = 3\n'
        '[behaviours.first]\nmatch = { url = "*b" }\n[behaviours.second]\nmatch = {}\n'
    )

    assert ruleset.match(event(url="x/ab")).where == 2.0
    assert ruleset.match(event(url="x/b")).where == 3.0
    assert ruleset.match(event(url="b")).where == 1.0
    assert ruleset.match(event(url="x/ab")).behaviour == ruleset.behaviours["first"]
    assert ruleset.match(event(url="x/a")).behaviour == ruleset.behaviours["second"]


def test_an_event_without_behaviour_gives_no_tags() -> None:
    ruleset = read('[tags.a]\nmatch = {}\n[tags.b]\nfrom = "properties.topics"\n')

    assert ruleset.match(event(properties={"topics": "x"})).tags == ()


def test_every_matching_tag_is_given() -> None:
    ruleset = read(VIEWED + '[tags.a]\nmatch = { url = "*a*" }\n[tags.b]\nmatch = { url = "*b*" }\nhalf_life = "30d"')

    assert ruleset.match(event(url="ab")).tags == topics("a") + topics("b", days=30)
    assert ruleset.match(event(url="b")).tags == topics("b", days=30)


@pytest.mark.parametrize(
    ("value", "names"),
    [
        ("Pricing", ["pricing"]),
        ("  Lead Scoring ", ["lead scoring"]),
        (["CRM", "crm ", "Pricing"], ["crm", "pricing"]),
        (["a", 1, True, None, {"b": 1}, ["c"], "d"], ["a", "d"]),
        ("", []),
        ("   ", []),
        ("x" * 64, ["x" * 64]),
        ("x" * 65, []),
        (5, []),
        (None, []),
        ({"a": "b"}, []),
        ([], []),
    ],
)
def test_the_content_names_its_tags(value: Any, names: list[str]) -> None:
    ruleset = read(VIEWED + '[tags.topics]\nfrom = "properties.topics"')

    for _ in range(2):
        assert ruleset.match(event(properties={"topics": value})).tags == topics(*names)


def test_match_limits_where_a_from_rule_looks() -> None:
    ruleset = read(VIEWED + '[tags.topics]\nfrom = "properties.topics"\nmatch = { channel = "web" }')

    assert ruleset.match(event(properties={"topics": "a"}, channel="web")).tags == topics("a")
    assert ruleset.match(event(properties={"topics": "a"})).tags == ()


def test_an_event_gives_a_tag_once() -> None:
    ruleset = read(VIEWED + '[tags.pricing]\nmatch = {}\n[tags.topics]\nfrom = "properties.topics"')

    assert ruleset.match(event(properties={"topics": ["pricing", "Pricing"]})).tags == topics("pricing")


OWN = '[tags.pricing]\nmatch = { url = "*pricing" }\nhalf_life = "30d"\n'
NONE = '[tags.pricing]\nmatch = { url = "*pricing" }\n'
TOPICS = '[tags.topics]\nfrom = "properties.topics"\nhalf_life = "7d"\n'
MORE = '[tags.more]\nfrom = "properties.more"\nhalf_life = "3d"\n'
FADES: list[tuple[str, str, dict[str, Any], float]] = [
    ("its own half-life beats that of the content", OWN + TOPICS, {"url": "/pricing", "topics": "pricing"}, 30),
    ("also where its match does not hold", OWN + TOPICS, {"topics": "pricing"}, 30),
    ("without its own it has that of the from rule", NONE + TOPICS, {"url": "/pricing", "topics": "pricing"}, 7),
    ("also where the content does not name it", NONE + TOPICS, {"url": "/pricing"}, 7),
    ("also where its match does not hold, as any topic", NONE + TOPICS, {"topics": "pricing"}, 7),
    ("without any from rule it is that of [decay]", NONE, {"url": "/pricing"}, 14),
    ("of two from rules the first counts", TOPICS + MORE, {"topics": "pricing", "more": "pricing"}, 7),
    ("whatever the file says first", MORE + TOPICS, {"topics": "pricing", "more": "pricing"}, 3),
    ("the second counts where the first is silent", TOPICS + MORE, {"more": "pricing"}, 3),
    ("that of the first, whoever names it", NONE + TOPICS + MORE, {"url": "/pricing", "more": "pricing"}, 7),
    ("also where only the second does", NONE + TOPICS + MORE, {"more": "pricing"}, 7),
    ("also where that stands above", TOPICS + MORE + NONE, {"more": "pricing"}, 7),
]


@pytest.mark.parametrize(("name", "tags", "says", "days"), FADES, ids=[row[0] for row in FADES])
def test_how_fast_a_tag_fades(name: str, tags: str, says: dict[str, Any], days: float) -> None:
    found = read(VIEWED + tags).match(event(url=says.get("url"), properties=says))

    assert found.tags == topics("pricing", days=days), name


def test_memory_is_bounded_and_forgetting_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (matcher, columns):
        monkeypatch.setattr(module, "REMEMBERED", 2)
        monkeypatch.setattr(module, "LONGEST_TEXT", 40)
    ruleset = read(
        "".join(f'[behaviours.b{n}]\nmatch = {{ url = "*{n}" }}\n' for n in range(9))
        + '[tags.topics]\nfrom = "properties.topics"\n'
    )

    for n in [*range(9)] * 2:
        for long in ("", "x" * 50):
            match = ruleset.match(event(url=f"{long}{n}", properties={"topics": [f"{n}{long}"]}))
            assert match.behaviour == ruleset.behaviours[f"b{n}"]
            assert match.tags == topics(f"{n}{long}")


WORDS = st.sampled_from(["a", "ab", "b/a", "A/b/c", "pricing", "", "1"])
PATTERNS = st.sampled_from(["a", "*", "a*", "*b", "*a*", "a?", "*/b/*", "b/*", "[ab]*", "", "1"])
SCALARS = st.one_of(PATTERNS, st.sampled_from([0, 1, 1.5, True, False]))
RANGES = st.builds(lambda low, more: {"gte": low, "lte": low + more}, st.integers(-1, 2), st.integers(0, 2))
WANTED = st.one_of(SCALARS, st.lists(SCALARS, min_size=1, max_size=3), RANGES, st.just({"gte": 1}))
MATCHES = st.dictionaries(
    st.sampled_from(["event", "url", "title", "properties.a", "properties.b.c", "traits.x.y", "campaign.a"]),
    WANTED,
    max_size=3,
)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.sampled_from([0, 1, 1.0, 1.5, 2]), WORDS), lambda each: st.lists(each, max_size=3)
)
EVENTS = st.builds(
    event,
    event=st.none() | WORDS,
    url=st.none() | WORDS,
    title=st.none() | WORDS,
    properties=st.fixed_dictionaries({}, optional={"a": VALUES, "b": VALUES | st.fixed_dictionaries({"c": VALUES})}),
    traits=st.fixed_dictionaries({}, optional={"x.y": VALUES}),
    campaign=st.fixed_dictionaries({}, optional={"a": VALUES}),
)


def toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, list):
        return f"[{', '.join(map(toml, value))}]"
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{toml(key)} = {toml(each)}' for key, each in value.items())} }}"
    return str(value)


def naive_value(of: Event, key: str) -> Any:
    first, _, name = key.partition(".")
    value = getattr(of, first)
    if first == "traits":
        return value.get(name)
    for part in name.split(".") if name else ():
        value = value.get(part) if isinstance(value, dict) else None
    return value


def naive_accepts(wanted: Any, value: Any) -> bool:
    if isinstance(value, list):
        return any(naive_accepts(wanted, each) for each in value)
    if isinstance(wanted, list):
        return any(naive_accepts(each, value) for each in wanted)
    if value is None or isinstance(value, dict):
        return False
    if isinstance(wanted, dict):
        return type(value) in {int, float} and wanted["gte"] <= value <= wanted.get("lte", value)
    if isinstance(wanted, str) or isinstance(value, str):
        both = isinstance(wanted, str) and isinstance(value, str)
        return both and any(
            fnmatchcase(value.lower(), pattern.lower())
            for pattern in ([wanted, wanted[:-2]] if wanted.endswith("/*") else [wanted])
        )
    return isinstance(wanted, bool) is isinstance(value, bool) and bool(wanted == value)


@given(rules=st.lists(MATCHES, min_size=1, max_size=6), events=st.lists(EVENTS, min_size=1, max_size=6))
def test_matching_equals_a_walk_through_all_rules(rules: list[dict[str, Any]], events: list[Event]) -> None:
    ruleset = read(
        "".join(
            f"[where.n{n}]\nmatch = {toml(match)}\nweight = {n}\n"
            f"[behaviours.n{n}]\nmatch = {toml(match)}\n[tags.n{n}]\nmatch = {toml(match)}\n"
            for n, match in enumerate(rules)
        )
    )

    for each in events + events:
        holding = [
            number
            for number, match in enumerate(rules)
            if all(naive_accepts(wanted, naive_value(each, key)) for key, wanted in match.items())
        ]
        match = ruleset.match(each)

        assert match.where == (holding[0] if holding else 1.0)
        assert (match.behaviour and match.behaviour.name) == (f"n{holding[0]}" if holding else None)
        assert [topic.name for topic in match.tags] == [f"n{number}" for number in holding]
