"""The exception of this package."""


class LaunchError(Exception):
    """An expected failure. Its message is shown to the user as it is."""
