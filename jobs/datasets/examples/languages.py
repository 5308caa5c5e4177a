"""Languages: which one a file is written in, and the tag its Markdown fence gets."""

from __future__ import annotations

from pathlib import PurePosixPath

BY_SUFFIX: dict[str, str] = {
    ".bash": "bash", ".c": "c", ".cc": "cpp", ".cfg": "ini", ".cjs": "javascript", ".clj": "clojure",
    ".coffee": "coffeescript", ".conf": "conf", ".cpp": "cpp", ".cs": "csharp", ".css": "css", ".cxx": "cpp",
    ".dart": "dart", ".ejs": "html", ".erb": "erb", ".erl": "erlang", ".ex": "elixir", ".exs": "elixir",
    ".go": "go", ".gradle": "groovy", ".groovy": "groovy", ".h": "c", ".haml": "haml", ".hbs": "handlebars",
    ".hcl": "hcl", ".hh": "cpp", ".hpp": "cpp", ".hs": "haskell", ".htm": "html", ".html": "html",
    ".inc": "php", ".ini": "ini", ".java": "java", ".js": "javascript", ".json": "json", ".jsp": "jsp",
    ".jsx": "jsx", ".kt": "kotlin", ".kts": "kotlin", ".lua": "lua", ".m": "objectivec", ".mjs": "javascript",
    ".ml": "ocaml", ".mm": "objectivec", ".nix": "nix", ".patch": "diff", ".php": "php", ".phtml": "php",
    ".pl": "perl", ".pm": "perl", ".properties": "properties", ".ps1": "powershell", ".pug": "pug",
    ".py": "python", ".pyx": "cython", ".r": "r", ".rb": "ruby", ".rs": "rust", ".scala": "scala",
    ".scss": "scss", ".sh": "bash", ".sql": "sql", ".swift": "swift", ".tf": "hcl", ".toml": "toml",
    ".tpl": "html", ".ts": "typescript", ".tsx": "tsx", ".twig": "twig", ".vb": "vbnet", ".vue": "vue",
    ".xml": "xml", ".xsl": "xml", ".yaml": "yaml", ".yml": "yaml", ".zig": "zig",
}  # fmt: skip
BY_NAME: dict[str, str] = {
    "dockerfile": "dockerfile",
    "makefile": "makefile",
    "gemfile": "ruby",
    "rakefile": "ruby",
    "jenkinsfile": "groovy",
    "go.mod": "go.mod",
    "cmakelists.txt": "cmake",
}
# Names that the public sets use, where they are no fence tag themselves.
_ALIASES: dict[str, str] = {
    "c#": "csharp",
    "c++": "cpp",
    "objective-c": "objectivec",
    "objective-c++": "objectivec",
    "shell": "bash",
    "batchfile": "batch",
    "html+erb": "erb",
    "html+php": "php",
    "jupyter notebook": "json",
    "visual basic .net": "vbnet",
    "js": "javascript",
    "py": "python",
    "ts": "typescript",
    "rb": "ruby",
    "rs": "rust",
    "kt": "kotlin",
    "cs": "csharp",
    "sh": "bash",
    "pl": "perl",
}
_UNKNOWN = {"", "unknown", "other", "others", "none", "nan", "null", "inc", "tpl", "txt"}


def language_of_path(path: str) -> str | None:
    """The language of a file by its name; None where the name does not tell."""
    pure = PurePosixPath(path.replace("\\", "/"))
    name = pure.name.lower()
    if name.startswith("dockerfile") or name.endswith(".dockerfile"):
        return "dockerfile"
    return BY_NAME.get(name) or BY_SUFFIX.get(pure.suffix.lower())


def language_named(name: str) -> str | None:
    """A source's own word for a language ("PHP", "c++") as the tag we use; None where it says nothing."""
    lower = name.strip().lower()
    if lower in _UNKNOWN:
        return None
    return _ALIASES.get(lower, lower.replace(" ", "-"))
