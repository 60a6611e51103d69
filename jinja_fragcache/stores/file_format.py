"""The content of an entry's file: when the entry expires, a digest, and the value."""

import hashlib
import struct

# When it expires, in seconds since 1970, and a digest of that, of the key and of the
# value.
_HEAD = struct.Struct("<Q16s")
#: The length of what stands before the value, in bytes.
HEAD_SIZE = _HEAD.size


def pack(key: str, expires: int, body: bytes) -> bytes:
    """Return the content of an entry's file.

    Args:
        key: The key of the entry.
        expires: When it expires, in seconds since 1970; 0 if it never does.
        body: The bytes of the value.
    """
    return _HEAD.pack(expires, digest(key, expires, body)) + body


def unpack(key: str, content: bytes) -> tuple[int, bytes] | None:
    """Return when an entry expires, and its body.

    Returns:
        None if the content is not what `pack` returned for this key.
    """
    try:
        expires, expected = _HEAD.unpack_from(content)
    except struct.error:
        return None
    body = content[HEAD_SIZE:]
    return (expires, body) if digest(key, expires, body) == expected else None


def unpack_head(head: bytes) -> int | None:
    """Return when an entry expires, from the first `HEAD_SIZE` bytes of its file.

    The digest is not checked.

    Returns:
        None if there are fewer bytes.
    """
    try:
        expires: int = _HEAD.unpack(head)[0]
    except struct.error:
        return None
    return expires


def digest(key: str, expires: int, body: bytes) -> bytes:
    """Return a digest of an entry, so that a damaged or changed one is not served.

    It is no signature: anyone who can write to the folder can write valid entries.
    """
    text = b"%d %b %b" % (expires, key.encode(), body)
    return hashlib.blake2b(text, digest_size=16, usedforsecurity=False).digest()
