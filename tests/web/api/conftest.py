"""The vendor and the servers of the contract tests, for what is special to HTTP."""

from contract.conftest import installation, new_server, server, vendor

__all__ = ["installation", "new_server", "server", "vendor"]
