"""The id that the log gives a topic: a topic made anew has the old name, but another id.

aiokafka 0.14 asks for metadata in a form that has no ids yet, so the request is described here.
Source: Apache Kafka's protocol guide, Metadata, version 12.
"""

from __future__ import annotations

import random
import uuid
from io import BytesIO
from typing import Any

from aiokafka.errors import KafkaError, NoBrokersAvailable, for_code
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import (
    AbstractType,
    Boolean,
    CompactArray,
    CompactString,
    Int16,
    Int32,
    Schema,
    TaggedFields,
)

ZERO = uuid.UUID(int=0)


class _Uuid(AbstractType):  # type: ignore[misc]  # aiokafka ships no types
    @classmethod
    def encode(cls, value: uuid.UUID) -> bytes:
        return value.bytes

    @classmethod
    def decode(cls, data: BytesIO) -> uuid.UUID:
        return uuid.UUID(bytes=data.read(16))


class _MetadataResponse(Response):  # type: ignore[misc]  # the same
    API_KEY = 3
    API_VERSION = 12
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "brokers",
            CompactArray(
                ("node_id", Int32),
                ("host", CompactString("utf-8")),
                ("port", Int32),
                ("rack", CompactString("utf-8")),
                ("tags", TaggedFields),
            ),
        ),
        ("cluster_id", CompactString("utf-8")),
        ("controller_id", Int32),
        (
            "topics",
            CompactArray(
                ("error_code", Int16),
                ("name", CompactString("utf-8")),
                ("topic_id", _Uuid),
                ("is_internal", Boolean),
                (
                    "partitions",
                    CompactArray(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", CompactArray(Int32)),
                        ("isr", CompactArray(Int32)),
                        ("offline", CompactArray(Int32)),
                        ("tags", TaggedFields),
                    ),
                ),
                ("authorized_operations", Int32),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class _MetadataRequestStruct(RequestStruct):  # type: ignore[misc]  # the same
    API_KEY = 3
    API_VERSION = 12
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = _MetadataResponse
    SCHEMA = Schema(
        (
            "topics",
            CompactArray(
                ("topic_id", _Uuid),
                ("name", CompactString("utf-8")),
                ("tags", TaggedFields),
            ),
        ),
        ("allow_auto_topic_creation", Boolean),
        ("include_topic_authorized_operations", Boolean),
        ("tags", TaggedFields),
    )


class _MetadataRequest(Request[_MetadataRequestStruct]):  # type: ignore[misc]  # the same
    API_KEY = 3

    def __init__(self, topic: str) -> None:
        self._topic = topic

    def build(self, request_struct_class: type[_MetadataRequestStruct]) -> _MetadataRequestStruct:
        return request_struct_class([(ZERO, self._topic, {})], False, False, {})


async def ask_topic_id(client: Any, topic: str) -> str:
    """The id of a topic, as 32 hexadecimal digits; empty where the log has no ids.

    Args:
        client: a connected aiokafka client.
        topic: with its prefix.

    Raises:
        KafkaError: the log does not answer, or there is no such topic.
    """
    nodes = [broker.nodeId for broker in client.cluster.brokers()]
    random.shuffle(nodes)
    for left, node in enumerate(nodes, 1 - len(nodes)):
        try:
            response = await client.send(node, _MetadataRequest(topic))
        except KafkaError:
            if not left:  # none of them answers
                raise
        except NotImplementedError:  # a broker that does not know this version
            return ""
        else:
            return _id_in(response, topic)
    raise NoBrokersAvailable


def _id_in(response: Any, topic: str) -> str:
    error_code, _name, topic_id, *_ = response.topics[0]
    if error_code:
        raise for_code(error_code)(topic)
    return "" if topic_id == ZERO else topic_id.hex
