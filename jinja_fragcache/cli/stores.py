"""A cache as the commands use it: its store, which another process may not reach."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from jinja_fragcache.access.store_check import store_name
from jinja_fragcache.access.store_kinds import is_of_process
from jinja_fragcache.cache import FragmentCache
from jinja_fragcache.engine.context import Context
from jinja_fragcache.errors import AsyncOnlyError, KeyValueError, StoreError
from jinja_fragcache.messages import one_line
from jinja_fragcache.operations import Operation, perform, perform_async

from .options import Failure

T = TypeVar("T")
# A key that nobody has.
_PROBE = "jinja-fragcache-probe"


def run(cache: FragmentCache, operation: Callable[[Context], Operation[T]]) -> T:
    """Run an operation on a cache, whose store may have coroutine functions.

    Args:
        cache: The cache.
        operation: Returns the operation.
    """
    engine = cache.engine
    try:
        try:
            return perform(operation(engine.context))
        except AsyncOnlyError:
            return asyncio.run(perform_async(operation(engine.async_context)))
    except StoreError as error:
        raise Failure(one_line(str(error))) from error


def ask(cache: FragmentCache) -> None:
    """Ask the store for something, and stop if it can't be reached."""
    run(cache, lambda context: context.store.examine([_PROBE]))


def refuse_memory(cache: FragmentCache, what: str, instead: str) -> None:
    """Stop if nothing that this process does reaches the workers.

    Args:
        cache: The cache.
        what: What was asked for.
        instead: What to do about it in the application.
    """
    if is_of_process(cache.store):
        raise Failure(
            f"This command can't {what}: with {store_name(cache.store)}, each worker"
            f" keeps entries in its own memory. {instead} Or give the workers a"
            " store that they share, such as CACHE_TYPE='redis' or 'filesystem'."
        )


def present_key(cache: FragmentCache, key: str) -> str:
    """Return the key of an entry with the values of the cache's own `vary_on`."""
    try:
        return cache.engine.present_key(key)
    except KeyValueError as error:
        raise Failure(one_line(str(error))) from error
