import pytest

from jinja_fragcache import stores


@pytest.mark.parametrize("name", sorted(stores._MODULES))
def test_a_store_is_imported_when_it_is_asked_for(name: str) -> None:
    assert getattr(stores, name).__name__ == name
    assert getattr(stores, name) is getattr(stores, name)


def test_an_unknown_store_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'MongoStore'"):
        _ = stores.MongoStore
