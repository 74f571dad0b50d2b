"""Which file system a folder is on. LMDB maps its file into memory, which no network file system keeps consistent."""

from __future__ import annotations

import re
import sys
from pathlib import Path

_NETWORK = {
    "9p", "afs", "afpfs", "beegfs", "ceph", "cifs", "coda", "davfs", "glusterfs", "gpfs", "lustre", "ncpfs", "nfs",
    "nfs4", "ocfs2", "prl_fs", "smb2", "smb3", "smbfs", "vboxsf", "vmhgfs", "webdav",
}  # fmt: skip
_LOCAL_FUSE = {
    "fuseblk", "fuse.fuse-overlayfs", "fuse.gocryptfs", "fuse.encfs", "fuse.mergerfs", "fuse.ntfs-3g", "fuse.bindfs",
    "fuse.unionfs", "fuse.lxcfs", "fuse.apfs-fuse",
}  # fmt: skip


def network_file_system(folder: Path) -> str | None:
    """The kind of network file system that a folder is on; None for a local one, or where the system does not tell."""
    try:
        kind = _kind(folder.resolve())
    except OSError:
        return None
    return kind if kind is not None and is_network(kind) else None


def is_network(kind: str) -> bool:
    """Whether a file system of this name lies behind a network, or might."""
    return kind in _NETWORK or (kind.startswith("fuse") and kind not in _LOCAL_FUSE)


def _kind(folder: Path) -> str | None:
    if sys.platform == "linux":
        return kind_in(Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape"), folder)
    elif sys.platform == "win32":
        import ctypes

        remote = 4
        drive = ctypes.windll.kernel32.GetDriveTypeW(f"{folder.drive}\\")
        return "smb3" if drive == remote or folder.drive.startswith("\\\\") else None
    else:
        return None


def kind_in(mountinfo: str, folder: Path) -> str | None:
    """The type of the file system that a folder is on, by a text in the form of `/proc/self/mountinfo`, proc(5)."""
    best, kind = -1, None
    for line in mountinfo.splitlines():
        before, separator, after = line.partition(" - ")
        if not separator:
            continue
        place = re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), before.split(" ")[4])
        if folder.is_relative_to(place) and len(place) >= best:  # of several at one place, the last is on top
            best, kind = len(place), after.split(" ")[0]
    return kind
