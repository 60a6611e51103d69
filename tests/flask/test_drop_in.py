"""All names and arguments of the installed Flask-Caching have a place here."""

import ast
import inspect
import re
from collections.abc import Iterator
from inspect import Parameter
from pathlib import Path
from typing import Any

import flask_caching
import pytest
from flask_caching.backends import SimpleCache

import jinja_fragcache
from jinja_fragcache import Cache
from jinja_fragcache import flask as our_flask
from jinja_fragcache.flask.backends import TYPES
from jinja_fragcache.flask.settings import SETTINGS, UNUSED

PAGE = Path(__file__).parents[2] / "docs" / "coming-from-flask-caching.md"
PACKAGE = Path(flask_caching.__file__).parent
MODULES = sorted(
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
    for path in PACKAGE.rglob("*.py")
)
METHODS = sorted(
    name for name in vars(flask_caching.Cache) if name[0] != "_" or name == "__init__"
)

PASSED_ON = [Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD]

_TYPE_VARIABLE = "A type variable of its annotations."
_HELPER = "A helper of its own modules, which its manual does not name."

#: Names that have no equal here, and why. The page tells what to write instead of those
#: with a reason of their own.
LEFT_OUT = {
    "BaseCache": "It is cachelib's class with a factory for CACHE_TYPE.",
    "CacheExtension": "It is FragmentCacheExtension here.",
    "JINJA_CACHE_ATTR_NAME": "fragment_cache_of(env) returns what the attribute has.",
    "SUPPORTED_HASH_FUNCTIONS": "Keys are SHA-256 always.",
    "TEMPLATE_FRAGMENT_KEY_TEMPLATE": "make_template_fragment_key() makes keys.",
    "GoogleCloudStorageCache": "There is no such store here. Theirs can be used.",
    "VERSION_TIMEOUT": "Memoized functions have tags, not versions.",
    "logger": "The logger's name is jinja_fragcache.",
    "normalize_timeout": "All methods and decorators do that by themselves.",
    **dict.fromkeys(["P", "P2", "R", "T", "T_co", "T_contra"], _TYPE_VARIABLE),
    **dict.fromkeys(
        [
            "del_chars",
            "function_namespace",
            "get_arg_default",
            "get_arg_names",
            "get_function_parameters",
            "get_id",
            "join_generator",
            "null_control",
            "query_args_as_pairs",
            "valid_chars",
            "wants_args",
            "wants_extra_args",
        ],
        _HELPER,
    ),
}


def public_names(module: str) -> Iterator[str]:
    """Yield the names without an underscore that a module defines.

    Those that it imports from another module of the package count, too.
    """
    file = PACKAGE.parent.joinpath(*module.split(".")).with_suffix(".py")
    for node in ast.parse(file.read_text("utf-8")).body:
        names: list[str] = []
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name):
                names = [name]
            case ast.Assign(targets=targets):
                names = [each.id for each in targets if isinstance(each, ast.Name)]
            case ast.AnnAssign(target=ast.Name(id=name)):
                names = [name]
            case ast.ImportFrom(module=source, level=level, names=aliases):
                if level or (source or "").startswith("flask_caching"):
                    names = [each.asname or each.name for each in aliases]
        yield from (name for name in names if not name.startswith("_"))


NAMES = sorted({name for module in MODULES for name in public_names(module)})


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_here_or_left_out_with_a_reason(name: str) -> None:
    places: list[Any] = [jinja_fragcache, our_flask]
    here = name in TYPES or any(hasattr(place, name) for place in places)
    assert here is not (name in LEFT_OUT), name


@pytest.mark.parametrize("name", LEFT_OUT)
def test_a_name_that_is_left_out_is_there_and_on_the_page(name: str) -> None:
    assert name in NAMES
    is_told = f"{name}`" in PAGE.read_text("utf-8")
    assert is_told or LEFT_OUT[name] in {_TYPE_VARIABLE, _HELPER}


def test_all_kinds_of_names_are_found() -> None:
    assert {"Cache", "RedisCache", "cache_view_hit", "SUPPORTED_HASH_FUNCTIONS"} < {
        *NAMES
    }
    assert "Flask" not in NAMES


def arguments(method: Any) -> list[Parameter]:
    return list(inspect.signature(method).parameters.values())[1:]


@pytest.mark.parametrize("name", METHODS)
def test_a_method_takes_the_arguments_in_the_same_order(name: str) -> None:
    theirs, ours = (getattr(each, name) for each in (flask_caching.Cache, Cache))
    if isinstance(theirs, property):
        assert isinstance(ours, property)
        return
    expected, taken = arguments(theirs), arguments(ours)
    if [each.kind for each in expected] == PASSED_ON:
        # Stores without `unlink` delete in its place.
        expected = arguments(getattr(SimpleCache, name, SimpleCache.delete_many))
    same, more = taken[: len(expected)], taken[len(expected) :]
    assert len(same) == len(expected)
    for mine, other in zip(same, expected, strict=True):
        # The function to delete has no name here, so that its parameters may have any.
        if mine.kind is not Parameter.POSITIONAL_ONLY:
            assert mine.replace(annotation=None) == other.replace(annotation=None)
    assert all(each.kind is Parameter.KEYWORD_ONLY for each in more)


def test_all_settings_are_taken() -> None:
    source = "".join(path.read_text("utf-8") for path in PACKAGE.rglob("*.py"))
    read = set(re.findall(r"[\"'](CACHE_[A-Z_]+)[\"']", source))
    assert len(read) > 20
    assert read <= {*(each.name for each in SETTINGS), *UNUSED}
