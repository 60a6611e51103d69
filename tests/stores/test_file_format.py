import hashlib

from hypothesis import given
from hypothesis import strategies as st

from jinja_fragcache.stores.file_format import (
    HEAD_SIZE,
    digest,
    pack,
    unpack,
    unpack_head,
)

KEYS = st.text(st.characters(codec="utf-8"))
EXPIRIES = st.integers(0, 2**64 - 1)


def test_the_form_of_a_file_is_the_one_that_folders_hold() -> None:
    """Otherwise all entries of earlier versions would be misses."""
    body = b"<p>text</p>"
    hashed = hashlib.blake2b(b"1700000300 k <p>text</p>", digest_size=16)
    expected = (1_700_000_300).to_bytes(8, "little") + hashed.digest() + body
    assert pack("k", 1_700_000_300, body) == expected


@given(KEYS, EXPIRIES, st.binary())
def test_an_entry_comes_back(key: str, expires: int, body: bytes) -> None:
    content = pack(key, expires, body)
    assert unpack(key, content) == (expires, body)
    assert unpack_head(content[:HEAD_SIZE]) == expires


@given(KEYS, EXPIRIES, st.binary(), st.data())
def test_a_changed_entry_is_none(
    key: str, expires: int, body: bytes, data: st.DataObject
) -> None:
    content = pack(key, expires, body)
    at = data.draw(st.integers(0, len(content) - 1))
    flipped = bytes([content[at] ^ data.draw(st.integers(1, 255))])
    assert unpack(key, content[:at] + flipped + content[at + 1 :]) is None
    assert unpack(key, content[:at]) is None
    assert unpack(key, content + flipped) is None
    assert unpack(key + "x", content) is None


def test_a_head_that_is_cut_is_none() -> None:
    assert unpack_head(b"x" * (HEAD_SIZE - 1)) is None
    assert unpack("k", b"") is None


def test_a_digest_tells_keys_and_times_apart() -> None:
    assert len({digest("k", 1, b"x"), digest("l", 1, b"x"), digest("k", 2, b"x")}) == 3
