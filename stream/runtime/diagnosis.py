"""Why Kafka does not let us in: aiokafka says only that no broker answered, and what to do differs."""

import asyncio
import ssl

from aiokafka.conn import create_conn
from aiokafka.errors import KafkaError

from stream.errors import CommandError, UnreachableError, UsageError
from stream.settings import PREFIX, Settings

PATIENCE_S = 5.0


async def diagnosed(settings: Settings) -> CommandError:
    """Knock at each address again and return the error that says best what to do."""
    where = ",".join(settings.kafka)
    return await refusal(settings) or UnreachableError(
        f"Kafka does not answer at {where}: start it, or set {PREFIX}KAFKA=host:port"
    )


async def refusal(settings: Settings) -> UsageError | None:
    """Knock at each address and return why one that answers does not let us in; None: it does, or none answers."""
    for address in settings.kafka:
        host, _, port = address.rpartition(":")
        options = {name: value for name, value in settings.client().items() if name != "bootstrap_servers"}
        try:
            async with asyncio.timeout(PATIENCE_S):
                connection = await create_conn(host.strip("[]"), int(port), **options)
        except ssl.SSLError as error:
            return UsageError(_told_of_tls(settings, address, error))
        except KafkaError as error:
            if settings.kafka_security.startswith("sasl") and _is_refusal(error):
                return UsageError(
                    f"Kafka at {address} refuses {PREFIX}KAFKA_USERNAME {settings.kafka_username!r} ({error}): "
                    f"check it, {PREFIX}KAFKA_PASSWORD and {PREFIX}KAFKA_MECHANISM={settings.kafka_mechanism}"
                )
            if settings.kafka_security == "ssl":
                which = "another" if settings.kafka_cert else "a"
                return UsageError(
                    f"Kafka at {address} ends the connection: it may want {which} certificate of ours: "
                    f"set {PREFIX}KAFKA_CERT and {PREFIX}KAFKA_KEY"
                )
        except (OSError, TimeoutError):
            continue
        else:
            connection.close()
            break
    return None


def _told_of_tls(settings: Settings, address: str, error: ssl.SSLError) -> str:
    reason = error.verify_message if isinstance(error, ssl.SSLCertVerificationError) else (error.reason or str(error))
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"Kafka's certificate at {address} is not trusted ({reason}): set {PREFIX}KAFKA_CA to the authority that signed it"
    hint = "" if settings.kafka_cert else f"{PREFIX}KAFKA_SECURITY, or "
    return f"Kafka at {address} and TLS: {reason}: check {hint}set {PREFIX}KAFKA_CERT and {PREFIX}KAFKA_KEY"


def _is_refusal(error: KafkaError) -> bool:
    return "Auth" in type(error).__name__ or "Sasl" in type(error).__name__
