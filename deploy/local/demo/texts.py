"""The demo's words in both languages. A test keeps them complete, with the same facts in each."""

from __future__ import annotations

from collections.abc import Mapping

Words = Mapping[str, str]

ZH: Words = {
    "title": "粉丝互动平台演示：从一条微信或微博推送，到标签、触达和警报",
    "starting": "启动 {what} …",
    "part_log": "日志",
    "part_store": "存储",
    "part_sandbox": "沙盒平台",
    "part_ingest": "接入",
    "part_segmenter": "标签",
    "part_notifier": "触达",
    "part_sentiment": "舆情",
    "started": "全部就绪：日志、存储、沙盒平台和四个服务，各自一个进程。",
    "act_verify": "平台验证接入地址",
    "act_follow": "粉丝扫码关注",
    "act_talk": "粉丝留言、点菜单、扫码",
    "act_purchase": "商城推送订单",
    "act_leave": "几位粉丝取关",
    "act_done": (
        "{act}：发出 {sent} 次请求，受理 {acknowledged}，拒绝 {rejected}"
        "（其中伪造 {forged}），平台重发 {retried}，并发重复 {duplicated}"
    ),
    "triggered_planned": "运营预设了 {campaigns} 个由标签触发的活动。",
    "tags": "标签已经打好（粉丝数）：",
    "campaign": "活动“{name}”：{states}",
    "state_planned": "待定",
    "state_held": "暂缓",
    "state_calling": "发送中",
    "state_sent": "已发",
    "state_refused": "被拒",
    "state_unknown": "不确定",
    "state_dropped": "不再发",
    "reason_held": "暂缓 {n} 位：{reason}，最早 {time}",
    "reason_dropped": "不再发 {n} 位：{reason}",
    "comma": "，",
    "no_time": "待粉丝再次互动",
    "ordinary_comments": "文章下出现平常的评论，没有警报。",
    "complaints": "{complaints} 位粉丝在文章下投诉食物中毒……",
    "page": "值班群收到警报，用时 {seconds:.1f} 秒",
    "promotions_paused": "事件期间新建的推广活动自动暂停。",
    "escalated": "无人响应，警报升级到值班电话。",
    "acknowledged": "值班同事打开警报里的链接，按下“已知悉”。",
    "resolved": "评论平息，{incidents} 起事件结束。",
    "promotions_resumed": "推广自动恢复。",
    "account_title": "结果",
    "account_webhooks_name": "推送",
    "account_webhooks": (
        "发出 {webhooks_sent}，受理 {webhooks_acknowledged}，拒绝 {webhooks_rejected}；"
        "伪造 {webhooks_forged}，全部被识破"
    ),
    "account_events_name": "事件",
    "account_events": (
        "写入日志 {events_published}；各消费组处理 {events_applied}，重复 {events_duplicates}，"
        "无关 {events_skipped}，死信 {events_dead_lettered}"
    ),
    "account_tags_assigned_name": "标签",
    "account_tags_assigned": "打上 {tags_assigned} 次",
    "account_pushes_name": "触达",
    "account_pushes": (
        "我方记录已发 {pushes_sent}，平台账本 {pushes_platform_count}；暂缓 {pushes_held}，"
        "不再发 {pushes_dropped}，超出配额 {pushes_over_quota}"
    ),
    "account_incidents_name": "事件与警报",
    "account_incidents": (
        "开启 {incidents_opened}，警报 {incidents_pages_sent}，升级 {incidents_escalations}，"
        "知悉 {incidents_acknowledged}，结束 {incidents_resolved}"
    ),
    "account_latency_name": "用时",
    "account_latency": (
        "推送到标签可见：一半在 {latency_ms_webhook_to_tag_p50} 毫秒内，"
        "99% 在 {latency_ms_webhook_to_tag_p99} 毫秒内；"
        "评论到警报：{latency_ms_comment_to_page_p99} 毫秒"
    ),
    "account_books_name": "账目",
    "balanced": "每个消费组都分毫不差：处理 + 重复 + 无关 + 死信 = 日志条数",
    "unbalanced": "对不上！",
    "all_well": "一切如期，用时 {seconds} 秒。结果在 var/demo/summary.json，没有留下任何进程。",
    "failed": "演示没有如期完成：",
    "interrupted": "已中断，没有留下任何进程。",
    "midnight": "北京时间零点前后群发会暂缓，等 {seconds} 秒再开始。",
}

EN: Words = {
    "title": "Fan engagement, demonstrated: from a WeChat or Weibo push to tags, pushes and a page",
    "starting": "starting {what} …",
    "part_log": "log",
    "part_store": "store",
    "part_sandbox": "sandbox",
    "part_ingest": "ingest",
    "part_segmenter": "segmenter",
    "part_notifier": "notifier",
    "part_sentiment": "sentiment",
    "started": "All ready: log, store, sandbox and the four services, a process each.",
    "act_verify": "Platforms verify the addresses",
    "act_follow": "Fans follow by QR code",
    "act_talk": "Fans write, click, scan",
    "act_purchase": "The shop posts orders",
    "act_leave": "Some fans leave",
    "act_done": (
        "{act}: {sent} requests, {acknowledged} taken, {rejected} refused ({forged} forged), "
        "{retried} sent again by the platforms, {duplicated} twice in parallel"
    ),
    "triggered_planned": "Staff planned {campaigns} campaigns that a tag starts.",
    "tags": "Tags are there (fans):",
    "campaign": "Campaign “{name}”: {states}",
    "state_planned": "planned",
    "state_held": "held",
    "state_calling": "on its way",
    "state_sent": "sent",
    "state_refused": "refused",
    "state_unknown": "unknown",
    "state_dropped": "dropped",
    "reason_held": "{n} held: {reason}; not before: {time}",
    "reason_dropped": "{n} dropped: {reason}",
    "comma": ", ",
    "no_time": "the fan's next message",
    "ordinary_comments": "Ordinary comments appear under an article; no page.",
    "complaints": "{complaints} fans complain about food poisoning under the article …",
    "page": "The on-call group is paged after {seconds:.1f} s",
    "promotions_paused": "A promotion planned during the incident waits by itself.",
    "escalated": "Nobody answers: the page escalates to the on-call phone.",
    "acknowledged": "Staff open the link in the page and press “acknowledge”.",
    "resolved": "The comments calm down, and {incidents} incident(s) end.",
    "promotions_resumed": "Promotions resume by themselves.",
    "account_title": "Result",
    "account_webhooks_name": "Webhooks",
    "account_webhooks": (
        "{webhooks_sent} sent, {webhooks_acknowledged} taken, {webhooks_rejected} refused; "
        "all {webhooks_forged} forgeries seen through"
    ),
    "account_events_name": "Events",
    "account_events": (
        "{events_published} in the log; the groups applied {events_applied}, saw "
        "{events_duplicates} duplicates, skipped {events_skipped}, set {events_dead_lettered} aside"
    ),
    "account_tags_assigned_name": "Tags",
    "account_tags_assigned": "assigned {tags_assigned} times",
    "account_pushes_name": "Pushes",
    "account_pushes": (
        "{pushes_sent} sent by our books, {pushes_platform_count} by the platforms'; "
        "{pushes_held} held, {pushes_dropped} dropped, {pushes_over_quota} over quota"
    ),
    "account_incidents_name": "Incidents",
    "account_incidents": (
        "{incidents_opened} opened, {incidents_pages_sent} pages, {incidents_escalations} "
        "escalated, {incidents_acknowledged} acknowledged, {incidents_resolved} resolved"
    ),
    "account_latency_name": "Time",
    "account_latency": (
        "webhook to visible tag: half within {latency_ms_webhook_to_tag_p50} ms, 99% within "
        "{latency_ms_webhook_to_tag_p99} ms; comment to page: {latency_ms_comment_to_page_p99} ms"
    ),
    "account_books_name": "Books",
    "balanced": "Every group balances: applied + duplicates + skipped + dead letters = records",
    "unbalanced": "They do not balance!",
    "all_well": (
        "All as expected, in {seconds} s; see var/demo/summary.json. Nothing is left running."
    ),
    "failed": "The demo did not end as expected:",
    "interrupted": "Interrupted; nothing is left running.",
    "midnight": "Mass sends wait around midnight in Shanghai; beginning in {seconds} s.",
}

TEXTS: Mapping[str, Words] = {"zh": ZH, "en": EN}
