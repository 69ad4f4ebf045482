"""``ctl data``: what is done to data sets before anything is trained or measured on them."""

import typer

from cli.options import add_command
from cli.output import print_json, print_table
from cli.progress import make_progress
from retriever.config.data import ConvertConfig

HELP = "Convert, split and check data."
app = typer.Typer(help=HELP, no_args_is_help=True, rich_markup_mode=None)


def convert(config: ConvertConfig, as_json: bool = False) -> None:
    """Convert training data and test collections between formats; what a format cannot hold is counted and said."""
    from retriever.data.convert import convert as convert_data

    name, report = convert_data(config, progress=make_progress())
    counts = {done: dict(getattr(report, done)) for done in ("read", "written", "made", "changed", "dropped")}
    if as_json:
        print_json({"output": str(config.output), "from": name, "to": config.to, **counts})
        return
    rows = [(done, what, number) for done, counter in counts.items() for what, number in counter.items()]
    print_table(f"{config.output}: {name} → {config.to}", ("", "what", "count"), rows)


add_command(app, "convert", convert)
