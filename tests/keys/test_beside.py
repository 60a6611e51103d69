from hypothesis import given
from hypothesis import strategies as st

from jinja_fragcache.keys.beside import lock_key, version_key

NAMES = st.text(max_size=10) | st.text(min_size=201, max_size=210)


@given(NAMES, NAMES)
def test_each_entry_has_a_lock_of_its_own(first: str, second: str) -> None:
    assert (lock_key(first) == lock_key(second)) == (first == second)
    assert lock_key(first) != first
    assert len(lock_key(first)) <= 250


@given(NAMES, NAMES)
def test_each_tag_has_a_version_of_its_own(first: str, second: str) -> None:
    assert (version_key(first) == version_key(second)) == (first == second)
    assert version_key(first) != lock_key(first)
    assert len(version_key(first)) <= 250
