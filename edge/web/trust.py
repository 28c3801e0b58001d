"""How to trust this box: its authority's certificate to take away, the fingerprint to compare, the steps.

The only page that is also there without HTTPS, since whoever needs it does not trust our HTTPS yet.
"""

from __future__ import annotations

from dataclasses import replace

from bottle import HTTPError, HTTPResponse

from edge.web.authority import Authority
from edge.web.site import Visit
from sync.locale import LANGUAGES, marked

# system -> how it takes a certificate in (marked texts)
STEPS = {
    "Windows": (
        marked("Open the downloaded file, press “Install certificate” and choose “Local machine”."),
        marked("Place it in the store “Trusted Root Certification Authorities”, then restart the browser."),
    ),
    "Android": (
        marked("Open Settings, search for “CA certificate”, and choose “Install anyway”."),
        marked("Pick the downloaded file."),
    ),
    "iPhone, iPad": (
        marked("Open the file, then Settings, “Profile downloaded”, and install it."),
        marked("Under General, About, Certificate Trust Settings, switch it on."),
    ),
    "macOS": (
        marked("Open the file in Keychain Access, in the keychain “System”."),
        marked("Open it there and set “When using this certificate” to “Always trust”."),
    ),
    "Firefox": (
        marked("Settings, Privacy and security, View certificates, Authorities, Import."),
        marked("Tick that it identifies websites."),
    ),
}


def show(visit: Visit) -> HTTPResponse:
    """The page; 404 when the box's certificate comes from elsewhere."""
    authority = the_authority(visit)
    language = LANGUAGES.get(visit.query.get("language", ""), visit.language)
    reader = replace(visit, language=language, user=None, token=None)
    address, fingerprint = secure_address(visit), authority.fingerprint
    return reader.page("trust.html", fingerprint=fingerprint, steps=STEPS, address=address)


def certificate(visit: Visit) -> HTTPResponse:
    """The authority's certificate as a file."""
    headers = {
        "Content-Type": "application/x-x509-ca-cert",
        "Content-Disposition": 'attachment; filename="branchline-ca.crt"',
    }
    return HTTPResponse(the_authority(visit).der, headers=headers)


def the_authority(visit: Visit) -> Authority:
    """The box's own authority; 404 when it has none."""
    authority = visit.site.settings.authority
    if authority is None or not authority.certificate.exists():
        raise HTTPError(404)
    return authority


def secure_address(visit: Visit) -> str:
    """Where the page is with HTTPS, by the name it was asked for."""
    port = visit.site.settings.port
    return f"https://{visit.host}{'' if port == 443 else f':{port}'}/"
