"""Parts of every service's settings that belong together: the way to the log, the HTTP edge."""

from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, PositiveInt, SecretStr, model_validator
from pydantic_settings import BaseSettings

SecurityProtocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
SaslMechanism = Literal["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"]


class LogAccess(BaseSettings):
    """Where the log is, and how we say who we are."""

    kafka_bootstrap_servers: Annotated[
        str, Field(min_length=1, description="addresses of the log, as host:port,host:port")
    ]
    kafka_security_protocol: Annotated[
        SecurityProtocol,
        Field(description="PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL; in production SASL_SSL"),
    ] = "PLAINTEXT"
    kafka_sasl_mechanism: Annotated[
        SaslMechanism,
        Field(description="SCRAM-SHA-512, SCRAM-SHA-256 or PLAIN; read with SASL_… only"),
    ] = "SCRAM-SHA-512"
    kafka_username: Annotated[
        str, Field(description="this service's user in the log; needed with SASL_…")
    ] = ""
    kafka_password: Annotated[
        SecretStr, Field(description="this user's password; needed with SASL_…")
    ] = SecretStr("")
    kafka_ca_file: Annotated[
        Path | None,
        Field(
            description="certificates (PEM) that the log's certificate is checked against, with"
            " SSL; the system's when it is not set"
        ),
    ] = None

    @model_validator(mode="after")
    def _credentials_fit_the_protocol(self) -> "LogAccess":
        wants = self.kafka_security_protocol.startswith("SASL_")
        password = self.kafka_password.get_secret_value()
        if wants and not (self.kafka_username and password):
            raise ValueError(
                f"FAN_KAFKA_SECURITY_PROTOCOL={self.kafka_security_protocol} needs"
                " FAN_KAFKA_USERNAME and FAN_KAFKA_PASSWORD"
            )
        if not wants and (self.kafka_username or password):
            raise ValueError(
                "FAN_KAFKA_USERNAME and FAN_KAFKA_PASSWORD are not used with"
                f" FAN_KAFKA_SECURITY_PROTOCOL={self.kafka_security_protocol}; take SASL_SSL or"
                " SASL_PLAINTEXT, or leave them out"
            )
        return self


class HttpEdge(BaseSettings):
    """Where a service listens, and how much one client or all of them may take."""

    http_host: Annotated[
        str, Field(min_length=1, description="address to listen on; 0.0.0.0 inside a container")
    ] = "127.0.0.1"
    http_port: Annotated[
        int, Field(ge=0, le=65_535, description="port to listen on; 0 takes a free one")
    ] = 8080
    http_max_in_flight: Annotated[
        PositiveInt,
        Field(
            description="requests at work at a time, of webhooks, staff and public pages each;"
            " more get 503"
        ),
    ] = 512
    http_max_connections: Annotated[
        PositiveInt,
        Field(description="open connections; for one more, those that wait longest are ended"),
    ] = 2048
    http_max_unfinished: Annotated[
        PositiveInt,
        Field(
            description="requests whose head or body is not whole; for one more, the oldest is"
            " ended; each may hold 80 KiB"
        ),
    ] = 1024
    http_max_unfinished_per_peer: Annotated[
        PositiveInt,
        Field(description="the same for one address (IPv6: one /64) that is no trusted proxy"),
    ] = 256
    http_trusted_proxies: Annotated[
        tuple[IPv4Network | IPv6Network, ...],
        Field(
            description='networks of the proxies in front, as JSON: ["10.0.0.0/8"]; they are not'
            " bounded one by one, and must bound their own clients; X-Forwarded-For is never read"
        ),
    ] = ()
