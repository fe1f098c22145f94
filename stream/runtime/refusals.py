"""What Kafka refuses for as long as a setting is what it is: one line each, which names the setting, its value and the way on.

A start anew changes nothing, so a worker ends with exit code 2; docs/for-ops.md lists the settings.
"""

from datetime import timedelta

from aiokafka.errors import (
    BrokerResponseError,
    InconsistentGroupProtocolError,
    InvalidSessionTimeoutError,
    InvalidTimestampError,
    KafkaError,
    MessageSizeTooLargeError,
    kafka_errors,
)

from stream.durations import format_duration
from stream.runtime.fatal import Misfit
from stream.runtime.topics import ANY_AGE
from stream.settings import PREFIX


class InvalidRecordError(BrokerResponseError):  # type: ignore[misc]  # aiokafka has no types
    """aiokafka knows no such code, and would tell of it as of any other that it does not know."""

    errno = 87
    message = "INVALID_RECORD"


kafka_errors[InvalidRecordError.errno] = InvalidRecordError


def of_sending(cause: BaseException, topic: str, partition: int, size: int) -> BaseException:
    """Return what to end with where Kafka did not take a record batch of `size` bytes: the line, or the cause with its place."""
    if isinstance(cause, MessageSizeTooLargeError):
        return Misfit(
            f"Kafka takes no {size} bytes into {topic}-{partition}: max.message.bytes of {topic} is too low: "
            "`leadstream topics --check` says what it should be; set it there"
        )
    if isinstance(cause, InvalidTimestampError):
        return Misfit(
            f"Kafka takes no record of that age into {topic}-{partition}: message.timestamp.before.max.ms (or .after.max.ms) of "
            f"{topic} is too low: `leadstream topics --check` says what it should be; set it there, {ANY_AGE} allows all"
        )
    if isinstance(cause, InvalidRecordError):
        return Misfit(
            f"Kafka takes no record without a key into {topic}-{partition}: cleanup.policy of {topic} holds compact: "
            "`leadstream topics --check` says what it should be; set it there"
        )
    if isinstance(cause, KafkaError):
        cause.args = (f"{topic}-{partition}", *cause.args)
    return cause


def of_joining(cause: BaseException, group: str, session_ms: int) -> BaseException:
    """Return what to end with where Kafka did not let this worker into its group: the line, or the cause as it is."""
    if isinstance(cause, InvalidSessionTimeoutError):
        session = format_duration(timedelta(milliseconds=session_ms))
        return Misfit(
            f"Kafka takes no {PREFIX}SESSION_TIMEOUT={session}: set one between its group.min.session.timeout.ms and "
            "group.max.session.timeout.ms (6s and 30m where nobody set them)"
        )
    if isinstance(cause, InconsistentGroupProtocolError):
        return Misfit(
            f"in the group {group} is a consumer that is no worker: stop it "
            f"(`kafka-consumer-groups.sh --describe --members --group {group}` names it), or set another {PREFIX}APP"
        )
    return cause
