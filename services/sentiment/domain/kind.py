"""What a comment wants: complain, ask, praise, sell, or nothing of these."""

from __future__ import annotations

from typing import Final, Literal

from services.sentiment.domain.verdict import Kind, Tone

Sign = Literal["question", "spam", "boilerplate", "demand"]

KIND_TERMS: Final[dict[Sign, str]] = {
    "question": """什么时候 怎么用 怎么买 怎么办 怎么样? 如何 哪里买 哪里有 哪儿 在哪 多少钱 有没有 是不是 会不会 能不能 可不可以
    请问 求问 想问 问一下 问下 啥时候 几点 几号 多久 多大 吗? 么? 呢? 吗 有货 谁知道 求推荐 求链接 支持吗 可以吗 哪个好 哪款""",
    "spam": """兼职 刷单 日结 日赚 月入 加微信 加我微信 加v 加薇 vx 微信号 扫码进群 代购 代刷 代开发票 贷款 低息 无抵押 博彩 彩票
    互粉 互关 求互 招代理 招聘 诚招 私聊领取 点击链接 免费领 优惠加 推广加 引流 涨粉 办证 刷钻 有意者 联系qq 加qq""",
    "demand": """投诉 退款 退货 赔偿 给个说法 解决一下 怎么处理 还我 举报 差评 维权 曝光 道歉 失望""",
}
BOILERPLATE: Final[frozenset[str]] = frozenset(
    ["转发微博", "转发", "转", "沙发", "板凳", "地板", "前排", "抢沙发", "第一", "第一个", "占座", "占楼", "打卡", "签到", "路过", "围观", "顶", "mark", "马克", "马", "m", "来了", "报到", "轉發微博", "repost", "已阅", "留名", "1", "11", "111", "看看", "来看看", "飘过", "已关注", "关注了", "收藏了", "抽我", "参与", "已参与", "已转发", "报名"]
)
_EMPTY_ENDS: Final = " !?.,~@#:"


def is_boilerplate(text: str) -> bool:
    """Does the normalised text say nothing at all?"""
    return text.strip(_EMPTY_ENDS) in BOILERPLATE or not text.strip(_EMPTY_ENDS)


def choose_kind(tone: Tone, signs: frozenset[str], *, severity: int, boilerplate: bool) -> Kind:
    """The kind that follows from the tone and the signs found in the text."""
    if "spam" in signs and severity < 2:
        return "spam"
    if boilerplate:
        return "other"
    if tone == "neg" or severity >= 2:
        return "complaint"
    if "question" in signs:
        return "question"
    return "praise" if tone == "pos" else "other"
