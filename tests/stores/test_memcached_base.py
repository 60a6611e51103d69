import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jinja_fragcache.stores import MemcachedStore
from jinja_fragcache.stores.memcached_base import (
    server_key,
    server_keys,
    value_too_large,
)
from tests.support import NAMES

KEYS = st.lists(NAMES | st.text(alphabet="~k!", max_size=9), max_size=5)


@given(KEYS, st.integers(3, 9))
@pytest.mark.parametrize("more", [[], ["k" * 4], ["with a space"], ["~"], [""], ["ä"]])
def test_keys_of_a_list_are_those_of_one(
    more: list[str], keys: list[str], longest: int
) -> None:
    listed = keys + more
    one_by_one = [server_key(key, "p:", longest) for key in listed]
    assert server_keys(listed, "p:", longest) == one_by_one


def test_a_key_that_memcached_does_not_take_is_replaced_by_its_digest() -> None:
    assert server_keys(["a", "b~"], "p:", 4) == ["p:a", "p:b~"]
    for key in ("", "~", "a b", "ä", "\n", "abc"):
        (full,) = server_keys([key], "p:", 4)
        assert (full[:3], len(full)) == ("p:~", 3 + 64)


def test_the_error_for_a_large_value_names_its_key_its_size_and_the_remedy() -> None:
    message = str(value_too_large("k", 2_000_000))
    assert "2000000 bytes for 'k'" in message
    assert "'spreadsaslmemcached'" in message


@pytest.fixture(params=["pylibmc", "pymemcache"])
def unreached(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> MemcachedStore:
    """Provide a store whose server is not there, with each of the clients."""
    if request.param == "pylibmc":
        pytest.importorskip("pylibmc")  # There are wheels for Python 3.11 only.
    else:
        monkeypatch.setitem(sys.modules, "pylibmc", None)
    return MemcachedStore(["127.0.0.1:1"])


def test_what_to_check_if_no_server_is_there(unreached: MemcachedStore) -> None:
    for _ in range(2):  # pylibmc has another error the second time.
        with pytest.raises(Exception, match=r"CONNECT|FAILED|refused") as raised:
            unreached.get("k")
        assert isinstance(raised.value, Exception)
        assert unreached.what_to_check(raised.value) == (
            "Check the addresses (CACHE_MEMCACHED_SERVERS) of the servers at"
            " 127.0.0.1:1."
        )


def test_what_to_check_if_the_server_knows_no_login(memcached_port: int) -> None:
    pytest.importorskip("pylibmc")
    address = f"127.0.0.1:{memcached_port}"
    store = MemcachedStore([address], username="ann", password="hunter2")
    with pytest.raises(Exception, match="READ FAILURE") as raised:
        store.get("k")
    assert isinstance(raised.value, Exception)
    assert store.what_to_check(raised.value) == (
        "Check the addresses, the user and the password (CACHE_MEMCACHED_SERVERS,"
        " CACHE_MEMCACHED_USERNAME, CACHE_MEMCACHED_PASSWORD) of the servers at"
        f" {address}."
    )
    store.close()


def test_other_errors_say_nothing(unreached: MemcachedStore) -> None:
    for error in (KeyError("k"), TimeoutError(), value_too_large("k", 2)):
        assert unreached.what_to_check(error) == ""
