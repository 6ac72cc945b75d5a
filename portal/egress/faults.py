"""What kept an exchange from an answer, told by libcurl's error: a reason of the contract and a technical detail."""

from dataclasses import dataclass
from errno import ECONNABORTED, ECONNREFUSED, ECONNRESET, EPIPE
from typing import Final

import pycurl

# CURLE_* numbers that pycurl has no names for.
E_TOO_LARGE = 100
_E_WEIRD_SERVER_REPLY = 8

_CHUNK = "chunk"  # stands in every message of libcurl about chunks that cannot be read

_REASONS: Final = {
    pycurl.E_COULDNT_RESOLVE_HOST: "dns_failure",
    pycurl.E_OPERATION_TIMEDOUT: "timeout",
    pycurl.E_SSL_CONNECT_ERROR: "tls_failure",
    pycurl.E_PEER_FAILED_VERIFICATION: "tls_failure",
    pycurl.E_SSL_CERTPROBLEM: "tls_failure",
    pycurl.E_SSL_CACERT_BADFILE: "tls_failure",
    pycurl.E_SSL_CIPHER: "tls_failure",
    pycurl.E_SSL_ISSUER_ERROR: "tls_failure",
    pycurl.E_SSL_INVALIDCERTSTATUS: "tls_failure",
    pycurl.E_UNSUPPORTED_PROTOCOL: "protocol_error",
    _E_WEIRD_SERVER_REPLY: "protocol_error",
    E_TOO_LARGE: "protocol_error",
    pycurl.E_BAD_CONTENT_ENCODING: "undecodable",
}

# By the error of the operating system; any other says that no way leads there.
_NOT_CONNECTED: Final = {
    ECONNREFUSED: "connection_refused",
    ECONNABORTED: "connection_reset",
    ECONNRESET: "connection_reset",
    EPIPE: "connection_reset",
}

# OpenSSL's X509_V_ERR_* (https://docs.openssl.org/3.0/man3/X509_STORE_CTX_get_error/).
_CERTIFICATE_FAULTS: Final = {
    9: "tls_not_yet_valid",
    10: "tls_expired",
    18: "tls_self_signed",
    19: "tls_untrusted",
    20: "tls_incomplete_chain",
    21: "tls_incomplete_chain",
}

# Of OpenSSL's messages and of the alerts a server sends (RFC 8446, section 6), the first that fits.
_TLS_MESSAGES: Final = (
    ("subject name matches", "tls_wrong_name"),
    ("does not match target", "tls_wrong_name"),
    ("wrong version number", "tls_missing"),
    ("packet length too long", "tls_missing"),
    ("protocol version", "tls_version"),
    ("unsupported protocol", "tls_version"),
    ("alert bad certificate", "tls_client_certificate"),  # ours: there is none
    ("alert", "tls_refused"),
    ("unrecognized name", "tls_refused"),
)


def is_malformed(code: int, message: str) -> bool:
    """Whether the exchange ended because what came of a body, or after it, breaks the rules of HTTP."""
    return code == _E_WEIRD_SERVER_REPLY or (code == pycurl.E_RECV_ERROR and _CHUNK in message)


@dataclass(frozen=True, slots=True)
class Fault:
    """What libcurl knows about an exchange that gave no answer."""

    code: int
    message: str
    os_error: int
    verify_result: int  # OpenSSL's judgement of the certificate
    is_connected: bool  # whether a connection stood, though perhaps not yet its TLS
    request_sent: bool
    has_headers: bool  # whether a part of an answer's headers came

    @classmethod
    def of(cls, curl: pycurl.Curl, code: int, message: str, *, request_sent: bool, has_headers: bool) -> "Fault":
        """Read the facts of the exchange that just failed."""
        os_error, verify_result = curl.getinfo(pycurl.OS_ERRNO), curl.getinfo(pycurl.SSL_VERIFYRESULT)
        is_connected = curl.getinfo(pycurl.CONNECT_TIME_T) > 0
        return cls(code, message, os_error, verify_result, is_connected, request_sent, has_headers)

    @property
    def reason(self) -> str:
        """The contract's code for it."""
        if self.code == pycurl.E_COULDNT_CONNECT:
            return _NOT_CONNECTED.get(self.os_error, "unreachable")
        if self.code == pycurl.E_OPERATION_TIMEDOUT and not self.request_sent:
            return "tls_timeout" if self.is_connected else "not_connected"
        if "certificate required" in self.message:  # TLS 1.3 says so only after our request
            return "tls_client_certificate"
        if _REASONS.get(self.code) == "tls_failure":
            return self._tls_reason
        ended = "incomplete" if self.has_headers else "connection_failed"
        return _REASONS.get(self.code, ended)

    @property
    def _tls_reason(self) -> str:
        named = next((reason for words, reason in _TLS_MESSAGES if words in self.message), None)
        is_certificate = self.code == pycurl.E_PEER_FAILED_VERIFICATION
        return named or (_CERTIFICATE_FAULTS.get(self.verify_result) if is_certificate else None) or "tls_failure"

    @property
    def detail(self) -> str:
        """What libcurl said, or what the reason means where it said nothing."""
        if self.reason in _NOT_CONNECTED.values():
            return self.reason.replace("_", " ")
        if self.reason == "incomplete":
            return "the connection ended within the headers"
        if self.reason == "timeout":  # of the headers' bytes libcurl knows nothing: it says that none came
            return "the headers were not complete in time" if self.has_headers else "no line of an answer came in time"
        return self.message or "the connection ended without an answer"
