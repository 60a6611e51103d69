import re
from typing import Any

import pytest

from jinja_fragcache.errors import StoreError
from jinja_fragcache.stores.memcached_generation import read_generation


class Server:
    """A client that keeps one value, which another client may have stored."""

    def __init__(self, value: bytes | None = None) -> None:
        self.value = value
        self.keeps = True

    def get(self, _: str) -> bytes | None:
        return self.value

    def add(self, key: str, data: bytes, expiry: int) -> bool:
        return self.value is None and self.set(key, data, expiry)

    def set(self, _: str, data: bytes, expiry: int) -> bool:
        assert expiry == 0
        if self.keeps:
            self.value = data
        return self.keeps


def read(server: Any) -> str:
    return read_generation(server, "shop:generation")


def test_a_generation_is_made_once() -> None:
    server = Server()
    generation = read(server)
    assert re.fullmatch("[0-9a-f]{16}", generation)
    assert read(server) == generation
    assert read(Server()) != generation


@pytest.mark.parametrize("stored", [b"", b"0123456789ABCDEF", b"x\r\nflush_all\r\n"])
def test_a_value_of_another_form_is_replaced(stored: bytes) -> None:
    server = Server(stored)
    assert read(server).encode() == server.value != stored


def test_a_server_that_keeps_nothing_is_an_error() -> None:
    server = Server()
    server.keeps = False
    with pytest.raises(StoreError, match="does not keep the generation"):
        read(server)
