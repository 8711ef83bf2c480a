"""Metered consumption, seats, front-ends, and usage over time.

Revision 0002.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

RowId = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create the new tables."""
    op.create_table('denials',
    sa.Column('id', RowId, nullable=False),
    sa.Column('feature', sa.String(length=63), nullable=False),
    sa.Column('holder', sa.String(length=200), nullable=False),
    sa.Column('reason', sa.String(length=60), nullable=False),
    sa.Column('requested', sa.BigInteger(), nullable=False),
    sa.Column('used', sa.BigInteger(), nullable=True),
    sa.Column('maximum', sa.BigInteger(), nullable=True),
    sa.Column('at', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_denials'))
    )
    op.create_index('ix_denials_at', 'denials', ['at'], unique=False)
    op.create_table('front_ends',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('name', sa.String(length=200), nullable=False),
    sa.Column('address', sa.String(length=400), nullable=False),
    sa.Column('version', sa.String(length=60), nullable=False),
    sa.Column('license_digest', sa.String(length=64), nullable=True),
    sa.Column('started_at', sa.BigInteger(), nullable=False),
    sa.Column('beaten_at', sa.BigInteger(), nullable=False),
    sa.Column('lives_until', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_front_ends'))
    )
    op.create_table('holder_days',
    sa.Column('feature', sa.String(length=63), nullable=False),
    sa.Column('holder', sa.String(length=200), nullable=False),
    sa.Column('day', sa.BigInteger(), nullable=False),
    sa.Column('amount', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('feature', 'holder', 'day', name=op.f('pk_holder_days'))
    )
    op.create_table('holder_marks',
    sa.Column('feature', sa.String(length=63), nullable=False),
    sa.Column('noted_at', sa.BigInteger(), nullable=False),
    sa.Column('total', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('feature', name=op.f('pk_holder_marks'))
    )
    op.create_table('meter_periods',
    sa.Column('feature', sa.String(length=63), nullable=False),
    sa.Column('period_starts_at', sa.BigInteger(), nullable=False),
    sa.Column('used', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('feature', 'period_starts_at', name=op.f('pk_meter_periods'))
    )
    op.create_table('meters',
    sa.Column('feature', sa.String(length=63), nullable=False),
    sa.Column('period_starts_at', sa.BigInteger(), nullable=False),
    sa.Column('previous_starts_at', sa.BigInteger(), nullable=True),
    sa.Column('used', sa.BigInteger(), nullable=False),
    sa.CheckConstraint('used >= 0', name=op.f('ck_meters_not_negative')),
    sa.PrimaryKeyConstraint('feature', name=op.f('pk_meters'))
    )
    op.create_table('usage_days',
    sa.Column('feature', sa.String(length=63), nullable=False),
    sa.Column('day', sa.BigInteger(), nullable=False),
    sa.Column('peak', sa.BigInteger(), nullable=False),
    sa.Column('total', sa.BigInteger(), nullable=False),
    sa.Column('samples', sa.BigInteger(), nullable=False),
    sa.Column('maximum', sa.BigInteger(), nullable=True),
    sa.PrimaryKeyConstraint('feature', 'day', name=op.f('pk_usage_days'))
    )
    op.add_column('usage_samples', sa.Column('total', sa.BigInteger(), nullable=True))
    op.add_column('usage_samples', sa.Column('samples', sa.BigInteger(), nullable=True))
    op.execute('UPDATE usage_samples SET total = used, samples = 1')
    with op.batch_alter_table('usage_samples') as samples:
        samples.alter_column('total', existing_type=sa.BigInteger(), nullable=False)
        samples.alter_column('samples', existing_type=sa.BigInteger(), nullable=False)
    op.create_table('blocks',
    sa.Column('id', RowId, nullable=False),
    sa.Column('feature', sa.String(length=63), nullable=False),
    sa.Column('period_starts_at', sa.BigInteger(), nullable=False),
    sa.Column('holder', sa.String(length=200), nullable=False),
    sa.Column('size', sa.BigInteger(), nullable=False),
    sa.Column('used', sa.BigInteger(), nullable=True),
    sa.Column('taken_at', sa.BigInteger(), nullable=False),
    sa.Column('closed_at', sa.BigInteger(), nullable=True),
    sa.Column('closed_by', sa.String(length=200), nullable=True),
    sa.CheckConstraint('used IS NULL OR (used >= 0 AND used <= size)', name=op.f('ck_blocks_within')),
    sa.ForeignKeyConstraint(['feature'], ['meters.feature'], name=op.f('fk_blocks_feature')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_blocks'))
    )
    op.create_index('ix_blocks_closed_at', 'blocks', ['closed_at'], unique=False)
    op.create_table('consumptions',
    sa.Column('feature', sa.String(length=63), nullable=False),
    sa.Column('period_starts_at', sa.BigInteger(), nullable=False),
    sa.Column('key', sa.String(length=200), nullable=False),
    sa.Column('amount', sa.BigInteger(), nullable=False),
    sa.Column('at', sa.BigInteger(), nullable=False),
    sa.Column('actor', sa.String(length=200), nullable=False),
    sa.ForeignKeyConstraint(['feature'], ['meters.feature'], name=op.f('fk_consumptions_feature')),
    sa.PrimaryKeyConstraint('feature', 'period_starts_at', 'key', name=op.f('pk_consumptions'))
    )
    op.create_table('leases',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('feature', sa.String(length=63), nullable=False),
    sa.Column('holder', sa.String(length=200), nullable=False),
    sa.Column('group_name', sa.String(length=200), nullable=True),
    sa.Column('amount', sa.BigInteger(), nullable=False),
    sa.Column('acquired_at', sa.BigInteger(), nullable=False),
    sa.Column('expires_at', sa.BigInteger(), nullable=False),
    sa.Column('borrowed', sa.Boolean(), nullable=False),
    sa.CheckConstraint('amount > 0', name=op.f('ck_leases_positive')),
    sa.ForeignKeyConstraint(['feature'], ['totals.feature'], name=op.f('fk_leases_feature')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_leases')),
    sa.UniqueConstraint('feature', 'holder', name=op.f('uq_leases_feature'))
    )
    op.create_index('ix_leases_expires_at', 'leases', ['expires_at'], unique=False)
    op.create_table('seat_requests',
    sa.Column('id', RowId, nullable=False),
    sa.Column('feature', sa.String(length=63), nullable=False),
    sa.Column('holder', sa.String(length=200), nullable=False),
    sa.Column('group_name', sa.String(length=200), nullable=True),
    sa.Column('amount', sa.BigInteger(), nullable=False),
    sa.Column('priority', sa.Integer(), nullable=False),
    sa.Column('asked_at', sa.BigInteger(), nullable=False),
    sa.Column('expires_at', sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(['feature'], ['totals.feature'], name=op.f('fk_seat_requests_feature')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_seat_requests')),
    sa.UniqueConstraint('feature', 'holder', name=op.f('uq_seat_requests_feature'))
    )
    op.create_table('seat_reservations',
    sa.Column('feature', sa.String(length=63), nullable=False),
    sa.Column('subject_kind', sa.String(length=20), nullable=False),
    sa.Column('subject', sa.String(length=200), nullable=False),
    sa.Column('amount', sa.BigInteger(), nullable=False),
    sa.CheckConstraint('amount > 0', name=op.f('ck_seat_reservations_positive')),
    sa.ForeignKeyConstraint(['feature'], ['totals.feature'], name=op.f('fk_seat_reservations_feature')),
    sa.PrimaryKeyConstraint('feature', 'subject_kind', 'subject', name=op.f('pk_seat_reservations'))
    )
    op.create_table('seat_rules',
    sa.Column('feature', sa.String(length=63), nullable=False),
    sa.Column('low_water_mark', sa.BigInteger(), nullable=False),
    sa.Column('longest_borrow_seconds', sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(['feature'], ['totals.feature'], name=op.f('fk_seat_rules_feature')),
    sa.PrimaryKeyConstraint('feature', name=op.f('pk_seat_rules'))
    )
