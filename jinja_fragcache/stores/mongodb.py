"""A store in a collection of a MongoDB database."""

from typing import Any

import cachelib

from .optional import need
from .text import TextSerializer

# How long a page waits for a server that does not answer.
_MILLISECONDS = 250


class MongoDbStore(cachelib.MongoDbCache):
    """A `cachelib.MongoDbCache` of texts and numbers.

    Neither `add` nor counting is atomic. `clear()` drops the collection. The server has
    to be there when the store is made.

    Args:
        client: a URL, or a ready client of pymongo.
        db: the database's name.
        collection: the collection's name.
        default_timeout: seconds that an entry lives if it was written without a
            timeout; 0 for ever.
        key_prefix: what all keys begin with.
        options: more keyword arguments for `pymongo.MongoClient`.

    Raises:
        StoreError: the package pymongo is missing.
    """

    serializer = TextSerializer()  # type: ignore[assignment]  # cachelib means its form

    def __init__(
        self,
        client: Any = None,
        db: str = "cache-db",
        collection: str = "cache-collection",
        default_timeout: int = 300,
        key_prefix: str | None = None,
        **options: Any,
    ) -> None:
        if client is None or isinstance(client, str):
            patience = {
                "serverSelectionTimeoutMS": _MILLISECONDS,
                "connectTimeoutMS": _MILLISECONDS,
                "socketTimeoutMS": _MILLISECONDS,
            }
            given = {**patience, **options}
            client = need("pymongo", "mongodb").MongoClient(client, **given)
        try:
            super().__init__(
                client, db, collection, default_timeout, key_prefix=key_prefix
            )
        except Exception:
            client.close()
            raise
