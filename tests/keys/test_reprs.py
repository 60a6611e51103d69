"""Which objects count by their repr, and which are refused."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jinja_fragcache.errors import KeyValueError
from jinja_fragcache.keys.encoding import encode_argument, encode_value
from jinja_fragcache.keys.reprs import full_repr


class Printed:
    """An object whose repr is made by a function.

    Args:
        show: Makes the repr.
        attributes: What the object holds.
    """

    def __init__(self, show: Callable[[Any], str], **attributes: Any) -> None:
        type(self).show = show
        vars(self).update(attributes)

    show: Callable[[Any], str]

    def __repr__(self) -> str:
        return type(self).show(self)


ADDRESSES: list[Callable[[Any], str]] = [
    lambda cart: f"<Cart at 0x{id(cart):x}>",
    lambda cart: f"<Cart at {id(cart):x}>",
    lambda cart: f"<Cart at {id(cart):X}>",
    lambda cart: f"<Cart at 0X{id(cart):X}>",
    lambda cart: f"<Cart at {id(cart):016x}>",
    lambda cart: f"<Cart {id(cart)}>",
    lambda cart: f"<Cart {-id(cart)}>",
    lambda cart: f"<Cart -{id(cart):x}>",
    lambda cart: f"<Cart {(1 << 64) - id(cart):x}>",
    lambda cart: f"<Cart {id(cart):o}>",
    lambda cart: f"<Cart {id(cart):b}>",
    lambda cart: f"<Cart {object.__hash__(cart)}>",
    lambda cart: f"<Cart {object.__hash__(cart):x}>",
]


@pytest.mark.parametrize("show", ADDRESSES)
@pytest.mark.parametrize("attributes", [{}, {"number": 5}])
def test_an_address_in_any_form_is_refused(
    show: Callable[[Any], str], attributes: dict[str, Any]
) -> None:
    for encode in (encode_value, encode_argument):
        with pytest.raises(KeyValueError, match="only by its address in memory"):
            encode(Printed(show, **attributes))


SHORTENED = [
    "     a\n0    0\n..  ..\n99  99",
    "[100 rows x 1 columns]",
    "[1 row × 2 columns]",  # noqa: RUF001 - as it is printed
    "array([0., 0., ..., 0.])",
    "tensor([0., 0., \u2026, 0.])",
    "<Set 1, 2 and 5 more>",
    "<QuerySet ['(remaining elements truncated)']>",
]


@pytest.mark.parametrize("text", SHORTENED)
def test_a_shortened_repr_is_refused(text: str) -> None:
    with pytest.raises(KeyValueError, match="only by a shortened text"):
        encode_value(Printed(lambda _: text))
    with pytest.raises(KeyValueError, match="only by a shortened text"):
        encode_value(Printed(lambda _: text, rows=[1]))


@pytest.mark.parametrize(
    ("text", "attributes", "named"),
    [
        ("<Cart>", {"items": [1]}, "items"),
        ("Cart()", {"items": []}, "items"),
        ("<Cart of ann>", {"user": "ann", "items": [1]}, "items"),
        ("<Cart 1, 2>", {"items": [1, 2, 3]}, "items"),
        ("<Cart 1, 2>", {"items": {1: 2, 2: 3}}, "items"),
        ("<Cart>", {"_a": 1, "_b": 2}, "_a, _b"),
    ],
)
def test_a_repr_that_does_not_show_an_attribute_is_refused(
    text: str, attributes: dict[str, Any], named: str
) -> None:
    with pytest.raises(KeyValueError, match=f"which does not show {named}:"):
        encode_value(Printed(lambda _: text, **attributes))


def test_a_repr_that_does_not_show_a_slot_is_refused() -> None:
    class Cart:
        __slots__ = ("items", "unset")

        def __init__(self) -> None:
            self.items = [1]

        def __repr__(self) -> str:
            return "Cart()"

    with pytest.raises(KeyValueError, match="which does not show items:"):
        encode_value(Cart())


@pytest.mark.parametrize(
    ("text", "attributes"),
    [
        ("Cart()", {}),
        ("Cart(1)", {"number": 1}),
        ("Cart('a..b')", {"name": "a..b"}),
        ("Cart(0xFF00FF)", {"colour": "0xFF00FF"}),
        ("Cart(1, 2)", {"items": [1, 2]}),
        ("Cart(a: 1)", {"items": {"a": 1}}),
        ("Cart(a, (1, 2))", {"items": ("a", (1, 2))}),
    ],
)
def test_a_repr_that_shows_everything_is_an_identity(
    text: str, attributes: dict[str, Any]
) -> None:
    encoded = {encode_value(Printed(lambda _: text, **attributes)) for _ in range(3)}
    assert len(encoded) == 1


def test_attributes_of_one_repr_are_told_apart() -> None:
    def show(point: Any) -> str:
        return f"P{point.x}{point.y}"

    assert encode_value(Printed(show, x=1, y=11)) != encode_value(
        Printed(show, x=11, y=1)
    )


def test_the_result_of_a_cached_property_is_no_attribute() -> None:
    class Cart:
        def __init__(self) -> None:
            self.number = 1

        def __repr__(self) -> str:
            return f"Cart({self.number})"

        class _Computed:
            def __get__(self, cart: Any, _: type) -> int:
                vars(cart)["total"] = 99
                return 99

        total = _Computed()

    used = Cart()
    assert used.total == 99
    assert encode_value(used) == encode_value(Cart())


def test_an_object_that_may_hold_more_than_can_be_read_is_refused() -> None:
    for value in (iter(range(5)), ValueError("x"), type("Sub", (ValueError,), {})()):
        with pytest.raises(KeyValueError, match="is known only by its"):
            encode_value(value)


def test_an_error_shows_the_repr_on_one_line_and_the_log_does_not_show_it() -> None:
    cart = Printed(lambda _: "<Cart\nroot logged in>", name="ann")
    with pytest.raises(KeyValueError) as caught:
        encode_value(cart)
    assert r"<Cart\nroot logged in>" in str(caught.value)
    assert "(Printed)" in caught.value.for_log
    assert "root" not in caught.value.for_log


@given(st.dictionaries(st.sampled_from("abc"), st.text() | st.integers()), st.text())
def test_a_repr_is_an_identity_only_if_it_shows_each_attribute(
    attributes: dict[str, Any], text: str
) -> None:
    value = Printed(lambda _: text, **attributes)
    try:
        assert full_repr(value, attributes) == text
    except KeyValueError:
        return
    assert all(str(each) in text or repr(each) in text for each in attributes.values())
