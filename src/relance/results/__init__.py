"""The results that an analysis declares, read from the files of a run and shown with their units."""

from relance.results.model import Bands, Result, ResultFile, Results
from relance.results.reading import read

__all__ = ["Bands", "Result", "ResultFile", "Results", "read"]
