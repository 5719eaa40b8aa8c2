"""The three kinds of error. Each text names the file, the item and the remedy."""

from __future__ import annotations


class SettingsError(ValueError):
    """Settings or options that cannot be used."""


class DataError(ValueError):
    """A data set, annotation or result file that is wrong."""


class InputError(ValueError):
    """A picture or other input that cannot be read."""
