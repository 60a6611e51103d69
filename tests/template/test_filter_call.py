from jinja2 import Environment, nodes

from jinja_fragcache.render.functions import FunctionName, register
from jinja_fragcache.template.filter_call import filter_call


def test_a_call_compiles_to_a_direct_call_of_the_filter() -> None:
    env = Environment(autoescape=True)
    name = FunctionName("add")
    register(env, {name: lambda value, other, more=0: value + other + more})
    call = filter_call(
        nodes.Const(1),
        name,
        [nodes.Const(2)],
        [nodes.Keyword("more", nodes.Const(3))],
    )
    template = nodes.Template([nodes.Output([call])])
    template.set_lineno(1)
    template.set_environment(env)
    assert "context.call" not in env.compile(template, raw=True)
    assert env.from_string(template).render() == "6"
