"""Every mistake in a ruleset file is told: line, key, what is allowed; all of them at once."""

import pytest

from stream.domain.ruleset import Mistake, RulesetError, load
from stream.domain.ruleset.lines import Lines

PLACE = "[where.a]\nmatch = { url = %r }"
VIEWED = '[behaviours.viewed]\nmatch = { type = "page" }\n'
STAGE = '[[stages]]\nname = "mql"\n'

MISTAKES: dict[str, tuple[str, int, str, str]] = {
    "unknown section": ("[behaviors.a]", 1, "behaviors", "did you mean behaviours?"),
    "unknown key": (VIEWED + 'half_live = "1d"', 3, "behaviours.viewed.half_live", "did you mean half_life?"),
    "a floor that no lead could reach": (
        '[idle]\nafter = "1s"\npoints = -1\n[interest]\nfloor = -1e6',
        5,
        "interest.floor",
        "-10000 or more: 10000 times the points of [idle]",
    ),
    "unknown key with what is allowed": ("[interest]\nceiling = 1", 2, "interest.ceiling", "allowed: floor"),
    "unknown key of the head": ('[ruleset]\nname = "x"', 2, "ruleset.name", "allowed: id, timezone"),
    "unknown key of identity": ("[identity]\nmax_member = 9", 2, "identity.max_member", "did you mean max_members?"),
    "unknown key of fit": ("[fit.a]\nmatch = {}\npoint = 1", 3, "fit.a.point", "did you mean points?"),
    "unknown key of a retention": (
        '[decay]\nretention = { after = "7d", keep = 0.7, keeps = 1 }', 2, "decay.retention.keeps", "did you mean keep?",
    ),
    "unknown key below an inline table": (VIEWED + "cap = { point = 1, points = 2 }", 3, "behaviours.viewed.cap.point", ""),
    "unknown key of a condition": ("[where.a]\nmatch = { path = 1 }", 2, "where.a.match.path", "properties.NAME"),
    "a condition's name is missing": ('[where.a]\nmatch = { "traits." = 1 }', 2, "where.a.match.traits.", "traits.NAME"),
    "a condition on a whole object": ("[where.a]\nmatch = { properties = 1 }", 2, "where.a.match.properties", ""),
    "another comparison": ('[where.a]\nmatch = { "properties.x" = { gt = 1 } }', 2, "where.a.match.properties.x.gt", "gte"),
    "another comparison, no quotes": ("[where.a]\nmatch.properties.x = { gt = 1 }", 2, "where.a.match.properties.x.gt", "gte"),
    "an empty range": ("[where.a]\nmatch = { title = {} }", 2, "where.a.match.title.gte", "lte"),
    "a range of texts": ('[where.a]\nmatch.properties.x = { gte = "1" }', 2, "where.a.match.properties.x.gte", "number"),
    "a range upside down": ("[where.a]\nmatch.properties.x = { gte = 2, lte = 1 }", 2, "where.a.match.properties.x.lte", "2"),
    "a range of numbers that no event can hold": (
        f"[where.a]\nmatch.properties.x = {{ gte = 0x{'f' * 5000}, lte = 1 }}", 2, "where.a.match.properties.x.gte", "finite",
    ),
    "a range to nowhere": ("[where.a]\nmatch.properties.x = { lte = nan }", 2, "where.a.match.properties.x.lte", "finite"),
    "a horizon without unit": ('[visitors]\nidle_horizon = "400"', 2, "visitors.idle_horizon", "14d"),
    "a horizon nearer than a duplicate": (
        '[decay]\nhalf_life = "1d"\n[visitors]\nidle_horizon = "29d"', 4, "visitors.idle_horizon", "30d or longer",
    ),
    "a horizon before all has faded": (
        VIEWED + 'points = 1\nhalf_life = "21d"\n[visitors]\nidle_horizon = "209d"', 6, "visitors.idle_horizon", "210d or longer",
    ),
    "another key for visitors": ("[visitors]\nhorizon = 1", 2, "visitors.horizon", "allowed: idle_horizon"),
    "no allowed value": ("[where.a]\nmatch = { title = [] }", 2, "where.a.match.title", "a list"),
    "a date as a value": ("[where.a]\nmatch = { title = 2026-01-01 }", 2, "where.a.match.title", "text"),
    "a type that no event has": ('[where.a]\nmatch = { type = "pgae" }', 2, "where.a.match.type", "did you mean page?"),
    "a match that is no table": ('[where.a]\nmatch = "x"', 2, "where.a.match", "a table"),
    "a touch point without match": ("\n[where.a]\nweight = 1", 2, "where.a.match", "is missing"),
    "a behaviour without match": ("[behaviours.a]", 1, "behaviours.a.match", "is missing"),
    "a weight that is no number": ("[where.a]\nmatch = {}\nweight = true", 3, "where.a.weight", "a finite number"),
    "a weight without end": ("[where.a]\nmatch = {}\nweight = inf", 3, "where.a.weight", "a finite number"),
    "points that are no number": (VIEWED + "points = nan", 3, "behaviours.viewed.points", "a finite number"),
    "points as text": (VIEWED + 'points = "5"', 3, "behaviours.viewed.points", "a finite number"),
    "half-life on negative points": (VIEWED + 'points = -1\nhalf_life = "1d"', 4, "behaviours.viewed.half_life", "longest"),
    "retention on negative points": (
        VIEWED + 'points = -1\nretention = { after = "1d", keep = 0.5 }', 4, "behaviours.viewed.retention", "longest",
    ),
    "half-life on a negative sequence": (
        VIEWED + '[sequences.s]\nsteps = ["viewed"]\nwithin = "1d"\npoints = -1\nhalf_life = "1d"',
        7, "sequences.s.half_life", "longest",
    ),
    "a cap of nothing": (VIEWED + "cap = { points = 0 }", 3, "behaviours.viewed.cap.points", "above 0"),
    "a cap without points": (VIEWED + "cap = {}", 3, "behaviours.viewed.cap.points", "above 0"),
    "a cap that is a number": (VIEWED + "cap = 5", 3, "behaviours.viewed.cap", "a table"),
    "an unknown intent": (VIEWED + 'intent = "indirect"', 3, "behaviours.viewed.intent", "one of direct, contextual"),
    "an unknown journey": (VIEWED + 'journey = "x"', 3, "behaviours.viewed.journey", "one of awareness, consideration"),
    "a rule where tables belong": ("[behaviours]\nviewed = 1", 2, "behaviours.viewed", "[behaviours.NAME]"),
    "a duration without unit": ('[decay]\nhalf_life = "14"', 2, "decay.half_life", "14d"),
    "a duration with a fraction": ('[decay]\nhalf_life = "1.5d"', 2, "decay.half_life", "whole number"),
    "a duration that is a number": ("[decay]\nhalf_life = 14", 2, "decay.half_life", "14d"),
    "a half-life of nothing": ('[decay]\nhalf_life = "0d"', 2, "decay.half_life", "positive"),
    "half-life and retention": (
        '[decay]\nhalf_life = "1d"\nretention = { after = "7d", keep = 0.7 }', 3, "decay.retention", "not both",
    ),
    "retention that keeps all": ('[decay]\nretention = { after = "7d", keep = 1.0 }', 2, "decay.retention.keep", "below 1"),
    "retention that keeps nothing": ('[decay]\nretention = { after = "7d", keep = 0 }', 2, "decay.retention.keep", "above 0"),
    "retention without a time": ("[decay]\nretention = { keep = 0.5 }", 2, "decay.retention.after", "is missing"),
    "retention after nonsense": ('[decay]\nretention = { after = "x", keep = 0.5 }', 2, "decay.retention.after", "a duration"),
    "no tags at all": ("[decay]\nmax_tags = 0", 2, "decay.max_tags", "from 1"),
    "half a tag": ("[decay]\nmax_tags = 1.5", 2, "decay.max_tags", "whole number"),
    "a tag without match": ("[tags.a]", 1, "tags.a.match", "from"),
    "tags from nowhere": ('[tags.a]\nfrom = "topics"', 2, "tags.a.from", "properties.NAME"),
    "an empty id": ('[ruleset]\nid = " "', 2, "ruleset.id", "not empty"),
    "an unknown time zone": ('[ruleset]\ntimezone = "Mars/Olympus"', 2, "ruleset.timezone", "IANA"),
    "a time zone that is a folder": ('[ruleset]\ntimezone = "Europe"', 2, "ruleset.timezone", "IANA"),
    "a time zone outside": ('[ruleset]\ntimezone = "../x"', 2, "ruleset.timezone", "IANA"),
    "dwell without steps": ("[dwell]\nproperty = 'd'", 1, "dwell.steps", "SECONDS"),
    "dwell steps that fall": ("[dwell]\nsteps = [[10, 1], [0, 1]]", 2, "dwell.steps", "rise"),
    "dwell steps twice the same": ("[dwell]\nsteps = [[1, 1], [1, 2]]", 2, "dwell.steps", "rise"),
    "dwell steps of three": ("[dwell]\nsteps = [[1, 1, 1]]", 2, "dwell.steps", "FACTOR"),
    "an unknown journey stage": ("[timing]\ndecide = 1", 2, "timing.decide", "allowed: awareness"),
    "a sequence of unknown behaviours": (
        VIEWED + '[sequences.s]\nwithin = "1d"\nsteps = ["viewed",\n "veiwed"]',
        6, "sequences.s.steps[2]", "did you mean viewed?",
    ),
    "a sequence of nothing": (VIEWED + '[sequences.s]\nwithin = "1d"\nsteps = []', 5, "sequences.s.steps", "behaviours"),
    "a sequence of numbers": (VIEWED + '[sequences.s]\nwithin = "1d"\nsteps = [1]', 5, "sequences.s.steps", "texts"),
    "a sequence without end": (VIEWED + '[sequences.s]\nsteps = ["viewed"]', 3, "sequences.s.within", "is missing"),
    "idle without a period": ("[idle]\npoints = -1", 1, "idle.after", "is missing"),
    "a reward for idling": ('[idle]\nafter = "1d"\npoints = 1', 3, "idle.points", "at most 0"),
    "fit by what was done": ('[fit.a]\nmatch = { url = "x" }', 2, "fit.a.match.url", "traits.NAME"),
    "fit by stage": ('[fit.a]\nmatch = { stage = "x" }', 2, "fit.a.match.stage", "traits.NAME"),
    "an unknown kind of e-mail": ('[fit.a]\nmatch = { email_kind = "fre" }', 2, "fit.a.match.email_kind", "mean free?"),
    "an unknown letter of BANT": ('[fit.a]\nmatch = {}\nbant = "bugdet"', 3, "fit.a.bant", "did you mean budget?"),
    "an unknown grade": ("[grades]\nE = { bant = 1 }", 2, "grades.E", "allowed: A, B, C, D"),
    "a grade by total": ("[grades]\nA = { total = 1 }", 2, "grades.A.total", "allowed: bant, fit"),
    "a grade of five letters": ("[grades]\nA = { bant = 5 }", 2, "grades.A.bant", "from 0 to 4"),
    "a grade of no tables": ("[grades]\nA = []", 2, "grades.A", "at least one"),
    "a grade of numbers": ("[grades]\nA = [1]", 2, "grades.A", "tables"),
    "a stage without name": ("[[stages]]\nenter = { total = 1 }", 1, "stages[1].name", "is missing"),
    "a stage called visitor": ('[[stages]]\nname = "visitor"\nenter = { total = 1 }', 2, "stages.visitor.name", "any name but"),
    "two stages of one name": (
        STAGE + "enter = { total = 1 }\n" + STAGE + "enter = { total = 1 }", 5, "stages.mql.name", "taken",
    ),
    "an unknown owner": (STAGE + 'enter = { total = 1 }\nowner = "sales"', 4, "stages.mql.owner", "one of engine, crm"),
    "an engine stage without enter": (STAGE, 1, "stages.mql.enter", "interest"),
    "an engine stage that asks nothing": (STAGE + "enter = {}", 3, "stages.mql.enter", "interest"),
    "a CRM stage with enter": (STAGE + 'owner = "crm"\nenter = { total = 1 }', 4, "stages.mql.enter", "not allowed"),
    "a CRM stage with exit": (STAGE + 'owner = "crm"\nexit = { total = 1 }', 4, "stages.mql.exit", "not allowed"),
    "a CRM stage with dwell": (STAGE + 'owner = "crm"\ndwell = "1d"', 4, "stages.mql.dwell", "not allowed"),
    "enter by an unknown number": (STAGE + "enter = { points = 1 }", 3, "stages.mql.enter.points", "allowed: fit"),
    "enter by a text": (STAGE + 'enter = { total = "1" }', 3, "stages.mql.enter.total", "a finite number"),
    "enter by more than a sum can hold": (
        STAGE + "enter = { total = 2e12 }", 3, "stages.mql.enter.total", "from -1e+12 to 1e+12",
    ),
    "a cap of more than a sum can hold": (
        VIEWED + "points = 5\ncap = { points = 2e12 }", 4, "behaviours.viewed.cap.points", "above 0, at most 1e+12",
    ),
    "enter by a maybe": (STAGE + "enter = { identified = 1 }", 3, "stages.mql.enter.identified", "true or false"),
    "a grade that is not defined": (STAGE + 'enter = { grade = "B" }', 3, "stages.mql.enter.grade", "one of D"),
    "exit at enter": (
        STAGE + "enter = { total = 5 }\nexit = { total = 5 }", 4, "stages.mql.exit.total", "below that of enter (5)",
    ),
    "exit above enter": (STAGE + "enter = { total = 5 }\nexit = { total = 6 }", 4, "stages.mql.exit.total", "below"),
    "exit by what enter does not ask": (
        STAGE + "enter = { total = 5 }\nexit = { fit = 1 }", 4, "stages.mql.exit.fit", "only keys of enter: total",
    ),
    "exit by a better grade": (
        "[grades]\nA = { bant = 4 }\nB = { bant = 2 }\n" + STAGE + 'enter = { grade = "B" }\nexit = { grade = "A" }',
        7, "stages.mql.exit.grade", "not better than that of enter (B)",
    ),
    "stages that are no array": ('[stages]\nname = "a"', 1, "stages", "[[stages]]"),
    "a hold that is a number": ("[crm]\nhold = 14", 2, "crm.hold", "a duration"),
    "an unknown route": ('[[routes]]\nmatch = {}\nroute = "sale"', 3, "routes[1].route", "did you mean sales?"),
    "a route to nowhere": ("[[routes]]\nmatch = {}", 1, "routes[1].route", "is missing"),
    "a route by what was done": ('[[routes]]\nmatch = { event = "x" }\nroute = "sales"', 2, "routes[1].match.event", "stage"),
    "a route by an unknown stage": (
        STAGE + 'enter = { total = 1 }\n[[routes]]\nmatch = { stage = "mqll" }\nroute = "sales"',
        5, "routes[1].match.stage", "did you mean mql?",
    ),
    "nobody in a person": ("[identity]\nmax_members = 0", 2, "identity.max_members", "from 1"),
    "e-mail of another class": ('[identity]\ntyped_email = "A"', 2, "identity.typed_email", "one of B, C"),
    "providers that name an account": ('[accounts]\nkinds = ["isp"]', 2, "accounts.kinds[1]", "business, education"),
    "more than sure": ("[accounts]\nmin_confidence = 2", 2, "accounts.min_confidence", "from 0 to 1"),
    "trust that is neither yes nor no": ("[identity]\ntrusted_only = 1", 2, "identity.trusted_only", "true or false"),
    "a stage of accounts that everybody has": (
        '[[accounts.stages]]\nname = "a"\nenter = { people = 2 }\nexit = { people = 2 }',
        4, "accounts.stages.a.exit.people", "below",
    ),
    "stages of accounts that are one table": ("[accounts]\nstages = 1", 2, "accounts.stages", "[[accounts.stages]]"),
    "a role without titles": ("[committee.roles.boss]", 1, "committee.roles.boss.titles", "is missing"),
    "a role of no titles": ("[committee.roles.boss]\ntitles = []", 2, "committee.roles.boss.titles", "总经理"),
    "a title of signs only": (
        '[committee.roles.boss]\ntitles = ["ceo", " * "]', 2, "committee.roles.boss.titles[2]", "whole words",
    ),
    "a title that is a number": ("[committee.roles.boss]\ntitles = [1]", 2, "committee.roles.boss.titles", "a list of texts"),
    "a role's unknown key": (
        '[committee.roles.boss]\ntitles = ["a"]\nexcepts = ["b"]', 3, "committee.roles.boss.excepts", "did you mean except?",
    ),
    "an exception of nothing": (
        '[committee.departments.it]\ntitles = ["it"]\nexcept = []', 3, "committee.departments.it.except", "whole words",
    ),
    "a role that is a list": ('[committee.roles]\nboss = ["ceo"]', 2, "committee.roles.boss", "[committee.roles.NAME]"),
    "roles that are a list": ("[committee]\nroles = 1", 2, "committee.roles", "[committee.roles]"),
    "a wanted role that nobody can have": (
        '[committee]\nwanted = ["bos"]\n[committee.roles.boss]\ntitles = ["ceo"]', 2, "committee.wanted[1]", "did you mean boss?",
    ),
    "an unknown key of the committee": ("[committee]\nrole = 1", 2, "committee.role", "did you mean roles?"),
    "an unknown trait": ("[committee.traits]\nname = 'x'", 2, "committee.traits.name", "allowed: department, role, title"),
    "a trait without a name": ("[committee.traits]\ntitle = ''", 2, "committee.traits.title", "a text"),
    "an unknown key of freshness": ('[freshness]\nhalf_live = "1d"', 2, "freshness.half_live", "did you mean half_life?"),
    "fresh in two ways": (
        '[freshness]\nhalf_life = "1d"\nretention = { after = "1d", keep = 0.5 }', 3, "freshness.retention", "not both",
    ),
    "more confidence than there is": ("[freshness]\nmin_confidence = 1.5", 2, "freshness.min_confidence", "from 0 to 1"),
    "less than nothing of the anonymous": ("[accounts]\nanonymous = -1", 2, "accounts.anonymous", "of at least 0"),
    "an account stage by grade": (
        '[[accounts.stages]]\nname = "a"\nenter = { score = 1, grade = "A" }', 3, "accounts.stages.a.enter.grade", "committee",
    ),
    "traits that are no list": ('[events]\ntraits = "email"', 2, "events.traits", "a list of texts"),
    "no TOML": ("[decay]\nhalf_life = \n", 2, "TOML", "line 2"),
    "no end": ("[decay]\nmax_tags = [1,\n\n", 2, "TOML", "end of document"),
    "a section twice": ("[decay]\n[crm]\n[decay]", 3, "TOML", "twice"),
    "too deep": ("a = " + "[" * 20_000, 1, "TOML", "brackets"),
    "lists in lists": ("[a]\nb = 1\n[c]\nx = " + "[" * 300 + "]" * 300, 4, "c.x" + "[1]" * 30, "at most 32 deep"),
    "tables in tables": ("[tags.a]\nmatch.properties." + "a." * 1500 + "a = 1", 2, "tags.a.match.properties" + ".a" * 28, "32"),
    "tables in tables by one header": ("\n[" + "a." * 1500 + "a]", 2, "a" + ".a" * 31, "at most 32 deep"),
    "a number as long as a book": ("a = " + "9" * 5000, 1, "TOML", "digits"),
    "a number beyond counting": ("[decay]\nmax_tags = " + "9" * 400, 2, "decay.max_tags", "whole number"),
}  # fmt: skip


def mistakes_of(text: bytes) -> list[Mistake]:
    with pytest.raises(RulesetError) as told:
        load(text)
    return told.value.mistakes


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_told_with_line_key_and_what_is_allowed(name: str) -> None:
    text, line, key, allowed = MISTAKES[name]

    (mistake,) = mistakes_of(text.encode())

    assert (mistake.line, mistake.key) == (line, key)
    assert allowed in mistake.allowed


@pytest.mark.parametrize(
    "pattern", ["*/pricing*", "*://*", "*/go/https://*", "*/a?b=1", "*[/]", "*[#]", "http*", "//cdn/*", "*/*", ""]
)
def test_a_place_that_there_may_be_is_no_mistake(pattern: str) -> None:
    assert load((PLACE % pattern).encode()).text


@pytest.mark.parametrize("pattern", ["*/pricing?utm_source=x", "*://www.example.com/*"])
def test_a_place_that_looks_like_an_address_with_a_query_or_a_scheme_is_asked_about(pattern: str) -> None:
    (doubt,) = load((PLACE % pattern).encode()).doubts

    assert (doubt.line, doubt.key) == (2, "where.a.match.url")
    assert pattern in doubt.allowed


def test_a_tag_that_no_from_rule_can_give_is_asked_about() -> None:
    text = "[tags.Pricing]\nmatch = {}\n[tags.crm]\nmatch = {}\n"

    assert not load(text.encode()).doubts
    (doubt,) = load((text + '[tags.topics]\nfrom = "properties.topics"').encode()).doubts
    assert (doubt.line, doubt.key) == (1, "tags.Pricing")
    assert "another tag than 'pricing'" in doubt.allowed


VAIN: dict[str, tuple[str, int, str, str]] = {
    "a place with a closing slash": (PLACE % "*/pricing/", 2, "where.a.match.url", 'never matches: write "*/pricing"'),
    "a place with a scheme": (PLACE % "https://www.example.com/*", 2, "where.a.match.url", 'write "www.example.com/*"'),
    "a place with all that no place has": (PLACE % "HTTP://a.example/b/#top", 2, "where.a.match.url", 'write "a.example/b"'),
    "one place of two": ('[where.a]\nmatch = { url = ["*/a", "*/b/"] }', 2, "where.a.match.url", 'write "*/b"'),
    "a start page by its slash": (PLACE % "*/", 2, "where.a.match.url", "its host alone"),
    "a place as a person writes it": (PLACE % "*/für*", 2, "where.a.match.url", 'browsers send it as "*/f%C3%BCr*"'),
    "a referrer as a person writes it": (
        '[where.a]\nmatch = { referrer = "https://a.example/für/" }', 2, "where.a.match.referrer", "https://a.example/f%C3%BCr/",
    ),
    "enter by nobody": (STAGE + "enter = { identified = false }", 3, "stages.mql.enter.identified", "every lead is identified"),
    "exit by everybody": (
        STAGE + "enter = { identified = true }\nexit = { identified = false }",
        4, "stages.mql.exit.identified", "every lead is identified",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "line", "key", "asks"), VAIN.values(), ids=VAIN)
def test_what_never_holds_is_asked_about_and_refused_nowhere(text: str, line: int, key: str, asks: str) -> None:
    (doubt,) = load(text.encode()).doubts

    assert (doubt.line, doubt.key) == (line, key)
    assert asks in doubt.allowed


STRAIGHT = "quotation marks are straight ones"
KINDLY: list[tuple[str, int, str]] = [
    ("[ruleset]\nid = „acme“", 2, STRAIGHT),
    ("[ruleset]\nid = “acme”", 2, STRAIGHT),
    ("match = { url = «x» }", 1, STRAIGHT),
    ('x = ["a", „b“]', 1, STRAIGHT),
    ('[ruleset]\nid = "acme“\ntimezone = "UTC"', 2, STRAIGHT),
    ("[tags.„a“]", 1, STRAIGHT),
    ("[decay]\nx = 0,8\ny = 1", 2, "a number has a point, no comma: 0.8"),
    ("x = -1.000,5", 1, "a number has a point, no comma"),
    ('retention = { after = "7d", keep = 0,7 }', 1, "a number has a point, no comma"),
    ("weight = .5", 1, "a digit before its point"),
    ("half_life = 14d", 1, 'a duration stands in quotes, like "14d"'),
    ("x = yes", 1, "true and false"),
    ("x = True", 1, "true and false"),
    ("id = acme", 1, "a text stands in quotes"),
    ("match = { a = 1, }", 1, 'no comma stands before "}"'),
    ("match = { a = 1,\n  b = 2 }", 1, "what stands in { } stands on one line"),
    ("match = { a = 1,\r\n  b = 2 }", 1, "what stands in { } stands on one line"),
    ('url: "x"', 1, '"=" between them'),
    ("für = 1", 1, 'stands in quotes, like [tags."für"]'),
    ("[tags.für]", 1, 'stands in quotes, like [tags."für"]'),
    ("[tags.a]\nx = 1\n[tags.a]", 3, "[tags.a] stands above already: put both together"),
    ("[tags.a]\n[[tags.a]]", 2, "[[tags.a]] stands above already"),
    ("x = 1\nx = 2\ny = 3", 2, "this name stands above already"),
    ("x = [1 2]", 1, "what https://toml.io says: Unclosed array"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "line", "hint"), KINDLY)
def test_what_is_no_toml_is_told_with_what_was_meant(text: str, line: int, hint: str) -> None:
    (mistake,) = mistakes_of(text.encode())

    assert (mistake.line, mistake.key) == (line, "TOML")
    assert mistake.allowed.startswith(hint) or hint in mistake.allowed.split(" (")[0]
    assert "('" not in mistake.told("x"), "no tuple of Python's"


def test_a_long_line_is_looked_at_in_no_time() -> None:
    (mistake,) = mistakes_of(b'x = "' + b"{" * 200_000)

    assert "Unterminated" in mistake.allowed


def test_all_mistakes_are_told_at_once_one_a_line_in_the_order_of_the_file() -> None:
    with pytest.raises(RulesetError) as told:
        load(b'[crm]\nhold = 1\n[decay]\nhalf_life = "x"\nmax_tags = 0\n', "my-rules.toml")

    assert str(told.value).split("\n") == [
        'my-rules.toml:2: crm.hold: a duration: a positive whole number and s, m, h or d, like "90s" or "14d"',
        'my-rules.toml:4: decay.half_life: a duration: a positive whole number and s, m, h or d, like "90s" or "14d"',
        "my-rules.toml:5: decay.max_tags: a whole number from 1 to 1000",
    ]


def test_a_name_with_a_line_break_does_not_break_the_line_of_a_mistake() -> None:
    (mistake,) = mistakes_of(b'["a\\nb"]')

    assert mistake.told("x") == f"x:1: a b: {mistake.allowed}"


def test_text_that_is_not_utf_8_is_told_with_its_line() -> None:
    (mistake,) = mistakes_of(b"[decay]\n# caf\xe9\n")

    assert (mistake.line, mistake.key) == (2, "encoding")


def test_lines_are_found_through_every_way_to_write_toml() -> None:
    lines = Lines(
        "# [not] = a table\n"
        "[a]\n"
        "b.c = { d = 1, \"e.f\" = '#' }\n"
        's = """\n'
        "[x]\n"
        'y = 1""""\n'
        "t = '''\n"
        "'''\n"
        "at = 2026-01-01 10:00:00 # day\n"
        "list = [ # all\n"
        "  { g = 1 },\n"
        "  [2, 3],\n"
        "]\n"
        "[[p]]\n"
        "[[p]]\n"
        "q = true\n"
        "[p.sub]\n"
        "r = 1\n"
        "[[p.deep]]\n"
        "[ 'k' . \"l\\u0031\" ]\n"
        "end = 1"
    )
    paths = {
        (): 1,
        ("a",): 2,
        ("a", "b", "c", "d"): 3,
        ("a", "b", "c", "e.f"): 3,
        ("a", "s"): 4,
        ("a", "t"): 7,
        ("a", "at"): 9,
        ("a", "list"): 10,
        ("a", "list", 0, "g"): 11,
        ("a", "list", 1, 1): 12,
        ("p", 0): 14,
        ("p", 1): 15,
        ("p", 1, "q"): 16,
        ("p", 1, "sub", "r"): 18,
        ("p", 1, "deep", 0): 19,
        ("k", "l1", "end"): 21,
        ("k", "l1", "missing", "deeper"): 20,
    }

    assert {path: lines.of(path) for path in paths} == paths


def test_lines_behind_what_is_too_deep_are_found_all_the_same() -> None:
    lines = Lines("x = " + "[" * 2000 + "{ 'a]' = \"]\" } # ]\n, 1" + "]" * 2000 + "\ny = 1")

    assert (lines.of(("x",)), lines.of(("y",))) == (1, 3)
