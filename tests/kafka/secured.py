"""A Kafka that lets in only who has a certificate or a password, with an authority of the test's own, and has ACLs."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from confluent_kafka.admin import (
    AdminClient,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialAlteration,
    UserScramCredentialUpsertion,
)

from tests.brokers import Broker, KafkaNode, free_port

USER, PASSWORD = "leadstream", "a pass word, with signs"

_LOGIN = "org.apache.kafka.common.security.scram.ScramLoginModule"


@dataclass(frozen=True)
class Authority:
    """Signs certificates; all files in one folder."""

    folder: Path
    name: str

    @property
    def certificate(self) -> Path:
        return self.folder / f"{self.name}.pem"

    @property
    def key(self) -> Path:
        return self.folder / f"{self.name}.key"

    @classmethod
    def made(cls, folder: Path, name: str) -> "Authority":
        """Make an authority; skips where openssl is missing."""
        if not shutil.which("openssl"):
            pytest.skip("no openssl to make certificates with")
        folder.mkdir(exist_ok=True)
        authority = cls(folder, name)
        _openssl("req", "-x509", *_new(authority.key), "-out", authority.certificate, "-subj", f"/CN={name}", "-days", "2")
        return authority

    def sign(self, name: str) -> tuple[Path, Path]:
        """Return certificate and key of somebody on 127.0.0.1."""
        key, request, certificate, names = (self.folder / f"{name}.{end}" for end in ("key", "csr", "pem", "ext"))
        names.write_text("subjectAltName=IP:127.0.0.1,DNS:localhost")
        _openssl("req", *_new(key), "-out", request, "-subj", f"/CN={name}")
        ours = ("-CA", self.certificate, "-CAkey", self.key, "-CAcreateserial", "-extfile", names, "-days", "2")
        _openssl("x509", "-req", "-in", request, "-out", certificate, *ours)
        return certificate, key


def _new(key: Path) -> tuple[str | Path, ...]:
    return ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key)


def _openssl(*words: str | Path) -> None:
    subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True)


class SecuredNode(KafkaNode):
    """A node that has, beside the listener of the tests, one for SCRAM over TLS and one for certificates."""

    def __init__(self, home: Path, jars: Path, authority: Authority) -> None:
        self.scram, self.mutual = (f"127.0.0.1:{free_port()}" for _ in range(2))
        self._authority = authority
        certificate, key = authority.sign("kafka")
        self._store = authority.folder / "kafka.store.pem"
        self._store.write_text(key.read_text() + certificate.read_text())
        super().__init__(home, jars)

    def know(self, *users: str) -> None:
        """Let users in, with the one password."""
        admin = AdminClient({"bootstrap.servers": self.address, "log_level": 0})
        scram = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
        upsertions: list[UserScramCredentialAlteration] = [
            UserScramCredentialUpsertion(user, scram, PASSWORD.encode()) for user in users
        ]
        for done in admin.alter_user_scram_credentials(upsertions).values():
            done.result(30)

    def _settings(self) -> str:
        """Return the tests' settings with the two listeners; of a name that stands twice the later counts."""
        there = f"PLAINTEXT://{self.address}"
        secured = f"SCRAM://{self.scram},MUTUAL://{self.mutual}"
        return super()._settings() + "\n".join(
            (
                f"listeners={there},CONTROLLER://{self.place.voters[self.place.node]},{secured}",
                f"advertised.listeners={there},{secured}",
                "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SCRAM:SASL_SSL,MUTUAL:SSL",
                "ssl.keystore.type=PEM",
                f"ssl.keystore.location={self._store}",
                "ssl.truststore.type=PEM",
                f"ssl.truststore.location={self._authority.certificate}",
                "listener.name.mutual.ssl.client.auth=required",
                "listener.name.scram.sasl.enabled.mechanisms=SCRAM-SHA-512",
                f"listener.name.scram.scram-sha-512.sasl.jaas.config={_LOGIN} required;",
                "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
                f"super.users=User:ANONYMOUS;User:{USER};User:CN=worker",
                "",
            )
        )


@dataclass(frozen=True)
class Secured:
    """A running one, and the settings with which it lets us in."""

    broker: Broker
    by_password: dict[str, str]
    by_certificate: dict[str, str]


def settings_of(node: SecuredNode, authority: Authority) -> tuple[dict[str, str], dict[str, str]]:
    """Return the settings for each of its doors."""
    certificate, key = authority.sign("worker")
    common = {"KAFKA_CA": str(authority.certificate), "KAFKA_PLAINTEXT": "loopback"}
    by_password = common | {
        "KAFKA": node.scram,
        "KAFKA_SECURITY": "sasl_ssl",
        "KAFKA_MECHANISM": "SCRAM-SHA-512",
        "KAFKA_USERNAME": USER,
        "KAFKA_PASSWORD": PASSWORD,
    }
    by_certificate = common | {
        "KAFKA": node.mutual,
        "KAFKA_SECURITY": "ssl",
        "KAFKA_CERT": str(certificate),
        "KAFKA_KEY": str(key),
    }
    return by_password, by_certificate
