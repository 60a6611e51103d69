"""What became of each fragment, and why, as listeners are told."""

import asyncio
import math
import threading
from typing import Any

import pytest
from flask import Flask, session
from jinja2 import DictLoader

from jinja_fragcache import Cache, FragmentCache, Listener, MemoryStore, Reason, Report
from jinja_fragcache.engine.spec import FragmentSpec
from jinja_fragcache.entries.entry import HEADER_MARK, Entry
from jinja_fragcache.entries.freshness import want
from jinja_fragcache.entries.values import MISSING
from tests.support import (
    Clock,
    CoroutineStore,
    Counter,
    Ears,
    RecordingStore,
    environment,
    in_threads,
)


class Slow(RecordingStore):
    """A store whose calls take half a second each, by the clock."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.clock = clock

    def _note(self, call: str) -> None:
        self.clock.now += 0.5
        super()._note(call)


class Site:
    """An environment with a clock, and what was told of its cache."""

    def __init__(self, template: str, store: Any = None, **options: Any) -> None:
        self.clock = Clock()
        self.ears = Ears()
        is_async = options.pop("enable_async", False)
        self.store: Any = MemoryStore(timer=self.clock) if store is None else store
        if isinstance(self.store, Slow):
            self.store.clock = self.clock
        self.cache = FragmentCache(
            self.store,
            clock=self.clock,
            timer=self.clock,
            listeners=[self.ears],
            **options,
        )
        self.templates = {"page": template}
        self.env = environment(
            loader=DictLoader(self.templates), store=self.cache, enable_async=is_async
        )

    def render(self, **values: Any) -> Report:
        """Render the page, and return the report of its last fragment."""
        self.env.get_template("page").render(values)
        return self.ears.reports[-1]

    def why(self, **values: Any) -> str:
        return f"{self.render(**values).why}"


CACHED = "{% cache 60, 'x', u %}text{% endcache %}"


def test_a_miss_and_a_hit_tell_all_that_is_known() -> None:
    site = Site("{% cache 60, 'x', u, tags=['b', 'a'] %}text{% endcache %}")
    made, served = site.render(u=1), site.render(u=1)
    assert (made.outcome, made.why, made.rendered) == ("miss", (Reason.NO_ENTRY, ""), 1)
    assert (made.not_stored, made.error, made.age) == (None, None, 0)
    assert made.is_stored
    assert (served.outcome, served.why, served.rendered) == ("hit", None, False)
    for each in (made, served):
        assert (each.kind, each.name, each.values) == ("fragment", "x", (1,))
        assert (each.template, each.line, each.place) == ("page", 1, "page:1")
        assert each.tags == ("a", "b")
        assert each.expires_in == 60
        assert each.size == len(str(site.store.get(f"{each.key}")))


def test_an_entry_that_the_store_has_dropped_is_told_from_one_that_never_was() -> None:
    site = Site(CACHED)
    assert site.why(u=1) == "no entry"
    site.clock.now += 61
    assert site.why(u=1) == "timeout ended"


def test_an_invalidated_tag_is_named_with_its_age() -> None:
    site = Site("{% cache 0, 'x', tags=['posts', 'users'] %}text{% endcache %}")
    site.render()
    site.cache.invalidate_tags("posts")
    site.clock.now += 3
    assert site.why() == 'tag "posts" invalidated 3 s ago'
    assert site.render().outcome == "hit"
    assert site.render().expires_in == math.inf


def test_another_version_or_template_is_told() -> None:
    site = Site("{% cache 60, 'x', version=v %}text{% endcache %}")
    site.render(v=1)
    assert site.why(v=2) == "other version"
    changing = Site("{% cache 60, 'x' %}text{% endcache %}", template_digest=True)
    changing.render()
    changing.templates["page"] = "{% cache 60, 'x' %}other{% endcache %}"
    assert changing.why() == "other version"


@pytest.mark.parametrize(
    ("digests_now", "told"),
    [
        (True, "stored without one, as where template_digest is off"),
        (False, "stored with one, as where template_digest is on"),
    ],
)
def test_a_version_that_only_one_of_two_processes_has_is_told(
    digests_now: bool, told: str
) -> None:
    source, store = "{% cache 60, 'x' %}text{% endcache %}", MemoryStore()
    Site(source, store=store, template_digest=not digests_now).render()
    site = Site(source, store=store, template_digest=digests_now)
    assert site.why() == f"other version: {told}"


def test_other_escaping_is_told() -> None:
    tag = "{% cache 60, 'x' %}text{% endcache %}"
    site = Site("{% autoescape e %}" + tag + "{% endautoescape %}")
    site.render(e=True)
    assert site.why(e=False) == "other escaping"


def test_what_can_not_be_read_is_told() -> None:
    site = Site(CACHED, RecordingStore())
    report = site.render(u=1)
    site.store.values[report.key] = f"{HEADER_MARK}broken"
    assert site.why(u=1) == "unreadable"


@pytest.mark.parametrize("option", ["stale", "stale_if_error"])
def test_a_timeout_that_ended_in_its_grace_period_is_told(option: str) -> None:
    site = Site(f"{{% cache 60, 'x', {option}=60 %}}text{{% endcache %}}")
    site.render()
    site.clock.now += 61
    report = site.render()
    assert (report.outcome, f"{report.why}") == ("miss", "timeout ended")
    assert report.is_stored


def test_an_error_that_an_old_entry_hides_is_told() -> None:
    site = Site("{% cache 60, 'x', stale_if_error=60 %}{{ 1 / n }}{% endcache %}")
    site.render(n=1)
    site.clock.now += 61
    report = site.render(n=0)
    assert report.outcome == "stale"
    assert isinstance(report.error, ZeroDivisionError)
    assert report.rendered
    assert not report.is_stored
    assert report.expires_in == -1


def test_an_error_that_passes_is_told() -> None:
    site = Site("{% cache 60, 'x' %}{{ 1 / n }}{% endcache %}")
    with pytest.raises(ZeroDivisionError):
        site.render(n=0)
    (report,) = site.ears.reports
    assert report.outcome == "miss"
    assert report.not_stored == (Reason.ERROR, "")
    assert isinstance(report.error, ZeroDivisionError)


UNCACHED = {
    "{% cache 60, 'x', unless=true %}t{% endcache %}": (Reason.UNLESS, "x"),
    "{% cache 60, 'x', nothing %}t{% endcache %}": (Reason.KEY, "x"),
    "{% cache 'del', 'x' %}t{% endcache %}": (Reason.DELETED, "x"),
    "{% cache_each i in [1], 60, 'x', nothing %}t{% endcache_each %}": (
        Reason.KEY,
        "x",
    ),
    "{% cache_each i in [1], 60, 'x', i, unless=true %}t{% endcache_each %}": (
        Reason.UNLESS,
        "x",
    ),
}


@pytest.mark.parametrize(("template", "told"), UNCACHED.items())
def test_what_is_not_cached_is_told_with_its_reason(template: str, told: Any) -> None:
    site = Site(template)
    report = site.render()
    assert (report.outcome, report.rendered) == ("uncached", True)
    assert report.why is not None
    assert (report.why.reason, report.name) == told
    assert len(site.ears.reports) == site.cache.stats().uncached == 1


@pytest.mark.parametrize(
    ("options", "template", "told"),
    [
        (
            {"max_entry_size": 10},
            "{% cache 60, 'x' %}" + "t" * 11,
            "too large: 11 bytes",
        ),
        (
            {},
            "{% cache 60, 'x' %}{% cache 60, 'y', unless=true %}t{% endcache %}",
            "something in it is not stored",
        ),
    ],
)
def test_why_what_was_made_is_not_stored_is_told(
    options: dict[str, Any], template: str, told: str
) -> None:
    site = Site(template + "{% endcache %}", **options)
    report = site.render()
    assert (report.outcome, f"{report.not_stored}") == ("miss", told)
    assert (report.size, report.expires_in) == (None, None)


def test_what_is_deleted_while_it_is_made_is_told() -> None:
    site = Site("{% cache 60, 'x' %}{{ cache.delete_fragment('x') }}{% endcache %}")
    report = site.render(cache=site.cache)
    assert f"{report.not_stored}" == "deleted meanwhile"
    assert report.size is None


@pytest.mark.parametrize(("failing", "told"), [("get", "why"), ("set", "not_stored")])
def test_a_store_that_fails_is_told(failing: str, told: str) -> None:
    site = Site(CACHED, RecordingStore())
    site.store.failing = {failing}
    report = site.render(u=1)
    assert getattr(report, told) == (Reason.STORE, "")


def test_a_row_is_reported_as_a_fragment_is() -> None:
    site = Site("{% cache_each i in rows, 60, 'row', i %}{{ i }}{% endcache_each %}")
    site.render(rows=[1, 2])
    site.render(rows=[2, 3])
    told = [(each.outcome, each.values, each.rendered) for each in site.ears.reports]
    assert told == [
        ("miss", (1,), True),
        ("miss", (2,), True),
        ("hit", (2,), False),
        ("miss", (3,), True),
    ]


def test_seconds_in_the_store_are_apart_from_those_in_the_body() -> None:
    body = "{% cache 60, 'x' %}{{ wait() }}{% cache 60, 'y' %}{% endcache %}"
    site = Site(body + "{% endcache %}", Slow(Clock()))

    def wait() -> str:
        site.clock.now += 7
        return ""

    site.render(wait=wait)
    inner, outer = site.ears.reports
    # A read, a second one by the leader where there are locks, and a write.
    assert inner.name == "y"
    assert inner.store_seconds == outer.store_seconds == 1.0
    assert (inner.body_seconds, outer.body_seconds) == (0, 8.0)
    assert site.render(wait=wait).store_seconds == 0.5


def test_what_a_body_itself_does_with_the_store_is_time_in_the_body() -> None:
    site = Site("{% cache 60, 'x' %}{{ get('k') }}{% endcache %}", Slow(Clock()))
    report = site.render(get=site.cache.get)
    assert site.store.calls == ["get", "get", "set"]
    assert (report.body_seconds, report.store_seconds) == (0.5, 1.0)


def test_seconds_in_the_store_are_told_from_the_first_look_up_on() -> None:
    site = Site(CACHED)
    slow = Slow(site.clock)
    cache = FragmentCache(slow, timer=site.clock, clock=site.clock)
    cache.listen(site.ears)
    site.env.fragment_cache = cache  # type: ignore[attr-defined]
    assert site.render(u=1).store_seconds == 1.0
    assert site.render(u=1).store_seconds == 0.5


def test_rows_share_the_seconds_in_the_store() -> None:
    site = Site("{% cache_each i in [1, 2], 60, 'r', i %}t{% endcache_each %}")
    slow = Slow(site.clock)
    cache = FragmentCache(
        slow, timer=site.clock, clock=site.clock, listeners=[site.ears]
    )
    site.env.fragment_cache = cache  # type: ignore[attr-defined]
    site.render()
    seconds = [each.store_seconds for each in site.ears.reports]
    assert sum(seconds) == len(slow.calls) * 0.5
    assert seconds[0] == seconds[1]


class Asking(Listener):
    wants_expiry = True

    def __init__(self) -> None:
        self.reports: list[Report] = []

    def on_report(self, report: Report) -> None:
        self.reports.append(report)


def test_age_and_expiry_are_asked_for_if_a_listener_wants_them() -> None:
    writer = Site(CACHED)
    writer.render(u=1)
    reader = Site(CACHED, writer.store)
    reader.clock = writer.clock
    assert reader.render(u=1).expires_in is None
    asking = Asking()
    reader.cache.listen(asking)
    writer.clock.now += 20
    reader.render(u=1)
    assert (asking.reports[0].age, asking.reports[0].expires_in) == (20, 40)


@pytest.mark.parametrize("store", [RecordingStore, CoroutineStore])
def test_fragments_are_reported_on_an_event_loop(store: Any) -> None:
    site = Site(CACHED, store(), enable_async=True)

    async def use() -> None:
        for _ in range(2):
            await site.env.get_template("page").render_async(u=1)

    asyncio.run(use())
    assert [each.outcome for each in site.ears.reports] == ["miss", "hit"]
    assert [each.rendered for each in site.ears.reports] == [True, False]


def test_one_of_many_callers_renders_and_the_others_are_told_to_have_waited() -> None:
    site = Site("{% cache 60, 'x' %}{{ body() }}{% endcache %}")
    renders, waiting = Counter(), threading.Event()
    join = site.cache.engine.context.flights.waiting

    def body() -> str:
        renders()
        assert waiting.wait(60)
        return "text"

    def watched(*args: Any, **more: Any) -> Any:
        waiting.set()
        return join(*args, **more)

    site.cache.engine.context.flights.waiting = watched  # type: ignore[method-assign]
    in_threads(3, lambda _: site.env.get_template("page").render(body=body))
    assert renders.calls == 1
    told = sorted((each.rendered, each.waited) for each in site.ears.reports)
    late = [each for each in site.ears.reports if each.outcome == "hit"]
    assert told.count((True, False)) == 1
    assert told.count((False, True)) == 2 - len(late)


def test_an_old_entry_is_told_to_be_served_while_another_caller_renders() -> None:
    site = Site("{% cache 60, 'x', stale=60 %}{{ body() }}{% endcache %}")
    page = site.env.get_template("page")
    site.render(body=str)
    site.clock.now += 61
    # The body asks for its own page, as another caller does meanwhile.
    texts: list[str] = []
    thread = threading.Thread(target=lambda: texts.append(page.render(body=str)))

    def body() -> str:
        thread.start()
        thread.join(60)
        return "new"

    assert page.render(body=body) == "new"
    assert texts == [""]
    _, old, new = site.ears.reports
    assert (old.outcome, old.rendered, old.waited) == ("stale", False, False)
    assert (f"{old.why}", old.expires_in) == ("timeout ended", -1)
    assert (new.outcome, new.rendered, f"{new.why}") == ("miss", True, "timeout ended")


def test_an_early_refresh_is_told() -> None:
    site = Site(CACHED, early_refresh=1e6, chance=lambda: 0.5)
    site.cache.engine.context.timer = iter(range(100)).__next__
    site.render(u=1)
    assert site.why(u=1) == "early refresh"


def test_functions_and_views_are_reported() -> None:
    app = Flask(__name__)
    app.secret_key = "secret"
    ears = Ears()
    cache = Cache(app, config={"CACHE_TYPE": "simple", "CACHE_LISTENERS": [ears]})

    @app.route("/")
    @cache.cached(60)
    def index() -> str:
        return "page"

    @app.route("/mine")
    @cache.cached(60)
    def mine() -> str:
        return f"{session.get('user')}"

    @cache.memoize(60, unless=lambda _, a: a > 1)
    def double(a: int) -> int:
        return 2 * a

    client = app.test_client()
    for url in ("/", "/", "/mine"):
        client.get(url)
    client.post("/", data={})
    with app.app_context():
        assert [double(1), double(1), double(2)] == [2, 2, 4]
    names = [each.name.rpartition(".")[2] for each in ears.reports]
    told = [(each.outcome, each.values) for each in ears.reports]
    assert names == ["index()", "index()", "mine()", *["double()"] * 3]
    assert told == [
        ("miss", ()),
        ("hit", ()),
        ("miss", ()),
        ("miss", (1,)),
        ("hit", (1,)),
        ("uncached", (2,)),
    ]
    assert {each.kind for each in ears.reports} == {"function"}
    assert ears.reports[2].not_stored is not None
    assert f"{ears.reports[-1].why}" == "unless"


MISFITS = {
    "version": (Entry("text", version="2"), Reason.VERSION),
    "escaping": (Entry("text", escaped=False), Reason.ESCAPING),
    "holes": (Entry("text", holes=((1, 1),)), Reason.HOLES),
    "template": (Entry("text", templates=(("a.html", "1"),)), Reason.TEMPLATE),
    "reads": (Entry("text", reads=("~g.theme dark",)), Reason.READS),
    "form": (Entry("1", form="json"), Reason.BODY),
}


@pytest.mark.parametrize("name", MISFITS)
def test_an_entry_that_may_not_be_served_has_the_reason_that_load_had(
    name: str,
) -> None:
    entry, reason = MISFITS[name]
    spec = FragmentSpec("fragment:x:1", want(True, None), 60, digest_of=lambda _: "2")
    assert spec.load("stored", entry) is MISSING
    assert spec.why_not(entry).reason is reason
