"""The embedded AWS's own certificate, and the bundle with which clients trust it beside the usual authorities."""

import ipaddress
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import certifi
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_LIFETIME = timedelta(days=398)
_RENEW_BEFORE = timedelta(days=30)


@dataclass(frozen=True)
class TlsFiles:
    """Paths of PEM files; `bundle` holds the machine's authorities and this certificate."""

    certificate: Path
    key: Path
    bundle: Path


def tls_files(folder: Path) -> TlsFiles:
    """The paths of the files in the folder, whether or not they are there yet."""
    return TlsFiles(folder / "server.crt", folder / "server.key", folder / "ca-bundle.pem")


def ensure_certificate(folder: Path) -> TlsFiles:
    """Make a self-signed certificate for the loopback names, unless a valid one is there; rewrite the bundle."""
    folder.mkdir(parents=True, exist_ok=True)
    files = tls_files(folder)
    if not _still_valid(files):
        _issue(files)
    authorities = ssl.get_default_verify_paths().cafile or certifi.where()
    files.bundle.write_bytes(Path(authorities).read_bytes() + b"\n" + files.certificate.read_bytes())
    return files


def _still_valid(files: TlsFiles) -> bool:
    if not (files.certificate.exists() and files.key.exists()):
        return False
    certificate = x509.load_pem_x509_certificate(files.certificate.read_bytes())
    return certificate.not_valid_after_utc - datetime.now(UTC) > _RENEW_BEFORE


def _issue(files: TlsFiles) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Atoll embedded AWS")])
    names = [x509.DNSName("localhost"), x509.DNSName("*.localhost")]
    addresses = [x509.IPAddress(ipaddress.ip_address(address)) for address in ("127.0.0.1", "::1")]
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + _LIFETIME)
        .add_extension(x509.SubjectAlternativeName([*names, *addresses]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
    )
    certificate = builder.sign(key, hashes.SHA256())
    files.key.touch(mode=0o600)
    files.key.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    files.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
