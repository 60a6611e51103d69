from jinja_fragcache.stores.base import by_timeout


def test_values_are_grouped_by_their_timeouts() -> None:
    values = {"a": ("1", 5), "b": ("2", None), "c": ("3", 5), "d": ("4", 0)}
    assert by_timeout(values) == {
        5: {"a": "1", "c": "3"},
        None: {"b": "2"},
        0: {"d": "4"},
    }
    assert by_timeout({}) == {}
