"""Configuration, markup and queries: what counts in them and what does not, for a normalised match."""

from __future__ import annotations

import pytest

from jobs.evaluation.normalise import normalise

# fmt: off
# What is no comment, or one that changes what happens; strings; depth. Part of a file may be cut anywhere.
DIFFERENT = [
    ('yaml', 'a: |\n  # x\n  b', 'a: |\n  # y\n  b'),
    ('yaml', 'a: >-\n  b\n\n  c', 'a: >-\n  b\n  c'),
    ('yaml', 'a: |\n  b\n\n  c', 'a: |\n  b\n  c'),
    ('yaml', 'run: |\n  echo a\n  # x', 'run: |\n  echo a'),
    ('yaml', "a: 'x # y'", "a: 'x # z'"),
    ('yaml', 'a: b#c', 'a: b#d'),
    ('yaml', 'a: http://x#y', 'a: http://x#z'),
    ('yaml', 'a:\n  b: 1\nc: 2', 'a:\n  b: 1\n  c: 2'),
    ('yaml', '#cloud-config\na: 1', 'a: 1'),
    ('yaml', '- a\n- |\n # x\n', '- a\n- |\n # y\n'),
    ('yaml', '{{- if .x }}\n# a\nb: c', '{{- if .x }}\n# b\nb: c'),
    ('yaml', 'a: "b  c"', 'a: "b c"'),
    ('yaml', 'a: b  c', 'a: b c'),
    ('yaml', "a: 'b\n\n  c'", "a: 'b\n  c'"),
    ('sql', "SELECT 'a -- b'", "SELECT 'a -- c'"),
    ('sql', 'SELECT /*! a */ 1', 'SELECT /*! b */ 1'),
    ('sql', 'SELECT /*+ a */ 1', 'SELECT /*+ b */ 1'),
    ('sql', 'SELECT 5--1', 'SELECT 5--2'),
    ('sql', 'SELECT $$ -- a $$', 'SELECT $$ -- b $$'),
    ('sql', "SELECT 'a\\' -- b' , c", "SELECT 'a\\' -- b' , d"),
    ('sql', "SELECT 'a''b -- c'", "SELECT 'a''b -- d'"),
    ('sql', 'SELECT `a -- b`', 'SELECT `a -- c`'),
    ('sql', 'SELECT [a -- b]', 'SELECT [a -- c]'),
    ('sql', "SELECT 'a  b'", "SELECT 'a b'"),
    ('sql', 'SELECT a #b', 'SELECT a #c'),
    ('sql', "SELECT q'[it's -- a]'", "SELECT q'[it's -- b]'"),
    ('html', "<a title='<!-- a -->'>", "<a title='<!-- b -->'>"),
    ('html', '<!--[if IE]><a><![endif]-->', '<!--[if IE]><b><![endif]-->'),
    ('html', '<!--> <script>a()</script> -->', '<!--> <script>b()</script> -->'),
    ('html', '<!-- x --!> <script>a()</script> -->', '<!-- x --!> <script>b()</script> -->'),
    ('html', '<script>// a\nx</script>', '<script>// b\nx</script>'),
    ('html', "<script>var a = '<!-- a -->';</script>", "<script>var a = '<!-- b -->';</script>"),
    ('html', '<textarea><!-- a --></textarea>', '<textarea><!-- b --></textarea>'),
    ('html', "<!--#include virtual='a' -->", "<!--#include virtual='b' -->"),
    ('html', '<!-- {{ a }} -->', '<!-- {{ b }} -->'),
    ('html', '<!-- {% csrf %} -->', '<!-- -->'),
    ('html', '<!-- ko if: a -->', '<!-- ko if: b -->'),
    ('html', 'a<!-- x --> b', 'a b c'),
    ('xml', '<a><![CDATA[<!-- a -->]]></a>', '<a><![CDATA[<!-- b -->]]></a>'),
    ('xml', "<a b='<!-- a -->'/>", "<a b='<!-- c -->'/>"),
    ('xml', "<a b='x  y'/>", "<a b='x y'/>"),
    ('xml', "<?xml version='1.0'?><a/>", '<a/>'),
    ('dockerfile', '# syntax=docker/dockerfile:1\nFROM a', '# syntax=docker/dockerfile:2\nFROM a'),
    ('dockerfile', '# escape=`\nFROM a', 'FROM a'),
    ('dockerfile', '# syntax=x\n# check=skip=all\nFROM a', '# syntax=x\nFROM a'),
    ('dockerfile', 'COPY <<EOF /a\n# PermitRootLogin yes\nEOF', 'COPY <<EOF /a\n# PermitRootLogin no\nEOF'),
    ('dockerfile', 'ENV A=b # c', 'ENV A=b # d'),
    ('dockerfile', "LABEL a='# b'", "LABEL a='# c'"),
    ('hcl', 'a = "http://x"', 'a = "http://y"'),
    ('hcl', 'a = <<EOT\n# x\nEOT', 'a = <<EOT\n# y\nEOT'),
    ('hcl', 'a = <<-EOT\n  // x\n  EOT', 'a = <<-EOT\n  // y\n  EOT'),
    ('hcl', 'a = "# x"', 'a = "# y"'),
    ('hcl', 'a = "${b("# x")}"', 'a = "${b("# y")}"'),
    ('hcl', 'a = <<EOT\nb\n\nc\nEOT', 'a = <<EOT\nb\nc\nEOT'),
    ('css', 'a { background: url(http://a/*b*/c) }', 'a { background: url(http://a/*d*/c) }'),
    ('css', '.a/**/.b {}', '.a .b {}'),
    ('css', "a { content: '/* a */' }", "a { content: '/* b */' }"),
    ('scss', 'a { b: url(http://a) }', 'a { b: url(http://b) }'),
    ('makefile', "x:\n\techo '#a'", "x:\n\techo '#b'"),
    ('makefile', 'A = \\#b', 'A = \\#c'),
    ('makefile', '# a \\\nb: c\nd: e', 'b: c\nd: e'),
    ('makefile', 'x:\n\ta', 'x:\n    a'),
    ('makefile', 'define X\n# a\nendef', 'define X\n# b\nendef'),
    ('properties', 'a=b # c', 'a=b # d'),
    ('properties', 'a=b \\\n# c', 'a=b \\\n# d'),
    ('properties', 'a=b  c', 'a=b c'),
    ('toml', 'a = "# x"', 'a = "# y"'),
    ('toml', 'a = """\n# x\n"""', 'a = """\n# y\n"""'),
    ('toml', "a = '\\'  # x", "a = '\\' # x\nb = 1"),
    ('cmake', 'set(x [[ # a ]])', 'set(x [[ # b ]])'),
    ('cmake', 'set(x "# a")', 'set(x "# b")'),
    ('nginx', 'add_header X "# a";', 'add_header X "# b";'),
    ('nginx', 'rewrite ^/a#b c;', 'rewrite ^/a#d c;'),
    ('nginx', 'content_by_lua_block { x = #t\n }', 'content_by_lua_block { x = #s\n }'),
    ('nginx', 'add_header X "a  b";', 'add_header X "a b";'),
    ('conf', 'a b#c', 'a b#d'),
    ('conf', 'a b # c', 'a b # d'),
    ('json', '{"a": "// b"}', '{"a": "// c"}'),
    ('requirements', 'a @ http://x#egg=a', 'a @ http://x#egg=b'),
    ('hcl', 'a = <<EOT\n# one\n', 'a = <<EOT\n# two\n'),
    ('sql', "SELECT 'a\n-- one\n", "SELECT 'a\n-- two\n"),
    ('html', '<textarea>\n<!-- one -->\n', '<textarea>\n<!-- two -->\n'),
    ('dockerfile', 'COPY <<EOF /x\n# one\n', 'COPY <<EOF /x\n# two\n'),
    ('nginx', 'x "a\n# one\n', 'x "a\n# two\n'),
    ('cmake', 'set(x "a\n# one\n', 'set(x "a\n# two\n'),
    ('xml', '<![CDATA[\n<!-- one -->\n', '<![CDATA[\n<!-- two -->\n'),
]
EQUAL = [
    ('yaml', 'a: 1 # b\n# c\nd: 2', 'a: 1\nd: 2'),
    ('yaml', 'a: | # x\n  b\n# c\nd: e', 'a: |\n  b\nd: e'),
    ('yml', 'a: 1 # b', 'a: 1'),
    ('sql', 'SELECT 1 -- one\n', 'SELECT 1'),
    ('sql', 'SELECT /* a */ 1', 'SELECT 1'),
    ('html', '<a>\n<!-- gone\n -->\n</a>', '<a>\n</a>'),
    ('html', 'a<!-- x -->b', 'ab'),
    ('xml', '<a><!-- x --><b/></a>', '<a><b/></a>'),
    ('dockerfile', '# a\nFROM b\n# syntax=x\nRUN c && \\\n  # d\n  e', 'FROM b\nRUN c && \\\ne'),
    ('hcl', 'a = 1 # x\n// y\nb = 2 /* z */', 'a = 1\nb = 2'),
    ('terraform', 'a = 1 # x', 'a = 1'),
    ('css', 'a { b: c } /* d */', 'a { b: c }'),
    ('scss', '// a\nb { c: d }', 'b { c: d }'),
    ('makefile', '# a\nb: c\n\td', 'b: c\n\td'),
    ('properties', '# a\n! b\nc=d', 'c=d'),
    ('toml', 'a = 1 # b\n# c\n', 'a = 1'),
    ('cmake', '# a\nset(x y) # b\n#[[ c\nd ]]', 'set(x y)'),
    ('nginx', '# a\nlisten 80; # b', 'listen 80;'),
    ('conf', '# a\nPort 22', 'Port 22'),
    ('json', '{"a":  1}', '{"a": 1}'),
]
# fmt: on


@pytest.mark.parametrize(("language", "one", "other"), DIFFERENT)
def test_what_changes_the_program_counts(language: str, one: str, other: str) -> None:
    assert normalise(one, language) != normalise(other, language)


@pytest.mark.parametrize(("language", "one", "other"), EQUAL)
def test_comments_and_white_space_do_not_count(language: str, one: str, other: str) -> None:
    assert one != other
    assert normalise(one, language) == normalise(other, language)
