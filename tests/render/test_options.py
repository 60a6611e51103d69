from datetime import timedelta
from typing import Any

import pytest
from jinja2 import StrictUndefined, Undefined

from jinja_fragcache import FragmentCache, FragmentTagError
from tests.support import Counter, RecordingStore, environment, fragment_cache


@pytest.mark.parametrize("timeout", ["300", -1, True, object(), float("nan"), "DEL"])
def test_a_wrong_timeout_is_an_error_that_names_the_place(timeout: Any) -> None:
    env = environment({"page": "\n{% cache t, 'x' %}text{% endcache %}"})
    with pytest.raises(
        FragmentTagError, match=r"page, line 2: .*number of seconds.*'del' deletes"
    ):
        env.get_template("page").render(t=timeout)


def test_an_undefined_timeout_is_an_error() -> None:
    env = environment({"page": "{% cache t, 'x' %}text{% endcache %}"})
    with pytest.raises(FragmentTagError, match="page, line 1"):
        env.get_template("page").render()


@pytest.mark.parametrize("name", ["stale", "stale_if_error"])
@pytest.mark.parametrize(
    "window",
    ["60", -1, True, object(), [1], float("nan"), Undefined(name="far")],
)
def test_a_wrong_grace_period_is_an_error_that_names_the_place(
    name: str, window: Any
) -> None:
    store = RecordingStore()
    source = "\n{% cache 5, 'x', " + name + "=w %}text{% endcache %}"
    env = environment({"page": source}, store, undefined=StrictUndefined)
    told = f"^page, line 2: {name} can't be .*It is a number of seconds from 0"
    with pytest.raises(FragmentTagError, match=told):
        env.get_template("page").render(w=window)
    assert store.calls == []


def test_an_undefined_grace_period_is_named_in_the_error() -> None:
    template = environment().from_string("{% cache 5, stale=far %}a{% endcache %}")
    with pytest.raises(
        FragmentTagError, match=r"stale can't be undefined \(.*'far' is undefined"
    ):
        template.render()


def test_del_does_not_check_the_grace_periods() -> None:
    store = RecordingStore()
    source = "{% cache how, 'x', stale=w, stale_if_error=w %}{{ n }}{% endcache %}"
    template = environment(store=store).from_string(source)
    template.render(how=5, w=60, n=1)
    assert template.render(how="del", w="wrong", n=2) == "2"
    assert store.values == {}


@pytest.mark.parametrize(
    ("timeout", "stored"), [(timedelta(minutes=1), 60), (0.1, 1), (None, None), (0, 0)]
)
def test_a_timeout_may_be_an_expression(timeout: Any, stored: int | None) -> None:
    store = RecordingStore()
    template = environment(store=store).from_string("{% cache t, 'x' %}{% endcache %}")
    template.render(t=timeout)
    assert list(store.timeouts.values()) == [stored]


@pytest.mark.parametrize("unless", [True, 1, "yes"])
def test_a_true_unless_does_not_call_the_store(unless: Any) -> None:
    store = RecordingStore()
    env = environment(store=FragmentCache(store, strict=True))
    source = "{% cache 5, 'x', nowhere, unless=u %}{{ n }}{% endcache %}"
    template = env.from_string(source)
    assert [template.render(u=unless, n=n) for n in "ab"] == ["a", "b"]
    assert store.calls == []
    assert fragment_cache(env).stats().uncached == 2


@pytest.mark.parametrize("unless", [False, None, 0, ""])
def test_a_false_unless_changes_nothing(unless: Any) -> None:
    env = environment(store=RecordingStore())
    template = env.from_string("{% cache 5, 'x', unless=u %}{{ n }}{% endcache %}")
    assert [template.render(u=unless, n=n) for n in "ab"] == ["a", "a"]


def test_if_unless_is_true_no_other_argument_is_evaluated() -> None:
    source = (
        "{% cache user.timeout, user.name, user.id, unless=not user,"
        " stale=user.stale, stale_if_error=user.stale.if_error %}a{% endcache %}"
    )
    strict = environment(undefined=StrictUndefined)
    assert strict.from_string(source).render(user=None) == "a"


def test_unless_is_evaluated_once() -> None:
    calls = Counter()
    source = "{% cache a, b, c, unless=calls() > 1 %}a{% endcache %}"
    template = environment().from_string(source)
    assert template.render(calls=calls, a=1, b="b", c="c") == "a"
    assert calls.calls == 1
