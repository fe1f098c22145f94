"""Whether an event may be kept: what the browser says (GPC, DNT) and what the visitor told the page's consent tool.

    why = withheld(key, event, request.headers)     # None: keep it; else "gpc", "dnt", "denied" or "not_given"

An event that is withheld goes nowhere, is only counted, and the client is told 200: it has nothing to send again.

| key's `consent` | kept |
|---|---|
| `required` | only what carries consent to one of the key's `purposes` |
| `assumed` (default) | all but what carries a refusal |
| `ignored` | all: a server's facts, like a deal that was won |

`Sec-GPC: 1` and `DNT: 1` are refusals under the first two; so a browser that sends them is not counted even where its page
says yes. Consent is read as Segment writes it (`context.consent.categoryPreferences`, name to true or false), as RudderStack
does (`context.consentManagement` with `allowedConsentIds` and `deniedConsentIds`), or as plain members of `context.consent`,
true, false, `granted` or `denied` (Google's words). Where several purposes are told, one that is refused decides. Where none
of them is told, the others speak if they agree: all refused is a refusal, all given is consent. A purpose that is told of twice
(in two ways, or in two spellings) is refused where it was refused once; a plain no is one to all.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from stream.collector.write_keys import WriteKey

_WORDS: Final[Mapping[object, bool]] = {True: True, False: False, "granted": True, "denied": False, "true": True, "false": False}
_ON: Final = b"1"
_ALL: Final = ""
"""What a plain yes or no is about."""


def withheld(key: WriteKey, event: Mapping[str, Any], headers: Mapping[bytes, bytes]) -> str | None:
    """Return why the event must not be kept, None where it may be."""
    if key.consent == "ignored":
        return None
    if (refused := refused_by_browser(headers)) is not None:
        return refused
    context = event.get("context")
    said = None
    if isinstance(context, dict) and ("consent" in context or "consentManagement" in context):
        said = _answer(_joined(_told(context)), key.purposes)
    if said is False:
        return "denied"
    return "not_given" if said is None and key.consent == "required" else None


def refused_by_browser(headers: Mapping[bytes, bytes]) -> str | None:
    """Return which of its signals says no, None where none does."""
    if headers.get(b"sec-gpc") == _ON:
        return "gpc"
    return "dnt" if headers.get(b"dnt") == _ON else None


def _answer(told: Mapping[str, bool], purposes: frozenset[str]) -> bool | None:
    """Return yes, no, or None where nothing that is told decides."""
    if told.get(_ALL) is False:
        return False
    asked = [given for name, given in told.items() if name in purposes] or list(told.values())
    if all(name not in purposes for name in told) and len(set(asked)) > 1:
        return None
    return all(asked) if asked else None


def _joined(told: Iterable[tuple[str, bool]]) -> Mapping[str, bool]:
    """Return what is told of each purpose; of one that is told of twice, given only where it was given each time."""
    said: dict[str, bool] = {}
    for name, given in told:
        said[name] = given and said.get(name, True)
    return said


def _told(context: Mapping[str, Any]) -> Iterable[tuple[str, bool]]:
    """Yield each purpose that the event tells of, in lower case, and whether it was given."""
    consent, managed = context.get("consent"), context.get("consentManagement")
    if isinstance(consent, dict):
        preferences = consent.get("categoryPreferences")
        for name, value in (preferences if isinstance(preferences, dict) else consent).items():
            if isinstance(value, (bool, str)) and value in _WORDS:
                yield name.lower(), _WORDS[value]
    elif isinstance(consent, (bool, str)) and consent in _WORDS:
        yield _ALL, _WORDS[consent]
    if isinstance(managed, dict):
        for member, given in (("allowedConsentIds", True), ("deniedConsentIds", False)):
            names = managed.get(member)
            yield from ((name.lower(), given) for name in (names if isinstance(names, list) else ()) if isinstance(name, str))
