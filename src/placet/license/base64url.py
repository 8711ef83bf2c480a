"""Base 64 for URLs (RFC 4648 section 5) as JOSE has it: without padding, and one text for each sequence of bytes.

Reading is strict (section 3.5): a character of another alphabet, a length no bytes have, and bits behind the last byte
are refused, so that a signed document cannot be written in two ways.
"""

from binascii import a2b_base64

_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_PLAIN = bytes.maketrans(b"-_", b"+/")
_LAST = {0: _ALPHABET, 2: b"AQgw", 3: b"AEIMQUYcgkosw048"}
"""With which character a text ends that has so many beyond whole groups of four."""


def is_base64url(text: str) -> bool:
    """Tell whether ``text`` has a character, and none of another alphabet."""
    return bool(text) and text.isascii() and not text.encode().translate(None, _ALPHABET)


def decode(text: str) -> bytes:
    """Answer the bytes that ``text`` is written for; raises ``ValueError`` where it is for none."""
    over = len(text) % 4
    if not is_base64url(text) or over == 1 or ord(text[-1]) not in _LAST[over]:
        raise ValueError("not base64url without padding (RFC 4648 section 5)")
    return a2b_base64(text.encode().translate(_PLAIN) + b"==")
