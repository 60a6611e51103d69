import os
import subprocess
import sys
import traceback
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from jinja_fragcache.errors import StoreError
from jinja_fragcache.stores import MemcachedStore, SpreadMemcachedStore

USER = "ann@shop.test"


PASSWORD = "correct-horse"


@pytest.mark.parametrize("kind", [MemcachedStore, SpreadMemcachedStore])
def test_a_user_and_a_password_log_in_with_sasl(
    sasl_port: int, kind: type[MemcachedStore]
) -> None:
    address = [f"127.0.0.1:{sasl_port}"]
    options: Any = {} if kind is MemcachedStore else {"chunksize": 3}
    store = kind(address, 300, "mine:", USER, PASSWORD, **options)
    other = kind(address, username=USER, password=PASSWORD, may_flush=True)
    store.set("k", "a long text")
    assert store.get("k") == "a long text"
    other.clear()
    assert store.get("k") is None
    store.close()
    other.close()


def test_a_login_that_fails_without_a_reason_is_tried_again(sasl_port: int) -> None:
    address = [f"127.0.0.1:{sasl_port}"]
    store = MemcachedStore(address, 300, None, USER, PASSWORD)
    client: Any = store._client

    class Failing:
        def get_multi(self, _: list[str]) -> None:
            raise client.pylibmc.Error("error 40 from memcached_get: FAILED TO SEND")

    real = client._make
    made = iter([Failing(), real()])
    client._make = lambda: next(made)
    free = client.pools.value.free
    for _ in range(client._size):
        free.get()
    free.put(Failing())
    store.set("k", "text")
    assert store.get("k") == "text"
    client._size = 1
    store.close()


@pytest.mark.parametrize("password", ["wrong-horse", None])
def test_a_wrong_password_is_an_error_that_does_not_show_it(
    sasl_port: int, password: str | None
) -> None:
    address = [f"127.0.0.1:{sasl_port}"]
    options: Any = {} if password else {"binary": True}
    store = MemcachedStore(address, 300, None, USER, password, **options)
    with pytest.raises(StoreError, match="refused CACHE_MEMCACHED_USERNAME") as raised:
        store.set("k", "text")
    shown = "".join(traceback.format_exception(raised.value))
    assert "wrong-horse" not in shown
    store.close()


def test_missing_sasl_plugins_are_an_error_that_names_sasl_path(sasl_port: int) -> None:
    source = (
        "from jinja_fragcache.stores import MemcachedStore\n"
        f"store = MemcachedStore(['127.0.0.1:{sasl_port}'], 300, None, 'a', 'b')\n"
        "store.set('k', 'text')\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", source],
        env={**os.environ, "SASL_PATH": "/nowhere"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "set the environment variable SASL_PATH" in run.stderr


def test_sasl_needs_pylibmc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pylibmc", None)
    with pytest.raises(StoreError, match="The package pylibmc is needed"):
        MemcachedStore(["127.0.0.1:1"], username=USER, password=PASSWORD)


def test_the_client_that_was_used_last_is_taken_first(memcached_port: int) -> None:
    pytest.importorskip("pylibmc")
    store = MemcachedStore([f"127.0.0.1:{memcached_port}"], pool_size=3)
    client: Any = store._client
    free = client.pools.value.free
    one, other = free.get(), free.get()
    free.put(one)
    free.put(other)
    with client._reserved() as taken:
        assert taken is other
        assert free.get() is one
    assert free.get() is other
    client._size = 1
    store.close()


def test_a_thread_waits_while_another_one_uses_the_only_client(
    memcached_port: int,
) -> None:
    pytest.importorskip("pylibmc")
    store = MemcachedStore([f"127.0.0.1:{memcached_port}"], pool_size=1)
    client: Any = store._client
    with ThreadPoolExecutor(1) as executor:
        with client._reserved() as taken:
            waiting = executor.submit(store.get, "missing")
            assert taken.get("missing") is None
            with pytest.raises(TimeoutError):
                waiting.result(timeout=0.05)
        assert waiting.result(timeout=60) is None
    store.close()
