"""Lets an application use a cache of its own in a test."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from inspect import signature
from typing import Any

from jinja2 import Environment

from jinja_fragcache.cache import FragmentCache
from jinja_fragcache.errors import StoreError
from jinja_fragcache.messages import did_you_mean
from jinja_fragcache.observe.comments import Comments
from jinja_fragcache.render.environment import fragment_cache_of
from jinja_fragcache.stores import MemoryStore

from .clock import Clock
from .recording import recording
from .tester import CacheTester

# What would make the same test end in one way now and in another the next time,
# renderings that no test expects, and what is kept of a store that is near already.
_NO_CHANCE = {"early_refresh": 0, "jitter": 0, "verify": 0, "near": 0}
# Options of `FragmentCache` that are no rules, but its engine's.
_OF_ENGINE = {"listeners", "strict", "signing_key", "timer", "clock", "chance"}
_EXTENSION = "jinja_fragcache"


@contextmanager
def isolated(target: Any, **options: Any) -> Iterator[CacheTester]:
    """Let an application use an empty cache in the `with` block.

    The cache is in memory, strict, and caches in testing mode, too. All else is as it
    was set up, but for what happens by chance (`early_refresh`, `jitter`, `verify`),
    which is off, and for `near`. Afterwards, the application has its own cache again.

    Args:
        target: A Flask application, or a Jinja environment with the
            `FragmentCacheExtension`.
        options: Options of `FragmentCache`, in place of those of the application.

    Raises:
        AssertionError: At the end, if `assert_renders` was called without `with`.
        StoreError: If it has no cache.
        TypeError: If it is something else, or an option is unknown.
    """
    __tracebackhide__ = True
    _check_options(options)
    clock = Clock()
    make = partial(_make, clock=clock, options=options)
    with ExitStack() as stack:
        if isinstance(target, Environment):
            cache = stack.enter_context(_replaced_cache(target, make))
        elif isinstance(getattr(target, "jinja_env", None), Environment):
            cache = stack.enter_context(_replaced_caches(target, make))
        else:
            raise TypeError(
                f"A Flask application or a Jinja environment is tested, and this is an"
                f" object of {type(target).__name__}. Write isolated(app), or"
                " isolated(env)."
            )
        tester = CacheTester(cache, clock)
        yield tester
        for each in tester.counts:
            each.check_begun()


def _check_options(options: Mapping[str, Any]) -> None:
    __tracebackhide__ = True
    known = signature(FragmentCache).parameters.keys() - {"store"}
    for name in options:
        if name not in known:
            raise TypeError(
                f"A cache for tests has options of FragmentCache, and there is none"
                f" called {name!r}.{did_you_mean(name, known)}"
            )


@contextmanager
def _replaced_cache(
    environment: Any, make: Callable[..., FragmentCache]
) -> Iterator[FragmentCache]:
    cache = make(fragment_cache_of(environment))
    before = environment.fragment_cache
    environment.fragment_cache = cache
    try:
        yield cache
    finally:
        environment.fragment_cache = before


@contextmanager
def _replaced_caches(
    app: Any, make: Callable[..., FragmentCache]
) -> Iterator[FragmentCache]:
    if _EXTENSION not in getattr(app, "extensions", {}):
        # An application may have the tag alone.
        if not hasattr(app.jinja_env, "fragment_cache"):
            raise StoreError(
                "The application has no cache. Write Cache(app) or cache.init_app(app)"
                " where it is made; with Quart, QuartCache(app)."
            )
        with _replaced_cache(app.jinja_env, make) as cache:
            yield cache
        return
    from jinja_fragcache.flask.isolation import replaced_caches  # noqa: PLC0415 - Flask is an extra

    with replaced_caches(app, make) as caches:
        yield caches[0]


def _make(
    before: FragmentCache, *, clock: Clock, options: Mapping[str, Any]
) -> FragmentCache:
    """Return a cache with the rules of another one, and a store of its own."""
    rules = before.policy._asdict()
    if rules["default_timeout"] is None:
        rules["default_timeout"] = before.engine.context.store.default_timeout
    given: dict[str, Any] = {"strict": True, "clock": clock, **options}
    if given.pop("debug_comments", False):
        given["listeners"] = [*given.get("listeners", ()), Comments()]
    # After its engine is the one that records.
    collects = given.pop("statistics", False)
    cache = FragmentCache(MemoryStore(timer=clock), **(rules | _NO_CHANCE | given))
    of_engine = {name: given[name] for name in given.keys() & _OF_ENGINE}
    engine = recording(type(cache.engine))
    cache.engine = engine(cache.store, cache.policy, **of_engine)
    if collects:
        cache.collect_figures()
    return cache
