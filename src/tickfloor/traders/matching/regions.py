"""Where on a column's scale a comparison with a constant holds."""

from math import inf, nextafter

from tickfloor.traders.language.nodes import MIRRORED, Atom, Column, Comparison, Number, QualityIs

Region = tuple[float, float]
"""From a value, included, to another, not included."""

EVERYWHERE: Region = (-inf, inf)


def threshold(atom: Atom) -> tuple[Column, list[Region]] | None:
    """Return the column of a comparison with a constant, and where it holds, in order; None for any other atom."""
    match atom:
        case QualityIs(column=column, quality=quality, negated=negated):
            return column, _regions("!=" if negated else "==", float(quality))
        case Comparison(operator=operator, left=left, right=Number(value=constant)) if isinstance(left, Column):
            return left, _regions(operator, constant)
        case Comparison(operator=operator, left=Number(value=constant), right=right) if isinstance(right, Column):
            return right, _regions(MIRRORED[operator], constant)
        case _:
            return None


def _regions(operator: str, constant: float) -> list[Region]:
    if constant != constant:
        return []
    # No float lies between a constant and its successor, so "above" begins there.
    above = nextafter(constant, inf)
    match operator:
        case "<":
            return [(-inf, constant)]
        case "<=":
            return [(-inf, above)]
        case ">":
            return [(above, inf)]
        case ">=":
            return [(constant, inf)]
        case "==":
            return [(constant, above)]
        case _:
            return [(-inf, constant), (above, inf)]


def elsewhere(regions: list[Region]) -> list[Region]:
    """Return the rest of the scale."""
    rest: list[Region] = []
    start = -inf
    for first, end in regions:
        if start < first:
            rest.append((start, first))
        start = end
    if start < inf:
        rest.append((start, inf))
    return rest
