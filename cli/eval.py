"""``ctl eval``: the group of its commands, each in a file of its own."""

import typer

from cli.eval_geometry import geometry
from cli.eval_rankings import rankings
from cli.eval_retrieval import retrieval
from cli.eval_slices import slices
from cli.eval_sts import sts
from cli.eval_transfer import transfer
from cli.options import add_command

HELP = "Evaluate a model on similarity or labelled data, or an index on questions."
app = typer.Typer(help=HELP, no_args_is_help=True, rich_markup_mode=None)
add_command(app, "sts", sts)
add_command(app, "transfer", transfer)
add_command(app, "retrieval", retrieval)
add_command(app, "rankings", rankings)
add_command(app, "slices", slices)
add_command(app, "geometry", geometry)
