"""The JSON Schema of the ruleset file, for editors: `python -m schemas.ruleset` writes it.

Editors that know TOML find it by the first line of a ruleset, `#:schema ruleset.schema.json`. It says what may stand
where; what hangs together across tables (an exit below its enter, a sequence of known behaviours) `leadstream ruleset
check` tells. Draft 7, because that is what TOML editors read.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from stream.domain.ruleset.committee import TRAITS
from stream.domain.ruleset.durations import DURATION
from stream.domain.ruleset.ladder import ACCOUNT_NUMBERS, NUMBERS, OWNERS
from stream.domain.ruleset.load import ACCOUNT_KINDS
from stream.domain.ruleset.matches import EVENT_KEYS, FIT_KEYS, INTENTS, JOURNEYS, Keys, route_keys
from stream.domain.ruleset.profile import BANT, GRADES, ROUTES
from stream.domain.ruleset.table import LARGEST

FILE: Final = Path(__file__).parent / "ruleset.schema.json"

Schema = dict[str, Any]


def schema() -> Schema:
    """Return the schema as it is published."""
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "$id": "ruleset.schema.json",
        **_table("The rules of lead scoring: one file for marketing, sales and CRM.", _sections()),
        "definitions": {
            "duration": {"type": "string", "pattern": f"^{DURATION.pattern}$", "examples": ["90s", "15m", "2h", "14d"]},
            "retention": _table(
                "Another way to write a half-life: how much is left after a time.",
                {
                    "after": _ref("duration", "The time."),
                    "keep": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1, "description": "The share."},
                },
                required=("after", "keep"),
            ),
            "value": {"oneOf": [_VALUE, {"type": "array", "items": _VALUE, "minItems": 1}, _RANGE]},
            "event_match": _match("Which events: every key must hold.", EVENT_KEYS),
            "fit_match": _match("Which people: every key must hold.", FIT_KEYS),
            "route_match": _match("Which leads: every key must hold.", route_keys((), GRADES)),
        },
    }


def text() -> str:
    """Return the text of the published file."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def _table(description: str, keys: Schema, *, required: Iterable[str] = (), **more: Any) -> Schema:
    need = {"required": list(required)} if required else {}
    closed = {"type": "object", "description": description, "properties": keys, "additionalProperties": False}
    return {**closed, **need, **more}


def _named(description: str, each: Schema) -> Schema:
    return {"type": "object", "description": description, "additionalProperties": each}


def _ref(name: str, description: str) -> Schema:
    return {"allOf": [{"$ref": f"#/definitions/{name}"}], "description": description}


def _number(description: str, **more: Any) -> Schema:
    return {"type": "number", "description": description, "minimum": -LARGEST, "maximum": LARGEST, **more}


def _words(description: str, words: Iterable[str]) -> Schema:
    return {"enum": list(words), "description": description}


_VALUE: Final[Schema] = {"type": ["string", "number", "boolean"]}
_RANGE: Final = _table(
    "A range of numbers, both ends belong to it.",
    {"gte": {"type": "number", "description": "At least."}, "lte": {"type": "number", "description": "At most."}},
    minProperties=1,
)
_HALF_LIFE: Final[Schema] = {
    "half_life": _ref("duration", "After this time half is left; default: that of [decay]."),
    "retention": _ref("retention", 'Instead of half_life, for example { after = "7d", keep = 0.7 }.'),
}
_ONE_HALF_LIFE: Final[Schema] = {"not": {"required": ["half_life", "retention"]}}


def _match(description: str, keys: Keys) -> Schema:
    """Describe a `match` table; below a bare `properties`, `traits` … stand tables written without quotes."""
    value: Schema = {"$ref": "#/definitions/value"}
    known = {key: {"$ref": "#/definitions/value"} for key in keys.plain} | {key: {"type": "object"} for key in keys.named}
    return _table(description, known, patternProperties={f"^({'|'.join(keys.named)})\\..+$": value})


def _sections() -> Schema:
    return {**_what_events_mean(), **_what_earns_points(), **_who_people_are(), **_the_rest()}


def _what_events_mean() -> Schema:
    match = _ref("event_match", "Which events.")
    tag = {"match": match, "from": {"type": "string", "description": "Where an event names its tags: properties.topics"}}
    return {
        "ruleset": _table(
            "What this file is called.",
            {
                "id": {"type": "string", "minLength": 1, "description": "Its name in every stage change."},
                "timezone": {"type": "string", "description": "Days are counted here, for example Europe/Berlin."},
            },
        ),
        "decay": _table(
            "How fast things fade where a rule does not say it.",
            {**_HALF_LIFE, "max_tags": {"type": "integer", "minimum": 1, "maximum": 1000, "description": "Tags of a visitor."}},
            **_ONE_HALF_LIFE,
        ),
        "where": _named(
            "Touch points; the first that matches counts, none: 1.0.",
            _table("A touch point.", {"match": match, "weight": _number("Its weight, default 1.0.")}, required=["match"]),
        ),
        "tags": _named(
            "Topics; every match counts.",
            _table("A topic, or a place in the event that names topics.", {**tag, **_HALF_LIFE},
                   anyOf=[{"required": ["match"]}, {"required": ["from"]}], **_ONE_HALF_LIFE),
        ),
        "dwell": _table(
            "Factor by seconds on the page.",
            {
                "property": {"type": "string", "description": "The property with the seconds."},
                "steps": {
                    "type": "array", "minItems": 1, "description": "[seconds, factor], rising; the last one reached counts.",
                    "items": {"type": "array", "items": {"type": "number", "minimum": 0}, "minItems": 2, "maxItems": 2},
                },
            },
            required=["steps"],
        ),
    }  # fmt: skip


def _what_earns_points() -> Schema:
    behaviour = {
        "match": _ref("event_match", "Which events."),
        "weight": _number("Factor of the topics' weight, default 1.0."),
        "points": _number("Points of interest, default 0; negative ones have no half-life of their own."),
        **_HALF_LIFE,
        "cap": _table(
            "Most points in one day.",
            {"points": {"type": "number", "exclusiveMinimum": 0, "maximum": LARGEST}},
            required=["points"],
        ),
        "intent": _words("direct: wants to buy. contextual (default): shows interest.", INTENTS),
        "journey": _words("How far the buyer is; adds the points of [timing].", JOURNEYS),
    }
    sequence = {
        "steps": {"type": "array", "items": {"type": "string"}, "minItems": 1, "description": "Behaviours in their order."},
        "within": _ref("duration", "From the first step to the last."),
        "points": _number("Points, once per lead."),
        **_HALF_LIFE,
    }
    return {
        "behaviours": _named(
            "What people do; the first that matches counts, none: neither tags nor points.",
            _table("A behaviour.", behaviour, required=["match"], **_ONE_HALF_LIFE),
        ),
        "timing": _table("Points per event of a journey stage.", {name: _number(f"In {name}.") for name in JOURNEYS}),
        "sequences": _named(
            "Stories: behaviours one after the other.",
            _table("A sequence.", sequence, required=["steps", "within"], **_ONE_HALF_LIFE),
        ),
        "interest": _table("The sum of points.", {"floor": _number("Interest is never shown below, default 0.")}),
        "idle": _table(
            "What every full period without interaction costs.",
            {"after": _ref("duration", "The period."), "points": _number("Points, at most 0.", maximum=0)},
            required=["after"],
        ),
    }


def _who_people_are() -> Schema:
    fit = {
        "match": _ref("fit_match", "Which people."),
        "points": _number("Points of a match; they do not fade."),
        "bant": _words("The question of a sales talk that a match answers.", BANT),
    }
    grade = _table(
        "What the grade asks, each at least.",
        {"bant": {"type": "integer", "minimum": 0, "maximum": 4}, "fit": {"type": "number"}},
    )
    either = {"oneOf": [grade, {"type": "array", "items": grade, "minItems": 1}]}
    route = {"match": _ref("route_match", "Which leads."), "route": _words("Who takes care.", ROUTES)}
    asked = {
        "identified": {"type": "boolean", "description": "Somebody told who they are."},
        **{name: _number("At least.") for name in NUMBERS},
        "grade": _words("At least.", GRADES),
    }
    return {
        "fit": _named("Who people are; every match counts.", _table("A fit rule.", fit, required=["match"])),
        "grades": _table("The best whose conditions hold, else D.", dict.fromkeys(GRADES, either)),
        "stages": _ladder("Stages of leads, lowest first.", asked),
        "routes": {
            "type": "array", "description": "The first that matches counts, none: nurture.",
            "items": _table("A route.", route, required=["match", "route"]),
        },
    }  # fmt: skip


def _ladder(description: str, asked: Schema) -> Schema:
    of_crm = {"properties": {"owner": {"const": "crm"}}, "required": ["owner"]}
    not_there = {"properties": {"enter": False, "exit": False, "dwell": False}}
    stage = {
        "name": {"type": "string", "minLength": 1, "not": {"const": "visitor"}, "description": "What the stage is called."},
        "owner": _words("crm: entered and left on CRM events only. Default: engine.", OWNERS),
        "enter": _table("All must hold, each at least.", asked, minProperties=1),
        "exit": _table("Any below lets the lead fall; lower than enter.", asked),
        "dwell": _ref("duration", "Not demoted earlier than this after entering."),
    }
    rule = {"if": of_crm, "then": not_there, "else": {"required": ["enter"]}}
    each = _table("A stage.", stage, required=["name"], **rule)
    return {"type": "array", "description": description, "items": each}


def _the_rest() -> Schema:
    kinds = {"type": "array", "items": {"enum": list(ACCOUNT_KINDS)}, "description": "Which networks may name a company."}
    traits = {"type": "array", "items": {"type": "string", "minLength": 1}, "description": "Traits in a stage change."}
    return {
        "crm": _table("What the CRM decides.", {"hold": _ref("duration", "The rules keep quiet after a CRM move.")}),
        "identity": _table(
            "Who is one person.",
            {
                "max_members": {"type": "integer", "minimum": 1, "maximum": 1000, "description": "Identities of one person."},
                "typed_email": _words("C: e-mails people type are weak.", ("B", "C")),
                "trusted_only": {"type": "boolean", "description": "A browser links nobody to a registration, unless signed."},
            },
        ),
        "visitors": _table(
            "Who is not known.",
            {"idle_horizon": _ref("duration", "Forgotten after so long without an event, where nobody listens.")},
        ),
        "accounts": _table(
            "Companies.",
            {
                "kinds": kinds,
                "min_confidence": _number("How sure a look-up must be.", minimum=0, maximum=1),
                "anonymous": _number("Share of anonymous visitors' interest in the account's score.", minimum=0),
                "stages": _ladder("Stages of accounts.", {name: _number("At least.") for name in ACCOUNT_NUMBERS}),
            },
        ),
        "events": _table("What leaves.", {"traits": traits}),
        **_who_buys(),
    }


def _who_buys() -> Schema:
    texts = {"type": "array", "items": {"type": "string", "minLength": 1}}
    phrases = {**texts, "minItems": 1}
    rule = {
        "titles": {**phrases, "description": "Whole words of a title, any of them; Chinese anywhere; * is any text."},
        "except": {**phrases, "description": "Not these, whatever titles says."},
    }
    each = _table("A title that fits stands for it.", rule, required=["titles"])
    trait = {"type": "string", "minLength": 1}
    return {
        "committee": _table(
            "Who takes part in a purchase.",
            {
                "wanted": {**texts, "description": "The roles of a full committee; default: all."},
                "traits": _table("What tells it.", {name: {**trait, "default": default} for name, default in TRAITS.items()}),
                "roles": _named("Roles; the first that fits counts.", each),
                "departments": _named("Departments; the first that fits counts.", each),
            },
        ),
        "freshness": _table(
            "What was told of a job grows old.",
            {**_HALF_LIFE, "min_confidence": _number("Below it a fact no longer counts, default 0.5.", minimum=0, maximum=1)},
            **_ONE_HALF_LIFE,
        ),
    }


def main() -> None:
    """Write the file."""
    FILE.write_text(text(), "utf-8")


if __name__ == "__main__":  # pragma: no cover - a command
    main()
