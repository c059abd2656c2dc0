"""``python -m corrigible``: the command line, as torchrun starts it."""

from corrigible.cli import main

if __name__ == "__main__":
    main(prog_name="corrigible")
