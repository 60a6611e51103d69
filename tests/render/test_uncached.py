import pytest

from jinja_fragcache import About, Reason, make_template_fragment_key
from jinja_fragcache.render.environment import Site
from jinja_fragcache.render.uncached import Uncached, flow_uncached
from tests.support import Ears, environment, fragment_cache

SITE: Site = ("home.html", 14, "", "", "||", "")
KEY = make_template_fragment_key("side bar", [7])


@pytest.mark.parametrize(
    ("uncached", "name"),
    [
        (Uncached(Reason.UNLESS, KEY), "side_bar"),
        (Uncached(Reason.KEY, name="side bar"), "side_bar"),
        (Uncached(Reason.KEY, name=7), "unnamed"),
    ],
)
def test_a_fragment_without_a_key_is_named_as_one_with_it(
    uncached: Uncached, name: str
) -> None:
    told = uncached._replace(values=[7]).about(SITE)
    assert told == About("fragment", name, (7,), "home.html", 14)


def test_what_is_not_cached_is_counted_and_its_flow_is_its_own() -> None:
    env = environment()
    uncached = Uncached(Reason.UNLESS, KEY)
    assert flow_uncached(env, SITE, uncached) is uncached.flow
    fragment_cache(env).listen(Ears())
    assert flow_uncached(env, SITE, uncached) is not uncached.flow
    assert fragment_cache(env).stats().uncached == 2
