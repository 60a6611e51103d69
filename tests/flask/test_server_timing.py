import pytest
from flask import render_template_string, request_finished

from tests.flask.support import Site

PAGE = "{% cache 60, 'side', 'secret' %}text{% endcache %}"


def site(*, debug: bool, **settings: object) -> Site:
    made = Site(**settings)

    @made.app.get("/")
    def index() -> str:
        return render_template_string(PAGE)

    @made.app.get("/plain")
    def plain() -> str:
        return "nothing cached"

    # As `app.run(debug=True)` does, after the cache was made.
    made.app.debug = debug
    return made


def headers(made: Site, url: str = "/") -> list[str]:
    return made.app.test_client().get(url).headers.getlist("Server-Timing")


@pytest.mark.parametrize(
    ("debug", "setting", "sent"),
    [
        (True, None, True),
        (False, None, False),
        (False, True, True),
        (False, "true", True),
        (True, False, False),
    ],
)
def test_the_header_is_sent_in_debug_mode_or_as_the_setting_says(
    debug: bool, setting: object, sent: bool
) -> None:
    made = site(debug=debug, CACHE_SERVER_TIMING=setting)
    assert bool(headers(made)) is sent
    if sent:
        assert "1 misses" in headers(made)[0] or "1 hits" in headers(made)[0]


def test_each_request_has_its_own_figures_and_no_key_values() -> None:
    made = site(debug=True)
    first, second = headers(made)[0], headers(made)[0]
    assert first.startswith('cache;desc="0 hits, 1 misses')
    assert second.startswith('cache;desc="1 hits, 0 misses')
    assert "hit side" in second
    assert "secret" not in first + second


def test_a_page_without_the_cache_has_no_header() -> None:
    assert headers(site(debug=True), "/plain") == []


def test_nobody_listens_outside_of_debug_mode() -> None:
    made = site(debug=False)
    headers(made)
    assert made.cache.fragment_cache.engine.listeners.settle() is False


def test_the_header_follows_debug_mode_and_costs_nothing_outside_of_it() -> None:
    made = site(debug=False)
    before = len([*request_finished.receivers_for(made.app)])
    counts = []
    for debug in (False, True, False, True):
        made.app.debug = debug
        assert len(headers(made)) == debug
        counts.append(len([*request_finished.receivers_for(made.app)]) - before)
    assert counts == [0, 1, 0, 1]
