"""Files of sequence motifs: a list of IUPAC words, or position weight matrices as MEME writes them (minimal format).

A list has one motif per line, `WORD` or `NAME<TAB>WORD`; U counts as T, lines that begin with # are comments. A MEME file
begins with `MEME version`; of each `MOTIF` only the letter-probability matrix is read.

Every motif becomes a matrix of weights and the score from which a stretch of sequence counts as an occurrence:

    word      weight 1 for an allowed base, 0 for another; all must be allowed
    matrix    log2((p + 0.001) / 1.004 / 0.25); at least 80 % of the way from the lowest to the highest possible score
"""

from __future__ import annotations

import gzip
import re
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from meta_spliceai.errors import InputError
from meta_spliceai.formats.bgzip import GZIP_MAGIC
from meta_spliceai.genome.sequences import UNKNOWN

IUPAC = {
    "A": "A", "C": "C", "G": "G", "T": "T", "R": "AG", "Y": "CT", "S": "CG", "W": "AT", "K": "GT", "M": "AC",
    "B": "CGT", "D": "AGT", "H": "ACT", "V": "ACG", "N": "ACGT",
}  # fmt: skip
LONGEST = 50
"""A longer motif would not fit the narrowest window."""

_BASES = "ACGT"
_PSEUDO, _BACKGROUND, _SHARE = 0.001, 0.25, 0.8
_NEVER = -1e6
_MEME = "MEME version"
_ROW_SUM = (0.98, 1.02)


@dataclass(frozen=True, slots=True)
class Motif:
    """A motif.

    Parameters
    ----------
    name
        Small letters, digits and underscores.
    weights
        Float64, shape (length, 5): of A, C, G, T and an unknown base, which no occurrence holds.
    threshold
        Least sum of weights of an occurrence.
    """

    name: str
    weights: npt.NDArray[np.float64]
    threshold: float

    @property
    def length(self) -> int:
        """Number of bases."""
        return int(self.weights.shape[0])


def read_motifs(path: Path) -> tuple[Motif, ...]:
    """Read a file of motifs, in its order.

    Raises
    ------
    InputError
        The file is missing, of neither kind or without motifs, or a motif cannot be; the line is named.
    """
    lines = _lines(path)
    first = next((text for _, text in lines), "")
    found = _matrices(path, lines) if first.startswith(_MEME) else [_word(path, line, text) for line, text in lines]
    if not found:
        raise _refused(path, "none")
    names = [motif.name for motif in found]
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise _refused(path, f"several motifs named {doubled[0]}")
    return tuple(found)


def _lines(path: Path) -> list[tuple[int, str]]:
    """Numbers (1-based) and texts of lines that say something."""
    try:
        raw = path.read_bytes()
        content = (gzip.decompress(raw) if raw.startswith(GZIP_MAGIC) else raw).decode()
    except FileNotFoundError as error:
        raise InputError(f"a file of motifs {path}", "there is none", "check the path") from error
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise _refused(path, str(error).splitlines()[0]) from error
    stripped = ((number, line.strip()) for number, line in enumerate(content.splitlines(), 1))
    return [(number, line) for number, line in stripped if line and not line.startswith("#")]


def _word(path: Path, line: int, text: str) -> Motif:
    name, separator, word = text.rpartition("\t")
    letters = word.strip().upper().replace("U", "T")
    if not letters or any(letter not in IUPAC for letter in letters) or (separator and not name.strip()):
        raise _refused(path, f"line {line}: {text!r}")
    weights = np.zeros((len(letters), UNKNOWN + 1))
    for place, letter in enumerate(letters):
        weights[place, [_BASES.index(base) for base in IUPAC[letter]]] = 1
    return _checked(path, line, Motif(_plain(name or letters), weights, float(len(letters))))


def _matrices(path: Path, lines: list[tuple[int, str]]) -> list[Motif]:
    found: list[Motif] = []
    name, rows, wanted = "", list[list[float]](), 0
    for line, text in lines:
        if text.startswith("MOTIF"):
            name = "_".join(text.split()[1:2])
        elif text.startswith("letter-probability matrix"):
            width = re.search(r"w=\s*(\d+)", text)
            if not name or width is None:
                raise _refused(path, f"line {line}: a matrix without a name or width")
            rows, wanted = [], int(width[1])
        elif len(rows) < wanted:
            rows.append(_probabilities(path, line, text))
            if len(rows) == wanted:
                found.append(_checked(path, line, _of_matrix(name, np.array(rows))))
                name, wanted = "", 0
    if wanted or name:
        raise _refused(path, f"motif {name} without a whole matrix")
    return found


def _probabilities(path: Path, line: int, text: str) -> list[float]:
    try:
        row = [float(word) for word in text.split()]
    except ValueError:
        row = []
    if len(row) != len(_BASES) or min(row) < 0 or not _ROW_SUM[0] <= sum(row) <= _ROW_SUM[1]:
        raise _refused(path, f"line {line}: {text!r} instead of four probabilities")
    return row


def _of_matrix(name: str, probabilities: npt.NDArray[np.float64]) -> Motif:
    odds = np.log2((probabilities + _PSEUDO) / (1 + len(_BASES) * _PSEUDO) / _BACKGROUND)
    lowest, highest = float(odds.min(axis=1).sum()), float(odds.max(axis=1).sum())
    never = np.full((odds.shape[0], 1), _NEVER)
    return Motif(_plain(name), np.hstack([odds, never]), lowest + _SHARE * (highest - lowest))


def _checked(path: Path, line: int, motif: Motif) -> Motif:
    if not motif.name or motif.length > LONGEST:
        found = f"{motif.length} bases" if motif.name else "a name without letters or digits"
        raise _refused(path, f"line {line}: {found}")
    return motif


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


def _refused(path: Path, found: str) -> InputError:
    return InputError(
        expected=f"motifs of 1 to {LONGEST} bases in {path}: IUPAC words, one per line, NAME<TAB>WORD, or MEME's minimal format",
        found=found,
        action="correct the file; names must differ in letters and digits",
    )
