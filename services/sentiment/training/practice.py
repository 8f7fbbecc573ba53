"""Rows made from templates, for what the corpora of 2010–2020 do not hold.

Questions, lukewarm remarks, boilerplate, spam, later slang, scores in digits, polite sarcasm and
mixed English. They are few and of one author: they teach these turns and nothing of a domain. No
sentence of the probe is among them: the recipe leaves it out.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Final

SEED: Final = 20
ROWS_A_TEMPLATE: Final = 40


def _words(text: str) -> list[str]:
    return text.split()


_THINGS: Final = _words(
    """
    手机 耳机 面膜 口红 鞋子 裙子 外套 奶粉 咖啡 奶茶 蛋糕 火锅 空调 冰箱 电视 电脑 键盘 汽车
    座椅 行李箱 酒店 房间 客服 物流 快递 包装 游戏 软件 系统 电影 演唱会 直播 活动 会员 课程
    门店 服务 广告 味道 质量 颜色 款式 洗发水 牙刷 酸奶 零食 水果 书 相机 路由器
    """
)
_GOOD: Final = _words(
    """
    好 好用 好吃 好看 好喝 满意 喜欢 舒服 漂亮 划算 实惠 方便 贴心 流畅 清晰 精致 靠谱 新鲜
    专业 耐用 快 干净 热情 值 顺手 推荐 惊艳
    """
)
_BAD: Final = _words(
    """
    差 难用 难吃 难看 难喝 失望 后悔 生气 贵 慢 卡 脏 吵 臭 硬 假 破 敷衍 麻烦 粗糙 糟糕 恶心
    坑 垃圾 冷淡 掉色 漏水 死机
    """
)
_FAULTS: Final = _words(
    """
    坏了 黑屏了 开胶了 掉漆了 死机了 漏水了 没电了 断了 发霉了 起球了 褪色了 不能开机 打不开
    没人管 没发货 少了一半 退不了款 排了三小时队
    """
)
_TIMES: Final = _words(
    """
    三天 两天 一个星期 一个月 半个月 一次 一天 两个小时 第二天 刚过保修期
    """
)
_ENGLISH_GOOD: Final = _words(
    """
    nice good great perfect love cute best amazing cool wonderful happy
    """
)
_ENGLISH_BAD: Final = _words(
    """
    bad terrible worst fake rude slow ugly broken bug crash disappointed sad
    """
)

# label, template; {t} thing, {g} good, {b} bad, {f} fault, {d} time, {n} number, {G}/{B} English.
_TEMPLATES: Final = """
pos {t}不是不{g}，是太{g}了
pos 没有不{g}的
pos 没什么不{g}的，{t}很{g}
pos {t}一点都不{b}
pos {t}一点也不{b}，很{g}
pos 并不{b}，挺{g}的
pos {t}没让我{b}过
pos 不得不夸一下{t}，真{g}
pos 没有一次不{g}
pos 谁说{t}{b}了，明明很{g}
neg 不是不{g}，是根本没法用
neg 没有一样{g}的
neg {t}没有一点{g}的地方
neg 不能不说{t}太{b}了
neg 说不{b}是假的
neg 并没有{g}到哪里去
neu {t}一般
neu {t}还行吧
neu {t}凑合
neu 中等，不{g}也不{b}
neu {t}没有想的那么{g}，也没有那么{b}
neu {t}普普通通
neu {t}还可以，没什么感觉
neu 一般，没有说的那么{g}
neu {t}刚收到，还没用
neu {t}先放着，用了再评
neu {t}跟上次的一样
neu {t}说不上{g}
neu 勉强能用，{t}一般
neu {t}马虎过得去
neu {t}什么时候到货
neu {t}什么时候发货？
neu 请问{t}多少钱
neu {t}哪里有卖的？
neu {t}怎么用啊
neu {t}有几种颜色？
neu 这个{t}可以退吗
neu 问一下{t}几点开始
neu {t}适合学生吗？
neu 有人用过这款{t}吗
neu {t}和另一款有什么不同
neu {t}怎么预约？
neu 想买{t}，求推荐
neu {t}支持分期吗
neu {t}在几楼
neu {t}{g}吗？
neu {t}会不会{b}？
neu 转发{t}活动
neu 转发抽{t}
neu 前排
neu 沙发沙发
neu 打卡
neu 打卡第{n}天
neu 签到第{n}天
neu 围观
neu 路过
neu 占座
neu 第{n}
neu 已参与
neu 已转发，求抽中{t}
neu 参加了，求{t}
neu 来看看{t}
neu mark
neu 收藏了{t}
neu 兼职招聘，日结{n}元，加微信
neu 在家做{t}兼职，时薪{n}，私信
neu 诚招{t}代理，一件代发，加微信
neu 低价代购{t}，支持验货，加v
neu {t}刷单，一单{n}元，联系QQ
neu 办理贷款，额度{n}万，当天放款
neu 互粉，有粉必回
neu 点击主页链接领取{t}
neu 涨粉{n}，低价，需要的私聊
neu 代写代发，诚信第一，扫码咨询
neu 高仿{t}，一比一，微信同号
neu 套现提额，秒到账，加我
pos {t}绝绝子
pos {t}yyds
pos {t}真香
pos {t}真香警告
pos {t}爱了爱了
pos {t}狠狠爱住
pos 被{t}种草了
pos {t}天花板
pos 吹爆{t}
pos {t}封神
pos {t}太顶了
pos {t}拉满
pos {t}赢麻了
pos {t}太会了
pos {t}永远的神
pos {t}神仙颜值
pos 无限回购{t}
neg {t}栓Q
neg 栓Q，{t}真{b}
neg {t}拉胯
neg {t}避雷
neg {t}踩雷了
neg {t}智商税
neg {t}割韭菜
neg {t}翻车
neg {t}大无语事件
neg 大冤种，买了{t}
neg {t}下头
neg {t}真的会谢
neg 给{t}整麻了
neg {t}摆烂
neg {t}破防了
neg {t}一坨
neg {t}劝退
neg {t}辣鸡
neg {t}塌房
pos {t}666
pos 666，{t}{g}
pos {t}6666666
pos {t}五星好评
pos {t}满分
pos 给{t}打100分
pos {t}5分
pos {t}10分
neg {t}0分
neg {t}一星
neg {t}1分，{b}
neg {t}负分
neg 打{t}1星都多
neg {t}6，{f}
neg 你们可真6，{f}
neg 第{n}次了，{t}又{f}
neg 太感谢了，{t}用了{d}就{f}
neg 真{g}啊，{d}就{f}
neg 恭喜{t}，{d}就{f}
neg 不愧是大牌{t}，{d}就{f}
neg 呵呵，真是{g}，{f}
neg 厉害了我的{t}，{d}就{f}
neg 可真{g}，{f}也不解释
neg 谢谢{t}，让我知道什么叫{b}
neg {t}真行，{f}
neg 好一个{t}，{f}
neg {t}真{g}，{g}到{f}
neg 感谢{t}，{d}{f}
pos {t}很{G}
pos {G}，{t}超{g}
pos 太{G}了，喜欢
pos {t}{G}{G}
neg {t}so {B}
neg {t}太{B}了
neg {t}{B}，不会再买
neg 服务{B}，{f}
neu {t}有没有new color
neu {t}什么size
neg {t}{f}[怒]
pos {t}{g}[赞]
pos {t}[爱你]
neg {t}[吐]
neg {t}😡
pos {t}😍
neg {t}💔{f}
neg {d}就{f}[微笑]
"""


def make_practice() -> list[tuple[str, str]]:
    """The (label, text) rows, always the same."""
    return sorted(set(_rows()))


def _rows() -> Iterator[tuple[str, str]]:
    dice = random.Random(SEED)
    for line in _TEMPLATES.strip().splitlines():
        label, template = line.split(" ", 1)
        for _ in range(ROWS_A_TEMPLATE if "{" in template else 1):
            yield (
                label,
                template.format(
                    t=dice.choice(_THINGS),
                    g=dice.choice(_GOOD),
                    b=dice.choice(_BAD),
                    f=dice.choice(_FAULTS),
                    d=dice.choice(_TIMES),
                    n=dice.randint(2, 500),
                    G=dice.choice(_ENGLISH_GOOD),
                    B=dice.choice(_ENGLISH_BAD),
                ),
            )
