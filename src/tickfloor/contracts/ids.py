"""Names for the numbers and texts that identify things."""

from typing import NewType

InstrumentId = NewType("InstrumentId", int)
"""Row number of an instrument on the board and in tape records; assigned once, in order, by the supervisor."""

Sequence = NewType("Sequence", int)
"""Position of a record on its tape, from 0, without holes."""

Slot = NewType("Slot", str)
"""Stable name of a worker's place, for example ``trader-2``; it outlives the processes that fill it."""

Incarnation = NewType("Incarnation", int)
"""Counts the processes that have filled a slot, from 1."""
