import sys

from .cli.fork_server import served

if __name__ == "__main__":
    status = served()
    if status is None:
        from .cli.app import main

        main()
    sys.exit(status)
