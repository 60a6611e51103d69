"""Models of database libraries and users as key values, each of the real library."""

from collections.abc import Callable, Iterator
from typing import Any

import django
import mongoengine
import peewee
import pytest
from bson import ObjectId
from django.utils.functional import SimpleLazyObject
from flask import Flask
from flask_login import AnonymousUserMixin, LoginManager, current_user
from flask_security.core import AnonymousUser
from sqlalchemy import create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from starlette.authentication import SimpleUser, UnauthenticatedUser

from jinja_fragcache import KeyValueError
from jinja_fragcache.keys.encoding import encode_argument, encode_value
from tests.support import configure_django

ENCODERS = [encode_value, encode_argument]
Encode = Callable[[Any], str]
OID = "64b7f0c2a1b2c3d4e5f60718"


class Base(DeclarativeBase):
    pass


class Author(Base):
    __tablename__ = "author"
    number: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]

    def __repr__(self) -> str:
        return "<Author>"


class Stock(Base):
    """A model whose key has two columns."""

    __tablename__ = "stock"
    shop: Mapped[int] = mapped_column(primary_key=True)
    item: Mapped[int] = mapped_column(primary_key=True)


@pytest.fixture
def session() -> Iterator[Session]:
    engine = create_engine("sqlite://")
    Base.metadata.create_all(engine)
    with Session(engine) as opened:
        yield opened
    engine.dispose()


@pytest.mark.parametrize("encode", ENCODERS)
def test_an_object_of_sqlalchemy_counts_by_its_identity(
    session: Session, encode: Encode
) -> None:
    ann, bob = Author(number=1, name="Ann"), Author(number=2, name="Bob")
    session.add_all([ann, bob, Stock(shop=1, item=21), Stock(shop=12, item=1)])
    session.commit()
    key = encode(ann)
    assert key != encode(bob)
    ann.name = "Anna"
    assert encode(ann) == key
    session.commit()  # Its attributes are loaded again when they are asked for.
    assert encode(ann) == key
    session.expunge(ann)
    assert encode(ann) == encode(session.get(Author, 1)) == key
    one, two = session.get(Stock, (1, 21)), session.get(Stock, (12, 1))
    assert encode(one) != encode(two)


@pytest.mark.parametrize("encode", ENCODERS)
def test_an_object_that_sqlalchemy_has_not_written_is_refused(
    session: Session, encode: Encode
) -> None:
    transient = Author(number=1, name="Ann")
    with pytest.raises(KeyValueError, match="no primary key yet"):
        encode(transient)
    session.add(transient)
    with pytest.raises(KeyValueError, match="no primary key yet"):
        encode(transient)
    session.flush()
    assert encode(transient)


def test_the_identity_of_an_object_asks_the_database_nothing(session: Session) -> None:
    ann = Author(number=1, name="Ann")
    session.add(ann)
    session.commit()
    session.close()
    session.bind = None
    assert encode_value(ann)  # Detached, and all its attributes expired.


class Article(peewee.Model):
    title = peewee.CharField()


class Pair(peewee.Model):
    one = peewee.IntegerField()
    two = peewee.IntegerField()

    class Meta:
        primary_key = peewee.CompositeKey("one", "two")


class Line(peewee.Model):
    """A model without a key."""

    text = peewee.CharField()

    class Meta:
        primary_key = False


@pytest.fixture
def tables() -> Iterator[None]:
    models = [Article, Pair, Line]
    database = peewee.SqliteDatabase(":memory:")
    with database.bind_ctx(models):
        database.create_tables(models)
        yield
    database.close()


@pytest.mark.usefixtures("tables")
@pytest.mark.parametrize("encode", ENCODERS)
def test_a_model_of_peewee_counts_by_its_key(encode: Encode) -> None:
    one, two = Article.create(title="a"), Article.create(title="a")
    assert encode(one) == encode(Article.get_by_id(1)) != encode(two)
    one.title = "b"
    assert encode(one) == encode(Article.get_by_id(1))
    assert encode(Pair(one=1, two=21)) != encode(Pair(one=12, two=1))


@pytest.mark.usefixtures("tables")
@pytest.mark.parametrize("encode", ENCODERS)
@pytest.mark.parametrize("new", [lambda: Article(title="a"), lambda: Pair(one=1)])
def test_a_model_of_peewee_that_is_not_saved_is_refused(
    encode: Encode, new: Callable[[], peewee.Model]
) -> None:
    with pytest.raises(KeyValueError, match="no primary key yet"):
        encode(new())


@pytest.mark.usefixtures("tables")
def test_a_model_of_peewee_without_a_key_is_refused() -> None:
    with pytest.raises(KeyValueError, match="does not show"):
        encode_value(Line(text="a"))


class Post(mongoengine.Document):  # type: ignore[misc]
    title = mongoengine.StringField()


class Named(mongoengine.Document):  # type: ignore[misc]
    name = mongoengine.StringField(primary_key=True)


@pytest.mark.parametrize("encode", ENCODERS)
def test_a_document_of_mongoengine_counts_by_its_key(encode: Encode) -> None:
    one = Post(id=ObjectId(OID), title="a")
    assert encode(one) == encode(Post(id=ObjectId(OID), title="b"))
    assert encode(one) != encode(Post(id=ObjectId(OID[::-1])))
    assert encode(Named(name="a")) != encode(Named(name="b"))
    with pytest.raises(KeyValueError, match="no primary key yet"):
        encode(Post(title="a"))


def test_an_id_of_mongodb_counts_as_its_text() -> None:
    assert encode_value(ObjectId(OID)) == encode_value(OID)
    assert encode_argument(ObjectId(OID)) != encode_argument(OID)
    assert encode_argument(ObjectId(OID)) == encode_argument(ObjectId(OID))


class Guest(AnonymousUserMixin):  # type: ignore[misc]
    """An anonymous user of an application, who may do less."""

    def may_edit(self) -> bool:
        return False


class Shopper(AnonymousUserMixin):  # type: ignore[misc]
    """An anonymous user who differs from others."""

    def __init__(self, cart: int) -> None:
        self.cart = cart


def django_user(*, lazy: bool) -> Any:
    configure_django()
    django.setup()
    from django.contrib.auth.models import AnonymousUser  # noqa: PLC0415 - needs settings

    return SimpleLazyObject(AnonymousUser) if lazy else AnonymousUser()


NOBODIES: list[Callable[[], Any]] = [
    AnonymousUserMixin,
    AnonymousUser,
    Guest,
    UnauthenticatedUser,
    lambda: django_user(lazy=False),
    lambda: django_user(lazy=True),
]


@pytest.mark.parametrize("make", NOBODIES)
def test_an_anonymous_user_counts_as_none(make: Callable[[], Any]) -> None:
    assert encode_value(make()) == encode_value(None)
    assert encode_argument(make()) == encode_argument(make())
    assert encode_argument(make()) != encode_argument(None)


def test_current_user_is_none_where_nobody_is_logged_in() -> None:
    app = Flask(__name__)
    LoginManager(app).user_loader(lambda _: None)
    with app.test_request_context():
        assert encode_value(current_user) == encode_value(None)


def with_roles() -> Any:
    user = AnonymousUser()
    user.roles.append("editor")
    return user


USERS = [Shopper(5), Shopper(0), with_roles(), SimpleUser("ann")]


@pytest.mark.parametrize("user", USERS, ids=["own", "zero", "roles", "known"])
def test_a_user_who_differs_from_others_is_not_none(user: Any) -> None:
    with pytest.raises(KeyValueError):
        encode_value(user)
