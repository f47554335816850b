"""An SFTP server on loopback over a folder, for one test: paramiko's own server side."""

import os
import socket
import threading
from contextlib import contextmanager

import paramiko


class _Login(paramiko.ServerInterface):
    def __init__(self, password: str, key) -> None:
        self.password = password
        self.key = key

    def check_auth_password(self, username, password):
        good = (username, password) == ("gateway", self.password)
        return paramiko.AUTH_SUCCESSFUL if good else paramiko.AUTH_FAILED

    def check_auth_publickey(self, username, key):
        return paramiko.AUTH_SUCCESSFUL if self.key and key == self.key else paramiko.AUTH_FAILED

    def check_channel_request(self, kind, chanid):
        return paramiko.OPEN_SUCCEEDED


class _Handle(paramiko.SFTPHandle):
    def stat(self):
        return paramiko.SFTPAttributes.from_stat(os.fstat(self.readfile.fileno()))


def _files(root, foul):
    class Files(paramiko.SFTPServerInterface):
        def list_folder(self, path):
            listed = []
            for place in root.iterdir():
                attributes = paramiko.SFTPAttributes.from_stat(place.stat())
                attributes.filename = place.name
                listed.append(attributes)
            for name in foul:
                attributes = paramiko.SFTPAttributes.from_stat(next(root.iterdir()).stat())
                attributes.filename = name
                listed.append(attributes)
            return listed

        def stat(self, path):
            return paramiko.SFTPAttributes.from_stat((root / path.rpartition("/")[2]).stat())

        lstat = stat

        def open(self, path, flags, attr):
            handle = _Handle(flags)
            handle.readfile = (root / path.rpartition("/")[2]).open("rb")
            return handle

    return Files


class SftpServer:
    def __init__(self, root, password="pass") -> None:
        self.root = root
        self.host_key = paramiko.ECDSAKey.generate()
        self.login = _Login(password, None)
        self.foul: list[str] = []
        self.connections = 0
        self._transports = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]

    @property
    def host_key_text(self) -> str:
        return f"{self.host_key.get_name()} {self.host_key.get_base64()}"

    def serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            transport = paramiko.Transport(connection)
            self._transports.append(transport)
            transport.add_server_key(self.host_key)
            transport.set_subsystem_handler("sftp", paramiko.SFTPServer, _files(self.root, self.foul))
            try:
                transport.start_server(server=self.login)
            except (paramiko.SSHException, EOFError, OSError):
                continue

    def cut(self) -> None:
        for transport in self._transports:
            transport.close()

    def close(self) -> None:
        if self._socket.fileno() >= 0:
            self._socket.shutdown(socket.SHUT_RDWR)
            self._socket.close()
        self.cut()


@contextmanager
def sftp_serving(root):
    server = SftpServer(root)
    thread = threading.Thread(target=server.serve, daemon=True)
    thread.start()
    yield server
    server.close()
    thread.join(5)
