"""The messages of the contract, letter for letter, written down once more and independently of the product."""

from contract.surfaces import Message

E1 = Message("no_license", "No license was found for this server")
E2 = Message("operation_no_license", "Cannot perform the operation. No license was found for this server")
E4 = Message(
    "operation_wrong_server",
    "Cannot perform the operation. The license found is not valid for this server",
)
E5 = Message("expired", "This server license has expired. Your Service Center administrator must request a new license")
E6 = Message(
    "over_limit",
    "This server is consuming more resources than allowed by its license. Either the license contract must be "
    "changed or the features usage decreased",
)
E7 = Message(
    "operation_expired_or_over_limit",
    "Cannot perform the operation. Either this server license has expired or it is consuming more resources "
    "than allowed",
)
W3 = Message(
    "over_limit_tolerated",
    "This server is consuming more resources than allowed by its license. Either the license contract should be "
    "changed or the features usage decreased",
)


def e3(number: str) -> Message:
    text = "The license found is not valid for this server because it was issued to a server with serial number"
    return Message("wrong_server", f"{text} '{number}'")


def e8(units: int) -> Message:
    text = f"You cannot publish more modules because you reached the limit of {units} Software Units that this server"
    return Message("software_units_limit", f"{text} license allows")


def e9(feature: str) -> Message:
    text = f"Cannot perform the operation. The {feature} feature is not licensed in this server. To change the license"
    return Message("feature_not_licensed", f"{text} contract ask your Service Center administrator")


def w1(period: str) -> Message:
    text = f"This server license will expire within {period}. Your Service Center administrator should request a new"
    return Message("expiring", f"{text} license")


def w2(period: str) -> Message:
    text = "This server license has expired. Your Service Center administrator must request a new license within"
    return Message("in_grace", f"{text} {period}")


def w4(units: int) -> Message:
    text = (
        f"You should not publish more modules because you reached the limit of {units} Software Units that this server"
    )
    return Message("software_units_limit_tolerated", f"{text} license allows")
