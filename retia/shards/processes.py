"""Whether what a process left behind still has an owner."""

import os


def is_alive(pid: int) -> bool:
    """Whether another process has this id; this one's own id was a dead process's before."""
    if pid == os.getpid():
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
