"""`vary_on="auto"` and the guard, in requests of Flask."""

import pytest
from flask import g, render_template_string, session

from tests.flask.support import Site


def page(site: Site, body: str, cart: int, values: str = "") -> str:
    source = f'{{% cache 60, "n"{values}, vary_on="auto" %}}{body}{{% endcache %}}'
    with site.app.test_request_context(f"/?page={cart}"):
        session["cart"] = g.cart = cart
        return render_template_string(source, title=cart)


@pytest.mark.parametrize(
    "body", ["{{ session.cart }}", "{{ g.cart }}", "{{ request.args.page }}"]
)
def test_what_is_read_of_the_request_is_the_guards_to_watch(
    site: Site, body: str
) -> None:
    name = body[3:-3]
    before = site.cache.stats().stored
    for cart in (1, 2):
        assert page(site, body, cart) == str(cart)
    assert site.cache.stats().stored == before
    for cart in (1, 2, 1):
        assert page(site, body, cart, f", {name}") == str(cart)
    assert site.cache.stats().stored == before + 2


def test_names_of_context_processors_are_values_that_the_key_covers(
    site: Site,
) -> None:
    processors = site.app.template_context_processors[None]
    processors.append(lambda: {"cart": session["cart"], "shop": "Shop"})
    before = site.cache.stats()
    for cart in (1, 2, 1):
        assert (
            page(site, "{{ cart }}{{ shop }}{{ title }}", cart) == f"{cart}Shop{cart}"
        )
    after = site.cache.stats()
    assert (after.hits - before.hits, after.stored - before.stored) == (1, 2)


@pytest.mark.parametrize("body", ["{{ cart }}", "{{ cart.number }}"])
def test_so_are_containers_by_their_name_or_by_what_they_hold(
    site: Site, body: str
) -> None:
    processors = site.app.template_context_processors[None]
    processors.append(lambda: {"cart": {"number": session["cart"]}})
    before = site.cache.stats().stored
    for cart in (1, 2, 1):
        assert str(cart) in page(site, body, cart)
    assert site.cache.stats().stored == before + 2


class Cart:
    def __init__(self, number: int) -> None:
        self.number = number


def test_objects_of_context_processors_are_the_guards_to_watch(site: Site) -> None:
    processors = site.app.template_context_processors[None]
    processors.append(lambda: {"cart": Cart(session["cart"])})
    before = site.cache.stats().stored
    for cart in (1, 2, 1):
        assert page(site, "{{ cart.number }}", cart) == str(cart)
    assert site.cache.stats().stored == before
