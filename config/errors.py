"""The base of every error that sectune raises on purpose; anything else that escapes is a bug of ours.

Nothing is imported here: `sectune status` goes through this file.
"""


class SectuneError(Exception):
    """An error with a cause and, where there is one, the thing to do about it.

    Attributes:
        exit_code: What the command that meets it ends with; see daemon/exit_codes.py.

    Args:
        message: What went wrong, where, while doing what.
        remedy: What the reader can do now; empty if there is nothing to do.
    """

    exit_code = 1

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".rstrip()


class SettingsError(SectuneError):
    """One or more settings are wrong; `problems` lists all of them, one line each."""

    exit_code = 2

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems
