"""What the doctor can find, each with what it means and what a repair does, or why only a person can decide."""

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple


class Kind(StrEnum):
    """Kinds of findings. A retired one is never reused."""

    TOTAL_DIFFERS = "total_differs"
    TOTAL_MISSING = "total_missing"
    METER_DIFFERS = "meter_differs"
    METER_MISSING = "meter_missing"
    AMOUNT_ABSURD = "amount_absurd"
    HOLDER_DIFFERS = "holder_differs"
    VERSION_UNITS_DIFFER = "version_units_differ"
    ACTIVE_VERSION_MISSING = "active_version_missing"
    VERSION_WITHOUT_MODULE = "version_without_module"
    BLOCK_LEFT_OPEN = "block_left_open"
    LEASE_EXPIRED = "lease_expired"
    FRONT_END_DEAD = "front_end_dead"
    FRONT_END_UNKNOWN = "front_end_unknown"
    HISTORY_ABSURD = "history_absurd"
    LICENSE_MISSING = "license_missing"
    LICENSE_DAMAGED = "license_damaged"
    LICENSE_UNVERIFIED = "license_unverified"
    LICENSE_REPLACED = "license_replaced"
    LICENSE_INDEX_DIFFERS = "license_index_differs"
    DATABASE_DAMAGED = "database_damaged"
    TABLE_MISSING = "table_missing"
    INSTALLATION_MISSING = "installation_missing"
    VALUE_UNREADABLE = "value_unreadable"
    NOT_EXAMINED = "not_examined"
    METER_PERIOD_ABSURD = "meter_period_absurd"
    INDEX_MISSING = "index_missing"
    SERVER_KEY_DAMAGED = "server_key_damaged"
    ROLE_UNKNOWN = "role_unknown"
    CREDENTIAL_UNKNOWN = "credential_unknown"
    ARCHIVE_WITHOUT_VERSION = "archive_without_version"
    MODULE_DATABASE_DAMAGED = "module_database_damaged"
    FILES_MISSING = "files_missing"
    ARCHIVE_DIFFERS = "archive_differs"
    FILES_ORPHANED = "files_orphaned"
    JOURNAL_LEFT = "journal_left"


class Explained(NamedTuple):
    """``meaning``: what follows from it. ``remedy``: what ``--repair`` does, or what a person has to decide."""

    meaning: str
    remedy: str


_RESTORE = (
    "No repair: the doctor changes no license. 'placet license history' shows the entries, 'placet license restore ID' "
    "puts an earlier one in force again; or install the license file anew."
)

EXPLAINED: Mapping[Kind, Explained] = {
    Kind.TOTAL_DIFFERS: Explained(
        "Limits are judged by the total: the server refuses too early, or lets too much pass.",
        "--repair sets the total to the sum of what is held.",
    ),
    Kind.TOTAL_MISSING: Explained(
        "Nothing of this feature can be allocated: each attempt is refused.",
        "--repair makes the total, as the sum of what is held.",
    ),
    Kind.METER_DIFFERS: Explained(
        "The limit of the period is judged by the meter: the server refuses too early, or lets too much pass.",
        "--repair sets the meter to what was recorded in its period and is leased in blocks.",
    ),
    Kind.METER_MISSING: Explained(
        "Nothing of this feature can be consumed: each attempt is refused.",
        "--repair makes the meter, with what was recorded in the newest period.",
    ),
    Kind.AMOUNT_ABSURD: Explained(
        "No operation writes such a number: the row was changed by something else, or is damaged.",
        "--repair removes allocations below zero and leases of nothing. What other rows should say "
        "only a person knows.",
    ),
    Kind.HOLDER_DIFFERS: Explained(
        "Each published module holds its Software Units and each active user one seat, and nobody else holds any.",
        "--repair sets what each holds to what it accounts for, even past a limit: it is the truth that the limit is "
        "judged by.",
    ),
    Kind.VERSION_UNITS_DIFFER: Explained(
        "The units of a version are the sum of its elements, which the Service Center shows beside them.",
        "--repair sets the units of the version to the sum of its elements.",
    ),
    Kind.ACTIVE_VERSION_MISSING: Explained(
        "The module points at a version of which nothing is known: it cannot be served after the next start.",
        "--repair lets it serve its newest recorded version that has its files or its archive. Where there is none, "
        "publish the module again or delete it.",
    ),
    Kind.VERSION_WITHOUT_MODULE: Explained(
        "What is recorded of a version whose module is gone serves nobody.",
        "--repair removes the rows.",
    ),
    Kind.BLOCK_LEFT_OPEN: Explained(
        "All of an open block counts as used; whoever took it has probably ended without closing it.",
        "No repair: how much of it was used only a person can tell. Settle the block with that number.",
    ),
    Kind.LEASE_EXPIRED: Explained(
        "Seats of leases that have expired are still counted: nobody has taken them away.",
        "--repair removes the leases and gives the seats back.",
    ),
    Kind.FRONT_END_DEAD: Explained(
        "The server has not been heard of for more than a day, and may still hold a place of the limit.",
        "--repair takes it out and gives its place back. If it lives after all, it enters itself again.",
    ),
    Kind.FRONT_END_UNKNOWN: Explained(
        "A place of the limit is held by a server that is not entered: others may be refused because of it.",
        "--repair gives the place back.",
    ),
    Kind.HISTORY_ABSURD: Explained(
        "Usage over time cannot be told rightly from these rows; nothing is licensed by them.",
        "--repair removes the rows. The hours and days they told of have no points then.",
    ),
    Kind.LICENSE_MISSING: Explained("This server counts as one without a license.", _RESTORE),
    Kind.LICENSE_DAMAGED: Explained(
        "What is damaged cannot be verified: in force, the server counts as one without a license; in the history, the "
        "entry cannot be restored.",
        _RESTORE,
    ),
    Kind.LICENSE_UNVERIFIED: Explained(
        "With this trust store the server counts as one without a license. Either it is not the vendor's, or the "
        "license was changed after it was signed.",
        _RESTORE,
    ),
    Kind.LICENSE_REPLACED: Explained(
        "The signed bytes are not those that were installed under this entry: somebody has changed the database.",
        _RESTORE,
    ),
    Kind.LICENSE_INDEX_DIFFERS: Explained(
        "The license itself is as it was; what the history shows beside it is not what it says.",
        "--repair with --trust FILE writes the columns anew, from the bytes it has verified.",
    ),
    Kind.DATABASE_DAMAGED: Explained(
        "The database file is damaged below its tables, by a disk, a copy made while it was written, or another "
        "program.",
        "No repair: stop the server and put a backup in its place.",
    ),
    Kind.TABLE_MISSING: Explained(
        "Statements that need it fail, and nothing else can be examined: somebody has dropped it.",
        "No repair: what it held is gone. Stop the server and put a backup in its place.",
    ),
    Kind.INSTALLATION_MISSING: Explained(
        "The row that says which server this is has gone, and with it the server's key. At its next start it is "
        "another server, and no license of this one is for it.",
        "No repair: the key is nowhere else. Stop the server and put a backup in its place.",
    ),
    Kind.VALUE_UNREADABLE: Explained(
        "No operation writes such a value: what reads the row may fail, or the server may not start.",
        "No repair: what the row should say only a person knows. Correct it, remove it, or put a backup in its place.",
    ),
    Kind.NOT_EXAMINED: Explained(
        "A value that no operation writes stands in the way: what else is wrong with this part is not known.",
        "No repair: mend what is told beside it, and examine again.",
    ),
    Kind.METER_PERIOD_ABSURD: Explained(
        "The limit of this period is judged by a meter that stands in another one: what was consumed is forgotten, or "
        "counted for too long.",
        "--repair sets the meter to the newest period in which something was recorded, with what was.",
    ),
    Kind.INDEX_MISSING: Explained(
        "What is looked up by it takes longer the more there is, and what was unique by it may not be.",
        "--repair makes it anew.",
    ),
    Kind.SERVER_KEY_DAMAGED: Explained(
        "The server cannot sign license requests or the leases of borrowed seats.",
        "No repair: the key is nowhere else. 'placet admin new-serial' gives the server a new key with a new serial "
        "number, for which a license has to be requested; or put a backup in place.",
    ),
    Kind.ROLE_UNKNOWN: Explained(
        "Nobody knows what they may do: their requests fail, and so do the lists they are in.",
        "--repair makes them developers, who may do the least.",
    ),
    Kind.CREDENTIAL_UNKNOWN: Explained(
        "They were made in no way that this server knows: they are of no use, and the lists they are in fail.",
        "--repair removes them.",
    ),
    Kind.ARCHIVE_WITHOUT_VERSION: Explained(
        "The archive of a version that is recorded no more takes room and serves nobody.",
        "--repair removes it.",
    ),
    Kind.MODULE_DATABASE_DAMAGED: Explained(
        "The module's own database file is damaged, and with it perhaps its data.",
        "No repair: what it held only its owner knows. Put a backup in its place, or delete the module.",
    ),
    Kind.FILES_MISSING: Explained(
        "The module counts and cannot be started: its files are gone from the data directory, and so is its archive.",
        "No repair: publish the module again, put its files back from a backup, or delete it.",
    ),
    Kind.ARCHIVE_DIFFERS: Explained(
        "The archive that a version was published from is missing, or is not what was published: no other server "
        "can bring the version up, and this one cannot once its files are gone.",
        "No repair: publish the module again.",
    ),
    Kind.FILES_ORPHANED: Explained(
        "Files of a version that was never recorded, or whose module is gone, take room and serve nobody.",
        "--repair removes them while no server runs on this data directory; the next start does so too.",
    ),
    Kind.JOURNAL_LEFT: Explained(
        "A publish was cut short; what it had changed before its transaction is not taken back yet.",
        "--repair settles it while no server runs on this data directory; the next start does so too.",
    ),
}
