"""Pangolin: three replicates of eight networks, whose weights are read from the files its authors publish; torch is not needed.

A file `final.{replicate}.{number}.3.v2` is a network of twelve outputs of which one is meant: an even number is the
probability of a site, the odd number after it the usage, in heart, liver, brain and testis (the table in
`scripts/custom_usage.py` of the project's public source; the architecture is in `pangolin/model.py` there, its
normalisation adds torch's default of 1e-5 to the variances). The site probability of a tissue is the second of two
outputs under a softmax, that is the sigmoid of their difference, which folds into one output.
"""

from __future__ import annotations

from pathlib import Path

from meta_spliceai.basemodel.catalogue import FACTS
from meta_spliceai.basemodel.engine import Ensemble, make_engine
from meta_spliceai.basemodel.layers import BLOCKS_PER_GROUP, FILTERS, GROUPS, Layer, NetworkLayers, folded
from meta_spliceai.basemodel.network import Network
from meta_spliceai.basemodel.options import DEFAULT_OPTIONS, EngineOptions
from meta_spliceai.basemodel.protocol import BaseModelInfo
from meta_spliceai.basemodel.torch_layers import TensorReader, existing_folder, read_networks
from meta_spliceai.basemodel.weights_home import weights_home
from meta_spliceai.errors import ModelError, first_few
from meta_spliceai.schema.features import SITE, USAGE

NAME = "pangolin"
LICENCE = FACTS[NAME].licence
REPLICATES = (1, 2, 3)
TISSUES = ("heart", "liver", "brain", "testis")
CHANNELS = tuple(f"{kind}{tissue}" for tissue in TISSUES for kind in (SITE, USAGE))
"""In the order of the numbers in the file names."""

_KIND = "Pangolin's"
_ACTION = f"run `meta-spliceai basemodel fetch {NAME}`, or give the folder of its 24 files as weights ({LICENCE})"


def load_pangolin(*, weights: Path | None = None, options: EngineOptions = DEFAULT_OPTIONS) -> Ensemble:
    """Load Pangolin.

    Parameters
    ----------
    weights
        Folder with the 24 files; by default where `basemodel fetch` puts them.
    options
        How the networks are executed.

    Raises
    ------
    ModelError
        The folder or a file is missing, unreadable, damaged, tries to run code, or is of another network.
    """
    networks, weights_fingerprint = read_pangolin(weights or weights_home(NAME))
    info = BaseModelInfo(
        name=NAME,
        training_build=FACTS[NAME].training_build,
        training_chromosomes=FACTS[NAME].training_chromosomes,
        context=networks[0].context,
        weights_fingerprint=weights_fingerprint,
        licence=LICENCE,
        channels=CHANNELS,
    )
    return Ensemble(make_engine(networks, options), info)


def read_pangolin(folder: Path) -> tuple[list[Network], str]:
    """The networks of the 24 files in `folder`, the replicates of a number one after the other, and their fingerprint."""
    existing_folder(folder, kind=_KIND, action=_ACTION)
    files = [folder / f"final.{replicate}.{number}.3.v2" for number in range(len(CHANNELS)) for replicate in REPLICATES]
    missing = [file.name for file in files if not file.is_file()]
    if missing:
        raise ModelError(f"{len(files)} weight files in {folder}", f"no {first_few(missing)}", _ACTION)
    return read_networks(files, _network, kind=_KIND, action=_ACTION)


def _network(tensors: TensorReader, file: Path) -> Network:
    number = int(file.name.split(".")[2])
    skips = [tensors.layer("skip", 1, FILTERS, FILTERS)]
    groups = []
    for group, (taps, _) in enumerate(GROUPS):
        groups.append(
            tuple(
                tensors.block(f"resblocks.{BLOCKS_PER_GROUP * group + i}", taps, normalisation="bn", convolution="conv")
                for i in range(BLOCKS_PER_GROUP)
            )
        )
        skips.append(tensors.layer(f"convs.{group}", 1, FILTERS, FILTERS))
    stem = tensors.layer("conv1", 1, 4, FILTERS)
    # All heads are read, so that a file of another network is noticed.
    heads = [_head(tensors, channel) for channel in range(len(CHANNELS))]
    tensors.check_all_read()
    return folded(NetworkLayers(stem, tuple(skips), tuple(groups), heads[number]), outputs=(CHANNELS[number],))


def _head(tensors: TensorReader, number: int) -> Layer:
    """The output layer of a channel, as one output before a sigmoid."""
    name = f"conv_last{number + 1}"
    if CHANNELS[number].startswith(USAGE):
        return tensors.layer(name, 1, FILTERS, 1)
    pair = tensors.layer(name, 1, FILTERS, 2)
    return Layer(pair.kernel[:, :, 1:] - pair.kernel[:, :, :1], pair.bias[1:] - pair.bias[:1])
