"""Does the wheel hold every file of the package?

    git ls-files PACKAGE | python .ci/wheel.py WHEEL

Prints what is missing, and fails if something is: records, templates and py.typed are no
modules, and setup.py must name them."""
import sys
import zipfile


def main():
    packed = set(zipfile.ZipFile(sys.argv[1]).namelist())
    committed = sys.stdin.read().split()
    missing = [path for path in committed if path not in packed]
    for path in missing:
        print(f"{path} is not in the wheel: see package_data in setup.py")
    if missing or not committed:
        return 1
    print(f"all {len(committed)} files of the package are in the wheel")
    return 0


if __name__ == "__main__":
    sys.exit(main())
