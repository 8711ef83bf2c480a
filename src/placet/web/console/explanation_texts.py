"""What the problems of modules and of the HTTP edge mean, and what to do about them.

Problems of the license have their texts in the message catalogue. ``contact`` is a key of the catalogue's contacts;
``None``: whoever meets the problem can put it right.
"""

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from placet.enforcement.entry import SERVER_ADMINISTRATOR, SERVICE_CENTER_ADMINISTRATOR
from placet.platform.problems import ProblemCode


class Advice(msgspec.Struct, frozen=True):
    """What a problem means, what to do, and whom to ask."""

    meaning: str
    remedy: str
    contact: str | None = None


class EdgeProblem(msgspec.Struct, frozen=True):
    """A problem of the HTTP edge: its title, its HTTP status (RFC 9110), and what to say of it."""

    title: str
    status: int
    advice: Advice


MODULE_ADVICE: Mapping[ProblemCode, Advice] = MappingProxyType(
    {
        ProblemCode.PACKAGE_UNREADABLE: Advice(
            "What was sent is not a zip archive, or the archive is damaged.",
            "Send it again with 'placet module publish DIR', which packs it, or make a new zip of its directory.",
        ),
        ProblemCode.PACKAGE_TOO_LARGE: Advice(
            "The archive, one of its files or their number is above the server's cap; the answer says which and by how "
            "much.",
            "Leave out what the module does not need to run, such as virtual environments, caches and test data.",
        ),
        ProblemCode.PACKAGE_UNSAFE_PATH: Advice(
            "A path in the archive is absolute, leads out of the module, or is a link or a device.",
            "Pack the module's own files alone, with paths relative to its directory.",
        ),
        ProblemCode.MANIFEST_MISSING: Advice(
            "A module says what it is in a file module.toml at its top; this archive has none there.",
            "Add module.toml with a [module] table: name, version and entrypoint. Pack the directory that holds it.",
        ),
        ProblemCode.MANIFEST_INVALID: Advice(
            "module.toml is not valid TOML, or a value in it is missing or of the wrong kind.",
            "Correct the line that the answer names. 'placet module publish DIR --dry-run' checks without publishing.",
        ),
        ProblemCode.ENTRYPOINT_MISSING: Advice(
            "The entrypoint of module.toml names a Python module or attribute that is not there.",
            "Write it as package.module:attribute, and see that the package is part of what was packed.",
        ),
        ProblemCode.SCHEMA_INVALID: Advice(
            "A statement of schema.sql cannot be executed, is not allowed there, or contradicts what the module's "
            "database holds already.",
            "Correct the statement at the line the answer names. A schema may create tables, views and indexes.",
        ),
        ProblemCode.SCHEMA_UNMET: Advice(
            "Something is there in the module's database already, and is not as schema.sql of this version says. "
            "Publishing adds what is missing and changes nothing that is there.",
            "Write a migration that brings it to what the line of schema.sql demands, as the answer says. An earlier "
            "version that the data fit no more cannot serve again: migrations are not undone.",
        ),
        ProblemCode.MIGRATION_FAILED: Advice(
            "A file of migrations/ cannot be applied: a statement of it failed or is not allowed there, its name or "
            "its number will not do, or it was changed after it had been applied.",
            "Correct the file and line that the answer names. Nothing was changed, and the version before serves.",
        ),
        ProblemCode.DATABASE_NOT_OFFERED: Advice(
            "The module asks for a kind of database that this server does not have for modules, or may not make, or "
            "that is another than the one its data is in.",
            "The answer says which it is. Change 'database' in module.toml, or let the server keep its facts in "
            "PostgreSQL, with a role that may create roles.",
            SERVER_ADMINISTRATOR,
        ),
        ProblemCode.IMPORT_FAILED: Advice(
            "Python could not import the module. The answer holds the end of what Python printed.",
            "Correct the error. A package that was not found has to be named in the module's requirements.txt.",
        ),
        ProblemCode.BUILD_FAILED: Advice(
            "A package of requirements.txt was not found, does not fit this Python, or could not be installed.",
            "Read the installer's output in the answer, and correct the name or version. If the package index cannot "
            "be reached from the server, its administrator has to see to it.",
            SERVER_ADMINISTRATOR,
        ),
        ProblemCode.START_FAILED: Advice(
            "The module was imported but ended, or did not become ready in time. The version before it keeps serving.",
            "Read the module's output in the answer. Start-up work that takes long belongs in the background.",
        ),
        ProblemCode.QUERY_FAILED: Advice(
            "The database refused the SQL statement: a name that does not exist, a syntax error, a wrong parameter.",
            "Correct the statement at the position the answer names.",
        ),
        ProblemCode.QUERY_REFUSED: Advice(
            "A test query reads the module's own database, and what it changes is taken back. This statement would "
            "reach further.",
            "Test one statement that works with the module's own tables.",
        ),
        ProblemCode.QUERY_TIMEOUT: Advice(
            "The statement ran longer than a test query may, and was stopped.",
            "Read less: add a condition or a limit, or an index to schema.sql.",
        ),
        ProblemCode.REQUEST_TOO_LARGE: Advice(
            "The body of the request is larger than this call takes. Nothing was changed.",
            "Send less. A license file is at most 256 KiB; if yours is larger, it is not the license.",
        ),
        ProblemCode.DATABASE_TOO_LARGE: Advice(
            "A private instance begins with a snapshot of the published module's database, and that is larger than "
            "what is copied.",
            "Start it with an empty database: 'placet module run DIR --empty'.",
        ),
        ProblemCode.DATABASE_NOT_COPIED: Advice(
            "A private instance begins with a snapshot of the published module's database, and reading that failed: "
            "the message says why.",
            "Try again, or start it with an empty database: 'placet module run DIR --empty'. If it happens again, "
            "'placet admin doctor' says whether the database is damaged.",
            SERVER_ADMINISTRATOR,
        ),
        ProblemCode.MODULE_UNAVAILABLE: Advice(
            "The module is published, and no process of it is ready: it is starting, or it stopped and is being "
            "started again.",
            "Try again in a few seconds. If it stays so, the module's log says why.",
            SERVER_ADMINISTRATOR,
        ),
        ProblemCode.MODULE_CRASHING: Advice(
            "The module is published, and its process has ended by itself at least five times in a row. It is tried "
            "again every half minute.",
            "Read the module's log with 'placet module logs NAME'; publish a version that stays up, or roll back.",
            SERVER_ADMINISTRATOR,
        ),
        ProblemCode.MODULE_BROKEN: Advice(
            "The module's process ended or closed the connection before its answer was complete.",
            "Try again. If it happens again, the module's log holds the error; its developer has to correct it.",
        ),
        ProblemCode.MODULE_SILENT: Advice(
            "The module took the request and has not answered in the time it is given.",
            "Try again. Work that takes long is better started by one request and asked about by others.",
        ),
    }
)

EDGE_PROBLEMS: Mapping[str, EdgeProblem] = MappingProxyType(
    {
        "sign_in_required": EdgeProblem(
            "Sign in first",
            401,
            Advice(
                "The request came without a token or session, or with one that has ended or was revoked.",
                "In a browser, sign in to the Service Center. Programs send 'Authorization: Bearer <token>'; whoever "
                "looks after the machine makes a token with 'placet admin token'.",
                SERVER_ADMINISTRATOR,
            ),
        ),
        "role_required": EdgeProblem(
            "An administrator's task",
            403,
            Advice(
                "What was asked for is done by administrators, and the caller is a developer.",
                "Ask an administrator to do it, or for a token with the role of one.",
                SERVICE_CENTER_ADMINISTRATOR,
            ),
        ),
        "cross_site_request": EdgeProblem(
            "Not from this site",
            403,
            Advice(
                "A page of another site asked for a change in your name. The change was not made.",
                "Do it in the Service Center itself. If you were there: open it under one address only, and let a "
                "proxy in front of the server pass the Host header on.",
                SERVER_ADMINISTRATOR,
            ),
        ),
        "too_many_sign_ins": EdgeProblem(
            "Too many attempts to sign in",
            429,
            Advice(
                "Ten attempts to sign in from your address failed within a minute, or ten with that name within five; "
                "no more are taken for a while.",
                "Wait as long as the answer says, then try again. A new one-time link signs in whatever was tried with "
                "a password: 'placet admin sign-in'.",
                SERVER_ADMINISTRATOR,
            ),
        ),
        "module_busy": EdgeProblem(
            "Somebody else is at it",
            409,
            Advice(
                "The module is being published or deleted at this moment, by whom and since when the answer says.",
                "Try again when that is done.",
            ),
        ),
        "unknown_module": EdgeProblem(
            "No such module",
            404,
            Advice(
                "No module of that name is published on this server.",
                "See the names with 'placet module list', or on the overview of the Service Center.",
            ),
        ),
        "unknown_version": EdgeProblem(
            "No such version",
            404,
            Advice(
                "That version of the module is not kept: it was never published, or newer ones have taken its place.",
                "See those there are with 'placet module versions NAME', or publish it again.",
            ),
        ),
        "unknown_query": EdgeProblem(
            "No such query",
            404,
            Advice(
                "The published version of the module brings no query of that name along.",
                "See the names with 'placet module queries NAME'. A query is a file queries/QUERY.sql of the module.",
            ),
        ),
        "unknown_instance": EdgeProblem(
            "No such private instance",
            404,
            Advice(
                "There is no run or debug session of that id that is yours: it was stopped, nobody used it, its time "
                "ran out, the server was started again, or it is somebody else's.",
                "Start a new one with 'placet module run DIR' or 'placet module debug DIR'.",
            ),
        ),
        "too_many_instances": EdgeProblem(
            "Too many private instances",
            409,
            Advice(
                "As many runs and debug sessions as the server, or one developer, may have at once are there already.",
                "Stop one that is no longer needed, then try again.",
                SERVER_ADMINISTRATOR,
            ),
        ),
        "unknown_feature": EdgeProblem(
            "No such feature",
            404,
            Advice(
                "The product has no feature of that name.",
                "See the names at /api/v1/features, or on the overview of the Service Center.",
            ),
        ),
        "unknown_license": EdgeProblem(
            "No such entry in the license history",
            404,
            Advice(
                "No license with that number in the history was ever installed on this server.",
                "See the numbers with 'placet license history'.",
            ),
        ),
        "unknown_block": EdgeProblem(
            "No such block",
            404,
            Advice(
                "There is no open block of that id: it was given back or settled, or somebody else holds it.",
                "See the open blocks with GET /api/v1/blocks, as an administrator.",
            ),
        ),
        "idempotency_key_required": EdgeProblem(
            "Idempotency key required",
            400,
            Advice(
                "Consumption was sent without the header Idempotency-Key, or with one that cannot be kept.",
                "Send a new key of 1 to 200 visible ASCII characters for new consumption, the same one for a retry.",
            ),
        ),
        "idempotency_key_reused": EdgeProblem(
            "The idempotency key was used before",
            422,
            Advice(
                "The same idempotency key was used before for another amount. Nothing was counted.",
                "Use a new key for new consumption.",
            ),
        ),
        "unknown_lease": EdgeProblem(
            "No such lease",
            404,
            Advice(
                "There is no lease of that id: it was given back, or it has expired and its seat is free for others.",
                "Acquire a seat again. See the leases there are with 'placet seat list'.",
            ),
        ),
        "unknown_reservation": EdgeProblem(
            "No such reservation",
            404,
            Advice(
                "No seats of the feature are reserved for that user or group.",
                "See what is reserved with 'placet seat reservations'.",
            ),
        ),
        "too_many_reserved": EdgeProblem(
            "More reserved than there is",
            409,
            Advice(
                "All reservations of a feature together cannot be for more seats than the license has.",
                "Reserve fewer, or give up another reservation: 'placet seat unreserve'.",
            ),
        ),
        "unknown_user": EdgeProblem(
            "No such user",
            404,
            Advice("The server has no user of that name.", "See the names with 'placet user list'."),
        ),
        "unknown_token": EdgeProblem(
            "No such token",
            404,
            Advice(
                "No token of that id is in force; it may have been revoked already.",
                "See the tokens in force at /api/v1/tokens.",
            ),
        ),
        "signing_in_busy": EdgeProblem(
            "Too many sign in at once",
            503,
            Advice(
                "Passwords are checked two at a time, and 32 wait already: so many sign in at this moment, or somebody "
                "is trying to keep the server busy.",
                "Try again in a few seconds. A one-time link or a token needs no password to be checked.",
                SERVER_ADMINISTRATOR,
            ),
        ),
        "unknown_password_link": EdgeProblem(
            "This link sets no password any more",
            404,
            Advice(
                "A link to set a password works once, within a day, and ends when a newer one is made for the user.",
                "Ask for a new one, which an administrator makes with 'placet user password-link NAME'.",
                SERVICE_CENTER_ADMINISTRATOR,
            ),
        ),
        "unknown_session": EdgeProblem(
            "No such session",
            404,
            Advice(
                "No session of that id is in force, or it is somebody else's, which only an administrator may end.",
                "See the sessions in force with 'placet session list'.",
            ),
        ),
        "user_deactivated": EdgeProblem(
            "The user is deactivated",
            403,
            Advice(
                "The user of that name is deactivated, and can neither sign in nor get a password until activated.",
                "Activate the user with 'placet user activate', or ask somebody who may.",
                SERVICE_CENTER_ADMINISTRATOR,
            ),
        ),
        "name_taken": EdgeProblem(
            "The name is taken",
            409,
            Advice(
                "There is a user of that name already, active or not.",
                "Choose another name, or activate the user who is there: 'placet user activate'.",
            ),
        ),
        "unknown_channel": EdgeProblem(
            "No such notification channel",
            404,
            Advice(
                "The server has no notification channel of that id; it may have been removed.",
                "See the channels with 'placet notification list'.",
                SERVICE_CENTER_ADMINISTRATOR,
            ),
        ),
        "channel_name_taken": EdgeProblem(
            "The channel's name is taken",
            409,
            Advice(
                "There is a notification channel of that name already.",
                "Choose another name, or change the channel that is there.",
                SERVICE_CENTER_ADMINISTRATOR,
            ),
        ),
        "too_many_channels": EdgeProblem(
            "Too many notification channels",
            409,
            Advice(
                "A server has at most 50 notification channels, so that one event does not become a flood.",
                "Remove one that nobody reads: 'placet notification remove NAME'.",
                SERVICE_CENTER_ADMINISTRATOR,
            ),
        ),
        "channel_unusable": EdgeProblem(
            "The notification channel cannot be used",
            422,
            Advice(
                "What was written of the channel does not fit together, or names a service this server does not know. "
                "Nothing was changed.",
                "Mend what the answer names, and write it again.",
                SERVICE_CENTER_ADMINISTRATOR,
            ),
        ),
        "status_list_outdated": EdgeProblem(
            "An older status list",
            409,
            Advice(
                "The server holds a newer list of revoked licenses than the one it was given.",
                "Nothing needs to be done: the newer list stays in force.",
            ),
        ),
        "document_rejected": EdgeProblem(
            "The document was not accepted",
            403,
            Advice(
                "What was sent is not a document that one of the vendor's known keys has signed, or it is damaged. The "
                "diagnosis says which.",
                "Send the file as it came from the vendor. If it is whole, tell the vendor the diagnosis.",
                SERVICE_CENTER_ADMINISTRATOR,
            ),
        ),
        "unknown_operation": EdgeProblem(
            "No such operation",
            404,
            Advice("The product has no operation of that name.", "Ask about one of those the answer names."),
        ),
        "unknown_problem": EdgeProblem(
            "No such problem",
            404,
            Advice("There is no problem of that code.", "See the list of all problems."),
        ),
        "database_unavailable": EdgeProblem(
            "The database does not answer",
            503,
            Advice(
                "The server cannot reach its database, or it is busy, full, read-only or damaged. What it was about to "
                "write was not stored, unless it was lost at the last step of that: then nobody knows yet.",
                "Try again shortly, with the same idempotency key where there was one: it counts once. If it stays so, "
                "see that the database runs and that its disk is not full.",
                SERVER_ADMINISTRATOR,
            ),
        ),
        "internal_error": EdgeProblem(
            "Something went wrong in the server",
            500,
            Advice(
                "The server failed at what it was asked, and wrote the reason to its log.",
                "Tell your Platform Server administrator what was tried and when.",
                SERVER_ADMINISTRATOR,
            ),
        ),
    }
)
