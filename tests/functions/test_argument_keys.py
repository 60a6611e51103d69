"""The keys of memoized calls."""

import functools
import inspect
import re
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from hypothesis import example, given
from hypothesis import strategies as st

from jinja_fragcache import KeyValueError, WrongCallError
from jinja_fragcache.functions.argument_keys import ArgumentKeys
from jinja_fragcache.functions.keys import CallKey, full_name


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
    """Has one parameter of each kind."""


@st.composite
def signatures(draw: st.DrawFn) -> inspect.Signature:
    """Draw signatures of up to two parameters of each kind, some with defaults."""
    parameters: list[inspect.Parameter] = []
    number = st.integers(0, 2)
    has_default = False
    for kind in (Kind.POSITIONAL_ONLY, Kind.POSITIONAL_OR_KEYWORD, Kind.KEYWORD_ONLY):
        for _ in range(draw(number)):
            # A positional parameter after one with a default needs a default, too.
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
        """Have the signature that is set below."""

    function.__signature__ = signature  # type: ignore[attr-defined]
    return function


arguments = st.integers(0, 2) | st.sampled_from(["0", "default p1", 0.0, True, None])


def values_for(draw: st.DrawFn, signature: inspect.Signature) -> dict[str, Any]:
    """Draw the value that each parameter has in the call."""
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
    """Replace the defaults of positional-only parameters before one that is given."""
    given = False
    for name, each in reversed(list(signature.parameters.items())):
        if each.kind is Kind.POSITIONAL_ONLY:
            if given and values[name] is each.default:
                values[name] = "given"
            given = given or values[name] is not each.default


def written(
    draw: st.DrawFn, signature: inspect.Signature, values: dict[str, Any]
) -> tuple[list[Any], dict[str, Any]]:
    """Draw one way to write a call that gives each parameter its value."""
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
    """Draw a signature, and two sets of values with two ways each to write the call."""
    signature = draw(signatures())
    drawn = []
    for _ in range(2):
        values = values_for(draw, signature)
        ways = [written(draw, signature, values) for _ in range(2)]
        drawn.append((values, ways))
    return signature, drawn


def typed(values: dict[str, Any]) -> str:
    """Return a repr that shows types, but not the order of keyword arguments."""
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


def test_every_kind_of_parameter_is_in_the_key() -> None:
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
        keys(True, 2, d=4),
    ]
    assert len({*others, same[0]}) == len(others) + 1
    assert keys(1, 2, 3, 4, 5, d=4, x=1, y=2) == keys(1, 2, 3, 4, 5, y=2, x=1, d=4)
    assert keys(1, 2, 3, 4, 5, d=4) != keys(1, 2, 3, 5, 4, d=4)


@pytest.mark.parametrize(
    ("args", "kwargs"), [((), {}), ((1, 2), {}), ((1,), {"a": 1, "b": 2})]
)
def test_a_wrong_call_has_no_key(args: Any, kwargs: Any) -> None:
    keys = keys_for(every)
    with pytest.raises(WrongCallError, match=r"every\(\): .*'[abd]'"):
        keys.of_call(args, kwargs)
    with pytest.raises(TypeError):
        keys(*args, **kwargs)


def test_a_call_with_an_argument_without_identity_has_no_key() -> None:
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
def test_a_key_is_valid_on_every_server(name: str, argument: Any) -> None:
    key = keys_for(one, lambda _: name)(argument)
    assert re.fullmatch("memoize:[!-~]{0,80}:[0-9a-f]{64}", key)
    assert len(key) <= 200


def test_a_key_begins_with_the_name_of_the_function() -> None:
    key = keys_for(one)(1)
    name = full_name(one)
    assert key.startswith(f"memoize:{name[:80]}:")


@given(st.text(), st.text())
def test_functions_share_keys_only_if_make_name_returns_the_same(
    name: str, another: str
) -> None:
    keys, others = keys_for(one, lambda _: name), keys_for(other, lambda _: another)
    assert (keys(1) == others(1)) == (name == another)


def test_make_name_gets_the_full_name_and_replaces_it_in_keys_and_tags() -> None:
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


@pytest.mark.parametrize("names", [["x"], ["a", "y", "x"], ["x", "A"]])
def test_args_to_ignore_must_name_parameters(names: Any) -> None:
    message = r"args_to_ignore names .*\bx.*one\(\) has the parameters a, b\."
    with pytest.raises(ValueError, match=message):
        keys_for(one, args_to_ignore=names)
    message = "^args_to_ignore names x, y, z, and"
    with pytest.raises(ValueError, match=message):
        keys_for(one, args_to_ignore=["z", "y", "a", "x"])
    message = r"has the parameters \(none\)\."
    with pytest.raises(ValueError, match=message):
        keys_for(lambda: None, args_to_ignore=["x"])


def test_args_to_ignore_is_a_list_and_no_text() -> None:
    for name in ("a", "ax"):
        with pytest.raises(TypeError, match=f"such as .\"page\".*not '{name}'"):
            keys_for(one, args_to_ignore=name)


# Functions that are defined inside other functions.


def adder(number: Any, also: Any = None) -> Callable[[Any], Any]:
    def add(to: Any) -> Any:
        return to, number, also

    return add


def test_functions_with_different_closures_have_different_keys() -> None:
    made = [adder(1), adder(2), adder("1"), adder(None), adder(1.0), adder(1, 1)]
    assert len({keys_for(function)(5) for function in made}) == len(made)
    assert keys_for(adder(1))(5) == keys_for(adder(1))(5)
    assert len({keys_for(function).tag_of() for function in made}) == 1


def test_the_order_of_closure_variables_counts() -> None:
    app = Flask(__name__)
    assert keys_for(adder(app, 1))(5) != keys_for(adder(1, app))(5)
    assert keys_for(adder(app, app))(5) == keys_for(adder(Flask("x"), Flask("y")))(5)
    assert keys_for(adder(app))(1) != keys_for(adder(1))(app.name)


def test_a_closure_variable_may_be_unassigned() -> None:
    def make() -> tuple[str, str]:
        def function(to: Any) -> Any:
            return to, later

        keys = keys_for(function)
        before = keys(1)
        later = 5
        return before, keys(1)

    before, after = make()
    assert before != after


def test_a_closure_variable_that_the_function_writes_is_not_in_the_key() -> None:
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


def test_a_closure_variable_that_the_function_deletes_is_not_in_the_key() -> None:
    last = 5

    def function(to: Any) -> Any:
        nonlocal last
        del last
        return to

    keys = keys_for(function)
    before = keys(1)
    function(1)
    assert keys(1) == before


def test_a_wrapped_function_is_identified_by_the_inner_one() -> None:
    def logged(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            return function(*args, **kwargs)

        return wrapper

    one, two = logged(adder(1)), logged(adder(2))
    assert keys_for(one)(5) != keys_for(two)(5)
    assert keys_for(one)(5) == keys_for(adder(1))(5) == keys_for(one)(to=5)


def test_a_builtin_function_has_keys() -> None:
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


def test_the_calls_of_a_class_method_have_the_tag_of_their_class() -> None:
    keys = keys_for(User.find.__func__)  # type: ignore[attr-defined]
    _, tags = keys.of_call((User,), {})
    assert tags == (keys.tag_of(), keys.tag_of(User))
    assert keys(User) != keys(CallKey)


def test_a_function_has_one_tag() -> None:
    keys = keys_for(one)
    assert keys.of_call((1,), {}).tags == (keys.tag_of(),)
    assert keys.tag_of(1, 2) == keys.tag_of()
    assert keys_for(lambda: None).of_call((), {}).tags


def test_a_method_that_ignores_self_has_one_tag() -> None:
    keys = keys_for(User.posts, args_to_ignore=["self"])
    assert keys.of_call((User(1),), {}).tags == (keys.tag_of(),)
    assert keys.tag_of(User(1)) == keys.tag_of()
    assert keys(User(1)) == keys(User(2))


def test_methods_with_similar_names_have_different_tags() -> None:
    def method(self: Any) -> None:
        pass

    def methodn(self: Any) -> None:
        pass

    assert keys_for(method).tag_of(None) != keys_for(methodn).tag_of()


# Keys that a function of the user makes.


def test_a_custom_key_function_gets_the_call_and_the_tags_are_kept() -> None:
    keys = keys_for(User.posts)
    given: list[Any] = []

    def make(*args: Any, **kwargs: Any) -> str:
        given.append((args, kwargs))
        return "their key"

    user = User(1)
    made = keys.of_custom_key(make, (user,), {"page": 2})
    assert made == CallKey("their key", keys.of_call((user,), {}).tags)
    assert given == [((User.posts, user), {"page": 2})]


def test_a_custom_key_allows_arguments_without_identity() -> None:
    keys = keys_for(one)
    made = keys.of_custom_key(lambda _, a: f"{type(a)}", (object(),), {})
    assert made == CallKey(str(object), (keys.tag_of(),))


@pytest.mark.parametrize("made", [None, 5, b"key", ["key"]])
def test_a_custom_key_must_be_a_string(made: Any) -> None:
    with pytest.raises(KeyValueError, match="What make_cache_key gives has to be a"):
        keys_for(one).of_custom_key(lambda *_: made, (1,), {})
