"""How the signatures of functions are read."""

import inspect
from typing import TYPE_CHECKING, Any

import pytest
from flask import Flask

from jinja_fragcache import Cache
from jinja_fragcache.functions.signatures import signature_of

if TYPE_CHECKING:
    from decimal import Decimal


def function(a: "Decimal", *args: int, b: "Decimal | None" = None) -> "Decimal":
    """Take and return what is imported for type checkers only."""
    return a


def test_annotations_are_not_evaluated() -> None:
    signature = signature_of(function)
    assert list(signature.parameters) == ["a", "args", "b"]
    assert signature.return_annotation == "Decimal"
    assert signature.parameters["b"].default is None


def test_what_has_no_signature_raises_as_inspect_does() -> None:
    not_callable: Any = 5
    for each, error in ((not_callable, TypeError), (type, ValueError)):
        with pytest.raises(error):
            inspect.signature(each)
        with pytest.raises(error):
            signature_of(each)


def test_functions_may_name_types_that_only_type_checkers_import() -> None:
    cache = Cache(Flask(__name__), config={"CACHE_TYPE": "simple"})

    def ask(*args: "Decimal") -> "Decimal | bool":
        return False

    memoized: Any = cache.memoize(unless=ask, forced_update=ask)(function)
    cached: Any = cache.cached(key_prefix="x", unless=ask)(function)
    assert (memoized(1), memoized(1), cached(2)) == (1, 1, 2)
