from hypothesis import given
from hypothesis import strategies as st

from jinja_fragcache.access.lock_keys import lock_key

KEYS = st.text(max_size=10) | st.text(min_size=201, max_size=210)


@given(KEYS, KEYS)
def test_each_entry_has_a_lock_of_its_own(first: str, second: str) -> None:
    assert (lock_key(first) == lock_key(second)) == (first == second)
    assert lock_key(first) != first
    assert len(lock_key(first)) <= 250
