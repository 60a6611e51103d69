import jinja_fragcache
from tools.repository import urls, version


def test_the_version_is_that_of_the_package() -> None:
    assert version() == jinja_fragcache.__version__


def test_addresses_end_without_a_slash_and_are_known_by_small_letters() -> None:
    named = urls()
    assert all(name.islower() and not url.endswith("/") for name, url in named.items())
