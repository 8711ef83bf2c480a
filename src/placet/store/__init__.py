"""The facts: what a server knows, in a database. SQLAlchemy Core and dialect-neutral SQL."""
