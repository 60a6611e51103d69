"""How the values of decorated functions are looked up and stored."""

from dataclasses import dataclass
from typing import Protocol

from jinja_fragcache.engine.engine import Engine
from jinja_fragcache.entries.serializers import make_serializer
from jinja_fragcache.entries.values import ValueCodec


class ValueRules(Protocol):
    """What a call of a decorated function has to know of its cache."""

    @property
    def engine(self) -> Engine:
        """The engine of the cache."""
        ...

    @property
    def codec(self) -> ValueCodec:
        """How values are stored."""
        ...

    @property
    def source_check(self) -> bool | None:
        """Whether the source of a function is part of its keys.

        None if nobody has said so.
        """
        ...


@dataclass(frozen=True, slots=True)
class PlainRules:
    """The rules of a cache that has no application.

    Attributes:
        engine: The engine of the cache.
        codec: How values are stored.
        source_check: None, because only decorators say so.
    """

    engine: Engine
    codec: ValueCodec
    source_check: bool | None = None


def plain_rules(engine: Engine, *, is_signed: bool) -> PlainRules:
    """Return the rules of a cache, by its policy.

    Args:
        engine: The engine of the cache.
        is_signed: Whether its entries are signed.
    """
    serializer = make_serializer(engine.policy.serializer)
    return PlainRules(engine, ValueCodec(serializer, is_signed=is_signed))


def checks_source(rules: ValueRules, source_check: bool | None) -> bool | None:
    """Return what a decorator's option says, or if it says nothing, the cache.

    Args:
        rules: The rules of the cache.
        source_check: The option.
    """
    return rules.source_check if source_check is None else source_check
