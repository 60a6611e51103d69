"""What a decorated function reads has to be in its key."""

import hashlib
import html
from collections.abc import Callable
from typing import Any

import pytest
from flask import render_template_string, request, session

from jinja_fragcache import UncoveredReadError
from jinja_fragcache.engine.dependencies import start_watching
from jinja_fragcache.engine.key_reads import KeyReads
from jinja_fragcache.flask.view_keys import named_by_path
from jinja_fragcache.functions.call_guard import CallGuard
from jinja_fragcache.guard.reads import Cover, Read
from tests.flask.support import Site

Decorate = Callable[[Site], Any]
# The function, its file and line, and what it read.
TOLD = r"test_call_guard\.py, line \d+, .*\.user\(\): .* session\.user, which"


def user() -> str:
    return f"Hello {session.get('user')}"


def who() -> str:
    return f"key of {session.get('user')}"


def texts(
    site: Site, call: Callable[[], object], path: str = "/", value: Any = str
) -> list[str]:
    """Return what each of two users gets."""
    site.app.add_url_rule(path, "view", call)  # type: ignore[arg-type]
    found = []
    for name in ("Ann", "Bob"):
        client = site.app.test_client()
        with client.session_transaction() as opened:
            opened["user"] = value(name)
        found.append(client.get(path).text)
    return found


DECORATORS: dict[str, Decorate] = {
    "view": lambda site: site.cache.cached(),
    "function": lambda site: site.cache.cached(key_prefix="all"),
    "memoize": lambda site: site.cache.memoize(),
}


@pytest.mark.parametrize("decorate", DECORATORS.values(), ids=DECORATORS)
def test_a_value_whose_key_lacks_what_was_read_is_not_stored(
    site: Site, decorate: Decorate
) -> None:
    function = decorate(site)(user)
    assert texts(site, function) == ["Hello Ann", "Hello Bob"]
    assert site.cache.stats().stored == 0


@pytest.mark.parametrize("decorate", DECORATORS.values(), ids=DECORATORS)
def test_a_strict_cache_names_the_function_and_what_it_read(
    site: Site, decorate: Decorate
) -> None:
    site.app.testing = True
    with pytest.raises(UncoveredReadError, match=TOLD):
        texts(site, decorate(site)(user))


def test_a_key_of_the_user_s_covers_what_it_reads(site: Site) -> None:
    function = site.cache.cached(key_prefix=who)(user)
    assert texts(site, function) == ["Hello Ann", "Hello Bob"]
    assert site.cache.stats().stored == 2


def test_a_key_of_the_user_s_covers_nothing_else(site: Site) -> None:
    function = site.cache.cached(key_prefix=lambda: request.host)(user)
    assert texts(site, function) == ["Hello Ann", "Hello Bob"]
    assert site.cache.stats().stored == 0


def test_a_key_that_tells_less_than_it_read_covers_nothing(site: Site) -> None:
    function = site.cache.cached(key_prefix=lambda: f"in-{bool(session['user'])}")(user)
    assert texts(site, function) == ["Hello Ann", "Hello Bob"]
    assert site.cache.stats().stored == 0


@pytest.mark.parametrize(
    ("key", "stored"),
    [
        # All values of `?tag=a` are in its key, and compared on each hit.
        ("request.args.tag", 1),
        ("request.args.getlist('tag')", 2),
        ("request.args.to_dict()", 0),
        ("request.args", 2),
    ],
)
def test_one_value_of_an_argument_does_not_cover_all(
    site: Site, key: str, stored: int
) -> None:
    body = "{{ request.args.getlist('tag')|join('+') }}"
    source = "{% cache 60, 'n', " + key + " %}" + body + "{% endcache %}"

    def shown(query: str) -> str:
        with site.app.test_request_context(f"/?{query}"):
            return render_template_string(source)

    assert [shown("tag=a"), shown("tag=a&tag=b")] == ["a", "a+b"]
    assert site.cache.stats().stored == stored


@pytest.mark.parametrize(
    "key",
    [
        lambda: _sha(f"{request.path}-{bool(session)}"),
        lambda: _sha(f"{request.path}-{len(session)}"),
        lambda: _sha(f"{request.path}-{'user' in session}"),
        lambda: _sha(f"{request.path}-{sorted(session)}"),
        lambda: _sha(f"{request.path}-{len(session['user'])}"),
    ],
)
def test_a_digest_of_a_part_covers_nothing(site: Site, key: Any) -> None:
    function = site.cache.cached(key_prefix=key)(user)
    shown = texts(site, function, value=lambda name: {"name": name})
    assert shown == ["Hello {'name': 'Ann'}", "Hello {'name': 'Bob'}"]
    assert site.cache.stats().stored == 0


def _sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def test_a_digest_of_what_was_read_covers_it(site: Site) -> None:
    function = site.cache.cached(key_prefix=lambda: _sha(session["user"]))(user)
    assert texts(site, function) == ["Hello Ann", "Hello Bob"]
    assert site.cache.stats().stored == 2


@pytest.mark.parametrize(
    ("value", "key"),
    [
        (lambda name: {"name": name}, lambda: f"in-{bool(session['user'])}"),
        (lambda name: {"name": name}, lambda: f"in-{len(session['user'])}"),
        (
            lambda name: {"name": name},
            lambda: f"in-{'user' in session and bool(session['user'])}",
        ),
        (lambda name: ["admin", name], lambda: f"in-{session['user'][0]}"),
        (lambda name: ["admin", name], lambda: f"in-{'admin' in session['user']}"),
    ],
)
def test_a_key_that_tells_a_part_of_an_object_does_not_cover_it(
    site: Site, value: Any, key: Any
) -> None:
    function = site.cache.cached(key_prefix=key)(user)
    shown = texts(site, function, value=value)
    assert shown == [f"Hello {value('Ann')}", f"Hello {value('Bob')}"]
    assert site.cache.stats().stored == 0


def test_a_key_with_all_of_a_list_covers_it(site: Site) -> None:
    function = site.cache.cached(key_prefix=lambda: "-".join(session["user"]))(user)
    texts(site, function, value=lambda name: ["admin", name])
    assert site.cache.stats().stored == 2


def test_an_argument_covers_what_gave_it(site: Site) -> None:
    @site.cache.memoize()
    def greeting(name: str) -> str:
        return f"Hello {session['user']}"

    assert texts(site, lambda: greeting(session["user"])) == ["Hello Ann", "Hello Bob"]
    assert site.cache.stats().stored == 2


@pytest.mark.parametrize("allow", [["session.user"], ["session"]])
def test_a_decorator_may_allow_it(site: Site, allow: list[str]) -> None:
    function = site.cache.cached(key_prefix="all", allow=allow)(user)
    assert texts(site, function) == ["Hello Ann", "Hello Ann"]


def test_an_allow_that_is_no_list_of_names_is_refused(site: Site) -> None:
    with pytest.raises(TypeError, match="allow is a list of names"):
        site.cache.cached(allow="session")


def test_the_path_and_the_query_are_covered_where_they_are_in_the_key() -> None:
    path = named_by_path(by_path=True, query_string=False)
    query = named_by_path(by_path=True, query_string=True)
    other = named_by_path(by_path=False, query_string=False)
    assert [each.names_it(Read("request.path")) for each in (path, query, other)] == [
        True,
        True,
        False,
    ]
    assert query.names_it(Read("request.args.page"))
    assert not path.names_it(Read("request.args.page"))


def test_the_cache_s_own_list_is_allowed_everywhere() -> None:
    site = Site(CACHE_GUARD_ALLOW=["g.theme"])
    with site.app.app_context():
        app_cache: Any = site.app.extensions["cache"][site.cache]._app_cache
        guard = CallGuard(app_cache.engine, user, Cover(), [7], ["session"], str)
        assert guard.cover().allowed == {"g.theme", "session"}
        assert guard.cover().values == {"7"}


@pytest.mark.parametrize(
    ("key", "covers"),
    [
        (lambda: str(sorted(request.args.items())), True),
        (lambda: request.full_path, True),
        (lambda: request.path + request.query_string.decode(), True),
        (lambda: str(len(request.args)), False),
        (lambda: str("page" in request.args), False),
    ],
)
def test_the_arguments_are_covered_if_all_of_them_are_in_the_key(
    site: Site, key: Any, covers: bool
) -> None:
    with site.app.test_request_context("/shop?page=two&b=x"), KeyReads() as reads:
        start_watching()
        cover = reads.cover(key())
    read = Read("request.args.page", frozenset({"two"}))
    assert cover.tells(read) == covers


def test_a_number_that_can_be_read_again_is_compared_again(site: Site) -> None:
    with site.app.test_request_context(), KeyReads() as reads:
        start_watching()
        session["user"] = 1
        key = f"v1-1-{bool(session['user'])}"
        cover = reads.cover(key)
    assert not cover.names_it(Read("session.user", frozenset({"1"})))
    assert "1" in cover.values


def show_roles(*_: object) -> str:
    return str(session["roles"])


def fragment_of_roles(value: str) -> Any:
    body = "{% cache 60, 'n', who %}{{ session.roles }}{% endcache %}"
    source = f"{{% set who = {value} %}}{body}"
    return lambda _: lambda: render_template_string(source)


def memoized_of_roles(value: Callable[[], object]) -> Any:
    def made(site: Site) -> Any:
        memoized: Any = site.cache.memoize()(show_roles)
        return lambda: memoized(value())

    return made


def view_of_roles(key: Callable[[], str]) -> Any:
    return lambda site: site.cache.cached(make_cache_key=key)(show_roles)


def shown_to(site: Site, call: Any, roles: list[Any]) -> list[str]:
    """Return what each of some users gets, who have these roles."""
    site.app.add_url_rule("/roles", "roles", call)
    found = []
    for each in roles:
        client = site.app.test_client()
        with client.session_transaction() as opened:
            opened["roles"] = each
        found.append(html.unescape(client.get("/roles").text))
    return found


WITH_ONE_ITEM = {
    "fragment": fragment_of_roles("session.roles[0]"),
    "view": view_of_roles(lambda: f"roles-{session['roles'][0]}"),
    "memoize": memoized_of_roles(lambda: session["roles"][0]),
}
WITH_ALL = {
    "fragment": fragment_of_roles("session.roles"),
    "view": view_of_roles(lambda: "roles-" + ",".join(map(str, session["roles"]))),
    "memoize": memoized_of_roles(lambda: session["roles"]),
}


@pytest.mark.parametrize("made", WITH_ONE_ITEM.values(), ids=WITH_ONE_ITEM)
@pytest.mark.parametrize(
    "roles",
    [
        [["admin", "x"], ["admin", "y"]],
        [["admin"], ["admin", "admin"]],
        [["admin", ["x"]], ["admin", ["y"]]],
        [["admin", {"a": 1}], ["admin", {"a": 2}]],
        [("admin", "x"), ("admin", "y")],
    ],
)
def test_a_key_with_one_item_of_a_list_does_not_cover_the_list(
    site: Site, made: Any, roles: list[Any]
) -> None:
    texts = shown_to(site, made(site), roles)
    assert texts == list(map(str, roles))


@pytest.mark.parametrize(
    "roles",
    [
        [{"n": 3, "theme": "dark"}, {"n": 3, "theme": "light"}],
        [{"a": {"b": ["x"]}}, {"a": {"b": ["y"]}}],
        [{"a": None}, {"a": True}],
        [[["x"]], [["y"]]],
        [{}, []],
    ],
)
def test_a_key_with_the_text_of_a_dictionary_covers_it(
    site: Site, roles: list[Any]
) -> None:
    call = view_of_roles(lambda: repr(["roles", session["roles"]]))(site)
    assert shown_to(site, call, [*roles, *roles]) == list(map(str, [*roles, *roles]))
    assert (site.cache.stats().stored, site.cache.stats().hits) == (2, 2)


def test_a_key_with_a_part_of_a_dictionary_s_text_does_not_cover_it(site: Site) -> None:
    roles = [{"a": "x", "b": 1}, {"a": "x", "b": 2}]
    call = view_of_roles(lambda: repr(["roles", {"a": session["roles"]["a"]}]))(site)
    assert shown_to(site, call, roles) == list(map(str, roles))
    assert site.cache.stats().stored == 0


@pytest.mark.parametrize(
    "body",
    [
        lambda: [*session.items(), *request.args.lists()],
        lambda: [dict(session), request.args.to_dict(flat=False)],
        lambda: [session["user"], request.args.getlist("q")],
        lambda: [session["user"], request.query_string],
    ],
)
def test_all_of_a_mapping_is_an_argument_that_covers_it(
    site: Site, body: Callable[[], Any]
) -> None:
    @site.cache.memoize()
    def shown(*_: object) -> str:
        return str(body())

    def ask(user: str, query: str) -> str:
        with site.app.test_request_context(f"/?{query}"):
            session["user"] = user
            return shown(dict(session), request.args.to_dict(flat=False))

    visits = [("Ann", "q=1"), ("Bob", "q=1"), ("Ann", "q=1&q=2"), ("Ann", "q=2")]
    texts = [ask(*each) for each in visits]
    assert len(set(texts)) == len(visits)
    assert [ask(*each) for each in visits] == texts
    assert (site.cache.stats().stored, site.cache.stats().hits) == (4, 4)


@pytest.mark.parametrize("made", WITH_ALL.values(), ids=WITH_ALL)
def test_a_key_with_the_whole_list_covers_it(site: Site, made: Any) -> None:
    roles = [["admin", "x"], ["admin", "y"]]
    call = made(site)
    assert shown_to(site, call, [*roles, *roles]) == list(map(str, [*roles, *roles]))
    assert site.cache.stats().stored == 2
    assert site.cache.stats().hits == 2
