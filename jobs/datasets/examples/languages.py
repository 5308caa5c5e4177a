"""Languages: which one a file is written in, and the tag its Markdown fence gets."""

from __future__ import annotations

from pathlib import PurePosixPath

from jobs.grammars import LANGUAGE_OF_FILE_NAME, LANGUAGE_OF_SUFFIX, LANGUAGE_OF_WORD

# Languages without a grammar; those with one are named in jobs/grammars.py.
_SUFFIXES: dict[str, str] = {
    **LANGUAGE_OF_SUFFIX,
    ".cfg": "ini", ".clj": "clojure", ".coffee": "coffeescript", ".conf": "conf", ".css": "css",
    ".dart": "dart", ".ejs": "html", ".erb": "erb", ".erl": "erlang", ".ex": "elixir", ".exs": "elixir",
    ".haml": "haml", ".hbs": "handlebars", ".hs": "haskell", ".htm": "html", ".html": "html", ".ini": "ini",
    ".json": "json", ".jsp": "jsp", ".lua": "lua", ".m": "objectivec", ".ml": "ocaml", ".mm": "objectivec",
    ".nix": "nix", ".patch": "diff", ".pl": "perl", ".pm": "perl", ".properties": "properties",
    ".ps1": "powershell", ".pug": "pug", ".pyx": "cython", ".r": "r", ".scala": "scala", ".scss": "scss",
    ".sql": "sql", ".swift": "swift", ".toml": "toml", ".tpl": "html", ".twig": "twig", ".vb": "vbnet",
    ".vue": "vue", ".xml": "xml", ".xsl": "xml", ".yaml": "yaml", ".yml": "yaml", ".zig": "zig",
}  # fmt: skip
_FILE_NAMES: dict[str, str] = {
    **LANGUAGE_OF_FILE_NAME,
    "dockerfile": "dockerfile",
    "makefile": "makefile",
    "go.mod": "go.mod",
    "cmakelists.txt": "cmake",
}
# Names that the public sets use, where they are no fence tag themselves.
_WORDS: dict[str, str] = {
    **LANGUAGE_OF_WORD,
    "objective-c": "objectivec",
    "objective-c++": "objectivec",
    "batchfile": "batch",
    "html+erb": "erb",
    "html+php": "php",
    "jupyter notebook": "json",
    "visual basic .net": "vbnet",
    "pl": "perl",
    "yml": "yaml",
}
_UNKNOWN = {"", "unknown", "other", "others", "none", "nan", "null", "inc", "tpl", "txt"}


def language_of_path(path: str) -> str | None:
    """The language of a file by its name; None where the name does not tell."""
    pure = PurePosixPath(path.replace("\\", "/"))
    name = pure.name.lower()
    if name.startswith("dockerfile") or name.endswith(".dockerfile"):
        return "dockerfile"
    return _FILE_NAMES.get(name) or _SUFFIXES.get(pure.suffix.lower())


def language_of_name(name: str) -> str | None:
    """A source's own word for a language ("PHP", "c++") as the tag we use; None where it says nothing."""
    lower = name.strip().lower()
    if lower in _UNKNOWN:
        return None
    return _WORDS.get(lower, lower.replace(" ", "-"))
