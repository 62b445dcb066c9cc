"""How much memory a strategy keeps: estimated from what can be reached from it, by samples of what is large."""

import gc
import sys
from collections import deque
from collections.abc import Iterable, Sequence
from itertools import islice
from types import (
    BuiltinFunctionType,
    CodeType,
    FrameType,
    FunctionType,
    GetSetDescriptorType,
    MappingProxyType,
    MemberDescriptorType,
    MethodType,
    ModuleType,
    TracebackType,
)
from typing import Any

import msgspec

SAMPLE = 16
"""Elements of a container that are looked at; the others are taken to be like them."""

MOST_OBJECTS = 20_000
"""Objects that are looked at in all: some ten milliseconds."""

_NOT_KEPT = (
    BuiltinFunctionType, CodeType, FrameType, FunctionType, GetSetDescriptorType, MappingProxyType,
    MemberDescriptorType, MethodType, ModuleType, TracebackType, type,
)  # fmt: skip
"""What belongs to the program or leads out of it, into its worker."""

_WITHOUT_OTHERS = (str, bytes, bytearray, int, float)


def kept_bytes(roots: Iterable[object]) -> int:
    """Return an estimate of the bytes of all that can be reached from ``roots``.

    An object counts once. Of a container only a sample is looked at: lists and tuples evenly, others from their
    beginning. It sees what objects say of their own size: arrays of NumPy that own their data, but no memory
    that a library holds without saying so, no closures, no other modules, and nothing that a call has let go of.
    """
    seen: set[int] = set()
    waiting: deque[tuple[object, float]] = deque((root, 1.0) for root in roots)
    total = 0.0
    while waiting and len(seen) < MOST_OBJECTS:
        found, weight = waiting.popleft()
        if id(found) in seen or issubclass(type(found), _NOT_KEPT):
            continue
        seen.add(id(found))
        total += weight * sys.getsizeof(found, 0)
        sample, share = _sample_of(found)
        waiting.extend((each, weight * share) for each in sample)
    return int(total)


def _sample_of(found: Any) -> tuple[Sequence[object], float]:  # noqa: ANN401 - whatever a program may keep
    """Return some of the objects that an object keeps, and how many each of them stands for."""
    kind = type(found)  # what an object says of its own class is another's, if it is a proxy
    if issubclass(kind, _WITHOUT_OTHERS):
        return (), 1.0
    if issubclass(kind, dict):
        pairs = list(islice(dict.items(found), SAMPLE))
        return [each for pair in pairs for each in pair], dict.__len__(found) / max(1, len(pairs))
    if issubclass(kind, list | tuple):
        several = list(found[:: len(found) // SAMPLE + 1])
        return several, len(found) / max(1, len(several))
    if issubclass(kind, set | frozenset | deque):
        several = list(islice(found, SAMPLE))
        return several, len(found) / max(1, len(several))
    if issubclass(kind, msgspec.Struct):
        # The collector, which knows of all others, need not know of these.
        return [getattr(found, name) for name in kind.__struct_fields__], 1.0
    several = gc.get_referents(found)
    sampled = several[:: len(several) // (64 * SAMPLE) + 1]
    return sampled, len(several) / max(1, len(sampled))
