import functools
import inspect
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

from jinja_fragcache.errors import KeyValueError
from jinja_fragcache.flask.keys import (
    ArgumentKeys,
    CallKey,
    ViewKeys,
    WrongCallError,
    check_key,
    full_name,
)


def keys_for(
    function: Callable[..., Any],
    make_name: Callable[[str], str] | None = None,
    args_to_ignore: Any = (),
) -> ArgumentKeys:
    return ArgumentKeys(function, make_name, args_to_ignore)


Kind = inspect._ParameterKind

# Calls of functions.


def every(
    a: Any, /, b: Any, c: Any = 3, *rest: Any, d: Any, e: Any = 5, **more: Any
) -> None:
    """One parameter of each kind."""


@st.composite
def signatures(draw: st.DrawFn) -> inspect.Signature:
    """Draw up to two parameters of each kind, and which of them have defaults."""
    parameters: list[inspect.Parameter] = []
    number = st.integers(0, 2)
    has_default = False
    for kind in (Kind.POSITIONAL_ONLY, Kind.POSITIONAL_OR_KEYWORD, Kind.KEYWORD_ONLY):
        for _ in range(draw(number)):
            # Behind one with a default, those by position have one.
            must = has_default and kind is not Kind.KEYWORD_ONLY
            has_default = must or draw(st.booleans())
            name = f"p{len(parameters)}"
            default = f"default {name}" if has_default else inspect.Parameter.empty
            parameters.append(inspect.Parameter(name, kind, default=default))
    for kind, name in [(Kind.VAR_POSITIONAL, "rest"), (Kind.VAR_KEYWORD, "more")]:
        if draw(st.booleans()):
            parameters.append(inspect.Parameter(name, kind))
    return inspect.Signature(sorted(parameters, key=lambda each: each.kind))


def function_of(signature: inspect.Signature) -> Callable[..., Any]:
    def function(*args: Any, **kwargs: Any) -> Any:
        """Stand for a function of this signature."""

    function.__signature__ = signature  # type: ignore[attr-defined]
    return function


arguments = st.integers(0, 2) | st.sampled_from(["0", "default p1", 0.0, True, None])


def values_for(draw: st.DrawFn, signature: inspect.Signature) -> dict[str, Any]:
    """Draw what each parameter comes to in the end."""
    values: dict[str, Any] = {}
    for name, parameter in signature.parameters.items():
        if parameter.kind is Kind.VAR_POSITIONAL:
            values[name] = tuple(draw(st.lists(arguments, max_size=2)))
        elif parameter.kind is Kind.VAR_KEYWORD:
            names = st.sampled_from(["x", "y", "z"])
            values[name] = draw(st.dictionaries(names, arguments, max_size=2))
        else:
            usual = st.just(parameter.default)
            has_default = parameter.default is not inspect.Parameter.empty
            values[name] = draw(usual | arguments if has_default else arguments)
    _fill_up(signature, values)
    return values


def _fill_up(signature: inspect.Signature, values: dict[str, Any]) -> None:
    """Give those by position only no default, in front of one that is given."""
    given = False
    for name, each in reversed(list(signature.parameters.items())):
        if each.kind is Kind.POSITIONAL_ONLY:
            if given and values[name] is each.default:
                values[name] = "given"
            given = given or values[name] is not each.default


def written(
    draw: st.DrawFn, signature: inspect.Signature, values: dict[str, Any]
) -> tuple[list[Any], dict[str, Any]]:
    """Write a call that gives each parameter its value, in one of the ways."""
    args: list[Any] = []
    kwargs: list[tuple[str, Any]] = []
    by_position = True
    rest = values.get("rest")
    for name, parameter in signature.parameters.items():
        kind, value = parameter.kind, values[name]
        usual = value is parameter.default
        if kind is Kind.VAR_POSITIONAL:
            args += value
            continue
        if kind is Kind.VAR_KEYWORD:
            kwargs += value.items()
            continue
        needed = kind is Kind.POSITIONAL_ONLY and not usual
        if kind is Kind.KEYWORD_ONLY or not by_position:
            by_position = False
        else:
            by_position = bool(rest) or needed or draw(st.booleans())
        if by_position:
            args.append(value)
        elif kind is not Kind.POSITIONAL_ONLY and (not usual or draw(st.booleans())):
            kwargs.append((name, value))
    return args, dict(draw(st.permutations(kwargs)))


@st.composite
def calls(draw: st.DrawFn) -> tuple[inspect.Signature, list[Any]]:
    """Draw a signature, and twice what its parameters come to and two ways to call."""
    signature = draw(signatures())
    drawn = []
    for _ in range(2):
        values = values_for(draw, signature)
        ways = [written(draw, signature, values) for _ in range(2)]
        drawn.append((values, ways))
    return signature, drawn


def typed(values: dict[str, Any]) -> str:
    """Show values so that those of different types differ, and orders don't."""
    return repr(
        [
            sorted(value.items()) if isinstance(value, dict) else value
            for value in values.values()
        ]
    )


@given(calls())
def test_a_call_has_one_key_however_it_is_written(
    drawn: tuple[inspect.Signature, list[Any]],
) -> None:
    signature, (one, other) = drawn
    keys = keys_for(function_of(signature))
    seen = []
    for values, ways in (one, other):
        made = {keys(*args, **kwargs) for args, kwargs in ways}
        assert len(made) == 1
        seen.append((typed(values), made.pop()))
    assert (seen[0][0] == seen[1][0]) == (seen[0][1] == seen[1][1])


def test_a_call_of_every_kind_of_parameter() -> None:
    keys = keys_for(every)
    same = [
        keys(1, 2, d=4),
        keys(1, b=2, d=4),
        keys(1, 2, 3, d=4),
        keys(1, d=4, b=2, c=3, e=5),
        keys(every, 1, 2, d=4),
    ]
    assert len(set(same)) == 1
    others = [
        keys(1, 2, 3, 4, d=4),
        keys(1, 2, 3, d=4, a=1),
        keys(1, 2, 3, d=4, f=1),
        keys(1, 2, 3, d=4, f="1"),
        keys(1, 2, 3, d=4, g=1),
        keys(1, 2, 3, (), d=4),
        keys(1, 2, 3, None, d=4),
        keys(1, 2, 3, d=5, e=4),
        keys(2, 1, d=4),
        keys("1", 2, d=4),
        keys(1.0, 2, d=4),
        keys(True, 2, d=4),  # noqa: FBT003 - an argument, no flag
    ]
    assert len({*others, same[0]}) == len(others) + 1
    assert keys(1, 2, 3, 4, 5, d=4, x=1, y=2) == keys(1, 2, 3, 4, 5, y=2, x=1, d=4)
    assert keys(1, 2, 3, 4, 5, d=4) != keys(1, 2, 3, 5, 4, d=4)


@pytest.mark.parametrize(
    ("args", "kwargs"), [((), {}), ((1, 2), {}), ((1,), {"a": 1, "b": 2})]
)
def test_a_call_that_can_not_be_made_has_no_key(args: Any, kwargs: Any) -> None:
    keys = keys_for(every)
    with pytest.raises(WrongCallError, match=r"every\(\): .*'[abd]'"):
        keys.of_call(args, kwargs)
    with pytest.raises(TypeError):
        keys(*args, **kwargs)


def test_an_argument_that_tells_nothing_of_itself_has_no_key() -> None:
    with pytest.raises(KeyValueError, match="only by its address"):
        keys_for(every)(object(), 2, d=4)


def one(a: Any, b: Any = None) -> None:
    pass


def other(a: Any, b: Any = None) -> None:
    pass


def test_two_functions_share_no_key() -> None:
    assert keys_for(one)(1) != keys_for(other)(1)
    assert keys_for(one).tag_of() != keys_for(other).tag_of()


@given(st.text(st.characters(codec=None)), st.text() | st.integers())
@example("", "")
@example("x" * 1000, "x" * 1000)
@example("view \n\u20ac\x7f", 1)
def test_a_key_is_one_that_every_server_takes(name: str, argument: Any) -> None:
    key = keys_for(one, lambda _: name)(argument)
    assert re.fullmatch("memoize:[!-~]{0,80}:[0-9a-f]{64}", key)
    assert len(key) <= 200


def test_a_key_can_be_read_by_people() -> None:
    key = keys_for(one)(1)
    name = full_name(one)
    assert key.startswith(f"memoize:{name[:80]}:")


@given(st.text(), st.text())
def test_other_names_are_other_functions(name: str, another: str) -> None:
    keys, others = keys_for(one, lambda _: name), keys_for(other, lambda _: another)
    assert (keys(1) == others(1)) == (name == another)


def test_make_name_is_given_the_name_and_those_of_one_name_share() -> None:
    keys = keys_for(one, lambda name: name.replace("one", "uno"))
    assert keys(1) != keys_for(one)(1)
    renamed = keys_for(other, lambda _: full_name(one).replace("one", "uno"))
    assert keys(1) == renamed(1)
    assert keys.tag_of() == renamed.tag_of() != keys_for(one).tag_of()
    assert keys_for(one).tag_of() == f"memoize:{full_name(one)}"
    with pytest.raises(KeyValueError, match=r"What make_name gives .* None"):
        keys_for(one, lambda _: None)  # type: ignore[arg-type,return-value]


def test_arguments_to_ignore_are_not_in_the_key() -> None:
    keys = keys_for(every, args_to_ignore=["a", "d"])
    assert keys(1, 2, d=4) == keys(5, 2, d=object())
    assert keys(1, 2, d=4) != keys(1, 3, d=4)
    assert keys(1, 2, d=4) != keys_for(every)(1, 2, d=4)
    keys = keys_for(every, args_to_ignore=("rest", "more"))
    assert keys(1, 2, 3, 4, d=4, x=1) == keys(1, 2, d=4)
    everything = keys_for(one, args_to_ignore={"a", "b"})
    assert everything(1, 2) == everything(object())


@pytest.mark.parametrize("names", [["x"], ["a", "y", "x"], "ax", ["x", "A"]])
def test_a_parameter_to_ignore_has_to_be_one(names: Any) -> None:
    told = r"args_to_ignore names .*\bx.*one\(\) has the parameters a, b\."
    with pytest.raises(ValueError, match=told):
        keys_for(one, args_to_ignore=names)
    told = "^args_to_ignore names x, y, z, and"
    with pytest.raises(ValueError, match=told):
        keys_for(one, args_to_ignore=["z", "y", "a", "x"])
    told = r"has the parameters \(none\)\."
    with pytest.raises(ValueError, match=told):
        keys_for(lambda: None, args_to_ignore=["x"])


# Functions that are made in other functions.


def adder(number: Any, also: Any = None) -> Callable[[Any], Any]:
    def add(to: Any) -> Any:
        return to, number, also

    return add


def test_functions_differ_by_what_they_took_from_around() -> None:
    made = [adder(1), adder(2), adder("1"), adder(None), adder(1.0), adder(1, 1)]
    assert len({keys_for(function)(5) for function in made}) == len(made)
    assert keys_for(adder(1))(5) == keys_for(adder(1))(5)
    assert len({keys_for(function).tag_of() for function in made}) == 1


def test_what_they_took_keeps_its_place() -> None:
    app = Flask(__name__)
    assert keys_for(adder(app, 1))(5) != keys_for(adder(1, app))(5)
    assert keys_for(adder(app, app))(5) == keys_for(adder(Flask("x"), Flask("y")))(5)
    assert keys_for(adder(app))(1) != keys_for(adder(1))(app.name)


def test_what_is_not_assigned_yet_is_no_error() -> None:
    def make() -> tuple[str, str]:
        def function(to: Any) -> Any:
            return to, later

        keys = keys_for(function)
        before = keys(1)
        later = 5
        return before, keys(1)

    before, after = make()
    assert before != after


def test_what_a_function_writes_around_it_is_no_argument() -> None:
    calls = 0

    def function(to: Any) -> Any:
        nonlocal calls
        calls += 1
        return to

    keys = keys_for(function)
    before = keys(1)
    function(1)
    assert calls == 1
    assert keys(1) == before


def test_nor_is_what_it_deletes() -> None:
    last = 5

    def function(to: Any) -> Any:
        nonlocal last
        del last
        return to

    keys = keys_for(function)
    before = keys(1)
    function(1)
    assert keys(1) == before


def test_a_function_that_others_have_wrapped_is_known_by_itself() -> None:
    def logged(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            return function(*args, **kwargs)

        return wrapper

    one, two = logged(adder(1)), logged(adder(2))
    assert keys_for(one)(5) != keys_for(two)(5)
    assert keys_for(one)(5) == keys_for(adder(1))(5) == keys_for(one)(to=5)


def test_what_is_no_plain_function_has_no_surroundings() -> None:
    keys = keys_for(len)
    assert keys([1]) == keys([1])
    assert keys([1]) != keys([2])


# Methods.


class User:
    def __init__(self, number: int) -> None:
        self.number = number

    def __cache_key__(self) -> int:
        return self.number

    def posts(self, page: int = 1) -> None:
        pass

    @classmethod
    def find(cls, page: int = 1) -> None:
        pass


def test_the_calls_of_a_method_have_the_tag_of_their_object() -> None:
    keys = keys_for(User.posts)
    key, tags = keys.of_call((User(1),), {"page": 1})
    assert key == keys(User(1))
    assert tags == (keys.tag_of(), keys.tag_of(User(1)))
    assert tags == keys.of_call((User(1), 2), {}).tags
    assert keys.of_call((), {"self": User(1)}) == CallKey(key, tags)
    assert keys(User(1)) != keys(User(2))
    assert keys.tag_of(User(1)) != keys.tag_of(User(2))


def test_so_have_those_of_a_class_method() -> None:
    keys = keys_for(User.find.__func__)  # type: ignore[attr-defined]
    _, tags = keys.of_call((User,), {})
    assert tags == (keys.tag_of(), keys.tag_of(User))
    assert keys(User) != keys(CallKey)


def test_a_function_has_one_tag() -> None:
    keys = keys_for(one)
    assert keys.of_call((1,), {}).tags == (keys.tag_of(),)
    assert keys.tag_of(1, 2) == keys.tag_of()
    assert keys_for(lambda: None).of_call((), {}).tags


def test_a_method_whose_object_does_not_count_has_one_tag() -> None:
    keys = keys_for(User.posts, args_to_ignore=["self"])
    assert keys.of_call((User(1),), {}).tags == (keys.tag_of(),)
    assert keys.tag_of(User(1)) == keys.tag_of()
    assert keys(User(1)) == keys(User(2))


def test_no_object_has_the_tag_of_another_method() -> None:
    def method(self: Any) -> None:
        pass

    def methodn(self: Any) -> None:
        pass

    assert keys_for(method).tag_of(None) != keys_for(methodn).tag_of()


# Keys that users' code makes.


def test_a_key_that_users_make() -> None:
    keys = keys_for(User.posts)
    given: list[Any] = []

    def make(*args: Any, **kwargs: Any) -> str:
        given.append((args, kwargs))
        return "their key"

    user = User(1)
    made = keys.of_custom_key(make, (user,), {"page": 2})
    assert made == CallKey("their key", keys.of_call((user,), {}).tags)
    assert given == [((User.posts, user), {"page": 2})]


def test_a_key_that_users_make_needs_no_arguments_that_tell_what_they_are() -> None:
    keys = keys_for(one)
    made = keys.of_custom_key(lambda _, a: f"{type(a)}", (object(),), {})
    assert made == CallKey(str(object), (keys.tag_of(),))


@pytest.mark.parametrize("made", [None, 5, b"key", ["key"]])
def test_a_key_that_is_no_text_is_refused(made: Any) -> None:
    with pytest.raises(KeyValueError, match="What make_cache_key gives has to be a"):
        keys_for(one).of_custom_key(lambda *_: made, (1,), {})
    with pytest.raises(KeyValueError, match="What make_cache_key gives has to be a"):
        ViewKeys(one, "x", query_string=False).of_custom_key(lambda _: made, (1,), {})
    with pytest.raises(KeyValueError, match="key_prefix has to be a text"):
        ViewKeys(one, made, query_string=False)
    keys = ViewKeys(one, lambda: made, query_string=False)
    with pytest.raises(KeyValueError, match="What key_prefix gives has to be a text"):
        keys.of_call((), {})


# Views.

BY_PATH = "view/%s"


class Site:
    """An application, and the keys of its requests as the views see them."""

    def __init__(self, app: Flask | None = None) -> None:
        self.app = app or Flask(__name__)

    def asked(self, keys: ViewKeys, *args: Any, **kwargs: Any) -> str:
        """Give the key that a request has."""
        with self.app.test_request_context(*args, **kwargs):
            return keys.of_call((), {}).key


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


def test_only_a_prefix_with_a_place_for_the_path_is_by_path() -> None:
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
def test_a_key_made_of_a_request_needs_one(prefix: str, query: bool) -> None:  # noqa: FBT001 - by name
    keys = view_keys(prefix=prefix, query=query)
    told = r"\.one\(\) is made of the request.*@cache.cached\(key_prefix=\"one\"\)"
    with pytest.raises(KeyValueError, match=told):
        keys.of_call((), {})


pairs = st.lists(
    st.tuples(st.sampled_from(["a", "b", "\u00fc", ""]), st.text(max_size=3)),
    max_size=4,
)


def meaning(arguments: list[tuple[str, str]]) -> Any:
    """Show what a view sees of a query string: lists of values, under names."""
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
def test_the_arguments_of_a_query_are_given_in_any_form(
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
def test_a_query_string_is_read_as_that_of_a_request(query: str) -> None:
    keys = view_keys(query=True)
    key = Site().asked(keys, "/a", query_string=query)
    assert keys(path="/a", query_args=query) == key


def test_arguments_that_are_no_texts_count_as_theirs() -> None:
    keys = view_keys(query=True)
    key = Site().asked(keys, "/a?limit=5&x=1.5&on=True")
    assert keys(path="/a", query_args={"limit": 5, "x": 1.5, "on": True}) == key


def test_no_query_is_an_empty_one() -> None:
    keys = view_keys(query=True)
    assert keys(path="/a") == Site().asked(keys, "/a") == Site().asked(keys, "/a?")
    assert keys(path="/a") != keys(path="/b")
    assert re.fullmatch("query:view//a:[0-9a-f]{64}", keys(path="/a"))


def test_a_query_that_does_not_count_is_not_in_the_key() -> None:
    assert view_keys()(path="/a", query_args="b=1") == "view//a"


def test_a_query_counts_beside_any_prefix() -> None:
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
    """Give an application in which `works` stands at a rule."""
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
def test_the_key_made_of_a_views_arguments_is_that_of_its_request(
    category: str, page: int, blueprint: str | None, root: str
) -> None:
    keys = view_keys(works)
    with site_with("/works/<category>/<int:page>", blueprint, root) as site:
        path = f"{blueprint or ''}/works/{category}/{page}"
        environ = EnvironBuilder("/", f"http://localhost{quote(root)}").get_environ()
        environ["PATH_INFO"] = path.encode().decode("latin-1")
        with site.app.request_context(environ):
            # Not every text can stand in a path.
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
def test_the_path_of_a_view_is_that_of_its_rule(
    rule: str, args: Any, kwargs: Any, path: str
) -> None:
    keys = view_keys(works)
    with site_with(rule) as site:
        assert keys(*args, **kwargs) == f"view/{path}" == site.asked(keys, path)


def test_a_default_in_the_rule_is_an_argument() -> None:
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
        assert keys("a b") == "view//a b"
    assert Site(app).asked(keys, "/a b", base_url="http://shop.example") == "view//a b"


def test_a_view_of_a_subdomain_has_a_path() -> None:
    app = Flask(__name__, subdomain_matching=True)
    app.config["SERVER_NAME"] = "example.com"
    app.add_url_rule("/<category>", subdomain="shop", view_func=works)
    keys = view_keys(works)
    with app.app_context():
        assert keys("a") == "view//a"
    assert Site(app).asked(keys, "/a", base_url="http://shop.example.com") == "view//a"


def test_a_path_is_known_inside_of_another_request() -> None:
    keys = view_keys(works)
    with site_with("/works/<category>") as site:
        url = "http://localhost/mounted"
        with site.app.test_request_context("/other?b=1", base_url=url):
            assert keys("a") == "view//works/a"


def test_a_view_that_others_have_wrapped_is_found() -> None:
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


def test_a_view_of_several_endpoints_has_to_be_given_the_path() -> None:
    keys = view_keys(works)
    with site_with("/<category>") as site:
        site.app.add_url_rule("/old/<category>", endpoint="old", view_func=works)
        told = r"works\(\) is not known: .* has works, old\. .*" + WRITE_INSTEAD
        with pytest.raises(KeyValueError, match=told):
            keys("a")
        assert keys(path="/old/a") == site.asked(keys, "/old/a")


def test_so_has_a_function_that_is_no_view() -> None:
    keys = view_keys(works)
    told = r"works\(\) is not known: .* has none\. .*" + WRITE_INSTEAD
    with pytest.raises(KeyValueError, match=told):
        keys("a")
    with Flask(__name__).app_context(), pytest.raises(KeyValueError, match=told):
        keys("a")


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [((), {}), ((), {"page": 1}), (("a", "x"), {}), (("a", [1]), {})],
)
def test_so_has_a_view_without_the_arguments_of_its_rule(
    args: Any, kwargs: Any
) -> None:
    keys = view_keys(works)
    told = r"works\(\) can't be made of \{.*\}\. .*" + WRITE_INSTEAD
    with (
        site_with("/<category>/<int:page>"),
        pytest.raises(KeyValueError, match=told),
    ):
        keys(*args, **kwargs)


def test_a_key_that_is_not_by_path_needs_no_arguments() -> None:
    assert view_keys(works, prefix="all")("a", page=5) == "all"


def test_a_text_is_a_key() -> None:
    assert check_key("any \u20ac text") == "any \u20ac text"
    with pytest.raises(KeyValueError, match=r"A key has to be a text and is 5 \(int\)"):
        check_key(5)
