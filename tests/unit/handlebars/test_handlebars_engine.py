"""The engine on its own: output, errors with their place, variables, bounds and safety."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.handlebars import (
    RenderError,
    TemplateSyntaxError,
    Values,
    compile_template,
)
from libs.handlebars.values import look

NOW = datetime(2026, 1, 2, 15, 4, 5, tzinfo=UTC)
DATA: dict[str, Any] = {
    "name": "Ann",
    "markup": "&<>\"'`=",
    "zero": 0,
    "list": ["a", "b"],
    "none": [],
    "many": list(range(40)),
    "people": [{"name": "Bo"}, {"name": "Cy"}],
    "User": {"UserAttributes": {"Last Name": Values(["Fox", "Wolf"])}},
}


def rendered(source: str, *, escape: bool = True, **data: Any) -> str:
    template = compile_template(source, escape=escape)
    return template.render(partial(look, DATA | data), now=NOW)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("{{markup}}", "&amp;&lt;&gt;&quot;&#x27;&#x60;&#x3D;"),
        ("{{{markup}}}{{&markup}}", "&<>\"'`=" * 2),
        (r"\{{name}} \\{{name}}", "{{name}} \\Ann"),
        ("{{User.UserAttributes.[Last Name].[1]}}", "Wolf"),
        ("{{User.UserAttributes.[Last Name]}}", "Fox"),
        ("{{#each User.UserAttributes.[Last Name]}}{{this}},{{/each}}", "Fox,Wolf,"),
        ("{{list}}", "a,b"),
        ("{{#if zero}}y{{else}}n{{/if}}{{#if zero includeZero=true}}y{{/if}}", "ny"),
        ("{{#if none}}y{{else if name}}m{{else}}n{{/if}}", "m"),
        ("{{#each people as |p i|}}{{i}}{{p.name}}{{@root.name}}{{../zero}} {{/each}}",
         "0BoAnn0 1CyAnn0 "),
        ('{{#*inline "n"}}<{{name}}>{{/inline}}{{> n}}{{> n name="X"}}', "<Ann><X>"),
        ("a\n  {{#if name}}\n b\n  {{/if}}\nc", "a\n b\nc"),
        ("a {{~name~}} b", "aAnnb"),
        ("{{eq name 'Ann' yes='y' no='n'}}{{neq name 'Ann' yes='y' no='n'}}", "yn"),
        ("{{#gt 3 zero}}more{{else}}less{{/gt}}", "more"),
        ("{{if zero yes='y' no='n'}}{{unless zero yes='y'}}", "ny"),
        ("{{upper (substring (lower 'ABCDEF') 1 3)}}", "BC"),
        ("{{upper '<b>'}}{{{upper '<b>'}}}", "&lt;B&gt;<B>"),
    ],
)  # fmt: skip
def test_it_renders(source: str, expected: str) -> None:
    assert rendered(source) == expected


def test_without_escape_nothing_is_escaped() -> None:
    assert rendered("{{markup}}{{upper '<'}}", escape=False) == "&<>\"'`=<"


def test_each_walks_fifteen_items_and_knows_the_last() -> None:
    source = "{{#each many}}{{this}}{{#if @last}}!{{else}},{{/if}}{{/each}}"
    assert rendered(source) == ",".join(map(str, range(15))) + "!"


@pytest.mark.parametrize(
    ("source", "line", "column"),
    [
        ("{{", 1, 3),
        ("ab\ncd {{x", 2, 6),
        ("{{#if x}}\nno end", 2, 7),
        ("a\n{{#if x}}b{{/each}}", 2, 11),
        ("{{x}}\n\n  {{y z}}", 3, 5),
        ("{{> nowhere}}", 1, 5),
        ("{{foo/../bar}}", 1, 3),
        ("a\0b", 1, 2),
        ("{{!-- open", 1, 1),
        ("{{#if a b}}{{/if}}", 1, 4),
        ("{{each x}}", 1, 3),
        ("{{#*other 'x'}}{{/other}}", 1, 5),
        ("{{#*inline x}}{{/inline}}", 1, 5),
        ("{{#*inline 'x'}}{{else}}{{/inline}}", 1, 17),
        ("{{*inline 'x'}}", 1, 1),
        ("{{lookup a}}", 1, 3),
        ("{{> (a) b c}}", 1, 5),
        ("{{{{raw}}}} x", 1, 12),
    ],
)
def test_a_syntax_error_names_its_place(source: str, line: int, column: int) -> None:
    with pytest.raises(TemplateSyntaxError) as caught:
        compile_template(source, escape=True)
    assert (caught.value.line, caught.value.column) == (line, column), caught.value


@pytest.mark.parametrize(
    "source",
    [
        "{{#if x}}" * 100 + "{{/if}}" * 100,
        "{{upper " + "(upper " * 60 + "x" + ")" * 60 + "}}",
    ],
)
def test_deep_nesting_is_a_syntax_error(source: str) -> None:
    with pytest.raises(TemplateSyntaxError, match="nest deeper"):
        compile_template(source, escape=True)


def test_the_number_of_tags_is_bounded() -> None:
    with pytest.raises(TemplateSyntaxError, match="more than 20000 tags"):
        compile_template("{{x}}" * 20_001, escape=True)


def test_the_deepest_nesting_accepted_also_renders() -> None:
    source = "{{#if name}}" * 59 + "{{upper " + "(upper " * 30 + "name" + ")" * 30 + "}}"
    assert rendered(source + "{{/if}}" * 59) == "ANN"


@settings(deadline=None)  # the machine may be busy
@given(st.text().filter(lambda text: "{{" not in text and "\0" not in text))
def test_plain_text_renders_to_itself(text: str) -> None:
    assert rendered(text) == text


_QUOTING = st.text("{}'\"\\nf$`()#%\n; abc\u2028é😀", max_size=30)


@settings(deadline=None)  # the machine may be busy
@given(_QUOTING, _QUOTING, _QUOTING)
def test_text_and_literals_never_become_code(before: str, literal: str, after: str) -> None:
    before = before.replace("{", "").rstrip("\\")
    after = after.replace("{{", "").lstrip("}")
    literal = literal.replace("'", "").replace("\\", "")
    source = before + "{{{lower '" + literal + "'}}}" + after
    assert rendered(source) == before + literal.lower() + after


@settings(deadline=None)  # the machine may be busy
@given(st.text())
def test_any_source_compiles_or_is_refused(source: str) -> None:
    place = (1, 1)
    try:
        compile_template(source, escape=True)
    except TemplateSyntaxError as error:
        place = (error.line, error.column)
    assert min(place) >= 1


@settings(deadline=None)  # the machine may be busy
@given(st.text("{}#/^~>&!*@.[]() \n\"'\\|=aex-0", max_size=60))
def test_any_heap_of_signs_compiles_or_is_refused(source: str) -> None:
    try:
        template = compile_template(source, escape=True)
    except TemplateSyntaxError:
        return
    template.render(partial(look, DATA), now=NOW)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("plain", set()),
        ("{{a}}{{b.c}}{{b.[x y]}}{{this.d}}", {"a", "b.c", "b.x y", "d"}),
        ("{{#if a}}{{b}}{{else if c}}{{d}}{{else}}{{e}}{{/if}}", set("abcde")),
        ("{{#each a}}{{b}}{{../c}}{{@root.d}}{{@index}}{{else}}{{e}}{{/each}}", set("acde")),
        ("{{#with a}}{{b}}{{/with}}{{#a as |b|}}{{b.c}}{{/a}}", {"a"}),
        ("{{#each a as |b|}}{{b.c}}{{/each}}", {"a"}),
        ("{{upper a}}{{now}}{{eq (lower b) c yes=d}}", set("abcd")),
        ("{{#eq a 1}}{{b}}{{/eq}}", {"a", "b"}),
        ("{{lookup a b}}{{#with this}}{{c}}{{/with}}", {"a", "b", "c"}),
        ('{{#*inline "p"}}{{a}}{{b}}{{/inline}}{{> p a=c}}', {"b", "c"}),
        ('{{#*inline "p"}}{{a}}{{/inline}}{{#each l}}{{> p}}{{/each}}', {"l"}),
        ('{{#*inline "p"}}{{a}}{{> p}}{{/inline}}{{> p}}', {"a"}),
        ("{{#> p}}{{a}}{{/p}}", {"a"}),
        ("{{! a }}\\{{b}}", set()),
    ],
)
def test_it_knows_the_variables_it_reads(source: str, expected: set[str]) -> None:
    template = compile_template(source, escape=True)
    assert {".".join(path) for path in template.variables} == expected


@pytest.mark.parametrize(
    "source", ["{{a}}{{#each l}}{{x}}{{../b}}{{/each}}{{upper c.d}}", "{{#if a}}{{b}}{{/if}}"]
)
def test_no_other_variable_is_asked_for(source: str) -> None:
    asked: set[tuple[str, ...]] = set()

    def resolve(path: tuple[str, ...]) -> object:
        asked.add(path)
        return [{"x": 1}] if path == ("l",) else "v"

    template = compile_template(source, escape=True)
    template.render(resolve, now=NOW)
    assert asked == template.variables


def test_what_is_only_tested_is_probed() -> None:
    class Resolver:
        def __init__(self) -> None:
            self.printed: list[tuple[str, ...]] = []
            self.tested: list[tuple[str, ...]] = []

        def __call__(self, path: tuple[str, ...]) -> object:
            self.printed.append(path)
            return ""

        def probe(self, path: tuple[str, ...]) -> object:
            self.tested.append(path)
            return ""

    resolver = Resolver()
    source = "{{#if a}}x{{/if}}{{b}}{{#eq c 1}}{{/eq}}{{upper d}}{{#each e}}{{/each}}"
    compile_template(source, escape=True).render(resolver, now=NOW)
    assert resolver.tested == [("a",), ("c",), ("e",)]
    assert resolver.printed == [("b",), ("d",)]


def test_a_partial_out_of_scope_is_a_render_error() -> None:
    with pytest.raises(RenderError, match="could not be found"):
        rendered('{{#if name}}{{#*inline "p"}}{{/inline}}{{/if}}{{> p}}')


def test_clock_and_ids_come_from_the_caller() -> None:
    template = compile_template("{{now 'yyyy'}} {{uuid}}", escape=True)
    text = template.render(partial(look, {}), now=NOW, new_uuid=lambda: UUID(int=7))
    assert text == "2026 00000000-0000-0000-0000-000000000007"


def test_a_template_renders_the_same_twice() -> None:
    template = compile_template(
        "{{#each list}}{{this}}{{/each}}{{> p}}{{#*inline 'p'}}!{{/inline}}", escape=True
    )
    assert [template.render(partial(look, DATA), now=NOW) for _ in range(2)] == ["ab!", "ab!"]


def test_a_long_template_is_compiled_and_rendered_in_full() -> None:
    source = "".join(f"{i}:{{{{name}}}}\n" for i in range(5000))
    assert rendered(source) == "".join(f"{i}:Ann\n" for i in range(5000))
