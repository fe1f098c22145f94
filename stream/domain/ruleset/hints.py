"""Says kindly what is wrong where a file is no TOML: the parser knows its grammar, and not what a marketer meant."""

import re

_PLACE = re.compile(r"\(at line (\d+), column (\d+)\)")
_HEADER = re.compile(r"\s*(\[+[^\]]*\]+)")
_TUPLE = re.compile(r"\(.*\) twice")
_DECIMAL = "a number has a point, no comma: 0.8"
_NAME = 'a name with other signs than A-Z, a-z, 0-9, "_" and "-" stands in quotes, like [tags."für"] or "für" = 1'
_QUOTES = "[„“”‟‚‘’‛«»‹›]"  # noqa: RUF001 - these are looked for
_STRAIGHT = 'quotation marks are straight ones, like "*/pricing*"'
_HINTS: tuple[tuple[str, str, str], ...] = (
    (r"", _QUOTES, _STRAIGHT),
    (rf"=\s*[\"'][^\"']*{_QUOTES}[^\"']*", r"\r?$", _STRAIGHT),
    (r"[=\[,]\s*[+-]?[\d.]+", r",\d", _DECIMAL),
    (r"=\s*[+-]?[\d.]+,\d+\s*", r"", _DECIMAL),
    (r"[=\[,]\s*", r"\.\d", "a number has a digit before its point: 0.8"),
    (r"[=\[,]\s*\d+", r"[smhd]\b", 'a duration stands in quotes, like "14d"'),
    (r"[=\[,]\s*", r"(?i:true|yes|on|false|no|off)\b", "yes and no are written true and false"),
    (r"[=\[,]\s*", r"[^\W\d]", 'a text stands in quotes, like "*/pricing*"'),
    (r"\{[^}]*,\s*", r"\}", 'no comma stands before "}"'),
    (r"\{[^}]*", r"\s*$", "what stands in { } stands on one line"),
    (r"", r":", 'a name and its value have "=" between them, no colon'),
    (r"^[^=\"']*", r"[^\x00-\x7f]", _NAME),
)
"""What stands right before the place, what stands there, and what to write."""

LOOKED_AT = 200
"""So many signs before and behind the place are looked at."""


def line_of(error: str, text: str) -> int:
    """Return the line that the parser's error tells; of one at the end of the document the last that holds anything."""
    found = _PLACE.search(error)
    return int(found[1]) if found else text.rstrip().count("\n") + 1


def kindly(error: str, text: str) -> str:
    """Return the parser's error, behind a hint where the text at its place shows what was meant."""
    found, line = _PLACE.search(error), _line(text, line_of(error, text))
    if "twice" in error or "Cannot overwrite" in error:
        header = _HEADER.match(line)
        what = header[1] if header else "this name"
        error = _TUPLE.sub(lambda _: f"{what} twice", error)
        return f"{what} stands above already: put both together, or give one another name ({error})"
    hint = _hint(line, int(found[2]) - 1) if found else None
    return f"{hint} ({error})" if hint else f"what https://toml.io says: {error}"


def _hint(line: str, column: int) -> str | None:
    before, rest = line[max(0, column - LOOKED_AT) : column], line[column : column + LOOKED_AT]
    for behind, here, hint in _HINTS:
        if re.match(here, rest) and re.search(f"(?:{behind})$", before):
            return hint
    return None


def _line(text: str, number: int) -> str:
    return text.split("\n")[number - 1]
