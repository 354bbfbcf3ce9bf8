import sys

from .warm import served

if __name__ == "__main__":
    status = served()
    if status is None:
        from .cli import main

        main()
    sys.exit(status)
