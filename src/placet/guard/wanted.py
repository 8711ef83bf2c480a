"""What a customer wants a license to grant: features of the product, each in the form in which a license grants it."""

import re
from collections.abc import Iterable, Mapping

from placet.enforcement import Product, ProductError
from placet.enforcement.product import Feature, Limit, Metered, Switch
from placet.license.terms import LARGEST_LIMIT, Grant

_WHOLE = re.compile(r"[0-9]{1,15}")


def wanted_grants(product: Product, wanted: Mapping[str, int | None]) -> dict[str, Grant]:
    """Answer what is wanted as grants: a switch with ``None``, whatever has a maximum with that, 0 and more.

    Raises :class:`ProductError` for what the product does not license, or not so.
    """
    return {name: _grant(_feature(product, name), maximum) for name, maximum in wanted.items()}


def read_wanted(product: Product, texts: Iterable[str]) -> dict[str, int | None]:
    """Read what people write: ``run`` for a switch, ``software_units=50`` for whatever has a maximum.

    Raises :class:`ProductError` with what to write instead.
    """
    wanted: dict[str, int | None] = {}
    for text in texts:
        name, sign, number = (part.strip() for part in text.partition("="))
        name = re.sub(r"[\s-]+", "_", name.lower())
        feature = _feature(product, name)
        if name in wanted:
            raise ProductError(f"{feature.title} is wanted twice. Name it once.")
        if sign and (not _WHOLE.fullmatch(number) or int(number) > LARGEST_LIMIT):
            raise ProductError(
                f"{feature.title} is wanted as {number[:40]!r}. Write a whole number from 0 to {LARGEST_LIMIT:,}."
            )
        wanted[name] = int(number) if sign else None
        _grant(feature, wanted[name])
    return wanted


def _feature(product: Product, name: str) -> Feature:
    try:
        return product.by_name[name]
    except KeyError:
        known = ", ".join(product.by_name)
        raise ProductError(f"There is no feature {name[:80]!r} to ask for. There are: {known}.") from None


def _grant(feature: Feature, maximum: int | None) -> Grant:
    if isinstance(feature, Switch):
        if maximum is not None:
            raise ProductError(f"{feature.title} is on or off. Ask for it without a number: {feature.name}.")
        return Grant(kind="switch")
    if maximum is None:
        raise ProductError(f"{feature.title} has a maximum. Say which is wanted: {feature.name}=50.")
    if isinstance(feature, Metered):
        return Grant(kind="metered", limit=maximum, period=feature.period)
    return Grant(kind="limit" if isinstance(feature, Limit) else "seats", limit=maximum)
