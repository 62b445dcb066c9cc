"""The feed worker: what exchanges say becomes records on the tape and rows on the board.

Frames come from :mod:`~tickfloor.feeds.live` connections, which :mod:`~tickfloor.feeds.recording` writes down, or from
:mod:`~tickfloor.feeds.replaying` what was recorded. :mod:`~tickfloor.feeds.venues` read them;
:mod:`~tickfloor.feeds.joining` puts trades in order and asks for what is missing; :mod:`~tickfloor.feeds.publishing`
writes.
"""
