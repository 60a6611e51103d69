from typing import Any

import pytest

from jinja_fragcache import FragmentCache
from jinja_fragcache.errors import SettingError
from jinja_fragcache.inspector import asgi_app, asgi_overlay, wsgi_app, wsgi_overlay
from jinja_fragcache.inspector.mounting import read_verdict
from tests.flask.support import make_cache


@pytest.mark.parametrize("make", [wsgi_app, asgi_app])
@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({}, "it needs allow="),
        ({"allow": True}, "allow is a function .* and got True"),
        ({"allow": "admins"}, "allow is a function"),
        ({"allow": lambda: True}, "is called with a request, and .* too many"),
        ({"debug": True, "secret_key": ""}, "secret_key can't be empty"),
        ({"debug": True, "secret_key": b""}, "secret_key can't be empty"),
        ({"debug": True, "secret_key": 7}, "secret_key is a text or bytes"),
    ],
)
def test_what_can_not_work_is_refused_at_once(
    make: Any, more: dict[str, Any], told: str
) -> None:
    with pytest.raises(SettingError, match=told):
        make(FragmentCache(), **more)


@pytest.mark.parametrize("make", [wsgi_app, asgi_app])
@pytest.mark.parametrize("cache", [None, {}, make_cache()])
def test_something_that_is_no_cache_is_refused(make: Any, cache: object) -> None:
    with pytest.raises(SettingError, match=r"cache\.fragment_cache"):
        make(cache, debug=True)


@pytest.mark.parametrize("make", [wsgi_overlay, asgi_overlay])
@pytest.mark.parametrize("app", [None, "app"])
def test_the_overlay_needs_an_application(make: Any, app: object) -> None:
    with pytest.raises(SettingError, match=r"Write app = wsgi_overlay\(app, cache"):
        make(app, FragmentCache(), debug=True)


@pytest.mark.parametrize(
    ("answer", "verdict"), [(True, True), (False, False), (None, False), (0, False)]
)
def test_only_true_allows(answer: object, verdict: bool) -> None:
    assert read_verdict(answer) is verdict


async def later() -> bool:
    return False


@pytest.mark.parametrize("answer", [1, "no", object(), later, later()])
def test_what_is_only_like_true_is_a_mistake(answer: object) -> None:
    with pytest.raises(SettingError, match="has to return True or False"):
        read_verdict(answer)
