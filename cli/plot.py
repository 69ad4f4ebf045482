"""``ctl plot``."""

from cli.output import print_line
from retriever.config.report import PlotConfig


def plot(config: PlotConfig) -> None:
    """Draw the training curves of one or several runs as one picture."""
    from retriever.reporting.curves import plot_runs

    print_line(str(plot_runs(config.runs, config.output)))
