import sys
from pathlib import Path
from typing import Any

import pymemcache
import pytest
from pymemcache.serde import pickle_serde

from jinja_fragcache.errors import StoreError
from jinja_fragcache.stores import MemcachedStore
from tests.stores.pickles import Bomb


def test_a_ready_client_of_pymemcache_is_used(memcached_port: int) -> None:
    client = pymemcache.PooledClient(("127.0.0.1", memcached_port))
    store = MemcachedStore(client, key_prefix="ready:")
    store.set("k", "text")
    assert store.get("k") == "text"
    store.close()


def test_a_ready_client_that_unpickles_is_refused() -> None:
    client = pymemcache.PooledClient(("127.0.0.1", 1), serde=pickle_serde)
    with pytest.raises(StoreError, match="unpickles what it finds"):
        MemcachedStore(client)


def test_a_ready_client_of_pylibmc_unpickles_nothing(
    memcached_port: int, pickler: Any, tmp_path: Path
) -> None:
    pylibmc: Any = pytest.importorskip("pylibmc")
    client = pylibmc.Client([f"127.0.0.1:{memcached_port}"], behaviors={"ketama": True})
    store = MemcachedStore(client)
    pickler.set("k", Bomb(tmp_path / "made"))
    assert store.get("k") is None
    assert not (tmp_path / "made").exists()
    store.set("k", "text")
    assert store.get("k") == "text"
    store.close()


@pytest.mark.parametrize("client", [object(), "127.0.0.1:11211", 5])
def test_other_clients_are_refused(client: Any) -> None:
    with pytest.raises(StoreError, match="can't be used for Memcached"):
        MemcachedStore(client)


@pytest.mark.parametrize("address", [5, None, ""])
def test_an_invalid_address_is_refused(address: Any) -> None:
    with pytest.raises(StoreError, match="can't be read"):
        MemcachedStore([address])


def test_a_missing_package_is_an_error_that_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("pylibmc", "pymemcache"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(StoreError, match=r"pip install 'jinja-fragcache\[memcached\]'"):
        MemcachedStore(["127.0.0.1:1"])
