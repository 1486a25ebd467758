"""How fast an annotation is parsed, against just reading (and decompressing) the same file in the same run.

    python bench/gtf_parsing.py [--annotation ANNOTATION.gtf.gz] [--lines 3500000]

makes a file of that many lines (3.5 million: the size of GENCODE's full file) by repeating the annotation with changed
ids and contigs, with the other rows (CDS, UTR, codons) and attributes that GENCODE has, and measures it in processes of
their own, so that the peak memory is that of the parser alone.
"""

from __future__ import annotations

import argparse
import gzip
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

GENCODE_LINES = 3_500_000
EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "chr3_42M" / "annotation.gtf.gz"
FILLER = (
    ' transcript_type "protein_coding"; transcript_name "XXXX-201"; level 2; protein_id "ENSP00000000000.1"; '
    'transcript_support_level "1"; hgnc_id "HGNC:00000"; tag "basic"; tag "Ensembl_canonical"; tag "MANE_Select"; '
    'tag "appris_principal_1"; tag "CCDS"; ccdsid "CCDS00000.1"; havana_gene "OTTHUMG00000000000.1"; '
    'havana_transcript "OTTHUMT00000000000.1";'
)


def make_file(annotation: Path, lines: int, out: Path) -> None:
    """Write `lines` lines; copy n lies on contigs of its own and its ids end in `xn`."""
    with gzip.open(annotation, "rt") as stream:
        rows = [line.rstrip("\n").split("\t") for line in stream if not line.startswith("#")]
    written = copy = 0
    with gzip.open(out, "wt", compresslevel=4) as stream:
        while written < lines:
            for chrom, source, kind, start, end, score, strand, phase, attributes in rows:
                changed = attributes.replace('";', f'x{copy}";', 3 if kind != "gene" else 1) + FILLER
                head = f"{chrom}x{copy}\t{source}\t"
                tail = f"\t{start}\t{end}\t{score}\t{strand}\t{phase}\t{changed}\n"
                kinds = (kind, "CDS") if kind == "exon" else (kind,)
                stream.writelines(f"{head}{kind}{tail}" for kind in kinds)
                written += len(kinds)
                if written >= lines:
                    break
            copy += 1


def read_only(path: Path) -> int:
    """Bytes of the content."""
    size = 0
    with gzip.open(path, "rb") as stream:
        while block := stream.read(1 << 24):
            size += len(block)
    return size


def parse(path: Path) -> int:
    """Exons of the parsed annotation."""
    from meta_spliceai.formats.annotation import read_annotation

    return read_annotation(path).exons.height


def measure(task: str, path: Path) -> dict[str, float]:
    """Seconds, peak memory in MB and the count of one task, in a process of its own."""
    command = [sys.executable, __file__, "--task", task, "--annotation", str(path)]
    found: dict[str, float] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--annotation", type=Path, default=EXAMPLE)
    parser.add_argument("--lines", type=int, default=GENCODE_LINES)
    parser.add_argument("--task", choices=["read", "parse"])
    options = parser.parse_args()
    if options.task:
        start = time.perf_counter()
        count = {"read": read_only, "parse": parse}[options.task](options.annotation)
        seconds = time.perf_counter() - start
        scale = 1e6 if sys.platform == "darwin" else 1e3
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / scale
        print(json.dumps({"seconds": seconds, "peak_mb": peak, "count": count}))
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "annotation.gtf.gz"
        make_file(options.annotation, options.lines, path)
        read, parsed = measure("read", path), measure("parse", path)
    print(f"file     {options.lines:,} lines, {read['count'] / 1e6:,.0f} MB uncompressed")
    print(f"reading  {read['seconds']:.1f} s")
    print(f"parsing  {parsed['seconds']:.1f} s, {parsed['count']:,.0f} exons, peak memory {parsed['peak_mb']:,.0f} MB")
    print(f"ratio    {parsed['seconds'] / read['seconds']:.2f} (parsing : reading)")


if __name__ == "__main__":
    main()
