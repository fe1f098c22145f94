"""Does a schema still accept what an older one accepted? Fields are only added; anything else is a new version."""

from collections.abc import Iterator, Mapping
from typing import Any

Schema = Mapping[str, Any]

NOTES = frozenset({"title", "description", "examples", "$schema", "$id", "$defs", "default", "discriminator"})
CHOICES = ("anyOf", "oneOf")
_RULES = "(behaviours|sequences|timing|fit|stages)"
WIDENED = {
    r"^account:(|group|name):[\s\S]+$": r"^account:(|group):[\s\S]+$",
    r"^stages\.[\s\S]+$": r"^stages\..+$",
    rf"^({_RULES}\.[\s\S]+|idle|floor)$": rf"^({_RULES}\..+|idle|floor)$",
    r"^[\s\S]+-\d{10}$": r"^.+-\d{10}$",
}
"""Patterns that accept all that another one did, and more."""
WALKED = frozenset({"properties", "required", "enum", "items", "additionalProperties", "$ref", *CHOICES})


def breaks(old: Schema, new: Schema) -> list[str]:
    """Return one line for each way in which `new` may refuse, or no longer promises, what `old` described.

    It errs on the safe side: a constraint that only changed its spelling is reported too.
    """
    return list(_breaks(old, new, old, new, "$"))


def _breaks(old: Schema, new: Schema, old_root: Schema, new_root: Schema, at: str) -> Iterator[str]:
    old, new = _resolved(old, old_root), _resolved(new, new_root)
    choice = next((keyword for keyword in CHOICES if keyword in new), None)
    if choice is not None and choice not in old:
        old = {choice: [old]}
    for keyword in sorted((new.keys() | old.keys()) - NOTES - WALKED):
        wider = keyword == "pattern" and WIDENED.get(new.get(keyword, "")) == old.get(keyword)
        if keyword in new and old.get(keyword) != new[keyword] and not wider:
            yield f"{at}: {keyword} was {old.get(keyword)!r}, is {new[keyword]!r}"
    for value in old.get("enum", ()):
        if value not in new.get("enum", (value,)):
            yield f"{at}: {value!r} is no longer allowed"
    if "enum" in new and "enum" not in old:
        yield f"{at}: only {new['enum']!r} are allowed now"
    for name in sorted(set(new.get("required", ())) - set(old.get("required", ()))):
        yield f"{at}.{name}: is required now"
    yield from _parts(old, new, old_root, new_root, at)


def _parts(old: Schema, new: Schema, old_root: Schema, new_root: Schema, at: str) -> Iterator[str]:
    for name, part in old.get("properties", {}).items():
        if name not in new.get("properties", {}):
            yield f"{at}.{name}: is gone"
        else:
            yield from _breaks(part, new["properties"][name], old_root, new_root, f"{at}.{name}")
    for keyword in ("items", "additionalProperties"):
        was, now = old.get(keyword, True), new.get(keyword, True)
        if isinstance(now, dict):
            yield from _breaks(was if isinstance(was, dict) else {}, now, old_root, new_root, f"{at}[]")
        elif now is False and was is not False:
            yield f"{at}: {keyword} are closed now"
    for keyword in CHOICES:
        for choice in old.get(keyword, ()) if keyword in new else ():
            failures = [list(_breaks(choice, option, old_root, new_root, at)) for option in new[keyword]]
            yield from min(failures, key=len)


def _resolved(schema: Schema, root: Schema) -> Schema:
    while "$ref" in schema:
        target: Schema = root
        for step in schema["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        schema = {**target, **{key: part for key, part in schema.items() if key != "$ref"}}
    return schema
