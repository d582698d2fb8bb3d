"""A sweep as one HTML page that needs nothing else and runs nothing: for a mail, a ticket, an archive."""

from asyncsweep.report.page import Facts, page

__all__ = ["Facts", "page"]
