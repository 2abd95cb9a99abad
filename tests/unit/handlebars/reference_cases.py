# ruff: noqa: E501 - a case is one line
"""Templates for the comparison with the reference: a table by topic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

CONTEXT: dict[str, Any] = {
    "name": "Ann",
    "html": "<a href=\"x\" title='y'>`&=</a>",
    "empty": "",
    "zero": 0,
    "one": 1,
    "float": 2.50,
    "tiny": 0.0000001,
    "small": 0.00001,
    "big": 1e21,
    "large": 123456789012,
    "negative": -3.25,
    "huge": [1.2345678901234568e20, 9007199254740993.0, -1.5e17, 5e-324, 1.7976931348623157e308],
    "yes": True,
    "no": False,
    "nothing": None,
    "list": ["a", "b", "c"],
    "none": [],
    "nested": [["a", "b"], ["c"], []],
    "mixed": [1, None, True, "x", [2, 3], {"k": 1}],
    "people": [
        {"name": "Bo", "age": 3, "pets": ["cat", "dog"]},
        {"name": "Cy", "age": 0, "pets": []},
        {"name": None, "age": None},
    ],
    "map": {"b": 1, "a": 2, "10": 3, "2": 4},
    "object": {"inner": {"deep": "D"}, "name": "Obj"},
    "Last Name": "Lee",
    "with-dash": "dash",
    "User": {"UserAttributes": {"FirstName": ["Eve"], "Last Name": ["Fox"]}, "UserId": "u1"},
    "word": "héllo €😀",
    "key": "name",
    "length": 7,
    "this": "self",
    "indent": "two\nlines",
}

MUSTACHES = r"""
{{name}}|{{html}}|{{{html}}}|{{&html}}|{{& name }}|{{{ name }}}|{{missing}}|{{missing.deep}}
{{empty}}[{{zero}}]{{one}} {{float}} {{tiny}} {{small}} {{big}} {{large}} {{negative}} {{huge}}
{{yes}} {{no}} {{nothing}} {{{yes}}} {{{no}}} {{{nothing}}} {{{zero}}}
{{list}} {{none}} {{nested}} {{mixed}} {{object}} {{{object}}} {{map}}
{{list.[0]}} {{list.[1]}} {{list.[9]}} {{list.length}} {{name.length}} {{word.length}} {{name.[0]}}
{{[Last Name]}} {{./name}} {{this.name}} {{this/name}} {{object/name}} {{object.inner.deep}}
{{User.UserAttributes.FirstName.[0]}} {{User.UserAttributes.[Last Name].[0]}}
{{with-dash}} {{[with-dash]}} {{object.[name]}} {{object.missing.deep}} {{zero.x}} {{empty.x}}
{{@root.name}} {{@root.object.name}} {{@root.list.[1]}} {{@missing}} {{@index}} {{@root.missing.x}}
{{"name"}} {{'name'}} {{"Last Name"}} {{true}} {{12}} {{null}} {{undefined}} {{[this]}} {{[length]}}
{{ name }}{{  name}}{{name  }}
{{list.0.x}}
{{name}
{{name}}}
{{{name}}
{{na me}}
{{}}
{{ }}
{{name.}}
{{..}}{{.}}x
{{#}}
{{foo/../bar}}
{{name.this}}
{{../name}} {{../../name}}
\{{name}} {{name}}
\\{{name}} \\\{{name}}
a \{{name}} b \{{html}} c {{name}}
\{{{name}}} {{name}}
text \n only
{ name } {{name}} }}
}} {{name}} {{{{
{{name}}\
{{!comment}}{{name}}
{{! comment with }}{{name}}
{{!-- {{name}} --}}{{name}}
{{!--~ x ~--}} {{name}}
{{!-- never closed }}
{{lookup list 1}} {{lookup object key}} {{lookup object "name"}} {{lookup . key}} {{lookup missing 1}}
{{lookup (lookup people 0) "name"}} {{lookup map 2}} {{lookup map "10"}} {{lookup nothing "x"}}
{{log "x"}}{{name}}
{{upper name}} {{upper (lower "ABC")}} {{upper html}} {{{upper html}}} {{upper missing}}|
{{upper "a'b"}} {{upper 'a"b'}} {{upper "a\"b"}} {{upper 'a\'b'}} {{upper "a\\b"}}
{{upper 1.50}} {{upper -2}} {{upper true}} {{upper null}} {{upper undefined}} {{upper 012}}
{{eq name "Ann"}} {{eq name "Bob"}} {{eq name "Ann" yes="Y" no="N"}} {{eq 1 one}} {{eq 1 2 no="<"}}
{{unknown 1}}
{{unknown a=1}}
{{upper (unknown 1)}}
{{upper name a=1 b="2" c=(lower "X")}}
{{yes.x}} {{one.x}} {{float.toFixed}} {{name.toUpperCase}} {{list.push}} {{object.constructor}}
{{upper @root.name}} {{#each list}}{{upper @index}}{{upper @root.name}}{{/each}}
""".strip("\n")

BLOCKS = r"""
{{#if yes}}A{{else}}B{{/if}}{{#if no}}A{{else}}B{{/if}}
{{#if zero}}A{{else}}B{{/if}}{{#if zero includeZero=true}}A{{else}}B{{/if}}{{#if none}}A{{/if}}
{{#if zero includeZero=no}}A{{else}}B{{/if}}{{#if none includeZero=true}}A{{else}}B{{/if}}
{{#if empty}}A{{else}}B{{/if}}{{#if object}}A{{/if}}{{#if nothing}}A{{else}}B{{/if}}{{#if "x"}}C{{/if}}
{{#if 0}}A{{else}}B{{/if}}{{#if 1}}A{{/if}}{{#if null}}A{{else}}B{{/if}}{{#if true}}T{{/if}}
{{#if no}}A{{else if zero}}B{{else if one}}C{{else}}D{{/if}}
{{#if no}}A{{else if zero}}B{{else}}D{{/if}}
{{#if no}}A{{else unless no}}B{{/if}}
{{#if no}}A{{else each list}}{{this}}{{else}}D{{/if}}
{{#if no}}A{{^}}B{{/if}} {{^if no}}C{{/if}} {{^if yes}}C{{else}}D{{/if}}
{{#unless no}}A{{else}}B{{/unless}}{{#unless list}}A{{else}}B{{/unless}}
{{#if (eq name "Ann")}}A{{/if}}{{#if (not yes)}}A{{else}}B{{/if}}{{#if (and yes one)}}C{{/if}}
{{#eq name "Ann"}}same {{name}}{{else}}other{{/eq}}{{#eq 1 2}}a{{else}}b{{/eq}}
{{#neq name "Ann"}}a{{else if (or no yes)}}b{{else}}c{{/neq}}
{{^eq name "Ann"}}x{{else}}y{{/eq}}
{{#each list}}{{this}},{{/each}}{{#each list}}{{.}}{{/each}}{{#each none}}x{{else}}empty{{/each}}
{{#each list}}{{@index}}{{@key}}{{@first}}{{@last}} {{/each}}
{{#each map}}{{@key}}={{this}}{{@index}}{{@first}}{{@last}};{{/each}}
{{#each people}}{{name}}/{{age}}/{{../name}}{{#each pets}}[{{this}} {{../name}} {{../../name}}]{{/each}};{{/each}}
{{#each people}}{{#each pets}}{{@index}}{{@../index}}{{@../../index}} {{/each}}{{/each}}
{{#each people}}{{#if pets}}{{../name}}{{name}}{{#if age}}{{../name}}{{/if}}{{/if}}{{/each}}
{{#each mixed}}({{this}}){{/each}}{{#each mixed}}{{#if this}}t{{else}}f{{/if}}{{/each}}
{{#each mixed}}{{#if true}}<{{this}}>{{/if}}{{/each}}
{{#each mixed}}{{#with this}}<{{this}}{{../name}}>{{else}}no{{/with}}{{/each}}
{{#each nested}}{{#each this}}{{this}}{{@../index}}{{else}}-{{/each}}|{{/each}}
{{#each name}}x{{else}}not a list{{/each}}{{#each one}}x{{else}}n{{/each}}{{#each missing}}x{{else}}m{{/each}}
{{#each this}}{{@key}} {{/each}}
{{#each object}}{{@key}}:{{#if inner}}{{else}}{{this}}{{/if}}{{deep}} {{/each}}
{{#each list as |item i|}}{{i}}{{item}}{{name}}{{../name}} {{/each}}
{{#each people as |p|}}{{p.name}}{{#each p.pets as |q j|}}{{q}}{{j}}{{p.name}}{{/each}}{{/each}}
{{#each map as |value key|}}{{key}}{{value}}{{/each}}
{{#each list as |upper|}}{{upper}}{{upper name}}{{/each}}
{{#each list as |item|}}{{#if yes}}{{item}}{{#each ../list as |i2|}}{{item}}{{i2}}{{/each}}{{/if}}{{/each}}
{{#with object}}{{name}}{{../name}}{{inner.deep}}{{#with inner}}{{deep}}{{../name}}{{../../name}}{{/with}}{{/with}}
{{#with object as |o|}}{{o.name}}{{name}}{{#with o.inner as |p|}}{{p.deep}}{{o.name}}{{/with}}{{/with}}
{{#with missing}}x{{else}}none{{/with}}{{#with zero}}[{{this}}]{{/with}}{{#with none}}x{{else}}y{{/with}}
{{#with name}}{{this}}{{length}}{{/with}}{{#with this}}{{name}}{{../name}}{{/with}}{{#with .}}{{name}}{{/with}}
{{#with @root}}{{name}}{{/with}}{{#with list}}{{[1]}}{{length}}{{/with}}{{#with list}}{{this.[0]}}{{/with}}
{{#list}}{{this}}{{@index}}{{/list}}{{#none}}x{{else}}y{{/none}}{{^none}}z{{/none}}{{^list}}w{{/list}}
{{#object}}{{name}}{{../name}}{{/object}}{{#yes}}{{name}}{{/yes}}{{#no}}x{{/no}}{{^no}}{{name}}{{/no}}
{{#zero}}[{{this}}]{{/zero}}{{#empty}}[{{this}}]{{/empty}}{{#name}}[{{this}}]{{/name}}{{#missing}}x{{/missing}}
{{#object.inner}}{{deep}}{{/object.inner}}{{#this.list}}{{this}}{{/this.list}}{{^object.missing}}none{{/object.missing}}
{{#people}}{{name}}{{#pets}}{{this}}{{../name}}{{/pets}}{{/people}}
{{#"list"}}{{this}}{{/"list"}}{{#[Last Name]}}{{this}}{{/[Last Name]}}
{{#upper name}}ignored{{/upper}}
{{#lookup object "name"}}ignored{{/lookup}}
{{#if yes}}unclosed
{{#if yes}}x{{/unless}}
{{/if}}
{{else}}
{{#if}}x{{/if}}
{{#if yes no}}x{{/if}}
{{#each}}x{{/each}}
{{#with}}x{{/with}}
{{#with a b}}x{{/with}}
{{#unknown name}}x{{/unknown}}
{{#if yes}}a{{else}}b{{else}}c{{/if}}
{{^yes}}a{{else if no}}b{{/yes}}
{{#each list}}{{#unless @first}}, {{/unless}}{{this}}{{/each}}
{{#each list}}{{#if @last}}and {{/if}}{{this}}{{#unless @last}}, {{/unless}}{{/each}}
{{#each people}}{{#with this}}{{name}}{{../name}}{{/with}}{{/each}}
{{#each people}}{{@root.name}}{{name}}{{lookup ../list @index}}{{/each}}
{{{{raw}}}} {{name}} {{{{/raw}}}}
{{{{yes}}}} {{name}} {{#if}} {{{{/yes}}}}
{{{{object}}}}a {{{{inner}}}} b {{{{/inner}}}} c{{{{/object}}}}
{{{{raw}}}} {{name}}
{{#each list}}{{@index.x}}{{@first.x}}{{@key.length}}{{/each}}
{{#if yes as |y|}}a{{/if}}
{{#each mixed}}{{#eq this 1}}one{{else}}{{this}}{{/eq}}{{/each}}
{{#each mixed}}{{#each this}}{{this}}{{else}}<{{this}}>{{/each}}{{/each}}
{{#each mixed}}{{#with x}}{{else}}<{{this}}>{{/with}}{{/each}}
{{#each list}}{{#each ../list}}{{this}}{{../this}}{{@../index}}{{/each}};{{/each}}
{{#each nested}}{{length}}{{[0]}}{{/each}}
""".strip("\n")

PARTIALS = r"""
{{#*inline "p"}}<{{name}}>{{/inline}}{{> p}}{{> p object}}{{> p this}}{{> p name="N"}}
{{> p}}{{#*inline "p"}}late{{/inline}}
{{#*inline "p"}}{{name}}{{x}}{{/inline}}{{#each people}}{{> p}}{{> p x=@index}}{{> p .. x="y"}}{{/each}}
{{#*inline "p"}}{{../name}}|{{@root.name}}{{/inline}}{{#each people}}{{> p}}{{/each}}{{> p}}{{> p object}}
{{#each list}}{{#*inline "p"}}{{this}}!{{../name}}{{/inline}}{{> p}}{{/each}}
{{#*inline "a"}}A{{> b}}{{/inline}}{{#*inline "b"}}B{{name}}{{/inline}}{{> a}}
{{#*inline "a"}}1{{/inline}}{{#*inline "a"}}2{{/inline}}{{> a}}
{{#*inline "a"}}1{{/inline}}{{#if yes}}{{#*inline "a"}}2{{/inline}}{{> a}}{{/if}}{{> a}}
{{#if yes}}{{#*inline "a"}}2{{/inline}}{{/if}}{{> a}}
{{#*inline "Ann"}}dynamic {{age}}{{/inline}}{{> (lookup . "name")}}{{> (lookup . "name") age=3}}
{{> (lookup . "missing")}}
{{> unknown}}
{{#> unknown}}fallback {{name}}{{/unknown}}
{{#*inline "l"}}[{{> @partial-block}}]{{/inline}}{{#> l}}body {{name}}{{/l}}
{{#*inline "l"}}[{{> @partial-block}}{{> @partial-block object}}]{{/inline}}{{#> l}}{{name}}{{/l}}
{{#*inline "l"}}[{{#each list}}{{> @partial-block}}{{/each}}]{{/inline}}{{#> l}}{{this}}{{@index}}{{/l}}
{{#*inline "l"}}({{> @partial-block}}){{/inline}}{{#> l}}a{{#> l}}b{{/l}}c{{/l}}
{{#*inline "l"}}[{{> nav}}]{{/inline}}{{#> l}}{{#*inline "nav"}}My Nav{{/inline}}{{/l}}
{{> @partial-block}}
{{#*inline "rec"}}{{name}}{{#with inner}}{{> rec}}{{/with}}{{deep}}{{/inline}}{{> rec object}}
{{#*inline "p"}}{{#if x}}{{x}}{{else}}none{{/if}}{{/inline}}{{> p x=one}}{{> p x=zero}}{{> p}}
{{#*inline "p"}}{{@index}}{{@key}}{{/inline}}{{#each list}}{{> p}}{{/each}}{{> p}}
{{#*inline "p"}}{{#each this}}{{this}}{{/each}}{{/inline}}{{> p list}}{{> p nested}}
{{#*inline "p"}}x{{/inline}}{{> p a b}}
{{#*inline "p"}}x{{else}}y{{/inline}}
{{#*other "p"}}x{{/other}}
{{#*inline "p"}}{{name}}{{/inline}}{{> "p"}}{{> 'p'}}{{> [p]}}
{{#*inline "a/b"}}{{name}}{{/inline}}{{> a/b}}
{{#*inline 1}}one{{/inline}}{{> 1}}
{{#*inline "p"}}{{this}}{{/inline}}{{#each list}}{{> p this}}{{> p ../name}}{{/each}}
{{#*inline "p"}}{{name}}{{object.name}}{{/inline}}{{> p object name="h" object=this}}
{{#each list as |i|}}{{#*inline "p"}}{{this}}{{/inline}}{{> p}}{{i}}{{/each}}
{{#with object as |o|}}{{#*inline "p"}}<{{name}}>{{/inline}}{{> p o}}{{> p ..}}{{/with}}
{{#*inline "p"}}{{#each list as |x|}}{{x}}{{/each}}{{/inline}}{{> p}}
{{#> a}}{{#> b}}inner{{/b}}{{/a}}
""".strip("\n")

LAYOUTS = [
    "{{\nname\n}}",
    "a\n{{#if yes}}\nb\n{{/if}}\nc\n",
    "a\n  {{#if yes}}  \n  b\n  {{else}}\n  c\n  {{/if}}  \nd",
    "{{#if no}}\na\n{{else if yes}}\nb\n{{else}}\nc\n{{/if}}\n",
    "{{#if no}}\na\n{{else if zero}}\nb\n{{else}}\nc\n{{/if}}",
    "<ul>\n{{#each list}}\n  <li>{{this}}</li>\n{{else}}\n  none\n{{/each}}\n</ul>\n",
    "<ul>\r\n{{#each list}}\r\n  <li>{{this}}</li>\r\n{{/each}}\r\n</ul>\r\n",
    "a\n{{! comment }}\nb",
    "a\n  {{!-- comment --}}  \nb\n",
    "{{! comment }}\nb",
    "a\n{{! comment }}",
    "{{! comment }}",
    "a {{! comment }} b\n {{! c }} x\n",
    "a\n{{! one }}{{! two }}\nb",
    "{{#if yes}} \n\n a {{/if}} \n b",
    "{{#if yes}}{{#if yes}}\na\n{{/if}}\n{{/if}}\n b",
    "{{#if yes}}\n{{#if yes}}\na\n{{/if}}\n{{/if}}\n b",
    "{{#if yes}}a{{/if}}\n{{#if yes}}b{{/if}}\n",
    "a {{~name~}} b",
    "a {{~name}} b {{name~}} c",
    "a \n {{~#if yes~}} \n b \n {{~/if~}} \n c",
    "a {{~#if no}} b {{~else~}} c {{/if~}} d",
    "a {{#if no~}} b {{~^~}} c {{~/if}} d",
    "{{#if no}} a {{~else if yes~}} b {{~else~}} c {{~/if}} d",
    "{{#if no}} a {{else if no~}} b {{~else if yes}} c {{~else}} e {{/if~}} d",
    "{{#each list~}} \n {{this}} \n {{~/each}}",
    "{{#each list}} {{~this~}} {{/each}}",
    "a {{~! comment ~}} b",
    "a {{~!-- comment --~}} b",
    "a {{~{html}~}} b {{~&html~}} c",
    "a \n\n {{~name}}\n\n",
    "{{~name~}}",
    " {{~#each none~}} x {{~else~}} y {{~/each~}} ",
    '{{#*inline "p"}}\nline one\nline two\n{{/inline}}\na\n  {{> p}}\nb',
    '{{#*inline "p"}}\nline {{indent}}\n\nx{{/inline}}\na\n\t{{> p}}\nb',
    '{{#*inline "p"}}x{{/inline}}a\n  {{> p}}  \nb {{> p}} c\n {{> p}}',
    '{{#*inline "p"}}\n  {{#if yes}}\n  y\n  {{/if}}\n{{/inline}}\n  {{> p}}\nend',
    '{{#*inline "p"}}x{{/inline}}a {{~> p~}} b',
    '{{#*inline "p"}}x{{/inline}}\n\n{{> p}}\n\nb',
    '  {{#*inline "p"}}  \n  x\n  {{/inline}}  \nrest {{> p}}',
    '{{#*inline "l"}}\n[{{> @partial-block}}]\n{{/inline}}\n{{#> l}}\n  body\n{{/l}}\nend',
    '{{#*inline "l"}}\n  {{> @partial-block}}\n{{/inline}}\n {{#> l}}\n  body\n  more\n {{/l}}\nend',
    '{{#*inline "l"}}[{{> @partial-block}}]{{/inline}}a {{~#> l~}} b {{~/l~}} c',
    "{{^no}}\na\n{{/no}}\nb",
    "{{^yes}}\na\n{{else}}\nb\n{{/yes}}\nc",
    "{{^yes}} a {{~else~}} b {{~/yes}} c",
    "{{#list}}\n{{this}}\n{{/list}}\n",
    "{{#with object}}\n{{name}}\n{{else}}\nx\n{{/with}}\n",
    "{{{{yes}}}}\n {{name}}\n{{{{/yes}}}}\n",
    "a\n\n{{#if yes}}\n\nb\n\n{{/if}}\n\nc",
    "\n{{#if yes}}\n\n{{/if}}\n",
    "{{#if yes}}\n{{else}}\n{{/if}}\n",
    "{{#if no}}\n{{else}}\n{{/if}}\nx",
    "{{#eq 1 1}}\n yes \n{{else}}\n no \n{{/eq}}\n",
    "\u00a0{{~name~}}\u3000\ufeff\u2028x",
    "\x85{{~name~}}\x1cx",
    "\u00a0{{#if yes}}\u00a0\na\n{{/if}}\n",
    "a\r{{#if yes}}\rb\r{{/if}}\rc",
    "  {{name}}  \n  {{! c }}\n\t{{/* x",
    "{{#if yes}}{{! c }}\na\n{{! d }}{{/if}}\nb",
    "x\n{{#each list}}\n{{#if @first}}\nfirst\n{{/if}}\n{{this}}\n{{/each}}\ny",
    "{{#each list}}\n{{! c }}\n{{/each}}\ny",
    "\\{{name}}\n{{#if yes}}\nb\n{{/if}}\n",
    "Dear {{User.UserAttributes.FirstName.[0]}},\n\n{{#if list}}\nYour interests:\n{{#each list}}\n"
    "  * {{this}}{{#unless @last}},{{/unless}}\n{{/each}}\n{{else}}\nNone yet.\n{{/if}}\n\nBye\n",
]


@dataclass(frozen=True)
class Case:
    """One template with its data; `escape` is the HTML mode."""

    source: str
    context: Any
    escape: bool = True


def table_cases() -> list[Case]:
    sources = [
        *MUSTACHES.splitlines(),
        *BLOCKS.splitlines(),
        *PARTIALS.splitlines(),
        *LAYOUTS,
        MUSTACHES[:400],
    ]
    plain = [Case(source, CONTEXT, escape=False) for source in MUSTACHES.splitlines()[:12]]
    return [Case(source, CONTEXT) for source in sources] + plain
