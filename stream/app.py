"""Wiring only: settings -> Faust app, topics, tables, agents. `faust -A stream.app worker` and `leadstream worker` run this."""

import gc
import inspect
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from importlib import resources
from itertools import chain
from typing import Any, cast

import faust
import faust.app.base
from aiokafka.admin import AIOKafkaAdminClient
from faust.types import TP

from stream.agents.accounts import AccountsLog
from stream.agents.canaries import Canaries
from stream.agents.forgetting import Forgetting
from stream.agents.latch import keep_flags
from stream.agents.leadstream import Leadstream
from stream.agents.people import PeopleLog
from stream.agents.reloading import Reloading
from stream.agents.rules import RulesInForce
from stream.agents.topics import Topics
from stream.agents.tracing import trace, tracer
from stream.agents.visitors import Visitors
from stream.domain import graves, visitor
from stream.domain.accounts.fold import Accounts
from stream.domain.editions import MAX_TEXT
from stream.domain.people import People
from stream.domain.ruleset.load import load as load_ruleset
from stream.domain.ruleset.mistakes import RulesetError
from stream.domain.ruleset.model import Ruleset
from stream.errors import CommandError, UsageError
from stream.faust_conf import conf
from stream.intake import Intake
from stream.lookups import Lookups
from stream.ops.metrics import Metrics
from stream.ops.ownership import require_own
from stream.runtime import transport
from stream.runtime.atomic import AtomicTable
from stream.runtime.batches import BatchSchema
from stream.runtime.duties import Duties
from stream.runtime.embedded import free_port
from stream.runtime.fatal import remember_exits
from stream.runtime.flow import Flow
from stream.runtime.hangup import hangs_up
from stream.runtime.lookout import Lookout
from stream.runtime.memory import reuse_buffers
from stream.runtime.partstore import Merge, PartStore, Sift
from stream.runtime.reaching import end, reaching
from stream.runtime.rows import RowTable
from stream.runtime.topics import TABLES, changelog, create_missing, is_embedded, sources, topic_table
from stream.runtime.work import Work
from stream.settings import PREFIX, Settings
from stream.settings import load as load_settings
from stream.web.opening import Opening

GC_THRESHOLD = (20_000, 20, 1000)
"""Rows are bytes and untracked structs: the collector finds nothing, but looks at everything while a table is restored."""
Done = Callable[[list[Work], float], None]
"""Hears of a checkpoint: what it wrote, and how long it took (s)."""


class App(faust.App):
    """A Faust app with a flow; Kafka is not touched before it starts."""

    leadstream: Leadstream
    flow: Flow
    duties: Duties
    settings: Settings
    embedded: bool | None = None
    """Whether Kafka is the embedded broker; None: nobody has looked yet, and the topics may have to be made."""
    merges: Mapping[str, Merge]
    """How two rows of one key become one while a table is restored."""
    sifts: Mapping[str, Sift]
    """What has a say in which rows count once a table is restored."""

    async def on_start(self) -> None:
        """Make what topics are missing, and start what runs beside the agents."""
        Lookout(self.flow).start()
        await super().on_start()
        await self._prepare_topics()
        self.add_dependency(self.duties)
        for make in self.leadstream.services:
            self.add_dependency(make(self.leadstream))

    def _create_directories(self) -> None:
        """Make none: nothing is kept on disk."""

    @property
    def idempotent(self) -> bool:
        """Whether Kafka can tell a repeated record from a new one: the embedded broker cannot."""
        return not self.embedded

    async def _prepare_topics(self) -> None:
        if self.embedded is not None:
            return  # `leadstream worker` has done it, while all this was imported
        admin = hangs_up(AIOKafkaAdminClient(**self.settings.client()))
        with reaching(self):
            await admin.start()
            try:
                self.embedded = self.settings.kafka_embedded or await is_embedded(admin)
                if not self.embedded:
                    await require_own(admin, self.settings)
                await create_missing(admin, topic_table(self.settings))
            finally:
                await admin.close()


def create(settings: Settings) -> App:
    """Return the app of an installation; WEB_PORT 0 is a free port from here on: the group is told where others find it."""
    settings = settings if settings.web_port else settings.model_copy(update={"web_port": free_port()})
    transport.register()
    _tend_memory()
    app = App(settings.app, **conf(settings))
    app.settings, app.merges, app.sifts = settings, {"visitors": keep_flags}, graves.SIFTS
    topics, metrics, rules = Topics.of(settings.topic_prefix), Metrics(), RulesInForce(own_ruleset(settings))
    metrics.exited(remember_exits(settings.exits).counts())
    spans: list[Done] = []
    flow = app.flow = _flow(app, topics, rules, lambda works, seconds: _observe(metrics, works, seconds, spans))
    rows, people, accounts = _tables(app, rules)
    lookups = Lookups(settings.company_ranges, settings.mmdb, settings.asn, settings.lists)
    visitors = Visitors(flow, rows, topics, lambda stages: Intake(lookups, settings.phone_region, stages), rules, metrics)
    state = app.leadstream = Leadstream(settings, flow, topics, metrics)
    state.visitors = visitors
    state.people_log = PeopleLog(flow, people, topics, metrics)
    state.accounts_log = AccountsLog(flow, accounts, topics, metrics)
    forgetting = Forgetting(flow, visitors, topics.events)
    state.services += [Opening, lambda _: Reloading(lookups), lambda _: forgetting]
    if settings.traces == "on":
        spans.append(trace(state, tracer(settings.app)))
    if settings.canary is not None:
        every_s = settings.canary.total_seconds()
        state.services.append(lambda _: Canaries(flow, visitors, topics.events, metrics, every_s))
    app.duties = Duties(flow, topics.events, lambda tp, until: visitors.tick(tp.partition, until), soon=accounts.changed)
    app.on_partitions_assigned.connect(_counting(metrics), weak=False)
    _agents(app, visitors, state.people_log, topics, settings.partitions)
    _account_agent(app, state.accounts_log, topics, settings.partitions)
    return app


def _tend_memory() -> None:
    gc.freeze()  # what was imported is no garbage: to look through it takes 45 ms of a start
    gc.set_threshold(*GC_THRESHOLD)
    gc.enable()
    reuse_buffers()


def _flow(app: App, topics: Topics, rules: RulesInForce, done: Done) -> Flow:
    settings = app.settings
    flow = Flow(
        app,
        sources={topic: (log, 1 if topic == topics.people else settings.partitions) for topic, log in sources(settings).items()},
        outputs=(topics.stage_changes, topics.lead_states, topics.account_changes, topics.dead_letters),
        limit_s=settings.session_timeout.total_seconds() / 2,
        rules=lambda tp, offset: _in_force(app.leadstream, rules, tp, offset),
        done=done,
        folds=(topics.people,),  # lost accounts come back from `members`, as rows of visitors do from events
    )
    flow.patient = frozenset({topics.events})
    return flow


def _tables(app: App, rules: RulesInForce) -> tuple[RowTable[visitor.Visitor], AtomicTable[People], AtomicTable[Accounts]]:
    """Make the tables, known to the flow, and return them in the order of `TABLES`."""
    name, partitions = app.settings.app, app.settings.partitions
    visitors_log, people_log, accounts_log = (changelog(name, table) for table in TABLES)
    rows = RowTable(_store(app, "visitors", partitions), visitors_log, visitor.decode, visitor.encode)
    people = AtomicTable(
        _store(app, "people", 1),
        people_log,
        lambda stored: _noted(rules, People(stored, partitions, name, rules.own, accounts=True)),
    )
    accounts = AtomicTable(_store(app, "accounts", partitions), accounts_log, lambda stored: Accounts(stored, name, rules.own))
    app.flow.tables = {visitors_log: rows, people_log: people, accounts_log: accounts}
    return rows, people, accounts


def _store(app: App, name: str, partitions: int) -> Callable[[], PartStore]:
    schema = BatchSchema(key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw")
    table = app.Table(name, partitions=partitions, key_type=bytes, value_type=bytes, schema=schema)
    return lambda: cast("PartStore", table.data)


def _in_force(state: Leadstream, rules: RulesInForce, tp: TP, offset: int) -> tuple[str, int]:
    """Return the hash and the place of the ruleset in force once a source is read up to an offset."""
    readers: dict[str, PeopleLog | AccountsLog] = {
        state.topics.people: state.people_log, state.topics.members: state.accounts_log,
    }  # fmt: skip
    edition = readers.get(tp.topic, state.visitors).in_force(tp, offset)
    return ("", 0) if edition is None else (rules.of(edition).hash, edition.place)


def _noted(rules: RulesInForce, people: People) -> People:
    rules.noted(people.rules)
    return people


def _agents(app: App, visitors: Visitors, people_log: PeopleLog, topics: Topics, partitions: int) -> None:
    # Faust asks whose file it is itself in, and Python then looks at all modules: 50 ms of a start
    inspect.modulesbyfile[faust.app.base.__file__] = faust.app.base.__name__

    @app.agent(app.topic(topics.events, partitions=partitions, schema=BatchSchema()), name="visitors")
    async def read_events(stream: Any) -> None:
        async for delivered in stream:
            await visitors.read_events(delivered)

    @app.agent(app.topic(topics.wakes, partitions=partitions, schema=BatchSchema()), name="wakes")
    async def read_wakes(stream: Any) -> None:
        async for delivered in stream:
            await visitors.read_wakes(delivered)

    @app.agent(app.topic(topics.people, partitions=1, schema=BatchSchema()), name="people")
    async def read_people(stream: Any) -> None:
        async for delivered in stream:
            await people_log.read(delivered)


def _account_agent(app: App, accounts_log: AccountsLog, topics: Topics, partitions: int) -> None:
    @app.agent(app.topic(topics.members, partitions=partitions, schema=BatchSchema()), name="accounts")
    async def read_members(stream: Any) -> None:
        async for delivered in stream:
            await accounts_log.read(delivered)


def _counting(metrics: Metrics) -> Callable[..., Awaitable[None]]:
    async def count(*_: Any, **__: Any) -> None:
        metrics.rebalances.inc()

    return count


def _observe(
    metrics: Metrics, works: list[Work], seconds: float, others: Iterable[Done]
) -> None:  # fmt: skip
    metrics.checkpoint.set(seconds)
    metrics.event_latency.observe_since(chain.from_iterable([work.received for work in works]), int(time.time() * 1000))
    for tell in others:
        tell(works, seconds)


def own_ruleset(settings: Settings) -> Ruleset:
    """Return the ruleset of the worker's settings; raises UsageError naming the file where it is none."""
    path = settings.ruleset
    if path is None:
        return shipped_ruleset()
    try:
        rules = load_ruleset(path.read_bytes(), str(path))
    except OSError as error:
        raise UsageError(f"{PREFIX}RULESET is {path}: {error.strerror or error}: name a readable ruleset file") from error
    except RulesetError as error:
        raise UsageError(str(error)) from error
    if len(rules.text) > MAX_TEXT:
        raise UsageError(f"{path} has {len(rules.text)} bytes, a ruleset may have {MAX_TEXT}: shorten its comments and lists")
    return rules


def shipped_ruleset() -> Ruleset:
    """Return the ruleset that comes with the package."""
    return load_ruleset((resources.files("stream.rulesets") / "b2b-default.toml").read_bytes(), "b2b-default.toml")


try:
    app = create(load_settings())
except CommandError as error:
    end(error)
