"""The commands in the order of the work, and what all of them share.

Results go to stdout, progress and messages to stderr. Exit status 0: done; 1: an error of this package, printed as
expected / found / what to do, or a result that says so (`exit_status`), such as datasets that differ; 2: the options could
not be understood; 3: a validation with warnings only; 130: interrupted.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import sys
from collections.abc import Callable, Sequence
from typing import Annotated, Any

from cyclopts import App, Parameter

from meta_spliceai import __version__
from meta_spliceai.cli.rendering import as_json, as_text
from meta_spliceai.errors import MetaSpliceAIError
from meta_spliceai.workers.progress import show_progress

EXIT_ERROR = 1
EXIT_INTERRUPTED = 130

_COMMANDS: tuple[tuple[str, str], ...] = (
    ("demo", "demo"),
    ("run", "run"),
    ("reference fetch", "reference_fetch"),
    ("reference prepare", "reference_prepare"),
    ("reference derive", "reference_derive"),
    ("reference list", "reference_list"),
    ("reference use", "reference_use"),
    ("reference audit", "reference_audit"),
    ("basemodel list", "basemodel_list"),
    ("basemodel describe", "basemodel_describe"),
    ("basemodel fetch", "basemodel_fetch"),
    ("basemodel check", "basemodel_check"),
    ("basepass run", "basepass_run"),
    ("basepass status", "basepass_status"),
    ("basepass positions", "basepass_positions"),
    ("basepass evaluate", "basepass_evaluate"),
    ("basepass export", "basepass_export"),
    ("artifacts validate", "artifacts_validate"),
    ("artifacts clean", "artifacts_clean"),
    ("enrichers list", "enrichers_list"),
    ("genes list", "genes_list"),
    ("genes select", "genes_select"),
    ("build", "build"),
    ("dataset merge", "dataset_merge"),
    ("dataset summary", "dataset_summary"),
    ("dataset validate", "dataset_validate"),
    ("dataset dedup", "dataset_dedup"),
    ("dataset patch", "dataset_patch"),
    ("dataset diff", "dataset_diff"),
    ("dataset migrate", "dataset_migrate"),
    ("split plan", "split_plan"),
    ("tune", "tune"),
    ("train", "train"),
    ("cv", "cv"),
    ("evaluate", "evaluate"),
    ("predict", "predict"),
    ("report", "report"),
    ("explain", "explain"),
    ("ablation", "ablation"),
    ("results", "results"),
)
"""Command words and the name of the function in `meta_spliceai.commands`."""

_GROUP_HELP = {
    "reference": "Fetch and prepare a genome and its annotation, and choose among several.",
    "basemodel": "See which base models there are, fetch their weights, and check their scores.",
    "basepass": "Run a base model over genes.",
    "artifacts": "Find and remove damaged files of a base pass.",
    "dataset": "Join datasets, look at them, compare them, mend them and add to them.",
    "enrichers": "See what can be known of a base besides its scores.",
    "genes": "Make lists of genes to build datasets from.",
    "split": "Divide genes into sides and folds.",
}


def make_app() -> App:
    """The command-line application, with one command per function of `meta_spliceai.commands`."""
    # imported here, so that `import meta_spliceai.cli` does nothing and costs nothing
    from meta_spliceai import commands

    app = App(
        name="meta-spliceai",
        version=__version__,
        help="Splice-site scores, datasets built from them, and meta-models measured on whole held-out genes.",
        default_parameter=Parameter(consume_multiple=True, negative=()),
    )
    groups: dict[str, App] = {}
    for place, (words, function) in enumerate(_COMMANDS):
        *group, name = words.split()
        target = app
        if group:
            if group[0] not in groups:
                groups[group[0]] = App(name=group[0], help=_GROUP_HELP[group[0]], sort_key=place)
                app.command(groups[group[0]])
            target = groups[group[0]]
        target.command(_with_negative_flags(getattr(commands, function)), name=name, sort_key=place)
    return app


def _with_negative_flags(command: Callable[..., Any]) -> Callable[..., Any]:
    """The command with `--no-…` for each flag that knows three answers: yes, no, and not said."""
    undecided = [name for name, kind in command.__annotations__.items() if kind == "bool | None"]
    if not undecided:
        return command

    @functools.wraps(command)
    def called(*args: Any, **kwargs: Any) -> Any:
        return command(*args, **kwargs)

    flags = {name: Annotated[bool | None, Parameter(negative=f"--no-{name.replace('_', '-')}")] for name in undecided}
    called.__annotations__ = {**command.__annotations__, **flags}
    return called


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its status."""
    app = make_app()

    @app.meta.default
    def launch(
        *tokens: Annotated[str, Parameter(show=False, allow_leading_hyphen=True)],
        json: bool = False,
        verbose: Annotated[int, Parameter(name=["--verbose", "-v"], count=True)] = 0,
        quiet: Annotated[bool, Parameter(name=["--quiet", "-q"])] = False,
    ) -> int:
        """Parse the tokens, call the command and print its result.

        Parameters
        ----------
        json
            Print the result as JSON, for machines.
        verbose
            Say more on stderr; twice for everything.
        quiet
            No progress and no messages but warnings and errors.
        """
        command, bound, _ = app.parse_args(tokens)
        _set_up_logging(verbose, quiet=quiet)
        with contextlib.nullcontext() if quiet else show_progress():
            return _call(command, bound.args, bound.kwargs, json=json)

    sys.exit(app.meta(arguments, result_action="return_value"))


def _call(command: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], *, json: bool) -> int:
    try:
        result = command(*args, **kwargs)
    except MetaSpliceAIError as error:
        print(f"error ({type(error).__name__})\n{error}", file=sys.stderr)
        return EXIT_ERROR
    except KeyboardInterrupt:
        print("interrupted; run the same command again to resume", file=sys.stderr)
        return EXIT_INTERRUPTED
    if result is not None:
        _print(as_json(result) if json else as_text(result))
    return int(getattr(result, "exit_status", 0))


def _print(text: str) -> None:
    """Print to stdout; a reader that has seen enough, such as `head`, is no error."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        # what Python would still flush at its end has nowhere to go either
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _set_up_logging(verbose: int, *, quiet: bool) -> None:
    level = logging.WARNING if quiet else (logging.INFO if verbose < 2 else logging.DEBUG)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s" if verbose else "%(message)s"))
    package = logging.getLogger("meta_spliceai")
    package.handlers = [handler]
    package.setLevel(level)


def command_pages() -> str:
    """The manual of all commands as Markdown, for docs/reference/commands.md."""
    head = "# Commands\n\nGenerated from the functions of `meta_spliceai.commands` by `make docs`.\n"
    return f"{head}\n{make_app().generate_docs(heading_level=2).rstrip()}\n"
