"""The tasks that come with the package, one folder each; other packages offer theirs likewise."""

DEFAULT_TASK = "melody"
"""The task of commands that name none."""
