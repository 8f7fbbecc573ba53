"""The invented brand of the laptop stack: its accounts, their secrets, and who knows which.

The sandbox is told the secrets by its configuration file, the services by their environment, as in
a real deployment. All of them are new for every start.
"""

from __future__ import annotations

import base64
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from deploy.local.private import write_private

# Our name for the accounts, part of the webhooks' addresses. Events and fans' keys have the
# platforms' own ids.
NAME = "brand"
WECHAT = "gh_0a1b2c3d4e5f"
WECHAT_APP_ID = "wx0a1b2c3d4e5f6071"
WEIBO = "2187654321"
SHOP = "shop"
SHOP_RETRIES_S = [1, 2, 4, 8]  # a real shop waits minutes
ROLES = ("campaigns", "oncall", "operations", "viewer")


def _token() -> str:
    return secrets.token_urlsafe(24)


@dataclass(frozen=True, slots=True)
class Brand:
    """The secrets of one start."""

    wechat_token: str
    wechat_aes_key: str
    wechat_app_secret: str
    weibo_app_secret: str
    weibo_access_token: str
    shop_secret: str
    robot_key: str
    pagerduty_routing_key: str
    link_secret: str
    author_secret: str
    staff_tokens: dict[str, str]
    """One token a role."""

    @classmethod
    def invent(cls) -> Brand:
        """New secrets."""
        return cls(
            wechat_token=secrets.token_hex(16),
            wechat_aes_key=base64.b64encode(secrets.token_bytes(32)).decode().rstrip("="),
            wechat_app_secret=secrets.token_hex(16),
            weibo_app_secret=secrets.token_hex(16),
            weibo_access_token=_token(),
            shop_secret="whsec_" + base64.b64encode(secrets.token_bytes(24)).decode(),
            robot_key=secrets.token_hex(16),
            pagerduty_routing_key=secrets.token_hex(16),
            link_secret=secrets.token_hex(32),
            author_secret=secrets.token_hex(32),
            staff_tokens={role: _token() for role in ROLES},
        )

    @property
    def shop_key(self) -> bytes:
        """The key inside the shop's secret, for signing."""
        return base64.b64decode(self.shop_secret.removeprefix("whsec_"))

    def write_sandbox_config(
        self, path: Path, ingest_url: str, overrides: dict[str, Any] | None = None
    ) -> None:
        """Write what the platforms know: where to push, and every secret.

        Args:
            path: the file to write.
            ingest_url: the base URL of the ingest service.
            overrides: more top-level settings of the sandbox, such as ``limits``.
        """
        config = {
            "wechat": [
                {
                    "account": WECHAT,
                    "appid": WECHAT_APP_ID,
                    "secret": self.wechat_app_secret,
                    "token": self.wechat_token,
                    "encoding_aes_key": self.wechat_aes_key,
                    "kind": "service",
                    "mode": "safe",
                    "webhook": f"{ingest_url}/wechat/{NAME}",
                }
            ],
            "weibo": [
                {
                    "uid": int(WEIBO),
                    "app_secret": self.weibo_app_secret,
                    "access_token": self.weibo_access_token,
                    "webhook": f"{ingest_url}/weibo/{NAME}",
                }
            ],
            "shops": [
                {
                    "source": SHOP,
                    "secret": self.shop_secret,
                    "webhook": f"{ingest_url}/events/{SHOP}",
                    "retry_delays_s": SHOP_RETRIES_S,
                }
            ],
            "robots": [{"key": self.robot_key, "name": "oncall"}],
            "pagerduty": [{"routing_key": self.pagerduty_routing_key, "name": "oncall"}],
            **(overrides or {}),
        }
        write_private(path, yaml.safe_dump(config, sort_keys=False))

    def write_accounts(self, path: Path, sandbox_url: str) -> None:
        """Write the services' accounts file, whose secrets are references to the environment."""
        accounts = {
            "wechat": [
                {
                    "name": NAME,
                    "kind": "service",
                    "app_id": WECHAT_APP_ID,
                    "original_id": WECHAT,
                    "token": "${WECHAT_BRAND_TOKEN}",
                    "encoding_aes_key": "${WECHAT_BRAND_AES_KEY}",
                    "app_secret": "${WECHAT_BRAND_APP_SECRET}",
                    "api_base": f"{sandbox_url}/wechat",
                }
            ],
            "weibo": [
                {
                    "name": NAME,
                    "uid": WEIBO,
                    "app_secret": "${WEIBO_BRAND_APP_SECRET}",
                    "access_token": "${WEIBO_BRAND_ACCESS_TOKEN}",
                    "api_base": f"{sandbox_url}/weibo",
                }
            ],
            "shops": [{"name": SHOP, "secrets": ["${SHOP_WEBHOOK_SECRET}"]}],
        }
        write_private(path, yaml.safe_dump(accounts, sort_keys=False))

    def write_alerts(
        self, path: Path, sandbox_url: str, incidents: dict[str, Any], escalation: dict[str, Any]
    ) -> None:
        """Write where incidents are told, to the sandbox's pagers.

        Args:
            path: the file to write.
            sandbox_url: the base URL of the sandbox.
            incidents: thresholds that differ from the service's own.
            escalation: its steps; see the example in ``deploy/local/config``.
        """
        alerts = {
            "incidents": incidents,
            "channels": {
                "oncall-group": {
                    "kind": "wecom_robot",
                    "url": f"{sandbox_url}/wecom/cgi-bin/webhook/send",
                    "key": "${WECOM_ROBOT_KEY}",
                },
                "oncall-phone": {
                    "kind": "pagerduty",
                    "url": f"{sandbox_url}/pagerduty/v2/enqueue",
                    "routing_key": "${PAGERDUTY_ROUTING_KEY}",
                },
            },
            "escalation": escalation,
        }
        write_private(path, yaml.safe_dump(alerts, sort_keys=False))

    def environment(self) -> dict[str, str]:
        """The variables that the files refer to."""
        return {
            "WECHAT_BRAND_TOKEN": self.wechat_token,
            "WECHAT_BRAND_AES_KEY": self.wechat_aes_key,
            "WECHAT_BRAND_APP_SECRET": self.wechat_app_secret,
            "WEIBO_BRAND_APP_SECRET": self.weibo_app_secret,
            "WEIBO_BRAND_ACCESS_TOKEN": self.weibo_access_token,
            "SHOP_WEBHOOK_SECRET": self.shop_secret,
            "WECOM_ROBOT_KEY": self.robot_key,
            "PAGERDUTY_ROUTING_KEY": self.pagerduty_routing_key,
        }
