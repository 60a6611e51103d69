import os
import socket
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pymemcache
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pymemcache.serde import pickle_serde

from jinja_fragcache.errors import StoreError
from jinja_fragcache.stores import MemcachedStore, SpreadMemcachedStore, Timed
from tests import servers
from tests.support import Clock, in_threads

USER = "ann@shop.test"
PASSWORD = "correct-horse"  # noqa: S105 - of a server that the tests start
MONTH = 60 * 60 * 24 * 30
LARGE = "x" * (1 << 20)
LOCK = {"k": "lock"}


@pytest.fixture
def store(memcached_store: MemcachedStore) -> MemcachedStore:
    return memcached_store


@pytest.fixture
def others(memcached_port: int) -> Iterator[Any]:
    """Give a client of others, which pickles."""
    client = pymemcache.Client(
        ("127.0.0.1", memcached_port), serde=pickle_serde, default_noreply=False
    )
    yield client
    client.close()


@pytest.fixture
def make(
    store: MemcachedStore, memcached_port: int
) -> Iterator[Callable[..., MemcachedStore]]:
    """Give a maker of more stores on the same server, with the same client."""
    assert store.get("none") is None
    made: list[MemcachedStore] = []

    def make(**given: Any) -> MemcachedStore:
        given.setdefault("servers", [f"127.0.0.1:{memcached_port}"])
        made.append(MemcachedStore(**given))
        return made[-1]

    yield make
    for each in made:
        each.close()


def test_memcached_holds_texts_and_digits(store: MemcachedStore, others: Any) -> None:
    store.set("text", "<p>Grüße</p>")
    store.set("number", 12)
    store.set("digits", "12")
    stored = [others.get(store._full_key(key)) for key in ("text", "number", "digits")]
    assert stored == ["<p>Grüße</p>".encode(), b"12", b"\xff12"]


class Bomb:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.folder),)


def test_what_others_pickled_is_not_there(
    store: MemcachedStore, others: Any, tmp_path: Path
) -> None:
    folder = tmp_path / "made"
    others.set(store._full_key("bomb"), Bomb(folder))
    others.set(store._full_key("text"), "a text with a flag")
    assert store.get("bomb") is None
    assert store.get_many("bomb", "text") == [None, None]
    assert store.inc("bomb") is None
    assert not folder.exists()
    others.get(store._full_key("bomb"))
    assert folder.exists()


@pytest.mark.parametrize(
    "key",
    ["my key", "line\r\nflush_all\r\n", "null\0", "é", "~", "x" * 300, "", "\udc80"],
)
def test_any_text_is_a_key(store: MemcachedStore, key: str) -> None:
    store.set("other", "kept")
    store.set(key, "text")
    assert (store.get(key), store.get("other")) == ("text", "kept")
    assert store.get_many(key, "other") == ["text", "kept"]
    assert store.get(key + "!") is None
    assert store.delete(key) is True
    assert store.get(key) is None


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(st.lists(st.text(st.characters(codec=None)), unique=True, max_size=5))
def test_keys_are_told_apart(store: MemcachedStore, keys: list[str]) -> None:
    store.clear()
    assert sorted(store.set_many({key: key for key in keys})) == sorted(keys)
    assert store.get_many(*keys) == keys


@pytest.mark.parametrize("prefix", ["with space", "é", "x" * 101, "line\n"])
def test_a_prefix_that_memcached_does_not_take_is_refused(prefix: str) -> None:
    with pytest.raises(
        ValueError, match="The key prefix can't be part of a Memcached key"
    ):
        MemcachedStore(key_prefix=prefix)


@pytest.mark.parametrize("timeout", [MONTH, MONTH + 1, 12 * MONTH])
def test_long_timeouts(
    store: MemcachedStore, memcached_port: int, timeout: int
) -> None:
    store.set("k", "text", timeout=timeout)
    store.add("added", "text", timeout=timeout)
    for key in ("k", "added"):
        left = memcached_life(memcached_port, store._full_key(key))
        assert timeout - 20 < left <= timeout + 1


def memcached_life(port: int, place: str) -> int:
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(b"mg %s t\r\n" % place.encode())
        return int(connection.recv(100).split(b"t")[1])


def test_the_longest_timeout_ends_with_memcached_s_time(
    make: Callable[..., MemcachedStore],
) -> None:
    store = make(clock=Clock())
    assert store._expiry(MONTH) == MONTH
    assert store._expiry(MONTH + 1) == 1000 + MONTH + 1
    assert store._expiry(2**31 - 1) == 2**31 - 1
    store.set("k", "text", timeout=2**31 - 1)
    assert store.get("k") == "text"


def test_large_values_are_refused_and_the_old_one_goes(store: MemcachedStore) -> None:
    for write in (store.set, store.add):
        with pytest.raises(StoreError, match=r"1048576 bytes .*memcached -I"):
            write("k", LARGE)
        store.set("k", "old")
        with pytest.raises(StoreError, match=r"1048576 bytes .*memcached -I"):
            store.set_many({"k": LARGE, "other": "text"})
        assert store.get("k") is None
    store.set("k", "after that it works")
    assert store.get("k") == "after that it works"


def test_clear_forgets_only_what_has_the_prefix(
    make: Callable[..., MemcachedStore], others: Any
) -> None:
    shop, blog = make(key_prefix="shop:"), make(key_prefix="blog:")
    for store in (shop, blog):
        store.set("k", "text")
    others.set("k", "kept")
    shop.clear()
    assert (shop.get("k"), blog.get("k"), others.get("k")) == (None, "text", "kept")
    shop.set("k", "new")
    assert shop.get("k") == "new"


def test_others_see_a_clear_when_they_write_and_within_a_second(
    make: Callable[..., MemcachedStore],
) -> None:
    clock = Clock()
    here, there = (make(key_prefix="shop:", timer=clock) for _ in range(2))
    here.set("k", "text")
    assert there.get("k") == "text"
    here.clear()
    here.set("k", "new")
    assert there.delete("k") is True
    assert here.get("k") is None
    here.clear()
    here.set("k", "newer")
    clock.now += 1
    assert there.get("k") == "newer"


def test_what_was_cleared_stays_so_when_memcached_drops_the_number(
    make: Callable[..., MemcachedStore], others: Any
) -> None:
    store = make(key_prefix="shop:")
    store.set("k", "text")
    others.delete("shop:generation")
    assert make(key_prefix="shop:").get("k") is None
    store.set("k", "new")
    assert make(key_prefix="shop:").get("k") == "new"


def test_a_number_that_can_not_be_kept_is_told(
    make: Callable[..., MemcachedStore], others: Any
) -> None:
    # With a flag it is not there, and can't be added.
    others.set("shop:generation", "pickled")
    with pytest.raises(StoreError, match="Memcached does not keep"):
        make(key_prefix="shop:").get("k")
    others.delete("shop:generation")


def test_clear_without_a_prefix_is_refused(
    make: Callable[..., MemcachedStore], others: Any
) -> None:
    others.set("k", "kept")
    with pytest.raises(StoreError, match="Set CACHE_KEY_PREFIX"):
        make().clear()
    assert others.get("k") == "kept"


def test_clear_flushes_if_it_may(
    make: Callable[..., MemcachedStore], others: Any
) -> None:
    others.set("k", "gone")
    store = make(key_prefix="shop:", may_flush=True)
    store.set("k", "text")
    assert others.get("shop:k") == b"text"
    store.clear()
    assert (others.get("k"), store.get("k")) == (None, None)


def test_of_many_that_add_one_is_told_so(store: MemcachedStore) -> None:
    added: list[bool] = []
    in_threads(8, lambda number: added.append(store.add("k", number)))
    assert sorted(added) == [False] * 7 + [True]


def test_what_is_deleted_while_it_is_stored_with_a_lock_is_taken_back(
    store: MemcachedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep = store._write_many

    def deleted_first(*arguments: Any) -> list[str]:
        store.delete_many("lock", "k")
        return keep(*arguments)

    monkeypatch.setattr(store, "_write_many", deleted_first)
    store.add("lock", "mine", 30)
    assert store.set_many_if_equal({"k": ("old", 30)}, LOCK, "mine") == []
    assert store.get("k") is None


def test_what_is_cleared_while_it_is_stored_with_a_lock_is_not_found(
    store: MemcachedStore,
    make: Callable[..., MemcachedStore],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    other = make(key_prefix="shop:")
    keep = store._write_many

    def cleared_first(*arguments: Any) -> list[str]:
        other.clear()
        other.set("k", "new")
        return keep(*arguments)

    store.add("lock", "mine", 30)
    with monkeypatch.context() as patched:
        patched.setattr(store, "_write_many", cleared_first)
        store.set_many_if_equal({"k": ("old", 30)}, LOCK, "mine")
    assert other.get("k") == "new"
    store.add("lock", "mine", 30)
    other.clear()
    assert store.set_many_if_equal({"k": ("old", 30)}, LOCK, "mine") == []
    assert other.get("k") is None


def test_of_many_those_are_taken_back_that_lost_their_locks(
    store: MemcachedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    locks = {key: f"lock {key}" for key in "abc"}
    store.add_many(dict.fromkeys(locks.values(), "mine"), 30)
    keep = store._write_many

    def deleted_first(data: dict[str, bytes], expiry: int) -> list[str]:
        store.delete_many("lock a", "a")
        failed = keep(data, expiry)
        # As one does that has no room.
        store.delete("c")
        return [*failed, store._full_key("c")]

    monkeypatch.setattr(store, "_write_many", deleted_first)
    values: dict[str, Timed] = dict.fromkeys(locks, ("text", 5))
    assert store.set_many_if_equal(values, locks, "mine") == ["b"]
    assert store.get_many(*locks) == [None, "text", None]
    # Who could not store lets the lock go.
    assert store.get_many(*locks.values()) == [None, None, "mine"]


def test_they_are_taken_back_even_if_a_later_write_fails(
    store: MemcachedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    locks = {key: f"lock {key}" for key in "abc"}
    store.add_many(dict.fromkeys(locks.values(), "mine"), 30)
    keep = store._write_many

    def deleted_first(data: dict[str, bytes], expiry: int) -> list[str]:
        if expiry == 5:
            store.delete_many("lock a", "a")
        return keep(data, expiry)

    monkeypatch.setattr(store, "_write_many", deleted_first)
    values: dict[str, Timed] = {"a": ("1", 5), "b": ("2", 5), "c": (LARGE, 6)}
    with pytest.raises(StoreError, match="memcached -I"):
        store.set_many_if_equal(values, locks, "mine")
    assert store.get_many(*locks) == [None, "2", None]


def test_a_lock_of_before_a_clear_is_not_let_go_for_one_of_after(
    make: Callable[..., MemcachedStore],
) -> None:
    here, there = (make(key_prefix="shop:", timer=Clock()) for _ in range(2))
    here.add("lock", "mine", 30)
    assert here.get("lock") == "mine"
    there.clear()
    there.add("lock", "theirs", 30)
    assert here.delete_many_if_equal(["lock"], "mine") == []
    assert there.get("lock") == "theirs"


def test_no_count_is_lost(store: MemcachedStore) -> None:
    def count(_: int) -> None:
        for _ in range(20):
            store.inc("k", 3)
            store.dec("k", 2)

    in_threads(4, count)
    assert store.get("k") == 80


def test_counts_end_at_zero(store: MemcachedStore) -> None:
    assert [store.inc("k", delta) for delta in (101, -2, -97, -7, 4)] == [
        101,
        99,
        2,
        0,
        4,
    ]
    assert [store.dec("new"), store.inc("new")] == [0, 1]


def test_a_count_of_fewer_digits_is_read_as_a_number(store: MemcachedStore) -> None:
    store.set("k", 100)
    store.dec("k", 95)
    assert store.get("k") == 5


def test_a_new_count_has_the_default_timeout(
    store: MemcachedStore, memcached_port: int
) -> None:
    store.inc("k")
    assert 280 < memcached_life(memcached_port, store._full_key("k")) <= 301


def test_a_text_is_not_counted(store: MemcachedStore) -> None:
    store.set("k", "5")
    assert (store.inc("k"), store.dec("k"), store.get("k")) == (None, None, "5")


def test_has(store: MemcachedStore) -> None:
    assert store.has("k") is False
    store.set("k", "")
    assert store.has("k") is True
    assert store.get_many("k") == [""]


@pytest.mark.own_patience
def test_a_server_that_hangs_is_not_waited_for_and_comes_back(
    make: Callable[..., MemcachedStore],
) -> None:
    with servers.memcached_server() as server:
        store = make(servers=[f"127.0.0.1:{server.port}"])
        store.set("k", "text")
        with servers.paused(server.process.pid):
            started = time.monotonic()
            assert not works(lambda: store.delete("k"))
            assert not works(lambda: store.set("k", "new"))
            # pylibmc says of some reads that there was nothing.
            assert not works(lambda: store.get("k")) or store.get("k") is None
            assert time.monotonic() - started < 2
        # What was sent meanwhile may be carried out now, to another key.
        servers.wait_for(lambda: works(lambda: store.set("other", "text")))
        assert store.get("other") == "text"


def works(call: Callable[[], object]) -> bool:
    try:
        call()
    except Exception:  # noqa: BLE001 - each client has its own
        return False
    return True


@pytest.mark.own_patience
def test_the_keys_of_a_server_that_is_down_go_nowhere_else(
    make: Callable[..., MemcachedStore],
) -> None:
    with servers.memcached_server() as one, servers.memcached_server() as other:
        addresses = [f"127.0.0.1:{each.port}" for each in (one, other)]
        store = make(servers=addresses, key_prefix=None)
        keys = [str(number) for number in range(40)]
        assert store.set_many(dict.fromkeys(keys, "text")) == keys
        assert store.get_many(*keys) == ["text"] * 40
        other.process.kill()
        other.process.wait()
        for _ in range(3):
            kept = [key for key in keys if works(partial(store.set, key, "new"))]
            assert 5 < len(kept) < 35
        with pytest.raises(Exception, match=r"(?i)error|refused"):
            store.delete_many(*keys)
        lost = next(key for key in keys if key not in kept)
        assert not works(lambda: store.delete(lost))
        assert not works(lambda: store.get(lost))


def test_a_ready_client_of_pymemcache(memcached_port: int) -> None:
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
    memcached_port: int, others: Any, tmp_path: Path
) -> None:
    pylibmc: Any = pytest.importorskip("pylibmc")
    client = pylibmc.Client([f"127.0.0.1:{memcached_port}"], behaviors={"ketama": True})
    store = MemcachedStore(client)
    others.set("k", Bomb(tmp_path / "made"))
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
def test_an_address_that_is_none_is_refused(address: Any) -> None:
    with pytest.raises(StoreError, match="can't be read"):
        MemcachedStore([address])


def test_packages_that_are_missing_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("pylibmc", "pymemcache"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(StoreError, match=r"pip install 'jinja-fragcache\[memcached\]'"):
        MemcachedStore(["127.0.0.1:1"])


@pytest.mark.parametrize("kind", [MemcachedStore, SpreadMemcachedStore])
def test_with_sasl(sasl_port: int, kind: type[MemcachedStore]) -> None:
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


def test_a_login_that_failed_for_no_reason_is_tried_again(sasl_port: int) -> None:
    address = [f"127.0.0.1:{sasl_port}"]
    store = MemcachedStore(address, 300, None, USER, PASSWORD)
    client: Any = store._client

    class Failing:
        def get_multi(self, _: list[str]) -> None:
            raise client._pylibmc.Error("error 40 from memcached_get: FAILED TO SEND")

    real = client._make
    made = iter([Failing(), real()])
    client._make = lambda: next(made)
    while not client._pool.empty():
        client._pool.get()
    client._pool.put(Failing())
    store.set("k", "text")
    assert store.get("k") == "text"
    client._size = 1
    store.close()


@pytest.mark.parametrize("password", ["wrong-horse", None])
def test_a_wrong_password_is_told_without_it(
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


def test_plugins_that_are_not_found_are_told(sasl_port: int) -> None:
    source = (
        "from jinja_fragcache.stores import MemcachedStore\n"
        f"store = MemcachedStore(['127.0.0.1:{sasl_port}'], 300, None, 'a', 'b')\n"
        "store.set('k', 'text')\n"
    )
    run = subprocess.run(  # noqa: S603 - a program of this test
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
