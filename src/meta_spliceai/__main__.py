"""`python -m meta_spliceai` is the `meta-spliceai` command."""

from meta_spliceai.cli import main

if __name__ == "__main__":
    main()
