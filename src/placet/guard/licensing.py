"""The license itself: installing, restoring, its history, its revocation, and the request for another."""

from collections.abc import Mapping
from datetime import datetime

import msgspec

from placet.enforcement import Decision, ProductError, Refused
from placet.guard.installing import Installer, Outcome
from placet.guard.judge import SYSTEM, Judge
from placet.guard.wanted import wanted_grants
from placet.license.document import License, examine
from placet.license.instants import to_numeric_date
from placet.license.request import LicenseRequest, sign_request
from placet.license.status_list import SignedStatusList, verify_status_list
from placet.license.terms import FORMAT_VERSION
from placet.store import audit, licenses, metering, usage
from placet.store.facts import read_facts
from placet.store.installation import change_installation, lock_installation, renew_identity


class UnknownLicense(LookupError):
    """The license history has no entry of that id."""


class StatusListOutdated(ValueError):
    """The server holds a newer status list already."""


class Licensing(Judge):
    """The part of a guard that looks after the license."""

    def install(self, data: bytes, *, actor: str = SYSTEM, dry_run: bool = False, acknowledge: bool = False) -> Outcome:
        """Install a license file. Raises :class:`Refused`; the license before it stays in force then."""
        return self._install(data, actor=actor, dry_run=dry_run, acknowledge=acknowledge)

    def restore(
        self, license_id: int, *, actor: str = SYSTEM, dry_run: bool = False, acknowledge: bool = False
    ) -> Outcome:
        """Put a license of the history in force again, verified anew.

        Raises :class:`UnknownLicense`, :class:`Refused`.
        """
        data = self.license_file(license_id)
        return self._install(data, actor=actor, dry_run=dry_run, acknowledge=acknowledge, restored_from=license_id)

    def license_file(self, license_id: int) -> bytes:
        """Answer the license file of an entry of the history, as it was installed.

        Raises :class:`UnknownLicense`.
        """
        with self.database.read() as connection:
            found = licenses.read_license(connection, license_id)
        if found is None:
            raise UnknownLicense(f"The license history has no entry {license_id}.")
        return found.signed.encode()

    @property
    def license_id(self) -> int | None:
        """The entry of the history that is in force, if any."""
        return self._current().stored.installation.license_id

    def history(self) -> list[licenses.InstalledLicense]:
        """Answer the licenses that were installed, newest first; an evaluation with the end it has here."""
        with self.database.read() as connection:
            entries = licenses.history(connection)
        return [self._with_its_end(entry) for entry in entries]

    def _with_its_end(self, entry: licenses.InstalledLicense) -> licenses.InstalledLicense:
        row = self._current().stored.installation
        found = examine(entry.signed.encode(), self.trust) if entry.jti == row.evaluation_jti else None
        if not isinstance(found, License):
            return entry
        return msgspec.structs.replace(entry, expires_at=found.terms.expires_at(row.evaluation_started_at))

    def install_status_list(self, data: bytes, *, actor: str = SYSTEM) -> SignedStatusList:
        """Install the vendor's list of revoked licenses.

        Raises ``DocumentRejected``, or :class:`StatusListOutdated` where a newer list is there already.
        """
        found = verify_status_list(data, self.trust)
        sequence = found.content.sequence
        with self.database.write() as connection:
            lock_installation(connection)
            held = read_facts(connection, self.trust).installation.status_list_sequence
            if held is not None and sequence < held:
                raise StatusListOutdated(f"This is status list {sequence}, and this server holds list {held} already.")
            change_installation(connection, status_list=found.signed, status_list_sequence=sequence)
            self._record(connection, audit.Event.STATUS_LIST_INSTALLED, actor, found.digest, sequence=sequence)
        self.reload()
        return found

    def request(
        self,
        *,
        product_version: str,
        wishes: str | None = None,
        wanted: Mapping[str, int | None] | None = None,
        until: datetime | None = None,
    ) -> bytes:
        """Write the request for a license of this server, signed with the server's own key.

        ``wanted`` are the features the license is to grant: a switch with ``None``, whatever has a maximum with that.
        ``until`` is when it is to expire. ``wishes`` has at most 1,000 characters, ``product_version`` 1 to 200.
        Raises :class:`ProductError`.
        """
        stored = self._current().stored
        found = stored.facts.license
        request = LicenseRequest(
            version=FORMAT_VERSION,
            iat=int(self.clock()),
            serial_number=stored.facts.serial_number,
            product=self.product.name,
            product_version=product_version,
            usage=dict(stored.facts.usage),
            installed=found.terms.jti if isinstance(found, License) else None,
            wishes=wishes,
            wanted=wanted_grants(self.product, wanted or {}),
            wanted_until=None if until is None else to_numeric_date(until),
        )
        try:
            msgspec.convert(msgspec.to_builtins(request), LicenseRequest)
        except msgspec.ValidationError as error:
            raise ProductError(f"That cannot be requested: {error}.") from None
        return sign_request(request, stored.installation.signing_key())

    def renew_serial_number(self, *, actor: str = SYSTEM) -> str:
        """Make this installation another server, as after a copy. Answers its new serial number."""
        with self.database.write() as connection:
            number = renew_identity(connection)
            self._record(connection, audit.Event.SERIAL_NUMBER_RENEWED, actor, number)
        self.reload()
        return number

    def _install(
        self,
        data: bytes,
        *,
        actor: str,
        acknowledge: bool,
        dry_run: bool = False,
        restored_from: int | None = None,
    ) -> Outcome:
        self.reload()
        now, stored = self.now(), self._snapshot.stored
        installer = Installer(product=self.product, trust=self.trust, policy=self.policy, now=now, actor=actor)
        try:
            license_ = installer.verified(data, stored)
            with self.database.write() as connection:
                # in this order everywhere, so that nobody goes on counting by the license before
                usage.lock(connection, self._totals)
                metering.lock(connection, (metered.name for metered in self.product.metered))
                lock_installation(connection)
                restoring, acknowledged = restored_from is not None, acknowledge or dry_run
                outcome = installer.prepare(connection, license_, acknowledged=acknowledged, restoring=restoring)
                if dry_run:
                    return outcome
                installer.store(connection, license_, restored_from=restored_from)
        except Refused as error:
            self._record_refusal(actor, error.decision)
            raise
        self.reload()
        return msgspec.structs.replace(outcome, installed=True)

    def _record_refusal(self, actor: str, decision: Decision) -> None:
        with self.database.write() as connection:
            self._record(
                connection,
                audit.Event.LICENSE_REFUSED,
                actor,
                str(decision.code),
                diagnosis=decision.diagnosis_code,
                message=decision.message,
            )
            if self._refused is not None:
                self._refused(connection, decision, actor, self.now())
