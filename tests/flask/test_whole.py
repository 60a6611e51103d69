"""What holds for a whole cache: CACHE_VARY_ON and CACHE_UNLESS."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from flask import Response, g, render_template_string, request, session

from jinja_fragcache import KeyValueError, SettingError, Stats, UncoveredReadError
from tests.flask.support import Site, make_cache
from tests.support import Counter, files_of_calls

FRAGMENT = '{% cache 300, "a", 7 %}{{ n() }}{% endcache %}'


class Varied(Site):
    """A site whose cache varies on `values`, and is off while `preview` is true."""

    def __init__(self, **settings: Any) -> None:
        self.values: Any = ["en"]
        self.preview: Any = False
        settings.setdefault("CACHE_VARY_ON", lambda: self.values)
        settings.setdefault("CACHE_UNLESS", lambda: self.preview)
        super().__init__(**settings)

    def shown(self, call: Callable[[], Any], *values: str) -> list[Any]:
        """Return what a function gives, with each of some values."""
        found = []
        for each in values:
            self.values = [each]
            with self.app.test_request_context("/path"):
                found.append(call())
        return found


def fragment(site: Varied) -> Callable[[], Any]:
    return lambda: render_template_string(FRAGMENT, n=lambda: str(site.calls()))


def view(site: Varied) -> Callable[[], Any]:
    @site.app.route("/path")
    @site.cache.cached()
    def show() -> str:
        return str(site.calls())

    return show


def function(site: Varied) -> Callable[[], Any]:
    @site.cache.cached(key_prefix="number")
    def number() -> str:
        return str(site.calls())

    return number


def custom(site: Varied) -> Callable[[], Any]:
    @site.cache.cached(make_cache_key=lambda: "mine")
    def number() -> str:
        return str(site.calls())

    return number


def memoized(site: Varied) -> Callable[[], Any]:
    @site.cache.memoize()
    def number(of: int) -> str:
        return str(of and site.calls())

    return lambda: number(7)


def coroutine(site: Varied) -> Callable[[], Any]:
    @site.cache.memoize()
    async def number() -> str:
        return str(site.calls())

    return lambda: asyncio.run(number())


KINDS = (fragment, view, function, custom, memoized, coroutine)
kinds = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture
def site() -> Varied:
    return Varied()


@kinds
def test_each_value_has_its_own_entry(site: Varied, kind: Any) -> None:
    assert site.shown(kind(site), "en", "de", "en", "de") == ["1", "2", "1", "2"]
    assert site.cache.stats() == Stats(hits=2, misses=2, stored=2)


@kinds
def test_nothing_is_read_or_stored_while_unless_is_true(
    site: Varied, kind: Any
) -> None:
    call = kind(site)
    site.shown(call, "en")
    site.preview = True
    assert site.shown(call, "en", "en") == ["2", "3"]
    site.preview = False
    assert site.shown(call, "en") == ["1"]
    assert site.cache.stats() == Stats(hits=1, misses=1, stored=1, uncached=2)


@pytest.mark.parametrize("kind", [fragment, view, function])
def test_a_part_that_is_left_out_keeps_what_is_around_it_from_being_stored(
    site: Varied, kind: Any
) -> None:
    # Another cache, because the same one would leave out the page, too.
    inner = Varied()
    call = kind(inner)

    @site.app.route("/page")
    @site.cache.cached()
    def page() -> str:
        with inner.app.test_request_context("/path"):
            return f"{site.calls()}{call()}"

    inner.preview = True
    assert site.get("/page", "/page") == ["11", "22"]
    inner.preview = False
    assert site.get("/page", "/page") == ["33", "33"]


@pytest.mark.parametrize("decorator", ["cached", "memoize"])
def test_so_does_the_unless_of_a_function(decorator: str) -> None:
    site, is_preview = Site(), [True]

    decorate: Any = getattr(site.cache, decorator)(unless=lambda: is_preview[0])
    part: Callable[[], str] = decorate(lambda: str(site.calls()))

    @site.app.route("/page")
    @site.cache.cached()
    def page() -> str:
        return part()

    assert site.get("/page", "/page") == ["1", "2"]
    is_preview[0] = False
    assert site.get("/page", "/page") == ["3", "3"]


# Deletes


def test_a_fragment_is_deleted_for_all_values(site: Varied) -> None:
    call = fragment(site)
    site.shown(call, "en", "de")
    with site.app.app_context():
        site.cache.delete_fragment("a", [8])
    assert site.shown(call, "en", "de") == ["1", "2"]
    with site.app.app_context():
        site.cache.delete_fragment("a", [7])
    assert site.shown(call, "en", "de") == ["3", "4"]


def test_a_view_is_deleted_for_all_values(site: Varied) -> None:
    call = view(site)
    site.shown(call, "en", "de")
    with site.app.test_request_context():
        assert site.cache.delete_cached(call)
    assert site.shown(call, "en", "de") == ["3", "4"]


@pytest.mark.parametrize(
    "delete",
    [
        lambda cache, _: cache.delete_cached(_),
        lambda cache, _: cache.delete("mine"),
        lambda cache, _: cache.delete_many("other", "mine"),
    ],
)
def test_a_key_of_the_user_s_is_deleted_for_all_values(
    site: Varied, delete: Any
) -> None:
    call = custom(site)
    site.shown(call, "en", "de")
    with site.app.app_context():
        delete(site.cache, call)
    assert site.shown(call, "en", "de") == ["3", "4"]


def test_memoized_calls_are_deleted_for_all_values(site: Varied) -> None:
    @site.cache.memoize()
    def number(of: int) -> str:
        return f"{of}:{site.calls()}"

    def both() -> str:
        return f"{number(1)} {number(2)}"

    assert site.shown(both, "en", "de") == ["1:1 2:2", "1:3 2:4"]
    with site.app.app_context():
        site.cache.delete_memoized(number, 1)
    assert site.shown(both, "en", "de") == ["1:5 2:2", "1:6 2:4"]
    with site.app.app_context():
        site.cache.delete_memoized(number)
    assert site.shown(both, "en", "de") == ["1:7 2:8", "1:9 2:10"]


def test_the_entry_of_the_present_values_is_known_by_its_key(site: Varied) -> None:
    @site.cache.memoize()
    def number() -> str:
        return str(site.calls())

    def key() -> str:
        return number.make_cache_key()

    assert site.shown(number, "en", "de") == ["1", "2"]
    with site.app.app_context():
        assert [site.cache.get(each) for each in site.shown(key, "en", "de")] == [
            "1",
            "2",
        ]
        site.values = ["en"]
        site.cache.set(key(), "set")
        assert number() == "set"
        site.cache.delete(key())
        assert [number(), *site.shown(number, "de")] == ["3", "2"]
        site.values = ["en"]
        site.cache.set(key(), "set")
        site.cache.delete_memoized(number)
        assert number() == "4"


def test_the_key_of_a_fragment_is_told(site: Varied) -> None:
    call = fragment(site)
    site.shown(call, "en", "de")
    with site.app.app_context():
        assert site.cache.get(site.cache.key_for("a", [7])) == "2"
        site.values = ["en"]
        assert site.cache.get(site.cache.key_for("a", [7])) == "1"


# Settings


def three() -> list[int]:
    return [3]


def test_the_functions_may_be_import_strings() -> None:
    site = Site(CACHE_VARY_ON=f"{__name__}:three", CACHE_UNLESS=f"{__name__}.never")
    with site.app.app_context():
        policy = site.cache.fragment_cache.policy
        assert (policy.vary_on, policy.unless) == (three, never)


def never() -> bool:
    return False


@pytest.mark.parametrize("name", ["CACHE_VARY_ON", "CACHE_UNLESS"])
@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            "no_such:name",
            r" 'no_such:name' can't be imported: .* of a function without",
        ),
        (["en"], r": .* can't be \['en'\] .* a plain function without arguments"),
        (
            lambda x: x,
            ": .* a plain function without arguments that returns .*lambda: ",
        ),
        (f"{__name__}:FRAGMENT", ": .* a plain function without arguments"),
    ],
)
def test_a_wrong_function_is_refused(name: str, given: Any, message: str) -> None:
    with pytest.raises(SettingError, match=f"{name}{message}"):
        make_cache(**{name: given})


# Refused values


@pytest.mark.parametrize("name", ["CACHE_VARY_ON", "CACHE_UNLESS"])
@pytest.mark.parametrize("kind", KINDS[1:])
def test_a_function_that_raises_is_an_error_in_debug_mode(name: str, kind: Any) -> None:
    site = Varied(**{name: lambda: request.args["lang"]})
    site.app.debug = True
    message = rf"is not cached\. .*in Flask, {name}\) raised BadRequestKeyError: "
    with pytest.raises(KeyValueError, match=message):
        site.shown(kind(site), "en")


@pytest.mark.parametrize("name", ["CACHE_VARY_ON", "CACHE_UNLESS"])
@kinds
def test_elsewhere_it_is_one_warning(
    name: str, kind: Any, caplog: pytest.LogCaptureFixture
) -> None:
    site = Varied(**{name: lambda: 1 // 0})
    assert site.shown(kind(site), "en", "en") == ["1", "2"]
    (message,) = caplog.messages
    assert f"(in Flask, {name}) raised ZeroDivisionError" in message
    assert site.cache.stats() == Stats(uncached=2)


# The guard


def reads(site: Varied, kind: str) -> None:
    def show() -> str:
        return f"{site.calls()}{session['lang']}"

    if kind == "fragment":
        source = '{% cache 300, "a" %}{{ n() }}{{ session.lang }}{% endcache %}'
        site.app.route("/")(lambda: render_template_string(source, n=site.calls))
    elif kind == "view":
        site.app.route("/")(site.cache.cached()(show))
    else:
        site.app.add_url_rule("/", "show", site.cache.memoize()(show))


def answers(site: Varied, *languages: str) -> list[str]:
    found = []
    for each in languages:
        client = site.app.test_client()
        with client.session_transaction() as opened:
            opened["lang"] = each
        found.append(client.get("/").text)
    return found


bodies = pytest.mark.parametrize("kind", ["fragment", "view", "memoize"])


@bodies
def test_what_vary_on_returns_covers_what_it_read(kind: str) -> None:
    site = Varied(CACHE_VARY_ON=lambda: [session.get("lang")])
    reads(site, kind)
    assert answers(site, "en", "de", "en", "de") == ["1en", "2de", "1en", "2de"]


@bodies
def test_what_it_read_and_did_not_return_is_not_covered(kind: str) -> None:
    site = Varied(CACHE_VARY_ON=lambda: [bool(session.get("lang"))])
    reads(site, kind)
    assert answers(site, "en", "de", "en") == ["1en", "2de", "3en"]
    assert site.cache.stats().stored == 0


@bodies
def test_what_it_did_not_read_is_an_error_in_debug_mode(kind: str) -> None:
    site = Varied()
    site.app.debug = True
    reads(site, kind)
    with pytest.raises(UncoveredReadError, match=r"session\.lang"):
        answers(site, "de")


def test_a_body_that_changes_what_the_values_were_made_of_runs_again() -> None:
    site = Varied(CACHE_VARY_ON=lambda: [g.lang])

    @site.cache.memoize()
    def show() -> str:
        g.lang = "de"
        return f"{site.calls()}{g.lang}"

    def call() -> str:
        g.lang = "en"
        return show()

    # The key of the second call says "en", and the entry that "de" was read.
    assert site.shown(call, "", "") == ["1de", "2de"]


@pytest.mark.parametrize(
    ("vary_on", "is_stored"),
    [
        (lambda: [session.get("lang")], False),
        (lambda: [request.headers.get("Accept-Language")], True),
        (lambda: [request.accept_languages.best_match(["en", "de"])], True),
    ],
)
def test_a_header_in_vary_has_to_be_among_the_values(
    vary_on: Any, is_stored: bool
) -> None:
    site = Varied(CACHE_VARY_ON=vary_on)

    @site.app.route("/")
    @site.cache.cached()
    def show() -> Response:
        return Response(str(site.calls()), headers={"Vary": "Accept-Language"})

    site.get("/", headers={"Accept-Language": "en"})
    assert site.cache.stats().stored == is_stored


def test_a_value_that_is_kept_in_the_session_does_not_tell_the_user() -> None:
    site = Varied(CACHE_VARY_ON=lambda: [session.get("lang"), g.get("theme")])

    @site.app.before_request
    def load() -> None:
        g.theme, g.name = "dark", session["lang"]

    @site.app.route("/")
    @site.cache.cached()
    def show() -> str:
        return str(site.calls())

    assert answers(site, "en", "en") == ["1", "2"]


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("CACHE_VARY_ON", lambda: [bool(session.get("lang"))]),
        ("CACHE_UNLESS", lambda: session.get("lang") == "fr"),
    ],
)
def test_what_they_read_of_a_part_is_no_read_of_what_is_around_it(
    name: str, function: Any
) -> None:
    site = Varied(**{name: function})
    part = '{% cache 300, "i" %}{% endcache %}'
    source = f'{{% cache 300, "o" %}}{{{{ n() }}}}{part}{{% endcache %}}'
    site.app.route("/")(lambda: render_template_string(source, n=site.calls))
    assert answers(site, "en", "de") == ["1", "1"]


def test_values_that_change_with_each_call_cover_nothing() -> None:
    changing = Counter()
    site = Varied(CACHE_VARY_ON=lambda: [session.get("lang"), changing()])
    reads(site, "fragment")
    answers(site, "en")
    assert site.cache.stats().stored == 0


@kinds
def test_a_hit_of_another_cache_runs_nothing_of_this(kind: Any) -> None:
    site = Varied(CACHE_VARY_ON=None, CACHE_UNLESS=None)
    call = kind(site)
    assert site.shown(call, "en") == ["1"]
    with files_of_calls() as called:
        assert site.shown(call, "en") == ["1"]
    assert called
    assert not [each for each in called if each.endswith("/whole.py")]


def test_verified_hits_vary() -> None:
    site = Varied(CACHE_VERIFY=1)
    assert site.shown(memoized(site), "en", "en") == ["1", "1"]
    stats = site.cache.stats()
    assert (stats.verified, stats.differed) == (1, 1)
