"""Events of the audit trail in words."""

from placet.store.audit import AuditEvent

_FORMS = str.maketrans("._", "  ")


def event_words(event: AuditEvent) -> str:
    """Say what happened: ``module.rolled_back`` is ``Module rolled back``. What is not known is said as it stands."""
    return event.event.translate(_FORMS).capitalize()
