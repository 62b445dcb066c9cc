"""What can be done to those who use the exchange: the base of all hostilities, and how one is read."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Final, Protocol

import msgspec
from msgspec import Meta

from tickfloor.simulator.conditions import Conditions
from tickfloor.simulator.errors import HostilityError, written
from tickfloor.simulator.face import Face
from tickfloor.simulator.server import StreamServer

MOST_SECONDS: Final = 1e9
Seconds = Annotated[float, Meta(ge=0, le=MOST_SECONDS)]
Count = Annotated[int, Meta(ge=1)]


class Exchange(Protocol):
    """What hostilities act on."""

    server: StreamServer
    conditions: Conditions

    def faces_of(self, venue: str) -> list[Face]:
        """Return the faces whose venue fits a pattern.

        Raises:
            HostilityError: none does.
        """


class Hostility(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One kind of trouble; its fields are its parameters."""

    name: ClassVar[str] = ""

    def check(self, exchange: Exchange) -> None:
        """Refuse what can never be done to this exchange; by default everything may come.

        Raises:
            HostilityError: it can never be done.
        """

    def apply(self, exchange: Exchange) -> str:
        """Do it, and return what was done in words.

        Raises:
            HostilityError: what it is to be done to is not there.
        """
        raise NotImplementedError


def read_hostility(known: Mapping[str, type[Hostility]], do: str, parameters: Mapping[str, object]) -> Hostility:
    """Return a hostility by its name.

    Raises:
        HostilityError: there is no such one, or it does not take these parameters.
    """
    kind = known.get(do)
    if kind is None:
        raise HostilityError(f"there is no hostility {do!r}; there are {', '.join(sorted(known))}")
    try:
        return msgspec.convert(dict(parameters), type=kind)
    except (msgspec.ValidationError, ValueError) as error:
        takes = ", ".join(
            f"{name}: {written(default)}{' (must be given)' if default is None else ''}"
            for name, default in parameters_of(kind).items()
        )
        raise HostilityError(f"{do}: {error}; it takes {takes or 'no parameters'}") from error


def parameters_of(kind: type[Hostility]) -> dict[str, Any]:
    """Return a hostility's parameters with their defaults; those that must be given are None."""
    return {
        field.encode_name: None if field.default is msgspec.NODEFAULT else field.default
        for field in msgspec.structs.fields(kind)
    }


def counted(number: int, noun: str) -> str:
    """Return a number and its noun, in the plural unless it is one."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
