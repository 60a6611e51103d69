"""The keys of views."""

import functools
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from flask import Blueprint, Flask, request
from hypothesis import assume, example, given
from hypothesis import strategies as st
from werkzeug.datastructures import MultiDict
from werkzeug.test import EnvironBuilder

from jinja_fragcache import KeyValueError
from jinja_fragcache.flask.view_keys import ViewKeys
from jinja_fragcache.functions.keys import CallKey

BY_PATH = "view/%s"


class Site:
    """An application, to compute the keys of its requests inside of them."""

    def __init__(self, app: Flask | None = None) -> None:
        self.app = app or Flask(__name__)

    def asked(self, keys: ViewKeys, *args: Any, **kwargs: Any) -> str:
        """Return the key that a request has."""
        with self.app.test_request_context(*args, **kwargs):
            return keys.of_call((), {}).key


def one(a: Any, b: Any = None) -> None:
    pass


def view_keys(
    function: Callable[..., Any] = one, *, prefix: Any = BY_PATH, query: bool = False
) -> ViewKeys:
    return ViewKeys(function, prefix, query_string=query)


def test_the_key_of_a_request_is_its_path() -> None:
    site = Site()
    assert site.asked(view_keys(), "/a/b") == "view//a/b"
    assert site.asked(view_keys(), "/a/b?c=d") == "view//a/b"
    assert site.asked(view_keys(), "/%20%2F%C3%BC") == "view// /\u00fc"
    assert site.asked(view_keys(prefix="%s:%s"), "/%25s") == "/%s:/%s"
    assert site.asked(view_keys(prefix="all"), "/a/b") == "all"
    assert site.asked(view_keys(prefix="100%"), "/a/b") == "100%"


def test_only_a_prefix_with_a_placeholder_is_by_path() -> None:
    assert view_keys().by_path
    assert not view_keys(prefix="all").by_path
    assert not view_keys(prefix=lambda: "%s").by_path


def test_a_key_prefix_may_be_a_function() -> None:
    site = Site()
    keys = view_keys(prefix=lambda: f"%s for {request.args['user']}")
    assert site.asked(keys, "/a?user=ann") == "%s for ann"
    keys = view_keys(prefix=lambda: "all")
    assert keys() == keys.of_call((), {}).key == "all"


def test_a_key_without_a_request_is_the_prefix() -> None:
    keys = view_keys(prefix="all")
    assert keys.of_call((), {}) == CallKey("all")
    assert keys() == keys(path="/a") == "all"


@pytest.mark.parametrize(("prefix", "query"), [(BY_PATH, False), ("all", True)])
def test_a_key_made_of_a_request_needs_one(prefix: str, query: bool) -> None:
    keys = view_keys(prefix=prefix, query=query)
    message = r"\.one\(\) is made of the request.*@cache.cached\(key_prefix=\"one\"\)"
    with pytest.raises(KeyValueError, match=message):
        keys.of_call((), {})


@pytest.mark.parametrize("made", [None, 5, b"key", ["key"]])
def test_a_key_must_be_a_string(made: Any) -> None:
    with pytest.raises(KeyValueError, match="What make_cache_key gives has to be a"):
        ViewKeys(one, "x", query_string=False).of_custom_key(lambda _: made, (1,), {})
    with pytest.raises(KeyValueError, match="key_prefix has to be a text"):
        ViewKeys(one, made, query_string=False)
    keys = ViewKeys(one, lambda: made, query_string=False)
    with pytest.raises(KeyValueError, match="What key_prefix gives has to be a text"):
        keys.of_call((), {})


# The query string.


pairs = st.lists(
    st.tuples(st.sampled_from(["a", "b", "\u00fc", ""]), st.text(max_size=3)),
    max_size=4,
)


def meaning(arguments: list[tuple[str, str]]) -> Any:
    """Return what a view sees of a query string: a list of values for each name."""
    return dict(MultiDict(arguments).lists())


@given(pairs, pairs)
@example([("a", "1"), ("a", "2")], [("a", "2"), ("a", "1")])
@example([("a", "1"), ("b", "2")], [("b", "2"), ("a", "1")])
@example([("a", "")], [])
@example([("a", "a")], [("a", "a"), ("a", "a")])
@example([("a", "b"), ("a", "c")], [("a", "bc")])
def test_queries_that_mean_the_same_have_one_key(
    one: list[tuple[str, str]], other: list[tuple[str, str]]
) -> None:
    site, keys = Site(), view_keys(query=True)
    same = meaning(one) == meaning(other)
    first = site.asked(keys, f"/?{urlencode(one)}")
    second = site.asked(keys, f"/?{urlencode(other)}")
    assert (first == second) == same


@given(pairs)
def test_query_args_may_have_any_form(
    arguments: list[tuple[str, str]],
) -> None:
    site, keys = Site(), view_keys(query=True)
    query = urlencode(arguments)
    key = site.asked(keys, f"/a?{query}")
    lists = meaning(arguments)
    forms = [
        query,
        f"?{query}",
        arguments,
        iter(arguments),
        MultiDict(arguments),
        lists,
    ]
    for query_args in forms:
        assert keys(path="/a", query_args=query_args) == key


@pytest.mark.parametrize(
    "query",
    [
        "",
        "a",
        "a=",
        "&&a=1",
        "a=1;b=2",
        "a=%ff",
        "a=+%2B",
        "a=\u00fc",
        "%FC=1",
        "a==&=",
    ],
)
def test_a_query_string_is_parsed_as_in_a_request(query: str) -> None:
    keys = view_keys(query=True)
    key = Site().asked(keys, "/a", query_string=query)
    assert keys(path="/a", query_args=query) == key


def test_query_args_count_by_their_strings() -> None:
    keys = view_keys(query=True)
    key = Site().asked(keys, "/a?limit=5&x=1.5&on=True")
    assert keys(path="/a", query_args={"limit": 5, "x": 1.5, "on": True}) == key


def test_a_missing_query_equals_an_empty_one() -> None:
    keys = view_keys(query=True)
    assert keys(path="/a") == Site().asked(keys, "/a") == Site().asked(keys, "/a?")
    assert keys(path="/a") != keys(path="/b")
    assert re.fullmatch("query:view//a:[0-9a-f]{64}", keys(path="/a"))


def test_the_query_is_not_in_the_key_by_default() -> None:
    assert view_keys()(path="/a", query_args="b=1") == "view//a"


def test_the_query_may_be_combined_with_any_prefix() -> None:
    keys = view_keys(prefix="all", query=True)
    site = Site()
    assert site.asked(keys, "/a?b=1") == site.asked(keys, "/c?b=1")
    assert site.asked(keys, "/a?b=1") != site.asked(keys, "/a?b=2")
    assert keys(query_args="b=1") == site.asked(keys, "/a?b=1")


# The path of a view, from its arguments.


def works(category: str, page: int = 1) -> str:
    return f"{category} {page}"


@contextmanager
def site_with(
    rule: str, blueprint: str | None = None, root: str = "/", **options: Any
) -> Iterator[Site]:
    """Yield an application that has the view `works` at a rule."""
    app = Flask(__name__)
    app.config["APPLICATION_ROOT"] = root
    home: Any = Blueprint("shop", __name__, url_prefix=blueprint) if blueprint else app
    home.add_url_rule(rule, view_func=works, **options)
    if blueprint:
        app.register_blueprint(home)
    with app.app_context():
        yield Site(app)


segments = st.text(
    st.characters(codec="utf-8", exclude_characters="/", exclude_categories=["Cs"]),
    min_size=1,
).filter(lambda text: text not in {".", ".."})


@given(
    segments,
    st.integers(0, 99),
    st.sampled_from([None, "/shop", "/sh\u00f6p/%20x"]),
    st.sampled_from(["/", "/mounted", "/m/x y"]),
)
@example("a b", 1, None, "/")
@example("a%20b", 1, "/shop", "/mounted")
@example("a?b#c;d", 1, None, "/")
@example("\u00fc", 1, None, "/")
@example(" ", 1, None, "/")
@example("%2F", 1, None, "/")
def test_the_key_from_a_views_arguments_is_the_key_of_its_request(
    category: str, page: int, blueprint: str | None, root: str
) -> None:
    keys = view_keys(works)
    with site_with("/works/<category>/<int:page>", blueprint, root) as site:
        path = f"{blueprint or ''}/works/{category}/{page}"
        environ = EnvironBuilder("/", f"http://localhost{quote(root)}").get_environ()
        environ["PATH_INFO"] = path.encode().decode("latin-1")
        with site.app.request_context(environ):
            # Some characters can't be part of a path.
            assume(request.url_rule is not None)
            assert request.view_args == {"category": category, "page": page}
            key = keys.of_call((), {}).key
        assert key == f"view/{request_path(path)}"
        assert keys(category, page) == key
        assert keys(category=category, page=page) == key
        assert keys(path=request_path(path)) == key


def request_path(path: str) -> str:
    return "/" + path.lstrip("/")


@pytest.mark.parametrize(
    ("rule", "args", "kwargs", "path"),
    [
        ("/<category>", ("a",), {}, "/a"),
        ("/<category>/", ("a",), {}, "/a/"),
        ("/<path:category>", ("a/b c",), {}, "/a/b c"),
        ("/<category>", ("a",), {"page": 5}, "/a"),
        ("/<category>/<int(fixed_digits=3):page>", ("a", 5), {}, "/a/005"),
        ("/<category>/<float:page>", ("a",), {"page": 1.5}, "/a/1.5"),
    ],
)
def test_the_path_is_built_from_the_views_rule(
    rule: str, args: Any, kwargs: Any, path: str
) -> None:
    keys = view_keys(works)
    with site_with(rule) as site:
        assert keys(*args, **kwargs) == f"view/{path}" == site.asked(keys, path)


def test_a_default_of_the_rule_counts_as_an_argument() -> None:
    keys = view_keys(works)
    with site_with("/<category>", defaults={"page": 2}):
        assert keys("a", 2) == keys("a") == "view//a"


@pytest.mark.parametrize("name", ["localhost", "shop.example:8080"])
def test_the_name_of_the_server_is_not_in_the_path(name: str) -> None:
    keys = view_keys(works)
    with site_with("/<category>") as site:
        site.app.config["SERVER_NAME"] = name
        assert keys("a") == site.asked(keys, "/a") == "view//a"


def test_a_view_of_another_host_has_a_path() -> None:
    app = Flask(__name__, host_matching=True, static_host="static.example")
    app.add_url_rule("/<category>", host="shop.example", view_func=works)
    keys = view_keys(works)
    with app.app_context():
        key = keys("a b")
        assert keys(path="/a b") == key
    asked = functools.partial(Site(app).asked, keys, "/a b")
    assert asked(base_url="http://shop.example") == key


def test_one_path_on_two_hosts_is_two_keys() -> None:
    app = Flask(__name__, host_matching=True, static_host="static.example")
    app.add_url_rule("/<category>", host="<name>.example", view_func=works)
    keys = view_keys(works)
    asked = functools.partial(Site(app).asked, keys, "/a")
    ann, bob = (asked(base_url=f"http://{name}.example") for name in ("ann", "bob"))
    assert ann != bob
    with app.app_context():
        assert keys(category="a", name="ann") == ann
        with pytest.raises(KeyValueError, match="does not tell the host"):
            keys(path="/a")


def test_a_view_of_a_subdomain_has_a_path() -> None:
    app = Flask(__name__, subdomain_matching=True)
    app.config["SERVER_NAME"] = "example.com"
    app.add_url_rule("/<category>", subdomain="shop", view_func=works)
    keys = view_keys(works)
    with app.app_context():
        key = keys("a")
        assert keys(path="/a") == key
    asked = functools.partial(Site(app).asked, keys, "/a")
    assert asked(base_url="http://shop.example.com") == key
    assert asked(base_url="http://other.example.com") != key


def test_a_path_can_be_built_inside_another_request() -> None:
    keys = view_keys(works)
    with site_with("/works/<category>") as site:
        url = "http://localhost/mounted"
        with site.app.test_request_context("/other?b=1", base_url=url):
            assert keys("a") == "view//works/a"


def test_the_endpoint_of_a_wrapped_view_is_found() -> None:
    @functools.wraps(works)
    def wrapper(*args: Any, **kwargs: Any) -> str:
        return works(*args, **kwargs)

    with site_with("/<category>"):
        assert view_keys(wrapper)("a") == "view//a"
    app = Flask(__name__)
    app.add_url_rule("/<category>", view_func=wrapper)
    with app.app_context():
        assert view_keys(works)("a") == "view//a"


WRITE_INSTEAD = r'make_cache_key\(path="/\.\.\."\) or delete_cached\(\S+\.works, "/'


def test_a_view_with_several_endpoints_needs_the_path() -> None:
    keys = view_keys(works)
    with site_with("/<category>") as site:
        site.app.add_url_rule("/old/<category>", endpoint="old", view_func=works)
        message = r"works\(\) is not known: .* has works, old\. .*" + WRITE_INSTEAD
        with pytest.raises(KeyValueError, match=message):
            keys("a")
        assert keys(path="/old/a") == site.asked(keys, "/old/a")


def test_a_function_that_is_no_view_needs_the_path() -> None:
    keys = view_keys(works)
    message = r"works\(\) is not known: .* has none\. .*" + WRITE_INSTEAD
    with pytest.raises(KeyValueError, match=message):
        keys("a")
    with Flask(__name__).app_context(), pytest.raises(KeyValueError, match=message):
        keys("a")


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [((), {}), ((), {"page": 1}), (("a", "x"), {}), (("a", [1]), {})],
)
def test_a_view_without_the_arguments_of_its_rule_needs_the_path(
    args: Any, kwargs: Any
) -> None:
    keys = view_keys(works)
    message = r"works\(\) can't be made of \{.*\}\. .*" + WRITE_INSTEAD
    with (
        site_with("/<category>/<int:page>"),
        pytest.raises(KeyValueError, match=message),
    ):
        keys(*args, **kwargs)


def test_a_key_without_the_path_ignores_the_arguments() -> None:
    assert view_keys(works, prefix="all")("a", page=5) == "all"
