"""Whether a file changed since somebody read it."""

from pathlib import Path

Stamp = tuple[int, int, int] | None


def stamp_of(path: Path | None) -> Stamp:
    """Return what changes when the file does; taken before a read, so that a write during it shows later.

    None: there is no file, or it is out of reach.
    """
    try:
        status = path.stat() if path else None
    except OSError:
        return None
    return status and (status.st_mtime_ns, status.st_size, status.st_ino)
