"""Every world there can be, as Hypothesis strategies, and the rules once more, written down independently of Placet."""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from builders import (
    DAY,
    NOW,
    OTHER_SERIAL,
    PRODUCT,
    SECOND,
    SERIAL,
    a_verified_license,
    from_base64url,
    limit,
    numeric,
    revocation,
    switch,
)
from placet.enforcement import Amount, Facts, Policy
from placet.license import Diagnosis, Enforcement, Grant, License, Rejection

HOUR = timedelta(hours=1)
LIMITS = [feature.name for feature in PRODUCT.limits]
SWITCHES = [name for name in PRODUCT.by_name if name not in LIMITS]
OPERATIONS = [operation.name for operation in PRODUCT.operations]

# Moments meet around a few instants, so that boundaries are hit and not merely passed.
MOMENTS = st.builds(
    lambda days, edge: NOW + days * DAY + edge,
    st.integers(-3, 40),
    st.sampled_from([timedelta(0), SECOND, -SECOND, HOUR, -HOUR, HOUR + SECOND, timedelta(microseconds=1)]),
)
SMALL = st.integers(0, 12)
GRANTS = st.dictionaries(st.sampled_from(LIMITS), st.builds(limit, SMALL, st.sampled_from([0, 10, 50, 100]))) | st.just(
    dict.fromkeys(LIMITS, limit(12))
)
SWITCHED = st.sets(st.sampled_from(SWITCHES)).map(lambda names: dict.fromkeys(names, switch())) | st.just(
    dict.fromkeys(SWITCHES, switch())
)
ODD = st.dictionaries(
    st.sampled_from([*SWITCHES, *LIMITS, "unheard_of"]), st.just(Grant(kind="metered", limit=5)), max_size=1
)


@st.composite
def licenses(draw: st.DrawFn, *serial_numbers: str) -> License:
    """Verified licenses of every sort; they end around the moments asked about, or well after."""
    exp = numeric(NOW) + draw(st.integers(-3, 40) | st.just(60)) * 86_400
    return a_verified_license(
        serial_number=draw(st.sampled_from(serial_numbers)),
        features=draw(ODD) | draw(GRANTS) | draw(SWITCHED),
        exp=exp,
        nbf=draw(st.none() | st.integers(1, 60).map(lambda days: exp - days * 86_400)),
        grace_until=draw(st.none() | st.integers(0, 10).map(lambda days: exp + days * 86_400)),
        enforcement=draw(st.sampled_from(Enforcement)),
        evaluation_seconds=draw(st.none() | st.none() | st.integers(1, 20).map(lambda days: days * 86_400)),
    )


REJECTIONS = st.builds(Rejection, diagnosis=st.sampled_from(Diagnosis), explanation=st.just("Rejected."))
USAGE = st.just({}) | st.dictionaries(st.sampled_from([*LIMITS, "nonsense"]), SMALL)

# Servers with a license of their own, which time and usage alone decide about.
SOUND = st.builds(
    Facts,
    serial_number=st.just(SERIAL),
    license=licenses(SERIAL),
    usage=USAGE,
    evaluation_started_at=st.none() | MOMENTS,
)
# Servers on which usage alone decides.
LIVE = st.builds(
    Facts,
    serial_number=st.just(SERIAL),
    license=st.builds(
        lambda limits, enforcement: a_verified_license(
            features=limits | dict.fromkeys(SWITCHES, switch()), enforcement=enforcement
        ),
        GRANTS,
        st.sampled_from(Enforcement),
    ),
    usage=USAGE,
)
# Servers that know anything at all.
ANY = st.builds(
    Facts,
    serial_number=st.sampled_from([SERIAL, OTHER_SERIAL]),
    license=licenses(SERIAL, OTHER_SERIAL) | REJECTIONS | st.none(),
    usage=USAGE,
    revocation=st.none() | st.just(revocation()),
    newest_moment=st.none() | MOMENTS,
    evaluation_started_at=st.none() | MOMENTS,
)
WORLDS = st.one_of(LIVE, LIVE, SOUND, ANY)


POLICIES = st.builds(
    Policy,
    warn_before=st.sampled_from([timedelta(0), HOUR, 7 * DAY, 30 * DAY, timedelta.max]),
    clock_tolerance=st.sampled_from([timedelta(0), HOUR, 30 * DAY]),
)
AMOUNTS = st.builds(Amount, SMALL, SMALL)


@st.composite
def asked(draw: st.DrawFn) -> tuple[str, dict[str, Amount]]:
    """An operation, and amounts of what it consumes."""
    operation = PRODUCT.operation(draw(st.sampled_from(OPERATIONS)))
    consumed = draw(st.sets(st.sampled_from(operation.consumes)) if operation.consumes else st.just(set[str]()))
    return operation.name, {name: draw(AMOUNTS) for name in sorted(consumed)}


def payload_of(license_: License) -> dict[str, Any]:
    """The claims, read from the signed text anew and without Placet's terms."""
    claims: dict[str, Any] = json.loads(from_base64url(json.loads(license_.signed)["payload"]))
    return claims


def in_its_time(claims: Mapping[str, Any], facts: Facts, policy: Policy, now: datetime) -> bool:
    """The license has begun and not ended, and the clock is to be believed."""
    seconds = (now - datetime(1970, 1, 1, tzinfo=now.tzinfo)) / SECOND
    end = claims["exp"]
    if "evaluation_seconds" in claims and facts.evaluation_started_at is not None:
        started = (facts.evaluation_started_at - datetime(1970, 1, 1, tzinfo=now.tzinfo)) / SECOND
        end = min(end, started + claims["evaluation_seconds"])
    end += claims.get("grace_until", claims["exp"]) - claims["exp"]
    believed = facts.newest_moment is None or now + policy.clock_tolerance >= facts.newest_moment
    return believed and claims.get("nbf", 0) <= seconds < end


def ceiling(claims: Mapping[str, Any], name: str) -> float:
    """The most units of a limit there may be, tolerance included."""
    grant = claims["features"].get(name, {})
    if grant.get("kind") == "limit":
        return int(grant["limit"] * (100 + grant.get("tolerance_percent", 0)) // 100)
    return {"software_units": 0, "users": 0, "front_end_servers": 1, "mailboxes": float("inf")}[name]


def permitted(facts: Facts, policy: Policy, now: datetime, name: str, amounts: Mapping[str, Amount]) -> bool:
    """The rules once more, written down independently: is this to be allowed?"""
    if not isinstance(facts.license, License):
        return False
    claims, operation = payload_of(facts.license), PRODUCT.operation(name)
    if facts.revocation is not None or claims["serial_number"] != facts.serial_number:
        return False
    if not in_its_time(claims, facts, policy, now):
        return False
    if operation.requires and claims["features"].get(operation.requires, {}).get("kind") != "switch":
        return False
    over = {limited for limited in LIMITS if facts.usage.get(limited, 0) > ceiling(claims, limited)}
    shrinking = {limited for limited, amount in amounts.items() if amount.requested <= amount.held}
    if claims.get("enforcement") == "per-feature":
        over &= set(operation.consumes) - shrinking
    return not over and all(
        facts.usage.get(limited, 0) - amount.held + amount.requested <= ceiling(claims, limited)
        for limited, amount in amounts.items()
        if limited not in shrinking
    )
