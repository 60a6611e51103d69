"""What pages cost whose fragments are on a server, as ratios to one raw read of all.

Time on the clock is measured, since pages wait for the server. The floor reads the same
values in one round trip, with the client alone.
"""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import redis
from markupsafe import Markup

from jinja_fragcache import make_template_fragment_key
from jinja_fragcache.stores import MemcachedStore, RedisStore

from . import peers
from .figures import OURS, Bound, Figures, Line, compared
from .measuring import Effort, Times, Variant, in_turn, ratios
from .peers import CALL, Render

RENDERS = 20
PARTS = 10
ROWS = 50
PREFIX = "bench:"
PART_TEXT = Markup("<li>An item and what is to be known of it</li>\n" * 5)  # noqa: S704 - a constant
ROW_TEXT = ("<li>An item and what is to be known of it</li>\n" * 50)[:1998]
LIST = (
    '{% cache_each item in items, 300, "row", item %}{{ text }}{{ item }}'
    "{% endcache_each %}"
)
LOOP = (
    '{% for item in items %}{% cache 300, "row", item %}{{ text }}{{ item }}'
    "{% endcache %}{% endfor %}"
)
PEER = "Flask-Caching"
MGET = "one MGET"


def measure_parts(effort: Effort, port: int) -> Figures:
    """Measure a page of ten named fragments on Redis."""
    values: peers.Values = {
        "html": PART_TEXT,
        "ids": [str(each) for each in range(PARTS)],
    }
    client = redis.Redis(port=port)
    client.flushall()

    def page(prefix: str, **options: Any) -> Render:
        env = peers.ours(_store(port, prefix), **options)
        return peers.jinja_page(env, source(peers.CONSTANT), values)

    def source(fragment: str) -> str:
        return peers.page_source(fragment, PARTS)

    pages = {
        OURS: page(PREFIX),
        f"{OURS}, no prefetch": page("each:", prefetch=False),
        f"{OURS}, two tiers": page("near:", near=3600),
        "dogpile.cache": peers.jinja_page(
            peers.dogpile("dogpile.cache.redis", port=port), source(CALL), values
        ),
        PEER: peers.jinja_page(_flask_caching(port), source(peers.CONSTANT), values),
        "Django": peers.django_page(source(peers.DJANGO_CACHE), values, port),
    }
    peers.fill_and_compare(
        pages, peers.jinja_page(peers.jinja(), source(peers.FLOOR), values)()
    )
    floor = _mget(client, PARTS)
    commands = {name: _commands(client, each) for name, each in pages.items()}
    times = _timed({MGET: floor, **pages}, effort)
    bounds = {OURS: Bound(2, 5)}
    lines = compared(times, MGET, bounds, lambda name: _counted(commands.get(name, 1)))
    title = f"A page of {PARTS} named fragments on Redis"
    return Figures(title, ("page", "time", "times the MGET"), lines)


def measure_redis_rows(effort: Effort, port: int) -> Figures:
    """Measure a list of 50 rows of 2 kB on Redis."""
    client = redis.Redis(port=port)
    client.flushall()
    store = _store(port, PREFIX)
    pages = {
        "cache_each": _rows(peers.ours(store), LIST),
        "for and cache": _rows(peers.ours(store), LOOP),
        PEER: _rows(_flask_caching(port), LOOP),
    }
    peers.fill_and_compare(pages, _rows(peers.jinja(), _without_tag(LOOP))())
    times = _timed({MGET: _mget(client, ROWS), **pages}, effort)
    lines = compared(times, MGET, {"cache_each": Bound(1.3, 6)})
    against = ratios(times, PEER, "cache_each")
    lines.append(
        Line(f"{PEER}, times cache_each", "", against, Bound(25, 3, at_least=True))
    )
    title = f"A list of {ROWS} rows of 2 kB on Redis"
    return Figures(title, ("page", "time", "times the MGET"), lines)


def measure_memcached_rows(effort: Effort, port: int) -> Figures:
    """Measure the same list on Memcached, with pylibmc."""
    import pylibmc  # noqa: PLC0415 - there is not one for each Python

    store = MemcachedStore([f"127.0.0.1:{port}"], key_prefix=PREFIX)
    client = pylibmc.Client([f"127.0.0.1:{port}"], behaviors={"tcp_nodelay": True})
    page = {"cache_each": _rows(peers.ours(store), LIST)}
    peers.fill_and_compare(page, _rows(peers.jinja(), _without_tag(LOOP))())
    items = map(str, range(ROWS))
    # As long as the store's own keys, which contain a generation.
    start = f"{PREFIX}{0:016x}:"
    keys = [start + make_template_fragment_key("row", [item]) for item in items]
    client.set_multi(dict.fromkeys(keys, ROW_TEXT + "00"))
    floor = "one get_multi"
    times = _timed({floor: lambda: client.get_multi(keys), **page}, effort)
    return Figures(
        "The same on Memcached (pylibmc)",
        ("page", "time", "times the get_multi"),
        compared(times, floor, {"cache_each": Bound(1.5, 8)}),
    )


def _store(port: int, prefix: str) -> RedisStore:
    # On a busy machine, no read may end early.
    return RedisStore(port=port, key_prefix=prefix, socket_timeout=60)


def _rows(env: Any, source: str) -> Render:
    # Flask-Caching takes only texts as key values.
    items = [str(number) for number in range(ROWS)]
    return peers.jinja_page(env, source, {"items": items, "text": ROW_TEXT})


def _without_tag(source: str) -> str:
    return source.replace('{% cache 300, "row", item %}', "").replace(
        "{% endcache %}", ""
    )


def _flask_caching(port: int) -> Any:
    return peers.flask_caching_env(CACHE_TYPE="RedisCache", CACHE_REDIS_PORT=port)


def _mget(client: Any, count: int) -> Callable[[], object]:
    """Return a function that reads what this package has stored, and nothing more.

    Raises:
        SystemExit: If there are not as many values as fragments.
    """
    keys = sorted(client.scan_iter(f"{PREFIX}fragment:*"))
    if len(keys) != count:
        raise SystemExit(f"{len(keys)} fragments are stored, and not {count}")
    return partial(client.mget, keys)


def _commands(client: Any, page: Render) -> int:
    """Return how many commands a page sends to Redis.

    In some renderings there are those of a thread, too, that begins to listen.
    """
    counts: list[int] = []
    for _ in range(5):
        client.config_resetstat()
        page()
        stats = client.info("commandstats")
        counts.append(
            sum(
                each["calls"]
                for name, each in stats.items()
                if name.removeprefix("cmdstat_") not in {"info", "config|resetstat"}
            )
        )
    return min(counts)


def _counted(commands: int) -> str:
    return f", {commands} command{'' if commands == 1 else 's'}"


def _timed(calls: dict[str, Callable[[], object]], effort: Effort) -> Times:
    variants = {name: Variant(call, calls=RENDERS) for name, call in calls.items()}
    return in_turn(variants, effort.rounds, time.perf_counter)
