"""The rules: what a license means here and now, and whether an operation may happen. Pure: values in, values out."""

from placet.enforcement.changes import Changes, compare
from placet.enforcement.codes import Code, Severity
from placet.enforcement.decision import Amount, Decision, Refused, decide, decide_more, decide_use
from placet.enforcement.evaluation import evaluate, with_usage, with_used
from placet.enforcement.messages import Notice, catalogue
from placet.enforcement.product import Counted, Limit, Metered, Operation, Product, ProductError, Seats, Switch
from placet.enforcement.status import Facts, FeatureStatus, Meter, Policy, State, Status

__all__ = [
    "Amount",
    "Changes",
    "Code",
    "Counted",
    "Decision",
    "Facts",
    "FeatureStatus",
    "Limit",
    "Meter",
    "Metered",
    "Notice",
    "Operation",
    "Policy",
    "Product",
    "ProductError",
    "Refused",
    "Seats",
    "Severity",
    "State",
    "Status",
    "Switch",
    "catalogue",
    "compare",
    "decide",
    "decide_more",
    "decide_use",
    "evaluate",
    "with_usage",
    "with_used",
]
