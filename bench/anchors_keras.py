"""SpliceAI's original Keras models over a FASTA file in blocks of 5,000 bases, as its authors' code runs them.

Called by `anchors.py` in an environment of its own, with keras, a TensorFlow or other backend, h5py and numpy:

    python anchors_keras.py genome.fa MODELS_FOLDER scores.npy
"""

from __future__ import annotations

import sys
from pathlib import Path

import keras
import numpy as np

BLOCK, CONTEXT = 5_000, 10_000
CODE = np.full(256, 4, dtype=np.uint8)
CODE[list(b"ACGTacgt")] = [0, 1, 2, 3, 0, 1, 2, 3]
ONE_HOT = np.vstack([np.eye(4, dtype=np.float32), np.zeros((1, 4), dtype=np.float32)])


def main() -> None:
    fasta, models, out = (Path(argument) for argument in sys.argv[1:])
    letters = b"".join(line for line in fasta.read_bytes().splitlines() if not line.startswith(b">"))
    codes = CODE[np.frombuffer(letters, dtype=np.uint8)]
    blocks = -(-codes.size // BLOCK)
    padded = np.full(blocks * BLOCK + CONTEXT, 4, dtype=np.uint8)
    padded[CONTEXT // 2 : CONTEXT // 2 + codes.size] = codes
    ensemble = [keras.models.load_model(models / f"spliceai{n}.h5", compile=False) for n in range(1, 6)]
    scores = np.empty((blocks * BLOCK, 3), dtype=np.float32)
    for start in range(0, blocks * BLOCK, BLOCK):
        window = ONE_HOT[padded[start : start + BLOCK + CONTEXT]][None]
        members = [model.predict(window, batch_size=1, verbose=0)[0] for model in ensemble]
        scores[start : start + BLOCK] = np.mean(members, axis=0)
    np.save(out, scores[: codes.size])


if __name__ == "__main__":
    main()
