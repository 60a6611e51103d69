import threading
from typing import Any

import pytest
from jinja2 import Environment

from jinja_fragcache import FragmentCache, Report
from jinja_fragcache.observe.events import Event, Reason, Why
from jinja_fragcache.observe.figures import (
    MOST_NAMES,
    Figures,
    NameFigures,
    added_up,
)
from jinja_fragcache.observe.names import OTHER
from jinja_fragcache.observe.seen import MOST_BYTES, MOST_KEYS, MOST_KEYS_OF_NAME, Seen
from tests.forking import Child
from tests.support import Clock, RecordingStore, environment, in_threads

PAGES = {
    "page": "{% cache 60, 'outer', u %}{{ body() }}"
    "{% cache 60, 'inner', u % 3, tags=['t'] %}{{ body() }}{% endcache %}"
    "{% endcache %}{% cache 60, 'off', unless=true %}{{ body() }}{% endcache %}",
    "named": "{% cache 60, name %}text{% endcache %}",
}


def site(figures: Figures, store: Any = None) -> Environment:
    return environment(PAGES, FragmentCache(store, listeners=[figures]))


def test_the_figures_are_those_of_counted_renders_under_threads() -> None:
    figures, lock = Figures(), threading.Lock()
    env = site(figures)
    rendered: list[str] = []

    def work(which: int) -> None:
        for number in range(60):

            def body() -> str:
                with lock:
                    rendered.append("x")
                return "text"

            user = (number * 7 + which) % 20
            env.get_template("page").render(u=user, body=body)

    in_threads(4, work)
    stats = env.fragment_cache.stats()  # type: ignore[attr-defined]
    by_name = {each.name: each for each in figures.by_name()}
    inner, off, outer = by_name["inner"], by_name["off"], by_name["outer"]
    assert sum(each.renders for each in by_name.values()) == len(rendered)
    assert outer.asked == off.asked == off.uncached == 240
    assert inner.asked == outer.renders == 20
    assert sum(each.hits + each.stale for each in by_name.values()) == stats.hits
    assert sum(each.misses for each in by_name.values()) == stats.misses
    assert off.reasons == {"unless": 240}
    assert outer.reasons == {"no entry": outer.misses}
    assert outer.last_place == "page:1"
    assert outer.bytes_stored > 20 * len("texttext")


def test_what_follows_from_the_counts() -> None:
    figures = NameFigures("fragment", "x", hits=6, misses=2, renders=2, body_seconds=3)
    assert figures.asked == 8
    assert figures.hit_ratio == 0.75
    assert figures.mean_body_seconds == 1.5
    assert figures.seconds_saved == 9


def test_what_follows_from_no_counts_is_not_known() -> None:
    figures = NameFigures("fragment", "x", hits=0)
    assert figures.hit_ratio is None
    assert figures.mean_body_seconds is None
    assert figures.seconds_saved is None


def test_what_fails_is_counted_with_its_reason() -> None:
    store, figures = RecordingStore(), Figures()
    store.failing = {"set"}
    cache = FragmentCache(store, listeners=[figures])
    env = environment({"p": "{% cache 60, 'x' %}{{ 1 / n }}{% endcache %}"}, cache)
    with pytest.raises(ZeroDivisionError):
        env.get_template("p").render(n=0)
    env.get_template("p").render(n=1)
    (found,) = figures.by_name()
    assert (found.errors, found.renders, found.bytes_stored) == (1, 2, 0)
    assert found.reasons == {"no entry": 2, "error": 1, "the store failed": 1}
    assert figures.store_errors == 1


def test_names_without_end_are_one_name() -> None:
    figures = Figures()
    for number in range(MOST_NAMES + 5):
        figures.on_report(Report("fragment", f"n{number}", "hit"))
    found = {each.name: each.hits for each in figures.by_name()}
    assert len(found) == MOST_NAMES + 1
    assert found[OTHER] == 5


def test_the_figures_of_several_are_added_up() -> None:
    one = NameFigures("fragment", "x", hits=1, reasons={"a": 1}, body_seconds=0.5)
    two = NameFigures("fragment", "x", hits=2, reasons={"a": 1, "b": 1}, last_place="p")
    function = NameFigures("function", "x", renders=1)
    assert added_up([one, function, two]) == [
        NameFigures(
            "fragment",
            "x",
            hits=3,
            reasons={"a": 2, "b": 1},
            body_seconds=0.5,
            last_place="p",
        ),
        function,
    ]


def test_a_child_process_begins_with_no_figures() -> None:
    figures = Figures()
    figures.on_report(Report("fragment", "x", "hit", key="k"))

    def child() -> str:
        before = (figures.by_name(), figures.entries_of("fragment", "x"))
        figures.on_report(Report("fragment", "y", "hit"))
        return f"{before} {[each.name for each in figures.by_name()]}"

    assert Child(child).result() == "([], []) ['y']"
    assert [each.name for each in figures.by_name()] == ["x"]


def test_an_entry_is_shown_as_it_was_seen() -> None:
    clock, figures = Clock(), None
    figures = Figures(clock)
    store = RecordingStore()
    text = "{% cache 60, 'x', 7, name, tags=['t'] %}text{% endcache %}"
    cache = FragmentCache(store, listeners=[figures], clock=clock)
    page = environment({"p": text}, cache).get_template("p")
    page.render(name="Ada")
    clock.now += 10
    page.render(name="Ada")
    (seen,) = figures.entries_of("fragment", "x")
    assert seen.values == ("7", "'Ada'")
    assert (seen.place, seen.tags) == ("p:1", ("t",))
    assert seen.size == len(store.values[seen.key])
    assert (seen.stored_at, seen.expires_at) == (1000, 1060)
    assert (seen.last_outcome, seen.hits) == ("hit", 1)


def test_an_entry_that_others_have_made_since_has_no_known_age() -> None:
    clock = Clock()
    figures = Figures(clock)
    stored = Report("fragment", "x", "miss", key="k", age=0.0, expires_in=60.0)
    figures.on_report(stored)
    clock.now += 10
    figures.on_report(Report("fragment", "x", "hit", key="k", expires_in=55.0))
    (seen,) = figures.entries_of("fragment", "x")
    assert (seen.stored_at, seen.expires_at) == (None, 1065)


def test_a_deleted_key_is_no_longer_listed() -> None:
    figures = Figures()
    cache = FragmentCache(listeners=[figures])
    page = environment({"p": "{% cache 60, 'x' %}text{% endcache %}"}, cache)
    page.get_template("p").render()
    cache.delete_fragment("x")
    assert figures.entries_of("fragment", "x") == []


def test_a_value_whose_repr_fails_is_shown_by_its_class() -> None:
    class Hostile:
        def __repr__(self) -> str:
            raise RuntimeError

    figures = Figures()
    figures.on_report(Report("function", "f", "hit", key="k", values=(Hostile(),)))
    (seen,) = figures.entries_of("function", "f")
    assert seen.values == ("an object of Hostile",)


def _note(seen: Seen, name: str, key: str) -> None:
    seen.note(("fragment", name), Report("fragment", name, "hit", key=key), 0)


def test_the_keys_of_a_name_that_were_seen_last_are_kept() -> None:
    seen = Seen()
    for number in range(MOST_KEYS_OF_NAME):
        _note(seen, "x", f"k{number}")
    _note(seen, "x", "k0")
    _note(seen, "x", "new")
    keys = [each.key for each in seen.of("fragment", "x")]
    assert keys[:2] == ["new", "k0"]
    assert len(keys) == MOST_KEYS_OF_NAME
    assert "k1" not in keys


def test_the_keys_of_all_names_are_bounded() -> None:
    seen = Seen()
    names = MOST_KEYS // 50 + 2
    for name in range(names):
        for number in range(50):
            _note(seen, f"n{name}", f"{name}-{number}")
    assert seen.of("fragment", "n0") == []
    assert sum(len(seen.of("fragment", f"n{each}")) for each in range(names)) <= (
        MOST_KEYS
    )


def test_the_bytes_of_keys_are_bounded() -> None:
    seen = Seen()
    for number in range(200):
        _note(seen, f"n{number % 20}", f"{number}" + "x" * 80_000)
    found = [each for n in range(20) for each in seen.of("fragment", f"n{n}")]
    assert found
    assert sum(each.memory for each in found) <= MOST_BYTES
    _note(seen, "huge", "x" * MOST_BYTES)
    assert seen.of("fragment", "huge") == []


def test_one_of_the_others_is_listed_as_such() -> None:
    figures = Figures()
    for number in range(MOST_NAMES + 1):
        figures.on_report(Report("fragment", f"n{number}", "hit", key=f"k{number}"))
    (seen,) = figures.entries_of("fragment", OTHER)
    assert seen.key == f"k{MOST_NAMES}"


def test_an_uncached_fragment_has_no_key_to_list() -> None:
    figures = Figures()
    why = Why(Reason.UNLESS)
    figures.on_report(Report("fragment", "x", "uncached", why, rendered=True))
    figures.on_event(Event("miss", "k"))
    (found,) = figures.by_name()
    assert (found.uncached, found.renders) == (1, 1)
    assert figures.entries_of("fragment", "x") == []
