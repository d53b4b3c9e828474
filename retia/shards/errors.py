"""The one exception tree. Every message says what is wrong, where, and what to do."""


class RetiaError(Exception):
    """Anything Retia reports to its user in one line."""

    exit_code = 2


class InputError(RetiaError):
    """A file, an option or a value that a user gave is not usable."""


class NotFoundError(RetiaError):
    """A dataset, version, task, table or source that does not exist."""


class IntegrityError(RetiaError):
    """Bytes that do not have the sha256, the size or the form that the manifest states."""

    exit_code = 1


class CheckError(RetiaError):
    """A check that was asked for has failed."""

    exit_code = 1


class ServiceError(RetiaError):
    """A server that cannot be reached, or that refused a request."""


class MissingExtraError(RetiaError):
    """An optional part of Retia that is not installed."""

    def __init__(self, extra: str, package: str) -> None:
        super().__init__(f"{package} is not installed; run: pip install 'retia[{extra}]'")
