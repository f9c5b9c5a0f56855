"""Errors that a user can act on: one line that names what, the value it has, and the way out."""


class GanflowError(Exception):
    """Bad input or a bad surrounding, told in one line. Entry points print it without a traceback."""

    status = 2  # of the process that it ends


class StoppedError(GanflowError):
    """A signal asked for an end, and what was done so far is kept.

    Args:
        message: the line.
        signal: its name.
    """

    def __init__(self, message: str, signal: str) -> None:
        super().__init__(message)
        self.status = 130 if signal == "SIGINT" else 2


class ConfigError(GanflowError):
    """A configuration value that cannot work.

    Args:
        key: dotted path in ``params.yaml``, as in ``training.batch``.
        value: what stands there.
        allowed: what may stand there, as the end of a sentence.
    """

    def __init__(self, key: str, value: object, allowed: str) -> None:
        super().__init__(" ".join(f"{key}={value}: {allowed}".splitlines()))
        self.key, self.value, self.allowed = key, value, allowed

    def under(self, prefix: str) -> "ConfigError":
        """The same error with its key placed below ``prefix``."""
        return ConfigError(f"{prefix}.{self.key}", self.value, self.allowed)

    def __reduce__(self) -> tuple[type["ConfigError"], tuple[str, object, str]]:
        return ConfigError, (self.key, self.value, self.allowed)


class UnknownKeyError(ConfigError):
    """A key that the schema does not have."""


def require(holds: bool, key: str, value: object, allowed: str) -> None:
    """Raise :class:`ConfigError` unless ``holds``."""
    if not holds:
        raise ConfigError(key, value, allowed)
