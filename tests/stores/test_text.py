import io
from pathlib import Path
from typing import Any

import pytest
import redis
from hypothesis import example, given
from hypothesis import strategies as st

from jinja_fragcache.errors import StoreError
from jinja_fragcache.stores import FileStore, RedisStore, TextSerializer
from tests.support import NAMES

serializer = TextSerializer()


@given(NAMES | st.integers())
@example("lone surrogate \udc80")
def test_texts_and_numbers_come_back(value: str | int) -> None:
    assert serializer.loads(serializer.dumps(value)) == value
    file = io.BytesIO()
    serializer.dump(value, file)
    file.seek(0)
    assert serializer.load(file) == value


@given(st.binary())
def test_any_bytes_are_read_without_an_error(stored: bytes) -> None:
    assert isinstance(serializer.loads(stored), str | int | None)


@pytest.mark.parametrize("value", [None, True, b"bytes", ["x"], 1.5])
def test_other_values_are_refused(value: Any) -> None:
    with pytest.raises(TypeError, match="This store keeps texts"):
        serializer.dumps(value)


@pytest.mark.parametrize("stored", [None, 5, b"\xffx", b"\xff", b"\xc3"])
def test_what_is_no_text_is_none(stored: Any) -> None:
    assert serializer.loads(stored) is None


def test_a_client_that_decodes_gives_texts() -> None:
    assert serializer.loads("text") == "text"


def test_a_file_holds_the_text_as_it_is(tmp_path: Path) -> None:
    store = FileStore(str(tmp_path))
    store.set("k", "<p>Gr\u00fc\u00dfe</p>", timeout=5)
    (file,) = store._list_dir()
    assert Path(file).read_bytes()[4:] == "<p>Gr\u00fc\u00dfe</p>".encode()


@pytest.mark.parametrize("damaged", [b"", b"ab", b"\0\0\0\0\xc3", b"\0\0\0\0\xffx"])
def test_a_damaged_file_is_a_miss(tmp_path: Path, damaged: bytes) -> None:
    store = FileStore(str(tmp_path))
    store.set("k", "text", timeout=0)
    Path(store._get_filename("k")).write_bytes(damaged)
    assert store.get("k") is None


def test_files_are_counted_and_limited(tmp_path: Path) -> None:
    store = FileStore(str(tmp_path), threshold=3)
    for number in range(20):
        store.set(str(number), "text")
    assert len(list(store._list_dir())) <= 4
    assert store.get("19") == "text"


def test_redis_holds_the_text_as_it_is(redis_port: int) -> None:
    with redis.Redis(port=redis_port) as client:
        client.flushall()
        RedisStore(client, key_prefix="shop:").set("k", "<p>text</p>")
        assert client.get("shop:k") == b"<p>text</p>"


@pytest.mark.parametrize("prefix", ["shop:", "sh*p:", "s[a]h?:", "back\\slash:"])
def test_clear_deletes_only_what_has_the_prefix(redis_port: int, prefix: str) -> None:
    with redis.Redis(port=redis_port) as client:
        client.flushall()
        client.set("ship:other", "kept")
        client.set("sah_:other", "kept")
        client.set("other", "kept")
        store = RedisStore(client, key_prefix=prefix)
        for number in range(1200):
            store.set(str(number), "text", timeout=30)
        assert client.dbsize() == 1203
        store.clear()
        assert sorted(client.scan_iter()) == [b"other", b"sah_:other", b"ship:other"]
        store.clear()


def test_clear_without_a_prefix_is_refused(redis_port: int) -> None:
    with redis.Redis(port=redis_port) as client:
        client.set("other", "kept")
        with pytest.raises(StoreError, match="Set CACHE_KEY_PREFIX"):
            RedisStore(client).clear()
        assert client.get("other") == b"kept"
