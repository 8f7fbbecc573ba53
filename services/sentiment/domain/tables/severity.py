"""How severe a comment is, whatever its tone: who might be hurt, sued, reported or cheated.

A calm sentence about failing brakes must rank above an angry one about nothing, so severity comes
from what is named, not from how it is said. A hazard that is denied or only asked about does not
count.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from services.sentiment.domain.verdict import Hazard, SeverityReason

# Terms by hazard and level: 1 watch, 2 a human should look soon, 3 someone may be hurt.
HAZARD_TERMS: Final[dict[Hazard, dict[int, str]]] = {
    "safety": {
        3: """刹车失灵 刹车失效 刹不住 刹车没反应 踩不住刹车 车辆失控 车失控 自燃 起火 着火 火灾
            电池爆炸 充电爆炸 手机爆炸 突然爆炸 发生爆炸 爆燃 电池炸了 充电炸 漏电 触电 电到人
            电死 冒烟 出人命 要人命 人命关天 差点没命 差点丢命 差点死 丢了命 气囊没弹 气囊没开
            气囊未弹 断轴 方向失灵 转向失灵 方向盘锁死 突然加速 煤气泄漏 燃气泄漏 一氧化碳
            甲醛超标 致癌 电池鼓包 短路起""",
        2: """安全隐患 突然熄火 高速熄火 失灵 爆炸 烫手 鼓包 漏油 异味刺鼻 甲醛 爆胎 质量事故
            召回 断裂 三无产品 烧焦 烧坏 漏气 假药 过热 短路 有毒""",
    },
    "injury": {
        3: """住院 抢救 急救 急诊 送医 送去医院 进了医院 进医院 去了医院 去医院 烫伤 烧伤 炸伤
            砸伤 割伤 划伤 夹伤 咬伤 灼伤 骨折 受伤 受了伤 毁容 烂脸 失明 昏迷 休克 流产 死亡
            死了人 致死 猝死 窒息 车祸 残疾 大出血 流血 血流不止 缝了 救护车 脑震荡""",
        2: """过敏 红肿 起疹 皮疹 起泡 溃烂 刺痛 脱皮 头晕 呕吐 晕倒 摔倒 滑倒 摔伤 出血 中暑""",
    },
    "food": {
        3: """食物中毒 上吐下泻 地沟油 农药残留 玻璃渣 玻璃碎 吃出刀片 吃出老鼠 老鼠屎 死老鼠
            吃出钉 沙门氏菌 大肠杆菌 吐到脱水 拉到脱水""",
        2: """中毒 拉肚子 吃坏肚子 肠胃炎 肚子绞痛 吃完就吐 腹泻 肚子疼 肚子痛 食品安全 变质 发霉
            霉变 长毛 馊了 臭了 有虫 虫子 蟑螂 苍蝇 蛆 异物 头发丝 吃出 过期 不卫生 没熟 腐烂 变味
            老鼠""",
    },
    "legal": {
        2: """起诉 律师函 找律师 请律师 法院 法庭 打官司 报警 报了警 派出所 消协 消费者协会
            12315 12345 工商局 市场监管 监管局 举报 维权 仲裁 索赔 违法 犯法 侵权 药监局 工信部
            诉讼 法律途径 法律程序 法律责任""",
        1: """律师 警察 赔偿 投诉到""",
    },
    "media": {
        2: """曝光 找媒体 联系媒体 找记者 联系记者 已联系电视台 找电视台 上热搜 上新闻 315晚会
            3.15晚会 焦点访谈 挂热搜 全网曝 发网上 发到网上 新闻报道""",
        1: """媒体 记者 电视台 热搜""",
    },
    "minors": {
        3: """猥亵 性侵 孩子中毒 宝宝中毒 孩子窒息 宝宝窒息 卡住喉咙 卡喉咙 卡到喉咙 孩子被烫
            孩子被夹 孩子被打 虐待 虐童 孩子住院 宝宝住院 误吞 误食""",
        2: """未成年 宝宝吃了 孩子吃了 小孩吃了 孩子受 小孩受 宝宝过敏 孩子过敏 宝宝红 孩子差点
            小孩差点 宝宝差点 性骚扰 儿童安全""",
    },
    "refund": {
        1: """退款 退货 退钱 不给退 拒绝退 不退 退不了 假一赔三 假一赔十 退一赔三 押金""",
    },
    "fraud": {
        2: """诈骗 骗钱 骗局 欺诈 盗刷 乱扣费 自动扣费 偷偷扣 卷款 跑路 传销 假货 冒充 信息泄露
            泄露信息 泄露隐私 盗号 刷单骗""",
        1: """骗子 骗人 被骗 上当 坑钱 黑店 虚假宣传 虚假 忽悠 欺骗 霸王条款""",
    },
}

_DENIED_BEFORE: Final = re.compile(
    r"(?:没有?|不会?|未|无|防|避免|并非|不是|绝不|零|不用|不怕|免)[^,.!?;，]{0,2}$"
)
_ASKED_AFTER: Final = re.compile(r"^[^,.!;]{0,4}(?:吗|么|嘛)")
_ASKED_BEFORE: Final = re.compile(
    r"(?:会不会|是否|是不是|有没有|能不能|可不可以|怎么|如何|支持)[^,.!?;]{0,6}$"
)
_LOOK_AROUND: Final = 8  # characters before and after a term that can deny or question it
_LEVEL_OF_A_QUESTION: Final = 1


def severity_reasons(
    text: str, hazards: Iterable[tuple[Hazard, int, int, int]]
) -> tuple[SeverityReason, ...]:
    """The reasons that stand, worst first, one a hazard; hazards are (name, level, start, end)."""
    worst: dict[Hazard, SeverityReason] = {}
    for hazard, level, start, end in hazards:
        before = text[max(0, start - _LOOK_AROUND) : start]
        asked = _ASKED_BEFORE.search(before) or _ASKED_AFTER.match(text[end : end + _LOOK_AROUND])
        if not asked and _DENIED_BEFORE.search(before):
            continue
        reached = min(level, _LEVEL_OF_A_QUESTION) if asked else level
        known = worst.get(hazard)
        if known is None or (known.level, len(known.term)) < (reached, end - start):
            worst[hazard] = SeverityReason(hazard, reached, text[start:end])
    return tuple(sorted(worst.values(), key=lambda reason: (-reason.level, reason.hazard)))


def severity_of(reasons: Iterable[SeverityReason]) -> int:
    """0 without a reason, else the worst level."""
    return max((reason.level for reason in reasons), default=0)
