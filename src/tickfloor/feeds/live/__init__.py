"""Live venues: connections that are kept, streams that are watched, repairs that are asked for.

:mod:`~tickfloor.feeds.live.venue_feed` runs one venue: it chooses instruments (``choosing``), carries their streams
over sockets (``connecting``), finds those that are silent (``watching``) and asks for what is missing (``repairing``).
:mod:`~tickfloor.feeds.live.ccxt_venue` is a feed of its own beside it; :mod:`~tickfloor.feeds.live.worker` runs all.
"""
