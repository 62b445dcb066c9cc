"""Several captures as one stream, by receive time."""

import heapq
from collections.abc import Iterable, Iterator, Sequence

from tickfloor.feeds.recording.capture import CapturedFrame

MergedFrame = tuple[int, int, str, str, bytes, int]
"""Receive time in ns UTC, index of the capture, kind, ref, payload, line number."""


def merge(captures: Sequence[Iterable[CapturedFrame]]) -> Iterator[MergedFrame]:
    """Yield the frames of all captures by receive time, then capture, then line; each is read as it is needed.

    Where receive times go back within a capture, its own order is kept.
    """
    if len(captures) == 1:
        for recv_ns, kind, ref, payload, line in captures[0]:
            yield recv_ns, 0, kind, ref, payload, line
        return
    sources = [iter(capture) for capture in captures]
    heads = []
    for index, source in enumerate(sources):
        first = next(source, None)
        if first is not None:
            heads.append((first[0], index, first))
    heapq.heapify(heads)
    while heads:
        _, index, frame = heads[0]
        source = sources[index]
        heapq.heappop(heads)
        # Runs of one capture are common: no turn through the heap until another one is earlier.
        while True:
            recv_ns, kind, ref, payload, line = frame
            yield recv_ns, index, kind, ref, payload, line
            following = next(source, None)
            if following is None:
                break
            frame = following
            if heads and (frame[0], index) > heads[0][:2]:
                heapq.heappush(heads, (frame[0], index, frame))
                break
