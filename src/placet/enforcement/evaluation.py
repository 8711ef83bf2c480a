"""Evaluate: a license as it stands on one server at one moment.

The rules, in the order they are asked; the first that holds names the state:

1. no license is installed                                        → ``no_license``
2. what is installed cannot be verified or read                   → ``unreadable``
3. the vendor has revoked it                                      → ``revoked``
4. it was issued to another serial number                         → ``wrong_server``
5. the clock is further back than the newest moment seen under
   this license, by more than the tolerance                       → ``clock_set_back``
6. now is before its start                                        → ``not_yet_valid``
7. now is at or past its expiry and its grace                     → ``expired``
8. now is at or past its expiry, within grace                     → ``grace``
9. otherwise                                                      → ``active``

Limits are judged beside the state, for a license that is this server's own (states 5 to 9): usage above the limit
is tolerated up to the limit plus its tolerance, and exceeded above that. Metered features count from zero in each
period; they and seats are never over a limit, for there is nothing to give back. From ``warn_before`` ahead of expiry
there is a warning. ``now`` and everything else comes in; nothing here reads a clock, file or database.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime

import msgspec

from placet.enforcement.codes import Cause, Code, Severity
from placet.enforcement.messages import (
    About,
    Diagnosed,
    Notice,
    cause,
    notice,
    period_text,
    period_text_holds_for,
)
from placet.enforcement.periods import period_at
from placet.enforcement.product import Counted, Feature, Limit, Metered, Product, Switch
from placet.enforcement.status import Facts, FeatureStatus, Policy, State, Status
from placet.license.diagnosis import Diagnosis, Rejection
from placet.license.document import License
from placet.license.instants import from_numeric_date, rfc3339
from placet.license.terms import Enforcement, Grant, Terms

NO_FILE = Rejection(
    diagnosis=Diagnosis.NO_FILE, explanation="No file: no license has been installed on this server yet."
)

_LIMITS_JUDGED = frozenset({State.CLOCK_SET_BACK, State.NOT_YET_VALID, State.EXPIRED, State.GRACE, State.ACTIVE})


class _Case(msgspec.Struct, frozen=True, kw_only=True):
    """What is judged, and the state once it is known."""

    facts: Facts
    terms: Terms | None
    rejection: Rejection | None
    now: datetime
    policy: Policy

    @property
    def vendor(self) -> str | None:
        return self.terms.iss if self.terms is not None else self.policy.vendor_name

    def notice(
        self, code: Code, *, diagnosis: Diagnosed | None = None, about: About | None = None, **parameters: str
    ) -> Notice:
        locale = self.policy.locale
        return notice(code, parameters, vendor=self.vendor, locale=locale, diagnosis=diagnosis, about=about)


def evaluate(facts: Facts, product: Product, now: datetime, policy: Policy) -> Status:
    """Judge ``facts`` at the moment ``now`` (aware): license, time, server and limits in one place."""
    found = facts.license
    terms = found.terms if isinstance(found, License) else None
    rejection = NO_FILE if found is None else found if isinstance(found, Rejection) else None
    case = _Case(facts=facts, terms=terms, rejection=rejection, now=now, policy=policy)
    state = _state(case)
    granted = terms if state in _LIMITS_JUDGED else None
    features = {feature.name: _feature(feature, case, granted) for feature in product.features}
    diagnosis = _diagnosis(case, state)
    notices = [*_state_notices(case, state, diagnosis), *_limit_notices(case, features if granted is not None else {})]
    return Status(
        state=state,
        serial_number=facts.serial_number,
        evaluated_at=now,
        license=found if isinstance(found, License) else None,
        rejection=rejection,
        diagnosis=diagnosis,
        vendor_name=case.vendor,
        enforcement=terms.enforcement if terms is not None else Enforcement.STRICT,
        features=features,
        errors=tuple(entry for entry in notices if entry.severity is Severity.ERROR),
        warnings=tuple(entry for entry in notices if entry.severity is Severity.WARNING),
        expires_at=terms.expires_at(facts.evaluation_started_at) if terms is not None else None,
        grace_ends_at=terms.grace_ends_at(facts.evaluation_started_at) if terms is not None else None,
        next_change_at=_soonest(_next_change(case, state), features),
        policy=policy,
        product=product,
    )


def with_usage(status: Status, facts: Facts) -> Status:
    """The same license at the same moment, with the usage of ``facts``: what evaluating anew would answer, for less.

    Nothing but ``facts.usage`` and ``facts.meters`` may differ from the facts that ``status`` was made of.
    """
    judged = status.state in _LIMITS_JUDGED
    changed = {}
    for name, found in status.features.items():
        used = _used(found, facts, judged)
        if used is not None and used != found.used:
            changed[name] = _using(found, used, judged)
    return _with_features(status, changed)


def _used(found: FeatureStatus, facts: Facts, judged: bool) -> int | None:  # noqa: FBT001
    """The units of a feature in use: of a metered one, in its period under way. Of a switch there are none."""
    if found.kind == "switch":
        return None
    if found.kind != "metered":
        return facts.usage.get(found.name, 0)
    meter = facts.meters.get(found.name)
    if not judged or meter is None or found.period_starts_at is None:
        return 0
    return meter.used if meter.period_starts_at >= found.period_starts_at else 0


def with_used(status: Status, used: Mapping[str, int]) -> Status:
    """The same license at the same moment, with so many units of some features in use, as far as limits are judged."""
    judged = status.state in _LIMITS_JUDGED
    return _with_features(status, {name: _using(status.features[name], units, judged) for name, units in used.items()})


def _using(found: FeatureStatus, used: int, judged: bool) -> FeatureStatus:  # noqa: FBT001
    over = judged and found.kind == "limit" and found.limit is not None and used > found.limit
    exceeded = over and used > (found.tolerated_limit or 0)
    return msgspec.structs.replace(found, used=used, over_limit=over, exceeded=exceeded)


def _with_features(status: Status, changed: Mapping[str, FeatureStatus]) -> Status:
    """The same license with its limits judged anew; the notices of the state are about no feature, and stay.

    Where no limit that has changed is passed, nor was, no notice changes.
    """
    features = {**status.features, **changed}
    if not any(found.over_limit or status.features[name].over_limit for name, found in changed.items()):
        return msgspec.structs.replace(status, features=features) if changed else status
    terms = status.license.terms if status.license is not None else None
    case = _Case(
        facts=Facts(serial_number=status.serial_number),
        terms=terms,
        rejection=None,
        now=status.evaluated_at,
        policy=status.policy,
    )
    limits = list(_limit_notices(case, features)) if status.state in _LIMITS_JUDGED else []
    return msgspec.structs.replace(
        status,
        features=features,
        errors=_with_limits(status.errors, limits, Severity.ERROR),
        warnings=_with_limits(status.warnings, limits, Severity.WARNING),
    )


def _with_limits(before: tuple[Notice, ...], limits: list[Notice], severity: Severity) -> tuple[Notice, ...]:
    """The notices of the state, which are about no feature, and those of the limits."""
    kept = tuple(entry for entry in before if entry.feature is None)
    return kept + tuple(entry for entry in limits if entry.severity is severity)


def _state(case: _Case) -> State:
    facts, terms, now = case.facts, case.terms, case.now
    if facts.license is None:  # 1
        return State.NO_LICENSE
    if terms is None:  # 2
        return State.UNREADABLE
    if facts.revocation is not None:  # 3
        return State.REVOKED
    if terms.serial_number != facts.serial_number:  # 4
        return State.WRONG_SERVER
    if facts.newest_moment is not None and facts.newest_moment - now > case.policy.clock_tolerance:  # 5
        return State.CLOCK_SET_BACK
    starts_at = terms.starts_at()
    if starts_at is not None and now < starts_at:  # 6
        return State.NOT_YET_VALID
    if now >= terms.grace_ends_at(facts.evaluation_started_at):  # 7
        return State.EXPIRED
    if now >= terms.expires_at(facts.evaluation_started_at):  # 8
        return State.GRACE
    return State.ACTIVE  # 9


def _feature(feature: Feature, case: _Case, granted: Terms | None) -> FeatureStatus:
    grant = granted.features.get(feature.name) if granted is not None else None
    if isinstance(feature, Switch):
        licensed = grant is not None and grant.kind == "switch"
        return FeatureStatus(name=feature.name, title=feature.title, kind="switch", licensed=licensed)
    if isinstance(feature, Metered):
        return _metered(feature, grant, case, granted)
    used = case.facts.usage.get(feature.name, 0)
    if isinstance(feature, Limit):
        return _limit(feature, grant, used, unlicensed=granted is None)
    return _counted(feature, "seats", *_allowed(feature, grant, "seats", unlicensed=granted is None), used)


def _allowed(feature: Counted, grant: Grant | None, kind: str, *, unlicensed: bool) -> tuple[int | None, int | None]:
    """The limit, and with its tolerance. What the license does not name is what the product includes.

    No license grants nothing.
    """
    if grant is not None and grant.kind == kind:
        return grant.limit, grant.tolerated_limit
    included = 0 if unlicensed else feature.included
    return included, included


def _counted(feature: Counted, kind: str, limit: int | None, tolerated: int | None, used: int) -> FeatureStatus:
    return FeatureStatus(
        name=feature.name,
        title=feature.title,
        kind=kind,
        licensed=limit is None or limit > 0,
        limit=limit,
        tolerated_limit=tolerated,
        used=used,
    )


def _limit(feature: Limit, grant: Grant | None, used: int, *, unlicensed: bool) -> FeatureStatus:
    limit, tolerated = _allowed(feature, grant, "limit", unlicensed=unlicensed)
    found = _counted(feature, "limit", limit, tolerated, used)
    if unlicensed or limit is None or used <= limit:
        return found
    return msgspec.structs.replace(found, over_limit=True, exceeded=used > (tolerated or 0))


def _metered(feature: Metered, grant: Grant | None, case: _Case, granted: Terms | None) -> FeatureStatus:
    """Consumption counts in its own period; a clock that went back a little does not make it zero."""
    limit, tolerated = _allowed(feature, grant, "metered", unlicensed=granted is None)
    if granted is None:
        return _counted(feature, "metered", limit, tolerated, 0)
    period = grant.period if grant is not None and grant.period is not None else feature.period
    starts_at, ends_at = period_at(period, case.now, granted, case.facts.evaluation_started_at)
    meter = case.facts.meters.get(feature.name)
    used = meter.used if meter is not None and meter.period_starts_at >= starts_at else 0
    found = _counted(feature, "metered", limit, tolerated, used)
    return msgspec.structs.replace(found, period_starts_at=starts_at, period_ends_at=ends_at)


def _soonest(change: datetime | None, features: Mapping[str, FeatureStatus]) -> datetime | None:
    """The first of a change of state and the ends of the metered features' periods."""
    ends = [feature.period_ends_at for feature in features.values() if feature.period_ends_at is not None]
    if change is not None:
        ends.append(change)
    return min(ends, default=None)


def _diagnosis(case: _Case, state: State) -> Diagnosed | None:
    """Why the license is not usable, where it is not."""
    facts, terms, locale = case.facts, case.terms, case.policy.locale
    if case.rejection is not None or terms is None:
        rejection = case.rejection or NO_FILE
        return Diagnosed(rejection.diagnosis, rejection.explanation)
    starts_at, expires_at = terms.starts_at(), terms.expires_at(facts.evaluation_started_at)
    grace_ends_at = terms.grace_ends_at(facts.evaluation_started_at)
    match state:
        case State.REVOKED:
            return cause(Cause.REVOKED, locale, reason=facts.revocation.reason if facts.revocation else None)
        case State.WRONG_SERVER:
            return cause(Cause.WRONG_SERVER, locale, found=terms.serial_number, expected=facts.serial_number)
        case State.CLOCK_SET_BACK:
            return cause(Cause.CLOCK_SET_BACK, locale, instant=_told(facts.newest_moment))
        case State.NOT_YET_VALID:
            return cause(Cause.NOT_YET_VALID, locale, instant=_told(starts_at))
        case State.EXPIRED if grace_ends_at > expires_at:
            return cause(Cause.EXPIRED_AFTER_GRACE, locale, instant=_told(expires_at), grace=_told(grace_ends_at))
        case State.EXPIRED:
            return cause(Cause.EXPIRED, locale, instant=_told(expires_at))
        case _:
            return None


def _told(when: datetime | None) -> str:
    return "" if when is None else rfc3339(when.replace(microsecond=0))


def _state_notices(case: _Case, state: State, diagnosis: Diagnosed | None) -> Iterator[Notice]:
    """What there is to say of the state itself, at most one message."""
    facts, terms, now, locale = case.facts, case.terms, case.now, case.policy.locale
    if terms is None:
        yield case.notice(Code.NO_LICENSE, diagnosis=diagnosis)
        return
    expires_at = terms.expires_at(facts.evaluation_started_at)
    grace_ends_at = terms.grace_ends_at(facts.evaluation_started_at)
    match state:
        case State.REVOKED:
            since = from_numeric_date(facts.revocation.revoked_at) if facts.revocation else None
            yield case.notice(Code.LICENSE_REVOKED, diagnosis=diagnosis, instant=_told(since))
        case State.WRONG_SERVER:
            yield case.notice(Code.WRONG_SERVER, diagnosis=diagnosis, number=terms.serial_number)
        case State.CLOCK_SET_BACK:
            yield case.notice(Code.CLOCK_SET_BACK, diagnosis=diagnosis, instant=_told(facts.newest_moment))
        case State.NOT_YET_VALID:
            yield case.notice(Code.NOT_YET_VALID, diagnosis=diagnosis, instant=_told(terms.starts_at()))
        case State.EXPIRED:
            yield case.notice(Code.EXPIRED, diagnosis=diagnosis)
        case State.GRACE:
            yield case.notice(Code.IN_GRACE, period=period_text(grace_ends_at - now, locale))
        case _ if expires_at - now <= case.policy.warn_before:
            yield case.notice(Code.EXPIRING, period=period_text(expires_at - now, locale))


def _limit_notices(case: _Case, features: Mapping[str, FeatureStatus]) -> Iterator[Notice]:
    """One message for each limit that usage is above, tolerated or not."""
    for feature in features.values():
        if feature.over_limit:
            code = Code.OVER_LIMIT if feature.exceeded else Code.OVER_LIMIT_TOLERATED
            about = About(feature.name, feature.used, feature.limit)
            yield case.notice(code, diagnosis=over_limit_cause(feature, case.policy.locale), about=about)


def over_limit_cause(feature: FeatureStatus, locale: str) -> Diagnosed:
    """Tell by how much usage is above a limit."""
    tolerant = feature.tolerated_limit != feature.limit
    return cause(
        Cause.OVER_LIMIT_WITH_TOLERANCE if tolerant else Cause.OVER_LIMIT,
        locale,
        used=feature.used,
        feature=feature.title,
        limit=feature.limit,
        tolerated=feature.tolerated_limit,
    )


def _next_change(case: _Case, state: State) -> datetime | None:
    """The first instant after ``now`` at which the passing of time alone changes the state or a message's words."""
    facts, terms, now = case.facts, case.terms, case.now
    if terms is None or state in {State.REVOKED, State.WRONG_SERVER, State.EXPIRED}:
        return None
    expires_at = terms.expires_at(facts.evaluation_started_at)
    if state is State.CLOCK_SET_BACK and facts.newest_moment is not None:
        return facts.newest_moment - case.policy.clock_tolerance
    if state is State.NOT_YET_VALID:
        return terms.starts_at()
    if state is State.GRACE:
        left = terms.grace_ends_at(facts.evaluation_started_at) - now
    elif expires_at - now > case.policy.warn_before:
        return expires_at - case.policy.warn_before
    else:
        left = expires_at - now
    return now + period_text_holds_for(left)
