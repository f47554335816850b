"""Debian's Prometheus and its promtool, run on what the project ships."""

import shutil
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

import httpx
import yaml

from gateway.demo.run import free_port

RULES = Path(__file__).resolve().parents[2] / "deploy" / "prometheus" / "alerts.yaml"
READY_SECONDS = 60.0


def is_here() -> bool:
    return shutil.which("promtool") is not None and shutil.which("prometheus") is not None


def promtool(*words: str, folder: Path) -> subprocess.CompletedProcess:
    return subprocess.run(["promtool", *words], cwd=folder, capture_output=True, text=True, check=False, timeout=120)


class Prometheus:
    def __init__(self, address: str) -> None:
        self._http = httpx.Client(base_url=address, timeout=30)

    def close(self) -> None:
        self._http.close()

    def query(self, expression: str) -> list[dict]:
        """Ask now; gives the series that come, each with its labels and its value."""
        answer = self._http.get("/api/v1/query", params={"query": expression})
        assert answer.status_code == 200, f"{expression}: {answer.text}"
        return answer.json()["data"]["result"]

    def await_result(self, expression: str) -> list[dict]:
        give_up = time.monotonic() + READY_SECONDS
        while not (found := self.query(expression)):
            assert time.monotonic() < give_up, f"nothing ever came of {expression}"
            time.sleep(0.2)
        return found

    def alarms(self) -> list[str]:
        groups = self._http.get("/api/v1/rules").json()["data"]["groups"]
        wrong = [rule for group in groups for rule in group["rules"] if rule["health"] == "err"]
        assert not wrong, wrong
        return [rule["name"] for group in groups for rule in group["rules"]]

    def ready(self) -> bool:
        try:
            return self._http.get("/-/ready").status_code == 200
        except httpx.TransportError:
            return False


@contextmanager
def serving(folder: Path, configuration: dict):
    """Run a server by this configuration, asking each second; it ends with the block."""
    file = folder / "prometheus.yaml"
    seconds = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    file.write_text(yaml.safe_dump({"global": seconds, **configuration}))
    address = f"127.0.0.1:{free_port()}"
    where = {"config.file": file, "storage.tsdb.path": folder / "data", "web.listen-address": address}
    command = ["prometheus", *(f"--{name}={value}" for name, value in where.items())]
    with (folder / "words").open("wb") as words:
        process = subprocess.Popen(command, stdout=words, stderr=words)
    server, give_up = Prometheus(f"http://{address}"), time.monotonic() + READY_SECONDS
    try:
        while not server.ready():
            assert process.poll() is None, (folder / "words").read_text("utf-8")[-2000:]
            assert time.monotonic() < give_up, "Prometheus did not get ready"
            time.sleep(0.1)
        yield server
    finally:
        server.close()
        process.terminate()
        process.wait(60)
