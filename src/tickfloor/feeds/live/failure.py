"""What a group of tasks failed of."""


def first_of(error: BaseException) -> BaseException:
    """Return what a group of tasks failed of, if it is one thing."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error
