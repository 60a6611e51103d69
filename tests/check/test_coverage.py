"""Which reads a key covers. Each case is a key, and a body that it covers or not."""

import pytest

from jinja_fragcache.check.coverage import Coverage, ends_of
from jinja_fragcache.check.vocabulary import vocabulary
from tests.check.support import codes, findings, visits

COVERED = [
    ("user.id", "user.name"),
    ("user", "user.name"),
    ("user.user_id", "user.name"),
    ("user.username", "user.name"),
    ("current_user.get_id()", "current_user.name"),
    ("user.id", "current_user.name"),
    ("user.id", "perms.blog.add"),
    ("session.user_id", "user.name"),
    ("request.user.id", "request.user.name"),
    ("g.user.id", "g.user.name"),
    ("user.id if user else 0", "user.name"),
    ("[user.id, lang]", "user.name"),
    ("user.is_admin", "user.is_admin"),
    ("user.is_admin == true", "user.is_admin"),
    ("user.id|string|e ~ 'x'", "user.name"),
    ("user.id or 0", "user.name"),
    ("user and user.id", "user.name"),
    ("[user.id, post.id] if user", "user.name"),
    ("user.id|default(default_value='')", "user.name"),
    ("user.id if user.is_authenticated", "user.name"),
    ("user.name|length", "user.name|length"),
    ("user is none", "1 if user else 2"),
    ("account.id", "account.secret"),
    ("user.id", "account.secret"),
    ("request.args.get('page')", "request.args.page"),
    ("request.args", "request.args.page"),
    ("request.args", "request.args.getlist('tag')"),
    ("request.args.getlist('tag')", "request.args.getlist('tag')"),
    ("request.args.getlist('tag')", "request.args.tag"),
    ("request.url", "request.args.page"),
    ("request.path", "request.endpoint"),
    ("request.full_path", "request.path"),
    ("session.theme", "session['theme']"),
    ("post.id", "post.title"),
    ("post.author.id", "post.title"),
    ("get_locale()", "get_locale()"),
    ("get_locale()", "get_locale().language"),
]
NOT_COVERED = [
    ("1", "user.name"),
    ("user.is_admin", "user.name"),
    ("user.role", "user.name"),
    ("user.team_id", "user.name"),
    ("user.team_id or 1", "user.name"),
    ("current_user.org_id", "current_user.name"),
    ("request.user.team_id", "request.user.name"),
    ("user.key", "user.name"),
    ("user.email", "user.name"),
    ("post.author_id", "post.title"),
    ("user is none", "user.name"),
    ("'in' if user else 'out'", "user.name"),
    ("user|length", "user.name"),
    ("user.name|length", "user.name"),
    ("user.id|string|first", "user.name"),
    ("user.id|int % 2", "user.name"),
    ("f(user)", "user.name"),
    ("f(user.id)", "user.id"),
    ("(user.id, 1)[1]", "user.name"),
    ("user.id if user.vip else 0", "user.name"),
    ("user.id or guest.id", "user.name"),
    ("[user.id, post.id] if user", "post.title"),
    ("user.id|default(default_value=1)", "user.name"),
    ("user.role == 'a'", "user.role == 'b'"),
    ("user.name", "user.secret"),
    ("user.id[0]", "user.name"),
    ("perms.a", "perms.b"),
    ("session[x]", "session.cart"),
    ("account.name", "account.secret"),
    ("lang|default(user.id)", "user.name"),
    ("user.id", "session.theme"),
    ("user.id", "request.cookies.theme"),
    ("session.theme", "session.cart"),
    ("request.args.page", "request.args.q"),
    ("request.args.tag", "request.args.getlist('tag')"),
    ("request.args.getlist('tag')", "request.args.q"),
    ("request.path", "request.args.q"),
    ("request.full_path", "request.host"),
    ("g.site", "g.user"),
    ("post.category", "post.title"),
    ("posts", "post.title"),
]


@pytest.mark.parametrize(
    ("body", "covered"),
    [
        ("{{ post.title }}{% for a in b %}{{ a }}{% endfor %}", True),
        ("{{ user.name }}", True),
        ("{{ session.theme }}", False),
        ("{{ request.args.page }}", False),
        ("{{ current_user.name }}", False),
        ("{{ get_locale() }}", False),
    ],
)
def test_auto_covers_what_the_guard_does_not_watch(body: str, covered: bool) -> None:
    [visit] = visits(f"{{% cache 1, 'n', vary_on='auto' %}}{body}{{% endcache %}}")
    reads = [*visit.body.reads.values()]
    assert reads
    assert all(map(Coverage(visit, vocabulary()).covers, reads)) is covered


def is_covered(source: str) -> bool:
    [visit] = visits(source)
    coverage = Coverage(visit, vocabulary())
    return all(map(coverage.covers, visit.body.reads.values()))


@pytest.mark.parametrize(("key", "read"), COVERED)
def test_covered(key: str, read: str) -> None:
    page = f"{{% cache 1, 'x', {key} %}}{{{{ {read} }}}}{{% endcache %}}"
    assert is_covered(page)


@pytest.mark.parametrize(("key", "read"), NOT_COVERED)
def test_not_covered(key: str, read: str) -> None:
    page = f"{{% cache 1, 'x', {key} %}}{{{{ {read} }}}}{{% endcache %}}"
    assert not is_covered(page)


@pytest.mark.parametrize(
    ("before", "tag", "read", "covered"),
    [
        ("{% for a in b %}", "cache 1, 'x', a.name", "a.title", True),
        ("{% for a in b %}", "cache 1, 'x', a.is_new", "a.title", False),
        ("{% for a, c in b %}", "cache 1, 'x', a", "c.title", True),
        ("{% for a, c in b %}", "cache 1, 'x', a.is_new", "c.title", False),
        ("{% for a in b %}{% for c in a %}", "cache 1, 'x', c", "a.title", False),
        ("{% for a in b %}", "cache 1, 'x', loop.index", "loop.first", True),
        ("{% for a in b %}", "cache 1, 'x', loop.index", "loop.last", False),
        ("{% for a in b %}", "cache 1, 'x', loop.index", "a.title", False),
        ("{% set a = b.c %}", "cache 1, 'x', b.id", "a", True),
        ("{% set a = b.c ~ d %}", "cache 1, 'x', b.id", "a", False),
        ("{% set a = b.c ~ d %}", "cache 1, 'x', b.id, d", "a", True),
        ("{% set a = user.id ~ '-' ~ lang %}", "cache 1, 'x', a", "user.name", True),
        ("{% set a = [user.id] %}", "cache 1, 'x', vary_on=a", "user.name", True),
        ("{% set a = user.is_admin %}", "cache 1, 'x', a", "user.name", False),
        ("{% set a = user %}{% set c = a.b %}", "cache 1, 'x', user.id", "c", True),
        ("", "cache 1, user.id", "user.name", True),
        ("", "cache 1, 'x', version=post.updated", "post.title", True),
        ("", "cache 1, 'x', unless=user.is_authenticated", "user.name", True),
        ("{% for a in b %}", "cache 1, 'x', f(a)", "a.title", True),
        ("{% for a in b %}", "cache 1, 'x', a.id % 2", "a.title", False),
        ("{% for a in b %}", "cache 1, 'x', a.name|first", "a.title", False),
        ("{% for a in b %}", "cache 1, 'x', a.name|length", "a.name|length", True),
        ("{% set a = f(user) %}", "cache 1, 'x', a", "user.name", False),
        ("{% set a = user.id %}", "cache 1, 'x', a % 2", "user.name", False),
        ("", "cache 1, 'x', request.args.q ~ '-' ~ user.username", "user.name", False),
        ("", "cache 1, 'x', request.args.q ~ '-' ~ user.id", "user.name", True),
        ("", "cache 1, 'x', 'x-' ~ user.username", "user.name", True),
        ("", "cache 1, 'x', kind ~ '-' ~ title", "title", True),
        ("", "cache 1, 'x', unless=user", "user.name", True),
        ("", "cache 1, 'x', unless=x or user.is_authenticated", "user.name", True),
        ("", "cache 1, 'x', unless=not user.is_anonymous", "user.name", True),
        ("", "cache 1, 'x', unless=not user.is_authenticated", "user.name", False),
        ("", "cache 1, 'x', unless=user.is_anonymous", "user.name", False),
        ("", "cache 1, 'x', unless=user.is_admin", "user.name", False),
        ("", "cache 1, 'x', unless=user.is_admin", "user.is_admin", True),
        ("", "cache 1, 'x', unless=user and x", "user.name", False),
        ("", "cache 1, 'x', unless=request.args", "request.args.q", True),
        ("", "cache 1, 'x', unless=request.args.q", "request.args.page", False),
        ("", "cache 1, 'x', unless=preview", "user.name", False),
    ],
)
def test_names_that_templates_bind(
    before: str, tag: str, read: str, covered: bool
) -> None:
    ends = "{% endfor %}" * before.count("{% for")
    assert is_covered(
        f"{before}{{% {tag} %}}{{{{ {read} }}}}{{% endcache %}}{ends}"
    ) is (covered)


def test_names_that_the_tag_allows() -> None:
    [visit] = visits(
        "{% cache 1, 'x', allow=['g.user', 'locale'] %}{{ g.user.a }}{{ user.a }}"
        "{% endcache %}"
    )
    coverage = Coverage(visit, vocabulary())
    assert [*map(coverage.covers, visit.body.reads.values())] == [True, False]
    assert coverage.has_locale


def test_names_of_the_settings_need_not_stand_in_the_key() -> None:
    [visit] = visits("{% cache 1, 'x' %}{{ g.tenant.name }}{{ user.id }}{% endcache %}")
    coverage = Coverage(visit, vocabulary(covered=["g.tenant", "get_locale()"]))
    assert [*map(coverage.covers, visit.body.reads.values())] == [True, False]
    assert coverage.has_locale


@pytest.mark.parametrize(
    ("key", "has_locale"),
    [
        ("lang", True),
        ("get_locale()", True),
        ("g.locale", True),
        ("user.id", False),
        ("user.locale", True),
        ("item.lang", True),
        ("[user.id, lang] if user", False),
        ("lang if user else 'en'", False),
        ("lang if lang else 'en'", True),
        ("lang or 'en'", True),
    ],
)
def test_locales(key: str, has_locale: bool) -> None:
    [visit] = visits(f"{{% cache 1, 'x', {key} %}}{{% endcache %}}")
    assert Coverage(visit, vocabulary()).has_locale is has_locale


@pytest.mark.parametrize(
    ("key", "has_object"),
    [
        ("post.id", True),
        ("slug", True),
        ("lang", False),
        ("user.id", False),
        ("request.path", False),
        ("f()", False),
        ("post is none", False),
    ],
)
def test_objects(key: str, has_object: bool) -> None:
    [visit] = visits(f"{{% cache 1, 'x', {key} %}}{{% endcache %}}")
    assert Coverage(visit, vocabulary()).has_object() is has_object


def test_what_a_value_is_made_from_in_the_end() -> None:
    [visit] = visits(
        "{% set a = x.y %}{% set b = a ~ z %}{% cache 1, 'x' %}{{ b }}{% endcache %}"
    )
    [seen] = visit.body.reads.values()
    assert seen.binding
    assert {end.path for end in ends_of(seen.binding)} == {("x", "y"), ("z",)}


def test_a_value_that_is_made_from_itself_has_an_end() -> None:
    [visit] = visits(
        "{% set ns = namespace(x=1) %}{% set ns.x = ns.x ~ user.name %}"
        "{% cache 1, 'x', user.id %}{{ ns.x }}{% endcache %}"
    )
    coverage = Coverage(visit, vocabulary())
    assert not any(map(coverage.covers, visit.body.reads.values()))


# What the guard proposes for a read.
@pytest.mark.parametrize(
    ("key", "body"),
    [
        ('request.headers.get("x-flag")', "request.headers['X-Flag']"),
        ("request.args.to_dict(flat=false)", "request.query_string"),
        ("request.args.to_dict(flat=false)", "request.query_string.decode()"),
        ('request.headers.get("referer")', "request.referrer"),
        ("request.data", "request.get_data()"),
        ("request.get_json(silent=true)", "request.json.a"),
        ('request.headers.get("accept-language")', "request.accept_languages.best"),
        (
            'request.headers.get("accept-language")',
            "request.accept_languages.best_match(['de', 'en'])",
        ),
        ('request.headers.get("user-agent")', "request.user_agent.string"),
        ('request.headers.get("if-none-match")', "request.if_none_match.to_header()"),
        (
            "request.view_args|dictsort if request.view_args else none",
            "request.view_args",
        ),
        ("request.path_params|dictsort", "request.path_params"),
        ("request.blueprint", "request.blueprints"),
        ('session.get("_permanent")', "session.permanent"),
        ("request.client.host", "request.client"),
        ("request.scheme", "request.is_secure"),
    ],
)
def test_the_key_value_that_the_guard_proposes_covers(key: str, body: str) -> None:
    page = "{{% cache 60, 'a'{} %}}{{{{ {} }}}}{{% endcache %}}"
    assert codes(page.format("", body))
    assert not codes(page.format(f", {key}", body))


@pytest.mark.parametrize(
    ("key", "body"),
    [
        ('request.headers.get("x-flag")', "request.headers['X-Flags']"),
        ("request.referrer.host", "request.headers.referer"),
        ("request.query_string|length", "request.args.q"),
        ("request.user_agent.browser", "request.user_agent.string"),
        ("request.accept_languages.best", "request.accept_charsets"),
    ],
)
def test_what_tells_less_of_a_header_does_not_cover(key: str, body: str) -> None:
    assert codes(f"{{% cache 60, 'a', {key} %}}{{{{ {body} }}}}{{% endcache %}}")


def test_a_header_that_is_read_by_two_spellings_is_proposed_once() -> None:
    body = "{{ request.headers['X-A'] }}{{ request.headers['x-a'] }}"
    [found] = findings("{% cache 60, 'a' %}" + body + "{% endcache %}")
    assert found.remedy == '{% cache 60, "a", request.headers.get("x-a") %}'
