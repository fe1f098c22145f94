"""Titles and phrases: however they are written, a phrase stands in a title as an honest slow reading says."""

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from stream.domain.ruleset.titles import LONGEST, Phrases, plain

HAN = "总经"
WORDS = st.lists(st.sampled_from(["a", "b", " a", " ", *HAN]), max_size=4).map("".join)
PHRASES = (
    st.lists(st.sampled_from(["a", "b", "* ", " *", "*", " ", *HAN]), min_size=1, max_size=3)
    .map("".join)
    .filter(lambda text: any(map(str.isalnum, text)))
)


def reading(phrase: str, title: str) -> bool:
    """Whole words where letters stand at the phrase's end, anywhere where Chinese stands there; a star is any text."""
    inner = ".*".join(map(re.escape, phrase.split("*")))
    before = "(?<![^ ])" if phrase[0] not in f"*{HAN}" else ""
    after = "(?![^ ])" if phrase[-1] not in f"*{HAN}" else ""
    return re.search(before + inner + after, title) is not None


@settings(max_examples=1000)
@given(PHRASES, WORDS)
def test_a_phrase_stands_in_a_title_as_a_slow_reading_says(phrase: str, title: str) -> None:
    assert (plain(title) in Phrases([phrase])) == reading(plain(phrase), plain(title))


@given(st.lists(PHRASES, max_size=4), WORDS)
def test_several_phrases_are_any_of_them(phrases: list[str], title: str) -> None:
    assert (plain(title) in Phrases(phrases)) == any(plain(title) in Phrases([phrase]) for phrase in phrases)


@given(st.text(max_size=2 * LONGEST))
def test_any_text_has_a_plain_form(title: str) -> None:
    """Words with one space between them, and as Chinese is written: two signs have none."""
    found = plain(title)
    assert "  " not in found
    assert found == found.strip()
    assert not re.search(f"[{HAN}] [{HAN}]", found)
