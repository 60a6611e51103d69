import re
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jinja_fragcache.errors import StoreError
from jinja_fragcache.stores import MemcachedStore, Timed
from jinja_fragcache.stores.checksum import with_checksum, without_checksum
from tests import servers
from tests.stores.contract import memcached_remaining
from tests.stores.pickles import Bomb
from tests.support import Clock, in_threads

MONTH = 60 * 60 * 24 * 30


LARGE = "x" * (1 << 20)


LOCK = {"k": "lock"}


@pytest.fixture
def store(memcached_store: MemcachedStore) -> MemcachedStore:
    return memcached_store


@pytest.fixture
def make(
    store: MemcachedStore, memcached_port: int
) -> Iterator[Callable[..., MemcachedStore]]:
    """Provide a function that makes stores on the same server with the same client."""
    assert store.get("none") is None
    made: list[MemcachedStore] = []

    def make(**given: Any) -> MemcachedStore:
        given.setdefault("servers", [f"127.0.0.1:{memcached_port}"])
        made.append(MemcachedStore(**given))
        return made[-1]

    yield make
    for each in made:
        each.close()


def test_memcached_holds_utf_8_and_digits(store: MemcachedStore, pickler: Any) -> None:
    store.set("text", "<p>Grüße</p>")
    store.set("number", 12)
    store.set("digits", "12")
    stored = [pickler.get(store._full_key(key)) for key in ("text", "number", "digits")]
    assert stored[1] == b"12"
    for key, data in {"text": "<p>Grüße</p>".encode(), "digits": b"\xff12"}.items():
        assert with_checksum(store._full_key(key), data) in stored


def test_pickles_of_other_clients_are_missing(
    store: MemcachedStore, pickler: Any, tmp_path: Path
) -> None:
    folder = tmp_path / "made"
    pickler.set(store._full_key("bomb"), Bomb(folder))
    pickler.set(store._full_key("text"), "a text with a flag")
    assert store.get("bomb") is None
    assert store.get_many("bomb", "text") == [None, None]
    assert store.inc("bomb") is None
    assert not folder.exists()
    pickler.get(store._full_key("bomb"))
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
def test_different_keys_have_different_values(
    store: MemcachedStore, keys: list[str]
) -> None:
    store.clear()
    assert sorted(store.set_many({key: key for key in keys})) == sorted(keys)
    assert store.get_many(*keys) == keys


@pytest.mark.parametrize("prefix", ["with space", "é", "x" * 101, "line\n"])
def test_a_prefix_that_memcached_does_not_accept_is_refused(prefix: str) -> None:
    with pytest.raises(
        ValueError, match="The key prefix can't be part of a Memcached key"
    ):
        MemcachedStore(key_prefix=prefix)


@pytest.mark.parametrize("timeout", [MONTH, MONTH + 1, 12 * MONTH])
def test_timeouts_over_a_month_are_stored(
    store: MemcachedStore, memcached_port: int, timeout: int
) -> None:
    store.set("k", "text", timeout=timeout)
    store.add("added", "text", timeout=timeout)
    for key in ("k", "added"):
        left = memcached_remaining(memcached_port, store._full_key(key))
        assert isinstance(left, int)
        assert timeout - 20 < left <= timeout + 1


def test_the_longest_timeout_ends_with_memcached_s_time(
    make: Callable[..., MemcachedStore],
) -> None:
    store = make(clock=Clock())
    assert store._expiry(MONTH) == MONTH
    assert store._expiry(MONTH + 1) == 1000 + MONTH + 1
    assert store._expiry(2**31 - 1) == 2**31 - 1
    store.set("k", "text", timeout=2**31 - 1)
    assert store.get("k") == "text"


def test_a_value_that_is_too_large_is_refused_and_the_old_one_deleted(
    store: MemcachedStore,
) -> None:
    for write in (store.set, store.add):
        with pytest.raises(StoreError, match=r"1048576 bytes .*memcached -I"):
            write("k", LARGE)
        store.set("k", "old")
        with pytest.raises(StoreError, match=r"1048576 bytes .*memcached -I"):
            store.set_many({"k": LARGE, "other": "text"})
        assert store.get("k") is None
    store.set("k", "after that it works")
    assert store.get("k") == "after that it works"


def test_clear_deletes_only_keys_with_the_prefix(
    make: Callable[..., MemcachedStore], pickler: Any
) -> None:
    shop, blog = make(key_prefix="shop:"), make(key_prefix="blog:")
    for store in (shop, blog):
        store.set("k", "text")
    pickler.set("k", "kept")
    shop.clear()
    assert (shop.get("k"), blog.get("k"), pickler.get("k")) == (
        None,
        "text",
        "kept",
    )
    shop.set("k", "new")
    assert shop.get("k") == "new"


def test_other_processes_see_a_clear_on_write_and_within_a_second(
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


def test_cleared_entries_stay_cleared_if_memcached_evicts_the_generation(
    make: Callable[..., MemcachedStore], pickler: Any
) -> None:
    store = make(key_prefix="shop:")
    store.set("k", "text")
    pickler.delete("shop:generation")
    assert make(key_prefix="shop:").get("k") is None
    store.set("k", "new")
    assert make(key_prefix="shop:").get("k") == "new"


def test_a_generation_that_can_not_be_stored_is_an_error(
    make: Callable[..., MemcachedStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = make(key_prefix="shop:")
    monkeypatch.setattr(store._client, "get", lambda _: None)
    with pytest.raises(StoreError, match="Memcached does not keep"):
        store.get("k")


@pytest.mark.parametrize(
    "stored",
    [
        b"\r\nset shop:k 0 0 5\r\nworse\r\n",
        b"0123456789abcde\n",
        b"0123456789ABCDEF",
        b"0123456789abcdef0",
        b"../../../../etc/",
        b"x" * 1000,
        b"\xff" * 16,
        b"",
        "pickled with flags",
    ],
)
def test_a_generation_of_another_form_is_replaced_by_a_new_one(
    make: Callable[..., MemcachedStore], pickler: Any, stored: Any
) -> None:
    make(key_prefix="shop:").set("k", "old")
    if isinstance(stored, bytes):
        stored = with_checksum("shop:generation", stored)
    pickler.set("shop:generation", stored)
    one, other = make(key_prefix="shop:"), make(key_prefix="shop:")
    assert one.get("k") is None
    kept = without_checksum("shop:generation", pickler.get("shop:generation"))
    assert re.fullmatch(rb"[0-9a-f]{16}", kept)
    one.set("k", "text")
    assert other.get("k") == "text"


def test_clear_without_a_prefix_is_refused(
    make: Callable[..., MemcachedStore], pickler: Any
) -> None:
    pickler.set("k", "kept")
    with pytest.raises(StoreError, match="Set CACHE_KEY_PREFIX"):
        make().clear()
    assert pickler.get("k") == "kept"


def test_clear_flushes_the_servers_if_it_may(
    make: Callable[..., MemcachedStore], pickler: Any
) -> None:
    pickler.set("k", "gone")
    store = make(key_prefix="shop:", may_flush=True)
    store.set("k", "text")
    assert pickler.get("shop:k") == with_checksum("shop:k", b"text")
    store.clear()
    assert (pickler.get("k"), store.get("k")) == (None, None)


def test_of_concurrent_callers_one_adds(store: MemcachedStore) -> None:
    added: list[bool] = []
    in_threads(8, lambda number: added.append(store.add("k", number)))
    assert sorted(added) == [False] * 7 + [True]


@pytest.mark.parametrize("before", [None, "older"], ids=["missing", "old"])
@pytest.mark.parametrize("step", ["states", "get_many", "set_if"])
def test_a_value_that_is_deleted_during_the_write_is_never_there(
    store: MemcachedStore,
    monkeypatch: pytest.MonkeyPatch,
    before: str | None,
    step: str,
) -> None:
    ask, client = getattr(store._client, step), store._client
    seen: list[object] = []

    def deleted_first(*arguments: Any) -> Any:
        monkeypatch.setattr(client, step, ask)
        store.delete_many("lock")
        store.delete_many("k")
        answer = ask(*arguments)
        seen.append(store.get("k"))
        return answer

    if before is not None:
        store.set("k", before)
    store.add("lock", "mine", 30)
    monkeypatch.setattr(client, step, deleted_first)
    assert store.set_many_if_equal({"k": ("old", 30)}, LOCK, "mine") == []
    assert [*seen, store.get("k")] == [None, None]


def test_a_value_that_another_process_has_made_meanwhile_stays(
    store: MemcachedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_if = store._write_if

    def written_first(*arguments: Any) -> bool:
        store.set("k", "new")
        return write_if(*arguments)

    monkeypatch.setattr(store, "_write_if", written_first)
    store.add("lock", "mine", 30)
    assert store.set_many_if_equal({"k": ("old", 30)}, LOCK, "mine") == []
    assert store.get("k") == "new"


def test_what_stands_for_a_missing_entry_is_no_value(store: MemcachedStore) -> None:
    assert store.set_many_if_equal({"k": ("old", 30)}, LOCK, "mine") == []
    assert (store.get("k"), store.get_many("k"), store.has("k")) == (
        None,
        [None],
        False,
    )
    assert store.add("k", "text")
    assert store.get("k") == "text"


def test_a_value_that_is_written_during_a_clear_is_not_found(
    store: MemcachedStore,
    make: Callable[..., MemcachedStore],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    other = make(key_prefix="shop:")
    write_if = store._write_if

    def cleared_first(*arguments: Any) -> bool:
        other.clear()
        other.set("k", "new")
        return write_if(*arguments)

    store.add("lock", "mine", 30)
    with monkeypatch.context() as patched:
        patched.setattr(store, "_write_if", cleared_first)
        store.set_many_if_equal({"k": ("old", 30)}, LOCK, "mine")
    assert other.get("k") == "new"
    store.add("lock", "mine", 30)
    other.clear()
    assert store.set_many_if_equal({"k": ("old", 30)}, LOCK, "mine") == []
    assert other.get("k") is None


def test_of_several_values_those_without_a_lock_are_not_written(
    store: MemcachedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    locks = {key: f"lock {key}" for key in "abc"}
    store.add_many(dict.fromkeys(locks.values(), "mine"), 30)
    write_if = store._write_if

    def deleted_first(full_key: str, *arguments: Any) -> bool:
        if full_key == store._full_key("a"):
            store.delete_many("lock a", "a")
        written = write_if(full_key, *arguments)
        # As if the server had no room.
        return written and full_key != store._full_key("c")

    monkeypatch.setattr(store, "_write_if", deleted_first)
    values: dict[str, Timed] = dict.fromkeys(locks, ("text", 5))
    assert store.set_many_if_equal(values, locks, "mine") == ["b"]
    assert store.get_many("a", "b") == [None, "text"]
    # The lock of the value that could not be stored is left to its holder.
    assert store.get_many(*locks.values()) == [None, None, "mine"]


def test_a_value_that_is_too_large_leaves_no_old_one(store: MemcachedStore) -> None:
    locks = {key: f"lock {key}" for key in "abc"}
    store.add_many(dict.fromkeys(locks.values(), "mine"), 30)
    store.set_many(dict.fromkeys(locks, "old"))
    store.delete_many("lock a", "a")
    values: dict[str, Timed] = {"a": ("1", 5), "b": ("2", 5), "c": (LARGE, 6)}
    with pytest.raises(StoreError, match="memcached -I"):
        store.set_many_if_equal(values, locks, "mine")
    assert store.get_many(*locks) == [None, "2", None]


def test_a_lock_from_before_a_clear_does_not_release_a_later_one(
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


def test_a_number_counted_down_to_fewer_digits_is_read_as_a_number(
    store: MemcachedStore,
) -> None:
    store.set("k", 100)
    store.dec("k", 95)
    assert store.get("k") == 5


def test_a_new_count_has_the_default_timeout(
    store: MemcachedStore, memcached_port: int
) -> None:
    store.inc("k")
    left = memcached_remaining(memcached_port, store._full_key("k"))
    assert isinstance(left, int)
    assert 280 < left <= 301


def test_a_text_can_not_be_counted(store: MemcachedStore) -> None:
    store.set("k", "5")
    assert (store.inc("k"), store.dec("k"), store.get("k")) == (None, None, "5")


def test_has_is_true_for_an_empty_value(store: MemcachedStore) -> None:
    assert store.has("k") is False
    store.set("k", "")
    assert store.has("k") is True
    assert store.get_many("k") == [""]


@pytest.mark.own_patience
def test_a_server_that_hangs_is_not_waited_for_and_is_used_again(
    make: Callable[..., MemcachedStore],
) -> None:
    with servers.memcached_server() as server:
        store = make(servers=[f"127.0.0.1:{server.port}"])
        store.set("k", "text")
        with servers.paused(server.process.pid):
            started = time.monotonic()
            assert not works(lambda: store.delete("k"))
            assert not works(lambda: store.set("k", "new"))
            # For some reads pylibmc returns None in place of an error.
            assert not works(lambda: store.get("k")) or store.get("k") is None
            assert time.monotonic() - started < 2
        # Another key, because the server may now execute the commands that were sent.
        servers.wait_for(lambda: works(lambda: store.set("other", "text")))
        assert store.get("other") == "text"


def works(call: Callable[[], object]) -> bool:
    try:
        call()
    except Exception:  # noqa: BLE001 - each client has its own
        return False
    return True


@pytest.mark.own_patience
def test_keys_of_a_server_that_is_down_do_not_move_to_another(
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
