"""A sweep as one HTML page that needs nothing else and runs nothing: for a mail, a ticket, an archive."""

from asyncsweep.html_page.page import Facts, page

__all__ = ["Facts", "page"]
