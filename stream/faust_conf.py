"""What Faust is told, and why it differs from its own defaults."""

from typing import Any

from stream import logs
from stream.runtime.membership import Assignor
from stream.runtime.recovery import BatchTableManager
from stream.settings import Settings

HEARTBEAT_S = 0.3
"""A member hears of a rebalance by its next heartbeat, and those that heard before stand still until the last one has."""
MAX_BATCH = 1_000_000
"""A cut of `people` is one record batch: 512 KiB, and what one more record of the log changes. Kafka takes 1,048,588 bytes."""
MAX_REQUEST = 1_400_000
"""Above the largest dead letter."""


def conf(settings: Settings) -> dict[str, Any]:
    """Return the arguments of `faust.App` for an installation."""
    session = settings.session_timeout.total_seconds()
    return {
        "broker": [f"leadstream://{address}" for address in settings.kafka],
        "broker_credentials": settings.faust_credentials(),
        "store": "part://",
        "TableManager": BatchTableManager,
        "PartitionAssignor": Assignor,
        "topic_partitions": settings.partitions,
        "topic_replication_factor": settings.replication,
        "topic_disable_leader": True,
        "topic_allow_declare": False,
        "table_standby_replicas": 0,
        "web_enabled": False,
        "HttpClient": object,  # that of aiohttp would be imported, and nobody asks by it
        "logging_config": logs.config(settings.log_level, settings.log_format),
        "canonical_url": settings.member_url,
        "consumer_auto_offset_reset": "earliest",
        "consumer_group_instance_id": settings.instance,
        "consumer_max_fetch_size": 1 << 20,
        "broker_commit_interval": min(settings.checkpoint.total_seconds(), 1.0) * 0.9,
        "broker_commit_every": 10**9,
        "broker_session_timeout": session,
        "broker_request_timeout": max(90.0, session),  # Faust wants it to be no shorter than the session
        "broker_heartbeat_interval": min(session / 10, HEARTBEAT_S),
        "broker_rebalance_timeout": 30.0,
        "producer_linger": 0,
        "producer_request_timeout": session,  # an idle worker notices by it that Kafka is gone
        "producer_max_batch_size": MAX_BATCH,
        "producer_max_request_size": MAX_REQUEST,
        "stream_buffer_maxsize": 16,
        "stream_recovery_delay": 0.0,
        "stream_wait_empty": True,
    }
