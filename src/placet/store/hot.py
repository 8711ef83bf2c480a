"""Statements of the hot paths, given to the driver directly: what SQLAlchemy adds would cost more than the work itself.

They are plain SQL that SQLite and PostgreSQL both take, with ``?`` for parameters. Instants are microseconds since the
epoch, as in the tables. Errors are raised as SQLAlchemy raises them, so that nobody above has to know the difference.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError


class Hot:
    """One statement. ``run`` and ``run_many`` work in the transaction of the connection they are given."""

    __slots__ = ("_text", "numbered")

    def __init__(self, text: str) -> None:
        first, *others = text.split("?")
        numbered = first + "".join(f"${number}{rest}" for number, rest in enumerate(others, 1))
        self._text = {"qmark": text, "pyformat": text.replace("?", "%s")}
        self.numbered = numbered.encode()

    def run(self, connection: Connection, *parameters: object) -> Any:
        """Execute it; answers the driver's cursor."""
        driver: Any = connection.connection.dbapi_connection
        text = self._text[connection.dialect.paramstyle]
        try:
            return driver.execute(text, parameters)
        except connection.dialect.loaded_dbapi.Error as error:
            raise _as_sqlalchemy(connection, text, parameters, error) from error

    def run_many(self, connection: Connection, rows: Sequence[Sequence[object]]) -> None:
        """Execute it once for each row."""
        driver: Any = connection.connection.dbapi_connection
        text = self._text[connection.dialect.paramstyle]
        cursor = driver.cursor()
        try:
            cursor.executemany(text, rows)
        except connection.dialect.loaded_dbapi.Error as error:
            raise _as_sqlalchemy(connection, text, rows, error) from error
        finally:
            cursor.close()


Call = tuple[Hot, tuple[object, ...]]
"""A hot statement and its parameters."""


def together(connection: Connection, calls: Sequence[Call]) -> list[Any]:
    """Execute statements one after the other, in one round trip where the database is elsewhere; answers the cursors.

    None of them may need what another answers. Where one fails, those after it have not happened.
    """
    driver: Any = connection.connection.dbapi_connection
    text = "several statements"
    parameters: tuple[object, ...] = ()
    try:
        if connection.dialect.paramstyle == "qmark":
            cursors = []
            for statement, parameters in calls:
                text = statement._text["qmark"]  # noqa: SLF001
                cursors.append(driver.execute(text, parameters))
            return cursors
        asked = [(statement.numbered, parameters) for statement, parameters in calls]
        return list(driver.together(asked))
    except connection.dialect.loaded_dbapi.Error as error:
        raise _as_sqlalchemy(connection, text, parameters, error) from error


def _as_sqlalchemy(connection: Connection, text: str, parameters: Any, error: Exception) -> BaseException:
    """Answer the error that SQLAlchemy would raise; a connection that is lost is not used again."""
    dialect = connection.dialect
    lost = dialect.is_disconnect(error, connection.connection.dbapi_connection, None)  # type: ignore[arg-type]
    base: type[Exception] = dialect.loaded_dbapi.Error
    raised = DBAPIError.instance(text, parameters, error, base, connection_invalidated=lost, dialect=dialect)
    if lost:
        connection.invalidate(error)
    return raised
