"""The one kind of error that is the user's to mend."""


class UserError(Exception):
    """Something the user gave cannot be used.

    The message is one line that says what is wrong and what to do. The command line prints it and
    exits with code 2; a library caller sees an ordinary exception.
    """
