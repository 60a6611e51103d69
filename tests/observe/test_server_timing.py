import asyncio
import re

from jinja_fragcache import Reason, Report, Why
from jinja_fragcache.observe.server_timing import ServerTiming
from tests.support import in_threads

HIT = Report("fragment", "sidebar", "hit", store_seconds=0.0015, values=("secret",))
MISS = Report(
    "fragment",
    "list",
    "miss",
    Why(Reason.TAG, 'tag "user:7" invalidated 3 s ago'),
    template="home.html",
    line=14,
    rendered=True,
    body_seconds=0.2,
    store_seconds=0.001,
)
# RFC 8941: a token, then parameters, whose values are quoted strings or numbers.
METRIC = r'[a-z0-9-]+(?:;desc="(?:[ !#-\[\]-~]|\\["\\])*")?(?:;dur=[0-9.]+)?'


def test_the_header_counts_and_names_the_slowest() -> None:
    timing = ServerTiming()
    timing.start()
    for report in (HIT, MISS, HIT):
        timing.on_report(report)
    assert timing.header().split(", cache-")[0] == (
        'cache;desc="2 hits, 1 misses, 0 stale, 0 uncached"'
    )
    assert timing.header().split(", cache-")[1:] == [
        'store;desc="store";dur=4.00',
        '1;desc="miss list home.html:14: tag invalidated";dur=201.00',
        '2;desc="hit sidebar";dur=1.50',
        '3;desc="hit sidebar";dur=1.50',
    ]


def test_at_most_ten_are_named() -> None:
    timing = ServerTiming()
    timing.start()
    for _ in range(200):
        timing.on_report(HIT)
    assert timing.header().count("hit sidebar") == 10
    assert "200 hits" in timing.header()


def test_without_a_request_or_a_fragment_there_is_no_header() -> None:
    timing = ServerTiming()
    timing.on_report(HIT)
    assert timing.header() == ""
    timing.start()
    assert timing.header() == ""


def test_names_can_not_break_the_header() -> None:
    timing = ServerTiming()
    timing.start()
    for template in ('a"\\.html', "a\r\nSet-Cookie: x", "ä.html"):
        timing.on_report(Report("fragment", 'x"', "hit", template=template, line=1))
    header = timing.header()
    assert header.isascii()
    assert header.isprintable()
    assert re.fullmatch(f"{METRIC}(?:, {METRIC})*", header)


def test_requests_at_the_same_time_have_their_own() -> None:
    timing = ServerTiming()
    counts: dict[int, str] = {}

    def work(which: int) -> None:
        timing.start()
        for _ in range(which + 1):
            timing.on_report(HIT)
        counts[which] = timing.header()

    in_threads(3, work)
    for which in range(3):
        assert f'"{which + 1} hits' in counts[which]

    async def handle(number: int) -> str:
        timing.start()
        for _ in range(number):
            timing.on_report(HIT)
            await asyncio.sleep(0)
        return timing.header()

    async def use() -> tuple[str, str]:
        return await asyncio.gather(handle(4), handle(5))

    four, five = asyncio.run(use())
    assert '"4 hits' in four
    assert '"5 hits' in five
