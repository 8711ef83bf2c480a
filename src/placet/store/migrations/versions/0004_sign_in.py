"""Signing in: passwords, identities at an OpenID provider, and what is known of a session.

Revision 0004.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the new tables and the new columns."""
    op.add_column('credentials', sa.Column('last_used_at', sa.BigInteger(), nullable=True))
    op.add_column('credentials', sa.Column('method', sa.String(length=20), nullable=True))
    op.add_column('credentials', sa.Column('address', sa.String(length=100), nullable=True))
    op.add_column('credentials', sa.Column('browser', sa.String(length=200), nullable=True))
    op.create_index('ix_credentials_name', 'credentials', ['name'])
    op.create_table('passwords',
    sa.Column('user_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=False, nullable=False),
    sa.Column('hash', sa.Text(), nullable=False),
    sa.Column('set_at', sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_passwords_user_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('user_id', name=op.f('pk_passwords'))
    )
    op.create_table('identities',
    sa.Column('user_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=False, nullable=False),
    sa.Column('issuer', sa.String(length=400), nullable=False),
    sa.Column('subject', sa.String(length=255), nullable=False),
    sa.Column('linked_at', sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_identities_user_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('user_id', name=op.f('pk_identities')),
    sa.UniqueConstraint('issuer', 'subject', name=op.f('uq_identities_issuer'))
    )
