"""Users who have not been seen for long: who they are, and freeing their seats.

Who signs in or calls with a token of their name is *seen*. That is noted in memory and written once a minute, so that
no request waits for it; a server that is killed forgets the last minute.
"""

from datetime import datetime, timedelta

import msgspec

from placet.guard import Guard
from placet.platform.noted_moments import NotedMoments
from placet.platform.product import USERS
from placet.store import audit, users
from placet.store.credentials import Role
from placet.store.users import User

SHORTEST = timedelta(days=1)


class Inactivity(msgspec.Struct, frozen=True, kw_only=True):
    """Whom to take for inactive: not seen for ``lasting``, none of ``excluded``, administrators only where said so.

    Where there is ``only``, nobody but those.
    """

    lasting: timedelta
    excluded: frozenset[str] = frozenset()
    administrators: bool = False
    only: frozenset[str] | None = None

    def __post_init__(self) -> None:
        if self.lasting < SHORTEST:
            raise ValueError("A user is inactive after a day at least. Name a longer period.")


class InactiveUsers:
    """Who is seen, and who was not."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._seen = NotedMoments(guard, users.note_seen)

    def see(self, name: str) -> None:
        """Note that somebody is at work; cheap."""
        self._seen.note(name)

    def write(self) -> None:
        """Write down who was seen. Meant for once a minute."""
        self._seen.write()

    def find(self, inactivity: Inactivity, *, most: int = 10_000) -> list[User]:
        """Answer the active users who have not been seen for so long, longest first, ``most`` of them at most."""
        self.write()
        roles = [role for role in Role if inactivity.administrators or role is not Role.ADMINISTRATOR]
        with self._guard.database.read() as connection:
            return users.not_seen_since(
                connection,
                self._guard.now() - inactivity.lasting,
                roles=roles,
                excluded=inactivity.excluded,
                only=inactivity.only,
                most=most,
            )

    def deactivate(self, inactivity: Inactivity, *, actor: str) -> list[User]:
        """Deactivate them and free their seats, but the actor's own; answers those it was.

        Each is a transaction of its own: who comes back meanwhile keeps the seat.
        """
        since = self._guard.now() - inactivity.lasting
        found = [user for user in self.find(inactivity) if user.name != actor]
        return [user for user in found if self._deactivate(user, since, actor)]

    def _deactivate(self, user: User, since: datetime, actor: str) -> bool:
        try:
            with self._guard.releasing(user.name, USERS, actor=actor) as connection:
                if not users.deactivate_unseen(connection, user.name, since, self._guard.now()):
                    raise _SeenMeanwhile  # noqa: TRY301 - the way to leave a transaction
                now, event = self._guard.now(), audit.Event.USER_DEACTIVATED
                seen = None if user.last_seen_at is None else user.last_seen_at.isoformat()
                audit.record(connection, event, now=now, actor=actor, subject=user.name, inactive_since=seen)
        except _SeenMeanwhile:
            return False
        return True


class _SeenMeanwhile(Exception):
    """The user is back: nothing of the transaction stays."""
