import pymemcache
import pytest
from pymemcache.serde import pickle_serde

from jinja_fragcache.errors import StoreError
from jinja_fragcache.stores.memcached_pymemcache import (
    check_unpickles_nothing,
    make_pooled_client,
)


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
