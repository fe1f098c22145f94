"""What ends a command: one line that says what, which value and what to do, and an exit code."""


class CommandError(Exception):
    """End the command with one line on stderr."""

    exit_code = 1


class NegativeAnswerError(CommandError):
    """The question was understood and the answer is no."""


class UsageError(CommandError):
    """Wrong usage or configuration."""

    exit_code = 2


class UnreachableError(CommandError):
    """Kafka does not answer."""

    exit_code = 3
