"""What the tests share: a clock set by hand, stores that record, environments."""

import asyncio
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from functools import partial
from importlib.metadata import entry_points
from types import FrameType
from typing import Any, Generic, TypeVar

from django.conf import settings as django_settings
from hypothesis import strategies as st
from jinja2 import DictLoader, Environment

from jinja_fragcache import (
    Event,
    FragmentCache,
    FragmentCacheExtension,
    Listener,
    Report,
    Stats,
)
from jinja_fragcache.access.adapt import adapt
from jinja_fragcache.access.adapter import Adapter
from jinja_fragcache.access.breaker import Breaker
from jinja_fragcache.access.runner import Runner
from jinja_fragcache.access.safe_store import SafeStore
from jinja_fragcache.access.stats import Recorder
from jinja_fragcache.engine.context import Context
from jinja_fragcache.engine.flow import renew
from jinja_fragcache.engine.lookup import NOT_READ
from jinja_fragcache.engine.policy import Policy
from jinja_fragcache.engine.singleflight import Flights
from jinja_fragcache.engine.spec import FragmentSpec
from jinja_fragcache.engine.tag_hints import TagHints
from jinja_fragcache.entries.freshness import want
from jinja_fragcache.stores import Store

M = TypeVar("M")

# For a test suite in a process of its own. Where the package is installed, pytest finds
# the plugin by itself.
_PLUGIN = "jinja_fragcache.pytest_plugin"
_IS_FOUND = any(each.value == _PLUGIN for each in entry_points(group="pytest11"))
PYTEST_ARGUMENTS = ["-p", "no:cacheprovider", *([] if _IS_FOUND else ["-p", _PLUGIN])]

# Key values, for property tests.
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(alphabet=st.characters(codec=None))
    | st.binary()
    | st.uuids()
    | st.decimals(allow_nan=False)
    | st.dates()
    | st.datetimes()
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(max_size=3) | st.integers(), inner, max_size=3)
        | st.frozensets(SCALARS, max_size=3)
    ),
    max_leaves=8,
)


def canonical(value: Any) -> Any:  # noqa: PLR0911 - one for each kind
    """Return the same for values that should have the same key, without using keys."""
    match value:
        case None | bool() | bytes():
            return (type(value).__name__, value)
        case float():
            return ("text", repr(value))
        case list() | tuple():
            return ("list", tuple(map(canonical, value)))
        case dict():
            pairs = [(canonical(k), canonical(v)) for k, v in value.items()]
            return ("dict", tuple(sorted(pairs, key=repr)))
        case frozenset():
            return ("set", tuple(sorted(map(canonical, value), key=repr)))
        case date():
            return ("text", value.isoformat())
        case _:
            return ("text", str(value))


NAMES = st.text(alphabet=st.characters(codec=None))


def short_repr(value: Any) -> str:
    """Name a value in the id of a test: by its repr, without the object's address."""
    return re.sub(" at 0x[0-9a-f]+", "", ascii(value))[:40]


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Counter:
    """A callable for templates that counts its calls, and returns their number."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> int:
        self.calls += 1
        return self.calls


class RecordingStore:
    """A store with plain methods that records its calls, and fails on request."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.timeouts: dict[str, int | None] = {}
        self.calls: list[str] = []
        self.failing: set[str] = set()
        self.errors: dict[str, Exception] = {}

    def get(self, key: str) -> Any:
        self._note("get")
        return self.values.get(key)

    def set(self, key: str, value: Any, timeout: int | None = None) -> bool:
        self._note("set")
        self.values[key] = value
        self.timeouts[key] = timeout
        return True

    def delete(self, key: str) -> bool:
        self._note("delete")
        return self.values.pop(key, None) is not None

    def clear(self) -> bool:
        self._note("clear")
        self.values.clear()
        return True

    def _note(self, call: str) -> None:
        self.calls.append(call)
        if call in self.errors:
            raise self.errors[call]
        if call in self.failing:
            raise ConnectionError(f"{call} failed")


class SharedStore(RecordingStore):
    """A `RecordingStore` with an atomic `add`, so that processes may share it."""

    def add(self, key: str, value: Any, timeout: int | None = None) -> bool:
        self._note("add")
        return key not in self.values and self.set(key, value, timeout)


class Ears(Listener):
    """Records the events of some kinds, and all reports."""

    wants_values = True

    def __init__(self, *kinds: str) -> None:
        self.kinds = kinds
        self.heard: list[tuple[str, str]] = []
        self.told: list[Event] = []
        self.reports: list[Report] = []

    def on_event(self, event: Event) -> None:
        if event.kind in self.kinds:
            self.heard.append((event.kind, event.key))
            self.told.append(event)

    def on_report(self, report: Report) -> None:
        self.reports.append(report)


class CoroutineStore:
    """A `RecordingStore` whose methods are coroutine functions."""

    def __init__(self) -> None:
        self.inner = RecordingStore()

    async def get(self, key: str) -> Any:
        return self.inner.get(key)

    async def set(self, key: str, value: Any, timeout: int | None = None) -> bool:
        return self.inner.set(key, value, timeout)

    async def delete(self, key: str) -> bool:
        return self.inner.delete(key)

    async def clear(self) -> bool:
        return self.inner.clear()


class MadeOnStore(Generic[M]):
    """An object that is made for a store, called directly or awaited.

    Args:
        kind: "plain"; "threads" for a plain store on an event loop; or "coroutines".
        make: Makes the object.
    """

    def __init__(self, kind: str, make: Callable[[Any], M]) -> None:
        self.is_async = kind != "plain"
        store: Any = CoroutineStore() if kind == "coroutines" else RecordingStore()
        self.store: RecordingStore = getattr(store, "inner", store)
        self.made = make(store)

    def call(self, method: str, *arguments: Any) -> Any:
        if not self.is_async:
            return getattr(self.made, method)(*arguments)
        return asyncio.run(getattr(self.made, f"{method}_async")(*arguments))


def context(
    store: Store,
    stats: Stats,
    *,
    blocking: bool = True,
    kind: type[SafeStore] = SafeStore,
    **more: Any,
) -> Context:
    """Make a context for a store."""
    adapter = adapt(store)
    recorder = Recorder(stats, more.pop("listeners", ()))
    policy: Policy = more.get("policy", Policy())
    safe_store = kind(
        adapter,
        adapter.run if blocking else adapter.run_async,
        recorder=recorder,
        breaker=Breaker(timer=more.get("timer", time.monotonic)),
        default_timeout=policy.default_timeout,
    )
    return Context(
        safe_store,
        recorder,
        blocking=blocking,
        flights=Flights(),
        tag_hints=TagHints(),
        **more,
    )


class Calls:
    """An adapter's operations, as methods that run them."""

    def __init__(self, adapter: Adapter, run: Runner) -> None:
        self.adapter = adapter
        self.run = run

    def __getattr__(self, name: str) -> Any:
        operation = getattr(self.adapter, name)
        return lambda *arguments: self.run(operation(*arguments))


def adapted(store: Store) -> tuple[Calls, Calls]:
    """Adapt a store, for callers that block and for callers on an event loop."""
    adapter = adapt(store)
    return Calls(adapter, adapter.run), Calls(adapter, adapter.run_async)


def ask(
    cache: FragmentCache, key: str, body: Callable[[], str], timeout: int | None = 60
) -> str:
    """Return a fragment's text as a tag without options does."""
    engine = cache.engine
    stored = NOT_READ
    if key not in engine.tagged_keys:
        text = engine.text(key, want(True, None))
        if isinstance(text, str):
            return text
        stored = text.stored
    spec = FragmentSpec(key, want(True, None), timeout, engine.grace)
    found = engine.find(spec, stored)
    if found.is_fresh:
        return str(found.value)
    return str(engine.run(partial(renew, spec, found), body))


def in_threads(number: int, work: Callable[[int], object]) -> None:
    """Run `work(0)`, `work(1)`, ... at the same time, and wait until all have ended."""
    start = threading.Barrier(number)

    def run(which: int) -> None:
        start.wait(60)
        work(which)

    threads = [threading.Thread(target=run, args=[which]) for which in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def configure_django() -> None:
    """Give Django settings, as a project does once in its process."""
    if not django_settings.configured:
        local = "django.core.cache.backends.locmem.LocMemCache"
        django_settings.configure(
            CACHES={"default": {"BACKEND": local}},
            DATABASES={
                "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}
            },
            INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes"],
            SECRET_KEY="secret",
            USE_TZ=True,
        )


def environment(
    templates: Mapping[str, str] | None = None,
    store: Store | FragmentCache | None = None,
    **options: Any,
) -> Environment:
    """Make an environment with the cache tag, with autoescape on by default."""
    options.setdefault("autoescape", True)
    options["extensions"] = [FragmentCacheExtension, *options.get("extensions", ())]
    options.setdefault("loader", DictLoader(dict(templates or {})))
    env = Environment(**options)
    if store is not None:
        env.fragment_cache = store  # type: ignore[attr-defined]
    return env


def fragment_cache(env: Environment) -> FragmentCache:
    """Return an environment's FragmentCache, typed."""
    cache: FragmentCache = env.fragment_cache  # type: ignore[attr-defined]
    return cache


@contextmanager
def files_of_calls() -> Iterator[list[str]]:
    """Collect the files of all Python functions that are called in the block."""
    called: list[str] = []

    def profile(frame: FrameType, event: str, _: object) -> None:
        if event == "call":
            called.append(frame.f_code.co_filename)

    before = sys.getprofile()
    sys.setprofile(profile)
    try:
        yield called
    finally:
        sys.setprofile(before)
