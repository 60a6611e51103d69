from collections.abc import Callable, Iterator
from typing import Any

import pytest

from jinja_fragcache.stores import DynamoDbStore


@pytest.fixture
def make(dynamodb_options: dict[str, Any]) -> Iterator[Callable[..., DynamoDbStore]]:
    made: list[DynamoDbStore] = []

    def make(prefix: str | None) -> DynamoDbStore:
        made.append(DynamoDbStore("mine", key_prefix=prefix, **dynamodb_options))
        return made[-1]

    yield make
    for store in made:
        store._dynamo.meta.client.close()


def test_dynamodb_holds_texts_and_digits(make: Callable[..., DynamoDbStore]) -> None:
    store = make("shop:")
    store.set("text", "<p>Grüße</p>")
    store.set("number", 12)
    stored = [store._get_item(f"shop:{key}")["response"] for key in ("text", "number")]
    assert [each.value for each in stored] == ["<p>Grüße</p>".encode(), b"12"]


def test_clear_deletes_only_what_has_the_prefix(
    make: Callable[..., DynamoDbStore],
) -> None:
    shop, blog, everything = make("shop:"), make("blog:"), make(None)
    blog.set("k", "kept")
    for number in range(40):
        shop.set(str(number), "text")
    shop.clear()
    assert shop.get_many(*map(str, range(40))) == [None] * 40
    assert blog.get("k") == "kept"
    everything.clear()
    assert blog.get("k") is None


def test_a_value_that_is_too_large_is_not_kept(
    make: Callable[..., DynamoDbStore],
) -> None:
    store = make("shop:")
    assert store.set("k", "x" * 500_000) is False
    assert store.get("k") is None


def test_a_server_that_is_down_is_told() -> None:
    botocore: Any = pytest.importorskip("botocore.exceptions")
    store = DynamoDbStore(
        endpoint_url="http://127.0.0.1:1",
        region_name="eu-central-1",
        aws_access_key_id="none",
        aws_secret_access_key="none",  # noqa: S106 - of nobody
    )
    with pytest.raises(botocore.EndpointConnectionError):
        store.get("k")
    assert store.set("k", "text") is False
    store._dynamo.meta.client.close()
