"""Whether a database is reached. While it is not, one caller at a time tries, and the others are told so at once.

Each try may take seconds. Without this every thread of a server would spend them, and nobody would be left to answer
what needs no database.
"""

import threading

from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

NOT_REACHED = (OperationalError, PoolTimeout)
"""What is raised where a database cannot be reached, or is locked for too long."""


class DatabaseLost(OperationalError):
    """The database was not reached a moment ago, and somebody else is trying to reach it right now."""

    def __init__(self) -> None:
        super().__init__(None, None, ConnectionError("it was not reached a moment ago, and is being tried again"))


class Reach:
    """What the threads of one process know about reaching one database."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_tried = False
        self.is_lost = False

    def enter(self) -> bool:
        """Before a transaction: answers whether this is the one that tries. Raises :class:`DatabaseLost`."""
        if not self.is_lost:
            return False
        with self._lock:
            if self._is_tried and self.is_lost:
                raise DatabaseLost
            self._is_tried = True
            return True

    def leave(self, error: BaseException | None, *, tried: bool) -> None:
        """After it, with the error it has ended with."""
        if _is_loss(error):
            self.is_lost = True
        elif tried:
            self.is_lost = False
        if tried:
            self._is_tried = False


def is_of_database(error: BaseException) -> bool:
    """Tell whether an error says that the database as a whole fails, rather than what it was asked by one caller."""
    return isinstance(error, NOT_REACHED) or _is_loss(error)


def _is_loss(error: BaseException | None) -> bool:
    """Tell whether an error says that the database is not reached: the connection broke, or there was none."""
    if isinstance(error, PoolTimeout):
        return True
    if not isinstance(error, DBAPIError):
        return False
    return error.connection_invalidated or (isinstance(error, OperationalError) and error.statement is None)
