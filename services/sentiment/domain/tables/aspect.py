"""Which side of the business a comment is about."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from services.sentiment.domain.verdict import Aspect

ASPECT_TERMS: Final[dict[Aspect, str]] = {
    "product": """质量 做工 屏幕 电池 续航 味道 口感 口味 好吃 难吃 材质 面料 尺码 掉色 功能
        性能 系统 卡顿 死机 坏了 耐用 包装 配方 效果 外观 颜色 款式 发动机 油耗 刹车 内饰 空间
        音质 拍照 信号 发热 新鲜 变质 用着 好用 难用 手感 异味 设计""",
    "price": """价格 价钱 太贵 便宜 性价比 贵了 涨价 降价 优惠 打折 折扣 优惠券 满减 差价 划算
        不值 收费 多少钱 券 实惠 活动价""",
    "delivery": """物流 快递 发货 送货 配送 到货 收到货 派送 运费 包裹 骑手 外卖员 送达 送餐
        没到 顺丰 快递员 签收 催单 少发 漏发 错发""",
    "service": """客服 服务 态度 售后 店员 服务员 前台 销售 退款 退货 维修 投诉 人工 回复 解决
        推诿 接电话 不理 敷衍 换货 保修""",
    "store": """门店 店里 店面 环境 排队 卫生 装修 停车 座位 房间 酒店 大厅 分店 柜台 实体店
        包间 餐厅 洗手间 厕所 位置""",
    "advertising": """广告 代言 代言人 宣传 海报 文案 营销 直播间 主播 推广 虚假宣传 推送 标题党
        公众号 软文 植入 宣传片""",
}


def choose_aspect(named: Iterable[Aspect]) -> Aspect | None:
    """The aspect named most often, the first of them where they tie; None if none is."""
    counts: dict[Aspect, int] = {}
    for aspect in named:
        counts[aspect] = counts.get(aspect, 0) + 1
    if not counts:
        return None
    return max(counts.items(), key=lambda item: item[1])[0]
