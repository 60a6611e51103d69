"""The rules of a cache without settings, as the page with the settings shows them."""

from dataclasses import fields

from jinja_fragcache.cache import FragmentCache
from jinja_fragcache.engine.policy import Policy

from .masking import ShownSetting, show_setting


def shown_rules(cache: FragmentCache) -> list[ShownSetting]:
    """Return the rules in force, by the names of the arguments of `FragmentCache`."""
    policy = cache.policy
    return [
        show_setting(each.name, getattr(policy, each.name), each.default)
        for each in fields(Policy)
    ]
