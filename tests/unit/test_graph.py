"""The links that are kept of a person, and what hangs on one identity alone."""

import pytest

from stream.domain import graph
from stream.domain.person import Identity


def linked(*links: str) -> list[Identity]:
    """Return identities that are linked as in `a-b`."""
    found: dict[str, Identity] = {}
    for link in links:
        one, _, other = link.partition("-")
        for node in filter(None, (one, other)):
            found.setdefault(node, Identity(node))
        if other:
            graph.note(found[one], found[other])
    return list(found.values())


def test_a_link_is_kept_once_where_it_was_said() -> None:
    one, other = linked("a-b", "a-b")
    assert (len(one.linked), len(other.linked)) == (graph.MARK, 0)


def test_bytes_that_lie_across_two_marks_are_no_link() -> None:
    mark = graph.mark("b")
    half = graph.MARK // 2
    one = Identity("a", linked=bytes(half) + mark + bytes(half))
    graph.note(one, Identity("b"))
    assert one.linked.endswith(mark)
    assert len(one.linked) == 3 * graph.MARK
    graph.note(one, Identity("b"))
    assert len(one.linked) == 3 * graph.MARK


def test_a_row_does_not_grow_without_bound_by_what_is_one_person_already() -> None:
    one = Identity("a")
    for n in range(2 * graph.KEPT):
        graph.note(one, Identity(f"b{n}"), joins=False)
    assert len(one.linked) == graph.KEPT * graph.MARK
    graph.note(one, Identity("c"))
    assert one.linked.endswith(graph.mark("c"))


@pytest.mark.parametrize(
    ("links", "leaving"),
    [
        pytest.param(["a-b"], "b", id="a pair"),
        pytest.param(["b-a"], "b", id="a pair, said by the other"),
        pytest.param(["a-b", "b-c", "c-d"], "bcd", id="a chain behind it"),
        pytest.param(["a-b", "b-c", "a-c"], "b", id="a ring: the rest is linked without it"),
        pytest.param(["c-a", "c-b"], "b", id="linked by a third"),
        pytest.param(["c-a", "c-b", "b-d", "d-e", "e-b"], "bde", id="a ring behind it"),
        pytest.param(["a-c", "b"], "b", id="nothing is known of its links"),
        pytest.param(["a", "b", "c"], "b", id="nothing is known of any"),
        pytest.param(["a", "b-c"], "bc", id="how they came together is not known"),
    ],
)
def test_who_leaves_with_whom(links: list[str], leaving: str) -> None:
    members = {one.node: one for one in linked(*links)}
    assert "".join(sorted(graph.hangs_on(members["b"], members["a"], list(members.values())))) == leaving


def test_what_was_linked_across_a_cut_is_forgotten() -> None:
    a, b, c = linked("a-b", "a-c", "b-c")
    graph.forget_links([a, b], [c])
    assert (a.linked, b.linked) == (graph.mark("b"), b"")
