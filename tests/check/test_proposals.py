"""What the check proposes, put into the templates, is what the guard asks for."""

import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask, g, render_template, session
from flask_babel import Babel, format_currency, format_date, get_locale
from flask_login import LoginManager, UserMixin, current_user, login_user
from flask_wtf import CSRFProtect, FlaskForm
from jinja2 import DictLoader

from jinja_fragcache import Cache
from jinja_fragcache.check.checker import check
from jinja_fragcache.check.findings import Finding
from jinja_fragcache.check.project import default_environment, from_paths
from jinja_fragcache.check.reading import read
from jinja_fragcache.check.rules import RULES
from jinja_fragcache.check.vocabulary import vocabulary
from tests.check.support import findings

LEAKS = Path(__file__).parent / "leaks"
TAG = re.compile(r"\{% cache.*?%\}")
TOKEN = re.compile(r"\{\{ (csrf_token\(\)|form\.csrf_token|form\.hidden_tag\(\)) \}\}")
MESSAGES = re.compile(r"\{% with messages.*?endwith %\}", re.DOTALL)


class User(UserMixin):  # type: ignore[misc]  # Flask-Login has no types
    def __init__(self, name: str) -> None:
        self.id = self.name = self.email = self.signature = name
        self.is_admin = name == "ann"


def make_app(templates: dict[str, str], **config: Any) -> Flask:
    app = Flask(__name__)
    app.config.update(SECRET_KEY="k", DEBUG=True, CACHE_TYPE="simple", **config)
    app.jinja_options = {"loader": DictLoader(templates)}
    Babel(app, locale_selector=lambda: session.get("locale", "en"))
    CSRFProtect(app)
    LoginManager(app).user_loader(User)
    Cache(app)
    app.jinja_env.filters |= {
        "format_currency": lambda amount: format_currency(amount, "EUR"),
        "dateformat": str,
    }
    app.jinja_env.globals |= {
        "format_date": format_date,
        "get_locale": get_locale,
        "csp_nonce": lambda: "n",
    }
    app.add_url_rule("/post/<id>", "post")
    app.add_url_rule("/product/<id>", "product")
    app.add_url_rule("/", "shop.index")
    return app


def render(app: Flask, page: str, name: str) -> str:
    """Return a page as one visitor sees it."""
    headers = {"User-Agent": name, "Cookie": f"banner={name}"}
    url = f"http://{name}.test/?page=1&q={name}&order={name}"
    with app.test_request_context(url, headers=headers):
        login_user(User(name))
        session.update(
            theme=name, greeting=name, name=name, locale="de" if name == "ann" else "en"
        )
        g.user = User(name)
        item = SimpleNamespace(id=name, title=name, rank=name, price=5, since=None)
        category = SimpleNamespace(id=name, name=name, posts=[item])
        return render_template(
            page,
            user=current_user,
            cart=[name],
            perms=SimpleNamespace(blog=SimpleNamespace(add=name == "ann")),
            form=FlaskForm(),
            **dict.fromkeys(("product", "post", "member"), item),
            items=[item, item],
            posts=[item, item],
            categories=[category],
            news="news",
            preview=False,
        )


def asked() -> list[Finding]:
    project = from_paths([LEAKS], default_environment())
    read(project)
    return check(project, vocabulary(), RULES).findings


def mended() -> dict[str, str]:
    """Return the templates with each proposal in place of its tag."""
    templates = {
        file.relative_to(LEAKS).as_posix(): file.read_text("utf-8")
        for file in LEAKS.rglob("*.html")
    }
    for finding in asked():
        if not finding.remedy or finding.code == "FC002":
            continue
        lines = templates[finding.template].splitlines(keepends=True)
        line = lines[finding.line - 1]
        lines[finding.line - 1] = finding.remedy.join(TAG.split(line, 1))
        templates[finding.template] = "".join(lines)
    for name, text in templates.items():
        held = TOKEN.sub(r"{% nocache %}\g<0>{% endnocache %}", text)
        templates[name] = MESSAGES.sub(r"{% nocache %}\g<0>{% endnocache %}", held)
    return templates


def pages() -> Iterator[str]:
    """Yield the templates with proposals, those that are included in their pages."""
    for name in sorted({each.template for each in asked() if each.remedy}):
        if not name.startswith("parts/") and name != "layout.html":
            yield name


@pytest.mark.parametrize("page", [*pages()])
def test_the_proposals_for_the_seeded_leaks_are_what_the_guard_asks_for(
    page: str,
) -> None:
    """In debug mode, the guard raises an error for what a key lacks."""
    templates = mended()
    cached, plain = make_app(templates), make_app(templates, CACHE_GUARD=False)
    plain = make_app(templates, CACHE_UNLESS=lambda: True)
    for name in ("ann", "bob", "ann"):
        assert _same(render(cached, page, name)) == _same(render(plain, page, name))


def _same(text: str) -> str:
    return re.sub(r'value="[\w.-]+"', "", text)


@pytest.mark.parametrize(
    "body",
    [
        'session.pop("x", 1)',
        "session.get('it\"s', 1)",
        "session.items()|list",
        "session|length",
        "request.json.a if request.is_json",
        "request.get_json(silent=true)",
        "request.headers['X-A']",
        "request.args.getlist('a')",
        "request.args|length",
        "request.user_agent",
        "request.accept_languages",
        "request.url",
        "request.endpoint",
        "request.view_args",
        "request.form.a",
        "request.environ.SERVER_NAME",
        "request.authorization.username",
        "request.headers|length",
        "request.url_rule",
        "request.cookies.banner",
        "url_for('post', id=1, _external=true)",
        "url_for('post', id=1, _external=true, _scheme='https')",
        "g.user.name",
        "current_user.name",
        "get_locale()",
        "_('a')",
    ],
)
@pytest.mark.parametrize("tag", ['{% cache 60, "x" %}', "{% cache 60 %}"])
def test_a_proposal_is_what_the_guard_asks_for(tag: str, body: str) -> None:
    page = f"{tag}{{{{ {body} }}}}{{% endcache %}}"
    base = {"other.html": "{{ get_locale() }}"}
    found = [
        each.remedy
        for each in findings({"page.html": page, **base})
        if each.template == "page.html"
    ]
    if found:
        [proposal] = {*found}
        is_tag = proposal.startswith("{% cache")
        body = f"{{{{ {body} }}}}" if is_tag else proposal
        page = f"{proposal if is_tag else tag}{body}{{% endcache %}}"
        assert not findings({"page.html": page, **base})
    app = make_app({"page.html": page})
    render(app, "page.html", "ann")
    app.config["APPLICATION_ROOT"] = "/below"
    render(app, "page.html", "bob")
