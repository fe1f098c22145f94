"""The numbers that pages promise are those of the code: who changes one of the two alone is told here where the other is."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import pytest

from schemas import event, openapi
from stream import interpreter
from stream.agents import people, visitors
from stream.cli import resend, words
from stream.collector import (
    app,
    cors,
    incoming,
    ip_retention,
    packing,
    peers,
    personalising,
    sending,
    snowplow,
    watching,
    whole,
)
from stream.collector.limits import LIMITS
from stream.domain import erasing, graph, ids, instants, leads, links, outcomes, ownrows, rows, traits
from stream.domain.ruleset import load
from stream.domain.visitor import earning, rule
from stream.errors import UnreachableError
from stream.faust_conf import conf
from stream.lookups import layouts, networks, ranges
from stream.ops import evaluator, group, history, judging
from stream.outbound import posting, progress, schedule, waits
from stream.rulesets import default_text
from stream.runtime import (
    batches,
    duties,
    fatal,
    frames,
    lanes,
    large,
    portions,
    producer,
    quota,
    restoring,
    stalls,
    thread,
    topics,
)
from stream.runtime.rows import EVENTS_A_ROW, MAX_WRITTEN_ROWS
from stream.settings import Settings
from stream.web import answers, lagging

ROOT = Path(__file__).parents[2]
KIB, MIB = 1024, 1024 * 1024
MINUTE_S, HOUR_S, HOUR_MS, DAY_S, DAY_MS = 60, 3_600, 3_600_000, 86_400, 86_400_000
BARE, SHIPPED = load(b'[ruleset]\nid = "bare"\n'), load(default_text())
"""A ruleset that chooses nothing, and the one that is shipped."""
SETTINGS, THREEFOLD = Settings(), Settings(replication=3)
FAUST = conf(SETTINGS)
KEPT = {topic.name: topic.config for topic in topics.topic_table(SETTINGS)}
ROWS_KEPT = {key: int(value) for key, value in KEPT["leadstream-visitors-changelog"].items() if value.isdecimal()}
PATIENT = int(ROWS_KEPT["max.compaction.lag.ms"]) + erasing.SWEEP_MS
"""Within so long (ms) what was written to a compacted topic lies in a segment that is closed."""
IN_WORDS = (
    {"half a": 0.5, "quarter of an": 0.25, "a tenth of a": 0.1, "fifth": 0.2, "a": 1, "once": 1, "every": 1, "twice": 2}
    | {word: count for count, word in {2: "two", 5: "five", 6: "six", 8: "eight", 10: "ten", 12: "twelve"}.items()}
    | {"thirty": 30, "hundred": 100}
)
NUMBER = "(" + r"\d(?:[\d,.]*\d)?" + "".join(f"|\\b{word}\\b" for word in sorted(IN_WORDS, key=len, reverse=True)) + ")"


class Said(NamedTuple):
    """Words of a page, with a # for each number, and these as the code has them, in the page's units."""

    what: str
    words: str
    numbers: tuple[float, ...]


def said(what: str, words: str, *numbers: float) -> Said:
    return Said(what, words, numbers)


def days(topic: str) -> tuple[float, float]:
    """Return for how long a topic is kept, and how much longer a segment of it lies there."""
    return int(KEPT[topic]["retention.ms"]) / DAY_MS, int(KEPT[topic]["segment.ms"]) / DAY_MS


PAGES: dict[str, tuple[Said, ...]] = {
    "docs/limits.md": (
        said("ids of a full row", "a visitor with # remembered message ids (full)", rule.REMEMBERED),
        said("bytes of an id", "A message id is remembered in # bytes", rule.ID_BYTES),
        said("where a row grows", "between 2 and # of them", rule.REMEMBERED),
        said("ids", "remembered message ids | #, # bytes each", rule.REMEMBERED, rule.ID_BYTES),
        said("topics", "`max_tags` (#)", BARE.max_tags),
        said("times for sequences", "times for sequences | # a behaviour", earning.TIMES),
        said("days of a cap", "days of a cap | # a behaviour", earning.DAYS),
        said("traits", "traits | # leaves", traits.LEAVES),
        said("replays", "replayed dead letters | # a partition", rule.REPLAYS),
        said("a line of ranges", "a line of the ranges file has # bytes", ranges.LONGEST_LINE),
        said("a name in a database", "a database's name # characters", layouts.LONGEST_NAME),
        said("identities", "`max_members` (#)", BARE.max_members),
        said("links", "those that made the person, and # more; # bytes each", graph.KEPT, graph.MARK),
        said("refused links", "refused links that an identity's row keeps | the newest #:", links.REFUSED),
        said("a socket's buffer", "beyond # MiB it is not kept", frames.KEPT_BYTES / MIB),
        said("fetched", "# MiB a partition and broker's answer", FAUST["consumer_max_fetch_size"] / MIB),
        said("delivered", "# batches an agent", FAUST["stream_buffer_maxsize"]),
        said("records of a batch", "| # records and the rest of their record batch", batches.MAX_RECORDS),
        said("what a batch makes", "it ends earlier at # MiB of what it makes", visitors.MAX_OUT_BYTES / MIB),
        said("how long a batch takes", "and after # second | the rest", visitors.SLICE_S),
        said("unacknowledged", "# MiB a worker, and one batch's", lanes.MAX_BYTES / MIB),
        said("changed rows", "| # a partition, or", visitors.MAX_CHANGED_ROWS),
        said("events of changed rows", "or # events of fewer rows", visitors.MAX_CHANGED_ROWS * EVENTS_A_ROW),
        said("decoded rows", "rows of the last checkpoint, still decoded | # a partition", MAX_WRITTEN_ROWS),
        said("cuts", "# record batches of # KiB, and what one record changes", people.MAX_CUTS, ownrows.CUT_BYTES / KIB),
        said("decoded rows of people", "behind such a cut | # MiB of bytes", rows.KEPT_BYTES / MIB),
        said("a record batch", "one record batch | # MB (`people`)", FAUST["producer_max_batch_size"] / 1e6),
        said("leads of a tick", "leads that a tick moves at once | #, or", leads.DUE),
        said("people without a break", "the people log folded without a break | # s", people.SLICE_S),
        said("a replay's letters", "on their way in a replay | #, or # MiB", resend.FEW, resend.FEW_BYTES / MIB),
        said("partitions a request", "at most # partitions a request", portions.MOST),
        said("the longest wait for a quota", "at most # minutes for one answer", quota.LONGEST_S / MINUTE_S),
        said("a long wait for a quota", "Where that is more than # second,", quota.LONG_S),
        said("the least under a quota", "down to a #th of outputs and rows", 1 / quota.LEAST),
        said("how often a quota is told", "Its log says so # a minute", MINUTE_S / quota.TELL_S),
        said("ids, of commands", "of one identity's last # events", rule.REMEMBERED),
        said("the largest record", "`events` takes # bytes, as Kafka by default", topics.RECORD_BYTES),
        said("the largest dead letter", "`dead-letters` # KiB more", (topics.DEAD_LETTER_BYTES - topics.RECORD_BYTES) / KIB),
        said("what leaves compressed", "What has more than # bytes leaves compressed", large.LARGE),
        said("what is not even tried", "or has more than # MiB, does not fit", large.LARGEST / MIB),
    ),
    "docs/threats.md": (
        said("a slow head", "| # s for a head,", LIMITS.head_s),
        said("a slow body", "# s for a body", LIMITS.body_s),
        said("an idle connection", "# s between requests", LIMITS.idle_s),
        said("connections", "between requests, # connections", LIMITS.connections),
        said("connections of an address", "| # of the #, of IPv6 a", LIMITS.connections_of_one, LIMITS.connections),
        said("an address of IPv6", "of IPv6 a /#;", peers._NETWORK_BYTES * 8),
        said("a head", "# KB, then 431", (LIMITS.header_bytes + LIMITS.path_bytes) / KIB),
        said("requests that wait", "| # wait, nothing more is read", whole.WAITING),
        said("an answer nobody reads", "after # s it is cut off", LIMITS.body_s),
        said("a body", "| # MiB each,", LIMITS.body_bytes / MIB),
        said("all bodies", "# MiB of all requests that are being answered", LIMITS.budget_bytes / MIB),
        said("events", "being answered, # events", LIMITS.events),
        said("events of a context", "written into each of # events", LIMITS.events),
        said("a context", "# MiB for all of them together", LIMITS.stored_bytes / MIB),
        said("a bomb", "unpacked no further than # MiB", LIMITS.body_bytes / MIB),
        said("a bomb's streams", "# streams, and aside", packing._MOST_STREAMS),
        said("libraries", "| a # libraries", watching.LIBRARIES),
        said("origins", "libraries, # origins", cors.REMEMBERED),
        said("heads for origins", "libraries, # origins", app._ROOM_FOR_ORIGINS),
        said("look-ups", "# at once, the rest are answered without", personalising.AT_ONCE),
        said("a receiver that hangs", "| # s, later attempts ever rarer", posting.TIMEOUT_S),
        said("facts that wait", "(of a partition # facts may wait)", progress.WAITING),
        said("addresses", "cut to /#, /# or dropped", ip_retention._V4_BYTES * 8, ip_retention._V6_BYTES * 8),
    ),
    "docs/guarantees.md": (
        said("copies", "it wants # replicas and `min.insync.replicas` #:", 3, THREEFOLD.min_insync_replicas),
        said("the longest freeze", "the longest freeze survived (# h)", ROWS_KEPT["min.compaction.lag.ms"] / HOUR_MS),
        said("how long a batch takes", "in parts: # second,", visitors.SLICE_S),
        said("what a batch makes", "# MiB of what it makes", visitors.MAX_OUT_BYTES / MIB),
        said("unacknowledged", "# MiB unacknowledged", lanes.MAX_BYTES / MIB),
        said("who was let go", "it ends (#) before the revocation's checkpoint", fatal.BROKEN),
        said("pieces of a changelog", "# KB a piece", producer.PIECE_BYTES / KIB),
        said("metadata", "metadata is asked for # a second", 1 / thread.TURN_S),
        said("dead letters", "takes # KiB more", (topics.DEAD_LETTER_BYTES - topics.RECORD_BYTES) / KIB),
        said("ids", "Of one identity's last # message ids", rule.REMEMBERED),
        said("accounts' rows", "written every # s by a checkpoint of their own", duties.SOON_S),
        said("a refused fact", "no other for the next # facts", progress.SPAN),
    ),
    "docs/for-crm.md": (
        said("facts", "key = lead id | # days", days("stage-changes")[0]),
        said("states made anew", "who changed stage in the last # days", days("stage-changes")[0]),
        said("an order, a deal", "an order or a deal won is worth # points", SHIPPED.behaviours["ordered"].points),
        said("orders", "the newest # orders of an identity", outcomes.ORDERS),
        said("the shipped hold", "the ruleset's `hold` (# days)", SHIPPED.hold_ms / DAY_MS),
        said("come again", "503 with `Retry-After: #`", answers.RETRY_AFTER_S),
    ),
    "docs/for-trackers.md": (
        said("last events", "the last # events of a key", watching.LAST),
        said("a body", "too large (# MiB,", LIMITS.body_bytes / MIB),
        said("events", "MiB, # events,", LIMITS.events),
        said("events, as described", "MiB, # events,", openapi.MOST_EVENTS),
        said("a context", "# MiB with the batch's `context`", LIMITS.stored_bytes / MIB),
        said("an id", "longer than # bytes, or junk", ids.LONGEST_ID),
        said("ids", "of one identity's last # ids", rule.REMEMBERED),
        said("an event", "| more than # bytes, nested", event.MAX_BYTES),
        said("depth", "nested deeper than #,", event.MAX_DEPTH),
        said("members", "more than # object members", event.MAX_MEMBERS),
        said("long ago", "before the year #;", datetime.fromtimestamp(instants.YEAR_2000 / 1000, UTC).year),
        said("traits", "the newest # trait leaves are kept", traits.LEAVES),
        said("characters of traits", "# characters in all", traits.TOTAL),
        said("characters of a trait", "a leaf over # characters is not", traits.LEAF),
    ),
    "docs/collector.md": (
        said("come again", "| 503, `Retry-After: #` |", sending.RETRY_AFTER_S),
        said("acknowledged", "acknowledged within # seconds", sending.DELIVERY_S),
        said("a context", "up to # MiB in all of them together", LIMITS.stored_bytes / MIB),
        said("half a character", "in a body of up to # KiB", incoming._MENDED / KIB),
        said("a ping", "`properties.dwell_s` #", snowplow.HEARTBEAT_S),
        said("a heartbeat", "one more heartbeat (# seconds by default)", snowplow.HEARTBEAT_S),
        said("a ping's weight", "each ping gives the page's topics # view", SHIPPED.behaviours["read-on"].weight),
        said("a minute's weight", "a minute of attention weighs # views", 1 + 6 * SHIPPED.behaviours["read-on"].weight),
        said("patience with a worker", "asked for # milliseconds", personalising.PATIENCE_S * 1000),
        said("how often it is told", "the log says so # a minute", MINUTE_S / personalising.TELL_S),
        said("remembered", "Remembered for # seconds", personalising.FRESH_S),
        said("cacheable", "cacheable for #.", int(personalising._KNOWN[1].rpartition(b"=")[2])),
        said("last events", "the last # events of a write key", watching.LAST),
    ),
    "docs/outbound.md": (
        said("patience", "`LEADSTREAM_WEBHOOK_PATIENCE` (# days;", SETTINGS.webhook_patience.total_seconds() / DAY_S),
        said("facts that wait", "when # facts wait for a retry", progress.WAITING),
        said("facts behind", "lies # facts behind the newest", progress.SPAN),
        said("at a time", "And # requests go at a time", posting.CONNECTIONS),
        said("no answer", "keep their places for # s each", posting.TIMEOUT_S),
        said("an answer", "| 2xx, within # s |", posting.TIMEOUT_S),
        said("the longest Retry-After", "again then, within # h", schedule.DELAYS_S[-1] / HOUR_S),
        said("again, seconds", "again after # s, # s,", *schedule.DELAYS_S[:2]),
        said("again, minutes", "s, # min, # min, # min,", *(delay / MINUTE_S for delay in schedule.DELAYS_S[2:5])),
        said("again, hours", "min, #, #, #, #, #, # h, each", *(delay / HOUR_S for delay in schedule.DELAYS_S[5:])),
        said("again, not all at once", "each up to a # longer", schedule.JITTER),
        said("late headers", "or they take more than # s;", posting.TIMEOUT_S),
        said("at once", "At # requests at a time", posting.CONNECTIONS),
        said("facts a second", "an answer in 50 ms allows # facts", posting.CONNECTIONS / 0.05),
        said("none", "`none`: no answer within # s", posting.TIMEOUT_S),
        said("Kafka is silent", "`LEADSTREAM_SESSION_TIMEOUT` (# s;", SETTINGS.session_timeout.total_seconds()),
        said("Kafka is gone", "# s more of it are exit code #.", waits.PATIENCE_S, UnreachableError.exit_code),
    ),
    "docs/privacy.md": (
        said("events", "addresses of pages | # days + #", *days("events")),
        said("wakes", "| `wakes` | ids | # days + #", *days("wakes")),
        said("people", "operators' words with their reasons | # days + #", *days("people")),
        said("members", "company, role, points | # days + #", *days("members")),
        said("facts", "score with reasons, company | # days + #", *days("stage-changes")),
        said("facts of accounts", "the company; lead ids | # days + #", *days("account-changes")),
        said("dead letters", "as it was sent | # days + #", *days("dead-letters")),
        said("segments", "(`segment.ms` = # h)", days("events")[1] * 24),
        said("the longest time", "after an erasure is # days** (`stage-changes`,", sum(days("stage-changes"))),
        said("the longest time of accounts", "after an erasure is # days** (`stage-changes`,", sum(days("account-changes"))),
        said("the greatest lag", "max.compaction.lag.ms=#,", ROWS_KEPT["max.compaction.lag.ms"]),
        said("nulls", ",delete.retention.ms=#", ROWS_KEPT["delete.retention.ms"]),
        said("cut", "cuts it to its /# (IPv6 /#) **before**", ip_retention._V4_BYTES * 8, ip_retention._V6_BYTES * 8),
        said("around an address", "is the /# (IPv6 /#) around it", networks.SHOWN[4], networks.SHOWN[16]),
        said("closed", "closed after at most # h", ROWS_KEPT["max.compaction.lag.ms"] / HOUR_MS),
        said("written", "and # h until something is written", erasing.SWEEP_MS / HOUR_MS),
        said("compacted", "when its newest row is # h old", ROWS_KEPT["min.compaction.lag.ms"] / HOUR_MS),
        said("rows", "within **# days** (a segment", (PATIENT + ROWS_KEPT["min.compaction.lag.ms"]) / DAY_MS),
        said("keys", "within **# days** (a second such span", (2 * PATIENT + ROWS_KEPT["delete.retention.ms"]) / DAY_MS),
        said("nulls in Kafka", "Kafka's # h for nulls", ROWS_KEPT["delete.retention.ms"] / HOUR_MS),
        said("a grave", "#-bit hashes of its last # messageIds", rule.ID_BYTES * 8, rule.REMEMBERED),
        said("a refused pair", "keeps a #-bit hash of the pair's other side", links.REFUSED_BYTES * 8),
        said("patience", "the command waits # s (`--wait`)", words.PATIENCE_S),
        said("erasures", "# erasures may wait for such a one", erasing.GOING),
    ),
    "docs/recovery.md": (
        said("exit code", "with exit code # and one line", fatal.MISFIT),
        said("exit codes", "ends with exit code #, or #, and says", fatal.BROKEN, fatal.MISFIT),
        said("no states", "ends at its next fact with #,", fatal.BROKEN),
        said("no fact", "none is kept any more (# days by default)", days("stage-changes")[0]),
        said("ids", "duplicates of the last # messages of an identity", rule.REMEMBERED),
        said("events", "what `events` still holds (# days by default)", days("events")[0]),
        said("members", "what `members` still holds (# days by default)", days("members")[0]),
        said("identities named", "with the last # identities that its events named", rule.LINKS),
        said("conflicts", "as far back as `stage-changes` goes (# days by default)", days("stage-changes")[0]),
        said("words", "those of the last # days (`LEADSTREAM_RETENTION_PEOPLE`)", days("people")[0]),
        said("progress", "the log says every # seconds how far it is", restoring.TELL_S),
    ),
    "docs/for-ops.md": (
        said("copies", "# (with `min.insync.replicas` #, which `topics` sets)", 3, THREEFOLD.min_insync_replicas),
        said("well", "nothing waits for more than # seconds", evaluator.ALLOWED_MS / 1000),
        said("a missing commit", "(# commit intervals;", evaluator.MISSING),
        said("our commits", "our own workers commit # second", SETTINGS.checkpoint.total_seconds()),
        said("transactions", "longer than the # hour after which Kafka ends one", judging.TRANSACTION_MS / HOUR_MS),
        said("how far off", "never off by more than # s or # %", history.APART_MS / 1000, history.OF_AGE * 100),
        said("looks", "A worker looks # a second", 1 / lagging.EVERY_S),
        said("a group without a keeper", "or for # s nobody in it keeps the group's commits", group.FOUND_S),
        said("a stop", "A stop that has not ended after # s ends itself", stalls.LIMIT_S),
        said("a replay's notes", "is noted every # letters", resend.FEW),
        said("replays", "(# a row and partition of `dead-letters`)", rule.REPLAYS),
        said("exit code", "exits with # and has committed nothing", fatal.BROKEN),
        said("exit code without Kafka", "| exit code # | Kafka does not answer", UnreachableError.exit_code),
        said("exit code of a start", "| exit code # at the start |", fatal.MISFIT),
    ),
    "README.md": (
        said("Python", "Python # or newer;", float("{}.{}".format(*interpreter.OLDEST))),
        said("pages", "pages http://127.0.0.1:#/ leads", SETTINGS.web_port),
        said("collector", "collector http://127.0.0.1:# times", SETTINGS.collector_port),
        said("copies", "it wants # replicas and `min.insync.replicas` # (", 3, THREEFOLD.min_insync_replicas),
    ),
}


def read(text: str) -> float:
    return IN_WORDS[text] if text in IN_WORDS else float(text.replace(",", ""))


@pytest.mark.parametrize(
    ("page", "line"),
    [pytest.param(page, line, id=f"{Path(page).stem}: {line.what}") for page, lines in PAGES.items() for line in lines],
)
def test_a_number_on_a_page_is_the_codes(page: str, line: Said) -> None:
    text = " ".join((ROOT / page).read_text("utf-8").split())
    found = [match.groups() for match in re.finditer(re.escape(line.words).replace(r"\#", NUMBER), text)]

    assert found, f"{page} no longer says, with a number for each #: {line.words}"
    for groups in found:
        assert tuple(read(group) for group in groups) == pytest.approx(line.numbers, rel=1e-9), f"{page} says: {line.words}"


def test_each_number_is_named_once() -> None:
    names = [(page, line.what) for page, lines in PAGES.items() for line in lines]

    assert len(names) == len(set(names))
