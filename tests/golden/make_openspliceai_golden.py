"""Make the known answers of `openspliceai`, `openspliceai_400nt` and `openspliceai_80nt` with torch.

The network is written here as it is published, with padded convolutions and nothing folded, and shares no code with the
package. It needs torch, which the package does not, and the weights:

    python -m venv golden-env
    golden-env/bin/pip install torch==2.13.0 numpy
    golden-env/bin/python tests/golden/make_openspliceai_golden.py ../shared/data/weights/openspliceai-mane
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from known_answer import load, one_hot, real_sequence, write
from torch import nn

FILTERS = 32
LAYOUT = {80: [(11, 1)], 400: [(11, 1), (11, 4)], 10_000: [(11, 1), (11, 4), (21, 10), (41, 25)]}
"""Taps and dilation of each four residual units, by context."""
NAMES = {80: "openspliceai_80nt", 400: "openspliceai_400nt", 10_000: "openspliceai"}
ACCEPTOR, DONOR = 1, 2


class Unit(nn.Module):
    def __init__(self, taps: int, dilation: int) -> None:
        super().__init__()
        self.batchnorm1, self.batchnorm2 = nn.BatchNorm1d(FILTERS), nn.BatchNorm1d(FILTERS)
        self.conv1, self.conv2 = (
            nn.Conv1d(FILTERS, FILTERS, taps, dilation=dilation, padding="same") for _ in range(2)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for normalise, convolve in ((self.batchnorm1, self.conv1), (self.batchnorm2, self.conv2)):
            x = convolve(nn.functional.leaky_relu(normalise(x), 0.1))
        return x


class Skip(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(FILTERS, FILTERS, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(x)


class Published(nn.Module):
    def __init__(self, context: int) -> None:
        super().__init__()
        self.context = context
        self.initial_conv, self.initial_skip = nn.Conv1d(4, FILTERS, 1), Skip()
        self.residual_units = nn.ModuleList()
        for taps, dilation in LAYOUT[context]:
            self.residual_units.extend([*(Unit(taps, dilation) for _ in range(4)), Skip()])
        self.final_conv = nn.Conv1d(FILTERS, 3, 1)

    def forward(self, bases: torch.Tensor) -> torch.Tensor:
        x = self.initial_conv(bases)
        skipped = self.initial_skip(x)
        for layer in self.residual_units:
            if isinstance(layer, Skip):
                skipped = skipped + layer(x)
            else:
                x = x + layer(x)
        half = self.context // 2
        return self.final_conv(skipped[:, :, half:-half]).softmax(dim=1)


@torch.no_grad()
def main(weights: Path) -> None:
    for context, name in NAMES.items():
        files = sorted((weights / f"{context}nt").glob("*.pt"))
        sequence = real_sequence(context)
        members = np.stack([load(Published(context), file)(one_hot(sequence))[0].double().numpy() for file in files])
        donor, acceptor = members[:, DONOR], members[:, ACCEPTOR]
        write(
            name,
            made_by="the published architecture of OpenSpliceAI, written anew in tests/golden/make_openspliceai_golden.py",
            files=files,
            sequence=sequence,
            channels={
                "donor": donor.mean(axis=0),
                "acceptor": acceptor.mean(axis=0),
                "spread": (donor + acceptor).std(axis=0),
            },
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
