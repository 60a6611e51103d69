"""What a miss in memory costs.

A page of 50 cold fragments whose bodies are empty shows what the tag adds; the floor is
the same page without tags. A single fragment whose body takes a millisecond shows how
much that is of a body that is worth to be cached. Each render has keys of its own, and
the store is cleared before it; or the keys are the same, and their tag is invalidated.

A list of 50 rows with 10 cold ones is not timed. What counts is how often it calls
Python functions of this package.
"""

import sys
import time
from collections.abc import Callable
from functools import partial
from itertools import count
from pathlib import Path
from types import FrameType
from typing import Any

import cachelib
from jinja2 import Environment

import jinja_fragcache
from jinja_fragcache import MemoryStore, fragment_cache_of
from jinja_fragcache.stores import RedisStore

from . import peers
from .figures import OURS, Bound, Figures, Line, compared
from .measuring import Effort, Spread, Variant, added, in_turn, nothing
from .peers import FRAGMENTS

# A render takes a millisecond, and its spread is larger than that of hits.
RENDERS_A_ROUND = 7
PACKAGE = str(Path(jinja_fragcache.__file__).parent)
COLD_ROWS = 10
ON_REDIS = 10
EMPTY = '{% cache 300, "row", ids[NUMBER] %}{% endcache %}'
TAGGED = '{% cache 300, "row", ids[NUMBER], tags=["rows"] %}{% endcache %}'
CALLED = '{% call cached("row", ids[NUMBER]) %}{% endcall %}'
LONG_BODY = "{{ work(turns) }}"
LONG = f'{{% cache 300, "row", ids[0], turns %}}{LONG_BODY}{{% endcache %}}'
LONG_SECONDS = 0.001
# With a name of its own: the keys of locks, too, are remembered for the whole process.
LIST = '{% cache_each item in items, 300, "of 50", item %}{{ item }}{% endcache_each %}'
PEER = "Flask-Caching"
Clear = Callable[[], object]
#: All pages have key values of their own: keys are remembered for the whole process.
NUMBERS = count()


def measure_empty(effort: Effort) -> Figures:
    """Measure what a tag adds to an empty body."""
    variants = {
        name: _cold(env, peers.page_source(fragment), clear, FRAGMENTS)
        for name, (env, fragment, clear) in _empty_pages().items()
    }
    variants["its tag invalidated"] = _invalidated()
    times = added(in_turn(variants, effort.rounds * RENDERS_A_ROUND), "floor")
    bounds = {
        OURS: Bound(1, 6),
        "with a tag": Bound(1, 11),
    }
    return Figures(
        "What a miss in memory adds to an empty body",
        ("page", "adds", f"times {PEER}"),
        compared(times, PEER, bounds),
    )


def _empty_pages() -> dict[str, tuple[Environment, str, Clear]]:
    plain, old, tagged = MemoryStore(), MemoryStore(), MemoryStore()
    on_cachelib = cachelib.SimpleCache()
    app, peer = peers.flask_caching_app()
    dogpile: dict[str, Any] = {}
    return {
        "floor": (peers.jinja(), "{{ ids[NUMBER] }}", nothing),
        PEER: (app.jinja_env, EMPTY, lambda: _clear(app, peer)),
        OURS: (peers.ours(plain), EMPTY, plain.clear),
        "with stale=60": (peers.ours(old, stale=60), EMPTY, old.clear),
        "with a tag": (peers.ours(tagged), TAGGED, tagged.clear),
        "on cachelib": (peers.ours(on_cachelib), EMPTY, on_cachelib.clear),
        "dogpile.cache": (peers.dogpile(cache_dict=dogpile), CALLED, dogpile.clear),
    }


def _invalidated() -> Variant:
    """Return a page whose entries have a tag that is invalidated each time."""
    env = peers.ours(MemoryStore())
    cache = fragment_cache_of(env)
    template = env.from_string(peers.page_source(TAGGED))
    ids = [str(next(NUMBERS)) for _ in range(FRAGMENTS)]
    return Variant(
        lambda: template.render(ids=ids),
        FRAGMENTS,
        before=lambda: cache.invalidate_tags("rows"),
    )


def measure_on_redis(effort: Effort, redis_port: int) -> Figures:
    """Measure what a tag adds to an empty body if the store is Redis, by the clock."""
    store = partial(RedisStore, port=redis_port, socket_timeout=60)
    peer = peers.flask_caching_env(CACHE_TYPE="RedisCache", CACHE_REDIS_PORT=redis_port)
    pages = {
        "floor": (peers.jinja(), "{{ ids[NUMBER] }}"),
        PEER: (peer, EMPTY),
        OURS: (peers.ours(store(key_prefix="plain:")), EMPTY),
        "with a tag": (peers.ours(store(key_prefix="tagged:")), TAGGED),
    }
    variants = {
        name: _cold(env, peers.page_source(fragment, ON_REDIS), nothing, ON_REDIS)
        for name, (env, fragment) in pages.items()
    }
    rounds = effort.rounds * RENDERS_A_ROUND
    times = added(in_turn(variants, rounds, time.perf_counter), "floor")
    return Figures(
        "What a miss on Redis adds to an empty body",
        ("page", "adds", f"times {PEER}"),
        compared(times, PEER, {}),
    )


def measure_long(effort: Effort) -> Figures:
    """Measure a body of a millisecond, with the tag and without."""
    turns = _turns_of_a_millisecond()
    store, tagged = MemoryStore(), MemoryStore()
    with_tag = LONG.replace("turns %}{%", 'turns, tags=["rows"] %}{%', 1)
    variants = {
        "the body": _cold(peers.jinja(), LONG_BODY, nothing, turns=turns),
        OURS: _cold(peers.ours(store), LONG, store.clear, turns=turns),
        "with a tag": _cold(peers.ours(tagged), with_tag, tagged.clear, turns=turns),
    }
    times = in_turn(variants, effort.rounds * RENDERS_A_ROUND)
    return Figures(
        "A miss in memory of a body of 1 ms",
        ("page", "time", "times the body"),
        compared(times, "the body", {OURS: Bound(1.03, 1.5)}),
    )


def work(turns: int) -> str:
    """Return a text that takes a while to make."""
    return str(sum(each * 7 % 13 for each in range(turns)))


def _turns_of_a_millisecond() -> int:
    """Return how many turns the long body takes in a millisecond."""
    turns = 1000
    seconds = []
    for _ in range(9):
        begin = time.process_time()
        work(turns)
        seconds.append(time.process_time() - begin)
    return round(turns * LONG_SECONDS / min(seconds))


def _cold(
    env: Environment, source: str, clear: Clear, operations: int = 1, **values: Any
) -> Variant:
    """Return a page that is rendered with an empty store and new keys each time."""
    template = env.from_string(source)
    values |= {"ids": [], "work": work}

    def prepare() -> None:
        clear()
        values["ids"] = [str(next(NUMBERS)) for _ in range(FRAGMENTS)]

    return Variant(lambda: template.render(values), operations, before=prepare)


def _clear(app: Any, peer: Any) -> None:
    with app.app_context():
        peer.clear()


def count_list_calls(_: Effort, redis_port: int) -> Figures:
    """Count the calls that a list with cold rows makes."""
    stores = {
        "in memory": (MemoryStore(), Bound(700, 900)),
        "on Redis": (RedisStore(port=redis_port, key_prefix="rows:"), Bound(700, 1300)),
    }
    lines = [
        Line(
            name,
            f"{FRAGMENTS - COLD_ROWS} and {COLD_ROWS}",
            Spread(calls, calls, calls),
            bound,
        )
        for name, (store, bound) in stores.items()
        for calls in [_calls(store)]
    ]
    title = f"Calls of a list of {FRAGMENTS} rows, {COLD_ROWS} of them cold"
    return Figures(title, ("store", "warm and cold rows", "calls"), lines)


def _calls(store: Any) -> int:
    """Return how often a list with cold rows calls functions of this package."""
    template = peers.ours(store).from_string(LIST)
    items = [str(number) for number in range(FRAGMENTS)]
    # Make everything that is made only once.
    template.render(items=[f"another {item}" for item in items])
    template.render(items=items[COLD_ROWS:])
    calls = 0

    def profile(frame: FrameType, event: str, _: object) -> None:
        nonlocal calls
        calls += event == "call" and frame.f_code.co_filename.startswith(PACKAGE)

    sys.setprofile(profile)
    template.render(items=items)
    sys.setprofile(None)
    return calls
