"""What somebody who can write to the store can and can't do to a site that signs."""

import asyncio
import json
import pickle
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from jinja_fragcache import Cache, Event, FragmentCache, Listener
from jinja_fragcache.access.refusals import LOG_SECONDS, MOST_LOGGED
from jinja_fragcache.access.seal import Seal
from jinja_fragcache.entries import compression
from jinja_fragcache.entries.entry import Entry, encode
from jinja_fragcache.keys.beside import version_key
from jinja_fragcache.keys.fragment import make_template_fragment_key
from tests.support import (
    Clock,
    CoroutineStore,
    Counter,
    RecordingStore,
    ask,
    environment,
)

LONG = "<p>text</p>" * 300
PAGE = (
    '{% cache 60, "plain" %}{{ n() }}{{ long }}{% endcache %}|'
    '{% cache 60, "page", tags=["t"], stale=30 %}{{ n() }}'
    "{% nocache %}({{ user }}){% endnocache %}"
    '{% cache_each i in [1, 2], 60, "row", i %}{{ n() }}{% endcache_each %}'
    "{% endcache %}"
)


class Site:
    """A page with a cache that signs, in a store that others write to."""

    def __init__(self, store: Any = None, **options: Any) -> None:
        store = store or RecordingStore()
        self.values: dict[str, Any] = getattr(store, "inner", store).values
        self.clock = Clock()
        self.is_async = isinstance(store, CoroutineStore)
        self.renders = Counter()
        options.setdefault("signing_key", "secret")
        self.cache = FragmentCache(store, timer=self.clock, clock=self.clock, **options)
        env = environment({"page": PAGE}, self.cache, enable_async=self.is_async)
        self._page = env.get_template("page")

    def page(self, user: str = "a") -> str:
        return self._page.render(n=self.renders, user=user, long=LONG)

    @property
    def failures(self) -> int:
        """How many entries were refused."""
        return self.cache.stats().failures

    def key(self, name: str) -> str:
        (key,) = [key for key in self.values if key.startswith(f"fragment:{name}:")]
        return key


class Heard(Listener):
    """Collects the keys of what was refused."""

    def __init__(self) -> None:
        self.refused: list[str] = []

    def on_event(self, event: Event) -> None:
        if event.kind == "store_error":
            self.refused.append(event.key)


def sealed_by(secret: str, key: str, text: str) -> str:
    return Seal(secret, Clock()).seal(key, text, 0)


def refused(caplog: pytest.LogCaptureFixture) -> set[str]:
    """Return the keys that the log names, with why they were not read."""
    why = (
        "DamagedValueError: it is not signed for this key, or has ended. If signing_key"
        " was changed, list the old one before the new one until old entries have ended"
    )
    lines = [record.getMessage() for record in caplog.records]
    assert all(line.endswith(why) for line in lines)
    return {line.split("'")[1] for line in lines}


FORGED = f"<b>forged</b>{'!' * 50}"
EVERY_STORE = pytest.mark.parametrize("store", [RecordingStore, CoroutineStore])
KEYS = ["plain", "page", "row"]


@given(
    st.sampled_from([RecordingStore, CoroutineStore]),
    st.sampled_from([None, "zlib", "zstd"]),
    st.data(),
)
def test_nothing_that_others_change_is_ever_served(
    make: Any, compression: str | None, data: st.DataObject
) -> None:
    site = Site(make(), compression=compression)
    first = site.page()
    assert site.page() == first
    keys = sorted(site.values)
    before = dict(site.values)
    key = data.draw(st.sampled_from(keys))
    stored = str(before[key])
    at = data.draw(st.integers(0, len(stored) - 1))
    put = data.draw(st.text(st.characters(codec=None), max_size=2))
    ways: list[Callable[[], object]] = [
        lambda: stored[:at] + put + stored[at + 1 :],
        lambda: stored[:at],
        lambda: stored[at:],
        lambda: put + stored,
        lambda: before[data.draw(st.sampled_from(keys))],
        lambda: FORGED,
        lambda: sealed_by("another secret", key, FORGED),
        lambda: sealed_by("secret", "another key", FORGED),
        lambda: encode(Entry(FORGED, escaped=False)),
        lambda: 5,
        lambda: None,
        lambda: b"bytes",
        lambda: [FORGED],
    ]
    site.values[key] = changed = data.draw(st.sampled_from(ways))()
    if key.startswith("fragment:row:"):
        # A row is read only where the page around it is made.
        del site.values[site.key("page")]
    made, failures = site.renders.calls, site.failures
    again = site.page()
    assert "forged" not in again
    if changed != stored and changed is not None:
        assert site.failures > failures
    # Each part is what it was, or was made again.
    for old, new in zip(_numbers(first), _numbers(again), strict=True):
        assert new == old or new > made
    # What was made again is signed, so that it is served.
    assert site.page() == again


def _numbers(page: str) -> list[int]:
    plain, _, rest = page.partition("|")
    return [int(each) for each in (plain.partition("&")[0], *rest.split("(a)"))]


@EVERY_STORE
def test_an_entry_under_another_key_is_a_miss(
    store: Any, caplog: pytest.LogCaptureFixture
) -> None:
    site = Site(store())
    site.page()
    rows = [key for key in site.values if key.startswith("fragment:row:")]
    assert len(rows) == 2
    site.values[rows[0]], site.values[rows[1]] = (
        site.values[rows[1]],
        site.values[rows[0]],
    )
    del site.values[site.key("page")]
    assert site.page().endswith("|5(a)67")
    assert refused(caplog) == set(rows)


@pytest.mark.parametrize(
    "fields",
    [{"expires": 10**6}, {"tags": {}}, {"escaped": False}, {"holes": []}],
    ids=str,
)
def test_a_changed_header_is_a_miss(
    fields: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    site = Site()
    before = site.page()
    start, _, rest = site.values[site.key("page")].partition("\x1e{")
    line, _, text = rest.partition("\n")
    header = json.loads("{" + line) | fields
    site.values[site.key("page")] = f"{start}\x1e{json.dumps(header)}\n{text}"
    assert site.page() != before
    assert refused(caplog) == {site.key("page")}


@EVERY_STORE
def test_the_version_of_a_tag_is_signed_and_one_that_is_not_is_replaced(
    store: Any,
) -> None:
    site = Site(store())
    before = site.page()
    version = site.values[version_key("t")]
    for forged in ("0123456789abcdef", site.values[site.key("plain")], 5):
        site.values[version_key("t")] = forged
        after = site.page()
        assert after != before
        # It is stored again, with a version that is signed.
        assert site.page() == after
        before = after
    site.values[version_key("t")] = version
    assert site.page() != before


def test_what_is_not_signed_is_not_decompressed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    site = Site(compression="zlib")
    before = site.page()
    signed = site.values[site.key("plain")]
    packed = "\x1ezlib:" + signed.partition("\x1ezlib:")[2]
    site.values[site.key("plain")] = packed

    def decompress(text: str) -> str:
        raise AssertionError(text)

    with monkeypatch.context() as patch:
        patch.setattr(compression, "decompress", decompress)
        after = site.page()
    assert _numbers(after)[0] != _numbers(before)[0]
    # Without a key, the same is read.
    unsigned = Site(signing_key=None, compression="zlib")
    unsigned.values[site.key("plain")] = packed
    assert _numbers(unsigned.page())[0] == _numbers(before)[0]


@pytest.mark.parametrize("method", ["zlib", "zstd"])
def test_a_bomb_is_a_miss(method: str) -> None:
    site = Site(signing_key=None, compression=method)
    before = site.page()
    key = site.key("plain")
    size = site.values[key].split(":")[1]
    for told in (2**40, 2**24 + 1, 1, int(size) + 1):
        site.values[key] = site.values[key].replace(f":{size}:", f":{told}:")
        after = site.page()
        assert after != before
        before = after
        size = site.values[key].split(":")[1]


def test_an_old_entry_of_the_same_key_is_served_until_its_time_is_over(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Show what signing does not prevent: see docs/stores.md."""
    site = Site()
    site.page()
    old = dict(site.values)
    number = _numbers(site.page())[0]
    site.cache.delete_fragment("plain")
    assert _numbers(site.page())[0] != number
    site.values[site.key("plain")] = old[site.key("plain")]
    assert _numbers(site.page())[0] == number
    assert refused(caplog) == set()
    # The store of this test never forgets. A minute is for clocks that differ.
    site.clock.now += 60 + 60
    assert _numbers(site.page())[0] != number
    assert site.key("plain") in refused(caplog)


def test_an_old_entry_with_tags_is_served_only_with_their_old_versions() -> None:
    """Show what signing does not prevent: see docs/stores.md."""
    site = Site()
    before = _numbers(site.page())[1:]
    old, key, tag = dict(site.values), site.key("page"), version_key("t")
    site.cache.invalidate_tags("t")
    site.values[key] = old[key]
    assert _numbers(site.page())[1] != before[0]
    site.values[key], site.values[tag] = old[key], old[tag]
    assert _numbers(site.page())[1:] == before


def test_an_entry_without_a_timeout_ends_with_that_of_the_store() -> None:
    class ForgetfulStore(RecordingStore):
        default_timeout = 30

    site = Site(ForgetfulStore())
    assert ask(site.cache, "k", lambda: "text", timeout=None) == "text"
    site.clock.now += 30 + 59
    assert site.cache.get("k") == "text"
    site.clock.now += 1
    assert site.cache.get("k") is None


def test_an_entry_is_served_stale_where_entries_are_signed() -> None:
    site = Site()
    _, *before = _numbers(site.page())
    site.clock.now += 75
    again = FragmentCache(
        site.cache.store, signing_key="secret", clock=site.clock, timer=site.clock
    )
    env = environment({"page": PAGE}, again)
    with again.engine.context.flights.join(site.key("page"), has_stale=False)[0]:
        text = env.get_template("page").render(n=site.renders, user="a", long=LONG)
    assert _numbers(text)[1:] == before
    assert again.stats().stale == 1


class Trap:
    """Touches a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


def flask_site(**settings: Any) -> tuple[Flask, Cache, RecordingStore]:
    app, store = Flask(__name__), RecordingStore()
    settings = {"CACHE_TYPE": store, "CACHE_SIGNING_KEY": "secret"} | settings
    return app, Cache(app, config=settings), store


def test_nothing_is_unpickled_that_was_not_signed(tmp_path: Path) -> None:
    _, cache, store = flask_site()
    trap = tmp_path / "unpickled"
    pickled = b64encode(pickle.dumps(Trap(trap))).decode()
    planted = encode(Entry(pickled, form="pickle"))
    cache.set("k", {1})
    for stored in (planted, store.values["k"].partition("\x1e{")[0] + planted):
        store.values["k"] = stored
        assert cache.get("k") is None
        assert not trap.exists()
    # The trap works.
    _, unsigned, store = flask_site(CACHE_SIGNING_KEY=None)
    store.values["k"] = planted
    unsigned.get("k")
    assert trap.exists()


def test_no_number_of_others_is_taken_for_a_value() -> None:
    _, cache, store = flask_site()
    calls: list[int] = []

    @cache.cached(60, key_prefix="admin")
    def is_admin() -> int:
        calls.append(1)
        return 0

    cache.set("flag", False)
    assert is_admin() == 0
    for key in ("admin", "flag"):
        store.values[key] = 1
    assert (is_admin(), cache.get("flag")) == (0, None)
    assert len(calls) == 2
    assert (is_admin(), len(calls)) == (0, 2)
    # Nobody counts with what a function returns, so it is signed itself.
    assert not [key for key in store.values if key.startswith("number:")]


def test_the_number_of_a_counter_can_be_changed_but_stays_a_number() -> None:
    """Show what signing does not prevent: see docs/stores.md."""
    _, cache, store = flask_site()
    cache.set("n", 5)
    (beside,) = [key for key in store.values if key.startswith("number:")]
    store.values[beside] = 7
    assert cache.get("n") == 7
    store.values[beside] = "<b>"
    assert cache.get("n") is None
    assert cache.has("n") is False


def test_a_value_is_signed_for_its_key_and_a_fragment_for_its_own() -> None:
    app, cache, store = flask_site()
    key = make_template_fragment_key("plain")
    app.jinja_env.cache = {}
    page = '{% cache 60, "plain" %}made{% endcache %}'
    cache.set("comment", "<b>forged</b>")
    store.values[key] = store.values["comment"]
    with app.app_context():
        assert app.jinja_env.from_string(page).render() == "made"
        store.values["comment"] = store.values[key]
        assert cache.get("comment") is None
        assert cache.get(key) == "made"


def test_lists_are_read_in_one_trip_where_entries_are_signed() -> None:
    class ManyStore(RecordingStore):
        def get_many(self, *keys: str) -> list[Any]:
            self._note("get_many")
            return [self.values.get(key) for key in keys]

    store = ManyStore()
    page = "{% cache_each i in rows, 60, 'row', i %}{{ i }}{% endcache_each %}"
    options: dict[str, Any] = {"signing_key": "secret", "compression": "zlib"}
    env = environment({"page": page}, FragmentCache(store, **options))
    rows = [LONG + str(number) for number in range(20)]
    before = env.get_template("page").render(rows=rows)
    store.calls.clear()
    assert env.get_template("page").render(rows=rows) == before
    assert store.calls == ["get_many"]


def test_a_hit_on_an_event_loop_is_opened_too() -> None:
    site = Site(CoroutineStore())
    before = site.page()
    text = asyncio.run(site.cache.get_async(site.key("plain")))
    assert text is not None
    assert before.startswith(text)


def test_what_is_refused_is_logged_and_counted_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    site = Site()
    site.page()
    # What was forged stays: nothing is written over it.
    key, read = site.key("plain"), site.cache.get
    site.values[key] = FORGED
    assert (read(key), read(key), site.failures) == (None, None, 1)
    site.page()
    assert (site.failures, len(caplog.records)) == (1, 1)
    # It was replaced, so the same text is another refusal.
    site.values[key] = FORGED
    site.page()
    assert (site.failures, len(caplog.records)) == (2, 2)
    site.values[key] = FORGED + "!"
    site.page()
    assert (site.failures, len(caplog.records)) == (3, 3)


def test_the_log_names_some_of_many_entries_that_are_refused(
    caplog: pytest.LogCaptureFixture,
) -> None:
    site = Site()
    keys = [f"fragment:{number}" for number in range(MOST_LOGGED + 5)]
    site.values |= dict.fromkeys(keys, FORGED)
    heard = Heard()
    site.cache.listen(heard)
    assert [site.cache.get(key) for key in keys] == [None] * len(keys)
    assert (site.failures, heard.refused) == (len(keys), keys)
    lines = [record.getMessage() for record in caplog.records]
    assert [line.split("'")[1] for line in lines[:-1]] == keys[:MOST_LOGGED]
    assert lines[-1].startswith("More entries are refused.")
    site.clock.now += LOG_SECONDS
    site.values["fragment:late"] = FORGED
    assert site.cache.get("fragment:late") is None
    assert "fragment:late" in caplog.records[-1].getMessage()
