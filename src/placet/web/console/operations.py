"""What is possible now: the decision for each operation of the product, each for one more unit of what it consumes."""

from placet.enforcement import Amount, Decision, Status, decide


def possible(status: Status) -> tuple[Decision, ...]:
    """Answer a decision for each operation, in the product's order."""
    return tuple(
        decide(status, operation.name, {name: Amount(1) for name in operation.consumes})
        for operation in status.product.tasks
    )


def title_of(operation: str) -> str:
    """Answer an operation's name as people read it."""
    return operation.replace("_", " ").capitalize()
