"""The audit's index by time is of deletions alone.

Revision 0006.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Put the small index in the place of the large one."""
    op.drop_index('ix_audit_events_at', table_name='audit_events')
    deletions = sa.text("event = 'module.deleted'")
    op.create_index(
        'ix_audit_events_deleted', 'audit_events', ['at'], sqlite_where=deletions, postgresql_where=deletions
    )
