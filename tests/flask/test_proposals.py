"""What the guard tells to write works when it is pasted."""

import re
from typing import Any

import pytest

from jinja_fragcache import Cache, UncoveredReadError
from tests.flask.personal import WAYS, PersonalSite, Way

IN_KEYS = [way for way in WAYS if way.key and way.read not in {"tenant", "cart"}]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> PersonalSite:
    """Return a site in debug mode."""
    made = PersonalSite(Cache(), tmp_path_factory.mktemp("site"), debug=True)
    made.app.config["PROPAGATE_EXCEPTIONS"] = True
    return made


def told(site: PersonalSite, way: Way, who: str) -> str:
    with pytest.raises(UncoveredReadError) as caught:
        site.visit(way, "fragment", who, site.client(way, who))
    return str(caught.value)


@pytest.mark.parametrize("first", ["ann", "bob"])
@pytest.mark.parametrize("way", IN_KEYS, ids=lambda way: way.name)
def test_the_tag_of_the_message_keeps_each_user_s_text(
    site: PersonalSite, way: Way, first: str
) -> None:
    with site.app.app_context():
        site.cache.clear()
    name = f"fragment-{WAYS.index(way)}"
    loader: Any = site.app.jinja_loader
    source = loader.mapping[name]
    tag = re.search(r"Write (\{% cache .*? %\})", told(site, way, first))
    assert tag is not None
    try:
        loader.mapping[name] = re.sub(r"\{% cache .*? %\}", lambda _: tag[1], source)
        before = site.cache.stats()
        users = ("ann", "bob", "ann", "bob")
        texts = [
            site.visit(way, "fragment", who, site.client(way, who)) for who in users
        ]
        assert texts[:2] == texts[2:]
        assert texts[0] != texts[1]
        after = site.cache.stats()
        assert (after.stored - before.stored, after.hits - before.hits) == (2, 2)
    finally:
        loader.mapping[name] = source
