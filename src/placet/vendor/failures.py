"""Why the vendor's side did not do what it was asked; each message is a sentence for people.

A mistake in what was asked, a refusal and a failure have different roots, so that none is taken for another.
"""


class Mistaken(ValueError):
    """What was asked makes no sense as it was written; nothing was done."""


class Refused(Exception):
    """What was asked is understood and not allowed; nothing was done."""


class Failed(Exception):
    """What was asked could not be done: the disk, permissions, or a damaged file."""
