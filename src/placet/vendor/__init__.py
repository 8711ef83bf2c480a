"""The vendor's side: keys, the ledger of what was issued, issuing and revoking licenses."""
