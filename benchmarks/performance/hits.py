"""What a hit in memory costs: a page of 50 fragments of 200 bytes.

The floor is the same page with `{{ html }}` instead of each fragment: the time that
Jinja needs to print 50 texts that exist already.
"""

import asyncio
from typing import NamedTuple

import cachelib
from jinja2 import Environment
from markupsafe import Markup

from jinja_fragcache import MemoryStore

from . import peers
from .figures import OURS, Bound, Figures, Line, compared
from .measuring import Effort, Variant, in_turn
from .peers import CACHE, CALL, CONSTANT, FLOOR, FRAGMENTS, Render

RENDERS = 40
HTML = Markup('<li class="row"><a href="/item/1">An item</a> and its text</li>\n' * 3)  # noqa: S704 - a constant
VALUES: peers.Values = {
    "html": HTML,
    "ids": [str(each) for each in range(FRAGMENTS)],
    "lang": "en",
}
FLOOR_NAME = "Jinja, no cache"
NEAR = f"{OURS}, two tiers"


class _Elsewhere(MemoryStore):
    """A store that counts as one on a server, because of its class."""


class Way(NamedTuple):
    """A way to write a fragment.

    Attributes:
        name: The name in the table.
        fragment: Its source.
        autoescape: Whether autoescape is on.
        has_peer: Whether Flask-Caching has it, too.
    """

    name: str
    fragment: str
    autoescape: bool = True
    has_peer: bool = True


WAYS = (
    Way("constant key", CONSTANT),
    # Flask-Caching takes only texts as key values, so these are texts.
    Way("one key value", CACHE),
    Way(
        "two key values",
        '{% cache 300, "row", ids[NUMBER], lang %}{{ html }}{% endcache %}',
    ),
    Way("name from a variable", "{% cache 300, ids[NUMBER] %}{{ html }}{% endcache %}"),
    Way("no name", "\n{% cache 300 %}{#NUMBER#}{{ html }}{% endcache %}"),
    Way("constant key, no autoescape", CONSTANT, autoescape=False),
    *(
        Way(f"one key value and {option}", source, has_peer=False)
        for option in ('tags=["rows"]', "stale=60")
        for source in [CACHE.replace(" %}", f", {option} %}}", 1)]
    ),
)


def measure_peers(effort: Effort) -> Figures:
    """Compare this package with its peers."""
    on_cachelib = peers.ours(cachelib.SimpleCache())
    pages = {
        FLOOR_NAME: _page(peers.jinja(), FLOOR),
        OURS: _page(peers.ours(), CACHE),
        NEAR: _page(peers.ours(_Elsewhere(), near=3600), CACHE),
        f"{OURS} on cachelib": _page(on_cachelib, CACHE),
        "dogpile.cache": _page(peers.dogpile(), CALL),
        "Flask-Caching": _page(peers.flask_caching_env(), CACHE),
        "Django, no cache": peers.django_page(peers.page_source(FLOOR), VALUES),
        "Django": peers.django_page(peers.page_source(peers.DJANGO_CACHE), VALUES),
    }
    times = _timed(pages, effort)
    lines = compared(times, FLOOR_NAME, {OURS: Bound(1.4, 3.2)})
    near = compared({name: times[name] for name in (OURS, NEAR)}, OURS)[-1]
    against = Line("two tiers, times one", "", near.ratio, Bound(1.2, 1.6))
    title = "A page of 50 hits in memory, one key value"
    return Figures(title, ("page", "time", "times Jinja"), [*lines, against])


def measure_ways(effort: Effort) -> Figures:
    """Compare the ways to write a fragment."""
    lines = []
    for way in WAYS:
        source, autoescape = way.fragment, way.autoescape
        pages = {
            "floor": _page(peers.jinja(autoescape=autoescape), FLOOR),
            way.name: _page(peers.ours(autoescape=autoescape), source),
        }
        if way.has_peer:
            pages[f"{way.name}, Flask-Caching"] = _page(
                peers.flask_caching_env(autoescape=autoescape), source
            )
        lines += compared(_timed(pages, effort), "floor")[1:]
    headings = ("fragments with", "time", "times Jinja")
    return Figures("A page of 50 hits in memory, ways to write a key", headings, lines)


def measure_awaited(effort: Effort) -> Figures:
    """Compare pages that are awaited."""
    envs = {
        FLOOR_NAME: (peers.jinja(enable_async=True), FLOOR),
        OURS: (peers.ours(enable_async=True), CACHE),
        "cashews": (peers.cashews_env(), CALL),
    }
    with asyncio.Runner() as runner:
        variants = {
            name: _awaited(runner, env, fragment)
            for name, (env, fragment) in envs.items()
        }
        times = in_turn(variants, effort.rounds)
    lines = compared(times, FLOOR_NAME, {OURS: Bound(1.2, 3.5)})
    return Figures(
        "The same, awaited", ("page", "time", "times Jinja that awaits"), lines
    )


def _awaited(runner: asyncio.Runner, env: Environment, fragment: str) -> Variant:
    template = env.from_string(peers.page_source(fragment))

    async def page() -> str:
        return await template.render_async(VALUES)

    async def pages() -> None:
        for _ in range(RENDERS):
            await template.render_async(VALUES)

    expected = _page(peers.jinja(), FLOOR)()
    peers.fill_and_compare({fragment: lambda: runner.run(page())}, expected)
    return Variant(lambda: runner.run(pages()), operations=RENDERS)


def _page(env: Environment, fragment: str) -> Render:
    return peers.jinja_page(env, peers.page_source(fragment), VALUES)


def _timed(pages: dict[str, Render], effort: Effort) -> dict[str, list[float]]:
    peers.fill_and_compare(pages, next(iter(pages.values()))())
    variants = {name: Variant(page, calls=RENDERS) for name, page in pages.items()}
    return in_turn(variants, effort.rounds)
