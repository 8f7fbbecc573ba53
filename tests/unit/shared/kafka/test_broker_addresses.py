"""How the log's addresses reach the consumers."""

from __future__ import annotations

from shared.kafka.subscribe import make_broker


def test_each_of_several_bootstrap_servers_is_an_address_of_its_own() -> None:
    broker = make_broker("a:1,b:2,c:3", client_id="test")
    assert broker._connection_kwargs["bootstrap_servers"] == ["a:1", "b:2", "c:3"]
