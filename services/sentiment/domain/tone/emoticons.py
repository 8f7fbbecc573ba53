"""Which picture a bracketed emoticon word stands for, so that both carry one meaning.

Weibo and WeChat write emoticons as words in brackets (`[怒]`), phones as emoji (😡), and one text
may hold both. Both become one code point, and what was learned from the one serves the other.
"""

from __future__ import annotations

# One line a meaning: the picture that stands for it, then the words that mean it.
_MEANINGS = """
😭 泪 流泪 大哭 泪流满面 悲伤 伤心 哭 哭泣 快哭了 难过 苦涩
😄 哈哈 笑哈哈 大笑 呲牙 haha 哈哈哈
😁 嘻嘻 偷乐 憨笑 愉快
😂 笑cry 破涕为笑 允悲 笑哭
😏 偷笑 坏笑 阴险 奸笑 得意地笑
😊 微笑哈 害羞 开心
🙂 微笑
😀 太开心 高兴 色 欢呼
😫 抓狂 崩溃 bed凌乱
👏 鼓掌 ppb鼓掌 拍手
🥰 爱你 好爱哦 好喜欢 花心 拥抱
😡 怒 愤怒 发怒 怒火
🤬 怒骂 骂 咒骂
😩 衰 晕 失望 沮丧 折磨
😅 汗 尴尬 冷汗 流汗 擦汗 捂脸
😒 鄙视 哼 右哼哼 左哼哼 挖鼻屎 挖鼻 懒得理你 白眼 撇嘴 不屑
🥺 可怜 委屈 可? 裂开
😲 吃惊 惊讶 惊恐 震惊
🤔 思考 疑问 费解
🤮 吐 恶心 呕吐
👍 赞 强 good 赞啊 牛 点赞 威武 给力 ok
👎 弱 差劲 踩
💗 心 爱心 爱心传递
💔 伤心碎 心碎
😘 亲亲 飞吻 么么
🤗 抱抱
😍 可爱 bm可爱 萌 星星眼
😎 酷 帅 得意 耶 噢耶
🤤 馋嘴 吃货 流口水
🎂 蛋糕
🌞 太阳 阳光
🌹 鲜花 玫瑰
🕯 蜡烛
🐶 doge 旺柴 二哈
😷 生病 感冒
🤐 闭嘴
😵 黑线
🍉 吃瓜
"""

# Several pictures of one meaning fold into the first of the line.
_SAME_PICTURES = """
😭😢😿😥😪😞☹🙁😔😟😣😖
😄😆😃😹
😊☺😌
😡😠😤👿
🤬🖕
🥰💕💖💞💓💘
💗❤♥💜💙💛💚
😍🤩😻
👍💪🙌🏆💯
👏🎉🎊
🤮🤢💩
😩😰😨😱
😒🙄
"""

PICTURE_OF_WORD: dict[str, str] = {
    word: line.split()[0] for line in _MEANINGS.strip().splitlines() for word in line.split()[1:]
}
PICTURE_FOLDS: dict[str, str] = {
    picture: line[0] for line in _SAME_PICTURES.strip().splitlines() for picture in line[1:]
}
