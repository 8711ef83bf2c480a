"""What an administrator says about seats: for whom some are reserved, and what borrowing has to leave."""

from datetime import timedelta

from placet.enforcement import ProductError
from placet.enforcement.seating import Reservation, SeatRules, SubjectKind
from placet.guard.counting import check_holder
from placet.guard.judge import SYSTEM
from placet.guard.leasing import Leasing
from placet.license.terms import LARGEST_LIMIT
from placet.store import audit, denials, seats, usage

LONGEST_BORROW = timedelta(days=366)


class UnknownReservation(LookupError):
    """Nothing is reserved for that user or group."""


class TooManyReserved(ValueError):
    """More seats would be reserved, or be left by borrowing, than the license has."""


class Reserving(Leasing):
    """The part of a guard with which an administrator looks after seats."""

    def reservations(self, feature: str) -> list[Reservation]:
        """Answer what is reserved of a feature, by kind and subject."""
        self._seats(feature)
        with self.database.read() as connection:
            return seats.reservations_of(connection, feature)

    def reserve_seats(
        self, feature: str, kind: SubjectKind, subject: str, amount: int, *, actor: str = SYSTEM
    ) -> Reservation:
        """Keep ``amount`` seats for a user or a group alone; others cannot take those, and these draw on them first.

        Who has a seat keeps it. Raises :class:`TooManyReserved`.
        """
        kind = _checked_kind(kind)
        claim = self._claim(feature, subject, None, amount)
        reservation = Reservation(feature=feature, subject_kind=kind, subject=subject, amount=claim.amount)
        with self.database.write() as connection:
            usage.lock(connection, [feature])
            status = self._evaluate(connection)
            before = seats.reservations_of(connection, feature)
            others = sum(item.amount for item in before if (item.subject_kind, item.subject) != (kind, subject))
            limit = status.features[feature].limit
            if status.usable and limit is not None and others + amount > limit:
                title = status.features[feature].title
                raise TooManyReserved(
                    f"The license of this server has {limit:,} {title}, and {others + amount:,} would be reserved. "
                    "Reserve fewer, or ask for a license with more."
                )
            seats.reserve(connection, reservation)
            detail = {"kind": str(kind), "name": subject, "amount": amount}
            self._record(connection, audit.Event.SEATS_RESERVED, actor, feature, **detail)
        self._seats_changed()
        return reservation

    def unreserve_seats(self, feature: str, kind: SubjectKind, subject: str, *, actor: str = SYSTEM) -> None:
        """Keep no seats for a user or a group any more; raises :class:`UnknownReservation`."""
        self._seats(feature)
        kind = _checked_kind(kind)
        check_holder(subject)
        with self.database.write() as connection:
            usage.lock(connection, [feature])
            if not seats.unreserve(connection, feature, kind, subject):
                raise UnknownReservation(f"No seats of {feature!r} are reserved for the {kind} {subject!r}.")
            detail = {"kind": str(kind), "name": subject}
            self._record(connection, audit.Event.SEATS_UNRESERVED, actor, feature, **detail)
        self._seats_changed()

    def seat_rules(self, feature: str) -> SeatRules:
        """Answer what is said about borrowing a feature."""
        self._seats(feature)
        with self.database.read() as connection:
            return seats.rules_of(connection, feature)

    def set_seat_rules(self, feature: str, rules: SeatRules, *, actor: str = SYSTEM) -> None:
        """Say something else about borrowing a feature, from now on.

        Raises :class:`TooManyReserved` where borrowing would have to leave more seats than the license has.
        """
        self._seats(feature)
        if not 0 <= rules.low_water_mark <= LARGEST_LIMIT:
            raise ProductError(f"A low-water mark is a number of seats: 0 to {LARGEST_LIMIT:,}.")
        if not timedelta(0) <= rules.longest_borrow <= LONGEST_BORROW:
            raise ProductError(f"Seats are borrowed for {LONGEST_BORROW.days} days at most.")
        with self.database.write() as connection:
            usage.lock(connection, [feature])
            status = self._evaluate(connection)
            limit = status.features[feature].limit
            if status.usable and limit is not None and rules.low_water_mark > limit:
                title = status.features[feature].title
                raise TooManyReserved(
                    f"The license of this server has {limit:,} {title}, and borrowing would have to leave "
                    f"{rules.low_water_mark:,}: none could ever be borrowed. Say {limit:,} or fewer, or ask for a "
                    "license with more."
                )
            seats.set_rules(connection, feature, rules)
            seconds = rules.longest_borrow // timedelta(seconds=1)
            detail = {"low_water_mark": rules.low_water_mark, "longest_borrow_seconds": seconds}
            self._record(connection, audit.Event.SEAT_RULES_CHANGED, actor, feature, **detail)

    def reset_seat_rules(self, feature: str, *, actor: str = SYSTEM) -> SeatRules:
        """Let the defaults hold for borrowing a feature again, and answer them; where they do, nothing changes."""
        self._seats(feature)
        with self.database.write() as connection:
            usage.lock(connection, [feature])
            if seats.forget_rules(connection, feature):
                self._record(connection, audit.Event.SEAT_RULES_RESET, actor, feature)
        return SeatRules()

    def denials(
        self, feature: str | None = None, *, most: int = 200, before: int | None = None
    ) -> list[denials.Denial]:
        """Answer who was refused a seat and why, the newest first; ``before`` is a denial's id to go on from."""
        with self.database.read() as connection:
            return denials.all_denials(connection, feature=feature, most=most, before=before)


def _checked_kind(kind: SubjectKind) -> SubjectKind:
    """Answer the kind of a subject; a word of it will do. Raises ``ProductError`` for any other."""
    try:
        return SubjectKind(kind)
    except ValueError:
        known = " or ".join(repr(str(each)) for each in SubjectKind)
        raise ProductError(f"Seats are reserved for a subject of the kind {known}, not {str(kind)[:40]!r}.") from None
