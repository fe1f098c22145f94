"""The private methods of Faust and aiokafka that the runtime overrides or calls: an upgrade that changes one fails here.

When one of these fails: read what changed, adapt `stream/runtime`, run the chaos suite, then pin the new hash.
"""

import hashlib
import inspect
import textwrap
from importlib import metadata
from typing import Any

import pytest
from aiokafka.client import AIOKafkaClient
from aiokafka.conn import AIOKafkaConnection
from aiokafka.consumer.fetcher import Fetcher, FetchResult, PartitionRecords
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.consumer.subscription_state import TopicPartitionState
from aiokafka.producer.message_accumulator import BatchBuilder, MessageAccumulator, MessageBatch
from aiokafka.producer.sender import Sender
from aiokafka.record.default_records import _DefaultRecordBatchPy
from faust.app.base import App
from faust.assignor.client_assignment import ClientAssignment
from faust.assignor.partition_assignor import PartitionAssignor
from faust.stores.base import Store
from faust.tables.manager import TableManager
from faust.tables.recovery import Recovery
from faust.transport.conductor import Conductor
from faust.transport.consumer import Consumer, ThreadDelegateConsumer
from faust.transport.drivers import aiokafka as driver
from mode.utils.queues import FlowControlEvent

VERSIONS = {"faust-streaming": "0.15.3", "aiokafka": "0.14.0", "mode-streaming": "0.7.1"}

PINNED: list[tuple[Any, str]] = [
    (driver.AIOKafkaConsumerThread._create_worker_consumer, "c179c0bdb975"),
    (driver.AIOKafkaConsumerThread._fetch_records, "9e7369fc572d"),
    (driver.AIOKafkaConsumerThread._ensure_consumer, "a2c77687801c"),
    (driver.ConsumerRebalanceListener.on_partitions_revoked, "cb4aa49e968a"),
    (driver.ConsumerRebalanceListener.on_partitions_assigned, "f8231db51dd5"),
    (driver.Consumer._new_consumer_thread, "8fd0d41b1514"),
    (driver.Producer._settings_default, "492005e1ef20"),
    (driver.Producer._settings_extra, "2b12df47f0a5"),
    (driver.Producer._new_producer, "a1bef421b990"),
    (driver.Producer._ensure_producer, "04016bd22147"),
    (driver.Producer.flush, "31d2ece965d5"),
    (Consumer._drain_messages, "8f35dd7a1114"),
    (Consumer._get_active_partitions, "da41bc1e8d86"),
    (Consumer.perform_seek, "2b4ceebd23de"),
    (Consumer.seek_wait, "996f7de78fba"),
    (Consumer.commit, "e43a7d03685f"),
    (driver.Consumer.verify_event_path, "883ce70ac0a6"),
    (Consumer.wait_empty, "53195dca246c"),
    (Consumer.on_stop, "7accc1bf4f97"),
    (Consumer.on_task_error, "abf73e0e009a"),
    (Consumer.on_partitions_revoked, "652177e770ee"),
    (Consumer.on_partitions_assigned, "c07feb1175f7"),
    (Consumer._commit_handler.fun, "71024925b06f"),
    (Consumer.stop_flow, "aa77389dc23a"),
    (Consumer.resume_flow, "192f20bc377f"),
    (Consumer.pause_partitions, "a1814af09823"),
    (Consumer.resume_partitions, "fc6392136c27"),
    (ThreadDelegateConsumer._getmany, "8dbffeccb0e3"),
    (Recovery._restart_recovery.fun, "f93138b040ef"),
    (Recovery._slurp_changelogs.fun, "7e3120dad754"),
    (Recovery._seek_offsets, "d76d5a8f46fa"),
    (Recovery._build_highwaters, "32d70220d2a8"),
    (Recovery._build_offsets, "0f5a7d62fb7d"),
    (Recovery.on_rebalance, "31030bc1807f"),
    (Recovery.on_recovery_completed, "895e7c415a4d"),
    (Recovery._publish_stats.fun, "099a124a57bf"),
    (AIOKafkaConnection.connect, "179fa038c170"),
    (AIOKafkaConnection._read, "4020301d6ad4"),
    (AIOKafkaConnection._handle_frame, "aadf78abd43c"),
    (AIOKafkaConnection._send_sasl_token, "1d7b49df9df2"),
    (Recovery.need_recovery, "c6860beac5d7"),
    (PartitionAssignor.on_assignment, "63482c10174f"),
    (GroupCoordinator.check_errors, "c67ee34a37d9"),
    (GroupCoordinator.reset_generation, "3cb4a2490077"),
    (GroupCoordinator._push_error_to_user, "8dce53d5130d"),
    (driver.AIOKafkaConsumerThread.on_start, "675d03707bbe"),
    (Recovery._add, "0bc4d8362676"),
    (Recovery.revoke, "b22e61ecd04c"),
    (TableManager.on_start, "b82e759be50c"),
    (TableManager._update_channels, "c43fe8c0812b"),
    (TableManager.on_rebalance, "fc9b70e03994"),
    (Store.__init__, "670b879a6e03"),
    (App._on_partitions_revoked, "c1abd58dcb37"),
    (App._on_partitions_assigned, "c9c5485eb273"),
    (App.on_start, "d86da08f9315"),
    (App._create_directories, "11b6b0b79e31"),
    (FlowControlEvent.resume, "da6fc70c770e"),
    (FlowControlEvent.clear, "ad25d8fa610e"),
    (Fetcher._proc_fetch_request, "ace04969424f"),
    (Fetcher.fetched_records, "e20ce0c8117f"),
    (Fetcher._get_actions_per_node, "fd175a69d8d4"),
    (Fetcher._notify, "b0c2aa8e3cc1"),
    (FetchResult.calculate_backoff, "aeed7a095b62"),
    (BatchBuilder.__init__, "b5064f9ad59e"),
    (Sender._sender_routine, "c07b5ec56875"),
    (Conductor._update_tp_index, "41331c63e985"),
    (Fetcher._create_fetch_waiter, "65046fcd40e7"),
    (FetchResult.check_assignment, "2ffd6c1af9bc"),
    (FetchResult._update_position, "85766baa5d43"),
    (FetchResult.has_more, "10119aeb1b75"),
    (PartitionRecords._unpack_records, "047f7fc3f005"),
    (GroupCoordinator._do_heartbeat, "5628cb32b3d2"),
    (GroupCoordinator._maybe_leave_group, "7bc230e3f4dc"),
    (GroupCoordinator.close, "27181b0763fd"),
    (_DefaultRecordBatchPy._maybe_uncompress, "373cfd89b30d"),
    (_DefaultRecordBatchPy._read_msg, "d8aa5d60caca"),
    (GroupCoordinator.fetch_committed_offsets, "c83e0cafbf1e"),
    (GroupCoordinator._send_req, "ca4ba17474e1"),
    (MessageAccumulator.add_batch, "35870bc8e9eb"),
    (MessageAccumulator.drain_by_nodes, "cc2f3eafe1e1"),
    (MessageAccumulator._pop_batch, "6dc3d1b62145"),
    (MessageBatch.__init__, "ca0c32ee765b"),
    (BatchBuilder.append, "65992902ef83"),
    (BatchBuilder.close, "eeec9fe1220a"),
    (PartitionAssignor._perform_assignment, "9fccf313a21c"),
    (PartitionAssignor._protocol_assignments, "80a287d34624"),
    (PartitionAssignor._get_copartitioned_groups, "76de3cb3088e"),
    (ClientAssignment.copartitioned_assignment, "a86db247eb38"),
    (Consumer.on_buffer_full, "edcee17978c4"),
    (Consumer.on_buffer_drop, "c5f80b096c71"),
    (Fetcher.__init__, "15b78b16e0ee"),
    (GroupCoordinator.__init__, "f14fdb7599ea"),
    (Sender.start, "b9d733bce58b"),
    (Fetcher._update_fetch_positions, "1dc02ecce273"),
    (TopicPartitionState.fetch_committed, "808d709b7a10"),
    (TopicPartitionState.reset_to, "4a6bddb172de"),
    (TopicPartitionState.await_reset, "f4ac41e39ceb"),
    (GroupCoordinator._maybe_refresh_commit_offsets, "2be10aadbeac"),
    (AIOKafkaClient._wait_on_metadata, "957d529bb473"),
]


def source_hash(function: Any) -> str:
    """Return the first 12 hex digits of the hash of a function's source."""
    return hashlib.sha256(textwrap.dedent(inspect.getsource(function)).encode()).hexdigest()[:12]


@pytest.mark.parametrize(("package", "version"), VERSIONS.items())
def test_the_versions_are_those_the_runtime_was_proven_with(package: str, version: str) -> None:
    assert metadata.version(package) == version


@pytest.mark.parametrize(("function", "pinned"), PINNED, ids=lambda x: getattr(x, "__qualname__", ""))
def test_what_we_override_or_call_is_as_it_was(function: Any, pinned: str) -> None:
    assert source_hash(function) == pinned
