import pytest

from jinja_fragcache.check.vocabulary import (
    is_flag,
    request_says,
    vocabulary,
    within,
)


def test_the_longest_name_that_a_path_begins_with_counts() -> None:
    names = frozenset({("g",), ("g", "user"), ("user",)})
    assert within(("g", "user", "name"), names) == ("g", "user")
    assert within(("g", "db"), names) == ("g",)
    assert within(("users",), names) is None


def test_settings_add_names() -> None:
    words = vocabulary(["g.tenant"], ["g.tongue"], ["brand"], ["g.shop", "get_x()"])
    assert within(("g", "tenant", "id"), words.personal)
    assert within(("g", "tongue"), words.locales)
    assert within(("brand",), words.shared)
    assert words.covered == {("g", "shop"), ("get_x",)}
    assert {"user", "request", "g", "brand", "csrf_token"} <= words.known


def test_a_shared_name_is_taken_out_of_the_other_lists() -> None:
    words = vocabulary(shared=["user", "messages"])
    assert ("user",) not in words.users
    assert ("messages",) not in words.tokens


@pytest.mark.parametrize("step", ["is_admin", "has_access", "can_edit", "role", "lang"])
def test_attributes_that_many_objects_have_in_common(step: str) -> None:
    assert is_flag(step)


@pytest.mark.parametrize("step", ["id", "name", "title", "get_id", "island"])
def test_attributes_that_tell_an_object(step: str) -> None:
    assert not is_flag(step)


def test_what_a_part_of_the_request_says_of_others() -> None:
    assert "args" in request_says(("request", "full_path"))
    assert "host" not in request_says(("request", "full_path"))
    assert request_says(("request", "args", "page")) == ()
    assert request_says(("session", "url")) == ()
