"""Creates the topics of the registry, and the dead-letter topics of a service's groups."""

from __future__ import annotations

from collections.abc import Iterable

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from shared.errors import TransientError
from shared.events import DEAD_LETTER_HEADROOM_BYTES, TOPICS, dead_letter_topic
from shared.kafka.security import OPEN, LogSecurity

DEAD_LETTER_RETENTION_MS = 30 * 86_400_000


async def create_topics(
    bootstrap_servers: str,
    *,
    topic_prefix: str = "",
    replication_factor: int = 1,
    consumed: Iterable[tuple[str, str]] = (),
    security: LogSecurity = OPEN,
) -> None:
    """Create what is missing; what exists is left as it is, partitions are never added.

    Args:
        bootstrap_servers: `host:port`, comma separated.
        topic_prefix: put before every name.
        replication_factor: copies of each partition.
        consumed: (topic, service) pairs that need a dead-letter topic.
        security: how the log knows us.

    Raises:
        TransientError: no broker answered, or it refused.
    """
    wanted = [
        NewTopic(
            topic_prefix + topic.name,
            topic.partitions,
            replication_factor,
            topic_configs={
                **{name: str(value) for name, value in topic.config.items()},
                "max.message.bytes": str(topic.max_message_bytes),
            },
        )
        for topic in TOPICS.values()
    ]
    wanted += [
        NewTopic(
            topic_prefix + dead_letter_topic(name, service),
            1,
            replication_factor,
            topic_configs={
                "retention.ms": str(DEAD_LETTER_RETENTION_MS),
                "max.message.bytes": str(
                    TOPICS[name].max_message_bytes + DEAD_LETTER_HEADROOM_BYTES
                ),
            },
        )
        for name, service in consumed
    ]
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers, **security.options)
    try:
        await admin.start()
        response = await admin.create_topics(wanted)
    except (KafkaError, OSError) as error:
        raise TransientError("topics can't be created; check the bootstrap servers") from error
    except AttributeError as error:
        # aiokafka reads the node of a controller that a young cluster, or a mock one, does not have
        message = "no broker is the controller; a log without one needs FAN_CREATE_TOPICS=false"
        raise TransientError(message) from error
    finally:
        await admin.close()
    for name, code, *_ in response.topic_errors:
        error_type = for_code(code)
        if code and error_type is not TopicAlreadyExistsError:
            raise TransientError(f"topic {name} can't be created: {error_type.__name__}")


async def partitions_of(
    bootstrap_servers: str, topic: str, *, security: LogSecurity = OPEN
) -> list[int]:
    """The numbers of a topic's partitions, with its prefix; none where the topic is missing."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers, **security.options)
    await admin.start()
    try:
        found = await admin.describe_topics([topic])
    finally:
        await admin.close()
    return [p["partition"] for t in found if not t["error_code"] for p in t["partitions"]]
