"""The methods that delete what decorated functions have stored."""

import functools
from collections.abc import Callable
from typing import Any

import pytest

from jinja_fragcache import KeyValueError
from tests.flask.support import Site


def through(function: Callable[..., Any]) -> Callable[..., Any]:
    """Put another decorator around a function."""

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return wrapper


def test_a_memoized_function_deletes_its_own_values(site: Site) -> None:
    @site.cache.memoize()
    def function(a: int) -> int:
        return site.calls()

    values = [function(1), function(2)]
    function.delete_memoized()
    assert [function(1), function(2)] == [3, 4]
    function.delete_memoized(1)
    assert [function(1), function(2)] == [5, 4]
    assert values == [1, 2]


def test_a_memoized_method_deletes_the_values_of_all_objects(site: Site) -> None:
    class Adder:
        @site.cache.memoize()
        def add(self, a: int) -> int:
            return site.calls()

    one, two = Adder(), Adder()
    assert [one.add(1), two.add(1)] == [1, 2]
    one.add.delete_memoized()
    assert [one.add(1), two.add(1)] == [3, 4]


def test_several_functions_may_be_deleted_at_once(site: Site) -> None:
    functions = []
    for name in "abc":

        @site.cache.memoize(make_name=name.__add__)
        def function(a: int) -> int:
            return site.calls()

        functions.append(function)
    assert [each(1) for each in functions] == [1, 2, 3]
    site.cache.delete_memoized(*functions[:2])
    assert [each(1) for each in functions] == [4, 5, 3]


def test_delete_memoized_verhash_deletes_all_values(site: Site) -> None:
    @site.cache.memoize()
    def function(a: int) -> int:
        return site.calls()

    function(1)
    site.cache.delete_memoized_verhash(function, 1)
    assert [function(1), function(2)] == [2, 3]


def test_a_function_under_both_decorators_is_found_by_each(site: Site) -> None:
    @through
    @site.cache.cached(key_prefix="x")
    @through
    @site.cache.memoize()
    def function() -> int:
        return site.calls()

    with site.app.app_context():
        assert function() == 1
        site.cache.delete_memoized(function)
        assert function() == 2
        site.cache.delete_cached(function)
        assert function() == 2  # the memoized value
        site.cache.delete_memoized(function)
        site.cache.delete_cached(function)
        assert function() == 3


def test_an_error_names_the_call_for_the_other_decorator(site: Site) -> None:
    @site.app.route("/")
    @site.cache.cached()
    def view() -> str:
        return ""

    @site.cache.memoize()
    def function() -> str:
        return ""

    with pytest.raises(
        KeyValueError, match=r"write cache\.delete_cached\(view, \.\.\.\)"
    ):
        site.cache.delete_memoized(view)
    with pytest.raises(
        KeyValueError, match=r"write cache\.delete_memoized\(function, \.\.\.\)"
    ):
        site.cache.delete_cached(function)


def test_an_error_says_that_the_object_of_a_method_is_missing(site: Site) -> None:
    class Adder:
        @site.cache.memoize()
        def add(self, a: int) -> int:
            return a

    with pytest.raises(
        ValueError, match=r"Write cache\.delete_memoized\(object\.method"
    ):
        site.cache.delete_memoized(Adder.add, a=1)
    with pytest.raises(TypeError, match="missing a required argument: 'a'"):
        site.cache.delete_memoized(Adder.add, Adder())


def test_delete_cached_takes_a_views_own_argument_path(site: Site) -> None:
    @site.app.route("/files/<path:path>")
    @site.cache.cached()
    def files(path: str) -> str:
        return f"{path} {site.calls()}"

    def delete(*args: Any, **kwargs: Any) -> None:
        with site.app.app_context():
            assert site.cache.delete_cached(files, *args, **kwargs)

    assert site.get("/files/a/b") == ["a/b 1"]
    delete(path="a/b")
    assert site.get("/files/a/b") == ["a/b 2"]
    delete("/files/a/b")
    assert site.get("/files/a/b") == ["a/b 3"]


def test_a_path_begins_with_a_slash(site: Site) -> None:
    @site.app.route("/a")
    @site.cache.cached()
    def view() -> str:
        return ""

    with (
        site.app.app_context(),
        pytest.raises(KeyValueError, match=r'delete_cached\(.*view, "/a"\)'),
    ):
        site.cache.delete_cached(view, "a")


def test_unlink_deletes_several_values(site: Site) -> None:
    site.cache.set_many({"a": 1, "b": 2, "c": 3})
    assert site.cache.unlink("a", "b") == ["a", "b"]
    assert site.cache.get_many("a", "b", "c") == [None, None, 3]


def test_the_function_may_have_parameters_of_any_name(site: Site) -> None:
    @site.cache.memoize()
    def memoized(self: int, function: int, f: int) -> int:
        return site.calls()

    @site.app.route("/<function>/<f>")
    @site.cache.cached()
    def view(function: str, f: str) -> str:
        return f"{site.calls()}"

    call = {"self": 1, "function": 2, "f": 3}
    assert [memoized(**call), memoized(**call)] == [1, 1]
    site.cache.delete_memoized(memoized, **call)
    assert memoized(**call) == 2
    memoized.delete_memoized(**call)
    assert memoized(**call) == 3
    assert site.get("/a/b", "/a/b") == ["4", "4"]
    with site.app.test_request_context():
        assert site.cache.delete_cached(view, function="a", f="b")
    assert site.get("/a/b") == ["5"]


def test_the_function_without_its_cache_names_its_values_too(site: Site) -> None:
    @site.cache.memoize()
    def function(a: int) -> int:
        return site.calls()

    assert [function(1), function(2)] == [1, 2]
    site.cache.delete_memoized(function.uncached, 1)
    assert [function(1), function(2)] == [3, 2]
    site.cache.delete_memoized(function.uncached)
    assert function(2) == 4


def test_a_methods_object_alone_means_all_calls_on_it(site: Site) -> None:
    class Adder:
        @site.cache.memoize()
        def add(self, a: int) -> int:
            return site.calls()

        @classmethod
        @site.cache.memoize()
        def of_class(cls, a: int) -> int:
            return site.calls() * a

    one, two = Adder(), Adder()
    assert [one.add(1), two.add(1), Adder.of_class(1)] == [1, 2, 3]
    site.cache.delete_memoized(one.add, one)
    site.cache.delete_memoized(Adder.of_class, Adder)
    assert [one.add(1), two.add(1), Adder.of_class(1)] == [4, 2, 5]


def test_a_list_of_keys_is_refused_with_what_to_write(site: Site) -> None:
    keys: Any = ["a", "b"]
    with pytest.raises(KeyValueError, match="Give several keys one by one"):
        site.cache.delete_many(keys)
