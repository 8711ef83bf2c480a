"""The first schema.

Revision 0001.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

RowId = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create every table."""
    op.create_table('audit_events',
    sa.Column('id', RowId, nullable=False),
    sa.Column('at', sa.BigInteger(), nullable=False),
    sa.Column('actor', sa.String(length=200), nullable=False),
    sa.Column('event', sa.String(length=60), nullable=False),
    sa.Column('subject', sa.String(length=200), nullable=False),
    sa.Column('detail', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_audit_events'))
    )
    op.create_index('ix_audit_events_at', 'audit_events', ['at'], unique=False)
    op.create_table('credentials',
    sa.Column('id', RowId, nullable=False),
    sa.Column('kind', sa.String(length=20), nullable=False),
    sa.Column('name', sa.String(length=200), nullable=False),
    sa.Column('role', sa.String(length=20), nullable=False),
    sa.Column('secret_hash', sa.String(length=64), nullable=False),
    sa.Column('created_at', sa.BigInteger(), nullable=False),
    sa.Column('expires_at', sa.BigInteger(), nullable=True),
    sa.Column('ended_at', sa.BigInteger(), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_credentials')),
    sa.UniqueConstraint('secret_hash', name=op.f('uq_credentials_secret_hash'))
    )
    op.create_table('licenses',
    sa.Column('id', RowId, nullable=False),
    sa.Column('digest', sa.String(length=64), nullable=False),
    sa.Column('jti', sa.String(length=200), nullable=False),
    sa.Column('signed', sa.Text(), nullable=False),
    sa.Column('issuer', sa.String(length=200), nullable=False),
    sa.Column('customer', sa.String(length=200), nullable=False),
    sa.Column('serial_number', sa.String(length=24), nullable=False),
    sa.Column('expires_at', sa.BigInteger(), nullable=False),
    sa.Column('installed_at', sa.BigInteger(), nullable=False),
    sa.Column('installed_by', sa.String(length=200), nullable=False),
    sa.Column('restored_from', RowId, nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_licenses'))
    )
    op.create_index('ix_licenses_jti', 'licenses', ['jti'], unique=False)
    op.create_table('modules',
    sa.Column('name', sa.String(length=63), nullable=False),
    sa.Column('active_version', sa.String(length=36), nullable=False),
    sa.Column('created_at', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('name', name=op.f('pk_modules'))
    )
    op.create_table('totals',
    sa.Column('feature', sa.String(length=63), nullable=False),
    sa.Column('used', sa.BigInteger(), nullable=False),
    sa.CheckConstraint('used >= 0', name=op.f('ck_totals_not_negative')),
    sa.PrimaryKeyConstraint('feature', name=op.f('pk_totals'))
    )
    op.create_table('usage_samples',
    sa.Column('feature', sa.String(length=63), nullable=False),
    sa.Column('sampled_at', sa.BigInteger(), nullable=False),
    sa.Column('used', sa.BigInteger(), nullable=False),
    sa.Column('maximum', sa.BigInteger(), nullable=True),
    sa.PrimaryKeyConstraint('feature', 'sampled_at', name=op.f('pk_usage_samples'))
    )
    op.create_table('users',
    sa.Column('id', RowId, nullable=False),
    sa.Column('name', sa.String(length=200), nullable=False),
    sa.Column('role', sa.String(length=20), nullable=False),
    sa.Column('active', sa.Boolean(), nullable=False),
    sa.Column('created_at', sa.BigInteger(), nullable=False),
    sa.Column('changed_at', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_users')),
    sa.UniqueConstraint('name', name=op.f('uq_users_name'))
    )
    op.create_table('allocations',
    sa.Column('feature', sa.String(length=63), nullable=False),
    sa.Column('holder', sa.String(length=200), nullable=False),
    sa.Column('amount', sa.BigInteger(), nullable=False),
    sa.Column('changed_at', sa.BigInteger(), nullable=False),
    sa.CheckConstraint('amount >= 0', name=op.f('ck_allocations_not_negative')),
    sa.ForeignKeyConstraint(['feature'], ['totals.feature'], name=op.f('fk_allocations_feature')),
    sa.PrimaryKeyConstraint('feature', 'holder', name=op.f('pk_allocations'))
    )
    op.create_table('installation',
    sa.Column('id', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('serial_number', sa.String(length=24), nullable=False),
    sa.Column('server_key', sa.Text(), nullable=False),
    sa.Column('created_at', sa.BigInteger(), nullable=False),
    sa.Column('revision', sa.BigInteger(), nullable=False),
    sa.Column('license_id', RowId, nullable=True),
    sa.Column('newest_moment', sa.BigInteger(), nullable=True),
    sa.Column('evaluation_jti', sa.String(length=200), nullable=True),
    sa.Column('evaluation_started_at', sa.BigInteger(), nullable=True),
    sa.Column('status_list', sa.Text(), nullable=True),
    sa.Column('status_list_sequence', sa.BigInteger(), nullable=True),
    sa.CheckConstraint('id = 1', name=op.f('ck_installation_single')),
    sa.ForeignKeyConstraint(['license_id'], ['licenses.id'], name=op.f('fk_installation_license_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_installation'))
    )
    op.create_table('module_versions',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('module', sa.String(length=63), nullable=False),
    sa.Column('version', sa.String(length=64), nullable=False),
    sa.Column('entrypoint', sa.String(length=400), nullable=False),
    sa.Column('units', sa.BigInteger(), nullable=False),
    sa.Column('elements', sa.Text(), nullable=False),
    sa.Column('digest', sa.String(length=64), nullable=False),
    sa.Column('published_at', sa.BigInteger(), nullable=False),
    sa.Column('published_by', sa.String(length=200), nullable=False),
    sa.ForeignKeyConstraint(['module'], ['modules.name'], name=op.f('fk_module_versions_module'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_module_versions'))
    )
    op.create_index('ix_module_versions_module', 'module_versions', ['module'], unique=False)
