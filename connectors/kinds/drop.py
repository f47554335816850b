"""Kind `drop`: a folder on an SFTP server whose host key is written in the source file."""

import base64
import binascii
import socket
import stat
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

import httpcore
import paramiko

from connectors.deadline import Deadline
from connectors.errors import SourceFault, SourceFileError
from connectors.kinds.http_wire import ForbiddenAddressError, ending_by, vetted
from connectors.kinds.mirror import RemoteFile
from connectors.kinds.refreshing import PeerError
from connectors.protocol import FailReason
from connectors.references import Resolver

T = TypeVar("T")

CONNECT_SECONDS = 10
READ_SECONDS = 30


class SftpPeer:
    """One connection, made anew where it broke. Used by one thread."""

    def __init__(self, reach: Mapping[str, Any], resolver: Resolver) -> None:
        """Take who and where.

        Raises:
            SourceFileError: a host key that is none, a reference without value.
        """
        self._host = resolver.resolve(reach["host"], "/reach/host")
        self._port: int = reach.get("port", 22)
        self._private: bool = reach.get("private", False)
        self._folder: str = reach["folder"]
        self._user = resolver.resolve(reach["user"], "/reach/user")
        self._password = resolver.resolve(reach["password"], "/reach/password") if "password" in reach else None
        self._key_file = resolver.resolve(reach["key"], "/reach/key") if "key" in reach else None
        self._host_key = _host_key(reach["host_key"])
        self._resolver = resolver
        self._client: Any = None
        self._sftp: Any = None

    def listing(self) -> dict[str, RemoteFile]:
        def listed(sftp: Any) -> dict[str, RemoteFile]:
            return {
                entry.filename: RemoteFile(
                    entry.st_size or 0, str(entry.st_mtime), datetime.fromtimestamp(entry.st_mtime or 0, UTC)
                )
                for entry in sftp.listdir_attr(self._folder)
                if stat.S_ISREG(entry.st_mode or 0)
            }

        return self._done(listed)

    def read(self, name: str, bytes_max: int) -> bytes:
        def content(sftp: Any) -> bytes:
            with sftp.open(f"{self._folder}/{name}", "rb") as file:
                file.prefetch(min(file.stat().st_size or 0, bytes_max + 1))
                return bytes(file.read(bytes_max + 1))

        return self._done(content)

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = self._sftp = None

    def _done(self, work: Callable[[Any], T]) -> T:
        is_kept = self._sftp is not None
        try:
            return work(self._sftp or self._connected())
        except paramiko.BadHostKeyException as error:
            self.close()
            raise PeerError(FailReason.MISCONFIGURED, "the server shows another host key") from error
        except (paramiko.AuthenticationException, FileNotFoundError, PermissionError) as error:
            self.close()
            raise PeerError(FailReason.MISCONFIGURED, type(error).__name__) from error
        except (TimeoutError, socket.timeout) as error:  # noqa: UP041  (paramiko raises either)
            self.close()
            raise PeerError(FailReason.TIMEOUT, "SFTP timed out") from error
        except ForbiddenAddressError as error:
            raise PeerError(FailReason.MISCONFIGURED, str(error)) from error
        except (paramiko.SSHException, OSError, EOFError) as error:
            self.close()
            if is_kept:  # it may have died while nobody asked
                return self._done(work)
            raise PeerError(FailReason.UNREACHABLE, self._resolver.blot_out(type(error).__name__)) from error

    def _connected(self) -> Any:
        try:
            with ending_by(Deadline.within(CONNECT_SECONDS)):
                address = vetted(self._host, self._port, private=self._private)[0]
        except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
            if isinstance(error, ForbiddenAddressError):
                raise
            raise OSError(str(error)) from error
        connection = socket.create_connection((str(address), self._port), CONNECT_SECONDS)
        client = paramiko.SSHClient()
        name = self._host if self._port == 22 else f"[{self._host}]:{self._port}"  # noqa: PLR2004  (SSH's own port)
        client.get_host_keys().add(name, self._host_key.get_name(), self._host_key)
        client.set_missing_host_key_policy(paramiko.RejectPolicy())
        try:
            client.connect(
                self._host,
                self._port,
                self._user,
                self._password,
                key_filename=self._key_file,
                sock=connection,
                allow_agent=False,
                look_for_keys=False,
                timeout=CONNECT_SECONDS,
                banner_timeout=CONNECT_SECONDS,
                auth_timeout=CONNECT_SECONDS,
            )
        except BaseException:
            client.close()
            connection.close()
            raise
        self._client, self._sftp = client, client.open_sftp()
        self._sftp.get_channel().settimeout(READ_SECONDS)
        return self._sftp


def _host_key(text: str) -> Any:
    kind, _, packed = text.partition(" ")
    try:
        return paramiko.PKey.from_type_string(kind, base64.b64decode(packed.split(" ")[0], validate=True))
    except (binascii.Error, paramiko.SSHException, ValueError, LookupError) as error:
        raise SourceFileError([SourceFault("/reach/host_key", "is no host key: write `ssh-ed25519 AAAA…`")]) from error
