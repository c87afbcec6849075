"""The one base of every error that the analysis's programs report to their user."""


class AnalysisError(Exception):
    """Something the user can mend; its text is the whole message.

    The text names the subject, what was expected, what was found, and what to do next.
    """
