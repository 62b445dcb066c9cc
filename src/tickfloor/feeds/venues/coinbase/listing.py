"""What Coinbase says of its products: which there are, what they are traded in, how finely and how much.

Some products are a second name of another's market: ``BTC-USDC`` is ``BTC-USD``, and whoever subscribes to the first
is sent the second. An instrument is a market, so it is listed once, by the name that frames bear.
"""

from msgspec import Struct
from msgspec.json import Decoder

from tickfloor.feeds.venue import Traded
from tickfloor.feeds.venues.coinbase.frames import DECODE_ERRORS, malformed


class Product(Struct, frozen=True, gc=False):
    """A product of the REST listing."""

    product_id: str
    quote_currency_id: str = ""
    price_increment: str = ""
    base_increment: str = ""
    approximate_quote_24h_volume: str = ""
    alias: str = ""
    status: str = ""
    product_type: str = ""
    is_disabled: bool = False
    trading_disabled: bool = False
    cancel_only: bool = False
    view_only: bool = False


class Products(Struct, frozen=True, gc=False):
    """The REST listing."""

    products: list[Product]


_PRODUCTS = Decoder(Products)


def products_of(body: bytes) -> list[Product]:
    """Read a listing.

    Raises:
        FrameError: it is malformed.
    """
    try:
        return _PRODUCTS.decode(body).products
    except DECODE_ERRORS as error:
        raise malformed(error) from error


def traded(product: Product) -> Traded | None:
    """Return a product as an instrument, or None where it is not traded now or only another's second name."""
    closed = product.is_disabled or product.trading_disabled or product.cancel_only or product.view_only
    if product.status != "online" or product.product_type != "SPOT" or product.alias or closed:
        return None
    return Traded(product.product_id, product.quote_currency_id)


def volume(product: Product) -> float | None:
    """Return its volume of 24 h in quote currency, or None where it is not said."""
    try:
        found = float(product.approximate_quote_24h_volume)
    except ValueError:
        return None
    return found if 0.0 <= found < 1e24 else None
