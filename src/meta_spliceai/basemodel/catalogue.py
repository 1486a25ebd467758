"""What is known of the shipped base models without loading any weights; the one place for their facts and terms.

The sums of the weight files that can be fetched are in `weight_files.tsv` beside this module. They were computed from
files obtained earlier and independently of the addresses below, so a server cannot pass anything else off as them.
"""

from __future__ import annotations

import csv
import importlib.resources
from dataclasses import dataclass
from functools import cache

from meta_spliceai.basemodel.protocol import TYPED_CHANNELS
from meta_spliceai.download.checksums import Checksum
from meta_spliceai.download.remote import RemoteFile
from meta_spliceai.schema.features import SITE, USAGE

_SPLICEAI_SPLIT = ("2", "4", "6", "8", *(str(number) for number in range(10, 23)), "X", "Y")
"""Jaganathan et al. 2019 trained on these and tested on 1, 3, 5, 7 and 9; OpenSpliceAI and Pangolin followed them. A missing
comma in Pangolin's public training code leaves 10 and 11 out of both sets, but that the published weights come from exactly
that code is not known, so both count as trained on."""
_TISSUES = ("heart", "liver", "brain", "testis")
_GPL = "the GNU General Public License, version 3"
_OPENSPLICEAI_HOMES = (
    "https://raw.githubusercontent.com/Kuanhao-Chao/OpenSpliceAI/v0.0.5/models/openspliceai-mane",
    "https://ftp.ccb.jhu.edu/pub/data/OpenSpliceAI/OSAI-MANE",
)
_PANGOLIN_HOME = (
    "https://raw.githubusercontent.com/tkzeng/Pangolin/5cf94b8db938c658391b4305cd7ce33297d44ff7/pangolin/models"
)


@dataclass(frozen=True, slots=True)
class Facts:
    """A shipped base model.

    Parameters
    ----------
    name, training_build, training_chromosomes, context, licence, channels
        As in `BaseModelInfo`.
    members
        Networks in its ensemble.
    terms
        What a user agrees to by using the weights, in a few sentences.
    citation
        The paper to cite.
    source
        How the weights get onto a machine.
    homes
        Addresses of the folders from which the weights can be fetched, the first one preferred; none where they cannot.
    """

    name: str
    training_build: str
    training_chromosomes: tuple[str, ...]
    context: int
    licence: str
    channels: tuple[str, ...]
    members: int
    terms: str
    citation: str
    source: str
    homes: tuple[str, ...] = ()


def _openspliceai(name: str, context: int, homes: tuple[str, ...]) -> Facts:
    fetched = f"`meta-spliceai basemodel fetch {name}`, or the folder of its five files as weights"
    return Facts(
        name=name,
        training_build="GRCh38",
        training_chromosomes=_SPLICEAI_SPLIT,
        context=context,
        licence="OpenSpliceAI weights and code: GPL-3.0",
        channels=TYPED_CHANNELS,
        members=5,
        terms=f"OpenSpliceAI's authors publish the weights under {_GPL}. You may use them for any purpose; whoever passes "
        "them on, changed or not, does so under the same licence.",
        citation="Chao, Mao, Liu, Pertea and Salzberg, OpenSpliceAI provides an efficient modular implementation of "
        "SpliceAI enabling easy retraining across nonhuman species, eLife 14:RP107454 (2025), "
        "https://doi.org/10.7554/eLife.107454",
        source=fetched if homes else "the folder of its five files as weights; no sums of these files are known here",
        homes=tuple(f"{home}/{context}nt" for home in homes),
    )


_FACTS = (
    Facts(
        name="spliceai",
        training_build="GRCh37",
        training_chromosomes=_SPLICEAI_SPLIT,
        context=10_000,
        licence="SpliceAI weights: CC BY-NC 4.0, code: PolyForm Strict 1.0.0; non-commercial use only",
        channels=TYPED_CHANNELS,
        members=5,
        terms="Illumina licenses the weights under CC BY-NC 4.0: non-commercial use only. Ask Illumina before any "
        "commercial use.",
        citation="Jaganathan et al., Predicting splicing from primary sequence with deep learning, Cell 176:535 (2019), "
        "https://doi.org/10.1016/j.cell.2018.12.015",
        source='`pip install "meta-spliceai[spliceai]"`, or the folder of spliceai1.h5 to spliceai5.h5 as weights',
    ),
    _openspliceai("openspliceai", 10_000, _OPENSPLICEAI_HOMES),
    _openspliceai("openspliceai_2000nt", 2_000, ()),
    _openspliceai("openspliceai_400nt", 400, _OPENSPLICEAI_HOMES),
    _openspliceai("openspliceai_80nt", 80, _OPENSPLICEAI_HOMES),
    Facts(
        name="pangolin",
        training_build="GRCh38",
        training_chromosomes=_SPLICEAI_SPLIT,
        context=10_000,
        licence="Pangolin weights and code: GPL-3.0",
        channels=tuple(f"{kind}{tissue}" for tissue in _TISSUES for kind in (SITE, USAGE)),
        members=24,
        terms=f"Pangolin's authors publish the weights under {_GPL}. You may use them for any purpose; whoever passes "
        "them on, changed or not, does so under the same licence.",
        citation="Zeng and Li, Predicting RNA splicing from DNA sequence using Pangolin, Genome Biology 23:103 (2022), "
        "https://doi.org/10.1186/s13059-022-02664-4",
        source="`meta-spliceai basemodel fetch pangolin`, or the folder of its 24 files as weights",
        homes=(_PANGOLIN_HOME,),
    ),
)
FACTS = {facts.name: facts for facts in _FACTS}
"""Facts by name, in the order in which they are listed."""


def weight_files(name: str, base_url: str | None = None) -> tuple[RemoteFile, ...]:
    """The weight files of a base model that can be fetched, by file name; none for any other.

    Parameters
    ----------
    base_url
        Address of the folder to fetch them from, instead of the known ones.
    """
    homes = FACTS[name].homes if name in FACTS else ()
    if base_url is not None:
        homes = (base_url.rstrip("/"),)
    return tuple(
        RemoteFile(
            name=row["file"],
            urls=tuple(f"{home}/{row['file']}" for home in homes),
            checksum=Checksum("sha256", row["sha256"]),
            bytes=int(row["bytes"]),
        )
        for row in _rows()
        if row["base_model"] == name
    )


@cache
def _rows() -> tuple[dict[str, str], ...]:
    text = importlib.resources.files(__package__).joinpath("weight_files.tsv").read_text(encoding="utf-8")
    return tuple(csv.DictReader(text.splitlines(), delimiter="\t"))
