"""Errors that are sentences for the user: what is wrong, where, and what to do. The command line prints them alone."""


class UserError(Exception):
    """Base of all of them."""

    exit_code = 1


class ConfigError(UserError):
    """Something in config.yaml, a scale file or --config."""


class DataError(UserError):
    """A file of data is missing, altered or not what it should be."""


class ResultError(UserError):
    """A computation ended in something that must not be used."""


class StoppedError(UserError):
    """A signal asked a long computation to stop, and it saved where it stood."""

    def __init__(self, sentence: str, number: int):
        super().__init__(sentence)
        self.exit_code = 128 + number  # as shells report a signal
