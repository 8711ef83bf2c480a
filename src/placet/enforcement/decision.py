"""Decide: the answer for one operation, from the status alone.

The rules, in the order they are asked; the first that holds refuses:

1. no license, or one that cannot be read                          → E2 ``operation_no_license``
2. a license of another server                                     → E4 ``operation_wrong_server``
3. revoked; clock set back; not valid yet                          → their own messages
4. expired, grace included                                         → E7 ``operation_expired_or_over_limit``
5. the switch the operation requires is off                        → E9 ``feature_not_licensed``
6. a limit is exceeded (strict: any; per-feature: one that the
   operation takes more of, or requires)                           → E7 ``operation_expired_or_over_limit``
7. the operation would take a limit past its tolerance             → E8 ``software_units_limit``, or the limit's own

What is left is allowed, with the status's warnings; past a limit and within its tolerance also with W4. A holder
that needs no more units than it holds already is always within the limit. What a product does not define as an
operation (sign-in, views, deleting, deactivating, uploading a license) is never asked here and never refused.

Consuming a metered feature and taking seats (:func:`decide_use`) are asked the same; the switch of rule 5 is the
feature itself.

Rules 1 to 4 follow the state, of which there is one: a revoked license of another server is told as revoked.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from placet.enforcement.codes import Cause, Code, Severity
from placet.enforcement.evaluation import over_limit_cause
from placet.enforcement.messages import About, Diagnosed, Notice, catalogue, cause, notice
from placet.enforcement.product import Metered, Operation, ProductError, Seats, Switch
from placet.enforcement.status import FeatureStatus, State, Status
from placet.license.instants import rfc3339
from placet.license.terms import LARGEST_LIMIT, Enforcement


class Amount(msgspec.Struct, frozen=True):
    """Units of a limit: what the holder is to have (absolute), and what it holds already."""

    requested: int
    held: int = 0


class Decision(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The answer for one operation, with the numbers that decided it.

    Allowed without more to say: ``code`` and ``message`` are ``None``; ``warnings`` are told in any case. ``used``
    is what all holders use now, ``held`` of it what this holder has, ``requested`` what it is to have, ``limit`` and
    ``tolerated_limit`` what the license allows, all in units of ``feature``.
    """

    allowed: bool
    operation: str
    state: State
    code: Code | None = None
    severity: Severity | None = None
    message: str | None = None
    feature: str | None = None
    used: int | None = None
    held: int | None = None
    requested: int | None = None
    limit: int | None = None
    tolerated_limit: int | None = None
    diagnosis: str | None = None
    diagnosis_code: str | None = None
    remedy: str | None = None
    contact: str | None = None
    warnings: tuple[Notice, ...] = ()

    @property
    def http_status(self) -> int:
        """What an API answers (RFC 9110): 200 where it is allowed."""
        return 200 if self.allowed or self.code is None else catalogue().entries[self.code].http_status


class Refused(Exception):
    """Raised where an operation is not allowed; carries the :class:`Decision`."""

    def __init__(self, decision: Decision) -> None:
        super().__init__(decision.message)
        self.decision = decision


_STATE_REFUSALS = {
    State.NO_LICENSE: Code.OPERATION_NO_LICENSE,  # 1
    State.UNREADABLE: Code.OPERATION_NO_LICENSE,
    State.WRONG_SERVER: Code.OPERATION_WRONG_SERVER,  # 2
    State.REVOKED: Code.OPERATION_LICENSE_REVOKED,  # 3
    State.CLOCK_SET_BACK: Code.OPERATION_CLOCK_SET_BACK,
    State.NOT_YET_VALID: Code.OPERATION_NOT_YET_VALID,
    State.EXPIRED: Code.OPERATION_EXPIRED_OR_OVER_LIMIT,  # 4
}


def decide(status: Status, name: str, amounts: Mapping[str, Amount] | None = None) -> Decision:
    """Decide the operation ``name``; ``amounts`` by limit, where it consumes any.

    A limit the operation consumes and that ``amounts`` leaves out is not asked about. Raises :class:`ProductError`
    for an operation or limit the product does not define, or an amount that is no number of units.
    """
    operation = status.product.operation(name)
    wanted = _checked(operation, amounts or {})
    refusal = _STATE_REFUSALS.get(status.state)
    if refusal is not None:  # 1 to 4
        return _refuse(status, operation, refusal)
    if operation.requires is not None and not status.features[operation.requires].licensed:  # 5
        return _refuse(status, operation, Code.FEATURE_NOT_LICENSED, status.features[operation.requires])
    for feature in _exceeded(status, operation, wanted):  # 6
        amount = wanted.get(feature.name)
        return _refuse(status, operation, Code.OPERATION_EXPIRED_OR_OVER_LIMIT, feature, amount)
    return _within_limits(status, operation, wanted)  # 7


def decide_use(status: Status, operation: str, feature: str, amount: Amount) -> Decision:
    """Decide consuming a metered feature, or taking seats, by the same rules: what it requires is the feature itself.

    ``operation`` is what the decision is to call it. Raises :class:`ProductError` like :func:`decide`.
    """
    definition = status.product.by_name.get(feature)
    if not isinstance(definition, Metered | Seats):
        raise ProductError(f"The product {status.product.name!r} has no metered feature and no seats {feature!r}.")
    asked = Operation(operation, consumes=(feature,))
    wanted = _checked(asked, {feature: amount})
    refusal = _STATE_REFUSALS.get(status.state)
    if refusal is not None:  # 1 to 4
        return _refuse(status, asked, refusal)
    if not status.features[feature].licensed:  # 5
        return _refuse(status, asked, Code.FEATURE_NOT_LICENSED, status.features[feature])
    for exceeded in _exceeded(status, asked, wanted):  # 6
        return _refuse(status, asked, Code.OPERATION_EXPIRED_OR_OVER_LIMIT, exceeded)
    return _within_limits(status, asked, wanted)  # 7


def decide_more(before: Decision, amount: int) -> Decision | None:
    """Answer what :func:`decide_use` would for ``amount`` units right after those that ``before`` has allowed.

    ``None`` where that is not as plain as ``before`` itself: then it has to be decided anew, with those in use.
    """
    used = (before.used or 0) + (before.requested or 0)
    if not before.allowed or before.code is not None or (before.limit is not None and used + amount > before.limit):
        return None
    return msgspec.structs.replace(before, used=used, requested=amount)


def refuse_use(
    status: Status, operation: str, feature: str, amount: Amount, *, code: Code, why: Diagnosed, **parameters: str
) -> Decision:
    """Answer the refusal of seats for a reason beside the license; ``parameters`` are those of the message."""
    asked, found = Operation(operation, consumes=(feature,)), status.features[feature]
    return _answer(status, asked, code, found, amount, allowed=False, why=why, **parameters)


def _checked(operation: Operation, amounts: Mapping[str, Amount]) -> Mapping[str, Amount]:
    for name, amount in amounts.items():
        if name not in operation.consumes:
            raise ProductError(f"The operation {operation.name!r} consumes no {name!r}.")
        for units in (amount.requested, amount.held):
            if type(units) is not int or not 0 <= units <= LARGEST_LIMIT:
                raise ProductError(f"{units!r} is not a number of units of {name!r}: 0 to {LARGEST_LIMIT:,}.")
    return amounts


def _exceeded(status: Status, operation: Operation, wanted: Mapping[str, Amount]) -> Iterator[FeatureStatus]:
    for feature in status.features.values():
        if feature.exceeded and (status.enforcement is Enforcement.STRICT or _takes(operation, feature, wanted)):
            yield feature


def _takes(operation: Operation, feature: FeatureStatus, wanted: Mapping[str, Amount]) -> bool:
    amount = wanted.get(feature.name)
    grows = amount is None or amount.requested > amount.held
    return feature.name in operation.consumes and grows


def _within_limits(status: Status, operation: Operation, wanted: Mapping[str, Amount]) -> Decision:
    tolerated: Decision | None = None
    for name, amount in wanted.items():
        feature, definition = status.features[name], status.product.by_name[name]
        after = (feature.used or 0) - amount.held + amount.requested
        if amount.requested <= amount.held or feature.limit is None or isinstance(definition, Switch):
            continue
        if after > (feature.tolerated_limit or 0):
            return _refuse(status, operation, definition.reached, feature, amount)
        if after > feature.limit and tolerated is None:
            tolerated = _answer(status, operation, definition.reached_tolerated, feature, amount, allowed=True)
    return tolerated or _allow(status, operation, wanted)


def _allow(status: Status, operation: Operation, wanted: Mapping[str, Amount]) -> Decision:
    numbers: Mapping[str, Any] = {}
    for name, amount in wanted.items():
        numbers = {"feature": name} | _numbers(status.features[name], amount)
    return Decision(allowed=True, operation=operation.name, state=status.state, warnings=status.warnings, **numbers)


def _numbers(feature: FeatureStatus | None, amount: Amount | None) -> dict[str, Any]:
    if feature is None or feature.kind == "switch":
        return {}
    return {
        "used": feature.used,
        "limit": feature.limit,
        "tolerated_limit": feature.tolerated_limit,
        "held": amount.held if amount else None,
        "requested": amount.requested if amount else None,
    }


def _refuse(
    status: Status,
    operation: Operation,
    code: Code,
    feature: FeatureStatus | None = None,
    amount: Amount | None = None,
) -> Decision:
    return _answer(status, operation, code, feature, amount, allowed=False)


def _answer(
    status: Status,
    operation: Operation,
    code: Code,
    feature: FeatureStatus | None,
    amount: Amount | None,
    *,
    allowed: bool,
    why: Diagnosed | None = None,
    **parameters: str,
) -> Decision:
    """Answer with a message of the catalogue and the numbers that decided."""
    told = notice(
        code,
        ({"feature": feature.title, "number": str(feature.limit)} if feature else {}) | parameters,
        vendor=status.vendor_name,
        locale=status.policy.locale,
        diagnosis=why or _diagnosis(status, code, feature, amount),
        about=About(feature.name, feature.used, feature.limit) if feature else None,
    )
    return Decision(
        allowed=allowed,
        operation=operation.name,
        state=status.state,
        code=told.code,
        severity=told.severity,
        message=told.message,
        feature=told.feature,
        diagnosis=told.diagnosis,
        diagnosis_code=told.diagnosis_code,
        remedy=told.remedy,
        contact=told.contact,
        warnings=(*status.warnings, told) if allowed else status.warnings,
        **_numbers(feature, amount),
    )


def _diagnosis(status: Status, code: Code, feature: FeatureStatus | None, amount: Amount | None) -> Diagnosed | None:
    locale = status.policy.locale
    if feature is None:
        return status.diagnosis
    if code is Code.FEATURE_NOT_LICENSED:
        return cause(Cause.NOT_LICENSED, locale, feature=feature.title)
    if code is Code.OPERATION_EXPIRED_OR_OVER_LIMIT or amount is None:
        return over_limit_cause(feature, locale)
    if feature.kind == "metered":
        ends = "" if feature.period_ends_at is None else rfc3339(feature.period_ends_at)
        return _used_up(Cause.METER_REACHED, locale, feature, amount, instant=ends)
    if feature.kind == "seats":
        return _used_up(Cause.SEATS_TAKEN, locale, feature, amount)
    return cause(
        Cause.LIMIT_REACHED,
        locale,
        used=feature.used,
        limit=feature.limit,
        feature=feature.title,
        held=amount.held,
        requested=amount.requested,
    )


def _used_up(why: Cause, locale: str, feature: FeatureStatus, amount: Amount, **parameters: str) -> Diagnosed:
    numbers = {"used": feature.used, "limit": feature.limit, "requested": amount.requested - amount.held}
    return cause(why, locale, feature=feature.title, **numbers, **parameters)


def refusal(operation: str, state: State, told: Notice) -> Decision:
    """Answer the refusal of something that is no licensed operation, such as installing a license, with a notice."""
    return Decision(
        allowed=False,
        operation=operation,
        state=state,
        code=told.code,
        severity=told.severity,
        message=told.message,
        diagnosis=told.diagnosis,
        diagnosis_code=told.diagnosis_code,
        remedy=told.remedy,
        contact=told.contact,
    )
