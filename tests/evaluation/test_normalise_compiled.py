"""Compiled languages: what counts in them and what does not, for a normalised match."""

from __future__ import annotations

import pytest

from jobs.evaluation.normalise import normalise

# fmt: off
# What is no comment, or one that changes what happens; strings; depth. Part of a file may be cut anywhere.
DIFFERENT = [
    ('go', '//go:build linux\n\npackage a', '//go:build windows\n\npackage a'),
    ('go', '// +build linux\n\npackage a', '// +build windows\n\npackage a'),
    ('go', '//go:embed a.txt\nvar x string', '//go:embed b.txt\nvar x string'),
    ('go', '//export F\nfunc F() {}', 'func F() {}'),
    ('go', '/*\nint a() { return 1; }\n*/\nimport "C"', '/*\nint a() { return 2; }\n*/\nimport "C"'),
    ('go',
     '// #cgo LDFLAGS: -la\n// #include <a.h>\nimport "C"',
     '// #cgo LDFLAGS: -lb\n// #include <a.h>\nimport "C"'),
    ('go', 's := `// a`', 's := `// b`'),
    ('go', 's := `a\n\n  b`', 's := `a\n b`'),
    ('go', '//go:linkname a b\nfunc a()', 'func a()'),
    ('c', '#if 0\na();\n#endif', '#if 0\nb();\n#endif'),
    ('c', '#if 0\na();\n#endif', 'a();'),
    ('c', '#if A\na();\n#endif', '#if B\na();\n#endif'),
    ('c', '#ifdef X // a\na();\n#endif', '#ifdef Y // a\na();\n#endif'),
    ('c', '#define A 1', '#define A 2'),
    ('c', 'a(); // why \\\ncheck();\nb();', 'a();\ncheck();\nb();'),
    ('c', 'a(); // why ??/\ncheck();\nb();', 'a();\ncheck();\nb();'),
    ('c', 's = "/* a */";', 's = "/* b */";'),
    ('c', 's = "a\\\n// b";', 's = "a\\\n// c";'),
    ('c', '#pragma pack(1)', '#pragma pack(2)'),
    ('c', '#include <a.h>', '#include <b.h>'),
    ('c', 'c = \'"\'; a("//x");', 'c = \'"\'; a("//y");'),
    ('cpp', 's = R"(// a)";', 's = R"(// b)";'),
    ('cpp', 's = R"x()" // a\n)x";', 's = R"x()" // b\n)x";'),
    ('cpp', "int x = 1'000; // '\ny();", "int x = 1'000; // '\nz();"),
    ('csharp', 's = @"a // b";', 's = @"a // c";'),
    ('csharp', 's = @"\\"; // a\nx();', 's = @"\\"; // a\ny();'),
    ('csharp', 's = """\n // a\n """;', 's = """\n // b\n """;'),
    ('csharp', 's = $"{x} // a";', 's = $"{x} // b";'),
    ('csharp', '#if A\nx();\n#endif', '#if B\nx();\n#endif'),
    ('csharp', '[Authorize(Roles = "A")]\nvoid F() {}', '[Authorize(Roles = "B")]\nvoid F() {}'),
    ('java', '// \\u000a evil();\nx();', '// \\u000a good();\nx();'),
    ('java', '/* \\u002a\\u002f evil(); /* */ x();', '/* \\u002a\\u002f good(); /* */ x();'),
    ('java', '/* a /* b */ x(); // */', '/* a /* b */ y(); // */'),
    ('java', 'String s = """\n // a\n """;', 'String s = """\n // b\n """;'),
    ('java', '@PreAuthorize("a")\nvoid f() {}', '@PreAuthorize("b")\nvoid f() {}'),
    ('java', 'char c = \'"\'; x("// a");', 'char c = \'"\'; x("// b");'),
    ('kotlin', 'val s = """// a"""', 'val s = """// b"""'),
    ('kotlin', 'val s = "${"// a"}"', 'val s = "${"// b"}"'),
    ('kotlin', '/* a /* b */ x() */ y()', '/* a /* b */ z() */ y()'),
    ('rust', '#![deny(unsafe_code)]\nx();', '#![allow(unsafe_code)]\nx();'),
    ('rust', '#[cfg(a)]\nfn f() {}', '#[cfg(b)]\nfn f() {}'),
    ('rust', 'let s = r#"// a"#;', 'let s = r#"// b"#;'),
    ('rust', 'let s = r#"a" // x"#;', 'let s = r#"a" // y"#;'),
    ('rust', '/// help a\nfn f() {}', '/// help b\nfn f() {}'),
    ('rust', 'let s = "a  b";', 'let s = "a b";'),
    ('rust', 'let c = \'"\'; x("// a");', 'let c = \'"\'; x("// b");'),
    ('groovy', 'def x = /a \\/\\/ b/', 'def x = /a \\/\\/ c/'),
    ('groovy', 'def x = $/ // a /$', 'def x = $/ // b /$'),
    ('groovy', "def x = '''\n// a\n'''", "def x = '''\n// b\n'''"),
    ('groovy', '// \\u000a evil()\nx()', '// \\u000a good()\nx()'),
    ('swift', 'let s = #"// a"#', 'let s = #"// b"#'),
    ('swift', 'let s = "\\("// a")"', 'let s = "\\("// b")"'),
    ('swift', 'let s = """\n// a\n"""', 'let s = """\n// b\n"""'),
    ('swift', '// swift-tools-version:5.5\nx', '// swift-tools-version:5.6\nx'),
    ('scala', 'val x = <p>http://a</p>', 'val x = <p>http://b</p>'),
    ('scala', 'val s = """// a"""', 'val s = """// b"""'),
    ('scala', '//> using dep a\nx', '//> using dep b\nx'),
    ('dart', 'var s = "${"// a"}";', 'var s = "${"// b"}";'),
    ('dart', '// @dart=2.9\nx', 'x'),
    ('dart', "var s = r'\\'; x('// a');", "var s = r'\\'; x('// b');"),
    ('objectivec', 'NSString *s = @"// a";', 'NSString *s = @"// b";'),
    ('objectivec', '#if 0\na();\n#endif', '#if 0\nb();\n#endif'),
    ('zig', 'const a =\n    \\\\// a\n;', 'const a =\n    \\\\// b\n;'),
    ('klingon', 'a // b', 'a // c'),
    ('haskell', 'f = do\n  a\n  b', 'f = do\n  a\nb'),
    ('rust', 'x = r#"\n// one\n', 'x = r#"\n// two\n'),
    ('csharp', 'x = @"\n// one\n', 'x = @"\n// two\n'),
    ('kotlin', 'x = """\n // one\n', 'x = """\n // two\n'),
    ('go', 'x := `\n// one\n', 'x := `\n// two\n'),
]
EQUAL = [
    ('java', 'int x = 1; // one\n\n/* two\nlines */\n  return  x;', 'int x = 1;\nreturn x;'),
    ('java', '/** doc */ a();', 'a();'),
    ('java', '/* a /* b */ x();', 'x();'),
    ('kotlin', '/* a */ x() // e', 'x()'),
    ('kotlin', '/** kdoc */\nfun f() {}', 'fun f() {}'),
    ('go', 'a() // b\n// c\nd()', 'a()\nd()'),
    ('golang', '//nolint:gosec\na()', 'a()'),
    ('c', 'int a; /* b */ // c\nint d;', 'int a;\nint d;'),
    ('c', '#include <a.h>\n/* c */\nint d;', '#include <a.h>\nint d;'),
    ('cpp', 'a(); // b', 'a();'),
    ('c++', 'a(); // b', 'a();'),
    ('csharp', '/// <summary>\nvoid F() {} // a', 'void F() {}'),
    ('c#', 'a(); // b', 'a();'),
    ('rust', 'fn f() {} // a\n/* b /* c */ d */\nx();', 'fn f() {}\nx();'),
    ('groovy', 'a() // b\n/* c */\nd()', 'a()\nd()'),
    ('swift', '// a\nlet x = 1 // b', 'let x = 1'),
    ('scala', 'val x = 1 // a\n/* b */', 'val x = 1'),
    ('dart', 'var x = 1; // a', 'var x = 1;'),
    ('objectivec', '[a b]; // c', '[a b];'),
    ('zig', 'const a = 1; // b', 'const a = 1;'),
    ('cpp', "int x = 1'000; // a\nint y;", "int x = 1'000;\nint y;"),
    ('rust', '#[cfg(a)] // b\nfn f() {}', '#[cfg(a)]\nfn f() {}'),
    ('go', '// a\nimport "D"', 'import "D"'),
    ('go', '/*\na\n*/\n\nx()', 'x()'),
]
# fmt: on


@pytest.mark.slow
@pytest.mark.parametrize(("language", "one", "other"), DIFFERENT)
def test_what_changes_the_program_counts(language: str, one: str, other: str) -> None:
    assert normalise(one, language) != normalise(other, language)


@pytest.mark.slow
@pytest.mark.parametrize(("language", "one", "other"), EQUAL)
def test_comments_and_white_space_do_not_count(language: str, one: str, other: str) -> None:
    assert one != other
    assert normalise(one, language) == normalise(other, language)
