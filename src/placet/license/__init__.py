"""The license document: terms, signatures, keys, serial numbers, requests. Pure: bytes and values in, values out."""

from placet.license.diagnosis import Diagnosis, DocumentRejected, Rejection
from placet.license.document import License, examine, issue, verify
from placet.license.keys import KeyUnusable, SigningKey, TrustStore
from placet.license.terms import FORMAT_VERSION, Enforcement, Grant, Terms

__all__ = [
    "FORMAT_VERSION",
    "Diagnosis",
    "DocumentRejected",
    "Enforcement",
    "Grant",
    "KeyUnusable",
    "License",
    "Rejection",
    "SigningKey",
    "Terms",
    "TrustStore",
    "examine",
    "issue",
    "verify",
]
