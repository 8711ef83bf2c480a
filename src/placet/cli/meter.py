"""``placet meter``: consumption, counted once for each key, and blocks of units leased ahead."""

from typing import Any
from urllib.parse import quote

import click

from placet.cli.client import Client, client_command
from placet.cli.output import counted, print_json, print_table, print_warnings

LONGEST_KEY = 200
MOST_UNITS = 10**12


class _Key(click.ParamType[str]):
    """What the header ``Idempotency-Key`` may carry."""

    name = "key"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Check it before it becomes part of a request."""
        key = str(value)
        if not 0 < len(key) <= LONGEST_KEY or not key.isascii() or not key.isprintable() or key != key.strip():
            self.fail(f"A key has 1 to {LONGEST_KEY} visible ASCII characters; this has {len(key):,}.", param, ctx)
        return key


_feature = click.argument("feature")
_block = click.argument("block_id", metavar="BLOCK", type=click.IntRange(1, 2**62))
_used = click.option("--used", type=click.IntRange(0, MOST_UNITS), required=True, help="How many units were used.")


@click.group()
def meter() -> None:
    """Count consumption, and look after blocks of units leased ahead."""


@meter.command()
@_feature
@click.argument("amount", metavar="[N]", type=click.IntRange(1, MOST_UNITS), default=1)
@click.option(
    "--key", type=_Key(), metavar="K", required=True, help="What this consumption is known by: a retry counts once."
)
@client_command
def consume(client: Client, feature: str, amount: int, *, key: str, as_json: bool) -> None:
    """Consume N units of FEATURE, 1 where none is said. With the same key again, nothing more is counted."""
    path, headers = f"{_path(feature)}/consumptions", {"Idempotency-Key": key}
    found = client.call("POST", path, body={"amount": amount}, headers=headers)
    if as_json:
        print_json(found)
    else:
        before = f"The key {key} was counted before: " if found["replayed"] else ""
        click.echo(f"{before}{counted(found['amount'], 'unit')} of {found['feature']} consumed.")
    print_warnings(found["warnings"])


@meter.command()
@click.argument("feature", required=False)
@client_command
def blocks(client: Client, feature: str | None, *, as_json: bool) -> None:
    """List the blocks that are open, of FEATURE alone where one is said: in use, or left behind (administrators)."""
    of = "" if feature is None else f"?feature={quote(feature, safe='')}"
    found = client.entries(f"/api/v1/blocks{of}")
    if as_json:
        print_json(found)
        return
    rows = [(item["id"], item["feature"], item["holder"], item["size"], item["taken_at"]) for item in found]
    print_table(["Block", "Feature", "Holder", "Units", "Since"], rows, empty="No block is open.")


@meter.command()
@_feature
@click.argument("size", type=click.IntRange(1, MOST_UNITS))
@client_command
def take(client: Client, feature: str, size: int, *, as_json: bool) -> None:
    """Lease up to SIZE units of FEATURE ahead. All of them count as used until the block is given back."""
    found = client.call("POST", f"{_path(feature)}/blocks", body={"size": size})
    if as_json:
        print_json(found)
        return
    click.echo(f"Block {found['id']} has {counted(found['size'], 'unit')} of {found['feature']}.")
    click.echo(f"Give it back with: placet meter return {found['id']} --used N")


@meter.command(name="return")
@_block
@_used
@client_command
def return_(client: Client, block_id: int, *, used: int, as_json: bool) -> None:
    """Give your own BLOCK back. What was not used is free again."""
    _show_closed(client.call("POST", f"/api/v1/blocks/{block_id}/return", body={"used": used}), as_json=as_json)


@meter.command()
@_block
@_used
@client_command
def settle(client: Client, block_id: int, *, used: int, as_json: bool) -> None:
    """Close a BLOCK that its holder left behind, with what was really used (administrators). It is audited."""
    _show_closed(client.call("POST", f"/api/v1/blocks/{block_id}/settle", body={"used": used}), as_json=as_json)


def _show_closed(block: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(block)
        return
    used, size = block["used"], block["size"]
    told = f"Block {block['id']} of {block['holder']} is closed: {used:,} of {counted(size, 'unit')}"
    click.echo(f"{told} of {block['feature']} used, {size - used:,} given back.")


def _path(feature: str) -> str:
    return f"/api/v1/features/{quote(feature, safe='')}"
