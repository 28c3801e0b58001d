"""What the page and the syncer are told, made from the box's settings."""

from __future__ import annotations

from pathlib import Path
from zoneinfo import ZoneInfo

from edge.config import Config
from edge.schedule import read_schedule
from edge.syncer import SyncSettings
from edge.uploads import cap_at
from edge.web.authority import Authority
from edge.web.settings import (
    KeepRule,
    UploadRules,
    UploadWindow,
    WebSettings,
    own_addresses,
    own_names,
)

EARLY_MARGIN_S = 15.0  # a hang-up is known well before that


def web_settings(config: Config) -> WebSettings:
    """The branch page's part of the settings."""
    web, names = config.web, host_names(config)
    authority = page_authority(config) if web.https == "own" else None
    return WebSettings(
        database=config.database,
        recordings=config.recordings_dir,
        rings=tuple(config.ring_path(hat) for hat in config.hats),
        host=web.host,
        port=web.port,
        box_name=config.box.name or config.box.id,
        time_zone=config.box.time_zone,
        language=config.box.language,
        certificate=authority.certificate if authority else Path(web.tls_cert) if web.tls_cert else None,
        key=authority.key if authority else Path(web.tls_key) if web.tls_key else None,
        authority=authority,
        http_port=web.http_port,
        is_alone=not config.head_office.host,
        keep=tuple(
            KeepRule(rule.line, rule.calls, rule.keep_days, rule.keep_gb, rule.keep_recordings)
            for rule in config.keep
        ),
        host_names=names,
        uploads=_upload_rules(config),
    )


def _upload_rules(config: Config) -> UploadRules:
    windows = [
        UploadWindow(one.when, one.cap_kbit_s, read_schedule(one.when).is_on) for one in config.upload_windows
    ]
    return UploadRules(config.upload.cap_kbit_s, config.upload.month_gb, tuple(windows))


def page_authority(config: Config) -> Authority:
    """The box's own authority, for the names and addresses it has."""
    folder, box = config.box.data_dir / "tls", config.box.name or config.box.id
    return Authority(folder, box, host_names(config), own_addresses)


def host_names(config: Config) -> tuple[str, ...]:
    """The names by which the box's page is reached."""
    return own_names() + ((config.web.host_name.lower(),) if config.web.host_name else ())


def sync_settings(config: Config) -> SyncSettings:
    """The syncer's part of the settings."""
    head_office = config.head_office
    return SyncSettings(
        box_id=config.box.id,
        database=config.database,
        recordings_dir=config.recordings_dir,
        host=head_office.host,
        port=head_office.port,
        ca_file=Path(head_office.ca),
        cert_file=Path(head_office.cert),
        key_file=Path(head_office.key),
        bulk_cert_file=Path(head_office.bulk_cert),
        bulk_key_file=Path(head_office.bulk_key),
        cap_at=cap_at(config),
        zone=ZoneInfo(config.box.time_zone),
        month_bytes=round(config.upload.month_gb * 1e9),
        oldest_share=config.upload.oldest_percent / 100,
        early_margin_s=EARLY_MARGIN_S if config.upload.during_call else None,
    )
