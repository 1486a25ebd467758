"""Make the known answer of `pangolin` with torch.

The network is written here as it is published, with padded convolutions, all twelve outputs and nothing folded, and
shares no code with the package. It needs torch, which the package does not, and the weights:

    python -m venv golden-env
    golden-env/bin/pip install torch==2.13.0 numpy
    golden-env/bin/python tests/golden/make_pangolin_golden.py ../shared/data/weights/pangolin
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from known_answer import load, one_hot, real_sequence, write
from torch import nn

CONTEXT, FILTERS = 10_000, 32
LAYOUT = [(11, 1)] * 4 + [(11, 4)] * 4 + [(21, 10)] * 4 + [(41, 25)] * 4
OUTPUT = {
    "site_heart": 1,
    "usage_heart": 2,
    "site_liver": 4,
    "usage_liver": 5,
    "site_brain": 7,
    "usage_brain": 8,
    "site_testis": 10,
    "usage_testis": 11,
}
"""Which of the twelve outputs is meant, in the order of the numbers in the file names."""


class ResBlock(nn.Module):
    def __init__(self, taps: int, dilation: int) -> None:
        super().__init__()
        self.bn1, self.bn2 = nn.BatchNorm1d(FILTERS), nn.BatchNorm1d(FILTERS)
        self.conv1, self.conv2 = (
            nn.Conv1d(FILTERS, FILTERS, taps, dilation=dilation, padding="same") for _ in range(2)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.conv2(self.bn2(self.conv1(self.bn1(x).relu())).relu())


class Published(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.skip = nn.Conv1d(4, FILTERS, 1), nn.Conv1d(FILTERS, FILTERS, 1)
        self.resblocks = nn.ModuleList(ResBlock(taps, dilation) for taps, dilation in LAYOUT)
        self.convs = nn.ModuleList(nn.Conv1d(FILTERS, FILTERS, 1) for _ in range(4))
        for head in range(1, 9):
            self.add_module(f"conv_last{head}", nn.Conv1d(FILTERS, 2 if head % 2 else 1, 1))

    def forward(self, bases: torch.Tensor) -> torch.Tensor:
        x = self.conv1(bases)
        skipped = self.skip(x)
        for number, block in enumerate(self.resblocks):
            x = block(x)
            if number % 4 == 3:
                skipped = skipped + self.convs[number // 4](x)
        skipped = skipped[:, :, CONTEXT // 2 : -CONTEXT // 2]
        logits = [self.get_submodule(f"conv_last{head}")(skipped) for head in range(1, 9)]
        return torch.cat([values.softmax(dim=1) if values.shape[1] == 2 else values.sigmoid() for values in logits], 1)


@torch.no_grad()
def main(weights: Path) -> None:
    files = [weights / f"final.{replicate}.{number}.3.v2" for number in range(8) for replicate in (1, 2, 3)]
    sequence = real_sequence(CONTEXT)
    bases = one_hot(sequence)
    channels: dict[str, np.ndarray] = {}
    spreads = []
    for number, (channel, output) in enumerate(OUTPUT.items()):
        replicates = [load(Published(), file)(bases)[0, output] for file in files[3 * number :][:3]]
        values = np.stack([replicate.double().numpy() for replicate in replicates])
        channels[channel] = values.mean(axis=0)
        if channel.startswith("site_"):
            spreads.append(values.std(axis=0))
    write(
        "pangolin",
        made_by="the published architecture of Pangolin, written anew in tests/golden/make_pangolin_golden.py",
        files=files,
        sequence=sequence,
        channels={**channels, "spread": np.mean(spreads, axis=0)},
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
