"""Which rule a read breaks. Each case is what stands around and in a cached body."""

import pytest

from tests.check.support import codes


def cached(body: str, key: str = "") -> str:
    return f'{{% cache 300, "x"{key and ", " + key} %}}{body}{{% endcache %}}'


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("{{ user.name }}", "FC001"),
        ("{% if user %}a{% endif %}", "FC001"),
        ("{{ session.get('a') }}", "FC001"),
        ("{{ request.cookies['a'] }}", "FC001"),
        ("{{ request.headers.get('Accept') }}", "FC001"),
        ("{{ request.session.user }}", "FC001"),
        ("{{ g.user }}", "FC001"),
        ("{{ perms.a.b }}", "FC001"),
        ("{{ f(user) }}", "FC001"),
        ("{{ items|join(user.name) }}", "FC001"),
        ("{{ csrf_token() }}", "FC002"),
        ("{{ form.hidden_tag() }}", "FC002"),
        ("{{ forms.login.csrf_token }}", "FC002"),
        ("{{ csrf_input }}", "FC002"),
        ("{% if a.csrf_token is defined %}{{ a.csrf_token }}{% endif %}", "FC002"),
        ("{% for a in get_flashed_messages() %}{{ a }}{% endfor %}", "FC002"),
        ("{% trans %}a{% endtrans %}", "FC003"),
        ("{{ _('a') }}", "FC003"),
        ("{{ ngettext('a', 'b', 2) }}", "FC003"),
        ("{{ a|format_currency('EUR') }}", "FC003"),
        ("{{ a|dateformat }}", "FC003"),
        ("{{ babel.format_datetime(a) }}", "FC003"),
        ("{{ get_locale() }}", "FC003"),
        ("{{ lang }}", "FC003"),
        ("{{ session.lang }}", "FC003"),
        ("{{ url_for('a', _external=true) }}", "FC007"),
        ("{{ request.url_for('a') }}", "FC007"),
        ("{{ request.args.page }}", "FC011"),
        ("{{ request.path }}", "FC011"),
        ("{{ request.endpoint }}", "FC011"),
        ("{{ request }}", "FC011"),
    ],
)
def test_reads_that_break_a_rule(body: str, expected: str) -> None:
    assert codes(cached(body)) == [expected]


@pytest.mark.parametrize(
    "body",
    [
        "{{ categories }}",
        "{% for a in categories %}{{ a.name }}{% endfor %}",
        "{% for user in users %}{{ user.name }}{% endfor %}",
        "{% set lang = 'en' %}{{ lang }}",
        "{% macro m(user) %}{{ user.name }}{% endmacro %}{{ m(x) }}",
        "{{ config.DEBUG }}{{ g.db }}{{ url_for('a') }}{{ range(3) }}",
        "{{ post.title }}",
        "{{ stats[0].hits }}",
        "{{ a|upper }}{{ 'user' }}",
        "{% nocache %}{{ user.name }}{% endnocache %}",
        "{{ format_code(a) }}",
        "{{ login_form.id }}{{ login_form.email }}",
        "{% if csp_nonce is defined %}a{% endif %}",
    ],
)
def test_reads_that_are_the_same_for_all(body: str) -> None:
    assert codes(cached(body)) == []


@pytest.mark.parametrize(
    ("key", "body"),
    [
        ("csrf_token()", "{{ csrf_token() }}"),
        ("get_locale()", "{{ _('a') }}"),
        ("request.host_url", "{{ url_for('a', _external=true) }}"),
        ("request.url_root", "{{ url_for('a', _external=true) }}"),
        ("request.host, request.scheme", "{{ url_for('a', _external=true) }}"),
        ("request.headers['User-Agent']", "{{ request.user_agent.browser }}"),
        ("request.get_json(silent=true)", "{{ request.json.a }}"),
        ("request.url_root", "{{ request.url_for('a') }}"),
        ("lang", "{{ get_locale() }}"),
    ],
)
def test_keys_that_have_it_in_another_form(key: str, body: str) -> None:
    assert codes(cached(body, key)) == []


def test_a_token_is_no_better_with_the_user_in_the_key() -> None:
    assert codes(cached("{{ csrf_token() }}", "user.id")) == ["FC002"]


@pytest.mark.parametrize(
    ("before", "body", "expected"),
    [
        ("{% set a = user.name %}", "{{ a }}", ["FC001"]),
        ("{% set a %}{{ session.b }}{% endset %}", "{{ a }}", ["FC001"]),
        ("{% set a = csrf_token() %}", "{{ a }}", ["FC002"]),
        ("{% set a = _('b') %}", "{{ a }}", ["FC003"]),
        ("{% set a = request.path %}", "{{ a }}", ["FC011"]),
        ("{% set a = b.c %}", "{{ a }}", ["FC004"]),
        ("{% set a = 1 %}", "{{ a }}", []),
        ("{% set a = f('x') %}", "{{ a }}", []),
        ("{% set a = categories|sort %}", "{{ a }}", []),
        ("{% set a = config.B %}", "{{ a }}", []),
        ("{% set a = rows[0] %}", "{{ a }}", []),
        ("{% with a = user %}", "{{ a.name }}", ["FC001"]),
        ("{% if user.b %}{% set a = 1 %}{% endif %}", "{{ a }}", ["FC001"]),
        ("{% if b %}{% set a = 1 %}{% endif %}", "{{ a }}", []),
    ],
)
def test_names_that_are_set_around(before: str, body: str, expected: list[str]) -> None:
    end = "{% endwith %}" if "with" in before else ""
    assert codes(before + cached(body) + end) == expected


def test_items_and_arguments() -> None:
    assert codes("{% for a in b %}" + cached("{{ a.c }}") + "{% endfor %}") == ["FC004"]
    assert codes("{% macro m(a) %}" + cached("{{ a }}") + "{% endmacro %}") == ["FC004"]


def test_a_call_block_is_told_by_an_argument_of_its_macro() -> None:
    for key, expected in (("", ["FC004"]), ("a", [])):
        page = "{% macro m(a) %}" + cached("{{ caller() }}", key) + "{% endmacro %}"
        assert codes(page) == expected


def test_a_constant_that_a_page_sets_for_its_layout() -> None:
    templates = {
        "layout.html": cached("{{ active }}"),
        "page.html": "{% extends 'layout.html' %}{% set active = 'home' %}",
    }
    assert codes(templates) == ["FC004"]
    templates["layout.html"] = cached("{{ active }}", "active")
    assert codes(templates) == []
    # The page is a part of such a key.
    templates["layout.html"] = cached("{{ active }}{% block a %}{% endblock %}")
    assert codes(templates) == []


def test_the_endpoint_is_told_by_the_page() -> None:
    body = "{{ request.endpoint }}{% block a %}{% endblock %}"
    assert codes(cached(body)) == []


@pytest.mark.parametrize(
    ("before", "key", "expected"),
    [
        ("{{ post.id }}", "", ["FC012"]),
        ("{{ post.slug }}", "", ["FC012"]),
        ("{{ post.text }}", "", []),
        ("{{ post.email }}", "", []),
        ("{{ post.id }}", "post.id", []),
        ("{{ post.id }}", "author.id", []),
        ("{{ post.id }}", "lang", ["FC012"]),
        # A visitor, maybe.
        ("{% set post = me %}", "", ["FC012"]),
        ("{% set post = me %}", "slug", ["FC012"]),
        ("{% set post = me %}", "me.id", []),
        ("{% set post = me %}", "user.id", []),
    ],
)
def test_an_object_that_is_one_of_many(
    before: str, key: str, expected: list[str]
) -> None:
    assert codes(before + cached("{{ post.title }}", key)) == expected


@pytest.mark.parametrize(
    "name", ["account", "customer", "me", "member", "profile", "viewer"]
)
def test_a_name_that_may_be_the_visitor_is_noted(name: str) -> None:
    page = cached(f"{{{{ {name}.email }}}}", "slug")
    assert codes(page) == ["FC012"]
    assert codes(page, names=[name]) == ["FC001"]
    assert codes(page, shared=[name]) == []


def test_a_token_that_the_tag_allows() -> None:
    page = "{% cache 1, 'x', allow=['csrf_token'] %}{{ csrf_token() }}{% endcache %}"
    assert codes(page) == []


def test_names_of_the_settings() -> None:
    page = cached("{{ g.tenant.name }}{{ user.name }}{{ tongue }}{{ _('a') }}")
    assert codes(page) == ["FC001", "FC003"]
    assert codes(page, names=["g.tenant"], shared=["user"]) == ["FC001", "FC003"]
    assert codes(page, shared=["user"]) == ["FC003"]
    assert codes(page, covered=["user", "lang"]) == []
    keyed = cached("{{ _('a') }}", "tongue")
    assert codes(keyed) == ["FC003"]
    assert codes(keyed, locale=["tongue"]) == []


@pytest.mark.parametrize(
    ("page", "code"),
    [
        ("{% set u = session.u %}" + cached("{{ u }}"), "FC001"),
        ("{% with u = session.u %}" + cached("{{ u }}") + "{% endwith %}", "FC001"),
        ("{% set n = namespace(u=session.u) %}" + cached("{{ n.u }}"), "FC001"),
        ("{% macro m(u) %}" + cached("{{ u }}") + "{% endmacro %}", "FC004"),
    ],
    ids=["set", "with", "namespace", "macro"],
)
def test_what_was_read_before_the_body_is_found(page: str, code: str) -> None:
    assert codes(page) == [code]


@pytest.mark.parametrize("read", ["request.endpoint", "request.blueprint"])
def test_the_endpoint_counts_in_fragments_with_a_name(read: str) -> None:
    """Without one, the entry keeps it, and a hit compares it."""
    body = f"{{{{ {read} }}}}{{% endcache %}}"
    assert codes(f"{{% cache 300 %}}{body}") == []
    assert codes(f"{{% cache 300, vary_on=[lang] %}}{body}") == []
    assert codes(f'{{% cache 300, "x" %}}{body}') == ["FC011"]
    assert codes(f"{{% cache 300, x %}}{body}") == ["FC006", "FC011"]


def test_the_host_alone_is_not_all_of_a_link() -> None:
    link = "{{ url_for('a', _external=true) }}"
    assert codes(cached(link, "request.host")) == ["FC007"]
    assert codes(cached(link, "request.host_url|length")) == ["FC007"]
