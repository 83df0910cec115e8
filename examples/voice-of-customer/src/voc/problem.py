"""The one error that the caller can repair: its text names the option and says what to do."""


class Problem(Exception):
    """Ends the run with exit code 2 and this sentence on stderr."""
