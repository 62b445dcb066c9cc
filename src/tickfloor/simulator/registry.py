"""Every hostility by its name."""

from types import MappingProxyType
from typing import Final

from tickfloor.simulator.connection_hostility import CONNECTION_HOSTILITIES
from tickfloor.simulator.stream_hostility import STREAM_HOSTILITIES
from tickfloor.simulator.venue_hostility import VENUE_HOSTILITIES

HOSTILITIES: Final = MappingProxyType(
    {kind.name: kind for kind in (*CONNECTION_HOSTILITIES, *STREAM_HOSTILITIES, *VENUE_HOSTILITIES)}
)
