from jinja_fragcache.stores.memcached_base import value_too_large


def test_the_error_for_a_large_value_names_its_key_its_size_and_the_remedy() -> None:
    message = str(value_too_large("k", 2_000_000))
    assert "2000000 bytes for 'k'" in message
    assert "'spreadsaslmemcached'" in message
