from typing import Any

import pytest
from sqlalchemy import create_engine

from jinja_fragcache.frameworks.shared import is_shared


@pytest.mark.parametrize(
    ("name", "value", "shared"),
    [
        ("db", object(), True),
        ("redis", object(), True),
        ("connect", len, True),
        ("module", pytest, True),
        ("store", create_engine("sqlite://"), True),
        ("user", object(), False),
        ("theme", "dark", False),
    ],
)
def test_connections_functions_and_modules_are_the_same_for_all(
    name: str, value: Any, shared: bool
) -> None:
    assert is_shared(name, value) is shared
