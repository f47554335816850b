"""A folder is read on the caller's own thread only where no other machine can make that hang."""

import pytest

from connectors.kinds.mounts import is_local

MOUNTS = """\
/dev/vda / ext4 rw 0 0
proc /proc proc rw 0 0
office:/drop /mnt/office\\040share nfs4 rw 0 0
tmpfs /mnt/office\\040share/local tmpfs rw 0 0
broken line
"""


@pytest.mark.parametrize(
    ("folder", "local"),
    [
        ("/srv/drop", True),
        ("/mnt/office share", False),
        ("/mnt/office share/deep/down", False),
        ("/mnt/office share/local", True),
        ("/mnt/office shared", True),
        ("/proc/1", False),
    ],
)
def test_the_mount_that_is_deepest_above_a_folder_says_what_it_is(tmp_path, folder, local):
    (tmp_path / "mounts").write_text(MOUNTS)

    assert is_local(folder, tmp_path / "mounts") is local


def test_of_two_mounts_on_one_point_the_later_one_is_seen(tmp_path):
    (tmp_path / "mounts").write_text("/dev/vda /drop ext4 rw 0 0\noffice:/drop /drop nfs rw 0 0\n")

    assert not is_local("/drop/here", tmp_path / "mounts")


def test_a_link_is_followed_to_where_it_leads(tmp_path):
    (tmp_path / "share").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "share")
    (tmp_path / "mounts").write_text(f"/dev/vda / ext4 rw 0 0\no:/d {tmp_path}/share nfs rw 0 0\n")

    assert not is_local(tmp_path / "link", tmp_path / "mounts")


def test_where_the_kernel_lists_no_mounts_nothing_is_local(tmp_path):
    assert not is_local(tmp_path, tmp_path / "no such file")
