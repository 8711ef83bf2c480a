"""The Platform Server's work: packages, units, workers, debugger, test queries."""
