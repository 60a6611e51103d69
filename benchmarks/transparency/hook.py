"""Adds this package's extension to every Jinja environment of a process."""

import os
from collections.abc import Iterable
from functools import wraps
from typing import Any, ClassVar
from uuid import uuid4

from jinja2 import Environment, pass_context
from jinja2.lexer import Token, TokenStream
from jinja2.nativetypes import NativeCodeGenerator
from jinja2.runtime import Context

from benchmarks.transparency.tagging import KEY, Way, add_tags
from jinja_fragcache import FragmentCache, FragmentCacheExtension
from jinja_fragcache.engine.dependencies import current_dependencies


class Tagging(FragmentCacheExtension):
    """The extension, which sees templates as if tags were written in them.

    Attributes:
        way: Which tags they are.
        cache: The cache of all environments.
    """

    way: ClassVar[Way]
    cache: ClassVar[FragmentCache]

    def __init__(self, environment: Environment) -> None:
        environment.extend(fragment_cache=self.cache)
        super().__init__(environment)
        environment.filters[KEY] = key_values

    def filter_stream(self, stream: TokenStream) -> Iterable[Token]:
        """Put tags into a template. Called by Jinja."""
        tokens = [*stream]
        generator = self.environment.code_generator_class
        # `add_tags` itself starts with an empty template. A NativeEnvironment has no
        # cache tag.
        if tokens and not issubclass(generator, NativeCodeGenerator):
            tokens = add_tags(self.environment, tokens, self.way)
        return super().filter_stream(TokenStream(tokens, stream.name, None))


class _Numbers:
    """Counts the fragments of a test.

    Attributes:
        test: The test, empty where there are no tests.
        next: The number of the next fragment.
    """

    test = ""
    next = 0


@pass_context  # so that Jinja does not call it at compile time
def key_values(context: Context, value: object) -> list[str | int]:
    """Return the key values of the fragment that is looked up. A Jinja filter.

    What a fragment depends on is not known here, and needs not be: code that does the
    same again renders the same fragments in the same order. So a fragment is known by
    its number in the test that runs, and in the whole run where there are no tests.

    A fragment in another one is left out of the count, because it is not rendered when
    the outer one is a hit. It is a miss each time.
    """
    if current_dependencies() is not None:
        return [uuid4().hex]
    test = os.environ.get("PYTEST_CURRENT_TEST", "")
    if test != _Numbers.test:
        _Numbers.test, _Numbers.next = test, 0
    _Numbers.next += 1
    return [test, _Numbers.next]


def install(way: Way, cache: FragmentCache) -> None:
    """Give every environment that is made from now on the extension.

    Args:
        way: Which tags its templates get.
        cache: The cache of all environments.
    """
    Tagging.way, Tagging.cache = way, cache
    extension = FragmentCacheExtension if way is Way.EXTENSION else Tagging
    init = Environment.__init__

    @wraps(init)
    def init_with_extension(self: Environment, *args: Any, **kwargs: Any) -> None:
        init(self, *args, **kwargs)
        self.add_extension(extension)

    Environment.__init__ = init_with_extension  # type: ignore[method-assign]
