"""`python -m cifar_course` is `cifar-course`"""
import sys

from cifar_course.cli import main

if __name__ == "__main__":
    sys.exit(main())
