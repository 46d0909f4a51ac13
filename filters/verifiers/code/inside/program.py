"""In a sandbox: a whole program, with standard input and output as it would have them anywhere."""

from filters.verifiers.code.inside.begin import begin, module, same_chances


def main() -> None:
    """Run what was given as if it were the program that was started."""
    source = begin()
    same_chances(source)
    exec(compile(source, "solution.py", "exec"), module("__main__"))


if __name__ == "__main__":
    main()
