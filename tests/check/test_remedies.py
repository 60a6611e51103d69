import pytest
from jinja2 import Environment

from jinja_fragcache.check.remedies import hole_text, shown, tag_text
from tests.check.support import findings, outline_of


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("user", "user"),
        ("user.name", "user.name"),
        ("user.0", "user[0]"),
        ("user.a-b", 'user["a-b"]'),
        ('session.it"s', 'session.get("it\\"s")'),
        ("session.it's", 'session.get("it\'s")'),
        ("user.a\\b", 'user["a\\\\b"]'),
        ("session.a", 'session.get("a")'),
        ("request.args.a", 'request.args.get("a")'),
        ("request.path", "request.path"),
        ("request.session.a.b", 'request.session.get("a").b'),
    ],
)
def test_paths_as_they_are_written(path: str, text: str) -> None:
    assert shown(tuple(path.split("."))) == text
    assert shown(tuple(path.split(".")), is_called=True) == f"{text}()"


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        ("cache 300, 'a'", 'cache 300, "a", x'),
        ("cache 300 'a' b", 'cache 300, "a", b, x'),
        ("cache 300, 'a', stale=60", 'cache 300, "a", x, stale=60'),
        ("cache", "cache vary_on=[x]"),
        ("cache 300", "cache 300, vary_on=[x]"),
        ("cache 300, vary_on=[b]", "cache 300, vary_on=[b, x]"),
        ("cache 300, 'a', vary_on=b", 'cache 300, "a", vary_on=b + [x]'),
        ("cache name='a'", 'cache none, "a", x'),
        ("cache 300, 'a', b, vary_on='auto'", 'cache 300, "a", b, x, vary_on="auto"'),
        ("cache vary_on='auto'", 'cache none, "name", x, vary_on="auto"'),
        ("cache unless=b, tags=['c']", 'cache vary_on=[x], unless=b, tags=["c"]'),
    ],
)
def test_a_tag_with_one_more_key_value(tag: str, expected: str) -> None:
    [read] = outline_of(f"{{% {tag} %}}{{% endcache %}}").tags
    assert tag_text(Environment(), read, ["x"]) == f"{{% {expected} %}}"


def test_a_list_with_one_more_key_value() -> None:
    source = "{% cache_each a in b if c, 1, 'x', a.id %}{% endcache_each %}"
    [tag] = outline_of(source).tags
    written = tag_text(Environment(), tag, ["loop.first"])
    assert written == '{% cache_each a in b if c, 1, "x", a.id, loop.first %}'


def test_the_delimiters_are_those_of_the_environment() -> None:
    environment = Environment(block_start_string="<%", block_end_string="%>")
    assert hole_text(environment, "a") == "<% nocache %>a<% endnocache %>"


@pytest.mark.parametrize(
    ("before", "body", "values"),
    [
        ("", "{{ user.name }}", "user.id"),
        ("", "{{ user.email }}", "user.id"),
        ("", "{{ current_user.name }}", "current_user.get_id()"),
        ("", "{{ user_id }}", "user_id"),
        ("", "{{ request.cookies.getlist('a') }}", 'request.cookies.getlist("a")'),
        ("", "{{ perms.a }}", "user.id"),
        ("", "{{ request.user.name }}", "request.user.id"),
        ("", "{{ session.a }}{{ session.b.c }}", 'session.get("a"), session.get("b")'),
        ("", "{{ request.headers['A-B'] }}", 'request.headers.get("A-B")'),
        ("", "{{ request.args.a }}", 'request.args.get("a")'),
        ("", "{{ request.get_host() }}", "request.get_host()"),
        ("", "{{ _('a') }}", "lang"),
        ("", "{{ url_for('a', _external=true) }}", "request.url_root"),
        ("{% for a in b %}", "{{ a.name }}", "a.id"),
        ("{% for a in b %}", "{{ a.slug }}{{ a.name }}", "a.slug"),
        ("{% for a in b %}", "{{ a }}", "a"),
        ("{% for a in b %}", "{{ a[0] }}", "a"),
        ("{% for a in b %}", "{{ loop.first }}", "loop.first"),
        ("{% for a in b %}", "{{ loop.cycle(1, 2) }}", "loop.index"),
        ("{% set a = b.c %}", "{{ a }}", "a"),
        ("{% if c %}{% set a = b.c %}{% endif %}", "{{ a }}", 'a|default("")'),
        ("", "{{ session.pop('a') }}", 'session.get("a")'),
        ("", "{{ session|length }}", "session.items()|list"),
        ("", "{{ request.json.a }}", "request.get_json(silent=true)"),
        ("{{ post.id }}", "{{ post.title }}", "post.id"),
    ],
)
def test_the_key_values_that_a_fragment_lacks(
    before: str, body: str, values: str
) -> None:
    end = "{% endfor %}" if "for" in before else ""
    page = f'{before}{{% cache 1, "x" %}}{body}{{% endcache %}}{end}'
    assert findings(page)[0].remedy == f'{{% cache 1, "x", {values} %}}'


def test_a_token_goes_into_a_hole() -> None:
    page = "{% cache %}{{ form.hidden_tag() }}{% endcache %}"
    [finding] = findings(page)
    assert finding.remedy == "{% nocache %}{{ form.hidden_tag() }}{% endnocache %}"
