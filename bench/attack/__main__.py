"""`python -m bench.attack [--only NAME] [--rate N]`: attack a stack, and see what still holds.

Writes var/attack/summary.json. Exit code 0 only if every bar holds during every attack.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import uvloop
from rich.console import Console
from rich.table import Table

from bench.attack.attackers import ATTACKS, SIGNED
from bench.attack.bars import Measured, percentile
from bench.attack.genuine import LIVEZ, LIVEZ_EVERY_S, Flow, flow
from bench.attack.pages import ESCALATION, drained, page_ms
from bench.requests import clicks, request, write
from deploy.local.brand import WECHAT, Brand
from deploy.local.parts.embedded_log import REPOSITORY
from deploy.local.parts.errors import PartError
from deploy.local.stack import Stack

SUMMARY: Final = REPOSITORY / "var" / "attack" / "summary.json"
BASELINE: Final = "no_attack"
NAMES: Final = (BASELINE, *ATTACKS, SIGNED)
RATES: Final = (200, 100)
"""Genuine webhooks a second: the first, unless the machine has no room for it without an attack."""
ROOM: Final = 0.5
"""Without an attack, so much of a bar at the most may be used up."""
RAMP_S: Final = 3.0
"""The attack runs for so long before anything is measured."""
SECONDS: Final = 12.0
DRAIN_S: Final = 15.0
"""So long an attack may leave work behind; more is the next one's burden."""
SIGNED_PER_S: Final = 200
FAN: Final = "oTheFanWhoNeverStops00000000"


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m bench.attack", description=__doc__)
    parser.add_argument("--only", action="append", choices=NAMES, default=[])
    parser.add_argument("--rate", type=int, help="genuine webhooks a second; found out if not set")
    wanted = parser.parse_args()
    console = Console(stderr=True)
    began = time.monotonic()
    found: dict[str, Measured] = {}
    try:
        with (
            tempfile.TemporaryDirectory(prefix="fan-attack-") as folder,
            Stack(REPOSITORY / "var" / "attack" / "stack", escalation=ESCALATION) as stack,
        ):

            def measure(name: str, rate: int) -> Measured:
                console.log(f"{name}: {rate} genuine webhooks a second for {SECONDS:g} s")
                return uvloop.run(_measure(stack, name, rate, Path(folder)))

            for rate in RATES if wanted.rate is None else (wanted.rate,):
                found[BASELINE] = measure(BASELINE, rate)
                if found[BASELINE].has_room(ROOM):
                    break
            for name in NAMES[1:]:
                if not wanted.only or name in wanted.only:
                    found[name] = measure(name, rate)
    except PartError as error:
        console.print(f"attack: {error}")
        return 1
    _show(found, Console())
    SUMMARY.parent.mkdir(parents=True, exist_ok=True)
    SUMMARY.write_text(json.dumps({n: m.entry() for n, m in found.items()}, indent=1) + "\n")
    console.print(f"written: {SUMMARY} ({time.monotonic() - began:.0f} s)")
    broken = [f"{name}: {words}" for name, one in found.items() for words in one.broken()]
    for line in broken:
        console.print(line)
    return 1 if broken else 0


async def _measure(stack: Stack, name: str, rate: int, folder: Path) -> Measured:
    port = stack.applications["ingest"].port
    genuine = list(clicks(stack.brand, round(rate * SECONDS)))
    attacker = await _start_attacker(stack.brand, name, port, folder)
    await asyncio.sleep(RAMP_S)
    webhooks, probes = Flow(), Flow()
    async with asyncio.TaskGroup() as group:
        group.create_task(flow(port, genuine, 1 / rate, webhooks))
        group.create_task(
            flow(port, [LIVEZ] * round(SECONDS / LIVEZ_EVERY_S), LIVEZ_EVERY_S, probes)
        )
        page = group.create_task(page_ms(stack, f"gh_attacked_{name}_{rate}", SECONDS / 2))
    did = await _end(attacker)
    await drained(stack, DRAIN_S)
    return Measured(
        genuine_p99_ms=percentile(webhooks.times, 0.99),
        genuine_refused_percent=webhooks.refused_percent,
        livez_p99_ms=float("inf") if probes.refused else percentile(probes.times, 0.99),
        page_ms=page.result(),
        genuine_per_s=rate,
        attacker=did,
    )


async def _start_attacker(
    brand: Brand, name: str, port: int, folder: Path
) -> asyncio.subprocess.Process | None:
    if name == BASELINE:
        return None
    seconds = RAMP_S + SECONDS
    arguments = [sys.executable, "-m", "bench.attack.attackers", name, str(port), str(seconds)]
    if name == SIGNED:
        path = folder / SIGNED
        write(_messages(brand, round(SIGNED_PER_S * seconds)), path)
        arguments.append(str(path))
    return await asyncio.create_subprocess_exec(
        *arguments, stdout=asyncio.subprocess.PIPE, cwd=REPOSITORY
    )


async def _end(attacker: asyncio.subprocess.Process | None) -> Mapping[str, int]:
    if attacker is None:
        return {}
    out, _ = await attacker.communicate()
    did: dict[str, int] = json.loads(out)
    return did


def _messages(brand: Brand, count: int) -> Iterator[bytes]:
    now = int(time.time())
    for number in range(count):
        fields: dict[str, Any] = {
            "ToUserName": WECHAT,
            "FromUserName": FAN,
            "CreateTime": now,
            "MsgType": "text",
            "Content": f"在吗 {number}",
            "MsgId": now * 100_000 + number,
        }
        yield request(brand, fields)


def _show(found: Mapping[str, Measured], console: Console) -> None:
    table = Table(title="what genuine clients notice of each attack (embedded parts)")
    for column in (
        "attack",
        "webhooks p99 ms",
        "refused %",
        "/livez p99 ms",
        "page ms",
        "attacker",
    ):
        table.add_column(column, justify="left" if column in {"attack", "attacker"} else "right")
    for name, one in found.items():
        table.add_row(
            name,
            str(one.genuine_p99_ms),
            str(one.genuine_refused_percent),
            str(one.livez_p99_ms),
            str(one.page_ms),
            ", ".join(f"{key} {value}" for key, value in one.attacker.items()),
        )
    console.print(table)


if __name__ == "__main__":
    sys.exit(main())
