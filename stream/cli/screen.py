"""What strangers wrote, on a terminal: neither obeyed as rich's markup nor sent to it as control characters."""

from typing import Any, Final

from rich.console import Console
from rich.text import Text

_LOST: Final = 0xFFFD
_SHOWN: Final = {
    **{code: 0x2400 + code for code in range(0x20) if chr(code) not in "\n\t"},
    0x7F: 0x2421,
    **dict.fromkeys((*range(0x80, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A)), _LOST),
}


def plain(text: str) -> str:
    r"""Make control characters visible, and those that turn the direction of writing; lines and tabs stay.

    >>> plain("\x1b[31mAda\x7f \u202eadA\n")
    '␛[31mAda␡ �adA\n'
    """
    return text.translate(_SHOWN)


class Screen(Console):
    """A console that shows text as it is; with `markup=True` brackets mean something again, for who escapes names."""

    def __init__(self, **how: Any) -> None:
        super().__init__(**{"markup": False, "emoji": False, **how})

    def render_str(self, text: str, **how: Any) -> Text:
        """Return the text with its control characters visible: cells, titles and lines all come through here."""
        return super().render_str(plain(text), **how)

    def on_broken_pipe(self) -> None:
        """Leave it to `leadstream` as a whole what it means that nobody reads: rich would end with 1."""
        raise BrokenPipeError
