"""The rules: what a license means here and now, and whether an operation may happen. Pure: values in, values out."""

from placet.enforcement.changes import Changes, compare
from placet.enforcement.codes import Code, Severity
from placet.enforcement.decision import Amount, Decision, Refused, decide
from placet.enforcement.evaluation import evaluate
from placet.enforcement.messages import Notice, catalogue
from placet.enforcement.product import Limit, Operation, Product, ProductError, Switch
from placet.enforcement.status import Facts, FeatureStatus, Policy, State, Status

__all__ = [
    "Amount",
    "Changes",
    "Code",
    "Decision",
    "Facts",
    "FeatureStatus",
    "Limit",
    "Notice",
    "Operation",
    "Policy",
    "Product",
    "ProductError",
    "Refused",
    "Severity",
    "State",
    "Status",
    "Switch",
    "catalogue",
    "compare",
    "decide",
    "evaluate",
]
