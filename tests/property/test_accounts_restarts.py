"""Whatever a fold of accounts has looked at ahead of its rows: one that starts from them behind every record does the same."""

from collections.abc import Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from stream.domain.accounts.fold import Accounts
from stream.domain.log import Member, Members, NewRuleset, Record, Tick, encode
from tests.property.stories import slow
from tests.told import START, rules

ID = "account::acme.example"
IDLE = 5_000
LADDER = """
[accounts]
anonymous = 0.5
[[accounts.stages]]
name = "seen"
enter = { people = 1 }
exit = { people = 0.5 }
[[accounts.stages]]
name = "engaged"
enter = { score = 80 }
exit = { score = 50 }
dwell = "2s"
[[accounts.stages]]
name = "committed"
enter = { score = 70, committee = 1 }
exit = { score = 40, committee = 0.5 }
"""
RULES = rules(LADDER)
OTHERS = [rules(LADDER.replace("= 50", "= 65")), rules(LADDER.replace("engaged", "hot"))]
LEADS, VISITORS = ["lead_a", "lead_b", "lead_c"], ["v_1", "~v_2"]
SHORT, LONG = (3_000.0, 4_000.0, 6_000.0), 30.0 * 86_400_000
"""Half-lives (ms) of a few seconds, so that everything falls due between two records, and one that hardly fades."""
amounts = st.sampled_from([0.1, 1 / 3, 3.0, 30.7, 50.0, 65_543.0, 1 + 2.0**-37, 2.0**-36])
lost = st.sampled_from([0.0, 0.0, -15.0, -40.0])
pauses = st.sampled_from([0, 1, 400, 1_000, IDLE - 1, IDLE, IDLE + 1, 2 * IDLE, 40_000])


@st.composite
def snapshots(draw: Any, id_: str, version: int, at: int) -> Member:
    """Draw what a member brings; its idle periods, its role and its floor end at instants that records and ticks may hit."""
    if draw(st.integers(0, 9)) == 0:
        return Member(id_, version, left=True)
    interest = {h: draw(amounts) for h in draw(st.sets(st.sampled_from(SHORT), max_size=2))}
    interest[LONG] = draw(lost)
    floor = draw(st.sampled_from([0.0, 0.0, 5.0, -10.0]))
    given: dict[str, Any] = {}
    if id_ in LEADS:
        idle = {"idle_ms": IDLE, "idle_points": draw(st.sampled_from([-10.0, -10.0, 4.0]))}
        role = {"role": draw(st.sampled_from(["", "user", "boss"])), "role_until": at + draw(pauses)}
        given = {"lead": True, "timing": {LONG: draw(amounts)}, "fit": draw(amounts), **idle, **role}
    return Member(id_, version, base=at, interest=interest, floor=floor, active=at - draw(pauses), **given)


@st.composite
def logs(draw: Any) -> list[Record]:
    """Draw the log of one account: members, some of them late, ticks ahead of them, now and then a ruleset."""
    made: list[Record] = []
    now, versions = START, dict.fromkeys([*LEADS, *VISITORS], 0)
    for _ in range(draw(st.integers(2, 12))):
        now += draw(pauses)
        if draw(st.integers(0, 9)) == 0:
            made.append(NewRuleset(len(made) + 1, draw(st.sampled_from(OTHERS)).text))
        elif draw(st.integers(0, 2)):
            ids = draw(st.lists(st.sampled_from([*LEADS, *VISITORS]), min_size=1, max_size=3, unique=True))
            at = now - draw(st.sampled_from([0, 0, 0, 1_000, IDLE]))
            versions |= {id_: versions[id_] + 1 for id_ in ids}
            made.append(Members(ID, at, [draw(snapshots(id_, versions[id_], at)) for id_ in ids]))
        else:
            made.append(Tick(0, now))
    return made


def folded(log: Sequence[Record], *, restarts: bool) -> tuple[list[bytes | None], dict[bytes, bytes]]:
    """Return the facts and what the rows hold."""
    stored: dict[bytes, bytes] = {}
    fold, facts = Accounts(stored, "leadstream", RULES), list[bytes | None]()
    for offset, record in enumerate(log):
        fold.apply(offset, encode(record))
        facts += [out.value for out in fold.out]
        fold.out.clear()
        if restarts:
            fold.cut()
            fold = Accounts(stored, "leadstream", RULES)
    fold.cut()
    return facts, {key: row[9:] for key, row in stored.items()}


@settings(slow, max_examples=150)
@given(logs())
def test_a_fold_that_starts_from_the_rows_behind_every_record_does_the_same(log: list[Record]) -> None:
    assert folded(log, restarts=True) == folded(log, restarts=False)
