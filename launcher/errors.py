"""The one exception of this package."""


class LaunchError(Exception):
    """An expected failure whose message is the whole sentence that a person is shown."""
