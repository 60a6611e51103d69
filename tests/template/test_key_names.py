import pytest
from jinja2 import Environment, nodes

from jinja_fragcache.template.key_names import joined_names, key_names, names_if_false


def expressions_in(expressions: str) -> list[nodes.Expr]:
    template = Environment().parse("{{ [" + expressions + "] }}")
    listed = template.find(nodes.List)
    assert listed is not None
    return listed.items


@pytest.mark.parametrize(
    ("expression", "names"),
    [
        ("user.id", ["user.id"]),
        ("user['id']", ["user.id"]),
        ("rows[0].id", ["rows.0.id"]),
        ("request.args.page", ["request.args.page"]),
        ("request.args.get('page', 1)", ["request.args.page"]),
        ("request.args.getlist('tag')", ['request.args.getlist("tag")']),
        ("request.headers['Accept-Language']", ["request.headers.accept-language"]),
        ("get_locale()", ["locale"]),
        ("csrf_token()", ["csrf_token"]),
        ("user.get_id()", ["user.get_id"]),
        ("session.items()", ["session"]),
        ("request.query_string.decode()", ["request.query_string"]),
        ("user.id, user.id, 'text'", ["user.id"]),
        ("[user.id, {'k': cart}], 5 ~ key", ["user.id", "cart", "key"]),
        ("'user-' ~ user.name ~ '-'", ["user.name"]),
        ("user.name|string|tojson|urlencode|e", ["user.name"]),
        ("user.name|default('')", ["user.name"]),
        ("user.id or 'guest'", ["user.id"]),
        ("user.id if user else ''", ["user.id"]),
        ("request.args.page or 1", ["request.args.page"]),
        ("session.get('user', none)", ["session.user"]),
        ("request.args.items(multi=true)", ["request.args"]),
        ("request.args.to_dict(flat=false)", ["request.args"]),
        ("user.id or 0", ["user.id"]),
        ("user and user.id", ["user.id"]),
        ("user.id if user else none", ["user.id"]),
        ("user.id if user.is_authenticated", ["user.id"]),
        # What says less than the name:
        ("user.name|lower", []),
        ("user.name|trim|string", []),
        ("user.id|int", []),
        ("user.roles|join(',')", []),
        ("user.roles|sort", []),
        ("request.args|list", []),
        ("request.args|dictsort", []),
        ("session.user.upper()", ["session.user.upper"]),
        ("request.args.items()", []),
        ("request.args.to_dict()", []),
        (
            "request.query_string.decode('ascii', 'ignore')",
            ["request.query_string.decode"],
        ),
        ("user.id % 2", []),
        ("user.id + 1", []),
        ("user.id == 5", []),
        ("user.name[:3]", []),
        ("user.name|replace('a', 'b')", []),
        ("user.first ~ user.last", []),
        ("user.first ~ (user.last ~ '-')", []),
        # What others may give, too:
        ("user.name ~ '-' ~ session.cart", []),
        ("[user.name ~ '-' ~ session.cart]|tojson", []),
        ("user.name ~ '-' ~ session.cart, user.name", ["user.name"]),
        # Nobody may be taken for somebody:
        ("user.id or 1", []),
        ("user.id or '1'", []),
        ("user.id|default(1)", []),
        ("user.name or 'guest'", []),
        ("user.id if user else 1", []),
        ("user.id if user.is_authenticated else 1", []),
        ("session.get('user', 'ann')", []),
        ("request.cookies.get('user', 'ann')", []),
        ("request.cookies.get('user', default='ann')", []),
        ("request.cookies.get('user', type=int)", []),
        ("session.user|default(other)", []),
        ("session|length", []),
        ("'vip' in session", []),
        ("user is defined", []),
        ("not user", []),
        ("request.args[key]", []),
        ("f(user.id)", []),
        ("user.id or session.id", []),
        ("user.id if user.is_admin else none", []),
        ("user.id if ok else other.id", []),
        ("user.id if user == 5 else none", []),
    ],
)
def test_the_names_of_a_keys_expressions(expression: str, names: list[str]) -> None:
    assert key_names(expressions_in(expression)) == names


@pytest.mark.parametrize(
    ("expression", "names"),
    [
        ("user.name ~ '-' ~ session.cart", ["user.name", "session.cart"]),
        ("[user.name ~ '-' ~ session.cart]|tojson", ["user.name", "session.cart"]),
        ("user.name ~ '-' ~ session.cart, user.name", ["session.cart"]),
        ("(a ~ '-' ~ b)|default(''), (c.d ~ '-' ~ c.e if c)", ["a", "b", "c.d", "c.e"]),
        ("user.name ~ '-' ~ session.cart|lower", ["user.name"]),
        ("'user-' ~ user.name", []),
        ("user.first ~ user.last", []),
    ],
)
def test_the_names_that_are_joined_with_others(
    expression: str, names: list[str]
) -> None:
    found = expressions_in(expression)
    assert joined_names(found, key_names(found)) == names


@pytest.mark.parametrize(
    ("condition", "names"),
    [
        ("current_user.is_authenticated", ["current_user"]),
        ("not current_user.is_anonymous", ["current_user"]),
        ("session.get('user')", ["session.user"]),
        ("preview or user", ["preview", "user"]),
        ("current_user.is_anonymous", []),
        ("not user", []),
        ("preview and user", []),
        ("user == 5", []),
    ],
)
def test_what_is_the_same_where_a_condition_is_false(
    condition: str, names: list[str]
) -> None:
    template = Environment().parse("{{ [" + condition + "] }}")
    listed = template.find(nodes.List)
    assert listed is not None
    assert names_if_false(listed.items[0]) == names
