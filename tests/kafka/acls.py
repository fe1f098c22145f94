"""The table of `docs/runbook/acls.md`, and what Kafka makes of it."""

import re
from dataclasses import dataclass

from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)

from tests.brokers import ROOT

PAGE = ROOT / "docs" / "runbook" / "acls.md"
_ROW = re.compile(r"^\| (?P<parts>[^|]+) \| (?P<kind>topic|group)s? (?P<names>[^|]+) \| (?P<operations>[^|]+) \|$", re.MULTILINE)


@dataclass(frozen=True)
class Line:
    """One line of the table, of one part."""

    part: str
    kind: str
    names: tuple[str, ...]
    operations: tuple[str, ...]

    def bindings(self, user: str, prefix: str, app: str) -> list[AclBinding]:
        """Return the ACLs that the line stands for."""
        named = [name.replace("PREFIX", prefix).replace("APP", app) for name in self.names]
        return [_binding(user, self.kind, name, operation) for name in named for operation in self.operations]


def lines() -> list[Line]:
    """Read the table."""
    found = []
    for row in _ROW.finditer(PAGE.read_text()):
        names = tuple(re.findall(r"`([^`]+)`", row["names"]))
        operations = tuple(word.strip() for word in row["operations"].split(","))
        parts = re.findall(r"`([^`]+)`", row["parts"]) or [row["parts"].strip()]
        found += [Line(part, row["kind"], names, operations) for part in parts]
    return found


def _binding(user: str, kind: str, name: str, operation: str) -> AclBinding:
    prefixed = name.endswith("*") and name != "*"
    pattern = ResourcePatternType.PREFIXED if prefixed else ResourcePatternType.LITERAL
    resource = ResourceType.TOPIC if kind == "topic" else ResourceType.GROUP
    word = re.sub(r"(?<!^)(?=[A-Z])", "_", operation).upper()
    return AclBinding(
        resource, name[:-1] if prefixed else name, pattern, f"User:{user}", "*", AclOperation[word], AclPermissionType.ALLOW
    )


def allow(admin: AdminClient, bindings: list[AclBinding]) -> None:
    """Give what the bindings say."""
    for done in admin.create_acls(bindings).values() if bindings else ():
        done.result(30)
