import sys
from collections import Counter
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from jinja_fragcache.stores import MemcachedStore, SpreadMemcachedStore
from jinja_fragcache.stores.checksum import with_checksum
from jinja_fragcache.stores.memcached_base import Load
from jinja_fragcache.stores.memcached_servers import (
    MemcachedServers,
    Placement,
    full_address,
)
from tests import servers

KEYS = [f"fragment:row:{number}" for number in range(3000)]
ADDRESSES = st.lists(
    st.tuples(st.integers(0, 255), st.integers(1, 65535)).map(
        lambda each: f"10.0.0.{each[0]}:{each[1]}"
    ),
    min_size=2,
    max_size=8,
    unique=True,
)


def places(addresses: list[str]) -> dict[str, str]:
    place = Placement(addresses)
    return {key: addresses[place(key)] for key in KEYS}


@settings(max_examples=25)
@given(ADDRESSES, st.data())
def test_if_a_server_is_added_only_its_share_of_the_keys_moves(
    addresses: list[str], data: st.DataObject
) -> None:
    added = data.draw(st.sampled_from(addresses))
    before = places([each for each in addresses if each != added])
    after = places(addresses)
    moved = [key for key in KEYS if before[key] != after[key]]
    assert {after[key] for key in moved} == {added}
    # Read the other way round: if it is removed, only its own keys move.
    assert sum(place == added for place in after.values()) == len(moved)
    # Six standard deviations around the expected 1/n of 3,000 keys.
    share = 1 / len(addresses)
    assert abs(len(moved) / len(KEYS) - share) < 6 * (share / len(KEYS)) ** 0.5


@settings(max_examples=25)
@given(ADDRESSES)
def test_each_server_has_its_share_of_the_keys(addresses: list[str]) -> None:
    shares = Counter(places(addresses).values())
    assert len(shares) == len(addresses)
    share = 1 / len(addresses)
    for number in shares.values():
        assert abs(number / len(KEYS) - share) < 6 * (share / len(KEYS)) ** 0.5


@settings(max_examples=25)
@given(ADDRESSES, st.randoms())
def test_the_order_of_the_servers_does_not_matter(
    addresses: list[str], shuffling: Any
) -> None:
    shuffled = list(addresses)
    shuffling.shuffle(shuffled)
    assume(shuffled != addresses)
    assert places(addresses) == places(shuffled)


def test_places_are_the_same_in_every_release() -> None:
    place = Placement(["127.0.0.1:11211", "127.0.0.1:11212", "127.0.0.1:11213"])
    assert [place(f"key {number}") for number in range(12)] == [
        0,
        2,
        2,
        2,
        0,
        0,
        1,
        0,
        0,
        0,
        0,
        2,
    ]


@pytest.mark.parametrize(
    ("address", "full"),
    [
        ("127.0.0.1:11211", "127.0.0.1:11211"),
        ("127.0.0.1", "127.0.0.1:11211"),
        (" Cache.Shop.Test ", "cache.shop.test:11211"),
        ("[::1]:11300", "[::1]:11300"),
        ("[::1]", "[::1]:11211"),
        ("::1", "::1:11211"),
        ("/run/Memcached.sock", "/run/Memcached.sock"),
    ],
)
def test_an_address_is_the_same_however_it_is_written(address: str, full: str) -> None:
    assert full_address(address) == full


class Down:
    """A client of a server that is down."""

    def __getattr__(self, name: str) -> Any:
        def fail(*_: object) -> None:
            raise ConnectionError(name)

        return fail


class Up:
    """A client that notes what it is asked."""

    def __init__(self) -> None:
        self.deleted: list[str] = []
        self.flushed = 0

    def delete_many(self, keys: list[str]) -> None:
        self.deleted += keys

    def flush(self) -> None:
        self.flushed += 1


@pytest.mark.parametrize("down_first", [True, False])
def test_a_server_that_is_down_does_not_keep_the_others_from_deleting(
    *, down_first: bool
) -> None:
    up: Any = Up()
    down: Any = Down()
    clients = {"a:1": down, "b:1": up} if down_first else {"a:1": up, "b:1": down}
    both = MemcachedServers(clients)
    with pytest.raises(ConnectionError):
        both.delete_many(KEYS[:100])
    assert 20 < len(up.deleted) < 80
    with pytest.raises(ConnectionError):
        both.flush()
    assert up.flushed == 1


class Noting:
    """A client of one server that notes the keys of each call."""

    def __init__(self) -> None:
        self.calls: list[set[str]] = []

    def get_many(self, keys: list[str], load: Load) -> list[Any]:
        self.calls.append(set(keys))
        found = {key: with_checksum(key, f"of {key}".encode()) for key in keys}
        return load(keys, found)

    def set_many(self, values: dict[str, bytes], _: int) -> list[str]:
        self.calls.append(set(values))
        return []


def test_keys_are_read_and_written_in_one_call_to_the_server_of_each() -> None:
    clients: Any = {"a:1": Noting(), "b:1": Noting()}
    both = MemcachedServers(clients)
    keys = KEYS[:100]
    assert both.get_many(keys) == [f"of {key}".encode() for key in keys]
    assert both.set_many(dict.fromkeys(keys, b"text"), 5) == []
    for client in clients.values():
        read, written = client.calls
        assert read == written
    first, second = (client.calls[0] for client in clients.values())
    assert first | second == set(keys)
    assert not first & second


@pytest.fixture(scope="module")
def addresses() -> Iterator[list[str]]:
    with servers.memcached_server() as one, servers.memcached_server() as other:
        yield [f"127.0.0.1:{each.port}" for each in (one, other)]


@pytest.mark.parametrize("prefix", ["shop:", None])
@pytest.mark.parametrize("kind", [MemcachedStore, SpreadMemcachedStore])
def test_processes_with_either_client_find_and_delete_the_same_entries(
    addresses: list[str], kind: Any, prefix: str | None
) -> None:
    pytest.importorskip("pylibmc")
    make = partial(kind, key_prefix=prefix)
    if kind is SpreadMemcachedStore:
        make = partial(make, chunksize=5)
    here = make(addresses)
    with pytest.MonkeyPatch.context() as patched:
        patched.setitem(sys.modules, "pylibmc", None)
        there = make(addresses[::-1])
    keys = KEYS[:100]
    assert here.set_many({key: f"text of {key}" for key in keys}) == keys
    assert there.get_many(*keys) == [f"text of {key}" for key in keys]
    assert [there.get(key) for key in keys[:9]] == [f"text of {k}" for k in keys[:9]]
    there.delete_many(*keys[:50])
    assert here.get_many(*keys[:50]) == [None] * 50
    assert here.inc("count") == 1
    assert there.inc("count") == 2
    for key in keys[50:]:
        assert there.delete(key) is True
    assert here.get_many(*keys) == [None] * 100
    assert there.add("count", 5) is False
    here.delete("count")
    for each in (here, there):
        each.close()
