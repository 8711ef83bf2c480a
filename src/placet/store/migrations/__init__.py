"""The migrations, Alembic's, run in the caller's transaction."""

import threading
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection

_ONE_AT_A_TIME = threading.Lock()  # Alembic's context is a global of the process, whichever database it is about


def configuration() -> Config:
    """Answer Alembic's configuration; there is no ini file."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    return config


def upgrade(connection: Connection, revision: str = "head") -> None:
    """Bring the schema up to ``revision`` on this connection, inside its transaction."""
    config = configuration()
    config.attributes["connection"] = connection
    if not connection.in_transaction():  # it is the driver's alone, and Alembic would begin and end one of its own
        connection.begin()
    with _ONE_AT_A_TIME:
        command.upgrade(config, revision)
