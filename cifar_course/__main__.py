"""`python -m cifar_course` is `cifar-course`"""

from cifar_course.cli import program

if __name__ == "__main__":
    program()
