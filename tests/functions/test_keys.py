import pytest

from jinja_fragcache import KeyValueError
from jinja_fragcache.functions.keys import check_key


def test_check_key_accepts_only_strings() -> None:
    assert check_key("any \u20ac text") == "any \u20ac text"
    with pytest.raises(KeyValueError, match=r"A key has to be a text and is 5 \(int\)"):
        check_key(5)
