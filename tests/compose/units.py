"""The units of deploy/systemd under a real systemd, in a container that stands for a machine."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.compose.engine import Engine, EngineError
from tests.compose.images import OURS, ROOT, STANDINS
from tests.operation.guide import MADE_BY_COMPOSE, blocks

IMAGE = "ipx-standin-machine"
NAME = "ipx-machine"
READY_SECONDS = 60.0


class Machine:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def run(self, *words: str) -> str:
        return self._engine.docker("exec", NAME, *words)

    def guide(self, name: str) -> str:
        """Run a block of the guide in the folder that holds deploy/.

        Raises:
            EngineError: a line of it failed.
        """
        script = blocks()[f"{MADE_BY_COMPOSE}{name}"]
        return self._engine.docker("exec", "--workdir", "/", NAME, "bash", "-euo", "pipefail", "-c", script)

    def await_up(self) -> None:
        """Wait until systemd has started all that it starts.

        Raises:
            EngineError: it has not.
        """
        self._await("systemctl", "is-system-running", "--wait")

    def await_ready(self) -> None:
        """Wait until the node takes exchanges.

        Raises:
            EngineError: it does not; the message holds what the journal says.
        """
        try:
            self._await("curl", "--fail", "--silent", "http://127.0.0.1:8080/readyz")
        except EngineError as error:
            said = self.run("journalctl", "--no-pager", "--unit", "ipx-gateway")
            raise EngineError(said[-3000:]) from error

    def _await(self, *words: str) -> None:
        give_up = time.monotonic() + READY_SECONDS
        while True:
            try:
                self.run(*words)
            except EngineError:
                if time.monotonic() > give_up:
                    raise
                time.sleep(0.3)
            else:
                return

    def property_of(self, unit: str, name: str) -> str:
        return self.run("systemctl", "show", "--value", "--property", name, unit).strip()


@contextmanager
def machine(engine: Engine) -> Iterator[Machine]:
    """Start it, and remove it when the block ends.

    Raises:
        EngineError: systemd does not run in a container here.
    """
    engine.docker(
        *("build", "--tag", IMAGE, "--build-arg", f"OURS={OURS}", "--file", "systemd.Dockerfile", "."), folder=STANDINS
    )
    rights = ["--cap-add", "SYS_ADMIN", "--security-opt", "seccomp=unconfined", "--security-opt", "apparmor=unconfined"]
    places = ["--cgroupns", "host", "--volume", "/sys/fs/cgroup:/sys/fs/cgroup:rw"]
    memory = [word for folder in ("/run", "/run/lock", "/tmp") for word in ("--tmpfs", folder)]
    engine.docker("run", "--detach", "--rm", "--name", NAME, *rights, *places, *memory, IMAGE)
    try:
        engine.docker("cp", str(ROOT / "deploy"), f"{NAME}:/deploy")
        started = Machine(engine)
        started.await_up()
        yield started
    finally:
        engine.docker("rm", "--force", NAME)
