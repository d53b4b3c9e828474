"""What a run was made with: versions, hardware, memory."""

import os
import platform
import resource
import sys
from importlib import metadata
from pathlib import Path

PACKAGES = ("retia", "numpy", "scipy", "pyarrow", "torch", "torch-geometric")


def versions() -> dict[str, str]:
    """The versions of Python and of the packages that decide a result; absent ones left out."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def hardware(accelerator: str | None = None) -> str:
    """One line: processor, cores, memory, accelerator."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    parts = [_processor(), f"{cores()} cores", f"{memory:.0f} GiB"]
    return ", ".join([*parts, accelerator] if accelerator else parts)[:300]


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def peak_rss_bytes() -> int:
    """The largest resident set of this process so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
    except OSError:
        return platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
