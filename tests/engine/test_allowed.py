from typing import Any

import pytest

from jinja_fragcache import FragmentCache, guard_variables
from jinja_fragcache.engine import dependencies
from jinja_fragcache.engine.allowed import allowed_names
from jinja_fragcache.errors import PolicyError


@pytest.mark.parametrize(
    "names",
    [
        (),
        [],
        ["g.theme", "session"],
        ["request.headers.accept-language", "flashed messages"],
        ["brand"],
    ],
)
def test_names_are_taken(names: Any) -> None:
    assert allowed_names(names) == tuple(names)


def test_names_may_come_one_by_one() -> None:
    assert FragmentCache(guard_allow=iter(["g.theme"])).policy.guard_allow == (
        "g.theme",
    )


@pytest.mark.parametrize(
    "names", [None, 5, "g.theme", [""], ["g theme"], ["g..a"], [".g"], [3], {"a.": 1}]
)
def test_what_is_no_list_of_names_is_refused(names: Any) -> None:
    with pytest.raises(PolicyError, match=r"guard_allow can't be .* names"):
        FragmentCache(guard_allow=names)


def test_a_name_that_is_similar_to_a_framework_s_is_warned_of() -> None:
    with pytest.warns(UserWarning, match="sesion. Did you mean session?") as warned:
        FragmentCache(guard_allow=["sesion.cart"])
    assert warned[0].filename == __file__


@pytest.mark.parametrize(
    "name", ["session.*", 'session.get("name")', "session['name']", "g.*.name"]
)
def test_an_expression_is_no_name(name: str) -> None:
    with pytest.raises(PolicyError, match=r"and .session. for all that is in it"):
        FragmentCache(guard_allow=[name])


def test_a_part_of_the_request_that_is_similar_to_another_is_warned_of() -> None:
    with pytest.warns(UserWarning, match=r"named arg\. Did you mean args\?") as warned:
        FragmentCache(guard_allow=["request.arg.page"])
    assert warned[0].filename == __file__


@pytest.mark.parametrize(
    "name",
    ["request.form()", "request.args.page", "request.tenant", "request.session.a"],
)
def test_a_part_of_the_request_is_taken_as_it_is(name: str) -> None:
    assert allowed_names([name]) == (name,)


def test_a_registered_name_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dependencies, "_noting", {})
    guard_variables("sesion")
    assert allowed_names(["sesion"]) == ("sesion",)


@pytest.mark.parametrize("name", [3, "a.b", ["a"], "", None])
def test_what_is_no_name_of_a_variable_can_not_be_guarded(name: Any) -> None:
    with pytest.raises(PolicyError, match=r"guard_variables can't be .* names of"):
        guard_variables(name)
