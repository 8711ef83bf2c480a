"""The message catalogue in ``en-us``: the texts are fixed, letter for letter.

``{...}`` are filled in. ``number`` ``symbol`` is the short name used in the documentation (E1, W1; N for entries of
conditions beyond the thirteen). Another locale is another module of this shape.
"""

from placet.enforcement.codes import Cause, Code
from placet.enforcement.entry import SERVER_ADMINISTRATOR, Entry, error, warning

PERIOD_UNITS = {
    "days": ("day", "days"),
    "hours": ("hour", "hours"),
    "minutes": ("minute", "minutes"),
    "seconds": ("second", "seconds"),
}

CAUSES = {
    Cause.REVOKED: "Revoked: {reason}",
    Cause.WRONG_SERVER: "Wrong server: the license was issued to {found}, and this server is {expected}.",
    Cause.CLOCK_SET_BACK: "Clock set back: it was already {instant} when this license was last in use.",
    Cause.NOT_YET_VALID: "Not valid yet: the license begins at {instant}.",
    Cause.EXPIRED: "Expired: the license ended at {instant}.",
    Cause.EXPIRED_AFTER_GRACE: "Expired: the license ended at {instant}, and its grace at {grace}.",
    Cause.OVER_LIMIT: "Over limit: {used} {feature} are in use, and the license allows {limit}.",
    Cause.OVER_LIMIT_WITH_TOLERANCE: "Over limit: {used} {feature} are in use, and the license allows {limit} "
    "and tolerates {tolerated}.",
    Cause.LIMIT_REACHED: "Limit reached: {used} of {limit} {feature} are in use, {held} of them by this; it needs "
    "{requested}.",
    Cause.METER_REACHED: "Limit reached: {used} of {limit} {feature} are used until {instant}, when they are counted "
    "from zero again; this needs {requested} more.",
    Cause.SEATS_TAKEN: "Limit reached: {used} of {limit} {feature} are taken; this needs {requested}.",
    Cause.RESERVED: "Reserved: {used} of {limit} {feature} are taken, and {reserved} of those that are free are "
    "reserved for others; this needs {requested}.",
    Cause.QUEUED: "Others are waiting: {used} of {limit} {feature} are taken, and {ahead} came before this, "
    "which needs {requested}.",
    Cause.LOW_WATER: "Low-water mark: {used} of {limit} {feature} are taken, and {left} would be left.",
    Cause.TOO_LONG: "Too long: it was to be borrowed for {period}.",
    Cause.NOT_LICENSED: "Not licensed: the license of this server does not include {feature}.",
}

CONTACTS = {
    "service_center_administrator": "Service Center administrator",
    "platform_server_administrator": "Platform Server administrator",
}

ENTRIES: dict[Code, Entry] = {
    Code.NO_LICENSE: error(
        "E1",
        "No license was found for this server",
        title="No license",
        meaning="No license is installed on this server, or the file that is there cannot be read as one.",
        remedy="Request a license from {vendor} for this server's serial number and install it in the Service Center.",
    ),
    Code.OPERATION_NO_LICENSE: error(
        "E2",
        "Cannot perform the operation. No license was found for this server",
        title="No license for the operation",
        meaning="The operation needs a license, and this server has none that can be read.",
        remedy="Ask for a license to be installed. What is published already keeps serving.",
    ),
    Code.WRONG_SERVER: error(
        "E3",
        "The license found is not valid for this server because it was issued to a server with serial number "
        "'{number}'",
        title="License of another server",
        meaning="A license is issued to one serial number. This one names a server other than this.",
        remedy="Install the license issued to this server's serial number, or ask {vendor} to issue one for it. "
        "If this server is a copy or a replacement of that one, tell {vendor} so.",
    ),
    Code.OPERATION_WRONG_SERVER: error(
        "E4",
        "Cannot perform the operation. The license found is not valid for this server",
        title="Operation with another server's license",
        meaning="The license on this server was issued to another server, so it allows nothing here.",
        remedy="Ask for a license of this server's own serial number to be installed.",
    ),
    Code.EXPIRED: error(
        "E5",
        "This server license has expired. Your Service Center administrator must request a new license",
        title="License expired",
        meaning="The license, and its grace where it had one, have come to an end.",
        remedy="Request a new license from {vendor} and install it. It is in force at once, with no restart.",
    ),
    Code.OVER_LIMIT: error(
        "E6",
        "This server is consuming more resources than allowed by its license. Either the license contract must be "
        "changed or the features usage decreased",
        title="More in use than licensed",
        meaning="More units of a feature are in use than the license allows, its tolerance included.",
        remedy="Delete modules or deactivate users until usage is within the limit, or ask {vendor} for a larger "
        "license. Operations are allowed again at once.",
    ),
    Code.OPERATION_EXPIRED_OR_OVER_LIMIT: error(
        "E7",
        "Cannot perform the operation. Either this server license has expired or it is consuming more resources than "
        "allowed",
        title="Operation while expired or over limit",
        meaning="The license has expired, or more of a limited feature is in use than it allows.",
        remedy="See the license status for which of the two it is. Renew the license, or reduce usage.",
        contact=SERVER_ADMINISTRATOR,
    ),
    Code.SOFTWARE_UNITS_LIMIT: error(
        "E8",
        "You cannot publish more modules because you reached the limit of {number} Software Units that this server "
        "license allows",
        title="Software Units used up",
        meaning="Publishing this would take the Software Units in use past what the license allows.",
        remedy="Delete modules that are no longer needed, publish something smaller, or ask for a license with more "
        "Software Units. Publishing again what needs no more units than it holds is always possible.",
    ),
    Code.FEATURE_NOT_LICENSED: error(
        "E9",
        "Cannot perform the operation. The {feature} feature is not licensed in this server. To change the license "
        "contract ask your Service Center administrator",
        title="Feature not licensed",
        meaning="The license of this server does not include the feature this operation needs.",
        remedy="Ask for a license that includes the feature. Everything else keeps working.",
    ),
    Code.EXPIRING: warning(
        "W1",
        "This server license will expire within {period}. Your Service Center administrator should request a new "
        "license",
        title="License expires soon",
        meaning="Everything still works. After the license expires, new work will be refused.",
        remedy="Request a new license from {vendor} now and install it; the remaining time is not lost work.",
    ),
    Code.IN_GRACE: warning(
        "W2",
        "This server license has expired. Your Service Center administrator must request a new license within {period}",
        title="License in its grace period",
        meaning="The license has expired. During the grace it grants, everything still works.",
        remedy="Request a new license from {vendor} and install it before the grace ends.",
    ),
    Code.OVER_LIMIT_TOLERATED: warning(
        "W3",
        "This server is consuming more resources than allowed by its license. Either the license contract should be "
        "changed or the features usage decreased",
        title="More in use than licensed, within tolerance",
        meaning="More units of a feature are in use than the license allows, within the tolerance it grants.",
        remedy="Reduce usage, or ask {vendor} for a larger license before the tolerance is used up.",
    ),
    Code.SOFTWARE_UNITS_LIMIT_TOLERATED: warning(
        "W4",
        "You should not publish more modules because you reached the limit of {number} Software Units that this "
        "server license allows",
        title="Software Units used up, within tolerance",
        meaning="This was published. The Software Units in use are past the limit, within the tolerance.",
        remedy="Delete modules that are no longer needed, or ask for a license with more Software Units.",
    ),
    Code.LICENSE_REVOKED: error(
        "N1",
        "This server license was revoked on {instant}. Your Service Center administrator must request a new license",
        title="License revoked",
        meaning="The vendor has withdrawn this license; this server was given the vendor's signed list that says so.",
        remedy="Ask {vendor} why, and request a new license.",
    ),
    Code.OPERATION_LICENSE_REVOKED: error(
        "N2",
        "Cannot perform the operation. This server license was revoked",
        title="Operation with a revoked license",
        meaning="The vendor has withdrawn the license of this server.",
        remedy="Ask for a new license to be installed.",
    ),
    Code.CLOCK_SET_BACK: error(
        "N3",
        "The clock of this server was set back. It was already {instant} when this license was last in use",
        title="Clock set back",
        meaning="The server's clock shows a time well before one it has shown while this license was in use.",
        remedy="Set the server's clock right. If it was the earlier time that was wrong, ask {vendor} to issue the "
        "license anew: installing it starts the record of time afresh.",
        contact=SERVER_ADMINISTRATOR,
    ),
    Code.OPERATION_CLOCK_SET_BACK: error(
        "N4",
        "Cannot perform the operation. The clock of this server was set back",
        title="Operation while the clock is set back",
        meaning="The server's clock shows a time well before one it has shown while this license was in use.",
        remedy="Ask for the server's clock to be set right.",
        contact=SERVER_ADMINISTRATOR,
    ),
    Code.NOT_YET_VALID: error(
        "N5",
        "This server license is not valid yet. It will be valid from {instant}",
        title="License not valid yet",
        meaning="The license begins at a later time than the one this server's clock shows.",
        remedy="Wait for that time, or keep the license before it until then: restore it from the history. "
        "If the time is past, set the server's clock right.",
    ),
    Code.OPERATION_NOT_YET_VALID: error(
        "N6",
        "Cannot perform the operation. This server license is not valid yet",
        title="Operation before the license begins",
        meaning="The license of this server begins at a later time.",
        remedy="Wait until the license begins, or ask for the license before it to be restored.",
    ),
    Code.LIMIT_REACHED: error(
        "N7",
        "Cannot perform the operation because you reached the limit of {number} {feature} that this server license "
        "allows",
        title="Limit reached",
        meaning="The operation would take the units of a feature in use past what the license allows.",
        remedy="Free units that are no longer needed, wait for those that come back with time, or ask for a license "
        "with a higher limit.",
    ),
    Code.LIMIT_REACHED_TOLERATED: warning(
        "N8",
        "You should not go on because you reached the limit of {number} {feature} that this server license allows",
        title="Limit reached, within tolerance",
        meaning="This was done. The units of a feature in use are past the limit, within the tolerance.",
        remedy="Free units that are no longer needed, or ask for a license with a higher limit.",
    ),
    Code.EVALUATION_USED: error(
        "N9",
        "The evaluation license cannot be installed again. The evaluation on this server started on {instant}",
        title="Evaluation used already",
        meaning="An evaluation starts with its first installation and can be installed once on an installation.",
        remedy="Ask {vendor} for a license. If another license replaced the evaluation while it ran, restore it from "
        "the license history; its time has gone on.",
    ),
    Code.ACKNOWLEDGEMENT_REQUIRED: error(
        "N10",
        "The license was not installed because operations that are allowed now would be refused. Acknowledge this to "
        "install it",
        title="Acknowledgement required",
        meaning="With this license in force, the server would refuse what it allows now. The changes say what.",
        remedy="Look at the changes. If they are meant, install the license again and acknowledge them.",
        http_status=409,
    ),
    Code.RESERVED_FOR_OTHERS: error(
        "N11",
        "Cannot perform the operation because the {feature} that are free are reserved for others",
        title="Seats reserved for others",
        meaning="An administrator has reserved seats of this feature for users or groups, and the others are taken.",
        remedy="Wait until somebody gives a seat back, or ask for the reservations to be changed.",
    ),
    Code.QUEUED_BEHIND_OTHERS: error(
        "N12",
        "Cannot perform the operation because others have been waiting longer for {feature}",
        title="Others are waiting",
        meaning="Seats are given to those who wait in the order of their priority, then of their coming.",
        remedy="Wait in the queue: ask again with the request to be queued, and keep asking until it is your turn.",
    ),
    Code.LOW_WATER_MARK: error(
        "N13",
        "Cannot perform the operation because fewer than {number} {feature} would be left for others",
        title="Too few seats left to borrow one",
        meaning="A borrowed seat cannot be taken back before its time. An administrator says how many have to stay.",
        remedy="Use a seat without borrowing it, wait until others are given back, or ask for a lower low-water mark.",
    ),
    Code.BORROW_TOO_LONG: error(
        "N14",
        "Cannot perform the operation because {feature} can be borrowed for {period} at most",
        title="Borrowed for too long",
        meaning="An administrator has said for how long a seat may be borrowed.",
        remedy="Borrow it for a shorter time, and borrow it again when that is over.",
    ),
}
