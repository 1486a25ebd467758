"""OpenSpliceAI: five networks per context, whose weights are read from the files its authors publish; torch is not needed.

The weight files hold no constants of the architecture. The slope of the activation, 0.1, and what is added to the
variances, 1e-5 (the default of torch's normalisation), stand in `openspliceai/train_base/openspliceai.py` of the
project's public source, and so does the order of the outputs: no site, acceptor, donor. The context follows from the number of
residual units: 4, 8, 12 or 16 of them see 80, 400, 2,000 or 10,000 bases.
"""

from __future__ import annotations

from pathlib import Path

from meta_spliceai.basemodel.catalogue import FACTS
from meta_spliceai.basemodel.engine import Ensemble, make_engine
from meta_spliceai.basemodel.layers import BLOCKS_PER_GROUP, FILTERS, GROUPS, NetworkLayers, folded
from meta_spliceai.basemodel.network import N_CHANNELS, Network
from meta_spliceai.basemodel.options import DEFAULT_OPTIONS, EngineOptions
from meta_spliceai.basemodel.protocol import BaseModelInfo
from meta_spliceai.basemodel.torch_layers import TensorReader, existing_folder, read_networks
from meta_spliceai.basemodel.weights_home import weights_home
from meta_spliceai.errors import ModelError

NAME = "openspliceai"
LICENCE = FACTS[NAME].licence
CONTEXT_OF = {"openspliceai_80nt": 80, "openspliceai_400nt": 400, "openspliceai_2000nt": 2_000}
"""Names under which one context only is loaded; `openspliceai` takes any."""
MEMBERS = 5

_SLOPE = 0.1


def load_openspliceai(
    *, name: str = NAME, weights: Path | None = None, options: EngineOptions = DEFAULT_OPTIONS
) -> Ensemble:
    """Load OpenSpliceAI's human models (trained on MANE, GRCh38).

    Parameters
    ----------
    name
        `openspliceai`, or a name with a context, one of `CONTEXT_OF`.
    weights
        Folder with the five `.pt` files of one context; by default where `basemodel fetch` puts them.
    options
        How the networks are executed.

    Raises
    ------
    ModelError
        The folder or a file is missing, unreadable, damaged, tries to run code, or is of another network or context.
    """
    action = (
        f"run `meta-spliceai basemodel fetch {name}`, or give the folder of its five .pt files as weights ({LICENCE})"
    )
    files = _weight_files(weights or weights_home(name), action)
    networks, weights_fingerprint = read_networks(files, _network, kind="OpenSpliceAI's", action=action)
    context = _context(networks, files, wanted=CONTEXT_OF.get(name), name=name)
    info = BaseModelInfo(
        name=name,
        training_build=FACTS[name].training_build,
        training_chromosomes=FACTS[name].training_chromosomes,
        context=context,
        weights_fingerprint=weights_fingerprint,
        licence=LICENCE,
    )
    return Ensemble(make_engine(networks, options), info)


def _weight_files(folder: Path, action: str) -> list[Path]:
    files = sorted(existing_folder(folder, kind="OpenSpliceAI's", action=action).glob("*.pt"))
    if len(files) != MEMBERS:
        raise ModelError(f"{MEMBERS} files *.pt of one context in {folder}", f"{len(files)}", action)
    return files


def _context(networks: list[Network], files: list[Path], *, wanted: int | None, name: str) -> int:
    """The context of all networks; a `ModelError` where they differ or it is not the wanted one."""
    contexts = {file.name: network.context for file, network in zip(files, networks, strict=True)}
    allowed = wanted or networks[0].context
    odd = [f"{file}: {context:,}" for file, context in contexts.items() if context != allowed]
    if odd:
        raise ModelError(
            f"weights for a context of {allowed:,} bases in {files[0].parent}",
            ", ".join(odd),
            f"give {name} the folder of the context it is for; `{NAME}` takes any context, one per folder",
        )
    return allowed


def _network(tensors: TensorReader, _: Path) -> Network:
    units = {name.split(".")[1] for name in tensors.names if name.startswith("residual_units.")}
    n_groups, rest = divmod(len(units), BLOCKS_PER_GROUP + 1)
    if rest or n_groups not in range(1, len(GROUPS) + 1):
        raise tensors.refusal(f"it has {len(units)} residual units and skips instead of 5, 10, 15 or 20")
    skips = [tensors.layer("initial_skip.conv", 1, FILTERS, FILTERS)]
    groups = []
    number = 0
    for taps, _dilation in GROUPS[:n_groups]:
        groups.append(
            tuple(
                tensors.block(f"residual_units.{number + i}", taps, normalisation="batchnorm", convolution="conv")
                for i in range(BLOCKS_PER_GROUP)
            )
        )
        number += BLOCKS_PER_GROUP
        skips.append(tensors.layer(f"residual_units.{number}.conv", 1, FILTERS, FILTERS))
        number += 1
    stem = tensors.layer("initial_conv", 1, 4, FILTERS)
    head = tensors.layer("final_conv", 1, FILTERS, N_CHANNELS)
    tensors.check_all_read()
    return folded(NetworkLayers(stem, tuple(skips), tuple(groups), head), slope=_SLOPE)
