"""A throwaway certificate authority, so that TLS is verified in tests as it is in production."""

from __future__ import annotations

import datetime
import ipaddress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.support.servers import LOOPBACK

_PEM = serialization.Encoding.PEM
_HOUR = datetime.timedelta(hours=1)


class Authority:
    """Signs certificates for as long as the object lives: its key is never written.

    `file` is its own certificate, as PEM. The extensions satisfy OpenSSL's strict checks, which
    Python 3.13 and later turn on.
    """

    def __init__(self, folder: Path) -> None:
        self.file = folder / "authority.pem"
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Throwaway authority")])
        self._id = x509.SubjectKeyIdentifier.from_public_key(self._key.public_key())
        certificate = (
            self._builder(self._name, self._key.public_key(), 24 * _HOUR)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_key_usage(signs_certificates=True), critical=True)
            .add_extension(self._id, critical=False)
            .sign(self._key, hashes.SHA256())
        )
        self.file.write_bytes(certificate.public_bytes(_PEM))

    def issue(self, file_name: str, names: list[str], *, expired: bool = False) -> Path:
        """Write certificate and key as PEM for DNS `names` and loopback, for a day.

        An expired one has been valid until an hour ago.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
        loopback = x509.IPAddress(ipaddress.ip_address(LOOPBACK))
        alternatives = [*(x509.DNSName(name) for name in names), loopback]
        issuer_id = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(self._id)
        certificate = (
            self._builder(subject, key.public_key(), -_HOUR if expired else 24 * _HOUR)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(signs_certificates=False), critical=True)
            .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
            .add_extension(issuer_id, critical=False)
            .sign(self._key, hashes.SHA256())
        )
        file = self._folder / file_name
        file.touch(mode=0o600)
        file.write_bytes(
            certificate.public_bytes(_PEM)
            + key.private_bytes(
                _PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return file

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey, valid: datetime.timedelta
    ) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - 2 * _HOUR)
            .not_valid_after(now + valid)
        )


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
