from acme_core import __version__


def main() -> None:
    print("app on core", __version__)
