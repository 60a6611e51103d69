r"""The checksum behind each text that is kept on a server.

It is a CRC-32 of the key and the text, in eight hexadecimal digits:

    <p>text ...</p>\x1e7f3a9c21

Redis does not name the key in its answer. So a client that takes the answer to one
question for the answer to another would return the text of another key. With the
checksum, such a text is not read, and neither is one that was damaged on its way. It is
no signature: anyone who can write to the server can compute it.

Numbers have none, because servers count with them.
"""

from collections.abc import Iterable
from zlib import crc32

from jinja_fragcache.errors import DamagedValueError

from .text import NUMBER

_LENGTH = 9


def with_checksum(key: str, data: bytes) -> bytes:
    """Return what the server keeps under a key for the bytes of a value."""
    if NUMBER.fullmatch(data):
        return data
    return b"%b\x1e%08x" % (data, crc32(data, crc32(key.encode())))


def without_checksum(key: str, stored: object) -> bytes:
    """Return the bytes of the value of which the server has returned this.

    Raises:
        DamagedValueError: If it is not what `with_checksum` returned for this key.
    """
    if type(stored) is bytes:
        data = stored[:-_LENGTH]
        # Formatted, because comparing takes less time than reading the digits.
        if stored[-_LENGTH:] == b"\x1e%08x" % crc32(data, crc32(key.encode())):
            return data
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
    values: list[bytes | None] = []
    for key, each in zip(keys, stored, strict=True):
        if each is None:
            values.append(None)
            continue
        if type(each) is bytes:
            # The same as `without_checksum`, without a call: each row of a list of
            # hits comes here.
            data = each[:-_LENGTH]
            if each[-_LENGTH:] == b"\x1e%08x" % crc32(data, crc32(key.encode())):
                values.append(data)
                continue
        values.append(without_checksum(key, each))
    return values
