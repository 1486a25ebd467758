"""What meta-models are worth on a base pass: every set of its base models measured, in one table and one file.

steps     the runs that it takes, one after another, each resumed where it was interrupted
numbers   what they measured, as one JSON object
page      that object as Markdown
picture   the same as a picture
run       all of it: the command `results`
"""

from meta_spliceai.results.run import ResultsMade, results

__all__ = ["ResultsMade", "results"]
