"""A software token (SoftHSM2) for tests: keys are made and destroyed by another process, as on a real one."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.keyplace import TokenKey

MODULE = next(
    (path for path in map(Path, ("/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/libsofthsm2.so")) if path.is_file()),
    None,
)
PIN = "1234"
MAKE = """
import sys, pkcs11
from pkcs11 import Attribute, KeyType, Mechanism, ObjectClass
module, pin, act, kind, label = sys.argv[1:]
with pkcs11.lib(module).get_token(token_label="ipx").open(rw=True, user_pin=pin) as session:
    if act == "destroy":
        for found in list(session.get_objects({Attribute.LABEL: label})):
            found.destroy()
    elif kind == "RSA":
        session.generate_keypair(KeyType.RSA, 2048, store=True, label=label)
    else:
        edwards = kind == "Ed25519"
        curve = "130c656477617264733235353139" if edwards else "06082a8648ce3d030107"
        parameters = session.create_domain_parameters(
            KeyType.EC_EDWARDS if edwards else KeyType.EC, {Attribute.EC_PARAMS: bytes.fromhex(curve)}, local=True
        )
        mechanism = Mechanism.EC_EDWARDS_KEY_PAIR_GEN if edwards else Mechanism.EC_KEY_PAIR_GEN
        parameters.generate_keypair(mechanism=mechanism, store=True, label=label)
"""


class SoftHsm:
    """One token `ipx`; this process's environment names its configuration, which the library reads once."""

    def __init__(self, folder):
        (folder / "tokens").mkdir()
        self.configuration = folder / "softhsm2.conf"
        self.configuration.write_text(f"directories.tokendir = {folder / 'tokens'}\nlog.level = ERROR\n")
        self.pin_file = folder / "pin"
        self.pin_file.write_text(f"{PIN}\n")
        self.pin_file.chmod(0o600)
        os.environ["SOFTHSM2_CONF"] = str(self.configuration)
        self._run("softhsm2-util", "--init-token", "--free", "--label", "ipx", "--pin", PIN, "--so-pin", "4321")

    def make(self, kind, label):
        self._run(sys.executable, "-c", MAKE, str(MODULE), PIN, "make", kind, label)
        return self.key(label)

    def destroy(self, label):
        self._run(sys.executable, "-c", MAKE, str(MODULE), PIN, "destroy", "", label)

    def uri(self, label, *, token="ipx", pin_file=None, module=MODULE):
        return f"pkcs11:token={token};object={label}?module-path={module}&pin-source={pin_file or self.pin_file}"

    def key(self, label, **options):
        return TokenKey.parse(self.uri(label, **options))

    def _run(self, *command):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


_made = []


def software_token(tmp_path_factory):
    """Give this process's one token, or skip the test where SoftHSM2 or python-pkcs11 is absent."""
    pytest.importorskip("pkcs11", reason="python-pkcs11 not installed")
    if MODULE is None or shutil.which("softhsm2-util") is None:
        pytest.skip("no SoftHSM2: apt-get install softhsm2")
    if not _made:
        _made.append(SoftHsm(tmp_path_factory.mktemp("softhsm")))
    return _made[0]
