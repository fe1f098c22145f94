"""The ruleset as the engine uses it: parsed, checked, compiled. Durations are milliseconds."""

from bisect import bisect_right
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Any, Protocol

from stream.domain.conditions import Pair
from stream.domain.event import Event
from stream.domain.ruleset.fitting import Fitting
from stream.domain.ruleset.mistakes import Mistake, in_one_line

NUMBERS = frozenset({int, float})
"""What JSON makes of a number; `true` is none."""
Bound = float | str | bool
Bounds = Mapping[str, Bound]
"""What a stage asks: identified, interest, fit, timing, total (numbers: at least) and grade (letter: at least)."""


class Condition(Protocol):
    """A `match` table: every key must hold."""

    @property
    def pairs(self) -> tuple[Pair, ...]:
        """The keys, and what each allows."""

    def holds(self, get: Callable[[str], Any]) -> bool:
        """Tell whether every key holds; `get` gives a key's value, None when absent."""


@dataclass(frozen=True, slots=True)
class Behaviour:
    """WHAT: a behaviour's weight for tags and points for interest; `intent` direct or contextual."""

    name: str
    weight: float
    points: float
    half_life_ms: float
    cap: float | None
    intent: str  # "direct" | "contextual"
    journey: str | None


@dataclass(frozen=True, slots=True)
class Topic:
    """A tag an event gives, with the half-life of its weight."""

    name: str
    half_life_ms: float


@dataclass(frozen=True, slots=True)
class Match:
    """What the rules say of one event: WHERE, WHAT, and its tags (each once)."""

    where: float
    behaviour: Behaviour | None
    tags: tuple[Topic, ...]


@dataclass(frozen=True, slots=True)
class Dwell:
    """The factor of the seconds on a page, by steps reached."""

    property: str
    steps: tuple[tuple[float, float], ...]
    starts: tuple[float, ...] = field(init=False, repr=False, compare=False)
    factors: tuple[float, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Lay the steps out for a search: before the first one its factor holds, too."""
        starts, factors = zip(*self.steps, strict=True)
        object.__setattr__(self, "starts", starts)
        object.__setattr__(self, "factors", (factors[0], *factors))

    def factor(self, properties: Mapping[str, Any]) -> float:
        """Return the factor of the last step reached; 1.0 without a finite number >= 0."""
        seconds: Any = properties.get(self.property)
        if type(seconds) not in NUMBERS or not 0 <= seconds < inf:
            return 1.0
        return self.factors[bisect_right(self.starts, seconds)]


@dataclass(frozen=True, slots=True)
class Sequence:
    """Behaviours in order within a window, and the bonus they give once."""

    name: str
    steps: tuple[str, ...]
    within_ms: int
    points: float
    half_life_ms: float


@dataclass(frozen=True, slots=True)
class Idle:
    """Points for every full `after_ms` without an interaction."""

    after_ms: int
    points: float


@dataclass(frozen=True, slots=True)
class Fit:
    """Points of a matching condition; `bant` is the letter it stands for."""

    name: str
    match: Condition
    points: float
    bant: str | None


@dataclass(frozen=True, slots=True)
class Stage:
    """A rung of the ladder: `owner` engine or crm, bounds to enter and to stay, dwell in ms."""

    name: str
    order: int
    owner: str = "engine"  # "engine" | "crm"
    enter: Bounds | None = None
    exit: Bounds | None = None
    dwell_ms: int = 0


@dataclass(frozen=True, slots=True)
class Route:
    """Where leads that match go."""

    match: Condition
    route: str


@dataclass(frozen=True, slots=True)
class Accounts:
    """Which companies may name an account, and the accounts' own ladder."""

    kinds: frozenset[str] = frozenset({"business"})
    min_confidence: float = 0.6
    anonymous: float = 0.5
    stages: tuple[Stage, ...] = ()

    def may_name(self, kind: str, confidence: float) -> bool:
        """Tell whether an answer of this kind and confidence may name an account."""
        return kind in self.kinds and confidence >= self.min_confidence - 1e-9


@dataclass(frozen=True, slots=True)
class TitleRule:
    """A role or department, by its name or by what stands in a title; all of it plain (`titles.plain`)."""

    name: str
    word: str
    titles: Container[str]
    excepted: Container[str]

    def fits(self, title: str) -> bool:
        """Tell whether a plain title stands for it."""
        return title == self.word or (title in self.titles and title not in self.excepted)


@dataclass(frozen=True, slots=True)
class Committee:
    """Who takes part in a purchase: roles and departments in file order, the roles `wanted`, and the traits that tell them."""

    roles: tuple[TitleRule, ...] = ()
    departments: tuple[TitleRule, ...] = ()
    wanted: tuple[str, ...] = ()
    title: str = "title"
    department: str = "department"
    role: str = "buying_role"
    memo: dict[str, tuple[str | None, str | None]] = field(default_factory=dict, repr=False, compare=False)  # titles seen lately


@dataclass(frozen=True, slots=True)
class Freshness:
    """How fast what was told of a job loses confidence, and below which confidence it no longer counts."""

    half_life_ms: float
    min_confidence: float
    lasts_ms: float  # the greatest age at which it counts; inf: it always does


@dataclass(frozen=True, slots=True)
class Ruleset:
    """One version of the rules. `hash` is the first 16 hex digits of SHA-256 of `text`."""

    id: str
    hash: str
    text: bytes
    timezone: str
    half_life_ms: float
    longest_half_life_ms: float
    far_ms: float  # past the landmark, after which it moves: `decay.FAR` of the shortest half-life
    max_tags: int
    behaviours: Mapping[str, Behaviour]
    tag_order: Mapping[str, int]
    timing: Mapping[str, float]
    sequences: Mapping[str, Sequence]
    floor: float
    idle: Idle | None
    fit: Mapping[str, Fit]
    grades: tuple[tuple[str, tuple[Mapping[str, float], ...]], ...]  # best first: ("A", ({"bant": 4}, {"bant": 3, "fit": 30}))
    stages: tuple[Stage, ...]  # ladder order 1, 2, ...; "visitor" (order 0) is not among them
    hold_ms: int
    routes: tuple[Route, ...]
    max_members: int
    typed_email: str  # "B" | "C"
    accounts: Accounts
    traits_out: tuple[str, ...]
    dwell: Dwell | None
    match: Callable[[Event], Match]  # memoised
    day_of: Callable[[int], int]  # event time (ms) -> ordinal of its calendar day in `timezone`
    sequenced: frozenset[str] = field(default_factory=frozenset)  # behaviours that some sequence names
    direct: frozenset[str] = field(default_factory=frozenset)  # behaviours that show direct intent
    gone: Mapping[str, Stage] = field(default_factory=dict)  # stages of former ladders: leads may still stand there
    committee: Committee = field(default_factory=Committee)
    freshness: Freshness | None = None
    trusted_only: bool = False  # a browser's event links nothing to class A
    fitting: Fitting = field(default_factory=Fitting, repr=False, compare=False)  # the conditions of `fit` and `routes`
    idle_horizon_ms: float = inf  # a visitor to whom nobody listens is forgotten after so long without an event
    doubts: tuple[Mistake, ...] = ()  # what `ruleset check` asks about

    @property
    def called(self) -> str:
        """Its name and hash, as one line whatever the name holds."""
        return f"{in_one_line(self.id)} ({self.hash})"
