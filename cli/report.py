"""``ctl report``."""

from cli.compare import method_of, parse_system
from cli.output import print_line
from cli.progress import make_progress
from retriever.config.comparison import ReportConfig
from retriever.errors import InputError


def report(config: ReportConfig) -> None:
    """Results, comparisons, pictures and how they were made as one page of HTML, which needs no network and runs nothing."""
    from retriever.reporting.report import read_report
    from retriever.reporting.report_page import write_report

    require_outputs(config)
    progress = make_progress()
    found = read_report([parse_system(each) for each in config.results], method_of(config), progress=progress)
    write_report(found, config.output, title=config.title, pictures=config.pictures, progress=progress)
    print_line(str(config.output))


def require_outputs(config: ReportConfig) -> None:
    """Before the work, not after it; the folder of pictures is made."""
    from retriever.data.files import require_writable
    from retriever.reporting.figure import NO_MATPLOTLIB, has_matplotlib

    if config.output.suffix.lower() != ".html":
        raise InputError("the report is a page: its name must end in .html", path=config.output)
    require_writable(config.output)
    if config.pictures is not None:
        if not has_matplotlib():
            raise InputError(NO_MATPLOTLIB)
        try:
            config.pictures.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"cannot write here: {error.strerror}", path=config.pictures) from None
