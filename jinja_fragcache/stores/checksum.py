r"""The checksum behind each text that is kept on a server.

It is a CRC-32 of the key and the text, as four bytes:

    <p>text ...</p>\x1e\x8b\xe7\x0c\x42

Redis does not name the key in its answer. So a client that takes the answer to one
question for the answer to another would return the text of another key. With the
checksum, such a text is not read, and neither is one that was damaged on its way. It is
no signature: anyone who can write to the server can compute it.

The four bytes are those that make the CRC-32 of the key and of all that is stored 0. So
a reader neither cuts the checksum off to compare it nor writes the one that it has
computed.

Numbers have none, because servers count with them. The byte before the checksum tells
a text from them, whatever the checksum is.
"""

from collections.abc import Iterable, Sequence
from itertools import repeat
from typing import Any
from zlib import crc32

from jinja_fragcache.errors import DamagedValueError

from .text import NUMBER

_LENGTH = 5
# What to change in a CRC-32, so that data with it behind has the CRC-32 of 0. That is
# the same for all data, because a CRC is linear.
_TO_ZERO = 0x6DD90A9D
# The CRC-32 of no bytes, which may not be 0, or else nothing at all would be taken for
# the text of an empty key.
_START = 1


def with_checksum(key: str, data: bytes) -> bytes:
    """Return what the server keeps under a key for the bytes of a value."""
    if NUMBER.fullmatch(data):
        return data
    marked = data + b"\x1e"
    checksum = crc32(marked, crc32(key.encode(), _START)) ^ _TO_ZERO
    return marked + checksum.to_bytes(4, "little")


def is_whole(key: str, stored: object) -> bool:
    """Return whether `without_checksum` can read what is stored under a key."""
    try:
        without_checksum(key, stored)
    except DamagedValueError:
        return False
    return True


def without_checksum(key: str, stored: object) -> bytes:
    """Return the bytes of the value of which the server has returned this.

    Raises:
        DamagedValueError: If it is not what `with_checksum` returned for this key.
    """
    if type(stored) is bytes:
        if not crc32(stored, crc32(key.encode(), _START)):
            return stored[:-_LENGTH]
        if NUMBER.fullmatch(stored):
            return stored
    raise DamagedValueError(
        f"What the server returned for {key!r} is damaged, of another key, or was not"
        " stored by this package"
    )


def without_checksums(
    keys: Iterable[str], stored: Iterable[object]
) -> list[bytes | None]:
    """Like `without_checksum` for each key, with None for what is None."""
    return [
        None
        if each is None
        # The same as `without_checksum`, without a call: each row of a list of hits
        # comes here.
        else each[:-_LENGTH]
        if type(each) is bytes and not crc32(each, crc32(key.encode(), _START))
        else without_checksum(key, each)
        for key, each in zip(keys, stored, strict=True)
    ]


def plain_texts(keys: Sequence[str], stored: Sequence[Any]) -> list[str] | None:
    """Return the texts of a list of hits, which is the same in fewer steps.

    Returns:
        None if one of the values is missing, damaged or anything but plain UTF-8.
    """
    if len(keys) != len(stored):
        return None
    starts = map(crc32, map(str.encode, keys), repeat(_START))
    try:
        if any(map(crc32, stored, starts)):
            return None
        # Cut and decoded in one go, so that no copy of all is kept.
        return [each[:-_LENGTH].decode() for each in stored]
    except (TypeError, ValueError):
        return None
