"""Modules in a farm: archives and databases, who works on one, who serves which version, when timers run; users and
modules last seen.

Revision 0003.
"""

import time

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the new tables and the new column."""
    op.add_column('users', sa.Column('last_seen_at', sa.BigInteger(), nullable=True))
    op.add_column('modules', sa.Column('last_served_at', sa.BigInteger(), nullable=True))
    op.add_column('modules', sa.Column('changed_at', sa.BigInteger(), nullable=False, server_default=sa.text('0')))
    # Nobody has noted which modules were used until now: none of them is to pass for obsolete because of that.
    modules = sa.table('modules', sa.column('changed_at', sa.BigInteger()))
    op.execute(modules.update().values(changed_at=time.time_ns() // 1000))
    op.create_table('module_archives',
    sa.Column('version_id', sa.String(length=36), nullable=False),
    sa.Column('archive', sa.LargeBinary(), nullable=False),
    sa.ForeignKeyConstraint(
        ['version_id'], ['module_versions.id'], name=op.f('fk_module_archives_version_id'), ondelete='CASCADE'
    ),
    sa.PrimaryKeyConstraint('version_id', name=op.f('pk_module_archives'))
    )
    op.create_table('module_databases',
    sa.Column('owner', sa.String(length=63), nullable=False),
    sa.Column('schema_name', sa.String(length=63), nullable=False),
    sa.Column('role', sa.String(length=63), nullable=False),
    sa.Column('password', sa.String(length=64), nullable=False),
    sa.Column('reader', sa.String(length=63), nullable=False),
    sa.Column('reader_password', sa.String(length=64), nullable=False),
    sa.PrimaryKeyConstraint('owner', name=op.f('pk_module_databases')),
    sa.UniqueConstraint('schema_name', name=op.f('uq_module_databases_schema_name'))
    )
    op.create_table('module_work',
    sa.Column('module', sa.String(length=63), nullable=False),
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('kind', sa.String(length=20), nullable=False),
    sa.Column('version', sa.String(length=64), nullable=True),
    sa.Column('actor', sa.String(length=200), nullable=False),
    sa.Column('front_end', sa.String(length=36), nullable=False),
    sa.Column('since', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('module', name=op.f('pk_module_work'))
    )
    op.create_table('module_serving',
    sa.Column('front_end', sa.String(length=36), nullable=False),
    sa.Column('module', sa.String(length=63), nullable=False),
    sa.Column('version_id', sa.String(length=36), nullable=False),
    sa.Column('state', sa.String(length=20), nullable=False),
    sa.Column('detail', sa.Text(), nullable=True),
    sa.Column('noted_at', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('front_end', 'module', name=op.f('pk_module_serving'))
    )
    op.create_table('timer_runs',
    sa.Column('module', sa.String(length=63), nullable=False),
    sa.Column('timer', sa.String(length=63), nullable=False),
    sa.Column('due_at', sa.BigInteger(), nullable=False),
    sa.Column('run', sa.String(length=36), nullable=True),
    sa.Column('held_until', sa.BigInteger(), nullable=True),
    sa.ForeignKeyConstraint(['module'], ['modules.name'], name=op.f('fk_timer_runs_module'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('module', 'timer', name=op.f('pk_timer_runs'))
    )
