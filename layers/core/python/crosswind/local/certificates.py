"""An authority and a certificate made on the spot, for the emulator's mode that enforces IAM.

The bootstrap bucket's policy denies requests without TLS, so that mode speaks TLS. The private keys never leave the data
directory, and the authority signs nothing but this one certificate for the loopback address.
"""

import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from crosswind.local.home import LOOPBACK, write_private

_VALIDITY = timedelta(days=365)
_RENEW_BEFORE = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Certificates:
    """Files in PEM."""

    authority: Path
    certificate: Path
    key: Path

    def client_environment(self) -> Mapping[str, str]:
        """What boto3 and Node need to trust the emulator."""
        return {
            "AWS_CA_BUNDLE": str(self.authority),
            "NODE_EXTRA_CA_CERTS": str(self.authority),
        }


def ensure_certificates(folder: Path) -> Certificates:
    """The files in `folder`, made anew when they are missing or about to run out."""
    files = Certificates(
        authority=folder / "authority.pem",
        certificate=folder / "emulator.pem",
        key=folder / "emulator-key.pem",
    )
    if files.key.exists() and files.certificate.exists() and files.authority.exists():
        current = x509.load_pem_x509_certificate(files.certificate.read_bytes())
        if current.not_valid_after_utc > datetime.now(UTC) + _RENEW_BEFORE:
            return files
    folder.mkdir(parents=True, exist_ok=True)
    authority_key, authority = _authority()
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = (
        _builder(subject=_name("crosswind emulator"), issuer=authority.subject, public_key=key.public_key())
        .add_extension(
            x509.SubjectAlternativeName(
                [x509.IPAddress(ipaddress.ip_address(LOOPBACK)), x509.DNSName("localhost")]
            ),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False
        )
        .sign(authority_key, hashes.SHA256())
    )
    write_private(files.authority, _pem(authority))
    write_private(files.certificate, _pem(certificate))
    write_private(
        files.key,
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode(),
    )
    return files


def _authority() -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name(f"crosswind local authority {os.getpid()}")
    certificate = (
        _builder(subject=name, issuer=name, public_key=key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(_authority_usage(), critical=True)
        .sign(key, hashes.SHA256())
    )
    return key, certificate


def _authority_usage() -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=True,
        crl_sign=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _builder(
    *, subject: x509.Name, issuer: x509.Name, public_key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + _VALIDITY)
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()
