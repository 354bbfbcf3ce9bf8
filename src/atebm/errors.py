"""Errors that are sentences for the user: what is wrong, where, and what to do. The command line prints them alone."""


class UserError(Exception):
    """Base of all of them."""


class ConfigError(UserError):
    """Something in config.yaml, a scale file or --config."""


class DataError(UserError):
    """A file of data is missing, altered or not what it should be."""


class ResultError(UserError):
    """A computation ended in something that must not be used."""
