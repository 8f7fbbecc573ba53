"""What a comment wants: complain, ask, praise, sell, or nothing of these."""

from __future__ import annotations

import re
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Final, Literal

from services.sentiment.domain.verdict import Kind, Tone

Place = tuple[int, int]  # of a term: [start, end)
Sign = Literal["question", "inquiry", "lukewarm", "spam", "demand"]

# «question» decides the kind only: half of all question marks on Weibo are rhetorical, and angry.
# «inquiry» is what one asks a shop, and makes a text neutral; «lukewarm» makes a short one neutral.
KIND_TERMS: Final[dict[Sign, str]] = {
    "question": """什么时候 啥时候 怎么办 如何 哪里 哪儿 在哪 哪个 哪款 哪家 多少 几点 几号 几楼
        多久 多大 多长 有没有 是不是 会不会 能不能 可不可以 吗 么? 呢? 谁知道 什么区别 什么不同
        什么码 ?""",
    "inquiry": """请问 求问 想问 问一下 问下 咨询一下 多少钱 什么时候发货 什么时候到货
        什么时候有货 什么时候能到 什么时候上架 什么时候补货 什么时候开售 什么时候付 什么时候开始
        啥时候发货 啥时候有货 几点开 几点关 几点营业 几点开始 几号开 是几号 在几楼 哪里有卖
        哪里有买 哪里买 哪里可以 哪儿买 在哪买 在哪里可以 在哪里买 怎么用啊 怎么用呢 怎么用?
        怎么买? 怎么领? 怎么预约 怎么安装 怎么兑换 怎么联系 怎么参加 怎么报名 怎么使用 怎么退换
        如何使用 如何购买 如何预约 有货吗 有吗? 包邮吗 支持七天 支持分期 可以退吗 可以用吗
        能用吗 适合吗 好用吗 好喝吗 好吃吗 能开发票 开发票吗 有什么区别? 什么区别呀 有什么不同?
        穿什么码 选什么码 有什么颜色 几种颜色 哪个地址 寄到哪 求推荐 求链接 保修期多久 保修多久
        上班吗 营业吗 适合学生吗 有人用过吗""",
    "lukewarm": """一般般 马马虎虎 中规中矩 不好不坏 无功无过 不功不过 不过不失 不温不火
        平平无奇 普普通通 勉强及格 凑合 就那样 就这样吧 过得去 说不上 谈不上 还行吧 还可以吧
        无所谓好坏 没什么感觉 没啥感觉 有好有坏 中等水平""",
    "spam": """兼职刷 刷单 日结 日赚 时薪 月入过万 月入上万 加微信 加我微信 微信同号 薇信 加v详
        加v聊 加v信 加薇 vx 威信号 扫码进群 进群免费 代刷 代开发票 代开各类 专业代写 代写代发
        代写论文 一件代发 低息 无抵押 无需抵押 贷款秒批 办理贷款 小额贷款 套现 提额 博彩
        彩票内部 稳赚不赔 互粉互 求互粉 求互关 互粉有 互赞有 招代理 全国代理 诚招 私聊领取
        点击链接领 点击下方链接 点击主页链接 免费领取 涨粉 刷粉 刷赞 刷播放 办证刻 刷钻 有意者加
        有意者联系 联系qq 加qq 加q 高仿 一比一 同城交友 加我看 爆粉 量大从优 分享涨停 领取红包
        领取学习资料 零投资 手机兼职打 网络兼职 招聘兼职 兼职招聘 在家做兼职""",
    "demand": """投诉 退款 退货 赔偿 给个说法 解决 还我 举报 差评 维权 曝光 道歉 失望 为什么
        凭什么 还不 都不 什么意思 有毛病 垃圾 骗 坏 差 烂 气死 要不要脸 良心 怎么这么 怎么还
        怎么回事 怎么老 怎么总 怎么又 烦 恨 哭 累 讨厌 恶心 无语""",
}
BOILERPLATE: Final[frozenset[str]] = frozenset(
    """
    转发微博 转发 转 沙发 板凳 地板 前排 抢沙发 第一 第一个 占座 占楼 占位 打卡 签到 路过 围观
    顶 mark 马克 马 m 来了 报到 报名 repost 已阅 留名 1 11 111 看看 来看看 飘过 已关注 关注了
    收藏了 抽我 参与 已参与 已转发 插眼 蹲 蹲一个 收到 每日一转 每日打卡 转起 扩散
    """.split()  # noqa: SIM905 - a table of words reads better than a list of strings
)

_LONGEST_QUESTION: Final = 40  # characters; a longer text says more than it asks
_LONGEST_SHRUG: Final = 16  # characters
_LONGEST_BOILERPLATE: Final = 20  # characters; also what keeps the pattern below cheap
_EMPTY_ENDS: Final = " !?.,~@#:、…"
_SAYS_NOTHING: Final = re.compile(
    r"(?:(?:已|我|来|抢到?|求|每日|继续|前排|路过|默默)?"
    r"(?:转发|转|沙发|板凳|前排|打卡|签到|围观|路过|占座|占位|报名|参加|参与|参与活动|关注|收藏|mark|马克"
    r"|来了|看看|中奖|抽我|留名|第[一二三四五六七八九十0-9]+[天次名个]?)"
    r"(?:了|一下|一个|成功|微博|活动|参加)?[ ,.!~、]*)+"
)


def is_boilerplate(text: str) -> bool:
    """Does the normalised text say nothing at all?"""
    bare = text.strip(_EMPTY_ENDS)
    if not bare or bare in BOILERPLATE:
        return True
    return len(bare) <= _LONGEST_BOILERPLATE and _SAYS_NOTHING.fullmatch(bare) is not None


def is_lukewarm(text: str, shrugs: Sequence[Place], demands: Sequence[Place]) -> bool:
    """Is it short, does it shrug, and does it demand nothing outside the shrug (不好不坏)?"""
    return len(text) <= _LONGEST_SHRUG and all(
        any(first <= start and end <= last for first, last in shrugs) for start, end in demands
    )


def merely_asks(text: str, signs: AbstractSet[str]) -> bool:
    """Is it short, and does it ask without demanding anything?"""
    return len(text) <= _LONGEST_QUESTION and "demand" not in signs


def choose_kind(tone: Tone, *, sells: bool, asks: bool, severe: bool) -> Kind:
    """The kind that follows from the tone and from what the text does."""
    if sells:
        return "spam"
    if tone == "neg" or severe:
        return "complaint"
    if asks:
        return "question"
    return "praise" if tone == "pos" else "other"
