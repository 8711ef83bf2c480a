"""What bears on the license and changes often, read by one statement: the revision, totals and meters."""

from placet.store.hot import Hot

CURRENT = Hot(
    "SELECT 0, '', revision, newest_moment FROM installation"
    " UNION ALL SELECT 1, feature, used, NULL FROM totals"
    " UNION ALL SELECT 2, feature, used, period_starts_at FROM meters"
)
"""Rows of what it is (0 the revision, 1 a total, 2 a meter), of which feature, the number, and since when."""
