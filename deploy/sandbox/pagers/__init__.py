"""The staff's channels: WeCom robots and PagerDuty."""
