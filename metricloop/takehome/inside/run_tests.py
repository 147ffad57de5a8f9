"""Run the application's own tests with pytest, without plugins and without settings of the application.

usage: FILE FOLDER
"""

import os
import sys


def main(folder):
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    os.environ["MODEL"] = "model"
    with open("metricloop_pytest.ini", "w") as file:
        file.write("[pytest]\n")
    import pytest

    plain = ["-q", "--tb=native", "-p", "no:cacheprovider", "-c", "metricloop_pytest.ini", "--rootdir", "."]
    sys.exit(pytest.main([*plain, folder]))


if __name__ == "__main__":
    main(*sys.argv[1:])
