"""The HTTP API of DESIGN section 7."""
