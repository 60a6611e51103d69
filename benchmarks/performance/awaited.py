"""What an awaited hit costs on Redis.

The floor is one awaited GET of the entry by redis.asyncio. A hit is what the engine
does for a fragment: it reads, checks and decides.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import redis.asyncio

from jinja_fragcache import fragment_cache_of, make_template_fragment_key
from jinja_fragcache.entries.freshness import want
from jinja_fragcache.stores import AsyncRedisStore

from . import peers
from .figures import Bound, Figures, compared
from .measuring import Effort, Variant, in_turn

CALLS = 40
TEXT = "An item and what is to be known of it. " * 5
PREFIX = "awaited:"
Call = Callable[[], Awaitable[object]]


def measure_awaited(effort: Effort, port: int) -> Figures:
    """Compare an awaited hit with an awaited GET."""
    with asyncio.Runner() as runner:
        client = redis.asyncio.Redis(port=port, protocol=2)
        calls = runner.run(_calls(port, client))
        variants = {name: _repeated(runner, call) for name, call in calls.items()}
        times = in_turn(variants, effort.rounds, time.perf_counter)
        runner.run(client.aclose())
    lines = compared(times, "a GET", {"a hit": Bound(1.3, 2.5)})
    return Figures("An awaited hit on Redis", ("", "time", "times the GET"), lines)


async def _calls(port: int, client: Any) -> dict[str, Call]:
    """Return what is timed, once the entry is stored.

    Raises:
        SystemExit: If what was stored is not served.
    """
    store = AsyncRedisStore(port=port, key_prefix=PREFIX)
    env = peers.ours(store, enable_async=True)
    page = env.from_string('{% cache 300, "k" %}{{ text }}{% endcache %}')
    engine = fragment_cache_of(env).engine
    key, wanted = make_template_fragment_key("k"), want(True, None)
    first = await page.render_async(text=TEXT)
    if not first == await engine.text_async(key, wanted) == TEXT:
        raise SystemExit("the awaited hit is not the text")
    return {
        "a GET": lambda: client.get(PREFIX + key),
        "a hit": lambda: engine.text_async(key, wanted),
        "a page with a hit": lambda: page.render_async(text=TEXT),
    }


def _repeated(runner: asyncio.Runner, call: Call) -> Variant:
    async def repeat() -> None:
        for _ in range(CALLS):
            await call()

    return Variant(lambda: runner.run(repeat()), operations=CALLS)
