"""The doctor: proves that an installation's facts hold together, explains what does not, and mends it where it can.

All that is in the database is examined in one transaction, which sees one state: what others do meanwhile is no
finding. Files have no such state; what looks wrong there is believed only where the database, asked again, says so too.
Each repair is one transaction, which locks what it changes, decides anew by what it then finds, and is audited.
"""

from placet.platform.doctor.examination import Examination, Mended, examine, repair
from placet.platform.doctor.findings import Case, Finding
from placet.platform.doctor.kinds import EXPLAINED, Kind

__all__ = ["EXPLAINED", "Case", "Examination", "Finding", "Kind", "Mended", "examine", "repair"]
