"""deploy/compose.yaml as an operator runs it: by the lines of docs/operators.md, in a folder of this run's own."""

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.bench.figures import say
from tests.compose.engine import PROJECT, Engine, EngineError
from tests.compose.images import OURS, ROOT
from tests.operation.front import HOST, Authority
from tests.operation.guide import MADE_BY_COMPOSE, blocks

HEALTHY_SECONDS = 180.0
INSIDE = Path(__file__).resolve().parent / "inside.py"
USER = 10001


class Deployment:
    """The services of one folder; `world` holds the sample agencies' keys, and what they ask for."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self.engine = engine
        self.folder = folder / "deploy"
        self._world = folder / "world"

    def prepare(self) -> None:
        """Copy what is deployed, and issue the certificates that an operator would bring."""
        shutil.copytree(ROOT / "deploy", self.folder)
        file = self.folder / "compose.yaml"
        text = file.read_text("utf-8")
        # For nobody outside this machine, and whatever ports are free.
        for port in (443, 80):
            assert f"0.0.0.0:{port}:{port}" in text
            text = text.replace(f"0.0.0.0:{port}:{port}", f"127.0.0.1::{port}")
        file.write_text(text)
        self._world.mkdir()
        shutil.chown(self._world, USER)
        certificates = self.folder / "tls"
        certificates.mkdir()
        certificate, key = Authority(certificates, "ca").issue(HOST, is_server=True)
        certificate.rename(certificates / "gateway.pem")
        key.rename(certificates / "gateway.key")
        Authority(certificates, "clients-ca")

    def guide(self, name: str) -> str:
        """Run a block of the guide in the folder.

        Raises:
            EngineError: a line of it failed.
        """
        return self.engine.shell(blocks()[f"{MADE_BY_COMPOSE}{name}"], self.folder)

    def compose(self, *words: str) -> str:
        return self.engine.compose(self.folder, *words)

    def register(self) -> None:
        """Register the sample world by the settings of the worker, and put its sources where nodes read them."""
        script = ["-v", f"{INSIDE}:/inside.py:ro", "-v", f"{self._world}:/world"]
        trust = ["-e", "IPX_TRUST_KEY=/etc/ipx/keys/trust.pem"]
        self.compose("run", "--rm", *script, *trust, "--entrypoint", "python", "worker", "/inside.py", "register")
        shutil.copytree(self._world / "world" / "sources", self.folder / "sources", dirs_exist_ok=True)

    def caller(self, name: str, *words: str) -> list[str]:
        """Give the words after `docker` that run an agency's system, outside of the network of the nodes."""
        [nginx] = json.loads(self.engine.docker("inspect", self.compose("ps", "--quiet", "nginx").strip()))
        networks = nginx["NetworkSettings"]["Networks"]
        outward = next(name for name in networks if name.endswith("_outward"))
        volumes = {INSIDE: "/inside.py", self._world: "/world", self.folder / "tls" / "ca.pem": "/ca.pem"}
        return [
            *(
                "run",
                "--rm",
                "--name",
                name,
                "--network",
                outward,
                "--add-host",
                f"{HOST}:{networks[outward]['IPAddress']}",
            ),
            *(word for here, there in volumes.items() for word in ("--volume", f"{here}:{there}:ro")),
            *("--env", "SSL_CERT_FILE=/ca.pem", "--entrypoint", "python", OURS, "/inside.py", *words),
        ]

    def ask(self) -> str:
        return self.engine.docker(*self.caller("ipx-asks", "ask")).strip()

    def status_of(self, path: str) -> int:
        """Ask the proxy by its published port, from this machine."""
        port = self.compose("port", "nginx", "443").strip().rpartition(":")[2]
        where = ["--resolve", f"{HOST}:{port}:127.0.0.1", "--cacert", str(self.folder / "tls" / "ca.pem")]
        asked = ["curl", "--silent", "--output", "/dev/null", "--write-out", "%{http_code}", *where]
        done = subprocess.run([*asked, f"https://{HOST}:{port}{path}"], capture_output=True, check=False, timeout=60)
        return int(done.stdout or 0)

    def await_healthy(self, *services: str) -> None:
        """Wait until every container of these says that it is well.

        Raises:
            EngineError: one does not in time; the message holds its last words.
        """
        give_up = time.monotonic() + HEALTHY_SECONDS
        while unwell := [name for name in services if self.told(name, ".State.Health.Status") != "healthy"]:
            if time.monotonic() > give_up:
                words = self.compose("logs", "--tail", "20", *unwell)
                raise EngineError(f"not healthy after {HEALTHY_SECONDS:.0f} s: {', '.join(unwell)}\n{words}")
            time.sleep(0.5)

    def take_down(self) -> None:
        """End and remove all containers, networks and volumes, whatever the folder's settings say by then."""
        wanted = f"--filter=label=com.docker.compose.project={PROJECT}"
        for kind, list_words, remove_words in (
            ("container", ("ls", "--all"), ("rm", "--force", "--volumes")),
            ("network", ("ls",), ("rm",)),
            ("volume", ("ls",), ("rm",)),
        ):
            names = self.engine.docker(kind, *list_words, "--quiet", wanted).split()
            if names:
                self.engine.docker(kind, *remove_words, *names)

    def told(self, service: str, what: str) -> str:
        """Give what the engine says of a service's container, such as `.Config.Image`; nothing where there is none."""
        container = self.compose("ps", "--quiet", service).strip()
        return container and self.engine.docker("inspect", "--format", f"{{{{{what}}}}}", container).strip()


@contextmanager
def deployment(engine: Engine, folder: Path) -> Iterator[Deployment]:
    """Prepare a folder; whatever was started in it is gone when the block ends."""
    made = Deployment(engine, folder)
    made.prepare()
    made.take_down()  # what a run left that was killed
    try:
        yield made
    finally:
        say("taking everything down")
        made.take_down()
