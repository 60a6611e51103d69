"""Flask-Security needs nothing more than Flask: its users are key values."""

from flask import Flask, render_template_string, request
from flask_login import login_user
from flask_security import (
    RoleMixin,
    Security,
    SQLAlchemySessionUserDatastore,
    UserMixin,
)
from sqlalchemy import Column, ForeignKey, Table, create_engine
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    mapped_column,
    relationship,
    scoped_session,
    sessionmaker,
)
from sqlalchemy.pool import StaticPool

from jinja_fragcache import Cache
from tests.support import Counter

PAGE = """
{%- cache 60, 'hello', current_user -%}
{{ made() }} {{ current_user.email or 'nobody' }}
{%- endcache %}"""


class Base(DeclarativeBase):
    pass


roles_of_users = Table(
    "roles_of_users",
    Base.metadata,
    Column("user", ForeignKey("user.id"), primary_key=True),
    Column("role", ForeignKey("role.id"), primary_key=True),
)


class Role(Base, RoleMixin):  # type: ignore[misc]
    __tablename__ = "role"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class User(Base, UserMixin):  # type: ignore[misc]
    __tablename__ = "user"
    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str]
    password: Mapped[str | None]
    active: Mapped[bool]
    fs_uniquifier: Mapped[str]
    roles: Mapped[list[Role]] = relationship(secondary=roles_of_users)


def test_each_user_of_flask_security_has_an_entry_and_all_others_share_one() -> None:
    engine = create_engine("sqlite://", poolclass=StaticPool)
    Base.metadata.create_all(engine)
    session = scoped_session(sessionmaker(engine))
    app, made = Flask(__name__), Counter()
    app.config.from_mapping(SECRET_KEY="secret", SECURITY_PASSWORD_SALT="salt")
    cache = Cache(app, config={"CACHE_TYPE": "simple"})
    Security(app, SQLAlchemySessionUserDatastore(session, User, Role))
    for number, name in enumerate(["ann", "bob"], 1):
        user = {"id": number, "email": name, "active": True, "fs_uniquifier": name}
        session.add(User(**user))
    session.commit()

    @app.get("/in")
    def sign_in() -> str:
        login_user(session.get(User, int(request.args["id"])))
        return ""

    @app.get("/")
    def page() -> str:
        return render_template_string(PAGE, made=made)

    def ask(number: int | None) -> str:
        client = app.test_client()
        if number is not None:
            client.get("/in", query_string={"id": number})
        return client.get("/").text

    asked = [ask(number) for number in (None, 1, 2, None, 1, 2)]
    assert asked == ["1 nobody", "2 ann", "3 bob"] * 2
    assert cache.stats().stored == 3
    session.remove()
    engine.dispose()
