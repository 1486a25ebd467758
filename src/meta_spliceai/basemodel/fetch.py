"""Weights of base models, from their authors' own public homes into the user's folder."""

from __future__ import annotations

import difflib
import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from meta_spliceai.basemodel.catalogue import FACTS, Facts, weight_files
from meta_spliceai.basemodel.weights_home import weights_home
from meta_spliceai.download.fetch import fetch_files, missing_files
from meta_spliceai.download.remote import RemoteFile
from meta_spliceai.errors import InputError, ModelError

log = logging.getLogger(__name__)

_YES = {"y", "yes"}


@dataclass(frozen=True, slots=True)
class FetchedWeights:
    """Weights that are on this machine now, each file with its pinned SHA-256.

    Parameters
    ----------
    name
        The base model.
    folder
        Where they are.
    fetched, already_there
        Files that were brought, and that were there with the right sum.
    bytes
        Size of all of them.
    set_aside
        Where files of these names with another sum were moved.
    licence
        The terms of the weights, in one line.
    """

    name: str
    folder: Path
    fetched: int
    already_there: int
    bytes: int
    set_aside: tuple[Path, ...]
    licence: str

    def summary(self) -> str:
        """Where the weights are and what to do next."""
        by_itself = self.folder == weights_home(self.name)
        options = "" if by_itself else f" --weights {self.folder}"
        return "\n".join(
            [
                f"weights   {self.folder}",
                f"files     {self.fetched} fetched, {self.already_there} already there, {self.bytes:,} bytes, sums right",
                *(f"kept      {path}, another file of that name" for path in self.set_aside),
                f"licence   {self.licence}",
                f"next      meta-spliceai basemodel check {self.name}{options}",
            ]
        )


def fetch_weights(
    name: str, *, out: Path | None = None, yes: bool = False, base_url: str | None = None
) -> FetchedWeights:
    """Bring the weights of a base model from its authors' public home; every file is held to a pinned SHA-256.

    The licence is shown first and has to be accepted. Files that are there with the right sum are not fetched again,
    and an interrupted download goes on where it broke off. A file of the same name with another sum is never
    overwritten, but moved to NAME.replaced-1.

    Parameters
    ----------
    name
        openspliceai, openspliceai_400nt, openspliceai_80nt or pangolin.
    out
        Folder for the files; by default the one in which the base model finds them by itself.
    yes
        Accept the licence without being asked, as is needed where there is no terminal.
    base_url
        Address of a folder with the same files, such as a mirror of your institute, instead of the authors' home.

    Raises
    ------
    ModelError
        The weights of this base model cannot be fetched; the message says how they are obtained.
    InputError
        The licence was not accepted.
    DownloadError
        A file cannot be had, or the server gives another one.
    """
    facts = _fetchable(name)
    folder = weights_home(name) if out is None else out
    files = weight_files(name, base_url)
    wanted = missing_files(files, folder)
    if wanted:
        _show_terms(facts, wanted, folder)
        _accept(facts, yes=yes)
    done = fetch_files(files, folder, label=f"fetching {name}") if wanted else []
    return FetchedWeights(
        name=name,
        folder=folder,
        fetched=len(wanted),
        already_there=len(files) - len(wanted),
        bytes=sum(file.bytes or 0 for file in files),
        set_aside=tuple(file.set_aside for file in done if file.set_aside is not None),
        licence=facts.licence,
    )


def _fetchable(name: str) -> Facts:
    names = [facts.name for facts in FACTS.values() if facts.homes]
    expected = f"a base model whose weights can be fetched: {', '.join(names)}"
    if name in FACTS:
        facts = FACTS[name]
        if not facts.homes:
            raise ModelError(expected, name, f"its weights come from: {facts.source}")
        return facts
    near = difflib.get_close_matches(name.lower(), names, n=2)
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    raise ModelError(expected, repr(name), f"{hint}A plug-in brings its weights in its own way; see its package")


def _show_terms(facts: Facts, wanted: Sequence[RemoteFile], folder: Path) -> None:
    size = sum(file.bytes or 0 for file in wanted)
    home = wanted[0].urls[0].rpartition("/")[0]
    sys.stderr.write(
        f"{len(wanted)} weight files of {facts.name}, {size:,} bytes, from {home} into {folder}\n"
        f"{facts.terms}\nIf you publish results, cite {facts.citation}.\n"
    )


def _accept(facts: Facts, *, yes: bool) -> None:
    expected = f"that you accept the licence of {facts.name} ({facts.licence})"
    if yes:
        return
    if not sys.stdin.isatty():
        raise InputError(expected, "no terminal to ask on", "read the terms above and add --yes if you accept them")
    sys.stderr.write("Do you accept this? [y/N] ")
    sys.stderr.flush()
    answer = sys.stdin.readline().strip()
    if answer.lower() not in _YES:
        raise InputError(expected, f"the answer {answer!r}", "nothing was fetched; run the command again to accept")
