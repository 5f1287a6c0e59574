"""python -m tests.sanitize_kernels [pytest's arguments]: the kernel tests, with addresses and undefined steps checked.

Kernels are built anew into a folder of their own, with g++'s sanitizers, of which the first must be in the process from
its beginning.
"""

import os
import subprocess
import sys
import tempfile

CHECKS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=undefined", "-fno-omit-frame-pointer", "-g", "-O1")


def main() -> int:
    if "SANITIZED" not in os.environ:
        asked = ["g++", "-print-file-name=libasan.so"]
        library = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
        with tempfile.TemporaryDirectory() as cache:
            environment = os.environ | {
                "SANITIZED": "1", "LD_PRELOAD": library, "ASAN_OPTIONS": "detect_leaks=0", "ZOO_CACHE": cache,
            }  # fmt: skip
            return subprocess.run(
                [sys.executable, "-m", "tests.sanitize_kernels", *sys.argv[1:]], env=environment
            ).returncode
    import pytest

    from zoo.kernels import build

    build.FLAGS += CHECKS
    return pytest.main(["-p", "no:cacheprovider", "tests/test_kernels.py", "tests/test_recurrences.py", *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
