"""Applications from the package index, with users, languages and data."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple

import flask_admin
import flask_admin.contrib.sqla
import flask_login
from flask import Flask, flash, g, redirect, request, session
from flask_appbuilder import AppBuilder, Model, ModelView
from flask_appbuilder.models.sqla.interface import SQLAInterface
from flask_appbuilder.utils.legacy import get_sqla_class
from flask_babel import Babel
from flask_security import Security, SQLAlchemyUserDatastore, hash_password
from flask_security.models import fsqla_v3
from flask_sqlalchemy import SQLAlchemy
from flask_wtf import CSRFProtect
from sqlalchemy import Column, ForeignKey, Integer, String
from sqlalchemy.orm import relationship

#: The visitors, with the language of their browsers.
VISITORS = {"ann": "de", "bob": "en", "eve": "fr", "nobody": "es", "another": "de"}
#: Those who don't sign in.
STRANGERS = frozenset({"nobody", "another"})
_ADMIN = "ann"
_PASSWORD = "a-long-secret-7"  # noqa: S105 - of users that live for a minute
_ZONES = {"ann": "Europe/Berlin", "bob": "UTC", "eve": "Asia/Tokyo"}


class Page(NamedTuple):
    """A page that is asked for.

    Attributes:
        url: Its path and query.
        form: What is posted to it, None for a GET.
    """

    url: str
    form: dict[str, str] | None = None


class Subject(NamedTuple):
    """An application, and what its visitors do.

    Attributes:
        app: The application.
        sign_in: What each user does first.
        pages: What everybody asks for then.
    """

    app: Flask
    sign_in: Callable[[str], list[Page]]
    pages: list[Page]


def _flask(name: str) -> Flask:
    app = Flask(name)
    app.config.update(
        SECRET_KEY="for this run",  # noqa: S106 - as above
        SQLALCHEMY_DATABASE_URI="sqlite:///:memory:",
        SQLALCHEMY_TRACK_MODIFICATIONS=False,
        WTF_CSRF_CHECK_DEFAULT=False,
    )

    @app.route("/say/<word>")
    def say(word: str) -> Any:
        flash(f"{word} {session.get('_user_id')}", "info")
        return "said"

    return app


def _locale() -> str:
    return request.accept_languages.best or "en"


def _zone() -> str | None:
    return _ZONES.get(getattr(flask_login.current_user, "username", ""))


def admin() -> Subject:
    """Return flask-admin, with Flask-Login."""
    app = _flask("admin")
    db = SQLAlchemy(app)
    Babel(app, locale_selector=_locale, timezone_selector=_zone)
    CSRFProtect(app)

    class User(db.Model, flask_login.UserMixin):  # type: ignore[misc, name-defined]
        id = Column(Integer, primary_key=True)
        username = Column(String(50))
        posts = relationship("Post", back_populates="author")

        def __str__(self) -> str:
            return str(self.username)

    class Post(db.Model):  # type: ignore[misc, name-defined]
        id = Column(Integer, primary_key=True)
        title = Column(String(50))
        author_id = Column(ForeignKey("user.id"))  # type: ignore[var-annotated]
        author = relationship("User", back_populates="posts")

    class View(flask_admin.contrib.sqla.ModelView):  # type: ignore[misc]
        can_view_details = True
        can_export = True
        page_size = 5
        can_set_page_size = True

        def is_accessible(self) -> bool:
            return bool(flask_login.current_user.is_authenticated)

        @property
        def can_delete(self) -> bool:
            return getattr(flask_login.current_user, "username", "") == _ADMIN

        def inaccessible_callback(self, name: str, **_: Any) -> Any:
            return redirect("/admin/")

    class Posts(View):
        column_searchable_list = ("title",)
        column_filters = ("title", "author.username")
        column_editable_list = ("title",)
        form_base_class = flask_admin.form.SecureForm
        create_modal = True

    manager = flask_login.LoginManager(app)
    manager.user_loader(lambda number: db.session.get(User, int(number)))

    @app.route("/sign-in/<name>", methods=["GET", "POST"])
    def sign_in(name: str) -> str:
        user = db.session.scalars(db.select(User).filter_by(username=name)).one()
        flask_login.login_user(user)
        return "in"

    site = flask_admin.Admin(app, name="Field")
    site.add_view(View(User, db.session, name="Users", category="All"))
    site.add_view(Posts(Post, db.session, name="Posts", category="All"))
    with app.app_context():
        db.create_all()
        users = [User(username=name) for name in _ZONES]
        db.session.add_all(users)
        for number in range(12):
            db.session.add(Post(title=f"Post {number}", author=users[number % 3]))
        db.session.commit()
    posts = "/admin/post/"
    urls = [
        *(
            "/admin/",
            "/admin/user/",
            posts,
            f"{posts}?page=1",
            f"{posts}?sort=0&desc=1",
        ),
        *(f"{posts}?search=Post+1", f"{posts}?flt0_0=7", f"{posts}?page_size=20"),
        *(f"{posts}new/", f"{posts}new/?url=%2Fadmin%2F", f"{posts}new/?modal=True"),
        *(f"{posts}edit/?id=3", f"{posts}details/?id=3", "/admin/user/new/"),
        *("/admin/user/edit/?id=1", "/admin/user/details/?id=2", "/missing"),
    ]
    return Subject(
        app,
        lambda name: [Page(f"/sign-in/{name}", {})],
        [
            *map(Page, urls),
            Page("/say/hello"),
            Page(posts),
            Page(f"{posts}new/", {"title": "", "author": "99"}),
            Page("/admin/user/edit/?id=77"),
            Page("/admin/user/"),
        ],
    )


def appbuilder() -> Subject:
    """Return flask-appbuilder, with its own users and roles."""
    app = _flask("appbuilder")
    app.config.update(
        LANGUAGES={
            each: {"flag": each, "name": each} for each in ("en", "de", "fr", "es")
        },
        FAB_ROLES={
            "Plain": [
                [".*", "can_list"],
                [".*", "can_show"],
                [".*", "menu_access"],
                [".*", "can_userinfo"],
                [".*", "can_this_form_get"],
            ]
        },
        AUTH_USER_REGISTRATION=False,
        WTF_CSRF_ENABLED=True,
        FAB_API_SWAGGER_UI=True,
    )
    CSRFProtect(app)
    db = get_sqla_class()(app)

    class Circle(Model):  # type: ignore[misc]
        __tablename__ = "circle"
        id = Column(Integer, primary_key=True)
        name = Column(String(50), unique=True)

        def __repr__(self) -> str:
            return str(self.name)

    class Contact(Model):  # type: ignore[misc]
        __tablename__ = "contact"
        id = Column(Integer, primary_key=True)
        name = Column(String(50))
        group_id = Column(ForeignKey("circle.id"))  # type: ignore[var-annotated]
        group = relationship("Circle")

    class Contacts(ModelView):  # type: ignore[misc]
        datamodel = SQLAInterface(Contact)
        list_columns = ("name", "group.name")
        page_size = 5

    class Circles(ModelView):  # type: ignore[misc]
        datamodel = SQLAInterface(Circle)
        related_views = (Contacts,)
        show_template = "appbuilder/general/model/show_cascade.html"

    with app.app_context():
        builder = AppBuilder(app, db.session)
        builder.add_view(Circles, "Circles", category="Data", icon="fa-folder")
        builder.add_view(Contacts, "Contacts", category="Data")
        manager = builder.sm
        Model.metadata.create_all(db.engine)
        group = Circle(name="Friends")
        db.session.add_all(
            [group, *(Contact(name=f"Contact {n}", group=group) for n in range(12))]
        )
        db.session.commit()
        for name in _ZONES:
            role = manager.find_role("Admin" if name == _ADMIN else "Plain")
            email = f"{name}@example.org"
            manager.add_user(name, name.title(), "Field", email, role, _PASSWORD)
    contacts = "/contacts/list/"
    urls = [
        *("/", "/login/", contacts, f"{contacts}?page_Contacts=1"),
        f"{contacts}?_oc_Contacts=name&_od_Contacts=desc",
        *(f"{contacts}?_flt_0_name=1", f"{contacts}?psize_Contacts=10"),
        *("/contacts/add", "/contacts/edit/3", "/contacts/show/3", "/circles/show/1"),
        *("/circles/list/", "/users/list/", "/users/userinfo/", "/users/show/1"),
        *(
            "/users/add",
            "/roles/list/",
            "/roles/show/1",
            "/roles/edit/1",
            "/swagger/v1",
        ),
        *("/resetmypassword/form", "/userinfoeditview/form", "/missing"),
    ]
    return Subject(
        app,
        lambda name: [
            Page("/login/", {"username": name, "password": _PASSWORD}),
            Page(f"/lang/{VISITORS[name]}"),
        ],
        [
            *map(Page, urls),
            Page("/say/hello"),
            Page("/"),
            Page("/login/", {"username": "x", "password": ""}),
            Page("/contacts/add", {"name": ""}),
            Page("/contacts/delete/99"),
            Page(contacts),
        ],
    )


def security() -> Subject:
    """Return Flask-Security, with most of its features."""
    app = _flask("security")
    features = [
        *("REGISTERABLE", "RECOVERABLE", "CHANGEABLE", "TRACKABLE", "TWO_FACTOR"),
        *("UNIFIED_SIGNIN", "MULTI_FACTOR_RECOVERY_CODES", "USERNAME_ENABLE"),
        *("CHANGE_EMAIL", "CHANGE_USERNAME", "CONFIRMABLE"),
    ]
    app.config.update({f"SECURITY_{each}": True for each in features})
    app.config.update(
        SECURITY_PASSWORD_SALT="salt",  # noqa: S106 - as above
        SECURITY_PASSWORD_HASH="plaintext",  # noqa: S106 - as above
        SECURITY_PASSWORD_SINGLE_HASH=["plaintext"],
        SECURITY_SEND_REGISTER_EMAIL=False,
        SECURITY_EMAIL_VALIDATOR_ARGS={"check_deliverability": False},
        SECURITY_TOTP_SECRETS={"1": "TjQ9Qa31VOrfEzuPy4VHQWPCTmRzCnFzMKLxXYiZu9B"},
        SECURITY_TOTP_ISSUER="Field",
        SECURITY_TWO_FACTOR_ENABLED_METHODS=["authenticator", "email"],
        SECURITY_US_ENABLED_METHODS=["password", "email", "authenticator"],
        SECURITY_USER_IDENTITY_ATTRIBUTES=[{"email": {"mapper": str}}],
        MAIL_SUPPRESS_SEND=True,
    )
    db = SQLAlchemy(app)
    Babel(app, locale_selector=_locale, timezone_selector=_zone)
    CSRFProtect(app)
    fsqla_v3.FsModels.set_db_info(db)

    class Role(db.Model, fsqla_v3.FsRoleMixin):  # type: ignore[misc, name-defined]
        pass

    class User(db.Model, fsqla_v3.FsUserMixin):  # type: ignore[misc, name-defined]
        pass

    store = SQLAlchemyUserDatastore(db, User, Role)
    Security(app, store)

    @app.before_request
    def keep() -> None:
        g.theme = request.cookies.get("theme", "light")

    with app.app_context():
        db.create_all()
        for name in _ZONES:
            store.create_user(
                email=f"{name}@example.org",
                username=name,
                password=hash_password(_PASSWORD),
                confirmed_at=datetime(2026, 1, 1),  # noqa: DTZ001 - as it keeps them,
            )
        db.session.commit()
    urls = [
        *("/login", "/register", "/reset", "/confirm", "/change", "/verify"),
        *("/us-signin", "/us-setup", "/us-verify", "/tf-setup", "/tf-rescue"),
        *("/mf-recovery", "/mf-recovery-codes", "/change-email", "/change-username"),
        *("/login?next=/change", "/verify?next=/tf-setup", "/missing"),
    ]
    return Subject(
        app,
        lambda name: [
            Page("/login", {"email": f"{name}@example.org", "password": _PASSWORD})
        ],
        [
            *map(Page, urls),
            Page("/say/hello"),
            Page("/change"),
            Page("/login", {"email": "x", "password": "y"}),
            Page("/register", {"email": "bad", "password": "y"}),
            Page("/change", {"password": "wrong", "new_password": "x"}),
            Page("/reset", {"email": "nobody@example.org"}),
            Page("/login"),
        ],
    )


SUBJECTS = {
    "Flask-Admin": admin,
    "flask-appbuilder": appbuilder,
    "Flask-Security": security,
}
