"""What each service is told on the laptop: its variables, and the example configuration files."""

from __future__ import annotations

import json
from pathlib import Path

from deploy.local.brand import Brand
from deploy.local.parts.ports import HOST

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
    match service:
        case "segmenter":
            return common | {f"{own}TAGS_FILE": str(EXAMPLES / "tags.yaml")}
        case "sentiment":
            return common | {
                f"{own}ALERTS_FILE": str(config / "alerts.yaml"),
                f"{own}PUBLIC_URL": f"http://{HOST}:{port}",
                f"{own}LINK_SECRETS": json.dumps([brand.link_secret]),
                f"{own}AUTHOR_SECRET": brand.author_secret,
            }
        case _:
            return common
