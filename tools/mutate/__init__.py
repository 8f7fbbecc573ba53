"""Plants small mistakes in the pure core, one at a time, and asks which the tests notice.

`core` says what is mutated and which tests are asked, `mutants` reads what mutmut found,
`equivalents` reads which mutants can't be noticed, and why. `python -m tools.mutate` does it all.
"""
