"""Whether a database is reached. While it is not, one caller at a time tries, and the others are told so at once.

Each try may take seconds. Without this every thread of a server would spend them, and nobody would be left to answer
what needs no database.
"""

import threading

from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from placet.store.failures import DatabaseFailed, DatabaseLost

NOT_REACHED = (DatabaseFailed,)
"""What is raised where a database as a whole fails, whatever it was asked."""


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


def _is_loss(error: BaseException | None) -> bool:
    """Tell whether an error says that the database is not reached: the connection broke, or there was none."""
    if isinstance(error, DatabaseFailed):  # of a transaction within this one
        error = error.__cause__
    if isinstance(error, PoolTimeout):
        return True
    if not isinstance(error, DBAPIError):
        return False
    return error.connection_invalidated or (isinstance(error, OperationalError) and error.statement is None)
