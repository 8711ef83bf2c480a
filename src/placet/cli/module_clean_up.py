"""``placet module clean-up``: delete modules that nobody has used for long."""

import click

from placet.cli.client import Client, client_command
from placet.cli.output import counted, print_json, print_table


@click.command(name="clean-up")
@click.option("--unused", "days", type=click.IntRange(1, 3660), required=True, metavar="DAYS", help="Not used for.")
@click.option("--exclude", "excluded", metavar="NAME", multiple=True, help="Leave this module alone; repeat it.")
@click.option("--timers", is_flag=True, help="Those with timers as well, which work without being asked.")
@click.option("--yes", is_flag=True, help="Do it. Without this, it is told which modules would be deleted.")
@client_command
def clean_up(client: Client, days: int, *, excluded: tuple[str, ...], timers: bool, yes: bool, as_json: bool) -> None:
    """Delete modules that were neither published nor asked for anything for long. Their databases are put aside."""
    body = {"unused_days": days, "exclude": list(excluded), "timers": timers}
    done = client.call("POST", "/api/v1/clean-up/modules", body=body, flags={"dry_run": not yes})
    if as_json:
        print_json(done)
        return
    rows = [
        (item["name"], item["units"], item["timers"], item["last_served_at"] or "never", item["published_at"])
        for item in done["modules"]
    ]
    headings = ["Name", "Units", "Has timers", "Last request", "Published"]
    print_table(headings, rows, empty=f"Every module was used within {counted(days, 'day')}, or is left alone.")
    what = f"{counted(len(rows), 'module')}, {counted(done['units'], 'Software Unit')}"
    if rows:
        click.echo(
            f"{what}: deleted." if yes else f"{what}: would be deleted. Nothing was changed; add --yes to do it."
        )
    if done["more"]:
        click.echo(f"{counted(done['more'], 'module')} more: do it again.")
