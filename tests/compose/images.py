"""The images that deploy/compose.yaml runs: ours built from the Dockerfile, others as they are named there.

Where their registry cannot be reached, others are stand-ins of the same name made of Debian's packages: the servers are
real, and what the official images do around them is `standins/`.
"""

import os
import re
import shutil
import tomllib
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml

from tests.bench.figures import say
from tests.compose.engine import Engine, EngineError, NoEngineError

ROOT = Path(__file__).resolve().parents[2]
STANDINS = Path(__file__).resolve().parent / "standins"
BASE = "ipx-standin-debian"
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
OURS = f"ipx-gateway:{VERSION}"


def prepare(engine: Engine) -> list[str]:
    """Bring or make all of them; gives the names of those that are stand-ins.

    Raises:
        NoEngineError: a stand-in is needed and cannot be made here.
        EngineError: an image does not build.
    """
    made = [name for name in (*_named_in_dockerfile(), *_named_in_compose()) if not _is_here(engine, name)]
    for name in made:
        say(f"a stand-in for {name}")
        _make(engine, name)
    say(f"building {OURS}")
    engine.docker("build", "--tag", OURS, ".", folder=ROOT)
    return made


def _named_in_dockerfile() -> list[str]:
    return sorted(set(re.findall(r"^FROM (\S+)", (ROOT / "Dockerfile").read_text("utf-8"), re.MULTILINE)))


def _named_in_compose() -> list[str]:
    services = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text("utf-8"))["services"].values()
    return sorted({service["image"] for service in services if not service["image"].startswith("ipx-gateway:")})


def _is_here(engine: Engine, name: str) -> bool:
    for words in (("image", "inspect", name), ("pull", "--quiet", name)):
        try:
            engine.docker(*words)
        except EngineError:
            continue
        return True
    return False


def _make(engine: Engine, name: str) -> None:
    _make_base(engine)
    kind = name.partition(":")[0]
    if kind == "python":
        engine.docker("tag", BASE, name)
    else:
        engine.docker("build", "--tag", name, "--file", f"{kind}.Dockerfile", ".", folder=STANDINS)


def _make_base(engine: Engine) -> None:
    """Make an image of Debian with its own Python; this machine's authorities are believed in it too."""
    try:
        engine.docker("image", "inspect", BASE)
    except EngineError:
        pass
    else:
        return
    if os.geteuid() or shutil.which("debootstrap") is None:
        raise NoEngineError("no registry of images can be reached; root can make them: apt-get install debootstrap")
    with TemporaryDirectory(prefix="ipx-standin-", ignore_cleanup_errors=True) as name:
        packages = "--include=ca-certificates,python3,python3-venv"
        engine.run(["debootstrap", "--variant=minbase", packages, "bookworm", name])
        Path(name, "usr/bin/python").symlink_to("python3")
        environment = []
        if CERTIFICATES.exists():
            shutil.copy(CERTIFICATES, f"{name}{CERTIFICATES}")
            environment = [
                f"--change=ENV {variable}={CERTIFICATES}" for variable in ("PIP_CERT", "NODE_EXTRA_CA_CERTS")
            ]
        packed = Path(name).with_suffix(".tar")
        try:
            engine.run(["tar", "--create", "--file", str(packed), "--directory", name, "."])
            engine.docker("import", *environment, str(packed), BASE)
        finally:
            packed.unlink(missing_ok=True)
