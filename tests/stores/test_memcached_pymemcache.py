from collections.abc import Mapping, Sequence
from typing import Any

import pymemcache
import pytest
from pymemcache.serde import pickle_serde

from jinja_fragcache.errors import StoreError
from jinja_fragcache.stores.memcached_pymemcache import (
    PymemcacheClient,
    check_unpickles_nothing,
    make_pooled_client,
)

KEYS = [f"key {number}" for number in range(20)]


class Server:
    """A client of one server that notes the keys of each call."""

    def __init__(self) -> None:
        self.calls: list[set[str]] = []

    def get_many(self, keys: Sequence[str]) -> Mapping[str, bytes]:
        self.calls.append(set(keys))
        return dict.fromkeys(keys, b"text")

    def set_many(self, values: Mapping[str, bytes], **_: Any) -> list[str]:
        self.calls.append(set(values))
        return []


def test_keys_are_read_and_written_in_one_call_to_the_server_of_each() -> None:
    servers = [Server(), Server()]
    client = PymemcacheClient(servers)
    assert client.get_many(KEYS) == dict.fromkeys(KEYS, b"text")
    assert client.set_many(dict.fromkeys(KEYS, b"text"), 5) == []
    for server in servers:
        read, written = server.calls
        assert read == written
    first, second = (server.calls[0] for server in servers)
    assert first | second == set(KEYS)
    assert not first & second


def test_a_pooled_client_reads_nothing_that_has_flags() -> None:
    client = make_pooled_client("127.0.0.1:1", 1, {})
    assert client.serde.serialize("k", b"text") == (b"text", 0)
    assert client.serde.deserialize("k", b"text", 0) == b"text"
    assert client.serde.deserialize("k", b"text", 1) is None
    check_unpickles_nothing(client)


def test_a_client_that_unpickles_is_refused() -> None:
    client = pymemcache.PooledClient(("127.0.0.1", 1), serde=pickle_serde)
    with pytest.raises(StoreError, match="unpickles what it finds"):
        check_unpickles_nothing(client)
