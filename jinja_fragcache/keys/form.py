"""The form of all keys: a start that people can read, and a digest."""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from typing import Any

_READABLE_CHARACTERS = 80
# Not compiled here, because few names have such characters.
_NOT_READABLE = r"[^!-~]+"

# The module of Python's own SHA-256. For texts as short as those of keys, it takes two
# thirds of the time of OpenSSL's, and each miss with key values waits for it.
_OWN = "_sha2" if sys.version_info >= (3, 12) else "_sha256"


def _fastest_sha256() -> Callable[[bytes], Any]:
    """Return Python's own `sha256` where it has one, else that of `hashlib`."""
    with suppress(ImportError, AttributeError):
        own: Callable[[bytes], Any] = import_module(_OWN).sha256
        return own
    return hashlib.sha256


sha256 = _fastest_sha256()


def digest_key(kind: str, name: str, encoded: str) -> str:
    """Return a key that starts readable and ends with a digest.

    It has at most 146 characters more than `kind`.

    Args:
        kind: A word for what is stored under the key, such as "fragment".
        name: The name by which people know it. At most 80 characters of it are shown.
        encoded: Everything that tells this key from others of its kind.
    """
    # A string may hold lone surrogates, which plain UTF-8 can't encode.
    digest: str = sha256(encoded.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{kind}:{readable_name(name)}:{digest}"


def readable_name(name: str) -> str:
    """Return a name as it stands in a key: at most 80 characters of printable ASCII."""
    # Nearly all are, and a pattern takes three times as long to tell.
    if name.isascii() and name.isprintable() and " " not in name:
        return name[:_READABLE_CHARACTERS]
    return re.sub(_NOT_READABLE, "_", name)[:_READABLE_CHARACTERS]
