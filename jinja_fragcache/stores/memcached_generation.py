"""The generation that the keys of a `MemcachedStore` with a prefix contain."""

import re
import secrets

from jinja_fragcache.errors import DamagedValueError, StoreError

from .memcached_base import MemcachedClient

# Its form, as it is stored.
_GENERATION = re.compile(rb"[0-9a-f]{16}")
_TRIES = 100


def read_generation(client: MemcachedClient, key: str) -> str:
    """Return the generation that is stored under a key. If there is none, store one.

    Raises:
        StoreError: If the server does not keep it.
    """
    for tries in range(_TRIES):
        try:
            stored = client.get(key)
        except DamagedValueError:
            stored = b""
        if stored is not None and _GENERATION.fullmatch(stored):
            return stored.decode()
        # Never an earlier one, under which cleared entries would be found again:
        # Memcached may have evicted it for lack of room.
        generation = secrets.token_hex(8).encode()
        if stored is None and not tries:
            client.add(key, generation, 0)
        else:
            # Another client has stored something else, perhaps with flags. It would
            # become a part of all keys.
            client.set(key, generation, 0)
    raise StoreError(
        "Memcached does not keep the generation that this cache's keys contain."
    )
