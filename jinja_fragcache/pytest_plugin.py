"""The pytest plugin: the fixture `fragment_cache`.

pytest imports this module in each run where the package is installed. So it imports
nothing until the fixture is used, neither Jinja nor Flask.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .testing import CacheTester

_APP = "app"


@pytest.fixture
def fragment_cache_target(request: pytest.FixtureRequest) -> Any:
    """Return what is tested: by default what the fixture `app` returns.

    Override it to return a Flask application or a Jinja environment.
    """
    try:
        return request.getfixturevalue(_APP)
    except pytest.FixtureLookupError as error:
        if error.argname != _APP:
            raise
        # Without the traceback of pytest's own look-up.
        pytest.fail(
            "The fixture fragment_cache needs to know what is tested, and there is no"
            " fixture app. Write a fixture app that returns a Flask application, or a"
            " fixture fragment_cache_target that returns that or a Jinja environment.",
            pytrace=False,
        )


@pytest.fixture
def fragment_cache_options() -> dict[str, Any]:
    """Return options of `FragmentCache` that differ from those of the application.

    Override it to return some, such as `{"strict": False}`.
    """
    return {}


@pytest.fixture
def fragment_cache(
    fragment_cache_target: Any, fragment_cache_options: dict[str, Any]
) -> Iterator["CacheTester"]:
    """Let the application use an empty cache in this test, and tell what is in it.

    It is a `jinja_fragcache.testing.CacheTester`.
    """
    __tracebackhide__ = True
    from .testing import isolated  # noqa: PLC0415 - see above

    with isolated(fragment_cache_target, **fragment_cache_options) as tester:
        yield tester
