"""What the topics of an installation are called."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Topics:
    """Topic names with the installation's prefix."""

    events: str
    wakes: str
    people: str
    stage_changes: str
    lead_states: str
    dead_letters: str
    members: str
    account_changes: str

    @classmethod
    def of(cls, prefix: str) -> "Topics":
        """Return the names under a prefix."""
        names = ("events", "wakes", "people", "stage-changes", "lead-states", "dead-letters", "members", "account-changes")
        return cls(*(prefix + name for name in names))
