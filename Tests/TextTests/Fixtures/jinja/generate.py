#!/usr/bin/env python3
"""Makes vectors.jsonl: small templates, their variables, and what Jinja2 renders for them, or that it fails.

Usage: python3 generate.py > vectors.jsonl          (needs jinja2 3.1.6 or later)
       python3 generate.py --random COUNT [SEED]    prints random ones instead, for a comparison by hand

The environment is the one chat templates are rendered in: the immutable sandbox, trim_blocks, lstrip_blocks, loop
controls, a plain tojson, raise_exception, strftime_now at a fixed time, generation blocks, and namespaces that
refuse names with an underscore at the start.
"""

import copy
import datetime
import json
import random
import sys

import jinja2
import jinja2.ext
import jinja2.sandbox

NOW = datetime.datetime(2024, 7, 26, 12, 34, 56)


class Generation(jinja2.ext.Extension):
    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("_text"), [], [], body).set_lineno(line)

    def _text(self, caller):
        return caller()


class Namespace(jinja2.utils.Namespace):
    def __init__(*args, **kwargs):
        names = dict(*args[1:], **kwargs)
        for name in names:
            check_name(name)
        jinja2.utils.Namespace.__init__(args[0], names)

    def __setitem__(self, name, value):
        check_name(name)
        jinja2.utils.Namespace.__setitem__(self, name, value)


def check_name(name):
    if name.startswith("_"):
        raise jinja2.exceptions.SecurityError(name)


def raise_exception(message):
    raise jinja2.exceptions.TemplateError(message)


def tojson(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def environment():
    made = jinja2.sandbox.ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, jinja2.ext.loopcontrols])
    made.filters["tojson"] = tojson
    made.globals["raise_exception"] = raise_exception
    made.globals["strftime_now"] = lambda format: NOW.strftime(format)
    made.globals["namespace"] = Namespace
    return made


ENVIRONMENT = environment()

CONTEXT = {
    "name": "World",
    "text": "  Hello, wörld!\n\tTwo  lines \n",
    "html": "<a href=\"x\">&'y'</a>",
    "greek": "ΟΔΟΣ ΌΧΙ",
    "n": 7, "zero": 0, "neg": -3, "f": 2.5, "big": 12345678901234567890, "huge": 1e300,
    "yes": True, "no": False, "nothing": None, "empty": "", "nolist": [], "nodict": {},
    "words": ["pear", "Apple", "fig", "apple"],
    "numbers": [3, 1, 2, 2],
    "mixed": [1, "a", None, 2.0, True, [1, 2], {"k": "v"}],
    "person": {"name": "Ada", "age": 36, "items": ["x"], "tags": {"b": 2, "a": 1}},
    "people": [
        {"name": "Ada", "age": 36, "city": "London", "role": "user"},
        {"name": "bob", "age": 25, "city": "paris", "role": "system"},
        {"name": "Cy", "age": 36, "city": "Paris", "role": "user"},
        {"name": "dot", "age": 4, "role": "tool"},
    ],
    "tree": [{"t": "a", "c": [{"t": "b", "c": [{"t": "c", "c": []}]}, {"t": "d", "c": []}]}, {"t": "e", "c": []}],
    "schema": {"type": "object", "properties": {"z": {"type": "string"}, "a": {"type": ["integer", "null"]}},
               "required": ["z"], "é\"\\\n": "\u2028 <&>"},
}

CASES = []


def case(name, *templates):
    """One vector for each template."""
    for number, template in enumerate(templates):
        CASES.append((f"{name} {number + 1}", template))


def printed(name, *expressions):
    """One vector for each expression, printed."""
    case(name, *("{{ " + expression + " }}" for expression in expressions))


case("white space",
     "a\n{% if yes %}\nb\n{% endif %}\nc\n",
     "a\n  {% if yes %}  \n  b\n  {% endif %}  \nc\n\n",
     "a\n  {%- if yes -%}  \n  b\n  {%- endif -%}  \nc",
     "a\n  {%+ if yes +%}  \n  b\n  {%+ endif %}\nc",
     "a\n  {{ name }}  \n  b {{- name -}}  \n c",
     "a\n  {{- 1 }}\n{{ 2 -}}\n  b",
     "{{-1}}{{+1}}{{ -1 }}",
     "a \n {# comment #} \n b",
     "a \n {# comment #}\n b",
     "a \n {#- comment -#} \n b",
     "a \n {#+ comment +#} \n b",
     "{# a #}{# b #}\n{# c #}\n\nx",
     "{##}x{#-#} y",
     "{% if yes %}{% endif %}\n\nx",
     "{% if yes -%} \u2003\u00a0 a {%- endif %}",
     "\n\n{% set x = 1 %}\n\n{{ x }}\n\n",
     "   {% set x = 1 %}   {% set y = 2 %}   \n{{ x }}{{ y }}",
     "a\r\n{% if yes %}\r\nb\r{% endif %}\r\nc\r\n",
     "\t{% if yes %}\tx\t{% endif %}\t",
     "{% for i in numbers %}\n  {{ i }}\n{% endfor %}\nend",
     "{% for i in numbers -%}\n  {{ i }}\n{%- endfor %}\nend",
     "{{ 'a' }}\n{{ 'b' }}  {% if yes %}c{% endif %}",
     "x{{ '\n' }}  {% if yes %}c{% endif %}",
     "{% raw %}{{ x }} {% if %}{% endraw %}",
     "a\n  {% raw %}\n  {{ x }}\n  {% endraw %}\n b",
     "a {%- raw -%} \n {{ x }} \n {%- endraw -%} \n b",
     "a {% raw %} {# no #} {%+ endraw %} b",
     "{ % } {{ '}}' }} {{ '%}' }} { { } }",
     "{{ {'a': {'b': 1}} }}{{ {'a':{}}}}",
     "{{{'a': 1}}}",
     "",
     "\n",
     "plain",
     "%} }} #} { % {{ 1 }}",
     "line 1 {% if no %}\nline 2\n{% else %}\nline 3\n{% endif %}\nline 4",
     )

printed("literals",
        "1", "1.0", "1e3", "1.5e-7", "0x1F", "0b101", "0o17", "1_000", "1_0.5_0", "true", "True", "false", "none", "None",
        "'a'", '"a"', r"'a\'b'", r'"a\"b"', r"'\n\t\\'", r"'\x41\u00e9\U0001F600'", r"'\101\0'", r"'\q'", "'a' 'b' \"c\"",
        "'\u00e9\u65e5'", "[]", "[1, 'a', none]", "[1,]", "()", "(1,)", "(1, 2)", "1, 2", "{}", "{'a': 1, 2: none,}",
        "{'a': 1, 'a': 2}", "{1: 'a', 1.0: 'b', true: 'c'}", "[[1, [2]], {'a': (3,)}]", "'it\\'s'", "['it\\'s', \"q\\\"\", '\\n\\x00\\u00e9\\u200b']",
        "0", "00", "01", "1.", ".5", "1e", "9223372036854775807", "9223372036854775808", "-9223372036854775808",
        "1e16", "1e15", "123456789.125", "1e-4", "1e-5", "0.1 + 0.2", "1e22", "1e21", "5e-324", "1.7976931348623157e308",
        "100.0", "1e400", "'\\ud83d\\ude00'", "'unclosed", "{'a' 1}", "[1 2]", "{[]: 1}", "x.1.2", "'\\\nab'",
        )

printed("variables",
        "name", "missing", "missing.attribute", "missing['item']", "missing()", "person.name", "person['name']", "person.missing",
        "person.missing.more", "person['missing']['more']", "person.items", "person['items']", "person.items()", "person.tags.b",
        "words.0", "words[0]", "words[-1]", "words[9]", "words['0']", "words.first", "name.upper", "name[0]", "name[-1]", "name[99]",
        "nothing.x", "n.x", "n.real", "nothing['x']", "no.x", "name['upper']()", "person[nothing]", "person[[1]]", "words[1.0]", "words[true]",
        "person.__class__", "name.__class__.__mro__", "person.__len__", "person.keys", "words.append", "words.append(1)", "words.pop()",
        "person.update({'a': 1})", "person.pop('name')", "person.setdefault('q', 1)", "person.get('name')", "person.get('q')",
        "person.get('q', 'd')", "person.get('q').x", "person.get()", "person.get([])", "people[0].name", "people.0.name",
        "missing is defined and missing.x", "range is defined", "big", "huge", "loop", "caller",
        )

printed("arithmetic",
        "1 + 2", "1 - 2", "2 * 3", "7 / 2", "4 / 2", "7 // 2", "-7 // 2", "7 // -2", "7 % 3", "-7 % 3", "7 % -3", "2 ** 10", "2 ** -1", "2 ** 0.5",
        "2 ** 3 ** 2", "-2 ** 2", "+n", "-n", "--n", "- -n", "-f", "+nothing", "-name", "7.5 // 2", "-7.5 // 2", "7.5 % 2", "-7.5 % 2", "7.5 % -2",
        "1 / 0", "1 // 0", "1 % 0", "1.0 / 0", "1.0 % 0", "0 ** -1", "true + 1", "true + true", "true * 'a'", "'a' * 3", "3 * 'a'", "'a' * -1", "'a' * 2.0",
        "[1] * 2", "2 * [1, 2]", "(1,) * 2", "'a' + 'b'", "'a' + 1", "1 + 'a'", "[1] + [2]", "[1] + (2,)", "(1,) + (2,)", "{} + {}", "none + 1", "'a' - 'b'",
        "1 + missing", "missing + 'a'", "missing * 2", "1 ~ 2", "'a' ~ 1 ~ none ~ 2.0 ~ true ~ missing", "1 + 2 ~ 3", "1 ~ 2 + 3", "'a' ~ 'b' * 2",
        "1 + 2 * 3", "(1 + 2) * 3", "10 - 2 - 3", "2 * 3 % 4", "100 // 7 // 2", "9223372036854775807 + 0", "1.5 + 1", "3 * 1.5", "1e308 * 10", "0.0 * -1",
        "5 % 2.5", "1e16 + 1", "2 ** 62", "7 // 2.0", "-0.0", "1 - 1.0", "10 ** 18", "(2 ** 0.5) * 2", "n / 3", "n * 1.1",
        )

printed("comparison",
        "1 == 1.0", "1 == true", "1 == '1'", "'a' == 'a'", "none == none", "none == false", "missing == missing", "missing == none", "[] == []", "[1, 2] == [1, 2]", "[1] == (1,)",
        "{'a': 1, 'b': 2} == {'b': 2, 'a': 1}", "{'a': 1} == {'a': 2}", "1 != 2", "'a' != 'b'", "missing != 1", "1 < 2", "2 <= 2", "3 > 2.5", "2 >= 3", "'a' < 'b'", "'a' < 'B'",
        "'a' < 1", "none < 1", "[1, 2] < [1, 3]", "[1] < [1, 0]", "(1, 2) > (1,)", "{} < {}", "missing < 1", "1 < 2 < 3", "1 < 3 < 2", "1 < 2 == 2", "3 > 2 > 1 > 0",
        "1 in [1, 2]", "'1' in [1]", "'a' in 'abc'", "'' in 'abc'", "1 in 'abc'", "'name' in person", "'Ada' in person", "1 not in [1]", "2 not in [1]", "'a' in missing", "'a' in nothing",
        "1 in 1", "none in mixed", "2 in mixed", "[1, 2] in mixed", "[] in {}", "not 1 in [1]", "not (1 in [1])", "'é' == 'e\u0301'", "'\ufb01' == 'fi'", "true == 1.0", "'a' in ['a'] in [true]",
        "1 == 1 == 1", "range(3) == range(3)", "missing in [1]", "[1.0, true] == [1, 1]", "(1,) in [(1,)]", "nothing is none", "9007199254740993 == 9007199254740992.0", "'b' in 'abc'[1:]",
        )

printed("logic",
        "yes and no", "yes or no", "not yes", "not not yes", "1 and 2", "0 and 2", "0 or 'x'", "'' or none", "[] or {}", "none or 0", "1 or missing.x", "0 and missing.x",
        "not missing", "yes and not no", "no or no and yes", "(no or yes) and yes", "'a' if yes else 'b'", "'a' if no else 'b'", "'a' if no", "('a' if no) is defined",
        "'a' if no else 'b' if no else 'c'", "'a' if yes if no", "1 if 0 else 2 + 3", "(1 if 0 else 2) + 3", "not 1 == 2", "1 == 2 or 3", "'x' if words", "'x' if nolist else 'y'", "'x' if 0.0 else 'y'",
        "'a' and 'b' or 'c'", "1 if yes else missing.x", "(yes and no) or 'z'", "not 0 and 1", "not (0 and 1)", "-1 and 2", "yes is true and no is false",
        )

printed("slices",
        "words[1:]", "words[:2]", "words[1:3]", "words[::2]", "words[::-1]", "words[-2:]", "words[:-1]", "words[5:]", "words[3:1]", "words[-9:9]", "words[::0]", "words[2::-1]", "words[-1:0:-2]",
        "name[1:3]", "name[::-1]", "name[-3:]", "name[:99]", "text[2:9]", "'日本語テキスト'[1:4]", "'日本語'[-1]", "(1, 2, 3)[1:]", "range(10)[2:8:3]", "range(10)[::-1]", "range(10)[2:8:3] | list", "range(5)[-1]",
        "words[none:2]", "words['a':]", "words[1.0:]", "nothing[1:]", "missing[1:]", "person[1:]", "words[true:]", "words[:]", "words[1:][0]", "words[0][0]", "words[-1][::-1]", "n[1:]", "'abc'[1:2:]", "'abc'[::1]", "'abc'[-5:-1]",
        )

printed("string methods",
        "text.strip()", "text.lstrip()", "text.rstrip()", "'xxaxx'.strip('x')", "'xyaxy'.strip('yx')", "'abc'.lstrip('ba')", "'abc'.rstrip('')", "'a'.strip(none)", "'a'.strip(1)", "text.strip().split()", "text.split()", "text.split(' ')",
        "'a,b,,c'.split(',')", "'a,b,c'.split(',', 1)", "'a b  c '.split(none, 1)", "' a b  c '.split(maxsplit=1)", "'a,b,c'.rsplit(',', 1)", "' a b  c '.rsplit(none, 1)", "'abab'.split('ab')", "''.split()", "''.split(',')", "'a'.split('')", "'aaa'.rsplit('aa')",
        "'a-b-c'.rsplit('-')", "'a-b-c'.split(sep='-', maxsplit=1)", "'a\\nb\\r\\nc\\n'.splitlines()", "'a\\nb'.splitlines(true)", "'a\\u2028b\\x0cc'.splitlines()", "'hello world'.title()", "\"they're bill's\".title()", "'hELLO wORLD'.capitalize()", "''.capitalize()",
        "'straße'.upper()", "'ǆ'.title()", "greek.lower()", "greek.title()", "'İ'.lower()", "'aBc'.swapcase()", "'abc'.startswith('a')", "'abc'.startswith(('x', 'a'))", "'abc'.startswith(['a'])", "'abc'.startswith('b', 1)", "'abc'.endswith('c')", "'abc'.endswith(('b', 'c'))",
        "'abc'.endswith('b', 0, 2)", "'abc'.startswith('')", "'abc'.startswith('', 9)", "'aXbX'.replace('X', 'y')", "'aXbX'.replace('X', 'y', 1)", "'abc'.replace('', '-')", "'abc'.replace('', '-', 2)", "'abc'.replace('b', '')", "''.replace('', 'x')", "'a'.replace('a', 1)", "', '.join(['a', 'b'])",
        "', '.join('ab')", "', '.join([1])", "', '.join(person)", "','.join([])", "'abcabc'.find('c')", "'abcabc'.find('c', 3)", "'abcabc'.rfind('c')", "'abc'.find('x')", "'日本日本'.find('本', 2)", "'abc'.index('c')", "'abc'.index('x')", "'日本日本'.rindex('本')", "'aaaa'.count('aa')", "'abc'.count('')",
        "'abc'.count('b', 1, 2)", "'abc'.find('')", "'abc'.rfind('')", "'a=b=c'.partition('=')", "'a=b=c'.rpartition('=')", "'abc'.partition('=')", "'abc'.rpartition('=')", "'abc'.removeprefix('a')", "'abc'.removesuffix('c')", "'abc'.removeprefix('x')", "'ab'.center(5)", "'abc'.center(6, '*')",
        "'ab'.ljust(4, '.') ~ '|'", "'ab'.rjust(4) ~ '|'", "'ab'.center(1)", "'ab'.center(5, 'xx')", "'42'.zfill(5)", "'-42'.zfill(5)", "'+4'.zfill(1)", "'a\\tb'.expandtabs(4)", "'12'.isdigit()", "'1a'.isdigit()", "''.isdigit()", "'²'.isdigit()", "'²'.isdecimal()", "'½'.isnumeric()", "'ab'.isalpha()", "'a1'.isalnum()",
        "' \\n'.isspace()", "'AB1'.isupper()", "'ab1'.islower()", "'1'.isupper()", "'Ab Cd'.istitle()", "'abc'.isascii()", "'é'.isascii()", "'a_1'.isidentifier()", "'a\\n'.isprintable()", "'abc'.nosuch()", "'abc'.strip('a', 'b')", "'abc'.upper(1)", "'a'.format", "1.upper()", "n.bit_length()", "f.is_integer()", "(2.0).is_integer()",
        )

printed("format",
        "'%s and %s' % ('a', 1)", "'%s' % 'a'", "'%s' % [1]", "'%s' % (1,)", "'%d%%' % 5", "'%5d|%-5d|%05d|%+d|% d' % (1, 2, 3, 4, 5)", "'%x %X %o %#x' % (255, 255, 8, 255)", "'%.2f %8.3f %e %g' % (3.14159, 2.5, 12345.678, 0.0001)", "'%r %s' % ('a', none)", "'%(a)s-%(b)d' % {'a': 1, 'b': 2}",
        "'%(x)s' % {'a': 1}", "'%s %s' % ('a',)", "'%s' % ('a', 'b')", "'%d' % 'a'", "'%d' % 2.7", "'%q' % 1", "'%' % 1", "'%c%c' % ('a', 98)", "'%.2s|%5s|%-5s|' % ('abc', 'ab', 'ab')", "'%*d' % (5, 1)", "'%.3d' % 5", "'%i' % true", "'abc' % ()", "'abc' % 1", "'abc' % {}", "'%G' % 1e20",
        "'{} {}'.format('a', 1)", "'{1} {0}'.format('a', 'b')", "'{x}'.format(x=1)", "'{0.name} {0[age]}'.format(person)", "'{:>5}|{:<5}|{:^5}|'.format('a', 'b', 'c')", "'{:05d} {:+} {:,} {:_}'.format(42, 1, 1234567, 1234567)", "'{:.2f} {:8.3f} {:e} {:g} {:%}'.format(3.14159, 2.5, 12345.678, 0.0001, 0.25)",
        "'{:x} {:X} {:o} {:b} {:#x} {:c}'.format(255, 255, 8, 5, 255, 65)", "'{{}}'.format()", "'{'.format()", "'}'.format()", "'{}'.format()", "'{} {0}'.format(1)", "'{!r} {!s}'.format('a', 'b')", "'{:{}}|'.format('a', 5)", "'{:*^9}'.format('mid')", "'{:d}'.format('a')", "'{:s}'.format(1)", "'{:>3}'.format(none)", "'{}'.format(none)", "'{:.3}'.format('abcdef')",
        "'{:.3}'.format(3.14159)", "'{:10.2f}|'.format(-3.14159)", "'{:=+8d}'.format(42)", "'{:08.2f}'.format(-1.5)", "'{:,.2f}'.format(1234567.891)", "'{[0]}'.format(words)", "'{a.b}'.format(a=1)", "'{:5}|'.format(true)", "'{}'.format(true)", "'{x} {y}'.format_map({'x': 1, 'y': 2})", "'%s' | format('x')", "'%(a)s' | format(a=1)", "'%s %s' | format(1, 2)",
        "'{:g}'.format(100000.0)", "'{:g}'.format(1000000.0)", "'{}'.format(1.0)", "'%s' % 1.0", "'%s' % missing", "'{}'.format(missing)", "'{:.0f} {:.0f} {:.0f}'.format(0.5, 1.5, 2.5)", "'%5.1f%%' % 99.55", "'{:e}'.format(0.0)", "'{:<6}|{:>6}|{:^6}|'.format(1, 2.5, 3)",
        )

printed("filters on text",
        "name | upper", "name | lower", "n | upper", "missing | upper", "nothing | upper", "'hello wORLD-foo (bar' | title", "'hello World' | capitalize", "text | trim", "'xax' | trim('x')", "n | trim", "name | replace('o', '0')", "name | replace('o', '0', 1)", "n | replace(7, 8)", "name | length", "'日本' | length", "n | length", "nothing | length",
        "missing | length", "person | count", "'a b c_d é' | wordcount", "'ab' | center(6) ~ '|'", "'foo bar baz qux' | truncate(9)", "'foo bar baz qux' | truncate(9, true)", "'foo bar baz qux' | truncate(11)", "'foo bar baz qux' | truncate(9, false, '!', 0)", "'foo' | truncate(2)", "'a\\nb\\n\\nc' | indent", "'a\\nb\\n\\nc' | indent(2, true)", "'a\\nb\\n\\nc' | indent(2, first=true, blank=true)",
        "'a\\nb' | indent('> ')", "'a\\nb\\n' | indent(2) ~ '|'", "n | indent", "html | e", "html | escape | escape", "html | forceescape", "html | safe", "html | safe | e", "(html | e) + '<b>'", "'<b>' + (html | e)", "(html | safe) ~ '<b>'", "html | striptags", "'<!-- a > b --> x  y<br/>&amp;' | striptags", "'a b/c?d=é&' | urlencode", "{'a b': 'c/d', 'e': 1} | urlencode", "{'class': 'x<', 'id': none, 'n': 1} | xmlattr",
        "name | string", "n | string", "nothing | string", "missing | string ~ '|'", "[1, 'a'] | string", "name | list", "name | reverse", "name | first", "name | last", "'%s' | safe % '<'", "('<%s>' | safe) | format('<')", "(html | safe).upper()", "('<' | safe).join(['<', '>'])", "[('<' | safe)]", "name | nosuchfilter", "'a' | default('b')", "'x' | e | upper | trim", "('a,b' | safe).split(',')",
        "'abc' | replace('', '-')", "text | upper | trim | length", "name | upper() | lower()", "name | upper(1)", "name|d|d", "'a' | attr('upper')", "('a' | attr('nope')) is defined", "person | attr('name')", "' a ' | trim | title", "1000 | filesizeformat", "1 | filesizeformat", "999 | filesizeformat", "1536000 | filesizeformat", "1536000 | filesizeformat(true)", "'2000' | filesizeformat", "3e27 | filesizeformat",
        )

printed("filters on numbers",
        "'42' | int", "'4.7' | int", "'x' | int", "'x' | int(-1)", "'x' | int(default=5)", "'ff' | int(0, 16)", "'0x1f' | int(base=16)", "'0x1f' | int(base=0)", "' 42 ' | int", "'1_000' | int", "4.9 | int", "-4.9 | int", "none | int", "[] | int", "true | int", "missing | int", "'' | int", "'1e3' | int", "1e300 | int | string | length", "'99999999999999999999' | int", "'inf' | int",
        "'4.7' | float", "'x' | float", "'x' | float(1.5)", "4 | float", "none | float", "missing | float", "'1e3' | float", "'inf' | float", "'nan' | float", "'0x10' | float", "' 1.5 ' | float", "'1_0.5' | float", "true | float", "2.5 | round", "3.5 | round", "-2.5 | round", "2.675 | round(2)", "1234.5 | round(-2)", "42 | round", "42 | round(-1)", "45 | round(-1)", "55 | round(-1)", "2.1 | round(0, 'ceil')", "2.9 | round(method='floor')",
        "2.15 | round(1, 'ceil')", "2 | round(1, 'floor')", "2.5 | round('x')", "2.5 | round(0, 'other')", "'a' | round", "-5 | abs", "-5.5 | abs", "'a' | abs", "true | abs", "numbers | sum", "numbers | sum(start=10)", "people | sum(attribute='age')", "['a'] | sum", "[[1], [2]] | sum(start=[])", "[] | sum", "numbers | min", "numbers | max", "[] | min", "words | min", "words | max", "words | max(case_sensitive=true)",
        "people | max(attribute='age')", "people | min(attribute='age') | string", "[1, 'a'] | max", "[2.5, 1] | min", "f | round(1)", "1e20 | round", "0.5 | round | int", "1.005 | round(2)", "12.0 | int", "'12.0' | int", "'-7' | int", "'+7' | int", "'--7' | int", "1.0 | string", "1e5 | string", "1e16 | int",
        )

printed("filters on sequences",
        "words | first", "words | last", "[] | first", "[] | last", "words | length", "words | join", "words | join(', ')", "mixed | join('|')", "people | join(', ', attribute='name')", "people | join(', ', 'city')", "person | join(',')", "none | join", "missing | join", "n | join", "words | reverse | list", "words | reverse", "person | reverse | list", "numbers | sort", "words | sort", "words | sort(case_sensitive=true)", "words | sort(reverse=true)",
        "words | sort(true, true)", "people | sort(attribute='age') | map(attribute='name') | list", "people | sort(attribute='age,name') | map(attribute='name') | list", "people | sort(attribute='name', reverse=true) | map(attribute='name') | join(',')", "[1, 'a'] | sort", "[none, 1] | sort", "[[2, 1], [1, 2]] | sort", "people | sort(attribute='city') | map(attribute='name') | list", "person.tags | dictsort", "person.tags | dictsort(by='value')", "person.tags | dictsort(reverse=true)", "{'b': 1, 'A': 2} | dictsort", "{'b': 1, 'A': 2} | dictsort(true)", "person.tags | dictsort(by='x')", "words | dictsort",
        "missing | dictsort", "words | unique | list", "words | unique(case_sensitive=true) | list", "numbers | unique | join", "people | unique(attribute='age') | map(attribute='name') | list", "[[1], [1]] | unique | list", "[1, 1.0, true, '1'] | unique | list", "person.tags | items | list", "person | items | first", "missing | items | list", "words | items | list", "words | items", "person.tags.items() | list", "person.tags.items()", "person.tags.keys()", "person.tags.values() | list", "person.tags.keys() | length", "person.tags.items()[0]", "'b' in person.tags.keys()",
        "2 in person.tags.values()", "('b', 2) in person.tags.items()", "person.tags.keys() | join", "(person.tags | items) is iterable", "(person.tags | items) | length", "numbers | batch(3) | list", "numbers | batch(3, 'x') | list", "numbers | slice(3) | list", "numbers | slice(3, 'x') | list", "numbers | slice(0) | list", "numbers | batch(0) | list", "people | groupby('age') | list | length", "people | groupby('age') | map(attribute='grouper') | list", "people | groupby('city', default='?') | map('first') | list", "people | groupby('city', case_sensitive=true, default='') | map('first') | list",
        "(people | groupby('age'))[0].list[0].name", "(people | groupby('age'))[0]", "range(5) | list", "range(2, 8, 3) | list", "range(5, 0, -2) | list", "range(0) | list", "range(3)", "range(1, 9, 2)", "range(3.0)", "range(1, 2, 0)", "range(100001)", "range(99999) | length", "range('a')", "range()", "range(5) | last", "range(5) | sum", "range(3) | tojson", "list(words)", "words | list is sameas words", "words | tojson | length", "'' | first", "{} | first", "person | first", "(1, 2) | last", "[1, [2, [3]]] | last | last", "nothing | list", "n | list", "missing | list", "words | random is string", "[] | random",
        "words | first(1)", "dict(a=1, b=2)", "dict({'a': 1}, b=2)", "dict([('a', 1), ['b', 2]])", "dict(1)", "dict([1])", "words | count", "words | map('length') | sum", "numbers | map('string') | join('+')", "[3, 1] | sort | first", "(numbers | list)[0]", "words.count('fig')", "words.index('fig')", "words.index('nope')", "numbers.count(2)", "(1, 2, 2).count(2)", "words.copy() == words", "person.copy() == person", "range(5).index(3)", "dict.fromkeys(['a', 'b'], 0)",
        )

printed("map and select",
        "words | map('upper') | list", "words | map('replace', 'a', 'A') | list", "people | map(attribute='name') | list", "people | map(attribute='city') | list", "people | map(attribute='city', default='-') | list", "people | map(attribute='nope.deeper') | list", "mixed | map('string') | list", "words | map | list", "words | map('nope') | list", "words | map('nope') is defined", "none | map('upper') | list", "missing | map('upper') | list", "n | map('upper') | list", "[[1, 2], [3]] | map('sum') | list", "[[1, 2], [3]] | map(attribute=0) | list", "[[1, 2], [3, 4]] | map(attribute='1') | list", "words | map('first') | map('upper') | join",
        "numbers | select | list", "mixed | select('string') | list", "mixed | reject('none') | list", "numbers | select('greaterthan', 1) | list", "numbers | select('odd') | list", "numbers | reject('odd') | list", "numbers | select('in', [1, 2]) | list", "numbers | select('==', 2) | list", "people | selectattr('city') | map(attribute='name') | list", "people | selectattr('role', 'equalto', 'user') | map(attribute='name') | list", "people | selectattr('role', 'eq', 'user') | list | length", "people | rejectattr('role', 'eq', 'user') | map(attribute='name') | list", "people | selectattr('city', 'defined') | list | length", "people | selectattr('city', 'undefined') | map(attribute='name') | first",
        "people | selectattr('age', '>', 30) | map(attribute='age') | list", "people | selectattr('name', 'in', ['Ada', 'bob']) | map(attribute='name') | join(' ')", "people | selectattr | list", "people | selectattr('role', 'nope') | list", "people | rejectattr('role') | list", "people | selectattr('tags.deep') | list", "people | selectattr('name', 'string') | first | tojson", "people | selectattr('nope') | first", "words | map('upper')  | tojson", "(words | map('upper')) is sequence", "(words | map('upper')) is iterable", "(words | map('upper')) ~ '' != ''", "[0, '', none, [], 1] | select | list", "[0, '', none, [], 1] | reject | list", "'abc' | map('upper') | join('-')", "person | map('upper') | list",
        "range(10) | select('divisibleby', 3) | list", "people | map(attribute='name') | map('length') | max", "[1, 'x'] | map('int') | list", "['a', 'b'] | map('upper') | first", "people | map(attribute='age', extra=1) | list", "words | select('nope') | list", "[{'a': {'b': 1}}] | map(attribute='a.b') | list", "[{'a': [5, 6]}] | map(attribute='a.1') | list", "words | map('e') | list", "words | map(attribute='upper') | list | length", "words | reject('in', 'apple') | list",
        )

printed("tests",
        "name is defined", "missing is defined", "missing is undefined", "person.x is defined", "person.name is defined", "nothing is none", "missing is none", "nothing is defined", "yes is boolean", "1 is boolean", "yes is true", "1 is true", "no is false", "0 is false", "1 is integer", "true is integer", "1.0 is integer", "1.0 is float", "1 is float", "1 is number", "true is number", "1.0 is number", "'1' is number", "'a' is string", "1 is string", "missing is string", "('a' | safe) is string", "person is mapping", "words is mapping", "words is sequence", "'a' is sequence", "person is sequence", "1 is sequence",
        "missing is sequence", "missing is iterable", "nothing is sequence", "range(2) is sequence", "words is iterable", "'a' is iterable", "1 is iterable", "nothing is iterable", "person.items() is iterable", "person.items() is sequence", "range is callable", "name.upper is callable", "name is callable", "'ab' is lower", "'AB' is upper", "'Ab' is lower", "'1' is lower", "1 is lower", "3 is odd", "4 is even", "2.0 is even", "'a' is odd", "true is odd", "9 is divisibleby 3", "9 is divisibleby(2)", "9 is divisibleby 0", "1 is eq 1", "1 is equalto 2", "1 is ne 2", "1 is lt 2", "2 is le 2", "1 is gt 2", "1 is ge 1", "1 is == 1", "1 is lessthan 2",
        "1 is in [1]", "'a' is in 'abc'", "1 is not in [1]", "yes is sameas true", "1 is sameas true", "nothing is sameas none", "words is sameas words", "[] is sameas []", "'upper' is filter", "'nope' is filter", "'odd' is test", "'nope' is test", "('a' | e) is escaped", "'a' is escaped", "name is not defined", "missing is not defined", "not missing is defined", "1 is nope", "missing is defined or 1", "1 is defined and 2 is defined", "words is string or words is mapping", "name is string and name", "1 + 1 is eq 2", "(1 + 1) is eq 2", "-1 is lt 0", "person.age is number", "x.y is defined", "missing.y is defined", "missing['y'] is undefined", "1 is odd is even",
        "words[9] is defined", "words[0].nope is defined", "words is defined and words | length > 2", "words | length is gt 3", "words | first is string", "namespace() is mapping", "namespace is callable", "namespace() is iterable", "(1, 2) is sequence", "{} is mapping", "() is iterable", "1 is in(words)", "none is in mixed", "5 is divisibleby(num=5)",
        )

printed("tojson",
        "schema | tojson", "schema | tojson(indent=2)", "schema | tojson(indent=0)", "schema | tojson(separators=(',', ':'))", "schema | tojson(indent='--')", "schema | tojson(ensure_ascii=true)", "schema | tojson(sort_keys=true)", "mixed | tojson", "mixed | tojson(indent=4)", "[] | tojson(indent=2)", "{} | tojson(indent=2)", "[[], {}] | tojson(indent=2)", "1.0 | tojson", "1e300 | tojson", "big | tojson", "'é\\u2028\\x01\\x7f\"\\\\/' | tojson", "'😀' | tojson(ensure_ascii=true)", "none | tojson", "true | tojson", "missing | tojson", "[missing] | tojson", "(1, 2) | tojson", "{1: 2, none: 3, true: 4, 1.5: 5} | tojson", "{(1, 2): 3} | tojson",
        "words | map('upper') | list | tojson", "person.items() | tojson", "range(2) | tojson", "('<a>' | safe) | tojson", "'<&>\\'' | tojson", "namespace(a=1) | tojson", "people | tojson(indent=1) | length", "{'b': 1, 'a': {'d': 1, 'c': 2}} | tojson(sort_keys=true, indent=2)", "[1, [2, {'a': [3]}]] | tojson(indent=2)", "schema | tojson(separators=[', ', ' : '], indent=2)", "1e400 | tojson", "-0.0 | tojson", "'a\\tb\\b\\f\\r' | tojson", "name | tojson(bogus=1)", "[1.5, 1e-7, 123456789012345680.0] | tojson", "tojson", "{'a': missing} | tojson", "(words | tojson) + 'x'", "words | tojson | safe", "{2: 1, 1: 2} | tojson(sort_keys=true)", "{2: 1, 'a': 2} | tojson(sort_keys=true)",
        )

case("if",
     "{% if no %}a{% elif zero %}b{% elif n %}c{% else %}d{% endif %}",
     "{% if no %}a{% endif %}",
     "{% if missing %}a{% else %}b{% endif %}",
     "{% if missing.x %}a{% endif %}",
     "{% if 1, %}a{% endif %}",
     "{% if yes: %}a{% endif %}",
     "{% if yes %}{% set x = 1 %}{% endif %}{{ x }}",
     "{% if no %}{% set x = 1 %}{% endif %}{{ x is defined }}",
     "{% if no %}{% set name = 1 %}{% endif %}{{ name }}",
     "{% if yes %}a", "{% if %}a{% endif %}", "{% endif %}", "{% if yes %}{% for i in words %}{% endif %}{% endfor %}", "{% else %}", "{% if yes %}{% endfor %}",
     "{% if yes %}{% if no %}a{% else %}b{% endif %}{% endif %}",
     "{% if no %}{{ 1 | nope }}{% endif %}x", "{% if yes %}{{ 1 | nope }}{% endif %}x", "{{ 1 | nope if no else 2 }}", "{% if no %}{% if 1 is nope %}{% endif %}{% endif %}x",
     "{% if no %}{% for i in words %}{{ i | nope }}{% endfor %}{% endif %}x", "{% for i in words %}{% if no %}{{ i | nope }}{% endif %}{% endfor %}x", "{{ (1 | nope) if no }}x", "{% set x = 1 | nope if no else 3 %}{{ x }}",
     )

case("for",
     "{% for i in numbers %}{{ i }},{% endfor %}",
     "{% for i in [] %}a{% else %}b{% endfor %}",
     "{% for i in numbers %}a{% else %}b{% endfor %}",
     "{% for i in numbers if i > 1 %}{{ loop.index }}/{{ loop.length }}:{{ i }} {% endfor %}",
     "{% for i in numbers if i > 9 %}a{% else %}none{% endfor %}",
     "{% for k in person %}{{ k }} {% endfor %}",
     "{% for k, v in person.tags.items() %}{{ k }}={{ v }} {% endfor %}",
     "{% for k, v in person.tags | dictsort %}{{ k }}={{ v }} {% endfor %}",
     "{% for (a, b), c in [((1, 2), 3)] %}{{ a }}{{ b }}{{ c }}{% endfor %}",
     "{% for a, b in [(1, 2, 3)] %}{% endfor %}", "{% for a, b in [(1,)] %}{% endfor %}", "{% for a, b in ['xy'] %}{{ a }}{{ b }}{% endfor %}", "{% for a, b in [1] %}{% endfor %}",
     "{% for c in name %}{{ c }}.{% endfor %}", "{% for i in missing %}a{% else %}b{% endfor %}", "{% for i in nothing %}a{% endfor %}", "{% for i in 5 %}a{% endfor %}", "{% for i in range(3) %}{{ i }}{% endfor %}", "{% for i in 1, 2, 3 %}{{ i }}{% endfor %}", "{% for i in (1, 2) %}{{ i }}{% endfor %}",
     "{% for i in words %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }} {% endfor %}",
     "{% for i in words %}{{ loop.previtem }}<{{ i }}>{{ loop.nextitem }} {% endfor %}",
     "{% for i in words %}{{ loop.previtem is defined }}{{ loop.nextitem is defined }} {% endfor %}",
     "{% for i in words %}{{ loop.cycle('a', 'b', 'c') }}{% endfor %}", "{% for i in words %}{{ loop.cycle() }}{% endfor %}",
     "{% for i in [1, 1, 2, 2, 1] %}{% if loop.changed(i) %}{{ i }}{% endif %}{% endfor %}",
     "{% for i in [1, 1, 2] %}{{ loop.changed(i, 'x') }} {% endfor %}",
     "{% for i in words %}{{ loop }} {% endfor %}", "{% for i in words %}{{ loop.nope }}{{ loop.depth }}{{ loop.depth0 }}{% endfor %}",
     "{% for i in numbers %}{% for j in words %}{{ loop.index }}{% endfor %}{{ loop.index }};{% endfor %}",
     "{% for i in numbers %}{% set outer = loop %}{% for j in [1, 2] %}{{ outer.index }}{{ loop.index }} {% endfor %}{% endfor %}",
     "{% for i in numbers %}{% if i == 1 %}{% break %}{% endif %}{{ i }}{% endfor %}!", "{% for i in numbers %}{% if i == 1 %}{% continue %}{% endif %}{{ i }}{% endfor %}!",
     "{% for i in [1, 2] %}{% for j in [1, 2] %}{% if j == 2 %}{% break %}{% endif %}{{ i }}{{ j }} {% endfor %}{% endfor %}",
     "{% for i in [1, 2] %}{% for j in [] %}{% else %}{% break %}{% endfor %}{{ i }}{% endfor %}!", "{% for i in numbers %}{% break %}{% else %}b{% endfor %}", "{% for i in numbers %}{% continue %}{% else %}b{% endfor %}!",
     "{% break %}", "{% continue %}", "{% for i in [1, 2] %}{% set x %}a{% break %}{% endset %}{% endfor %}!", "{% for i in [1, 2] %}{% filter upper %}a{% continue %}{% endfilter %}b{% endfor %}!", "{% for i in [1] %}{% macro m() %}{% break %}{% endmacro %}{% endfor %}",
     "{% set x = 0 %}{% for i in numbers %}{% set x = x + i %}{{ x }} {% endfor %}{{ x }}", "{% set ns = namespace(x=0) %}{% for i in numbers %}{% set ns.x = ns.x + i %}{% endfor %}{{ ns.x }}",
     "{% for i in numbers %}{{ x }}{% set x = i %}{{ x }} {% endfor %}", "{% for i in numbers %}{{ i }}{% endfor %}{{ i is defined }}", "{% set i = 9 %}{% for i in numbers %}{{ i }}{% endfor %}{{ i }}",
     "{% for i in numbers %}{{ name }}{% set name = i %}{% endfor %}", "{% for i in [1, 2] %}{{ name }}{% endfor %}{% set name = 5 %}{{ name }}", "{% for i in [1] %}{% if no %}{% set name = 5 %}{% endif %}{{ name }}{% endfor %}",
     "{% for loop in words %}{% endfor %}", "{% for i in words %}{% set loop = 1 %}{% endfor %}", "{% for i in words %}{% endfor", "{% for in words %}{% endfor %}", "{% for i words %}{% endfor %}", "{% for i in %}{% endfor %}", "{% for i.x in words %}{% endfor %}", "{% for i in words %}",
     "{% for item in tree recursive %}{{ item.t }}{% if item.c %}({{ loop(item.c) }}){% endif %}{% endfor %}", "{% for item in tree recursive %}{{ loop.depth }}{{ loop.depth0 }}{{ item.t }}{{ loop(item.c) }}{% else %}-{% endfor %}", "{% for item in tree recursive %}{{ loop.index }}{{ loop(item.c) }}{{ loop.index }} {% endfor %}", "{% for i in words %}{{ loop(words) }}{% endfor %}",
     "{% for item in tree if item.c recursive %}{{ item.t }}{{ loop(item.c) }}{% endfor %}", "{% for item in tree recursive %}{% set x = item.t %}{{ loop(item.c) }}{{ x }}{% endfor %}",
     "{% set ns = namespace(stop=false) %}{% for i in numbers if not ns.stop %}{{ i }}{% set ns.stop = true %}{% endfor %}", "{% for i in numbers if loop %}{{ i }}{% endfor %}", "{% set ns = namespace(stop=false) %}{% for i in numbers if not ns.stop %}{{ i }}{{ loop.last }}{% set ns.stop = true %}{% endfor %}",
     "{% for i in words | map('upper') %}{{ i }}{{ loop.length }}{{ loop.last }} {% endfor %}", "{% set g = words | map('upper') %}{% for i in g %}{{ i }}{% break %}{% endfor %}{% for i in g %}<{{ i }}>{% endfor %}", "{% set g = words | map('upper') %}{{ g | list }}{{ g | list }}", "{% for i in person.items() %}{{ i }}{% endfor %}",
     "{% for i in (numbers if no else words) %}{{ i }}{% endfor %}", "{% for i in numbers if i is odd and i > 1 %}{{ i }}{% endfor %}", "{% for x in words %}{{ x }}{% if not loop.last %}, {% endif %}{% endfor %}", "{%- for i in numbers -%} {{ i }} {%- endfor -%}", "{% for a in words %}{% for b in a %}{{ loop.first and b }}{% endfor %}{% endfor %}",
     )

case("set",
     "{% set x = 1 %}{{ x }}", "{% set x, y = 1, 2 %}{{ x }}{{ y }}", "{% set (x, y) = [1, 2] %}{{ x }}{{ y }}", "{% set x = 1, 2 %}{{ x }}", "{% set x %}a{{ n }}b{% endset %}{{ x }}|{{ x | length }}", "{% set x | upper %}abc{% endset %}{{ x }}", "{% set x | replace('a', 'b') | upper %}abc{% endset %}{{ x }}", "{% set x = x + 1 %}", "{% set n = n + 1 %}{{ n }}",
     "{% set person.name = 1 %}", "{% set ns = namespace() %}{% set ns.a = 1 %}{{ ns.a }}{{ ns.b }}{{ ns.b is defined }}", "{% set ns = namespace(a=1, b='x') %}{{ ns.a }}{{ ns['b'] }}{{ ns }}", "{% set ns = namespace({'a': 1}, b=2) %}{{ ns.a + ns.b }}", "{% set ns = namespace(_a=1) %}", "{% set ns = namespace() %}{% set ns._a = 1 %}", "{% set ns.x = 1 %}", "{% set missing.x = 1 %}",
     "{% set ns = namespace(l=[]) %}{% for i in numbers %}{% set ns.l = ns.l + [i] %}{% endfor %}{{ ns.l }}", "{% set ns = namespace() %}{% set ns.x %}a{{ n }}{% endset %}{{ ns.x }}", "{% set ns = namespace(a=1) %}{% set ns.a, x = 2, 3 %}{{ ns.a }}{{ x }}", "{% set 1 = 2 %}", "{% set x = %}", "{% set x %}a", "{% set true = 1 %}", "{% set x.y.z = 1 %}", "{% set x[0] = 1 %}", "{% set x y = 1 %}",
     "{% set x = 'a' %}{% set x %}{{ x }}b{% endset %}{{ x }}", "{% set x %}{% set y = 1 %}{{ y }}{% endset %}{{ x }}{{ y }}", "{% set ns = namespace(a=namespace(b=1)) %}{{ ns.a.b }}{% set ns.a.b = 2 %}", "{% set d = {'a': 1} %}{% set d.a = 2 %}", "{% set x = 1 if yes else 2 %}{{ x }}", "{% set x = y = 1 %}", "{% set x, y = 1 %}", "{% set x, y = [1, 2, 3] %}", "{% set a = 1 -%}   {{ a }}", "{% set x = missing %}{{ x is defined }}{{ x }}", "{% set x = missing %}{{ x.y }}",
     "{% with %}{% set x = 1 %}{{ x }}{% endwith %}{{ x }}", "{% with a = 1, b = 2 %}{{ a }}{{ b }}{% endwith %}{{ a }}", "{% with a = 1, b = a %}{{ b }}{% endwith %}", "{% set a = 5 %}{% with a = 1, b = a %}{{ a }}{{ b }}{% endwith %}{{ a }}", "{% with a, b = (1, 2) %}{{ a }}{{ b }}{% endwith %}", "{% with a = 1 %}", "{% with a %}{% endwith %}",
     "{% filter upper %}a{{ name }}b{% endfilter %}", "{% filter replace('a', 'b') | upper %}aaa{% endfilter %}", "{% filter nope %}a{% endfilter %}", "{% filter upper %}{% set x = 1 %}{{ x }}{% endfilter %}{{ x }}", "{% filter trim %}\n  a\n  {% endfilter %}|", "{% print 1, 'a' %}", "{% print name %}", "{% do 1 %}", "{% nope %}", "{% %}", "{% 1 %}", "{{ }}", "{{ 1 2 }}", "{{ 1", "{% set x = 1", "{# unclosed", "{% raw %}a", "{{ (1 }}", "{{ [1) }}", "{{ 1 ? 2 }}", "{{ $ }}", "{{ a.'b' }}", "{{ 1 + }}", "{{ | upper }}", "{{ a | }}", "{{ a is }}", "{{ not }}", "{{ a b }}", "{{ 'a' % }}",
     "{% autoescape false %}{{ html }}{% endautoescape %}", "{% include 'x' %}", "{% if no %}{% include 'x' %}{% endif %}a", "{% import 'x' as y %}", "{% from 'x' import y %}", "{% extends 'x' %}", "{% generation %}a{{ n }}{% endgeneration %}b", "a\n{% generation %}\nb\n{% endgeneration %}\nc", "{% generation %}{% set x = 1 %}{% endgeneration %}{{ x is defined }}", "{% for i in numbers %}{% generation %}{{ i }}{{ loop.index }}{% endgeneration %}{% endfor %}", "{% generation %}",
     )

case("gathering in a namespace",
     "{% set ns = namespace(s='a') %}{% for i in numbers %}{% set ns.s = ns.s ~ i ~ '-' %}{% endfor %}{{ ns.s }}",
     "{% set ns = namespace(s='a') %}{% for w in words %}{% set ns.s = ns.s + w + ',' %}{% endfor %}{{ ns.s }}",
     "{% set ns = namespace(s='a') %}{% set t = ns.s %}{% set ns.s = ns.s + 'b' %}{{ t }}{{ ns.s }}",
     "{% set ns = namespace(s='a') %}{% set o = namespace(s=ns.s) %}{% set ns.s = ns.s ~ 'b' %}{{ o.s }}{{ ns.s }}",
     "{% set ns = namespace(s='a') %}{% set ns.s = ns.s ~ ns.s ~ ns.s %}{{ ns.s }}",
     "{% set ns = namespace(s='a') %}{% set ns.s = ns.s + ns.s + ns.s %}{{ ns.s }}",
     "{% set ns = namespace(s='a') %}{% macro m() %}{% set ns.s = 'new' %}m{% endmacro %}{% set ns.s = ns.s ~ m() %}{{ ns.s }}",
     "{% set ns = namespace(s='a') %}{% macro m() %}{% set ns.s = ns.s ~ 'z' %}m{% endmacro %}{% set ns.s = ns.s + m() + ns.s %}{{ ns.s }}",
     "{% set ns = namespace(s=1) %}{% set ns.s = ns.s + 1 + 2.5 %}{{ ns.s }}", "{% set ns = namespace(s=1) %}{% set ns.s = ns.s ~ 1 %}{{ ns.s }}",
     "{% set ns = namespace(s=[1]) %}{% set ns.s = ns.s + [2] %}{{ ns.s }}", "{% set ns = namespace(s='a') %}{% set ns.s = ns.s + 1 %}", "{% set ns = namespace(s='a') %}{% set ns.s = ns.s + 'b' + 1 %}",
     "{% set ns = namespace(s='a') %}{% set ns.s = ns.s + 'b' + ('<' | safe) + '>' %}{{ ns.s }}", "{% set ns = namespace(s='<' | safe) %}{% set ns.s = ns.s + '>' %}{{ ns.s }}", "{% set ns = namespace(s='<' | safe) %}{% set ns.s = ns.s ~ '>' %}{{ ns.s + '<' }}",
     "{% set ns = namespace() %}{% set ns.s = ns.s ~ 'a' %}{{ ns.s }}", "{% set ns = namespace() %}{% set ns.s = ns.s + 'a' %}", "{% set ns = namespace(s=none) %}{% set ns.s = ns.s ~ none ~ missing ~ 1.0 %}{{ ns.s }}", "{% set ns = namespace(s='a') %}{% set ns.s = ns.s + missing %}",
     "{% set ns = namespace(s='a') %}{% set ns.s = ns.s + 'b' - 'c' %}", "{% set ns = namespace(s=5) %}{% set ns.s = ns.s - 1 + 3 %}{{ ns.s }}", "{% set ns = namespace(s='a', t='b') %}{% set ns.t = ns.s + 'c' %}{{ ns.s }}{{ ns.t }}", "{% set ns = namespace(s='a') %}{% set ns.s = ns.s ~ nope() %}", "{% set d = {'s': 'a'} %}{% set d.s = d.s ~ 'b' %}",
     "{% set ns = namespace(s='a') %}{% set ns.s = 'b' + ns.s %}{{ ns.s }}", "{% set ns = namespace(s='a') %}{% set ns.s = ns.s.upper() ~ 'b' %}{{ ns.s }}", "{% set ns = namespace(s='a') %}{% set ns.s = ns['s'] ~ 'b' %}{{ ns.s }}",
     )

case("macro",
     "{% macro m(a, b=2) %}{{ a }}-{{ b }}{% endmacro %}{{ m(1) }} {{ m(1, 3) }} {{ m(b=5, a=4) }} {{ m() }}",
     "{% macro m(a) %}{{ a is defined }}{% endmacro %}{{ m() }}{{ m(none) }}", "{% macro m() %}x{% endmacro %}{{ m(1) }}", "{% macro m() %}x{% endmacro %}{{ m(a=1) }}", "{% macro m(a) %}x{% endmacro %}{{ m(1, a=2) }}",
     "{% macro m() %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1, 2, a=3) }}", "{% macro m(a) %}{{ a }}{{ varargs | length }}{% endmacro %}{{ m(1, 2, 3) }}", "{% macro m(a=1, b) %}{% endmacro %}", "{% macro m(a, b=a) %}{{ a }}{{ b }}{% endmacro %}{{ m(1) }}", "{% macro m(a=b, b=2) %}{{ a }}{{ b }}{% endmacro %}{{ m() }}", "{% set b = 7 %}{% macro m(a=b) %}{{ a }}{% endmacro %}{% set b = 8 %}{{ m() }}",
     "{% macro m() %}{{ x }}{% endmacro %}{% set x = 1 %}{{ m() }}", "{% set x = 1 %}{% macro m() %}{% set x = 2 %}{{ x }}{% endmacro %}{{ m() }}{{ x }}", "{% macro m() %}{{ name }}{% endmacro %}{{ m() }}", "{% macro a() %}{{ b() }}{% endmacro %}{% macro b() %}B{% endmacro %}{{ a() }}", "{{ m() }}{% macro m() %}x{% endmacro %}", "{% macro f(n) %}{{ n }}{% if n > 0 %}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(3) }}",
     "{% macro m() %}  a\n{% endmacro %}[{{ m() }}]", "{% macro m() -%}  a\n{%- endmacro %}[{{ m() }}]", "{% macro m(x) %}{{ x | upper }}{% endmacro %}{{ m('a') | length }}{{ m('a') + 'b' }}", "{% macro m() %}{% endmacro %}{{ m() == '' }}{{ m }}", "{% macro m(a, b) %}{% endmacro %}{{ m.name }}{{ m.arguments }}{{ m.caller }}{{ m.catch_kwargs }}{{ m.nope }}",
     "{% macro m() %}[{{ caller() }}]{% endmacro %}{% call m() %}x{{ n }}{% endcall %}", "{% macro m() %}[{{ caller(1, 2) }}]{% endmacro %}{% call(a, b) m() %}{{ a }}{{ b }}{% endcall %}", "{% macro m() %}{{ caller() }}{% endmacro %}{{ m() }}", "{% macro m() %}x{% endmacro %}{% call m() %}y{% endcall %}", "{% macro m() %}{% if caller %}{{ caller() }}{% else %}none{% endif %}{% endmacro %}{{ m() }}{% call m() %}y{% endcall %}",
     "{% macro m() %}{% for i in [1, 2] %}{{ caller(i) }}{% endfor %}{% endmacro %}{% call(i) m() %}<{{ i }}>{% endcall %}", "{% macro a() %}({{ caller() }}){% endmacro %}{% macro b() %}[{% call a() %}{{ caller() }}{% endcall %}]{% endmacro %}{% call b() %}x{% endcall %}", "{% call name %}{% endcall %}", "{% call m %}x{% endcall %}", "{% macro m(caller) %}{% endmacro %}", "{% macro m(caller=1) %}{{ caller }}{% endmacro %}{{ m() }}",
     "{% macro m(x) %}{{ caller(x) }}{% endmacro %}{% call(y=5) m(1) %}{{ y }}{% endcall %}", "{% macro m() %}{{ kwargs.a }}{% endmacro %}{{ m(**{'a': 1}) }}", "{% macro m(a, b) %}{{ a }}{{ b }}{% endmacro %}{{ m(*[1, 2]) }}{{ m(*(3,), b=4) }}{{ m(*[5], **{'b': 6}) }}", "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(**{'b': 1}) }}", "{{ range(*[1, 3]) | list }}", "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(a=1, **{'a': 2}) }}",
     "{% macro m() %}{% set ns.x = 1 %}{% endmacro %}{% set ns = namespace(x=0) %}{{ m() }}{{ ns.x }}", "{% set ns = namespace(f=none) %}{% macro m() %}hi{% endmacro %}{% set ns.f = m %}{{ ns.f() }}", "{% macro m(%}{% endmacro %}", "{% macro %}{% endmacro %}", "{% macro m() %}", "{% macro m.x() %}{% endmacro %}", "{% macro m(a, a=1) %}{{ a }}{% endmacro %}{{ m(1) }}", "{% macro loop() %}x{% endmacro %}{{ loop() }}",
     "{% for i in [1, 2] %}{% macro m() %}{{ i }}{% endmacro %}{{ m() }}{% endfor %}", "{% if yes %}{% macro m() %}x{% endmacro %}{% endif %}{{ m() }}", "{% macro m(x) %}{% for i in x %}{{ loop.index }}{% endfor %}{% endmacro %}{% for j in [1, 2] %}{{ m([1, 2]) }}{{ loop.index }} {% endfor %}", "{% for i in [1, 2] %}{% macro m() %}{{ loop.index }}{% endmacro %}{{ m() }}{% endfor %}", "{% macro m() %}{{ loop.index }}{% endmacro %}{% for i in [1, 2] %}{{ m() }}{% endfor %}",
     "{% macro m(a, b) %}{{ a }}{% endmacro %}{{ [m(1), m(2)] }}", "{% macro m(x) %}{{ x }}{% endmacro %}{{ words | map('upper') | map('lower') | list }}{{ m(m(m(1))) }}", "{% macro outer() %}{% macro inner() %}i{% endmacro %}{{ inner() }}{% endmacro %}{{ outer() }}{{ inner is defined }}", "{% macro m() %}{% set x = name %}{{ x }}{% if no %}{% set name = 1 %}{% endif %}{{ name }}{% endmacro %}{{ m() }}",
     "{% macro m(items) %}{{ items }}{% endmacro %}{{ m(items=[1]) }}", "{% macro m(x, y=[]) %}{{ y + [x] }}{% endmacro %}{{ m(1) }}{{ m(2) }}", "{% set x = 1 %}{% macro m(x=x) %}{{ x }}{% endmacro %}{{ m() }}", "{% macro m() %}{{ m.name }}{% endmacro %}{{ m() }}",
     )

case("functions",
     "{{ raise_exception('no: ' ~ n) }}", "{% if no %}{{ raise_exception('x') }}{% endif %}a", "{{ raise_exception() }}", "{{ strftime_now('%Y-%m-%d') }}", "{{ strftime_now('%d %b %Y %H:%M:%S %A %B %j %p %I %y %a %U %%') }}", "{{ strftime_now('%-d/%-m %e') }}", "{{ strftime_now('') }}", "{{ strftime_now() }}", "{{ strftime_now(1) }}", "{{ strftime_now('%f|%z|%Z|') }}", "{{ strftime_now('é %B') }}", "{{ strftime_now('%c|%x|%X|%D|%F|%T|%R') }}",
     "{% set c = cycler('a', 'b') %}{{ c.next() }}{{ c.next() }}{{ c.next() }}{{ c.current }}{{ c.reset() }}{{ c.current }}", "{% set j = joiner() %}{% for i in numbers %}{{ j() }}{{ i }}{% endfor %}", "{% set j = joiner('|') %}{{ j() }}a{{ j() }}b", "{{ cycler() }}", "{{ name() }}", "{{ nothing() }}", "{{ person.name() }}", "{{ words[0]() }}", "{{ nope() }}", "{{ person.nope() }}", "{{ range(3)() }}", "{{ (range)(3) | list }}", "{{ namespace(1) }}", "{{ dict(**{'a': 1}) }}", "{{ 'a'.upper(*[]) }}",
     "{% set f = name.upper %}{{ f() }}", "{% set r = range %}{{ r(2) | list }}", "{% set range = 5 %}{{ range }}", "{{ [range, name.upper][1]() }}", "{% set s = 'a,b' %}{{ s.split(',')[0].upper() }}", "{{ people[0].get('name').lower().split('d') }}", "{{ {'f': 1}.get('f') }}", "{{ [1, 2].index(2) }}", "{{ 'x'.join(words) }}", "{{ 'abc'.upper().lower().title() | upper | lower }}", "{{ (1).real }}{{ 1.real }}", "{{ person.items() | list | length }}", "{{ person['get']('name') }}",
     "{{ 1 }}\n{{ 2 }}\n{{ missing.x }}", "{% for m in people %}{{ m.name }}{% if m.city is not defined %}{{ raise_exception('no city for ' + m.name) }}{% endif %}{% endfor %}",
     )


def vector(name, template):
    result = {"case": name, "template": template}
    try:
        # A copy: the sandbox lets `list | indent` change a list.
        rendered = ENVIRONMENT.from_string(template).render(**copy.deepcopy(CONTEXT))
        rendered.encode("utf-8")
        result["expected"] = rendered
    except Exception as error:  # whatever Python raises, the template has failed
        result["error"] = f"{type(error).__name__}: {error}"
    return result


# ------------------------------------------------------------------------------------------------------------- random

ATOMS = ["name", "text", "n", "zero", "neg", "f", "yes", "no", "nothing", "missing", "empty", "words", "numbers", "mixed",
         "person", "people", "schema", "1", "2", "0", "-1", "1.5", "'a'", "'b c'", "''", "true", "none", "[]", "[1, 2]",
         "(1, 2)", "{}", "{'a': 1}", "range(4)", "greek", "html", "'1'", "'%s'", "'{}'", "(html | safe)"]
OPERATORS = ["+", "-", "*", "/", "//", "%", "~", "==", "!=", "<", "<=", ">", ">=", "in", "not in", "and", "or"]
POSTFIXES = [".name", "[0]", "[-1]", "[1:]", "[::-1]", "['name']", ".upper()", ".items()", ".get('name')", ".strip()", ".split()",
             ".split('a')", ".startswith('a')", ".nope", ".keys()", ".replace('a', 'b')", ".title()", ".join(words)", ".age", "[n]",
             ".format(1)", ".count('a')", ".lower()", ".find('l')", ".0", ".capitalize()"]
FILTERS = ["upper", "lower", "trim", "length", "first", "last", "list", "join", "join('-')", "string", "int", "float", "abs",
           "round", "default('d')", "default('d', true)", "tojson", "sort", "reverse", "unique", "sum", "min", "max", "items",
           "map('string')", "map('upper')", "map(attribute='name')", "select", "reject('none')", "select('string')", "title",
           "capitalize", "replace('a', 'b')", "indent", "batch(2)", "slice(2)", "dictsort", "selectattr('name')", "e", "safe",
           "map('length')", "tojson(indent=2)", "map('first')", "truncate(5, true, '', 0)", "center(9)", "wordcount", "format(1)",
           "striptags", "urlencode", "groupby('age')", "map(attribute=0)", "attr('name')", "filesizeformat", "map('int')"]
TESTS = ["defined", "undefined", "none", "string", "number", "mapping", "sequence", "iterable", "integer", "float", "boolean",
         "true", "false", "odd", "even", "lower", "upper", "callable", "escaped", "in words", "eq 1", "divisibleby 2", "gt 1"]


def expression(random, depth):
    if depth == 0:
        return random.choice(ATOMS)
    inner = lambda: expression(random, random.randrange(depth))
    kind = random.randrange(9)
    if kind == 0:
        return f"{inner()} {random.choice(OPERATORS)} {inner()}"
    if kind == 1:
        return f"({inner()} {random.choice(OPERATORS)} {inner()})"
    if kind == 2:
        return f"({inner()}){random.choice(POSTFIXES)}"
    if kind == 3:
        return f"({inner()} if {inner()} else {inner()})"
    if kind == 4:
        return f"{random.choice(['not ', '-', '+'])}{inner()}"
    if kind == 5:
        return f"({inner()}) is {random.choice(['', 'not '])}{random.choice(TESTS)}"
    if kind == 6:
        return f"[{inner()}, {inner()}]"
    return f"{inner()} | {random.choice(FILTERS)}"


NAMES = ["x", "y", "name", "n"]
SPACES = ["", "", " ", "\n", "  \n", "\n  ", "\t", " . "]


def statements(random, depth, in_loop=False):
    """A few statements about a few names, with white space in between: who sees which assignment?"""
    def tag(text):
        return f"{{%{random.choice(['', '', '-', '+'])} {text} {random.choice(['', '', '-', '+'])}%}}"

    def body(in_loop=in_loop):
        return statements(random, depth - 1, in_loop)

    variable = lambda: random.choice(NAMES)
    value = lambda: random.choice(["1", "'v'", variable() + " ~ 1", variable(), variable() + " is defined", "loop.index"])
    parts = []
    for _ in range(random.randrange(1, 4)):
        parts.append(random.choice(SPACES))
        kind = random.randrange(13 if depth > 0 else 5)
        if kind <= 2:
            parts.append(f"{{{{{random.choice(['', '', '-'])} {variable()} }}}}")
        elif kind == 3:
            parts.append(tag(f"set {variable()} = {value()}"))
        elif kind == 4:
            parts.append(tag(random.choice(["break", "continue"])) if in_loop and random.random() < 0.3 else "{# c #}")
        elif kind == 5:
            test = random.choice(["x", "y", "yes", "no", "x is defined", "loop.first"])
            parts += [tag("if " + test), body(), tag("else"), body(), tag("endif")]
        elif kind == 6:
            parts += [tag("if no"), body(), tag("elif " + variable()), body(), tag("endif")]
        elif kind == 7:
            head = f"for {variable()} in {random.choice(['[1, 2]', '[]', 'numbers if n', 'numbers if x'])}"
            parts += [tag(head), body(True), tag("else"), body(), tag("endfor")]
        elif kind == 8:
            parts += [tag(f"set {variable()}"), body(), tag("endset")]
        elif kind == 9:
            head = f"macro m({random.choice(['', 'x', 'x=1', 'x, y=x', 'n=n', 'x=y, y=2'])})"
            parts += [tag(head), body(False), tag("endmacro"), "{{ m() }}"]
        elif kind == 10:
            parts += [tag(f"with {variable()} = {value()}"), body(), tag("endwith")]
        elif kind == 11:
            parts += [tag("filter upper"), body(), tag("endfilter")]
        else:
            parts += ["{% macro c() %}[{{ caller() }}{{ x }}]{% endmacro %}", tag("call c()"), body(False), tag("endcall")]
    return "".join(parts) + random.choice(SPACES)


def main():
    if len(sys.argv) > 2 and sys.argv[1] == "--random":
        source = random.Random(int(sys.argv[3]) if len(sys.argv) > 3 else 1)
        cases = []
        for number in range(int(sys.argv[2])):
            template = statements(source, 3) if number % 2 else "{{ " + expression(source, 4) + " }}"
            cases.append((f"random {number}", template))
    else:
        cases = CASES
    print(json.dumps({"context": CONTEXT}, ensure_ascii=False))
    for name, template in cases:
        line = vector(name, template)
        # The address of an object is no one's business.
        if " at 0x" in line.get("expected", "").lower():
            continue
        print(json.dumps(line, ensure_ascii=False))


if __name__ == "__main__":
    main()
