"""Where a floor listens: its owner's alone, never in another's way, and gone with it."""

import fcntl
import os
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tickfloor.supervisor.control import address
from tickfloor.supervisor.control.address import ControlSocketError
from tickfloor.supervisor.control.listening import ListeningSocket


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def environment(tmp_path):
    return {"XDG_RUNTIME_DIR": str(tmp_path)}


def dead_socket(path):
    """Leave what a killed floor leaves."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.bind(str(path))


def test_the_folder_is_that_of_the_session_or_one_at_home(tmp_path):
    assert address.folder({"XDG_RUNTIME_DIR": "/run/user/1000", "HOME": "/home/me"}).as_posix() == (
        "/run/user/1000/tickfloor"
    )
    assert address.folder({"XDG_RUNTIME_DIR": "", "HOME": "/home/me"}).as_posix() == "/home/me/.tickfloor/run"
    assert address.folder({"XDG_RUNTIME_DIR": "relative", "HOME": "/home/me"}).as_posix() == "/home/me/.tickfloor/run"
    with pytest.raises(ControlSocketError, match="neither XDG_RUNTIME_DIR nor HOME names a folder"):
        address.folder({"XDG_RUNTIME_DIR": "", "HOME": ""})


def test_a_floor_that_was_started_outside_the_session_is_found_too(tmp_path):
    service = ListeningSocket.of_user({"HOME": str(tmp_path)})
    session = ListeningSocket.of_user({"HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)})
    found = address.sockets({"HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)})
    assert found == [session.path, service.path]
    for listening in (service, session):
        listening.close()


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o777])
def test_folder_and_socket_are_their_owners_alone_whatever_the_umask(environment, mask):
    before = os.umask(mask)
    try:
        listening = ListeningSocket.of_user(environment)
        assert os.umask(mask) == mask
    finally:
        os.umask(before)
    assert (mode(listening.path.parent), mode(listening.path)) == (0o700, 0o600)
    listening.close()


def test_a_folder_that_is_open_to_others_is_closed_to_them(environment):
    folder = address.folder(environment)
    folder.mkdir()
    folder.chmod(0o755)
    listening = ListeningSocket.of_user(environment)
    assert mode(folder) == 0o700
    listening.close()


def test_a_folder_of_another_user_is_refused(environment):
    if os.geteuid() != 0:
        pytest.skip("only root can give a folder away")
    folder = address.folder(environment)
    folder.mkdir()
    os.chown(folder, 12_345, 12_345)
    with pytest.raises(ControlSocketError, match="belongs to user 12345; set XDG_RUNTIME_DIR"):
        ListeningSocket.of_user(environment)


def test_a_folder_that_cannot_be_made_is_an_error_that_says_what_to_set(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ControlSocketError, match="set control_socket to a path"):
        ListeningSocket.of_user({"XDG_RUNTIME_DIR": str(tmp_path / "file")})


def test_two_floors_of_a_user_do_not_meet_and_the_kernel_says_whose_they_are(environment):
    first, second = ListeningSocket.of_user(environment), ListeningSocket.of_user(environment)
    assert sorted([first.path, second.path]) == address.sockets(environment)
    assert address.listener(first.path) == address.listener(second.path) == os.getpid()
    first.close()
    assert address.sockets(environment) == [second.path]
    second.close()
    assert list(address.folder(environment).iterdir()) == []


def test_what_a_killed_floor_leaves_is_removed_by_the_next(environment):
    program = (
        "import os, signal\n"
        "from tickfloor.supervisor.control.listening import ListeningSocket\n"
        "listening = ListeningSocket.of_user(os.environ)\n"
        "print(listening.path, flush=True)\n"
        "signal.pause()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], env=os.environ | environment, stdout=subprocess.PIPE, text=True
    ) as floor:
        left = Path(floor.stdout.readline().strip())
        assert address.sockets(environment) == [left]
        assert address.listener(left) == floor.pid
        floor.send_signal(signal.SIGKILL)
    assert address.listener(left) is None
    assert left.exists()
    listening = ListeningSocket.of_user(environment)
    assert address.sockets(environment) == [listening.path]
    listening.close()


def test_only_dead_sockets_are_removed(environment):
    folder = address.folder(environment)
    folder.mkdir()
    (folder / "notes.sock").write_text("mine")
    dead_socket(folder / "1-dead.sock")
    living = ListeningSocket.of_user(environment)
    other = ListeningSocket.of_user(environment)
    assert {path.name for path in folder.iterdir()} == {"notes.sock", living.path.name, other.path.name}
    living.close()
    other.close()


# A path that somebody has chosen


def test_a_chosen_path_is_its_owners_alone_and_its_folder_is_made(tmp_path):
    listening = ListeningSocket.at(tmp_path / "deep" / "floor.sock")
    assert (mode(tmp_path / "deep"), mode(listening.path)) == (0o700, 0o600)
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["floor.sock"]
    listening.close()
    assert list((tmp_path / "deep").iterdir()) == []


def test_a_chosen_path_where_a_floor_listens_is_refused_and_left_alone(tmp_path):
    listening = ListeningSocket.at(tmp_path / "floor.sock")
    with pytest.raises(ControlSocketError, match=rf"a floor listens there already \(pid {os.getpid()}\)"):
        ListeningSocket.at(tmp_path / "floor.sock")
    assert address.listener(listening.path) == os.getpid()
    listening.close()


def test_a_chosen_path_with_a_dead_socket_is_taken_over(tmp_path):
    dead_socket(tmp_path / "floor.sock")
    listening = ListeningSocket.at(tmp_path / "floor.sock")
    assert address.listener(listening.path) == os.getpid()
    listening.close()


def test_a_file_at_a_chosen_path_is_refused_and_left_alone(tmp_path):
    (tmp_path / "floor.sock").write_text("mine")
    with pytest.raises(ControlSocketError, match="is there and is no socket"):
        ListeningSocket.at(tmp_path / "floor.sock")
    assert (tmp_path / "floor.sock").read_text() == "mine"


def test_of_two_that_start_at_one_path_at_once_one_is_told(tmp_path):
    held = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    with pytest.raises(ControlSocketError, match="another floor is just starting here"):
        ListeningSocket.at(tmp_path / "floor.sock")
    os.close(held)


def test_a_path_that_is_too_long_for_a_unix_socket_says_so(tmp_path):
    path = tmp_path / ("x" * 100) / "floor.sock"
    with pytest.raises(ControlSocketError, match=r"may have 107 bytes and this has \d+; set control_socket"):
        ListeningSocket.at(path)
    assert not path.parent.exists()
    with pytest.raises(ControlSocketError, match="may have 107 bytes"):
        ListeningSocket.of_user({"XDG_RUNTIME_DIR": str(path.parent)})


def test_closing_leaves_what_another_has_put_there(tmp_path):
    listening = ListeningSocket.at(tmp_path / "floor.sock")
    listening.path.unlink()
    listening.path.write_text("mine")
    listening.close()
    assert listening.path.read_text() == "mine"
    gone = ListeningSocket.at(tmp_path / "gone.sock")
    gone.path.unlink()
    gone.close()
