"""Goes through the keys on a Redis server that have a prefix, and says where it is."""

import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

from .facts import Amounts, Facts, amounts_of

_KEYS_AT_ONCE = 500
_GLOB_CHARACTERS = re.compile(r"[*?\[\]\\]")


def unlink_keys(client: Any, prefix: str) -> None:
    """Delete all keys with a prefix, 500 at a time."""
    for batch in _batches(_keys(client, prefix)):
        client.unlink(*batch)


def amounts_of_keys(client: Any, prefix: str) -> Amounts:
    """Return how much there is of each name, of the keys with a prefix."""
    return amounts_of(_sizes(client, prefix))


def count_keys(client: Any, prefix: str) -> Facts:
    """Count the keys with a prefix, and the bytes of their values.

    Without a prefix, the server tells the number of all keys of the database.
    """
    if not prefix:
        note = "That counts what others keep in this database, too."
        return Facts(client.dbsize(), note=note)
    amounts = amounts_of_keys(client, prefix)
    return Facts(amounts.entries, amounts.bytes, is_partial=amounts.is_partial)


def _sizes(client: Any, prefix: str) -> Iterator[tuple[str, int]]:
    """Yield keys without their prefix, and how many bytes their values have."""
    start = len(prefix.encode())
    for batch in _batches(_keys(client, prefix)):
        pipeline = client.pipeline(transaction=False)
        for key in batch:
            pipeline.strlen(key)
        answers = pipeline.execute(raise_on_error=False)
        for key, size in zip(batch, answers, strict=True):
            # Of a list, a hash or the like, the server does not tell the length.
            known = size if isinstance(size, int) else 0
            yield key[start:].decode(errors="replace"), known


def _keys(client: Any, prefix: str) -> Iterator[bytes]:
    pattern = _GLOB_CHARACTERS.sub(r"\\\g<0>", prefix) + "*"
    return iter(client.scan_iter(match=pattern, count=_KEYS_AT_ONCE))


def _batches(keys: Iterator[bytes]) -> Iterator[list[bytes]]:
    while batch := list(islice(keys, _KEYS_AT_ONCE)):
        yield batch


def address_of(client: Any) -> str:
    """Return the address of a client's server, without any login."""
    pool = getattr(client, "connection_pool", None)
    given = getattr(pool, "connection_kwargs", {})
    service = getattr(pool, "service_name", None)
    if service is not None:
        place = f"Redis master {service!r} of sentinels"
    elif "path" in given:
        place = f"Redis at {given['path']}"
    elif "host" in given:
        place = f"Redis at {given['host']}:{given.get('port', 6379)}"
    else:
        return "Redis cluster"
    return f"{place}, database {given.get('db') or 0}"
