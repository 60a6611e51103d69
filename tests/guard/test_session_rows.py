"""Rows of SQLAlchemy that a session has, and what else belongs to one."""

from collections.abc import Iterator

import pytest
from sqlalchemy import ForeignKey, create_engine, select
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


def test_what_a_session_has_is_told(session: Session) -> None:
    shop = session.get_one(Shop, 1)

    for each in (
        *(shop, shop.teas, session, session.query(Shop)),
        session.execute(select(Shop.id, Shop)).one(),
    ):
        assert is_of_session(each)


def test_what_no_session_has_is_not_told(session: Session) -> None:
    shop = session.get_one(Shop, 1)
    row = session.execute(select(Shop.id)).one()
    session.expunge(shop)

    for each in (shop, row, Shop(id=2), Shop, Session, 1, "text", None):
        assert not is_of_session(each)


def test_an_error_tells_that_a_row_has_no_session_any_more(session: Session) -> None:
    shop = session.get_one(Shop, 1)
    session.expunge(shop)

    with pytest.raises(DetachedInstanceError) as raised:
        _ = shop.teas

    assert is_without_session(raised.value)
    assert not is_without_session(AttributeError())
