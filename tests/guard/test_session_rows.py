"""Rows of SQLAlchemy that a session has, and what else belongs to one."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import ForeignKey, create_engine
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    Session,
    mapped_column,
    relationship,
)
from sqlalchemy.orm.exc import DetachedInstanceError

from jinja_fragcache.guard.session_rows import is_of_session, is_without_session


class Base(DeclarativeBase):
    """The base of the models."""


class Shop(Base):
    """A model with something that is loaded later."""

    __tablename__ = "shop"
    id: Mapped[int] = mapped_column(primary_key=True)
    teas: Mapped[list["Tea"]] = relationship()


class Tea(Base):
    """What is loaded later."""

    __tablename__ = "tea"
    id: Mapped[int] = mapped_column(primary_key=True)
    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.id"))


@pytest.fixture
def session() -> Iterator[Session]:
    engine = create_engine("sqlite://")
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        session.add(Shop(id=1, teas=[Tea(id=1), Tea(id=2)]))
        session.commit()
        yield session
    engine.dispose()


def test_what_a_session_has_is_told_also_inside_of_lists(session: Session) -> None:
    shop = session.get_one(Shop, 1)
    query = session.query(Shop)

    for each in (
        *(shop, shop.teas, session, query, [shop], (shop,), {"shop": shop}, {shop}),
        *([{"shop": shop}], {"shops": [shop]}),
    ):
        assert is_of_session(each)


def test_what_no_session_has_is_not_told(session: Session) -> None:
    shop = session.get_one(Shop, 1)
    session.expunge(shop)
    endless: list[Any] = []
    endless.append(endless)

    for each in (shop, [shop], Shop(id=2), Shop, Session, 1, "text", None, endless):
        assert not is_of_session(each)


def test_not_all_of_a_long_list_is_looked_at() -> None:
    looked: list[int] = []

    class Item:
        @property
        def _sa_instance_state(self) -> Any:
            looked.append(1)
            raise AttributeError

    Item.__mapper__ = None  # type: ignore[attr-defined]

    assert not is_of_session([Item() for _ in range(1000)])
    assert len(looked) == 100


def test_an_error_tells_that_a_row_has_no_session_any_more(session: Session) -> None:
    shop = session.get_one(Shop, 1)
    session.expunge(shop)

    with pytest.raises(DetachedInstanceError) as raised:
        _ = shop.teas

    assert is_without_session(raised.value)
    assert not is_without_session(AttributeError())
