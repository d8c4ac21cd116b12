"""The tasks that come with the package, one folder each. Other packages offer theirs the same way."""

DEFAULT_TASK = "melody"
"""The task of commands that name none."""
