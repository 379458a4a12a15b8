"""Keep what is in the server's memory in there: homes' keys and passwords pass through it."""

import ctypes
import os
import resource

_PR_SET_DUMPABLE = 4  # prctl(2)


def forbid() -> None:
    """Let this process leave no core dump, nor be looked into by others of its user.

    Raises: OSError when the kernel refuses.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # The limit alone does not hold where cores are piped to a program: core(5).
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
