"""A store in a table of DynamoDB."""

import math
from typing import Any

import cachelib

from .optional import need
from .text import TextSerializer

# How long a page waits for a server that does not answer.
_SECONDS = 1


class DynamoDbStore(cachelib.DynamoDbCache):
    """A `cachelib.DynamoDbCache` of texts and numbers that clears only its own.

    `add` is atomic, counting is not. DynamoDB takes 400 KB. The table is asked for when
    the store is made, and made if there is none.

    Args:
        table_name: the table's name.
        default_timeout: seconds that an entry lives if it was written without a
            timeout; 0 for ever.
        key_field: the name of the table's key.
        expiration_time_field: the name of the field that has the time of expiry.
        key_prefix: what all keys begin with.
        options: more keyword arguments for `boto3.resource`.

    Raises:
        StoreError: the package boto3 is missing.
    """

    serializer = TextSerializer()  # type: ignore[assignment]  # cachelib means its form

    def __init__(
        self,
        table_name: str = "python-cache",
        default_timeout: int = 300,
        key_field: str = "cache_key",
        expiration_time_field: str = "expiration_time",
        key_prefix: str | None = None,
        **options: Any,
    ) -> None:
        need("boto3", "dynamodb")
        patience = need("botocore.config", "dynamodb").Config(
            connect_timeout=_SECONDS,
            read_timeout=_SECONDS,
            retries={"total_max_attempts": 1},
        )
        super().__init__(
            table_name,
            default_timeout,
            key_field,
            expiration_time_field,
            key_prefix,
            **{"config": patience, **options},
        )

    def remaining(self, key: str) -> float | None:
        """Give the seconds that an entry has left, `math.inf` if it never expires.

        Returns:
            None if there is no entry.
        """
        item = self._get_item(self.key_prefix + key)
        if item is None:
            return None
        expires_at = item.get(self._expiration_time_field, math.inf)
        return float(expires_at) - self._utcnow().timestamp()

    def clear(self) -> bool:
        """Delete all keys with this store's prefix; without one, all of the table."""
        given: dict[str, Any] = {"ProjectionExpression": "#key"}
        given["ExpressionAttributeNames"] = {"#key": self._key_field}
        if self.key_prefix:
            mine = self._attr(self._key_field).begins_with(self.key_prefix)
            given["FilterExpression"] = mine
        paginator = self._dynamo.meta.client.get_paginator("scan")
        with self._table.batch_writer() as batch:
            for page in paginator.paginate(TableName=self._table_name, **given):
                for item in page["Items"]:
                    batch.delete_item(Key=item)
        return True
