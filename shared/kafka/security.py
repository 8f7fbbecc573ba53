"""How a client of the log says who it is, and what a refusal means."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from typing import Any, Final

from aiokafka.conn import collect_hosts, create_conn
from aiokafka.errors import KafkaError, SaslAuthenticationFailed, UnsupportedSaslMechanismError
from aiokafka.protocol.metadata import MetadataRequest
from faststream.security import BaseSecurity, SASLPlaintext, SASLScram256, SASLScram512

from shared.settings import SettingsError
from shared.settings_parts import LogAccess

LOOK_MS: Final = 3_000
_MECHANISMS: Final = {
    "PLAIN": SASLPlaintext,
    "SCRAM-SHA-256": SASLScram256,
    "SCRAM-SHA-512": SASLScram512,
}


@dataclass(frozen=True, slots=True)
class LogSecurity:
    """The same for both kinds of clients."""

    options: dict[str, Any] = field(default_factory=dict, repr=False)
    """Keyword arguments of aiokafka's clients; with a password, so never logged."""
    faststream: BaseSecurity | None = None

    @classmethod
    def of(cls, access: LogAccess) -> LogSecurity:
        """What the settings ask for.

        Raises:
            SettingsError: the file of certificates can't be used.
        """
        protocol = access.kafka_security_protocol
        if protocol == "PLAINTEXT":
            return cls()
        context = _tls_context(access) if protocol.endswith("SSL") else None
        options: dict[str, Any] = {"security_protocol": protocol, "ssl_context": context}
        if protocol == "SSL":
            return cls(options, BaseSecurity(ssl_context=context))
        user, password = access.kafka_username, access.kafka_password.get_secret_value()
        options |= {
            "sasl_mechanism": access.kafka_sasl_mechanism,
            "sasl_plain_username": user,
            "sasl_plain_password": password,
        }
        mechanism = _MECHANISMS[access.kafka_sasl_mechanism]
        return cls(options, mechanism(user, password, ssl_context=context))


OPEN: Final = LogSecurity()
"""Of a log that asks nobody who it is."""


async def why_refused(bootstrap_servers: str, security: LogSecurity) -> str | None:
    """What the log has against us, in words, or that it does not answer; None if it lets us in.

    The clients say no more than that none could be reached: one more connection tells why.
    """
    for host, port, _ in collect_hosts(bootstrap_servers):
        try:
            connection = await create_conn(
                host, port, request_timeout_ms=LOOK_MS, **security.options
            )
        except SaslAuthenticationFailed:
            return (
                "the log refuses this user or password; check FAN_KAFKA_USERNAME and"
                " FAN_KAFKA_PASSWORD, and that the log knows the user with this mechanism"
            )
        except UnsupportedSaslMechanismError:
            return "the log does not offer this mechanism; check FAN_KAFKA_SASL_MECHANISM"
        except ssl.SSLCertVerificationError as error:
            return (
                f"the log's certificate is not trusted ({error.verify_message}); check"
                " FAN_KAFKA_CA_FILE and the host names in FAN_KAFKA_BOOTSTRAP_SERVERS"
            )
        except (KafkaError, OSError, TimeoutError):
            continue
        try:
            await connection.send(MetadataRequest([]))  # one that wants a password hangs up here
        except (KafkaError, OSError, TimeoutError):
            continue
        finally:
            connection.close()
        return None
    return (
        "the log does not answer; check FAN_KAFKA_BOOTSTRAP_SERVERS, and"
        " FAN_KAFKA_SECURITY_PROTOCOL where it speaks TLS or asks for a password"
    )


def _tls_context(access: LogAccess) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=access.kafka_ca_file)
    except OSError as error:  # also what OpenSSL finds wrong with it
        raise SettingsError(
            f"FAN_KAFKA_CA_FILE: {access.kafka_ca_file} can't be used: {type(error).__name__};"
            " it must hold certificates in PEM form"
        ) from None
