import math
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import Undefined

from jinja_fragcache.errors import TimeoutValueError
from jinja_fragcache.timeouts import normalize_timeout


@pytest.mark.parametrize(
    ("timeout", "seconds"),
    [
        (None, None),
        (300, 300),
        (0, 0),
        (0.0, 0),
        (0.001, 1),
        (1.0, 1),
        (1.2, 2),
        (timedelta(minutes=2), 120),
        (timedelta(milliseconds=1), 1),
        (timedelta(0), 0),
    ],
)
def test_a_timeout_becomes_whole_seconds(timeout: Any, seconds: int | None) -> None:
    assert normalize_timeout(timeout) == seconds


@pytest.mark.parametrize(
    "timeout",
    [
        -1,
        -0.5,
        timedelta(seconds=-1),
        True,
        False,
        "300",
        "del",
        "",
        math.nan,
        math.inf,
        2**31,
        timedelta(days=100 * 365),
        pytest.param(10**5000, id="huge"),
        Decimal(3),
        [300],
        Undefined(name="t"),
    ],
)
def test_a_value_that_is_not_a_timeout_is_an_error(timeout: Any) -> None:
    with pytest.raises(TimeoutValueError, match="Write a number of seconds from 0"):
        normalize_timeout(timeout)


@given(st.floats(min_value=0, max_value=1e9, exclude_min=True))
def test_a_float_is_rounded_up(timeout: float) -> None:
    seconds = normalize_timeout(timeout)
    assert isinstance(seconds, int)
    assert seconds - 1 < timeout <= seconds
