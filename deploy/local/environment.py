"""What each service is told on the laptop: its variables, and the example configuration files."""

from __future__ import annotations

import json
from pathlib import Path

from deploy.local.brand import Brand

EXAMPLES = Path(__file__).with_name("config")


def service_environment(
    service: str,
    *,
    brand: Brand,
    config: Path,
    bootstrap_servers: str,
    mongodb_url: str,
    database: str,
    topic_prefix: str,
    log_epoch: str,
    port: int,
    sandbox_url: str,
) -> dict[str, str]:
    """The variables of one service's process.

    Args:
        service: its name.
        brand: the secrets of this start.
        config: the folder with the files written for this start.
        bootstrap_servers: the log.
        mongodb_url: the store.
        database: the service's own database.
        topic_prefix: put before topics and groups.
        log_epoch: the log's incarnation.
        port: where it listens.
        sandbox_url: the stand-in platforms.
    """
    own = f"FAN_{service.upper()}_"
    common = {
        "FAN_KAFKA_BOOTSTRAP_SERVERS": bootstrap_servers,
        "FAN_LOG_EPOCH": log_epoch,
        "FAN_TOPIC_PREFIX": topic_prefix,
        "FAN_MONGODB_URL": mongodb_url,
        f"{own}MONGODB_DATABASE": database,
        f"{own}HTTP_PORT": str(port),
        "FAN_STAFF_TOKENS": json.dumps({role: [t] for role, t in brand.staff_tokens.items()}),
        "FAN_ACCOUNTS_FILE": str(config / "accounts.yaml"),
    }
    return common | _own_variables(service, brand, sandbox_url)


def _own_variables(service: str, brand: Brand, sandbox_url: str) -> dict[str, str]:
    """What only this service is told."""
    del service, brand, sandbox_url
    return {}
